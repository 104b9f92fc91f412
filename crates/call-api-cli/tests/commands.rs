//! Each command and each message, as the program prints it: the cases in `tests/cmd` and the README, against the sandbox.
//!
//! `TRYCMD=overwrite cargo test -p call-api-cli --test commands` takes over what there is now.

// The help names every command.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use call_api_sandbox::Sandbox;

#[tokio::test(flavor = "multi_thread")]
async fn each_command_prints_what_is_shown() {
    let sandbox = support::sandbox().await;
    let url = sandbox.base_url().to_owned();
    let config = support::folder("no-config");
    let cases = trycmd::TestCases::new();
    cases
        .register_bin("call-api", support::program_path())
        .env("CALL_API_BASE_URL", &url)
        .env("CALL_API_TOKEN", Sandbox::DEFAULT_TOKEN)
        .env("XDG_CONFIG_HOME", config.to_str().unwrap())
        .env("TZ", support::ZONE)
        .insert_var("[URL]", url)
        .unwrap()
        .insert_var("[CONFIG]", config.display().to_string())
        .unwrap();

    cases.case("tests/cmd/*.trycmd").case("README.md");
    cases.run();
}

//! The output of each command and each error: the cases in `tests/cmd` and the README, run against the sandbox.
//!
//! `TRYCMD=overwrite cargo test -p call-api-cli --test commands` updates the expected output.

// The help lists every command.
#![cfg(all(feature = "sandbox", not(feature = "mcp")))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use call_api_sandbox::Sandbox;

#[tokio::test(flavor = "multi_thread")]
async fn commands_print_the_expected_output() {
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
        .unwrap()
        .insert_var("[VERSION]", env!("CARGO_PKG_VERSION"))
        .unwrap();

    cases.case("tests/cmd/*.trycmd").case("README.md");
    cases.run();
}

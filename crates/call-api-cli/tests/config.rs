//! The sources of the base URL and the token.

#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![cfg(unix)]

mod support;

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use call_api_sandbox::Sandbox;
use snapbox::str;
use support::{assert_shown, empty_folder, program, run, sandbox};

/// A command that shows the sources and whether the token is accepted.
const GET: [&str; 3] = ["doctor", "-o", "table"];

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_come_from_the_first_source_that_has_them() {
    let sandbox = sandbox().await;
    let url = sandbox.base_url();
    let home = empty_folder("home-profiles");
    let config = home.join(".config/call-api/config.toml");
    write(
        &config,
        &format!(
            "profile = \"work\"\n\n[profiles.work]\nbase_url = \"{url}\"\ntoken_file = \"~/token\"\n\n\
             [profiles.other]\nbase_url = \"{url}/other\"\ntoken = \"canary-51c0\"\n\n[profiles.bare]\n"
        ),
        0o600,
    );
    write(&home.join("token"), "sandbox-token\n", 0o600);
    let doctor = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = program(&[&GET, arguments].concat());
        command.env("HOME", &home).envs(environment.iter().copied());
        run(&mut command)
    };

    let mut shown = doctor(&[], &[]);
    for (arguments, environment) in [
        // A named profile is used.
        (["--profile", "other"].as_slice(), [].as_slice()),
        (&[], &[("CALL_API_PROFILE", "other")]),
        (&["--profile", "work"], &[("CALL_API_PROFILE", "other")]),
        (&["--profile", "nobody"], &[]),
        // The environment comes before the default profile, and after a named one.
        (&[], &[("CALL_API_TOKEN", "wrong")]),
        (&["--profile", "work"], &[("CALL_API_TOKEN", "wrong")]),
        (
            &["--profile", "bare", "--base-url", url],
            &[("CALL_API_TOKEN", "sandbox-token")],
        ),
        // A profile's token is sent only to its own base URL.
        (&["--base-url", "http://localhost:1"], &[]),
        (&[], &[("CALL_API_BASE_URL", "http://localhost:1")]),
        (&["--profile", "bare"], &[("CALL_API_BASE_URL", url)]),
    ] {
        shown.push_str(&format!("--- {arguments:?} {environment:?}\n"));
        let doctor = doctor(arguments, environment);
        shown.extend(doctor.lines().take(4).map(|line| format!("{line}\n")));
    }
    assert!(!shown.contains("canary-51c0"));
    assert_shown(
        shown.replace(url, "[URL]"),
        str![[r#"
CHECK     RESULT        MESSAGE
settings  ok            base URL from profile "work" in [HOME]home-profiles/.config/call-api/config.toml, token from profile "work" in [HOME]home-profiles/.config/call-api/config.toml
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  needs the id of an existing call
clock     ok            within [TIME] s of the service's clock
document  not verified  needs the id of a call
--- ["--profile", "other"] []
? 11
CHECK     RESULT        MESSAGE
settings  ok            base URL from profile "other" in [HOME]home-profiles/.config/call-api/config.toml, token from profile "other" in [HOME]home-profiles/.config/call-api/config.toml
service   failed        the service has no such path; the base URL must be what precedes /v1/call (status 404)
--- [] [("CALL_API_PROFILE", "other")]
? 11
CHECK     RESULT        MESSAGE
settings  ok            base URL from profile "other" in [HOME]home-profiles/.config/call-api/config.toml, token from profile "other" in [HOME]home-profiles/.config/call-api/config.toml
service   failed        the service has no such path; the base URL must be what precedes /v1/call (status 404)
--- ["--profile", "work"] [("CALL_API_PROFILE", "other")]
CHECK     RESULT        MESSAGE
settings  ok            base URL from profile "work" in [HOME]home-profiles/.config/call-api/config.toml, token from profile "work" in [HOME]home-profiles/.config/call-api/config.toml
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  needs the id of an existing call
--- ["--profile", "nobody"] []
? 3
CHECK     RESULT        MESSAGE
settings  failed        no profile "nobody" in [HOME]home-profiles/.config/call-api/config.toml; its profiles are: bare, other, work
service   not verified  not checked
--- [] [("CALL_API_TOKEN", "wrong")]
? 5
CHECK     RESULT        MESSAGE
settings  ok            base URL from profile "work" in [HOME]home-profiles/.config/call-api/config.toml, token from CALL_API_TOKEN
service   ok            127.0.0.1 responded in [TIME] ms
--- ["--profile", "work"] [("CALL_API_TOKEN", "wrong")]
CHECK     RESULT        MESSAGE
settings  ok            base URL from profile "work" in [HOME]home-profiles/.config/call-api/config.toml, token from profile "work" in [HOME]home-profiles/.config/call-api/config.toml
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  needs the id of an existing call
--- ["--profile", "bare", "--base-url", "[URL]"] [("CALL_API_TOKEN", "sandbox-token")]
CHECK     RESULT        MESSAGE
settings  ok            base URL from --base-url, token from CALL_API_TOKEN
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  needs the id of an existing call
--- ["--base-url", "http://localhost:1"] []
? 3
CHECK     RESULT        MESSAGE
settings  failed        the token of profile "work" in [HOME]home-profiles/.config/call-api/config.toml is for [URL] and is not sent to the base URL from --base-url; set a token for it with CALL_API_TOKEN or --token-file
service   not verified  not checked
--- [] [("CALL_API_BASE_URL", "http://localhost:1")]
? 3
CHECK     RESULT        MESSAGE
settings  failed        the token of profile "work" in [HOME]home-profiles/.config/call-api/config.toml is for [URL] and is not sent to the base URL from CALL_API_BASE_URL; set a token for it with CALL_API_TOKEN or --token-file
service   not verified  not checked
--- ["--profile", "bare"] [("CALL_API_BASE_URL", "[URL]")]
? 3
CHECK     RESULT        MESSAGE
settings  failed        no token is set; set CALL_API_TOKEN, use --token-file FILE (`-` is standard input), or add token_file to a profile in [HOME]home-profiles/.config/call-api/config.toml
service   not verified  not checked

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn token_is_read_from_environment_file_or_standard_input() {
    let sandbox = sandbox().await;
    let home = empty_folder("home-token");
    write(&home.join("token"), "sandbox-token\n", 0o600);
    write(&home.join("empty"), "\n", 0o600);
    let file = |name: &str| home.join(name).to_str().unwrap().to_owned();
    let doctor = |arguments: &[&str], variable: &str, value: &str, input: &str| {
        let mut command = program(&[&GET, arguments].concat());
        let mut child = command
            .env("CALL_API_BASE_URL", sandbox.base_url())
            .env(variable, value)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let shown = support::shown(&child.wait_with_output().unwrap());
        shown
            .lines()
            .take(4)
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let shown = [
        doctor(&[], "CALL_API_TOKEN", Sandbox::DEFAULT_TOKEN, ""),
        doctor(&[], "CALL_API_TOKEN_FILE", &file("token"), ""),
        doctor(
            &["--token-file", &file("token")],
            "CALL_API_TOKEN",
            "wrong",
            "",
        ),
        doctor(
            &["--token-file", "-"],
            "CALL_API_TOKEN",
            "wrong",
            "sandbox-token\n",
        ),
        doctor(&["--token-file", "-"], "NOTHING", "", ""),
        doctor(&["--token-file", &file("empty")], "NOTHING", "", ""),
        doctor(&["--token-file", &file("missing")], "NOTHING", "", ""),
        doctor(&[], "NOTHING", "", ""),
    ];
    assert_shown(
        shown.join("---\n"),
        str![[r#"
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  needs the id of an existing call
---
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN_FILE
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  needs the id of an existing call
---
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from --token-file
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  needs the id of an existing call
---
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from --token-file
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  needs the id of an existing call
---
? 3
CHECK     RESULT        MESSAGE
settings  failed        the token is empty; give the token that the service issued
service   not verified  not checked
---
? 3
CHECK     RESULT        MESSAGE
settings  failed        the token is empty; give the token that the service issued
service   not verified  not checked
---
? 3
CHECK     RESULT        MESSAGE
settings  failed        cannot read the token file [HOME]home-token/missing from --token-file: No such file or directory (os error 2); check that it exists and is readable
service   not verified  not checked
---
? 3
CHECK     RESULT        MESSAGE
settings  failed        no token is set; set CALL_API_TOKEN, use --token-file FILE (`-` is standard input), or add token_file to a profile in [HOME]no-home/.config/call-api/config.toml
service   not verified  not checked

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn insecure_file_permissions_are_reported() {
    let sandbox = sandbox().await;
    let home = empty_folder("home-permissions");
    let config = home.join(".config/call-api/config.toml");
    let url = sandbox.base_url();
    let with_token =
        format!("[profiles.default]\nbase_url = \"{url}\"\ntoken = \"sandbox-token\"\n");
    let with_file = format!("[profiles.default]\nbase_url = \"{url}\"\ntoken_file = \"~/token\"\n");
    let mut shown = String::new();
    for (text, mode, token_mode, arguments) in [
        (&with_token, 0o644, 0o600, [].as_slice()),
        (&with_token, 0o666, 0o600, &[]),
        (&with_file, 0o644, 0o600, &[]),
        (&with_file, 0o664, 0o640, &[]),
        (&with_token, 0o644, 0o600, &["--json-errors"]),
        (&with_token, 0o644, 0o600, &["--quiet"]),
        (&with_token, 0o600, 0o600, &[]),
    ] {
        write(&config, text, mode);
        write(&home.join("token"), "sandbox-token", token_mode);
        let mut command = program(&[&["get", support::EXAMPLE, "-o", "jsonl"], arguments].concat());
        let output = command.env("HOME", &home).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        shown.push_str(&format!("--- {mode:o} {token_mode:o} {arguments:?}\n"));
        shown.push_str(str::from_utf8(&output.stderr).unwrap());
    }
    assert_shown(
        shown,
        str![[r#"
--- 644 600 []
warning: other users can read [HOME]home-permissions/.config/call-api/config.toml, which holds a token; run: chmod 600 [HOME]home-permissions/.config/call-api/config.toml
--- 666 600 []
warning: other users can read and write [HOME]home-permissions/.config/call-api/config.toml, which holds a token; run: chmod 600 [HOME]home-permissions/.config/call-api/config.toml
--- 644 600 []
--- 664 640 []
warning: other users can write [HOME]home-permissions/.config/call-api/config.toml; run: chmod 600 [HOME]home-permissions/.config/call-api/config.toml
warning: other users can read [HOME]home-permissions/token, which holds a token; run: chmod 600 [HOME]home-permissions/token
--- 644 600 ["--json-errors"]
{"warning":{"message":"other users can read [HOME]home-permissions/.config/call-api/config.toml, which holds a token; run: chmod 600 [HOME]home-permissions/.config/call-api/config.toml"}}
--- 644 600 ["--quiet"]
--- 600 600 []

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_tolerate_empty_variables_and_pasted_tokens() {
    let sandbox = sandbox().await;
    let home = empty_folder("home-tolerant");
    let config = home.join(".config/call-api/config.toml");
    let url = sandbox.base_url();
    // Relative to the configuration file.
    let profile =
        format!("[profiles.default]\nbase_url = \"{url}\"\ntoken_file = \"secrets/token\"\n");
    write(&config, &profile, 0o600);
    let token = config.with_file_name("secrets").join("token");
    write(&token, "Bearer sandbox-token\n", 0o600);
    let get = |environment: &[(&str, &str)]| {
        let mut command = program(&["get", support::EXAMPLE, "-o", "jsonl"]);
        command.env("HOME", &home).envs(environment.iter().copied());
        command.output().unwrap()
    };
    let with_slash = format!("{url}/");
    for environment in [
        [("CALL_API_TOKEN", ""), ("CALL_API_BASE_URL", "")].as_slice(),
        &[("CALL_API_TOKEN", "bearer sandbox-token")],
        &[("CALL_API_BASE_URL", &with_slash)],
    ] {
        let output = get(environment);
        assert!(output.status.success(), "{environment:?}: {output:?}");
    }
    // As editors of Windows write it.
    write(&token, "\u{feff}sandbox-token\r\n", 0o600);
    let mut shown = support::shown(&get(&[]));
    assert!(shown.starts_with('{'), "{shown}");

    shown = support::shown(&get(&[("CALL_API_BASE_URL", "127.0.0.1:3000")]));
    let section = "[profile.work]\ntoken = \"canary-51c0\"\n";
    for start in ["", "profile = \"work\"\n"] {
        write(&config, &format!("{start}{section}"), 0o600);
        shown.push_str(&support::shown(&get(&[])));
    }
    assert_shown(
        shown,
        str![[r#"
? 3
error: base URL "[HOST]" is invalid: it is not a URL; use the form https://api.example.com
? 3
error: [HOME]home-tolerant/.config/call-api/config.toml: unknown section [profile.work]; did you mean [profiles.work]?
? 3
error: [HOME]home-tolerant/.config/call-api/config.toml: unknown section [profile.work]; did you mean [profiles.work]?

"#]],
    );
}

/// The advice must fit this program, which has no builder.
#[test]
fn invalid_base_url_is_rejected_with_a_reason() {
    let mut shown = String::new();
    for url in [
        "http://calls.example",
        "https://user:canary-51c0@calls.example",
        "ftp://calls.example",
        "https://calls.example/?a=b",
    ] {
        let arguments = ["get", support::EXAMPLE, "--base-url", url];
        shown.push_str(&run(program(&arguments).env("CALL_API_TOKEN", "a-token")));
    }
    assert!(!shown.contains("canary-51c0"), "{shown}");
    assert_shown(
        shown,
        str![[r#"
? 3
error: base URL "http://calls.example" is invalid: it is plain http to another machine, which would expose the token; use https
? 3
error: base URL is invalid: it contains a user or password; remove it, and set the token in CALL_API_TOKEN or with --token-file
? 3
error: base URL "ftp://calls.example" is invalid: it is neither https nor http; use the form https://api.example.com
? 3
error: base URL "https://calls.example/" is invalid: it contains a query; remove it

"#]],
    );
}

#[test]
fn invalid_configuration_file_is_reported_with_its_line() {
    let home = empty_folder("home-wrong");
    let config = home.join(".config/call-api/config.toml");
    let mut shown = String::new();
    for text in [
        "[profiles.default]\ntoken = 51901\n",
        "[profiles.default]\ntoken = canary-51c0\n",
        "[profiles.default]\nurl = \"https://calls.example\"\n",
        "profile = 1",
        "[profiles.default]\ntoken = \"a\"\ntoken_file = \"b\"\n",
        "profile = \"gone\"\n",
        "[profiles.default]\nbase_url = \"https://calls.example\"\ntoken = \"a\\nb\"\n",
    ] {
        write(&config, text, 0o600);
        shown.push_str(&run(program(&["get", support::EXAMPLE]).env("HOME", &home)));
    }
    assert!(
        !shown.contains("51901") && !shown.contains("canary"),
        "{shown}"
    );
    assert_shown(
        shown,
        str![[r#"
? 3
error: [HOME]home-wrong/.config/call-api/config.toml:2: the token must be a quoted string; see `call-api man`
? 3
error: [HOME]home-wrong/.config/call-api/config.toml:2: string values must be quoted, expected literal string; see `call-api man`
? 3
error: [HOME]home-wrong/.config/call-api/config.toml:2: unknown field `url`, expected one of `base_url`, `token`, `token_file`, `proxy`, `cacert`; see `call-api man`
? 3
error: [HOME]home-wrong/.config/call-api/config.toml:1: invalid type: integer `1`, expected a string; see `call-api man`
? 3
error: profile "default" in [HOME]home-wrong/.config/call-api/config.toml has both token and token_file; remove one of them
? 3
error: no profile "gone" in [HOME]home-wrong/.config/call-api/config.toml; its profiles are: none
? 3
error: the token contains a control or non-ASCII character at byte 1, perhaps a line break; give it exactly as the service issued it

"#]],
    );
}

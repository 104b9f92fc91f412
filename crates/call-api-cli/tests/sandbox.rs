//! `sandbox`: serves the API, and explains why it cannot listen.

#![cfg(all(unix, feature = "sandbox"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use snapbox::str;
use support::{assert_shown, program, run};

/// Skipped lines are reported as other warnings are.
#[test]
fn import_reports_skipped_lines_as_json() {
    let folder = support::empty_folder("sandbox-import");
    let (calls, db) = (folder.join("calls.jsonl"), folder.join("calls.sqlite"));
    // As editors of Windows write it.
    let call = serde_json::to_string(&support::ended()).unwrap();
    std::fs::write(&calls, format!("\u{feff}{call}\r\n{{}}\r\n")).unwrap();
    let (calls, db) = (calls.to_str().unwrap(), db.to_str().unwrap());
    let import = ["sandbox", "import", calls, "--db", db, "--skip-invalid"];
    assert_shown(
        run(&mut program(&[&import[..], &["--json-errors"]].concat())),
        str![[r#"
{"warning":{"message":"[HOME]sandbox-import/calls.jsonl: line 2: missing field `id`, at column 2; skipped"}}
imported 1 call of tenant default into [HOME]sandbox-import/calls.sqlite, skipped 1 line

"#]],
    );
}

/// Follows the README from the start of a sandbox to the recording of its call.
#[test]
fn readme_leads_to_a_recording() {
    let readme = include_str!("../README.md");
    let commands = |name: &str| {
        let prefix = format!("call-api {name} ");
        let line = readme.lines().find(|line| line.starts_with(&prefix));
        let words = line.unwrap().split_whitespace().skip(1);
        words.collect::<Vec<_>>()
    };
    let mut sandbox = commands("sandbox");
    sandbox.extend(["--listen", "0"]);
    // The test need not last as long.
    let speed = sandbox.iter().position(|word| *word == "10").unwrap();
    sandbox[speed] = "1000";
    let mut child = program(&sandbox).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let exports = lines.map(Result::unwrap).filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let variables: Vec<_> = exports.take(2).collect();
    let folder = support::empty_folder("readme");
    for name in ["watch", "wait", "recording"] {
        let mut command = program(&commands(name));
        let command = command.envs(variables.clone()).current_dir(&folder);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }
    assert!(folder.join("call.wav").is_file());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn sandbox_greeting_has_working_commands() {
    let mut child = program(&["sandbox", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let greeting: Vec<_> = lines.by_ref().take(16).map(Result::unwrap).collect();
    let [variables @ .., command] = &greeting[13..] else {
        panic!("{greeting:?}");
    };
    let mut get = program(&[]);
    for line in variables {
        let (name, value) = line
            .trim()
            .strip_prefix("export ")
            .unwrap()
            .split_once('=')
            .unwrap();
        get.env(name, value);
    }
    let command: Vec<_> = command.split_whitespace().collect();
    let call = run(get.args(&command[1..]).args(["-o", "table", "--utc"]));
    let address = variables[0].rsplit('/').next().unwrap();
    let taken = run(&mut program(&["sandbox", "--listen", address]));
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let ended = support::shown(&child.wait_with_output().unwrap());
    let beyond = run(&mut program(&["sandbox", "--listen", "0.0.0.0:0"]));
    let mut wrong = program(&["sandbox", "--listen", "127.0.0.1:0"]);
    let wrong = run(wrong.env("CALL_API_SANDBOX_TOKEN", "a b"));
    let shown = [greeting.join("\n"), call, taken, ended, beyond, wrong];
    assert_shown(
        shown.join("---\n"),
        str![[r#"
Listening on http://[HOST] (stop with Ctrl-C)

  call   3c90c3cc-0d44-4b50-8888-8dd25736052a
  token  sandbox-token (set CALL_API_SANDBOX_TOKEN to change it)

In a browser:
  http://[HOST]/_sandbox/      the calls, updated live
  http://[HOST]/_sandbox/docs  the API reference

With curl:
  curl -H "Authorization: Bearer sandbox-token" http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a

With the SDK or the call-api program:
  export CALL_API_BASE_URL=http://[HOST]
  export CALL_API_TOKEN=sandbox-token
  call-api get 3c90c3cc-0d44-4b50-8888-8dd25736052a---
id [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
status [..]dialing
type [..]inbound
contact [..]***ng> (call)
agent [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
phone [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
created [..]2023-11-07 05:31:56 UTC
started [..]2023-11-07 05:31:56 UTC
ended [..]2023-11-07 05:31:56 UTC
duration [..]2m 3s
recording [..]yes
reason [..]<string>
...
---
? 1
error: cannot listen on [HOST]: another program uses this port; stop it, or use a free port: --listen 127.0.0.1:0
---
---
? 3
error: cannot listen on 0.0.0.0:0: other machines could reach it with the default token, which is public; set a token of your own, in CALL_API_SANDBOX_TOKEN
---
? 3
error: the sandbox token has a space or a non-ASCII character; use visible ASCII without spaces, in CALL_API_SANDBOX_TOKEN

"#]],
    );
}

//! `sandbox`: serves the API, and explains why it cannot listen.

#![cfg(all(unix, feature = "sandbox"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use snapbox::str;
use support::{assert_shown, program, run};

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

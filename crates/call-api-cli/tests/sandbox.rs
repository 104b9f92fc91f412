//! `sandbox`: can be asked as it says, and says why where it can't listen.

#![cfg(all(unix, feature = "sandbox"))]
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use snapbox::str;
use support::{assert_shown, program, run};

#[test]
fn the_sandbox_can_be_asked_as_it_says() {
    let mut child = program(&["sandbox", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let greeting: Vec<_> = lines.by_ref().take(5).map(Result::unwrap).collect();
    let mut get = program(&[]);
    for line in &greeting[2..4] {
        let (name, value) = line
            .trim()
            .strip_prefix("export ")
            .unwrap()
            .split_once('=')
            .unwrap();
        get.env(name, value);
    }
    let command: Vec<_> = greeting[4].split_whitespace().collect();
    let got = run(get.args(&command[1..]).args(["-o", "table", "--utc"]));
    let address = greeting[2].rsplit('/').next().unwrap();
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
    let said = [greeting.join("\n"), got, taken, ended, beyond, wrong];
    assert_shown(
        said.join("---\n"),
        str![[r#"
The call API listens on http://[HOST], until Ctrl-C. In another shell:

  export CALL_API_BASE_URL=http://[HOST]
  export CALL_API_TOKEN=sandbox-token
  call-api get 3c90c3cc-0d44-4b50-8888-8dd25736052a---
id         3c90c3cc-0d44-4b50-8888-8dd25736052a
status     dialing
type       inbound
contact    ***ng> (call)
agent      3c90c3cc-0d44-4b50-8888-8dd25736052a
phone      3c90c3cc-0d44-4b50-8888-8dd25736052a
created    2023-11-07 05:31:56 UTC
started    2023-11-07 05:31:56 UTC
ended      2023-11-07 05:31:56 UTC
duration   2m 3s
recording  yes
reason     <string>
---
? 1
error: cannot listen on [HOST]: another program has this port; end it, or take a free one: --listen 127.0.0.1:0
---
---
? 3
error: others could reach 0.0.0.0:0, and everybody knows the default token; give the sandbox a token of your own, in CALL_API_SANDBOX_TOKEN
---
? 3
error: the sandbox's token has a space or a character that is not ASCII; give it another, in CALL_API_SANDBOX_TOKEN

"#]],
    );
}

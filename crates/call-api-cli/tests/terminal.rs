//! The program on a terminal, captured with tmux. Without tmux these tests are skipped with a note.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]
#![cfg(unix)]

mod support;

use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use regex::Regex;
use snapbox::str;
use support::{EXAMPLE, Files, assert_shown, program_for};

/// A terminal of 60 lines that runs a program.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Returns `None` without tmux.
    fn run(name: &str, command: &Command) -> Option<Self> {
        Self::run_in_columns(name, command, 120)
    }

    fn run_in_columns(name: &str, command: &Command, columns: u16) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("SKIPPED: tmux is not installed (apt-get install tmux)");
            return None;
        }
        let socket = std::env::temp_dir().join(format!("call-api-{name}-{}", std::process::id()));
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(&socket).args([
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns.to_string(),
            "-y",
            "60",
        ]);
        tmux.arg("env").arg("-i").arg("TERM=screen-256color");
        for (name, value) in command.get_envs() {
            let pair = format!(
                "{}={}",
                name.to_str().unwrap(),
                value.unwrap().to_str().unwrap()
            );
            tmux.arg(pair);
        }
        // The shell prints the exit code, also after Ctrl-C, and keeps the terminal open.
        tmux.args([
            "/bin/sh",
            "-c",
            r#"trap : INT; "$@"; echo "ended with $?"; exec cat"#,
            "sh",
        ]);
        tmux.arg(command.get_program()).args(command.get_args());
        let output = tmux.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Some(Self { socket })
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the screen; with `-e`, colors as escapes.
    fn shows(&self, arguments: &[&str]) -> String {
        let text = self.tmux(&[&["capture-pane", "-p"], arguments].concat());
        let dates = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").unwrap();
        let text = dates.replace_all(text.trim_end(), "[DATE]");
        // The spinner.
        text.replace(|c| matches!(c, '\u{2800}'..='\u{28ff}'), "*")
    }

    /// Returns the screen once it matches.
    fn until(&self, wanted: &str) -> String {
        let wanted = Regex::new(wanted).unwrap();
        let start = Instant::now();
        loop {
            let text = self.shows(&[]);
            if wanted.is_match(&text) {
                return text;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "no {wanted} in:\n{text}"
            );
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .output();
        let _ = std::fs::remove_file(&self.socket);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_updates_one_line() {
    let sandbox = support::scripted_sandbox().await;
    let command = program_for(&sandbox, &["watch", EXAMPLE, "--every", "100ms", "--utc"]);
    let Some(terminal) = Terminal::run("watch", &command) else {
        return;
    };
    let mut seen = Vec::new();
    for (status, seconds) in [("dialing", 2), ("in_progress", 30), ("ended with", 0)] {
        seen.push(terminal.until(status));
        sandbox.advance(Duration::from_secs(seconds));
    }
    assert_shown(
        seen.join("\n---\n"),
        str![[r#"
* [DATE] UTC  dialing  ***ng>  3c90c3cc-0d44-4b50-8888-8dd25736052a
---
* [DATE] UTC  in_progress  ***ng>  3c90c3cc-0d44-4b50-8888-8dd25736052a
---
[DATE] UTC  completed  ***ng>  30s  completed  3c90c3cc-0d44-4b50-8888-8dd25736052a
ended with 0
"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_shows_progress_and_then_a_summary() {
    let (sandbox, ids) = support::sandbox_with(150).await;
    support::slow(&sandbox, 30);
    let requested = [ids, vec![support::id(404)]].concat();
    let files = Files::new("sync-terminal", &requested, "calls.jsonl");
    let command = files.sync(&sandbox, &["--jobs", "2"]);
    let Some(terminal) = Terminal::run("sync", &command) else {
        return;
    };
    let bar = terminal.until(r"[1-9]\d*/151, ");
    let shape = Regex::new(r"^█*░* \d+/151, \d+/s, \d+s left$").unwrap();
    assert!(shape.is_match(&bar), "{bar}");
    assert_shown(
        terminal.until("ended with"),
        str![[r#"
151 ids: 150 fetched, 1 failed
error: 1 × not_found: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000404 was answered with 404:[..]
...
ended with 4
"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hides_progress() {
    let (sandbox, ids) = support::sandbox_with(30).await;
    support::slow(&sandbox, 30);
    let files = Files::new("quiet-terminal", &ids, "calls.jsonl");
    let command = files.sync(&sandbox, &["--quiet", "--jobs", "2"]);
    let Some(terminal) = Terminal::run("quiet", &command) else {
        return;
    };
    // Nothing is shown before the exit code.
    assert_eq!(terminal.until("."), "ended with 0");
}

/// A terminal shows tables by default, with colors unless they are disabled.
#[tokio::test(flavor = "multi_thread")]
async fn tables_are_the_default_and_colors_can_be_disabled() {
    let sandbox = support::sandbox().await;
    let mut seen = Vec::new();
    let cyan = "\u{1b}[36mdialing";
    for (name, arguments, variables, color) in [
        (
            "color",
            ["get", EXAMPLE, "--utc"].as_slice(),
            [].as_slice(),
            Some(cyan),
        ),
        (
            "variable",
            &["get", EXAMPLE, "--utc"],
            &[("NO_COLOR", "1")],
            None,
        ),
        ("flag", &["get", EXAMPLE, "--utc", "--no-color"], &[], None),
        ("error", &["get", "42"], &[], Some("\u{1b}[31merror:")),
        ("no-color-error", &["get", "42", "--no-color"], &[], None),
        ("doctor", &["doctor"], &[], Some("\u{1b}[32mok")),
    ] {
        let mut command = program_for(&sandbox, arguments);
        command.envs(variables.iter().copied());
        let Some(terminal) = Terminal::run(name, &command) else {
            return;
        };
        seen.push(terminal.until("ended with"));
        let colored = terminal.shows(&["-e"]);
        match color {
            Some(color) => assert!(colored.contains(color), "{name}: {colored}"),
            None => assert!(!colored.contains('\u{1b}'), "{name}: {colored}"),
        }
    }
    assert_shown(
        seen.join("\n---\n"),
        str![[r#"
id [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
status [..]dialing
type [..]inbound
contact [..]***ng> (call)
agent [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
phone [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
created [..][DATE] UTC
started [..][DATE] UTC
ended [..][DATE] UTC
duration [..]2m 3s
recording [..]yes
reason [..]<string>
...
ended with 0
---
id [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
status [..]dialing
type [..]inbound
contact [..]***ng> (call)
agent [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
phone [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
created [..][DATE] UTC
started [..][DATE] UTC
ended [..][DATE] UTC
duration [..]2m 3s
recording [..]yes
reason [..]<string>
...
ended with 0
---
id [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
status [..]dialing
type [..]inbound
contact [..]***ng> (call)
agent [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
phone [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
created [..][DATE] UTC
started [..][DATE] UTC
ended [..][DATE] UTC
duration [..]2m 3s
recording [..]yes
reason [..]<string>
...
ended with 0
---
error: invalid value '42' for '[ID]...': not a valid call id (expected a UUID such as 3c90c3cc-0d44-4b50-8888-8dd2573605
2a); see `call-api get --help`
ended with 2
---
error: invalid value '42' for '[ID]...': not a valid call id (expected a UUID such as 3c90c3cc-0d44-4b50-8888-8dd2573605
2a); see `call-api get --help`
ended with 2
---
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  needs the id of an existing call
clock     ok            within [TIME] s of the service's clock
document  not verified  needs the id of a call
ended with 0
"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn recording_shows_that_it_waits() {
    let sandbox = support::scripted_sandbox().await;
    sandbox.advance(Duration::from_secs(33));
    let file = support::empty_folder("recording-terminal").join("call.wav");
    let arguments = ["recording", EXAMPLE, "-o", file.to_str().unwrap()];
    let Some(terminal) = Terminal::run("recording", &program_for(&sandbox, &arguments)) else {
        return;
    };
    terminal.until("waiting for the recording");
    sandbox.advance(Duration::from_secs(5));
    assert_shown(
        terminal.until("ended with"),
        str![[r#"
[HOME]recording-terminal/call.wav: 234.42 KiB of audio/wav
ended with 0
"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn narrow_terminal_shows_the_status_and_breaks_at_words() {
    let sandbox = support::sandbox().await;
    let mut seen = Vec::new();
    for (name, arguments, columns) in [
        (
            "narrow-list",
            ["get", &support::id(1), EXAMPLE, "--utc"].as_slice(),
            80,
        ),
        ("narrow-doctor", &["doctor", &support::id(404)], 80),
        ("narrow-call", &["get", EXAMPLE, "--utc"], 40),
        (
            "narrow-fields",
            &["get", EXAMPLE, &support::id(1), "--fields", "id,status"],
            40,
        ),
    ] {
        let command = program_for(&sandbox, arguments);
        let Some(terminal) = Terminal::run_in_columns(name, &command, columns) else {
            return;
        };
        seen.push(terminal.until("ended with"));
    }
    let command = program_for(&sandbox, &["config", "show", "--deadline", "9s"]);
    let Some(terminal) = Terminal::run_in_columns("narrow-config", &command, 24) else {
        return;
    };
    let shown = terminal.until("ended with");
    let last = "SETTING  deadline\nVALUE    9s\nSOURCE   --deadline\n";
    assert!(shown.contains(last), "{shown}");
    let command = program_for(&sandbox, &["watch", EXAMPLE, "--utc"]);
    let Some(terminal) = Terminal::run_in_columns("narrow-watch", &command, 40) else {
        return;
    };
    // The ids are broken, and complete.
    let without_space: String = seen[2].split_whitespace().collect();
    assert_eq!(without_space.matches(EXAMPLE).count(), 3, "{}", seen[2]);
    let times = Regex::new(r"\d\d:\d\d:\d\d").unwrap();
    seen.push(
        times
            .replace(&terminal.until("dialing"), "[TIME]")
            .into_owned(),
    );
    assert_shown(
        seen.join("\n---\n"),
        str![[r#"
id [..]00000000-0000-4000-8000-000000000001
status [..]completed
type [..]outbound
contact [..]***456 (call)
agent [..]-
phone [..]-
created [..][DATE] UTC
started [..][DATE] UTC
ended [..][DATE] UTC
duration [..]1h 1s
recording [..]-
reason [..]hung up /u{1b}[31m
...

id [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
status [..]dialing
type [..]inbound
contact [..]***ng> (call)
agent [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
phone [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
created [..][DATE] UTC
started [..][DATE] UTC
ended [..][DATE] UTC
duration [..]2m 3s
recording [..]yes
reason [..]<string>
...
ended with 0
---
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from
                        CALL_API_TOKEN
service   ok            127.0.0.1 responded in [TIME] ms
token     not verified  the response does not show it
clock     ok            within [TIME] s of the service's clock
document  failed        GET
                        http://[HOST]/v1/call/00000000-0000-4000-8000-0
                        00000000404 was answered with 404:[..]
...
ended with 4
---
id [..]3c90c3cc-[..]
...
status [..]dialing
type [..]inbound
contact [..]***ng> (call)
agent [..]3c90c3cc-[..]
...
phone [..]3c90c3cc-[..]
...
duration [..]2m 3s
recording [..]yes
reason [..]<string>
...
ended with 0
---
ID      3c90c3cc-0d44-4b50-8888-8dd25736
        052a
STATUS  dialing

ID      00000000-0000-4000-8000-00000000
        0001
STATUS  completed
ended with 0
---
* [TIME]  dialing  ***ng>  2m 3s  <str
"#]],
    );
}

/// Nothing is left but what the shell prints next.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_a_clean_terminal() {
    let sandbox = support::sandbox().await;
    let mut seen = Vec::new();
    for command in ["watch", "wait"] {
        let command = program_for(&sandbox, &[command, EXAMPLE, "--utc"]);
        let Some(terminal) = Terminal::run("ctrl-c", &command) else {
            return;
        };
        terminal.until("dialing");
        terminal.tmux(&["send-keys", "C-c"]);
        seen.push(terminal.until("ended with"));
    }
    assert_shown(
        seen.join("\n---\n"),
        str![[r#"
ended with 130
---
ended with 130
"#]],
    );
}

//! Other programs that use the output: shells, and `man`.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};

use support::program;

/// Runs a command with input. Returns its output, or `None` with a note if it is not installed.
fn output_of(command: &mut Command, input: &[u8]) -> Option<String> {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!(
            "SKIPPED: {} is not installed",
            command.get_program().display()
        );
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(support::shown(&output))
}

#[test]
fn bash_completes_commands_and_options() {
    let script = program(&["completions", "bash"]).output().unwrap().stdout;
    let requested = "\nCOMP_WORDS=(call-api re); COMP_CWORD=1; _call__api call-api re call-api; echo \"${COMPREPLY[@]}\"\n\
                 COMP_WORDS=(call-api get --sh); COMP_CWORD=2; _call__api call-api --sh get; echo \"${COMPREPLY[@]}\"\n\
                 COMP_WORDS=(call-api request get_c); COMP_CWORD=2; _call__api call-api get_c request; echo \"${COMPREPLY[@]}\"\n\
                 COMP_WORDS=(call-api request get_call --i); COMP_CWORD=3; _call__api call-api --i get_call; echo \"${COMPREPLY[@]}\"\n";
    let input = [script.as_slice(), requested.as_bytes()].concat();
    if let Some(shown) = output_of(Command::new("bash").arg("--norc"), &input) {
        let lines: Vec<&str> = shown.lines().collect();
        let [commands, options, operations, parameters] = lines.as_slice() else {
            panic!("{shown}");
        };
        assert_eq!(
            (*commands, *options, *parameters),
            ("recording request", "--show-numbers", "--id")
        );
        // The document may have more operations that begin so.
        let mut operations = operations.split(' ');
        assert!(operations.clone().any(|name| name == "get_call"), "{shown}");
        assert!(operations.all(|name| name.starts_with("get_c")), "{shown}");
    }
}

#[test]
fn every_shell_has_a_completion_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = program(&["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && script.contains("show-numbers"),
            "{shell}"
        );
    }
}

#[test]
fn manual_has_no_groff_warnings() {
    let page = program(&["man"]).output().unwrap().stdout;
    let mut groff = Command::new("groff");
    groff.args(["-man", "-Tutf8", "-ww", "-z"]);
    if let Some(shown) = output_of(&mut groff, &page) {
        assert_eq!(shown, "");
    }
}

//! What other programs make of what this one prints: shells, and `man`.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};

use support::program;

/// What `command` says to `input`; `None`, said aloud, where it isn't here.
fn told(command: &mut Command, input: &[u8]) -> Option<String> {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!(
            "SKIPPED: there is no {} here",
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
    let asked = "\nCOMP_WORDS=(call-api re); COMP_CWORD=1; _call__api call-api re call-api; echo \"${COMPREPLY[@]}\"\n\
                 COMP_WORDS=(call-api get --sh); COMP_CWORD=2; _call__api call-api --sh get; echo \"${COMPREPLY[@]}\"\n";
    let input = [script.as_slice(), asked.as_bytes()].concat();
    if let Some(said) = told(Command::new("bash").arg("--norc"), &input) {
        assert_eq!(said, "recording\n--show-numbers\n");
    }
}

#[test]
fn each_shell_has_its_script() {
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
fn man_reads_the_manual_without_a_warning() {
    let page = program(&["man"]).output().unwrap().stdout;
    let mut groff = Command::new("groff");
    groff.args(["-man", "-Tutf8", "-ww", "-z"]);
    if let Some(said) = told(&mut groff, &page) {
        assert_eq!(said, "");
    }
}

//! `recording`: the file is complete or absent.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use call_api::CallStatus;
use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox, Script};
use http::StatusCode;
use snapbox::str;
use support::{EXAMPLE, assert_shown, empty_folder, program_for, run};

/// The length of the sandbox's recording: 30 s of 8,000 bytes, and the header.
const LENGTH: u64 = 30 * 8000 + 44;

/// Starts a sandbox with the example call completed and recorded.
async fn recorded() -> Sandbox {
    let sandbox = support::scripted_sandbox().await;
    sandbox.advance(Duration::from_secs(40));
    sandbox
}

fn download(sandbox: &Sandbox, id: &str, out: &Path, more: &[&str]) -> String {
    let arguments = ["recording", id, "-o", out.to_str().unwrap()];
    run(&mut program_for(sandbox, &[&arguments, more].concat()))
}

#[tokio::test(flavor = "multi_thread")]
async fn recording_is_written_to_file_folder_or_standard_output() {
    let sandbox = recorded().await;
    let folder = empty_folder("recording");
    let file = folder.join("call.wav");
    let mut shown = download(&sandbox, EXAMPLE, &file, &[]);
    shown.push_str(&download(&sandbox, EXAMPLE, &folder, &[]));
    shown.push_str(&download(&sandbox, EXAMPLE, &file, &["--quiet", "--force"]));
    let sound = fs::read(&file).unwrap();
    assert_eq!(sound.len() as u64, LENGTH);
    let output = program_for(&sandbox, &["recording", EXAMPLE, "-o", "-"])
        .output()
        .unwrap();
    assert!(output.stdout == sound, "the recordings differ");
    shown.push_str(str::from_utf8(&output.stderr).unwrap());
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    shown.push_str(&names.join(" "));
    assert_shown(
        shown,
        str![[r#"
[HOME]recording/call.wav: 234.42 KiB of audio/wav
[HOME]recording/3c90c3cc-0d44-4b50-8888-8dd25736052a.wav: 234.42 KiB of audio/wav
standard output: 234.42 KiB of audio/wav
3c90c3cc-0d44-4b50-8888-8dd25736052a.wav call.wav
"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_download_is_resumed_by_the_next_run() {
    let sandbox = recorded().await;
    let file = empty_folder("recording-broken").join("call.wav");
    let truncated = FaultRule::new(Fault::Truncated).operation("recording");
    sandbox
        .set_faults(Faults::seeded(1).rule(truncated.clone().times(1)))
        .unwrap();
    let mut shown = download(&sandbox, EXAMPLE, &file, &["--verbose"]);
    assert_eq!(fs::metadata(&file).unwrap().len(), LENGTH);
    fs::remove_file(&file).unwrap();

    let broken =
        FaultRule::new(Fault::status(StatusCode::INTERNAL_SERVER_ERROR)).operation("recording");
    sandbox
        .set_faults(Faults::seeded(1).rule(truncated.times(1)).rule(broken))
        .unwrap();
    shown.push_str(&download(&sandbox, EXAMPLE, &file, &[]));
    assert!(!file.exists(), "a partial file appeared");
    sandbox.set_faults(Faults::default()).unwrap();
    shown.push_str(&download(&sandbox, EXAMPLE, &file, &[]));
    assert_eq!(fs::metadata(&file).unwrap().len(), LENGTH);
    assert_shown(
        shown,
        str![[r#"
GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a: 1 attempt in [TIME] s; it succeeded
  1. success (200) after [TIME] s, [COUNT] bytes
GET http://[HOST]/_sandbox/recordings/3c90c3cc-0d44-4b50-8888-8dd25736052a/30.wav: 2 attempts in [TIME] s; it succeeded
  1. truncated (200) after [TIME] s, [COUNT] bytes; waited [TIME] s
  2. success (206) after [TIME] s, [COUNT] bytes
[HOME]recording-broken/call.wav: 234.42 KiB of audio/wav
? 8
error: GET http://[HOST]/_sandbox/recordings/3c90c3cc-0d44-4b50-8888-8dd25736052a/30.wav was answered with 500: Internal Server Error (3 attempts); run the same command again: it requests the recording's URL again
[HOME]recording-broken/call.wav: 234.42 KiB of audio/wav, resumed after 117.21 KiB

"#]],
    );
}

/// A killed run leaves a partial file, which the next run completes.
#[tokio::test(flavor = "multi_thread")]
async fn killed_download_is_resumed_by_the_next_run() {
    let sandbox = support::scripted_sandbox().await;
    let minutes = Script::new(CallStatus::InProgress)
        .then(Duration::from_secs(600), CallStatus::Completed)
        .recording(Duration::ZERO);
    sandbox.run(Sandbox::example_call(), minutes);
    sandbox.advance(Duration::from_secs(600));
    let folder = empty_folder("recording-killed");
    let (file, part) = (folder.join("call.wav"), folder.join("call.wav.part"));
    // Half of the recording is sent, then nothing.
    let rule = |fault| FaultRule::new(fault).operation("recording");
    let faults = Faults::seeded(1)
        .rule(rule(Fault::Truncated).times(1))
        .rule(rule(Fault::Stall));
    sandbox.set_faults(faults).unwrap();
    let arguments = ["recording", EXAMPLE, "-o", file.to_str().unwrap()];
    let mut child = program_for(&sandbox, &arguments)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while fs::metadata(&part).map_or(0, |part| part.len()) < 2_000_000 {
        let ended = child.try_wait().unwrap();
        assert!(
            ended.is_none(),
            "the program ended before it was killed: {ended:?}"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(part.exists() && !file.exists());

    sandbox.set_faults(Faults::default()).unwrap();
    let shown = download(&sandbox, EXAMPLE, &file, &[]);
    assert!(shown.contains(", resumed after "), "{shown}");
    let whole = program_for(&sandbox, &["recording", EXAMPLE, "-o", "-"])
        .output()
        .unwrap();
    assert!(
        fs::read(&file).unwrap() == whole.stdout,
        "the recordings differ"
    );
    let names = fs::read_dir(&folder).unwrap();
    assert_eq!(names.count(), 1, "another file was left behind");
}

/// Returns true if the command succeeded.
#[cfg(unix)]
fn make(command: &str, arguments: &[&Path], more: &[&str]) -> bool {
    let made = std::process::Command::new(command)
        .args(arguments)
        .args(more)
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success())
}

/// A file renamed onto the path would replace the node or the link.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn devices_pipes_and_links_are_written_through() {
    use std::os::unix::fs::FileTypeExt as _;
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = recorded().await;
    let folder = empty_folder("recording-nodes");
    let reference = folder.join("reference.wav");
    download(&sandbox, EXAMPLE, &reference, &[]);
    let sound = fs::read(&reference).unwrap();
    let mode = fs::metadata(&reference).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others can read the recording");

    let fifo = folder.join("fifo");
    assert!(make("mkfifo", &[&fifo], &[]));
    let path = fifo.clone();
    let reader = std::thread::spawn(move || fs::read(path).unwrap());
    let shown = download(&sandbox, EXAMPLE, &fifo, &[]);
    assert!(shown.contains("fifo: 234.42 KiB"), "{shown}");
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
    assert!(reader.join().unwrap() == sound, "the recordings differ");

    let path = fifo.clone();
    let reader = std::thread::spawn(move || {
        use std::io::Read as _;
        let mut start = [0; 4];
        fs::File::open(path)
            .unwrap()
            .read_exact(&mut start)
            .unwrap();
    });
    let shown = download(&sandbox, EXAMPLE, &fifo, &[]);
    reader.join().unwrap();
    assert!(
        shown.starts_with("? 1\n") && shown.contains("Broken pipe"),
        "{shown}"
    );

    // A null device of our own. It takes privileges to make, and a file system that allows devices to use.
    let null = folder.join("null");
    if make("mknod", &[&null], &["c", "1", "3"]) && fs::write(&null, "").is_ok() {
        let shown = download(&sandbox, EXAMPLE, &null, &[]);
        assert!(shown.contains("null: 234.42 KiB"), "{shown}");
        assert!(fs::metadata(&null).unwrap().file_type().is_char_device());
    } else {
        eprintln!("SKIPPED: cannot make a device here");
    }

    let (target, link) = (folder.join("target.wav"), folder.join("link.wav"));
    fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    download(&sandbox, EXAMPLE, &link, &["--force"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read(&target).unwrap() == sound, "the recordings differ");

    let dangling = folder.join("dangling");
    std::os::unix::fs::symlink(folder.join("nowhere"), &dangling).unwrap();
    let shown = download(&sandbox, EXAMPLE, &dangling, &["--force"]);
    assert!(shown.contains("it is a link to nothing"), "{shown}");

    let turning = folder.join("turning");
    std::os::unix::fs::symlink(&turning, &turning).unwrap();
    let shown = download(&sandbox, EXAMPLE, &turning, &[]);
    assert!(shown.contains("Too many levels"), "{shown}");

    // A link to the pipe that standard output is.
    let descriptor = Path::new("/proc/self/fd/1");
    if descriptor.exists() {
        let arguments = ["recording", EXAMPLE, "-o", descriptor.to_str().unwrap()];
        let output = program_for(&sandbox, &arguments).output().unwrap();
        assert!(output.stdout == sound, "the recordings differ: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_options_are_reported_before_the_first_request() {
    let sandbox = recorded().await;
    let folder = empty_folder("recording-no-folder");
    let mut shown = download(&sandbox, EXAMPLE, &folder.join("none/call.wav"), &[]);
    let file = folder.join("file");
    fs::write(&file, "precious").unwrap();
    let (ids, file) = (folder.join("ids.txt"), file.to_str().unwrap());
    fs::write(&ids, EXAMPLE).unwrap();
    let arguments = ["recording", "--ids", ids.to_str().unwrap(), "-o", file];
    shown.push_str(&run(&mut program_for(&sandbox, &arguments)));
    // Not ignored.
    let call = folder.join("call.wav");
    let failed = ["--failed", folder.to_str().unwrap()];
    for options in [&failed[..], &["--rate", "1"]] {
        shown.push_str(&download(&sandbox, EXAMPLE, &call, options));
    }
    assert_eq!(sandbox.requests().len(), 0);
    assert_shown(
        shown,
        str![[r#"
? 1
error: cannot write [HOME]recording-no-folder/none/call.wav: its folder does not exist; create the folder, or use another file
? 1
error: cannot write [HOME]recording-no-folder/file: it is not a folder; use another folder
? 2
error: --rate, --failed, --skip-invalid and --retry-not-found are for many calls; use --ids FILE
? 2
error: --rate, --failed, --skip-invalid and --retry-not-found are for many calls; use --ids FILE

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_file_is_replaced_only_with_force() {
    let sandbox = recorded().await;
    let folder = empty_folder("recording-existing");
    let (file, named) = (
        folder.join("call.wav"),
        folder.join(format!("{EXAMPLE}.wav")),
    );
    fs::write(&file, "precious").unwrap();
    fs::write(&named, "precious").unwrap();
    let requests = sandbox.requests().len();
    let mut shown = download(&sandbox, EXAMPLE, &file, &[]);
    shown.push_str(&download(&sandbox, EXAMPLE, &folder, &[]));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert_eq!(fs::read(&named).unwrap(), b"precious");
    assert_eq!(sandbox.requests().len(), requests);
    for out in [&file, &folder] {
        shown.push_str(&download(&sandbox, EXAMPLE, out, &["--force"]));
    }
    assert_eq!(fs::metadata(&file).unwrap().len(), LENGTH);
    assert_eq!(fs::metadata(&named).unwrap().len(), LENGTH);
    assert_shown(
        shown,
        str![[r#"
? 1
error: [HOME]recording-existing/call.wav exists; use --force to replace it, or another file
? 1
error: [HOME]recording-existing/3c90c3cc-0d44-4b50-8888-8dd25736052a.wav exists; use --force to replace it, or another file
[HOME]recording-existing/call.wav: 234.42 KiB of audio/wav
[HOME]recording-existing/3c90c3cc-0d44-4b50-8888-8dd25736052a.wav: 234.42 KiB of audio/wav

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_recording_writes_no_file() {
    let sandbox = support::sandbox().await;
    for (number, url) in [
        (4, "<string>"),
        (5, "http://recordings.example/1?key=canary-51c0"),
    ] {
        let mut call = support::ended_as(number);
        call.recording_url = Some(url.to_owned());
        sandbox.put(call);
    }
    let folder = empty_folder("recording-none");
    let file = folder.join("call.wav");
    let mut shown = String::new();
    for (id, out, more) in [
        (support::id(1), &file, [].as_slice()),
        (support::id(1), &file, &["--json-errors"]),
        (EXAMPLE.to_owned(), &file, &["--wait", "0s"]),
        (support::id(4), &file, &[]),
        (support::id(5), &file, &[]),
        (support::id(404), &file, &[]),
    ] {
        shown.push_str(&download(&sandbox, &id, out, more));
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let recorded = recorded().await;
    shown.push_str(&download(
        &recorded,
        EXAMPLE,
        &folder.join("missing/call.wav"),
        &[],
    ));
    assert!(!shown.contains("canary-51c0"));
    assert_shown(
        shown,
        str![[r#"
? 12
error: call 00000000-0000-4000-8000-000000000001 ended (completed) without a recording; nothing was written
? 12
{"error":{"class":"no_recording","exit_code":12,"message":"call 00000000-0000-4000-8000-000000000001 ended (completed) without a recording; nothing was written","id":"00000000-0000-4000-8000-000000000001"}}
? 10
error: call 3c90c3cc-0d44-4b50-8888-8dd25736052a has not ended (status dialing); wait for it with: call-api wait 3c90c3cc-0d44-4b50-8888-8dd25736052a
? 6
error: the recording cannot be downloaded: the call's recording_url is not an absolute URL; ask the service's owner what it means
? 6
error: refused to send GET http://recordings.example/1: it is plain http to another machine, where anyone on the network path could read or change the content; ask the service's owner for recordings over https
? 4
error: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000404 was answered with 404: [..] (1 attempt); check the id, and that the base URL names the right service
? 1
error: cannot write [HOME]recording-none/missing/call.wav: its folder does not exist; create the folder, or use another file

"#]],
    );
}

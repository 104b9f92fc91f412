//! `recording`: a file is there once it is whole, or not at all.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use call_api::CallStatus;
use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox, Script};
use http::StatusCode;
use snapbox::str;
use support::{EXAMPLE, asking, assert_shown, empty_folder, run};

/// The length of the sandbox's recording: 30 s of 8,000 bytes, after a header.
const LENGTH: u64 = 30 * 8000 + 44;

/// The example call, over and recorded.
async fn recorded() -> Sandbox {
    let sandbox = support::dialing().await;
    sandbox.advance(Duration::from_secs(40));
    sandbox
}

fn keep(sandbox: &Sandbox, id: &str, out: &Path, more: &[&str]) -> String {
    let arguments = ["recording", id, "-o", out.to_str().unwrap()];
    run(&mut asking(sandbox, &[&arguments, more].concat()))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_into_a_file_a_folder_or_a_pipe() {
    let sandbox = recorded().await;
    let folder = empty_folder("recording");
    let file = folder.join("call.wav");
    let mut said = keep(&sandbox, EXAMPLE, &file, &[]);
    said.push_str(&keep(&sandbox, EXAMPLE, &folder, &[]));
    said.push_str(&keep(&sandbox, EXAMPLE, &file, &["--quiet"]));
    let sound = fs::read(&file).unwrap();
    assert_eq!(sound.len() as u64, LENGTH);
    let output = asking(&sandbox, &["recording", EXAMPLE, "-o", "-"])
        .output()
        .unwrap();
    assert!(output.stdout == sound, "another recording");
    said.push_str(str::from_utf8(&output.stderr).unwrap());
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    said.push_str(&names.join(" "));
    assert_shown(
        said,
        str![[r#"
[HOME]recording/call.wav: 234.42 KiB of audio/wav
[HOME]recording/3c90c3cc-0d44-4b50-8888-8dd25736052a.wav: 234.42 KiB of audio/wav
standard output: 234.42 KiB of audio/wav
3c90c3cc-0d44-4b50-8888-8dd25736052a.wav call.wav
"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_broke_off_is_gone_on_with_by_the_next_run() {
    let sandbox = recorded().await;
    let file = empty_folder("recording-broken").join("call.wav");
    let truncated = FaultRule::new(Fault::Truncated).operation("recording");
    sandbox
        .set_faults(Faults::seeded(1).rule(truncated.clone().times(1)))
        .unwrap();
    let mut said = keep(&sandbox, EXAMPLE, &file, &["--verbose"]);
    assert_eq!(fs::metadata(&file).unwrap().len(), LENGTH);
    fs::remove_file(&file).unwrap();

    let busy =
        FaultRule::new(Fault::status(StatusCode::SERVICE_UNAVAILABLE)).operation("recording");
    sandbox
        .set_faults(Faults::seeded(1).rule(truncated.times(1)).rule(busy))
        .unwrap();
    said.push_str(&keep(&sandbox, EXAMPLE, &file, &[]));
    assert!(!file.exists(), "a part is taken for the whole");
    sandbox.set_faults(Faults::default()).unwrap();
    said.push_str(&keep(&sandbox, EXAMPLE, &file, &[]));
    assert_eq!(fs::metadata(&file).unwrap().len(), LENGTH);
    assert_shown(
        said,
        str![[r#"
GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a: 1 attempt in [TIME] s; it succeeded
  1. success (200) after [TIME] s, [COUNT] bytes
GET http://[HOST]/recordings/3c90c3cc-0d44-4b50-8888-8dd25736052a/30.wav: 2 attempts in [TIME] s; it succeeded
  1. truncated (200) after [TIME] s, [COUNT] bytes; waited [TIME] s
  2. success (206) after [TIME] s, [COUNT] bytes
[HOME]recording-broken/call.wav: 234.42 KiB of audio/wav
? 8
error: GET http://[HOST]/recordings/3c90c3cc-0d44-4b50-8888-8dd25736052a/30.wav was answered with 503: Service Unavailable (3 attempts); run the same command again: it asks for the recording's URL anew
[HOME]recording-broken/call.wav: 234.42 KiB of audio/wav, gone on with after 117.21 KiB

"#]],
    );
}

/// Killed in the middle, it leaves a part, which is not taken for the whole, and not fetched again either but for its end.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_is_gone_on_with_by_the_next_run() {
    let sandbox = support::dialing().await;
    let minutes = Script::new(CallStatus::InProgress)
        .then(Duration::from_secs(600), CallStatus::Completed)
        .recording(Duration::ZERO);
    sandbox.run(Sandbox::example_call(), minutes);
    sandbox.advance(Duration::from_secs(600));
    let folder = empty_folder("recording-killed");
    let (file, part) = (folder.join("call.wav"), folder.join("call.wav.part"));
    // Half of it comes, and then nothing.
    let rule = |fault| FaultRule::new(fault).operation("recording");
    let faults = Faults::seeded(1)
        .rule(rule(Fault::Truncated).times(1))
        .rule(rule(Fault::Stall));
    sandbox.set_faults(faults).unwrap();
    let arguments = ["recording", EXAMPLE, "-o", file.to_str().unwrap()];
    let mut child = asking(&sandbox, &arguments)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while fs::metadata(&part).map_or(0, |part| part.len()) < 2_000_000 {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended before it was killed: {ended:?}");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(part.exists() && !file.exists());

    sandbox.set_faults(Faults::default()).unwrap();
    let said = keep(&sandbox, EXAMPLE, &file, &[]);
    assert!(said.contains(", gone on with after "), "{said}");
    let whole = asking(&sandbox, &["recording", EXAMPLE, "-o", "-"])
        .output()
        .unwrap();
    assert!(
        fs::read(&file).unwrap() == whole.stdout,
        "another recording"
    );
    let names = fs::read_dir(&folder).unwrap();
    assert_eq!(names.count(), 1, "something is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_none_nothing_is_written() {
    let sandbox = support::sandbox().await;
    let ended = |number, url: &str| {
        let url = format!("\"recording_url\": {url:?},\n    \"start_time\"");
        support::ENDED
            .replace(&support::id(1), &support::id(number))
            .replace("\"start_time\"", &url)
    };
    sandbox.put_json(&ended(4, "<string>")).unwrap();
    sandbox
        .put_json(&ended(5, "http://recordings.example/1?key=canary-51c0"))
        .unwrap();
    let folder = empty_folder("recording-none");
    let file = folder.join("call.wav");
    let mut said = String::new();
    for (id, out, more) in [
        (support::id(1), &file, [].as_slice()),
        (support::id(1), &file, &["--json-errors"]),
        (EXAMPLE.to_owned(), &file, &["--wait", "0s"]),
        (support::id(4), &file, &[]),
        (support::id(5), &file, &[]),
        (support::id(404), &file, &[]),
    ] {
        said.push_str(&keep(&sandbox, &id, out, more));
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let recorded = recorded().await;
    said.push_str(&keep(
        &recorded,
        EXAMPLE,
        &folder.join("missing/call.wav"),
        &[],
    ));
    assert!(!said.contains("canary-51c0"));
    assert_shown(
        said,
        str![[r#"
? 12
error: call 00000000-0000-4000-8000-000000000001 ended (completed) without a recording; nothing was written
? 12
{"error":{"class":"no_recording","exit_code":12,"message":"call 00000000-0000-4000-8000-000000000001 ended (completed) without a recording; nothing was written","id":"00000000-0000-4000-8000-000000000001"}}
? 10
error: call 3c90c3cc-0d44-4b50-8888-8dd25736052a has not ended, its status is dialing; wait for it: call-api wait 3c90c3cc-0d44-4b50-8888-8dd25736052a
? 6
error: the recording can't be fetched: the call's recording_url is no absolute URL; ask the service's owner what it means
? 6
error: refused to send GET http://recordings.example/1: it is plain http to another machine, where anyone on the way could read or change what comes; ask the service's owner for recordings over https
? 4
error: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000404 was answered with 404: Call not found (1 attempt); check the id, and that the base URL names the right service
? 1
error: what GET http://[HOST]/recordings/3c90c3cc-0d44-4b50-8888-8dd25736052a/30.wav brought could not be written: No such file or directory (os error 2); check where it is to go

"#]],
    );
}

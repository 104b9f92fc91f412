//! `recording --ids` and `sync --recordings`: each recording is kept exactly once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use call_api::CallStatus;
use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox, Script};
use http::StatusCode;
use serde_json::Value;
use support::archive::{kill_50_times, recorded, requests_of_recordings, sha256, written};
use support::{Files, ended_as, id};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn archive(sandbox: &Sandbox, files: &Files, folder: &Path, more: &[&str]) -> Command {
    let arguments = [
        "recording",
        "--ids",
        text(&files.ids),
        "--out",
        text(folder),
        "--wait",
        "0s",
    ];
    support::program_for(sandbox, &[&arguments, more].concat())
}

/// Returns the lines of the manifest.
fn manifest(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Checks that each odd call has exactly one file and one line that describes it, and that each even one has a line.
fn assert_whole(folder: &Path, ids: &[String]) {
    let mut lines: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in manifest(folder) {
        if line["outcome"] != "failed" {
            let id = line["id"].as_str().unwrap().to_owned();
            lines.entry(id).or_default().push(line);
        }
    }
    assert_eq!(
        lines.keys().collect::<Vec<_>>(),
        ids.iter().collect::<Vec<_>>()
    );
    let mut files = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        let [line] = &lines[id][..] else {
            panic!("{id} has several lines: {:?}", lines[id]);
        };
        if index % 2 == 1 {
            assert_eq!(line["outcome"], "absent", "{line}");
            continue;
        }
        assert_eq!(line["outcome"], "saved", "{line}");
        let sound = fs::read(folder.join(line["file"].as_str().unwrap())).unwrap();
        assert_eq!(line["size"], sound.len());
        assert_eq!(line["sha256"], sha256(&sound));
        assert!(line["etag"].as_str().unwrap().starts_with('"'), "{line}");
        assert_eq!(line["media_type"], "audio/wav");
        assert!(line["at"].as_str().unwrap().ends_with('Z'));
        files.push(line["file"].as_str().unwrap().to_owned());
    }
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| !name.starts_with("manifest."));
    names.sort();
    assert_eq!(names, files);
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_kept_once_with_a_manifest() {
    let (sandbox, mut ids) = recorded(6).await;
    let files = Files::new("archive", &ids, "unused");
    let folder = files.ids.with_file_name("recordings");
    let output = archive(&sandbox, &files, &folder, &[]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_whole(&folder, &ids);
    assert_eq!(requests_of_recordings(&sandbox), 3);

    // A second run asks for nothing; a file that is gone is downloaded again.
    let before = sandbox.requests().len();
    assert!(
        archive(&sandbox, &files, &folder, &[])
            .output()
            .unwrap()
            .status
            .success()
    );
    assert_eq!(sandbox.requests().len(), before);
    fs::remove_file(folder.join(format!("{}.wav", ids[0]))).unwrap();
    assert!(
        archive(&sandbox, &files, &folder, &[])
            .output()
            .unwrap()
            .status
            .success()
    );
    assert_eq!(requests_of_recordings(&sandbox), 4);

    // Failures are part of the manifest, and are tried again.
    sandbox.run(ended_as(7), Script::new(CallStatus::Dialing));
    ids.push(id(7));
    fs::write(&files.ids, ids.join("\n")).unwrap();
    let output = archive(&sandbox, &files, &folder, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{output:?}");
    let last = manifest(&folder).pop().unwrap();
    assert_eq!(
        (&last["outcome"], &last["error"]),
        (&"failed".into(), &"timeout".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_sync_precede_their_records() {
    let (sandbox, ids) = recorded(4).await;
    let files = Files::new("archive-sync", &ids, "calls.jsonl");
    let folder = files.out.with_file_name("recordings");
    // An earlier run without recordings has two records.
    fs::write(&files.ids, ids[..2].join("\n")).unwrap();
    assert!(files.sync(&sandbox, &[]).output().unwrap().status.success());
    fs::write(&files.ids, ids.join("\n")).unwrap();

    let broken = FaultRule::new(Fault::status(StatusCode::FORBIDDEN)).operation("recording");
    sandbox.set_faults(Faults::seeded(1).rule(broken)).unwrap();
    let arguments = ["--recordings", text(&folder), "--recording-wait", "0s"];
    let output = files.sync(&sandbox, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    // A refused recording does not stop the others, and the call without one has its record.
    assert_eq!(written(&files.out), [&ids[..2], &ids[3..]].concat());

    sandbox.set_faults(Faults::default()).unwrap();
    let output = files.sync(&sandbox, &arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(written(&files.out), ids);
    assert_whole(&folder, &ids);
}

fn lines(path: &Path) -> usize {
    let text = fs::read(path).unwrap_or_default();
    text.iter().filter(|byte| **byte == b'\n').count()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_sync_is_whole_in_the_end() {
    let (sandbox, ids) = recorded(500).await;
    let files = Files::new("killed-sync", &ids, "calls.jsonl");
    kill_50_times(
        &sandbox,
        || lines(&files.out),
        || files.sync(&sandbox, &["--jobs", "4"]),
    );
    assert_eq!(written(&files.out), ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_sync_with_recordings_is_whole_in_the_end() {
    let (sandbox, ids) = recorded(500).await;
    let files = Files::new("killed-both", &ids, "calls.jsonl");
    let folder = files.out.with_file_name("recordings");
    let wait = ["--recording-wait", "0s", "--jobs", "4"];
    let arguments = [&["--recordings", text(&folder)], &wait[..]].concat();
    let manifest = folder.join("manifest.jsonl");
    kill_50_times(
        &sandbox,
        || lines(&manifest),
        || files.sync(&sandbox, &arguments),
    );
    assert_whole(&folder, &ids);
    assert_eq!(written(&files.out), ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_archive_is_whole_in_the_end() {
    let (sandbox, ids) = recorded(500).await;
    let files = Files::new("killed-archive", &ids, "unused");
    let folder = files.ids.with_file_name("recordings");
    let manifest = folder.join("manifest.jsonl");
    kill_50_times(
        &sandbox,
        || lines(&manifest),
        || archive(&sandbox, &files, &folder, &["--jobs", "4"]),
    );
    assert_whole(&folder, &ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_manifest_and_second_run_are_refused() {
    let (sandbox, ids) = recorded(1).await;
    let files = Files::new("archive-refused", &ids, "unused");
    let folder = files.ids.with_file_name("recordings");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("manifest.jsonl");
    fs::write(&path, "{\"precious\": true}").unwrap();
    let output = archive(&sandbox, &files, &folder, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"precious\": true}");

    let held = fs::File::create(&path).unwrap();
    held.lock().unwrap();
    let output = archive(&sandbox, &files, &folder, &[]).output().unwrap();
    assert!(
        str::from_utf8(&output.stderr)
            .unwrap()
            .contains("another run is writing"),
        "{output:?}"
    );
    assert_eq!(sandbox.requests().len(), 0);
}

/// The host of recordings is down for longer than the retries of one download last.
#[tokio::test(flavor = "multi_thread")]
async fn archive_rides_out_an_outage_of_the_recordings() {
    let (sandbox, ids) = recorded(24).await;
    let ids: Vec<_> = ids.into_iter().step_by(2).collect();
    let files = Files::new("archive-outage", &ids, "unused");
    let folder = files.ids.with_file_name("recordings");
    let down = FaultRule::new(Fault::status(StatusCode::NOT_IMPLEMENTED))
        .operation("recording")
        .times(9);
    sandbox.set_faults(Faults::seeded(1).rule(down)).unwrap();
    let output = archive(&sandbox, &files, &folder, &["--jobs", "1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let saved = manifest(&folder).into_iter();
    let saved = saved.filter(|line| line["outcome"] == "saved");
    let saved: Vec<_> = saved.map(|line| line["id"].clone()).collect();
    assert_eq!(saved.len(), ids.len());
}

#[cfg(not(feature = "object-store"))]
#[test]
fn bucket_without_the_feature_is_refused() {
    for command in [
        &["recording", "--ids", "-", "--out", "s3://bucket/prefix"][..],
        &[
            "sync",
            "--ids",
            "-",
            "--out",
            "-",
            "--recordings",
            "gs://bucket",
        ],
    ] {
        let output = support::program(command).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let error = str::from_utf8(&output.stderr).unwrap();
        assert!(error.contains("--features object-store"), "{error}");
    }
}

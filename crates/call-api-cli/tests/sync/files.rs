//! Input and output files.

use std::io::Write as _;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn csv_has_all_properties_and_is_resumed() {
    let (sandbox, ids) = sandbox_with(2).await;
    // Quotes and a line break in the value of every column with free text.
    let mut other = support::ended_as(3);
    other.end_reason = Some("shown \"no,\nnever\"".to_owned());
    sandbox.put(other);
    let files = Files::new("sync-csv", &ids, "calls.csv");
    let mut shown = run(&mut files.sync(&sandbox, &["--jobs", "1"]));
    fs::write(&files.ids, [ids[0].clone(), support::id(3)].join("\n")).unwrap();
    shown.push_str(&run(&mut files.sync(&sandbox, &[])));
    let whole = fs::read_to_string(&files.out).unwrap();
    // Cuts inside quotes, after a line that looks complete.
    let cut = whole
        .rfind('\n')
        .and_then(|end| whole[..end].rfind('\n'))
        .unwrap();
    fs::write(&files.out, &whole[..=cut]).unwrap();
    shown.push_str(&run(&mut files.sync(&sandbox, &[])));
    assert_eq!(fs::read_to_string(&files.out).unwrap(), whole);
    assert_shown(
        shown,
        str![[r#"
summary: ids=2 fetched=2 already_there=0 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0
summary: ids=2 fetched=1 already_there=1 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0
summary: ids=2 fetched=1 already_there=1 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0

"#]],
    );

    let mut records = csv::Reader::from_path(&files.out).unwrap();
    let columns = records.headers().unwrap().clone();
    assert_eq!(columns.get(0), Some("id"));
    let records: Vec<BTreeMap<String, String>> =
        records.deserialize().map(Result::unwrap).collect();
    let ids_written: Vec<_> = records.iter().map(|record| record["id"].clone()).collect();
    assert_eq!(ids_written, [1, 2, 3].map(support::id));
    let column = |name: &str| -> Vec<&str> {
        let values = records.iter().map(|record| record[name].as_str());
        values.collect()
    };
    for (field, _) in Call::PROPERTIES {
        let name = field.trim_end_matches('_');
        assert!(
            *field == "contact" || columns.iter().any(|column| column == name),
            "{name}"
        );
    }
    for (name, value) in [
        ("agent_id", ""),
        ("status", "completed"),
        ("type", "outbound"),
        ("contact_id", "00000000-0000-4000-8000-00000000000c"),
        ("contact_created_date", "2026-01-01T00:00:00Z"),
        ("contact_identifier", "+34600123456"),
        ("contact_type", "call"),
        ("created_date", "2026-01-02T03:04:05Z"),
        ("recording_url", ""),
        ("end_time", "2026-01-02T04:04:07Z"),
        ("duration", "3601"),
    ] {
        assert_eq!(column(name), [value; 3], "{name}");
    }
    let reasons = [
        "hung up \u{1b}[31m",
        "hung up \u{1b}[31m",
        "shown \"no,\nnever\"",
    ];
    assert_eq!(column("end_reason"), reasons);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_input_or_output_is_reported_before_the_first_request() {
    let (sandbox, ids) = sandbox_with(2).await;
    let files = Files::new("sync-wrong", &ids, "calls.jsonl");
    let mut shown = String::new();
    let mut say = |command: &mut Command| shown.push_str(&run(command));
    fs::write(
        &files.ids,
        "00000000-0000-4000-8000-000000000001\n+34600123456\n",
    )
    .unwrap();
    say(&mut files.sync(&sandbox, &[]));
    fs::remove_file(&files.ids).unwrap();
    say(&mut files.sync(&sandbox, &[]));
    fs::write(&files.ids, ids.join("\n")).unwrap();
    fs::write(&files.out, "{\"id\": 1}\n").unwrap();
    say(&mut files.sync(&sandbox, &[]));
    say(&mut files.sync(&sandbox, &["--format", "csv"]));
    assert_eq!(fs::read_to_string(&files.out).unwrap(), "{\"id\": 1}\n");
    fs::remove_file(&files.out).unwrap();
    let held = fs::File::create(&files.out).unwrap();
    held.lock().unwrap();
    say(&mut files.sync(&sandbox, &[]));
    drop(held);
    fs::remove_file(&files.out).unwrap();
    fs::create_dir(&files.out).unwrap();
    say(&mut files.sync(&sandbox, &[]));
    let out = files.out.join("calls.jsonl");
    say(&mut program_for(
        &sandbox,
        &[
            "sync",
            "--ids",
            "-",
            "--token-file",
            "-",
            "--out",
            out.to_str().unwrap(),
        ],
    ));
    say(&mut program_for(&sandbox, &["sync", "--ids", "-"]));
    assert_eq!(sandbox.requests().len(), 0);
    assert_shown(
        shown,
        str![[r#"
? 2
error: [HOME]sync-wrong/ids.txt:2: "+34600123456" is not a valid call id (expected a UUID)
error: cannot use the ids in [HOME]sync-wrong/ids.txt: fix these lines, or skip them with --skip-invalid
? 1
error: cannot read the ids in [HOME]sync-wrong/ids.txt: No such file or directory (os error 2); check that the file exists and is readable
? 1
error: [HOME]sync-wrong/calls.jsonl:1 is not a record that sync wrote as JSON lines; use another file, or the --format of this one
? 1
error: [HOME]sync-wrong/calls.jsonl:1 is not a record that sync wrote as CSV; use another file, or the --format of this one
? 1
error: another run is writing [HOME]sync-wrong/calls.jsonl; wait for it, or use another file (`-` is standard output)
? 1
error: cannot write [HOME]sync-wrong/calls.jsonl: it is not a regular file; use another file (`-` is standard output)
? 2
error: standard input cannot be both the token and other input; use a file for one of them
? 2
error: the following required arguments were not provided: --out <FILE>; see `call-api sync --help`

"#]],
    );
}

/// The last line of a foreign file may lack a line break.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_file_is_left_unchanged() {
    let (sandbox, ids) = sandbox_with(2).await;
    for (name, text) in [
        ("sync-foreign.jsonl", "{\"precious\": true}"),
        ("sync-foreign.csv", "id;precious"),
    ] {
        let files = Files::new(name, &ids, name);
        fs::write(&files.out, text).unwrap();
        let output = files.sync(&sandbox, &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(fs::read_to_string(&files.out).unwrap(), text);
    }
    assert_eq!(sandbox.requests().len(), 0);
    // A partial header is completed.
    let files = Files::new("sync-header", &ids, "calls.csv");
    fs::write(&files.out, "id,agent").unwrap();
    assert!(files.sync(&sandbox, &[]).output().unwrap().status.success());
    assert_eq!(lines(&files.out), 3);
    let text = fs::read_to_string(&files.out).unwrap();
    let (whole, last) = text.trim_end().rsplit_once('\n').unwrap();
    let part = &last[..40];
    fs::write(&files.out, format!("{whole}\n{part}")).unwrap();
    assert!(files.sync(&sandbox, &[]).output().unwrap().status.success());
    assert_eq!(lines(&files.out), 3);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn input_and_output_must_be_regular_files_or_standard_streams() {
    let (sandbox, ids) = sandbox_with(2).await;
    let files = Files::new("sync-nodes", &ids, "calls.jsonl");
    let fifo = support::folder("sync-nodes").join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let fifo = fifo.to_str().unwrap();
    let (input, out) = (files.ids.to_str().unwrap(), files.out.to_str().unwrap());
    let mut shown = String::new();
    for (ids, out) in [(fifo, out), (input, fifo)] {
        let arguments = ["sync", "--ids", ids, "--out", out];
        shown.push_str(&run(&mut program_for(&sandbox, &arguments)));
    }
    assert_eq!(sandbox.requests().len(), 0);

    let arguments = ["sync", "--ids", "-", "--out", "-", "--jobs", "1"];
    let file = fs::File::open(&files.ids).unwrap();
    let output = program_for(&sandbox, &arguments).stdin(file).output();
    let output = output.unwrap();
    let records = str::from_utf8(&output.stdout).unwrap().lines();
    let records = records.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let written: Vec<_> = records.map(|call| property(&call, "id").clone()).collect();
    assert_eq!(written, ids);
    shown.push_str(str::from_utf8(&output.stderr).unwrap());
    assert_shown(
        shown,
        str![[r#"
? 1
error: cannot read the ids in [HOME]sync-nodes/fifo: it is not a regular file; use `-` and redirect it to standard input
? 1
error: cannot write [HOME]sync-nodes/fifo: it is not a regular file; use another file (`-` is standard output)
summary: ids=2 fetched=2 already_there=0 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_lines_are_listed_and_can_be_skipped() {
    let (sandbox, ids) = sandbox_with(1).await;
    let files = Files::new("sync-invalid", &ids, "calls.jsonl");
    let invalid: String = (0..12)
        .map(|number| format!("+3460012345{number}\n"))
        .collect();
    fs::write(&files.ids, format!("\u{feff}{}\r\n{invalid}", ids[0])).unwrap();
    let mut shown = run(&mut files.sync(&sandbox, &[]));
    assert_eq!(sandbox.requests().len(), 0);
    shown.push_str("---\n");
    shown.push_str(&run(&mut files.sync(&sandbox, &["--skip-invalid"])));
    assert_eq!(counts(&files), once(&ids));
    fs::write(&files.ids, "x".repeat(2_000)).unwrap();
    shown.push_str("---\n");
    shown.push_str(&run(&mut files.sync(&sandbox, &["--skip-invalid"])));
    assert_shown(
        shown,
        str![[r#"
? 2
error: [HOME]sync-invalid/ids.txt:2: "+34600123450" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:3: "+34600123451" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:4: "+34600123452" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:5: "+34600123453" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:6: "+34600123454" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:7: "+34600123455" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:8: "+34600123456" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:9: "+34600123457" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:10: "+34600123458" is not a valid call id (expected a UUID)
error: [HOME]sync-invalid/ids.txt:11: "+34600123459" is not a valid call id (expected a UUID)
error: cannot use the ids in [HOME]sync-invalid/ids.txt: fix these lines, or skip them with --skip-invalid
---
warning: [HOME]sync-invalid/ids.txt:2: "+34600123450" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:3: "+34600123451" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:4: "+34600123452" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:5: "+34600123453" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:6: "+34600123454" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:7: "+34600123455" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:8: "+34600123456" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:9: "+34600123457" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:10: "+34600123458" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt:11: "+34600123459" is not a valid call id (expected a UUID); skipped
warning: [HOME]sync-invalid/ids.txt: skipped 12 invalid lines
summary: ids=1 fetched=1 already_there=0 failed=0 not_fetched=0 seconds=[SECONDS] exit_code=0
---
? 2
error: [HOME]sync-invalid/ids.txt:1: longer than [COUNT] bytes; this is not a list of ids

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_ids_are_written_to_a_file() {
    let (sandbox, mut ids) = sandbox_with(2).await;
    ids.push(support::id(404));
    let files = Files::new("sync-failed", &ids, "calls.jsonl");
    let failed = files.out.with_file_name("failed.txt");
    let arguments = ["--failed", failed.to_str().unwrap()];
    run(&mut files.sync(&sandbox, &arguments));
    assert_eq!(
        fs::read_to_string(&failed).unwrap(),
        support::id(404) + "\n"
    );
    fs::write(&files.ids, ids[..2].join("\n")).unwrap();
    run(&mut files.sync(&sandbox, &arguments));
    assert_eq!(fs::read_to_string(&failed).unwrap(), "");
    // It does not replace the list of ids or the calls.
    for path in [&files.ids, &files.out] {
        let before = fs::read(path).unwrap();
        let output = files
            .sync(&sandbox, &["--failed", path.to_str().unwrap()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(fs::read(path).unwrap(), before);
    }
}

/// An existing file is replaced only if an earlier run wrote it, perhaps not to the end.
#[tokio::test(flavor = "multi_thread")]
async fn failed_ids_do_not_replace_another_file() {
    let (sandbox, mut ids) = sandbox_with(1).await;
    ids.push(support::id(404));
    let files = Files::new("sync-failed-other", &ids, "calls.jsonl");
    let failed = files.out.with_file_name("failed.txt");
    let arguments = ["--failed", failed.to_str().unwrap()];
    let (list, folder) = (
        files.ids.to_str().unwrap(),
        files.out.with_file_name("kept"),
    );
    let recordings = ["recording", "--ids", list, "-o", folder.to_str().unwrap()];
    for text in ["precious\n", "# ids\n", "{\"id\": 1}", &"0".repeat(2_000)] {
        fs::write(&failed, text).unwrap();
        let shown = run(&mut files.sync(&sandbox, &arguments));
        let reason = "failed.txt, which is not a list of ids; use another file\n";
        assert!(shown.ends_with(reason), "{shown}");
        let shown = run(&mut program_for(
            &sandbox,
            &[&recordings, &arguments[..]].concat(),
        ));
        assert!(shown.ends_with(reason), "{shown}");
        assert_eq!(fs::read_to_string(&failed).unwrap(), text);
    }
    let shown = run(&mut program_for(
        &sandbox,
        &[&recordings[..], &["--failed", list]].concat(),
    ));
    assert!(shown.contains("would replace the file of --ids"), "{shown}");
    assert_eq!(fs::read_to_string(list).unwrap(), ids.join("\n"));
    assert_eq!(sandbox.requests().len(), 0);

    fs::write(&failed, format!("{}\n0000-", support::id(7))).unwrap();
    run(&mut files.sync(&sandbox, &arguments));
    assert_eq!(
        fs::read_to_string(&failed).unwrap(),
        support::id(404) + "\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_must_be_positive_whole_numbers() {
    let (sandbox, ids) = sandbox_with(1).await;
    let files = Files::new("sync-counts", &ids, "calls.jsonl");
    for option in ["--jobs", "--rate"] {
        for value in ["0", "-1", "1.5", "many", "4294967296"] {
            let shown = run(&mut files.sync(&sandbox, &[option, value]));
            let expected = format!(
                "? 2\nerror: invalid value '{value}' for '{option} <NUMBER>': must be a whole number from 1 to 4294967295; see `call-api sync --help`\n"
            );
            assert_eq!(shown, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_lines_of_standard_input_are_named() {
    let (sandbox, _) = sandbox_with(1).await;
    let mut command = program_for(&sandbox, &["sync", "--ids", "-", "--out", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"x\n").unwrap();
    assert_shown(
        support::shown(&child.wait_with_output().unwrap()),
        str![[r#"
? 2
error: standard input:1: "x" is not a valid call id (expected a UUID)
error: cannot use the ids in standard input: fix these lines, or skip them with --skip-invalid

"#]],
    );
}

//! Faults and outages of the service.

use super::*;

/// A service that is down, or rejects the token, must not get one request per id.
#[tokio::test(flavor = "multi_thread")]
async fn sync_stops_when_the_service_fails() {
    let (sandbox, ids) = sandbox_with(200).await;
    let files = Files::new("sync-stops", &ids, "calls.jsonl");
    let mut shown = run(files
        .sync(&sandbox, &["--jobs", "1"])
        .env("CALL_API_TOKEN", "wrong"));
    assert_eq!(sandbox.requests().len(), 1);
    sandbox
        .set_faults(Faults::seeded(1).rule(Fault::status(StatusCode::NOT_IMPLEMENTED)))
        .unwrap();
    shown.push_str(&run(
        &mut files.sync(&sandbox, &["--jobs", "1", "--give-up-after", "1s"])
    ));
    let retrying = regex::Regex::new("warning: retrying.*\n").unwrap();
    assert!(retrying.is_match(&shown), "{shown}");
    assert_shown(
        retrying.replace_all(&shown, "").into_owned(),
        str![[r#"
? 5
error: 1 × refused: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 was answered with 401: [..] (1 attempt); check the token: it may be wrong, revoked or of another service
interrupted; run the command again to resume
summary: ids=200 fetched=0 already_there=0 failed=1 not_fetched=199 refused=1 seconds=[SECONDS] exit_code=5
? 8
error: 8 × service, the first: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 was answered with 501: Not Implemented (1 attempt); try later
interrupted; run the command again to resume
summary: ids=200 fetched=0 already_there=0 failed=8 not_fetched=192 service=8 seconds=[SECONDS] exit_code=8

"#]],
    );
}

/// The service is down for longer than the retries of one request last.
#[tokio::test(flavor = "multi_thread")]
async fn sync_rides_out_a_restart_of_the_service() {
    let (sandbox, ids) = sandbox_with(30).await;
    let files = Files::new("sync-restart", &ids, "calls.jsonl");
    let down = FaultRule::new(Fault::status(StatusCode::NOT_IMPLEMENTED)).times(20);
    sandbox.set_faults(Faults::seeded(1).rule(down)).unwrap();
    let output = files.sync(&sandbox, &[]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(counts(&files), once(&ids));
    let shown = support::shown(&output);
    assert!(shown.contains("\nsummary: ids=30 fetched=30 "), "{shown}");
}

/// A request that began in an outage fails after another has shown that the service works again.
#[tokio::test(flavor = "multi_thread")]
async fn late_failure_of_an_outage_is_fetched_again() {
    let (sandbox, ids) = sandbox_with(9).await;
    let files = Files::new("sync-late", &ids, "calls.jsonl");
    let fault = || FaultRule::new(Fault::status(StatusCode::NOT_IMPLEMENTED));
    sandbox.set_faults(Faults::seeded(1).rule(fault())).unwrap();
    let mut sync = files.sync(&sandbox, &["--jobs", "2"]);
    let mut sync = sync.stderr(Stdio::piped()).spawn().unwrap();
    let mut shown = BufReader::new(sync.stderr.take().unwrap()).lines();
    assert!(shown.any(|line| line.unwrap().contains("retrying for ")));

    let first = ids[0].parse().unwrap();
    let by = Duration::from_millis(500);
    let late = FaultRule::new(Fault::Latency { by }).id(first);
    let faults = Faults::seeded(1)
        .rule(late)
        .rule(fault().id(first).times(1));
    sandbox.set_faults(faults).unwrap();
    let shown: Vec<_> = shown.map(Result::unwrap).collect();
    assert!(sync.wait().unwrap().success(), "{shown:?}");
    assert_eq!(counts(&files), once(&ids));
}

/// Random faults: every id is fetched in the end.
#[tokio::test(flavor = "multi_thread")]
async fn random_faults_lose_no_call() {
    let (sandbox, ids) = sandbox_with(200).await;
    let rule = |fault, share| FaultRule::new(fault).share(share);
    sandbox
        .set_faults(
            Faults::seeded(7)
                .rule(rule(Fault::status(StatusCode::SERVICE_UNAVAILABLE), 0.1))
                .rule(rule(
                    Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "0"),
                    0.05,
                ))
                .rule(rule(Fault::Reset, 0.05))
                .rule(rule(Fault::Truncated, 0.05)),
        )
        .unwrap();
    let files = Files::new("sync-bad-day", &ids, "calls.jsonl");
    for _ in 0..10 {
        if files.sync(&sandbox, &[]).output().unwrap().status.success() {
            break;
        }
    }
    assert_eq!(counts(&files), once(&ids));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_do_not_exist_are_not_requested_again() {
    let (sandbox, mut ids) = sandbox_with(2).await;
    ids.push(support::id(404));
    let files = Files::new("sync-not-found", &ids, "calls.jsonl");
    run(&mut files.sync(&sandbox, &[]));
    let kept = files.out.with_file_name("calls.jsonl.not-found");
    let known = fs::read_to_string(&kept).unwrap();
    assert!(
        known.ends_with(&format!("\n{}\n", support::id(404))),
        "{known}"
    );

    // An id that a killed run left incomplete counts for nothing.
    fs::write(&kept, format!("{known}0000")).unwrap();
    let before = sandbox.requests().len();
    let failed = files.out.with_file_name("failed.txt");
    let shown = run(&mut files.sync(&sandbox, &["--failed", failed.to_str().unwrap()]));
    assert_eq!(sandbox.requests().len(), before);
    assert_eq!(
        fs::read_to_string(&failed).unwrap(),
        support::id(404) + "\n"
    );
    assert_shown(
        shown,
        str![[r#"
? 4
warning: not requesting what was not found before (1); see [HOME]sync-not-found/calls.jsonl.not-found, or use --retry-not-found
error: 1 × not_found before
summary: ids=3 fetched=0 already_there=2 failed=1 not_fetched=0 not_found=1 seconds=[SECONDS] exit_code=4

"#]],
    );

    // With the option, or at another service, they are requested.
    run(&mut files.sync(&sandbox, &["--retry-not-found"]));
    assert_eq!(sandbox.requests().len(), before + 1);
    fs::write(&kept, known.replace("127.0.0.1", "localhost")).unwrap();
    run(&mut files.sync(&sandbox, &[]));
    assert_eq!(sandbox.requests().len(), before + 2);
}

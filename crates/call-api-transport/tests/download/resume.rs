//! Interrupted downloads, and what is resumed.

use super::*;

/// Interruptions of a body, and the milliseconds until the request for the rest.
fn interruptions() -> Vec<(&'static str, Step, u64)> {
    vec![
        ("reset", Step::Reset, 250),
        ("truncated", Step::Close, 250),
        ("stall", Step::Stall, 30_250),
    ]
}

#[tokio::test]
async fn interrupted_download_is_resumed() {
    for (name, step, passed) in interruptions() {
        let (clock, folder) = (TestClock::default(), Folder::new(name));
        let scripts = vec![
            partial_response(V1, 10, b"0123", step),
            // A service may respond with less than was requested.
            partial_content(V1, 4, 10, b"456"),
            partial_content(V1, 7, 10, b"789"),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.assert_complete(CONTENT);
        let waits = [250, 250].map(Duration::from_millis);
        assert_eq!(clock.waits(), waits, "{name}");
        assert_eq!(
            clock.passed(),
            Duration::from_millis(passed + 250),
            "{name}"
        );
        assert_eq!(downloaded.attempt_log.attempts().len(), 3);
        let requests = server.requests();
        assert!(!requests[0].contains("range"));
        for (request, range) in requests[1..].iter().zip(["bytes=4-", "bytes=7-"]) {
            assert!(
                request.contains(&format!("\r\nrange: {range}\r\n")),
                "{request}"
            );
            assert!(request.contains("\r\nif-range: \"v1\"\r\n"), "{request}");
        }
    }
}

#[tokio::test]
async fn later_run_resumes_an_earlier_one() {
    let (clock, folder) = (TestClock::default(), Folder::new("later"));
    let headers = format!("{V1}content-type: audio/mpeg\r\n");
    let scripts = vec![
        partial_response(&headers, 10, b"0123", Step::Reset),
        partial_content(V1, 4, 10, b"456789"),
    ];
    let server = Server::start(&clock, scripts).await;
    let once = builder(&server.url(), &clock)
        .max_attempts(1)
        .build()
        .unwrap();
    let failed = error(
        folder
            .save(once.download(&RECORDING, &url(&server)).unwrap())
            .await,
    );
    assert!(matches!(
        failed.kind(),
        TransportErrorKind::Interrupted { received: 4, .. }
    ));
    assert!(failed.is_retryable());
    assert_eq!(folder.names(), ["a.part", "a.part-state"]);

    let downloaded = folder
        .save(once.download(&RECORDING, &url(&server)).unwrap())
        .await
        .unwrap();
    folder.assert_complete(CONTENT);
    assert_eq!((downloaded.bytes, downloaded.resumed_from), (10, 4));
    assert_eq!(downloaded.content_type.as_deref(), Some("audio/mpeg"));
    assert!(server.requests()[1].contains("\r\nrange: bytes=4-\r\n"));
}

#[tokio::test]
async fn part_of_other_content_is_not_resumed() {
    let write_part = |folder: &Folder, bytes: &[u8], state: &str| {
        fs::write(folder.part(), bytes).unwrap();
        fs::write(folder.join("a.part-state"), state).unwrap();
    };
    let header = "partial download, form 1\n";
    for (name, bytes, state) in [
        (
            "another identity",
            &b"xxxx"[..],
            "of b\nvalidator \"v1\"\nsynced 4\n",
        ),
        ("no validator", b"xxxx", "of a\nsynced 4\n"),
        ("nothing synced", b"xxxx", "of a\nvalidator \"v1\"\n"),
        (
            "truncated line",
            b"xxxx",
            "of a\nvalidator \"v1\"\nsynced 4",
        ),
        (
            "state of a later version",
            b"xxxx",
            "of a\nvalidator \"v1\"\nnew 1\nsynced 4\n",
        ),
        (
            "fewer bytes on the disk",
            b"xx",
            "of a\nvalidator \"v1\"\nsynced 4\n",
        ),
        (
            "complete content",
            b"xxxx",
            "of a\nvalidator \"v1\"\ntotal 4\nsynced 4\n",
        ),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("another"));
        write_part(&folder, bytes, &format!("{header}{state}"));
        let server = Server::start(&clock, vec![answer(200, V1, CONTENT)]).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap();
        folder.assert_complete(CONTENT);
        assert_eq!(downloaded.resumed_from, 0, "{name}");
        assert!(!server.requests()[0].contains("range"), "{name}");
    }
    // Bytes after the last synced one are discarded.
    let (clock, folder) = (TestClock::default(), Folder::new("another"));
    let state = format!("{header}of a\nvalidator \"v1\"\nsynced 2\nsynced 4\nsync");
    write_part(&folder, b"0123xxxx", &state);
    let server = Server::start(&clock, vec![partial_content(V1, 4, 10, b"456789")]).await;
    let transport = transport(&server, &clock);
    folder
        .save(transport.download(&RECORDING, &url(&server)).unwrap())
        .await
        .unwrap();
    folder.assert_complete(CONTENT);
}

#[tokio::test]
async fn wrong_range_restarts_the_download() {
    let v2 = "etag: \"v2\"\r\n";
    for (name, second) in [
        ("another start", partial_content(V1, 3, 10, b"3456789")),
        (
            "another total length",
            partial_content(V1, 4, 11, b"456789x"),
        ),
        ("another version", partial_content(v2, 4, 10, b"456789")),
        ("no range", answer(206, V1, b"456789")),
        (
            "unknown total length",
            answer(
                206,
                "content-range: bytes 4-9/*\r\netag: \"v2\"\r\n",
                b"456789",
            ),
        ),
        (
            "compressed",
            partial_content(&format!("{V1}content-encoding: gzip\r\n"), 4, 10, b"456789"),
        ),
        ("416", answer(416, "content-range: bytes */10\r\n", b"")),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("wrong"));
        let scripts = vec![
            partial_response(V1, 10, b"0123", Step::Close),
            second,
            answer(200, v2, b"9876543210"),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        let downloaded = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.assert_complete(b"9876543210");
        let outcomes: Vec<_> = downloaded
            .attempt_log
            .attempts()
            .iter()
            .map(|attempt| attempt.outcome)
            .collect();
        let expected = [Outcome::Truncated, Outcome::Malformed, Outcome::Success];
        assert_eq!(outcomes, expected, "{name}");
        assert!(!server.requests()[2].contains("range"), "{name}");
        assert_eq!(clock.waits(), [Duration::from_millis(250)], "{name}");
    }
}

#[tokio::test]
async fn part_longer_than_its_range_is_rejected() {
    let clock = TestClock::default();
    let range = format!("content-range: bytes 4-6/10\r\n{V1}");
    let scripts = vec![
        partial_response(V1, 10, b"0123", Step::Close),
        answer(206, &range, b"456789"),
    ];
    let server = Server::start(&clock, scripts).await;
    let transport = transport(&server, &clock);
    let download = transport.download(&RECORDING, &url(&server)).unwrap();
    let failed = error(download.to_writer(&mut Vec::new()).await);
    assert!(
        failed.to_string().contains("it is another part"),
        "{failed}"
    );
}

#[tokio::test]
async fn complete_response_to_a_range_request_is_accepted() {
    for (name, headers, body) in [
        ("same version", V1, CONTENT),
        ("another version", "etag: \"v2\"\r\n", b"9876543210"),
        ("unknown version", "", b"9876543210"),
        ("same version, shorter", V1, b"01"),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("instead"));
        let scripts = vec![
            partial_response(V1, 10, b"0123", Step::Close),
            answer(200, headers, body),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        folder.assert_complete(body);
    }
}

/// Without a content length, the same version must have the announced length, and at least the length of the part.
#[tokio::test]
async fn length_of_the_same_version_is_enforced() {
    let mut first_chunk = chunked(V1, b"0123");
    first_chunk.truncate(first_chunk.len() - b"0\r\n\r\n".len());
    let first_chunk = vec![Step::Send(first_chunk), Step::Close];
    let known = || partial_response(V1, 10, b"0123", Step::Close);
    for (name, first, second, third, attempts) in [
        (
            "same length",
            known(),
            chunked(V1, CONTENT),
            vec![],
            Some(2),
        ),
        (
            "shorter",
            known(),
            chunked(V1, b"01234"),
            partial_content(V1, 5, 10, b"56789"),
            Some(3),
        ),
        ("longer", known(), chunked(V1, b"0123456789x"), vec![], None),
        (
            "shorter than the part",
            first_chunk,
            chunked(V1, b"01"),
            partial_content(V1, 4, 10, b"456789"),
            Some(3),
        ),
    ] {
        let (clock, folder) = (TestClock::default(), Folder::new("length"));
        let server = Server::start(&clock, vec![first, send(second), third]).await;
        let transport = transport(&server, &clock);
        let result = folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await;
        if let Some(attempts) = attempts {
            let downloaded = result.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(downloaded.attempt_log.attempts().len(), attempts, "{name}");
            folder.assert_complete(CONTENT);
        } else {
            let failed = error(result);
            assert!(
                failed.to_string().contains("it is another part"),
                "{failed}"
            );
            assert_eq!(failed.attempt_log().attempts().len(), 2);
        }
    }
}

#[tokio::test]
async fn download_without_strong_validator_is_restarted() {
    for headers in ["", "etag: W/\"v1\"\r\n"] {
        let (clock, folder) = (TestClock::default(), Folder::new("anew"));
        let scripts = vec![
            partial_response(headers, 10, b"0123", Step::Reset),
            answer(200, headers, CONTENT),
        ];
        let server = Server::start(&clock, scripts).await;
        let transport = transport(&server, &clock);
        folder
            .save(transport.download(&RECORDING, &url(&server)).unwrap())
            .await
            .unwrap();
        folder.assert_complete(CONTENT);
        assert!(!server.requests()[1].contains("range"));
    }
}

#[tokio::test]
async fn dropped_download_is_resumed() {
    let (clock, folder) = (TestClock::default(), Folder::new("dropped"));
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let total = content.len();
    let rest = |first: usize| partial_content(V1, first, total, &content[first..]);
    let server = Server::start(
        &clock,
        vec![partial_response(
            V1,
            total,
            &content[..2_500_000],
            Step::Advance(Duration::ZERO),
        )],
    )
    .await;
    let transport = transport(&server, &clock);
    {
        let download = transport.download(&RECORDING, &url(&server)).unwrap();
        let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
        let download = download.on_progress(move |progress| {
            let _ = sent.send(progress.bytes);
        });
        let mut saving = std::pin::pin!(folder.save(download));
        loop {
            tokio::select! {
                result = &mut saving => panic!("{result:?}"),
                Some(bytes) = received.recv() => if bytes == 2_500_000 { break },
            }
        }
    }
    assert_eq!(folder.names(), ["a.part", "a.part-state"]);
    // The synced bytes are kept, and only the others are requested.
    let state = fs::read_to_string(folder.join("a.part-state")).unwrap();
    let synced: usize = state
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("synced "))
        .unwrap()
        .parse()
        .unwrap();
    assert!((1 << 20..=2_500_000).contains(&synced));
    let server = Server::start(&clock, vec![rest(synced)]).await;
    let downloaded = folder
        .save(transport.download(&RECORDING, &url(&server)).unwrap())
        .await
        .unwrap();
    assert_eq!(downloaded.resumed_from, synced as u64);
    folder.assert_complete(&content);
}

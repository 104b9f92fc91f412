//! Requests without `async`: from a plain thread, from many, and inside a Tokio runtime.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "support/service.rs"]
mod service;
mod support;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use call_api::{CallStatus, Client, ErrorKind, PollSchedule, RequestOptions, Uuid};
use call_api_sandbox::{Sandbox, Script};
use service::{
    ID, SECRET, Server, Step, TestClock, answer, call, faults, found, respond, seconds,
    status_response,
};

/// Held exclusively by the test that counts threads, shared by all others.
static THREADS: RwLock<()> = RwLock::new(());

fn share_threads() -> RwLockReadGuard<'static, ()> {
    THREADS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the runtime that the service runs on.
fn server_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128)
}

fn client_for(url: &str) -> Client {
    let client = call_api::Client::builder().base_url(url).token(SECRET);
    client.build().unwrap()
}

/// Starts a service that follows `scripts`, and returns a client for it on the test's clock.
fn serve(
    runtime: &tokio::runtime::Runtime,
    scripts: Vec<Vec<Step>>,
) -> (Server, TestClock, Client) {
    let clock = TestClock::default();
    let server = runtime.block_on(Server::start(&clock, scripts));
    let client = service::client(&server, &clock);
    (server, clock, client)
}

#[test]
fn blocking_request_honors_its_options() {
    let _guard = share_threads();
    let runtime = server_runtime();
    let scripts = vec![
        answer(503, "", ""),
        status_response("dialing"),
        answer(503, "", ""),
        answer(404, "", ""),
    ];
    let (server, clock, client) = serve(&runtime, scripts);
    assert_eq!(client.get_call(ID).wait().unwrap(), call("dialing"));
    let error = client.get_call(ID).max_attempts(1).wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    let options = RequestOptions::new().attempt_timeout(Duration::from_secs(10));
    let request = client.get_call(ID).options(options);
    let error = request.send_blocking().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(server.requests().len(), 4);
    assert_eq!(clock.waits(), seconds(&[0.25]));

    let (_server, _clock, client) = serve(&runtime, vec![status_response("dialing")]);
    let response = client.get_call(ID).send_blocking().unwrap();
    assert_eq!((response.status, response.value.id), (200, ID));
    let request = client.get_call(ID).deadline(Duration::ZERO);
    let error = request.wait().unwrap_err();
    assert!(
        error.to_string().contains("the deadline is zero"),
        "{error}"
    );
    let response = client.block_on(client.get_call(ID).send());
    assert_eq!(response.unwrap().value.id, ID);
}

#[test]
fn blocking_wait_polls_on_the_clients_clock() {
    let _guard = share_threads();
    let runtime = server_runtime();
    for fault in faults() {
        let name = fault.name;
        let scripts = [
            vec![status_response("dialing")],
            fault.scripts,
            vec![status_response("completed")],
        ]
        .concat();
        let request_count = scripts.len();
        let (server, clock, client) = serve(&runtime, scripts);
        let current = thread::current().id();
        let failures = Arc::new(Mutex::new(0));
        let (statuses, counted) = (Arc::new(Mutex::new(Vec::new())), Arc::clone(&failures));
        let log = Arc::clone(&statuses);
        let wait = client
            .wait_until_ended(ID)
            .deadline(Duration::from_secs(600))
            .poll_schedule(PollSchedule::every(Duration::from_secs(8)))
            .grace(Duration::from_secs(1))
            .options(RequestOptions::new().deadline(Duration::from_secs(40)))
            .on_change(move |change| {
                assert_eq!(thread::current().id(), current);
                log.lock().unwrap().push(change.call.status.clone());
            })
            .on_failure(move |_| *counted.lock().unwrap() += 1);
        assert!(wait.wait().unwrap().is_ended(), "{name}");
        let expected = [CallStatus::Dialing, CallStatus::Completed];
        assert_eq!(*statuses.lock().unwrap(), expected, "{name}");
        assert_eq!(*failures.lock().unwrap(), 1, "{name}");
        let waits = [&[8.0], fault.waits, &[8.0]].concat();
        assert_eq!(clock.waits(), seconds(&waits), "{name}");
        assert_eq!(server.requests().len(), request_count, "{name}");
    }
}

#[test]
fn blocking_faults_match_async_faults() {
    let _guard = share_threads();
    let runtime = server_runtime();
    let folder = support::empty_folder("blocking-faults");
    for fault in faults() {
        let name = fault.name;
        let (server, clock, client) = serve(&runtime, fault.scripts.clone());
        let error = client.get_call(ID).wait().unwrap_err();
        assert_eq!(error.kind(), fault.kind, "{name}");
        assert_eq!(clock.waits(), seconds(fault.waits), "{name}");
        assert_eq!(server.requests().len(), fault.scripts.len(), "{name}");

        let scripts = [fault.scripts.clone(), vec![status_response("dialing")]].concat();
        let (server, _clock, client) = serve(&runtime, scripts);
        let calls = client.get_calls([id(1), ID]).concurrency(1);
        let results: Vec<_> = client
            .block_on_stream(calls)
            .unwrap()
            .map(|(id, result)| (id, result.map_err(|error| error.kind()).err()))
            .collect();
        // The throttle delays a request that got a 429, and repeats it until the deadline.
        let (first, repeats) = match name {
            // The last response is meant for the other id.
            "429" => (Some(call_api::ErrorKind::UnexpectedId), 1),
            _ => (Some(fault.kind), 0),
        };
        assert_eq!(results, [(id(1), first), (ID, None)], "{name}");
        let requests = fault.scripts.len() + 1 + repeats;
        assert_eq!(server.requests().len(), requests, "{name}");

        if name == "stall in the body" {
            // The script cannot know when the file is open and the download starts to wait for the body.
            continue;
        }
        let scripts = [fault.scripts, vec![answer(200, "", "audio")]].concat();
        let (_server, clock, client) = serve(&runtime, scripts);
        let mut ended = call("completed");
        ended.recording_url = Some(format!("{}/audio", client.transport().base_url()));
        let file = folder.join(name);
        let error = client
            .recording(&ended)
            .to_file_blocking(&file)
            .unwrap_err();
        assert_eq!(error.kind(), fault.kind, "{name}");
        assert_eq!(clock.waits(), seconds(fault.waits), "{name}");
        // A download that cannot be resumed leaves no file.
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{name}");
        let recording = client.recording(&ended).to_file_blocking(&file).unwrap();
        assert!(recording.saved().is_some(), "{name}");
        assert_eq!(std::fs::read(&file).unwrap(), b"audio", "{name}");
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn block_on_stream_iterates_over_changes_and_calls() {
    let _guard = share_threads();
    let runtime = server_runtime();
    let scripts = vec![
        status_response("dialing"),
        status_response("in_progress"),
        answer(404, "", ""),
    ];
    let (server, clock, client) = serve(&runtime, scripts);
    let wait = client.wait_until_ended(ID).last_seen(call("completed"));
    let seen: Vec<_> = client
        .block_on_stream(wait.updates())
        .unwrap()
        .map(|change| match change {
            Ok(change) => change.call.status.to_string(),
            Err(error) => format!("{:?}", error.kind()),
        })
        .collect();
    assert_eq!(seen, ["dialing", "in_progress", "NotFound"]);
    assert_eq!(clock.waits(), seconds(&[1.0, 5.0]));
    // No request is sent until the next item is requested.
    let updates = client.wait_until_ended(ID).updates();
    let mut updates = client.block_on_stream(updates).unwrap();
    assert!(updates.next().unwrap().is_err());
    drop(updates);
    assert_eq!(server.requests().len(), 4);

    let url = runtime.block_on(respond(|id| async move { found(id) }));
    let client = client_for(&url);
    let ids: Vec<_> = (0..300).map(|number| id(number / 2)).collect();
    let calls = client.get_calls(&ids).concurrency(20).dedup_window(7);
    let calls = client.block_on_stream(calls).unwrap();
    let got: Vec<_> = calls.map(|(id, call)| (id, call.unwrap().id)).collect();
    let expected: Vec<_> = (0..150).map(|number| (id(number), id(number))).collect();
    assert_eq!(got, expected);
    let once = RequestOptions::new().max_attempts(1);
    let endless = client.get_calls((0..).map(id)).options(once).unordered();
    let mut endless = client.block_on_stream(endless).unwrap();
    assert!(endless.next().unwrap().1.is_ok());
}

#[test]
fn clones_send_from_several_threads() {
    let _guard = share_threads();
    let runtime = server_runtime();
    let barrier = Arc::new(tokio::sync::Barrier::new(8));
    // Each response waits until all requests have arrived.
    let url = runtime.block_on(respond(move |id| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            found(id)
        }
    }));
    let client = client_for(&url);
    thread::scope(|scope| {
        for number in 0..8 {
            let (clone, shared) = (client.clone(), &client);
            scope.spawn(move || {
                let client = if number % 2 == 0 { &clone } else { shared };
                assert_eq!(client.get_call(id(number)).wait().unwrap().id, id(number));
            });
        }
    });
}

/// Reads enough ready results to use up Tokio's cooperative budget of a task.
fn exhaust_task_budget(url: &str) {
    let client = client_for(url);
    let calls = client.get_calls((0..600).map(id)).concurrency(50);
    let calls = client.block_on_stream(calls).unwrap();
    assert_eq!(calls.filter(|(_, call)| call.is_ok()).count(), 600);
    assert!(client.get_call(ID).wait().is_ok());
}

#[test]
fn blocking_requests_inside_a_runtime_complete() {
    let _guard = share_threads();
    let runtime = server_runtime();
    let url = runtime.block_on(respond(|id| async move { found(id) }));
    let current = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // In the runtime's main future, in a task, in `spawn_blocking`, and in a runtime without timers.
    current.block_on(async {
        exhaust_task_budget(&url);
        let url = url.clone();
        let task = tokio::spawn(async move { exhaust_task_budget(&url) });
        task.await.unwrap();
    });
    let multi_thread = server_runtime();
    multi_thread.block_on(async {
        let in_task = url.clone();
        let task = tokio::spawn(async move { exhaust_task_budget(&in_task) });
        task.await.unwrap();
        let url = url.clone();
        let task = tokio::task::spawn_blocking(move || exhaust_task_budget(&url));
        task.await.unwrap();
    });
    let bare = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    bare.block_on(async { exhaust_task_budget(&url) });
}

#[test]
fn panic_in_callback_reaches_the_caller() {
    let _guard = share_threads();
    let runtime = server_runtime();
    let (_server, _clock, client) = serve(&runtime, vec![status_response("dialing")]);
    let wait = client
        .wait_until_ended(ID)
        .on_change(|_| panic!("in the callback"));
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| wait.wait())).unwrap_err();
    assert_eq!(*panic.downcast::<&str>().unwrap(), "in the callback");
    assert!(client.get_call(ID).wait().is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn thread_ends_when_last_clone_is_dropped() {
    let _guard = THREADS.write().unwrap_or_else(PoisonError::into_inner);
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
        // A thread that has just ended has no name.
        let names = names.filter_map(Result::ok);
        names.filter(|name| name.trim() == "call-api").count()
    };
    let wait_for_end = |left: usize| {
        while threads() > left {
            thread::yield_now();
        }
        assert_eq!(threads(), left);
    };
    // Threads of earlier tests end on their own.
    wait_for_end(0);
    let runtime = server_runtime();
    let url = runtime.block_on(respond(|id| async move { found(id) }));
    let client = client_for(&url);
    let clone = client.clone();
    assert!(client.get_call(ID).wait().is_ok());
    assert_eq!(threads(), 1);
    drop(client);
    let calls = clone.get_calls((0..).map(id));
    let calls = clone.block_on_stream(calls).unwrap();
    drop(clone);
    assert_eq!(threads(), 1);
    // The stream keeps the thread alive.
    let mut calls = calls;
    assert!(calls.next().unwrap().1.is_ok());
    runtime.block_on(async { drop(calls) });
    wait_for_end(0);
}

#[test]
fn blocking_recording_is_saved_to_writer_and_folder() {
    let _guard = share_threads();
    let runtime = server_runtime();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    sandbox.run(Sandbox::example_call(), Script::completed());
    sandbox.advance(Duration::from_secs(60));
    let builder = call_api::Client::builder().base_url(sandbox.base_url());
    let client = builder.token(sandbox.token()).build().unwrap();
    let call = client.get_call(Sandbox::EXAMPLE_ID).wait().unwrap();

    let mut audio = Vec::new();
    let mut progress_bytes = 0;
    let request = client.recording(&call).ready_timeout(Duration::ZERO);
    let request = request.on_progress(|progress| progress_bytes = progress.bytes);
    let recording = request.to_writer_blocking(&mut audio).unwrap();
    assert!(audio.starts_with(b"RIFF"));
    let length = audio.len() as u64;
    assert_eq!(recording.saved().map(|saved| saved.bytes), Some(length));
    assert_eq!(progress_bytes, length);

    let folder = support::empty_folder("blocking");
    let recording = client.recording(&call).to_folder_blocking(&folder).unwrap();
    let path = recording.saved().and_then(|saved| saved.path).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), audio);

    let limited = client.recording(&call).size_limit(10);
    let error = limited.to_folder_blocking(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
}

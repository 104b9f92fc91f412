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
    ID, SECRET, Server, Step, TestClock, answer, call, faults, found, respond, says, seconds,
};

/// One test counts threads while no other has any.
static THREADS: RwLock<()> = RwLock::new(());

fn beside_others() -> RwLockReadGuard<'static, ()> {
    THREADS.read().unwrap_or_else(PoisonError::into_inner)
}

/// What the service runs on.
fn elsewhere() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128)
}

fn client_of(url: &str) -> Client {
    let client = call_api::Client::builder().base_url(url).token(SECRET);
    client.build().unwrap()
}

/// A client, on the test's clock, of a service that answers so.
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
fn a_call_is_fetched_with_settings_of_its_own_and_with_its_ledger() {
    let _beside = beside_others();
    let runtime = elsewhere();
    let scripts = vec![
        answer(503, "", ""),
        says("dialing"),
        answer(503, "", ""),
        answer(404, "", ""),
    ];
    let (server, clock, client) = serve(&runtime, scripts);
    assert_eq!(client.get_call(ID).wait().unwrap(), call("dialing"));
    let error = client.get_call(ID).max_attempts(1).wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    let patient = RequestOptions::new().attempt_timeout(Duration::from_secs(10));
    let request = client.get_call(ID).options(patient);
    let error = request.send_blocking().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(server.requests().len(), 4);
    assert_eq!(clock.waits(), seconds(&[0.25]));

    let (_server, _clock, client) = serve(&runtime, vec![says("dialing")]);
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
fn the_end_of_a_call_is_waited_for_on_the_same_clock() {
    let _beside = beside_others();
    let runtime = elsewhere();
    for fault in faults() {
        let name = fault.name;
        let scripts = [
            vec![says("dialing")],
            fault.scripts,
            vec![says("completed")],
        ]
        .concat();
        let asked = scripts.len();
        let (server, clock, client) = serve(&runtime, scripts);
        let here = thread::current().id();
        let failures = Arc::new(Mutex::new(0));
        let (told, counted) = (Arc::new(Mutex::new(Vec::new())), Arc::clone(&failures));
        let teller = Arc::clone(&told);
        let wait = client
            .wait_until_ended(ID)
            .deadline(Duration::from_secs(600))
            .poll_schedule(PollSchedule::every(Duration::from_secs(8)))
            .grace(Duration::from_secs(1))
            .options(RequestOptions::new().deadline(Duration::from_secs(40)))
            .on_change(move |change| {
                assert_eq!(thread::current().id(), here);
                teller.lock().unwrap().push(change.call.status.clone());
            })
            .on_failure(move |_| *counted.lock().unwrap() += 1);
        assert!(wait.wait().unwrap().is_ended(), "{name}");
        let seen = [CallStatus::Dialing, CallStatus::Completed];
        assert_eq!(*told.lock().unwrap(), seen, "{name}");
        assert_eq!(*failures.lock().unwrap(), 1, "{name}");
        let waits = [&[8.0], fault.waits, &[8.0]].concat();
        assert_eq!(clock.waits(), seconds(&waits), "{name}");
        assert_eq!(server.requests().len(), asked, "{name}");
    }
}

#[test]
fn what_goes_wrong_on_the_way_is_the_same_without_async() {
    let _beside = beside_others();
    let runtime = elsewhere();
    let folder = support::empty_folder("blocking-faults");
    for fault in faults() {
        let name = fault.name;
        let (server, clock, client) = serve(&runtime, fault.scripts.clone());
        let error = client.get_call(ID).wait().unwrap_err();
        assert_eq!(error.kind(), fault.kind, "{name}");
        assert_eq!(clock.waits(), seconds(fault.waits), "{name}");
        assert_eq!(server.requests().len(), fault.scripts.len(), "{name}");

        let scripts = [fault.scripts.clone(), vec![says("dialing")]].concat();
        let (server, _clock, client) = serve(&runtime, scripts);
        let calls = client.get_calls([id(1), ID]).concurrency(1);
        let results: Vec<_> = client
            .block_on_stream(calls)
            .unwrap()
            .map(|(id, result)| (id, result.map_err(|error| error.kind()).err()))
            .collect();
        // The throttle paces what is refused with 429: it is requested again until its deadline.
        let (first, again) = match name {
            "429" => (None, 1),
            _ => (Some(fault.kind), 0),
        };
        assert_eq!(results, [(id(1), first), (ID, None)], "{name}");
        let requests = fault.scripts.len() + 1 + again;
        assert_eq!(server.requests().len(), requests, "{name}");

        if name == "stall in the body" {
            // The script can't know when a file is ready for the body, and the download begins to wait for it.
            continue;
        }
        let scripts = [fault.scripts, vec![answer(200, "", "sound")]].concat();
        let (_server, clock, client) = serve(&runtime, scripts);
        let mut recorded = call("completed");
        recorded.recording_url = Some(format!("{}/sound", client.transport().base_url()));
        let file = folder.join(name);
        let error = client
            .recording(&recorded)
            .to_file_blocking(&file)
            .unwrap_err();
        assert_eq!(error.kind(), fault.kind, "{name}");
        assert_eq!(clock.waits(), seconds(fault.waits), "{name}");
        // Nothing is left of what can't be gone on with.
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{name}");
        let recording = client.recording(&recorded).to_file_blocking(&file).unwrap();
        assert!(recording.saved().is_some(), "{name}");
        assert_eq!(std::fs::read(&file).unwrap(), b"sound", "{name}");
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn changes_and_many_calls_are_iterators() {
    let _beside = beside_others();
    let runtime = elsewhere();
    let scripts = vec![says("dialing"), says("in_progress"), answer(404, "", "")];
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
    // Not asked for, nothing is sent.
    let updates = client.wait_until_ended(ID).updates();
    let mut updates = client.block_on_stream(updates).unwrap();
    assert!(updates.next().unwrap().is_err());
    drop(updates);
    assert_eq!(server.requests().len(), 4);

    let url = runtime.block_on(respond(|id| async move { found(id) }));
    let client = client_of(&url);
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
fn clones_serve_many_threads_at_once() {
    let _beside = beside_others();
    let runtime = elsewhere();
    let barrier = Arc::new(tokio::sync::Barrier::new(8));
    // Nobody is answered before all have asked.
    let url = runtime.block_on(respond(move |id| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            found(id)
        }
    }));
    let client = client_of(&url);
    thread::scope(|scope| {
        for number in 0..8 {
            let (mine, theirs) = (client.clone(), &client);
            scope.spawn(move || {
                let client = if number % 2 == 0 { &mine } else { theirs };
                assert_eq!(client.get_call(id(number)).wait().unwrap().id, id(number));
            });
        }
    });
}

/// Enough results that are at hand to spend the budget that Tokio gives each task.
fn use_up_a_task_s_budget(url: &str) {
    let client = client_of(url);
    let calls = client.get_calls((0..600).map(id)).concurrency(50);
    let calls = client.block_on_stream(calls).unwrap();
    assert_eq!(calls.filter(|(_, call)| call.is_ok()).count(), 600);
    assert!(client.get_call(ID).wait().is_ok());
}

#[test]
fn inside_of_a_runtime_it_works_and_ends() {
    let _beside = beside_others();
    let runtime = elsewhere();
    let url = runtime.block_on(respond(|id| async move { found(id) }));
    let current = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // In the runtime's own future, in a task, where blocking is foreseen, and in one without timers.
    current.block_on(async {
        use_up_a_task_s_budget(&url);
        let url = url.clone();
        let task = tokio::spawn(async move { use_up_a_task_s_budget(&url) });
        task.await.unwrap();
    });
    let several = elsewhere();
    several.block_on(async {
        let in_task = url.clone();
        let task = tokio::spawn(async move { use_up_a_task_s_budget(&in_task) });
        task.await.unwrap();
        let url = url.clone();
        let task = tokio::task::spawn_blocking(move || use_up_a_task_s_budget(&url));
        task.await.unwrap();
    });
    let bare = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    bare.block_on(async { use_up_a_task_s_budget(&url) });
}

#[test]
fn a_panic_in_a_callback_comes_out_where_it_was_waited_for() {
    let _beside = beside_others();
    let runtime = elsewhere();
    let (_server, _clock, client) = serve(&runtime, vec![says("dialing")]);
    let wait = client.wait_until_ended(ID).on_change(|_| panic!("as told"));
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| wait.wait())).unwrap_err();
    assert_eq!(*panic.downcast::<&str>().unwrap(), "as told");
    assert!(client.get_call(ID).wait().is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn its_thread_ends_with_the_last_clone_wherever_that_is_dropped() {
    let _alone = THREADS.write().unwrap_or_else(PoisonError::into_inner);
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
        // One that has just ended has no name any more.
        let names = names.filter_map(Result::ok);
        names.filter(|name| name.trim() == "call-api").count()
    };
    let ends = |left: usize| {
        while threads() > left {
            thread::yield_now();
        }
        assert_eq!(threads(), left);
    };
    // Those of tests before, which end by themselves.
    ends(0);
    let runtime = elsewhere();
    let url = runtime.block_on(respond(|id| async move { found(id) }));
    let client = client_of(&url);
    let clone = client.clone();
    assert!(client.get_call(ID).wait().is_ok());
    assert_eq!(threads(), 1);
    drop(client);
    let calls = clone.get_calls((0..).map(id));
    let calls = clone.block_on_stream(calls).unwrap();
    drop(clone);
    assert_eq!(threads(), 1);
    // What is under way keeps it, and lets it go.
    let mut calls = calls;
    assert!(calls.next().unwrap().1.is_ok());
    runtime.block_on(async { drop(calls) });
    ends(0);
}

#[test]
fn a_recording_goes_into_a_writer_and_into_a_folder() {
    let _beside = beside_others();
    let runtime = elsewhere();
    let sandbox = runtime.block_on(Sandbox::start()).unwrap();
    sandbox.run(Sandbox::example_call(), Script::completed());
    sandbox.advance(Duration::from_secs(60));
    let builder = call_api::Client::builder().base_url(sandbox.base_url());
    let client = builder.token(sandbox.token()).build().unwrap();
    let call = client.get_call(Sandbox::EXAMPLE_ID).wait().unwrap();

    let mut sound = Vec::new();
    let mut told = 0;
    let request = client.recording(&call).ready_timeout(Duration::ZERO);
    let request = request.on_progress(|progress| told = progress.bytes);
    let recording = request.to_writer_blocking(&mut sound).unwrap();
    assert!(sound.starts_with(b"RIFF"));
    let length = sound.len() as u64;
    assert_eq!(recording.saved().map(|saved| saved.bytes), Some(length));
    assert_eq!(told, length);

    let folder = support::empty_folder("blocking");
    let recording = client.recording(&call).to_folder_blocking(&folder).unwrap();
    let path = recording.saved().and_then(|saved| saved.path).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), sound);

    let limited = client.recording(&call).size_limit(10);
    let error = limited.to_folder_blocking(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
}

//! Archives: recorded calls, kills, and what is left.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use call_api::CallStatus;
use call_api_sandbox::{Clock, Fault, FaultRule, Faults, Sandbox, Script};
use http::StatusCode;
use serde_json::Value;

use super::{ended_as, id, property};

/// Returns a sandbox whose calls have ended after a second, with a recording if the number is odd.
pub(crate) async fn recorded(calls: u32) -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::builder()
        .clock(Clock::manual())
        .start()
        .await
        .unwrap();
    for number in 1..=calls {
        let script =
            Script::new(CallStatus::InProgress).then(Duration::from_secs(1), CallStatus::Completed);
        let script = match number % 2 {
            1 => script.recording(Duration::ZERO),
            _ => script,
        };
        sandbox.run(ended_as(number), script);
    }
    sandbox.advance(Duration::from_secs(24 * 60 * 60));
    (sandbox, (1..=calls).map(id).collect())
}

/// Returns the SHA-256 of some bytes in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = hmac_sha256::Hash::hash(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn requests_of_recordings(sandbox: &Sandbox) -> usize {
    let requests = sandbox.requests();
    requests
        .iter()
        .filter(|request| request.path.contains("/recordings/"))
        .count()
}

/// Kills the program at 50 moments, with faults on, and then runs it to the end without. `done` counts what it has done.
pub(crate) fn kill_50_times(
    sandbox: &Sandbox,
    done: impl Fn() -> usize,
    program: impl Fn() -> Command,
) {
    let rule = |fault, share| FaultRule::new(fault).share(share);
    let by = Duration::from_millis(20);
    let faults = Faults::seeded(3)
        .rule(rule(Fault::Latency { by }, 0.5))
        .rule(rule(Fault::status(StatusCode::SERVICE_UNAVAILABLE), 0.05))
        .rule(rule(Fault::Truncated, 0.05))
        .rule(rule(Fault::Reset, 0.05));
    sandbox.set_faults(faults).unwrap();
    for run in 0..50 {
        let goal = done() + 1 + run % 3;
        let mut child = program().stderr(Stdio::null()).spawn().unwrap();
        while done() < goal {
            assert!(child.try_wait().unwrap().is_none(), "it ended early");
            std::thread::yield_now();
        }
        // At any moment of the next requests.
        std::thread::sleep(Duration::from_micros((run as u64 * 7_919) % 20_000));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    sandbox.set_faults(Faults::default()).unwrap();
    let before = done();
    let output = program().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(
        done() > before,
        "the kills came too late to interrupt anything"
    );
}

/// Returns the ids of the records, sorted.
pub(crate) fn written(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let calls = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ids = calls.map(|call| property(&call, "id").as_str().unwrap().to_owned());
    let mut ids: Vec<_> = ids.collect();
    ids.sort();
    ids
}

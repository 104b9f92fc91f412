//! Requests without `async`: fetches a call, fetches several, and waits for one to end.
//!
//! `cargo run --example blocking --features blocking` starts the sandbox, a local server for the API. With
//! `CALL_API_BASE_URL` and `CALL_API_TOKEN` set, it uses that service; the arguments are then ids of calls.

mod service;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use call_api::{CallStatus, Uuid};
use call_api_sandbox::Sandbox;
use service::{Service, call_id, print_next};

fn main() -> ExitCode {
    service::exit(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    // Only the sandbox needs this runtime; the client starts its own.
    let runtime = tokio::runtime::Runtime::new()?;
    let service = runtime.block_on(Service::find())?;
    let client = &service.client;
    let mut ids = std::env::args()
        .skip(1)
        .map(|id| call_id(&id))
        .collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        if service.sandbox.is_none() {
            return Err("no call ids: give them as arguments".into());
        }
        ids = vec![Sandbox::EXAMPLE_ID, Uuid::nil()];
    }

    let response = client.get_call(ids[0]).send_blocking()?;
    let attempts = response.attempt_log.attempts().len();
    println!(
        "Fetched call {} in {attempts} attempt(s): {}.",
        ids[0], response.value.status
    );

    println!("Fetching {} calls, eight at a time:", ids.len());
    for (id, result) in client.block_on_stream(client.get_calls(&ids))? {
        match result {
            Ok(call) => println!("  {id}  {}", call.status),
            Err(error) => println!("  {id}  {}", error.kind()),
        }
    }

    println!("Waiting for the first call to end:");
    let wait = client
        .wait_until_ended(ids[0])
        .deadline(Duration::from_secs(15 * 60));
    for change in client.block_on_stream(wait.updates())? {
        let mut call = change?.call;
        println!("  {}", call.status);
        if let Some(sandbox) = &service.sandbox {
            // Stands for the service.
            call.status = CallStatus::Completed;
            sandbox.put(call);
        }
    }
    print_next(
        &service,
        "To use calls of a real service",
        "cargo run --example blocking --features blocking -- ID ID",
    );
    Ok(())
}

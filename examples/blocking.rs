//! Requests without `async`, in a plain `main`: one call, several, and a wait for an end.
//!
//! `cargo run --example blocking --features blocking` needs nothing else: it starts the sandbox, which is the API on
//! this machine. With `CALL_API_BASE_URL` and `CALL_API_TOKEN` set it asks that service instead; the ids of the calls are
//! then the arguments.

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
    // For the sandbox alone: the client starts its own.
    let runtime = tokio::runtime::Runtime::new()?;
    let service = runtime.block_on(Service::find())?;
    let client = &service.client;
    let mut ids = std::env::args()
        .skip(1)
        .map(|id| call_id(&id))
        .collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        if service.sandbox.is_none() {
            return Err("give the ids of calls as the arguments".into());
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

    println!("Waiting for the end of the first:");
    let wait = client
        .wait_until_ended(ids[0])
        .deadline(Duration::from_secs(15 * 60));
    for change in client.block_on_stream(wait.updates())? {
        let mut call = change?.call;
        println!("  {}", call.status);
        if let Some(sandbox) = &service.sandbox {
            // Meanwhile, the service:
            call.status = CallStatus::Completed;
            sandbox.put(call);
        }
    }
    print_next(
        &service,
        "To do so with calls of a real service",
        "cargo run --example blocking --features blocking -- ID ID",
    );
    Ok(())
}

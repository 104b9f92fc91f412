//! Waits until a call has ended, and prints each change.
//!
//! `cargo run --example wait_for_end` starts the sandbox, a local server for the API, with a call that ends soon. With
//! `CALL_API_BASE_URL` and `CALL_API_TOKEN` set, it uses that service; the argument is then the id of a call.

mod service;

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use call_api::{Call, CallStatus, ErrorKind, Uuid};
use call_api_sandbox::Sandbox;
use service::{Service, call_id, print_next};

#[tokio::main]
async fn main() -> ExitCode {
    service::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let service = Service::find().await?;
    let id: Uuid = match (std::env::args().nth(1), &service.sandbox) {
        (Some(id), _) => call_id(&id)?,
        (None, Some(_)) => Sandbox::EXAMPLE_ID,
        (None, None) => return Err("no call id: give one as the argument".into()),
    };
    watch(&service, id).await?;
    print_next(
        &service,
        "To wait for a call of a real service",
        "cargo run --example wait_for_end -- ID",
    );
    Ok(())
}

async fn watch(service: &Service, id: Uuid) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    println!("Waiting at most 15 minutes for call {id} to end.");
    let mut updates = service
        .client
        .wait_until_ended(id)
        .deadline(Duration::from_secs(15 * 60))
        .on_failure(|error| println!("  retrying: {error}"))
        .updates();
    while let Some(change) = updates.next().await {
        match change {
            Ok(change) => {
                let seconds = started.elapsed().as_secs_f64();
                println!("  {seconds:.1} s  {}", change.call.status);
                if let Some(step) = change.invalid_transition() {
                    println!("  {step}");
                }
                if let Some(sandbox) = &service.sandbox {
                    advance(sandbox, change.call);
                }
            }
            Err(error) if error.kind() == ErrorKind::Timeout => {
                let last = error
                    .last_seen::<Call>()
                    .map(|call| call.status.to_string());
                println!(
                    "The call has not ended; its last status is {}.",
                    last.as_deref().unwrap_or("unknown")
                );
                println!("Run this again to continue.");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
    println!("The call has ended.");
    Ok(())
}

/// Moves the sandbox's call to its next status.
fn advance(sandbox: &Sandbox, mut call: Call) {
    call.status = match call.status {
        CallStatus::Dialing => CallStatus::InProgress,
        _ => CallStatus::Completed,
    };
    sandbox.put(call);
}

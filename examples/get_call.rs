//! Fetches a call and prints it.
//!
//! `cargo run --example get_call` starts the sandbox, a local server for the API. With `CALL_API_BASE_URL` and
//! `CALL_API_TOKEN` set, it uses that service; the argument is then the id of a call.

mod service;

use std::error::Error;
use std::process::ExitCode;

use call_api::Call;
use call_api_sandbox::Sandbox;
use service::{Service, call_id, print_next};

#[tokio::main]
async fn main() -> ExitCode {
    service::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let id = match std::env::args().nth(1) {
        Some(id) => call_id(&id)?,
        None => Sandbox::EXAMPLE_ID,
    };
    let service = Service::find().await?;
    let response = service.client.get_call(id).send().await?;
    println!(
        "Fetched a call over HTTP: GET /v1/call/{id} -> {}",
        response.status
    );
    println!();
    print(&response.value);
    print_next(
        &service,
        "To fetch a call of a real service",
        "cargo run --example get_call -- ID",
    );
    Ok(())
}

fn print(call: &Call) {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let ended = if call.is_ended() {
        "ended"
    } else {
        "not ended"
    };
    println!("  id         {}", call.id);
    println!("  status     {} ({ended})", call.status);
    println!("  type       {}", call.type_);
    println!(
        "  contact    {} ({})",
        call.contact.identifier, call.contact.contact_type
    );
    println!(
        "  agent      {}",
        or_dash(call.agent_id.map(|id| id.to_string()))
    );
    println!(
        "  phone      {}",
        or_dash(call.phone_id.map(|id| id.to_string()))
    );
    println!("  created    {}", call.created_date);
    println!(
        "  started    {}",
        or_dash(call.start_time.map(|time| time.to_string()))
    );
    println!(
        "  ended      {}",
        or_dash(call.end_time.map(|time| time.to_string()))
    );
    println!(
        "  duration   {}",
        or_dash(call.duration.map(|seconds| format!("{seconds} s")))
    );
    println!("  recording  {}", or_dash(call.recording_url.clone()));
    println!("  reason     {}", or_dash(call.end_reason.clone()));
}

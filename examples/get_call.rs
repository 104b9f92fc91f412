//! Fetches a call and prints it.
//!
//! `cargo run --example get_call` needs nothing else: it starts the sandbox, which is the API on this machine. With
//! `CALL_API_BASE_URL` and `CALL_API_TOKEN` set it asks that service instead; the id of the call is then the argument.

use std::error::Error;
use std::process::ExitCode;

use call_api::{BASE_URL_VARIABLE, Call, Client, DEFAULT_BASE_URL, TOKEN_VARIABLE, Uuid};
use call_api_sandbox::Sandbox;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let id = match std::env::args().nth(1) {
        Some(id) => id.parse().map_err(|error| {
            format!(
                "{id:?} is no id of a call: {error}; give one such as {}",
                Sandbox::EXAMPLE_ID
            )
        })?,
        None => Sandbox::EXAMPLE_ID,
    };
    let is_set = |name| std::env::var_os(name).is_some();
    if is_set(BASE_URL_VARIABLE) || is_set(TOKEN_VARIABLE) {
        if !is_set(BASE_URL_VARIABLE) {
            println!(
                "{BASE_URL_VARIABLE} is not set: asking {DEFAULT_BASE_URL}, the server that the document names."
            );
        }
        return fetch(&Client::from_env()?, id).await;
    }

    let sandbox = Sandbox::start().await?;
    println!("Started the sandbox: the API, on this machine only.");
    let client = Client::builder()
        .base_url(sandbox.base_url())
        .token(sandbox.token())
        .build()?;
    fetch(&client, id).await?;
    println!();
    println!("To fetch a call of a real service:");
    println!(
        "  {BASE_URL_VARIABLE}=https://… {TOKEN_VARIABLE}=… cargo run --example get_call -- ID"
    );
    Ok(())
}

async fn fetch(client: &Client, id: Uuid) -> Result<(), Box<dyn Error>> {
    let response = client.get_call(id).with_meta().await?;
    println!(
        "Fetched a call over HTTP: GET /v1/call/{id} -> {}",
        response.status
    );
    println!();
    print(&response.value);
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

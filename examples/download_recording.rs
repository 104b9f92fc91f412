//! Downloads the recording of a call.
//!
//! `cargo run --example download_recording` needs nothing else: it starts the sandbox, which is the API on this machine,
//! with a call that was recorded. With `CALL_API_BASE_URL` and `CALL_API_TOKEN` set it asks that service instead; the id
//! of the call is then the argument, and the folder, if it isn't this one, a second. Interrupt it, run it again, and it
//! goes on where it was.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use call_api::{BASE_URL_VARIABLE, Client, Recording, TOKEN_VARIABLE, Uuid};
use call_api_sandbox::Sandbox;

include!("../tests/support/recordings.rs");

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
    let mut arguments = std::env::args().skip(1);
    let id = arguments.next();
    let folder = arguments.next().map_or_else(|| ".".into(), PathBuf::from);
    let is_set = |name| std::env::var_os(name).is_some();
    if is_set(BASE_URL_VARIABLE) || is_set(TOKEN_VARIABLE) {
        let id = id.ok_or("give the id of a call: cargo run --example download_recording -- ID")?;
        let id = id
            .parse()
            .map_err(|error| format!("{id:?} is no id of a call: {error}"))?;
        return download(&Client::from_env()?, id, &folder).await;
    }

    let sandbox = Sandbox::start().await?;
    println!("Started the sandbox: the API, on this machine only.");
    let call = recorded_call(&sandbox).await?;
    let client = Client::builder()
        .base_url(sandbox.base_url())
        .token(sandbox.token())
        .build()?;
    download(&client, call.id, &std::env::temp_dir()).await
}

async fn download(client: &Client, id: Uuid, folder: &Path) -> Result<(), Box<dyn Error>> {
    let call = client.get_call(id).await?;
    println!("{call}");
    let recording = client
        .recording(&call)
        .on_progress(|progress| match progress.total {
            Some(total) => eprint!("\r{} of {total} bytes", progress.bytes),
            None => eprint!("\r{} bytes", progress.bytes),
        })
        .to_folder(folder)
        .await?;
    match recording {
        Recording::Saved(saved) => {
            eprintln!();
            let path = saved.path.unwrap_or_default();
            println!("saved {} bytes as {}", saved.bytes, path.display());
        }
        Recording::Absent(_) => println!("it was not recorded"),
        _ => println!("it is not over yet"),
    }
    Ok(())
}

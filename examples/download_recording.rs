//! Downloads the recording of a call.
//!
//! `cargo run --example download_recording` starts the sandbox, a local server for the API, with a recorded call. With
//! `CALL_API_BASE_URL` and `CALL_API_TOKEN` set, it uses that service; the arguments are then the id of the call and,
//! optionally, a folder. An interrupted download is resumed by the next run.

mod service;

use std::error::Error;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use call_api::Recording;
use call_api_sandbox::{Sandbox, Script};
use service::{Service, call_id, print_next};

#[tokio::main]
async fn main() -> ExitCode {
    service::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let service = Service::find().await?;
    let mut arguments = std::env::args().skip(1);
    let (id, folder) = match (arguments.next(), &service.sandbox) {
        (Some(id), _) => (
            call_id(&id)?,
            arguments.next().map_or_else(|| ".".into(), PathBuf::from),
        ),
        (None, Some(sandbox)) => {
            sandbox.run(Sandbox::example_call(), Script::completed());
            // The call lasts half a minute; its recording appears a little later.
            sandbox.advance(Duration::from_secs(60));
            (Sandbox::EXAMPLE_ID, std::env::temp_dir())
        }
        (None, None) => return Err("no call id: give one as the argument".into()),
    };

    let call = service.client.get_call(id).await?;
    println!("{call}");
    let recording = service
        .client
        .recording(&call)
        .on_progress(|progress| {
            if std::io::stderr().is_terminal() {
                eprint!("\r  {} bytes", progress.bytes);
            }
        })
        .to_folder(folder)
        .await?;
    match recording {
        Recording::Saved(saved) => {
            let path = saved.path.unwrap_or_default();
            println!("saved {} bytes as {}", saved.bytes, path.display());
        }
        Recording::Absent(_) => println!("The call has no recording."),
        _ => println!("The call has not ended. Run this again later."),
    }
    print_next(
        &service,
        "To download a recording of a real service",
        "cargo run --example download_recording -- ID [FOLDER]",
    );
    Ok(())
}

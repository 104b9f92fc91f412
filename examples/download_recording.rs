//! Downloads the recording of a call.
//!
//! `cargo run --example download_recording` needs nothing else: it starts the sandbox, which is the API on this machine,
//! with a call that was recorded. With `CALL_API_BASE_URL` and `CALL_API_TOKEN` set it asks that service instead; the id
//! of the call is then the argument, and the folder, if it isn't this one, a second. Interrupt it, run it again, and it
//! goes on where it was.

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
            // The call takes half a minute, and its recording a little longer.
            sandbox.advance(Duration::from_secs(60));
            (Sandbox::EXAMPLE_ID, std::env::temp_dir())
        }
        (None, None) => return Err("give the id of a call as the argument".into()),
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
        Recording::Absent(_) => println!("It was not recorded."),
        _ => println!("It is not over yet. Run this again once it is."),
    }
    print_next(
        &service,
        "To download a recording of a real service",
        "cargo run --example download_recording -- ID [FOLDER]",
    );
    Ok(())
}

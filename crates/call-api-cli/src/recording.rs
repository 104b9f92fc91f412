//! `recording`: downloads the recording of a call.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use call_api::{Client, Error, ErrorKind, Recording};
use indicatif::HumanBytes;

use crate::args::RecordingArgs;
use crate::error::{CliError, CommandError, ErrorClass, requested};
use crate::ui::Ui;

/// The time limit of the download itself.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(60 * 60);

pub(crate) async fn run(
    client: &Client,
    args: &RecordingArgs,
    ui: &Arc<Ui>,
) -> Result<(), CommandError> {
    let error_of_call = |error: Error| CliError::from(error).for_call(args.id);
    let call = requested(args.id, client.get_call(args.id).await)?;
    let mut bar = ui.download_bar("waiting for the recording");
    let request = client
        .recording(&call)
        .wait(args.wait)
        .deadline(args.wait.saturating_add(DOWNLOAD_LIMIT))
        .on_progress(|progress| bar.set(progress.bytes, progress.total));
    let out: &Path = &args.out;
    let result = match out.as_os_str() == "-" {
        true => request.to_writer(&mut tokio::io::stdout()).await,
        false if out.is_dir() => request.to_folder(out).await,
        false => request.to_file(out).await,
    };
    bar.finish();
    match result {
        Ok(Recording::Saved(saved)) => {
            let path = saved
                .path
                .as_deref()
                .unwrap_or(Path::new("standard output"));
            let media_type = saved.media_type.as_deref().unwrap_or("unknown type");
            let resumed = match saved.resumed_from {
                0 => String::new(),
                from => format!(", resumed after {}", HumanBytes(from)),
            };
            ui.note(format_args!(
                "{}: {} of {media_type}{resumed}",
                path.display(),
                HumanBytes(saved.bytes)
            ));
            Ok(())
        }
        Ok(Recording::Absent(call)) => Err(CliError::new(
            ErrorClass::NoRecording,
            format!(
                "call {} ended ({}) without a recording; nothing was written",
                call.id, call.status
            ),
        )
        .for_call(args.id)
        .into()),
        Ok(other) => {
            let status = match &other {
                Recording::NotEnded(call) => call.status.to_string(),
                _ => "unknown".to_owned(),
            };
            Err(CliError::new(
                ErrorClass::Timeout,
                format!(
                    "call {} has not ended (status {status}); wait for it with: call-api wait {0}",
                    args.id
                ),
            )
            .for_call(args.id)
            .into())
        }
        Err(error) if is_broken_pipe(&error) => Err(CommandError::BrokenPipe),
        Err(error) => Err(error_of_call(error).into()),
    }
}

/// Returns true if standard output was closed. A connection can fail with the same error kind, which is not this case.
fn is_broken_pipe(error: &Error) -> bool {
    if error.kind() != ErrorKind::Io {
        return false;
    }
    let mut causes =
        std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

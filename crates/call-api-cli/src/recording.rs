//! `recording`: downloads the recording of a call.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use call_api::{Client, Error, ErrorKind, Recording, Uuid};
use indicatif::HumanBytes;
use tokio::io::AsyncWriteExt as _;

use crate::args::RecordingArgs;
use crate::destination::Destination;
use crate::error::{CliError, CommandError, ErrorClass};
use crate::ui::Ui;

/// The time limit of the download itself.
pub(crate) const DOWNLOAD_LIMIT: Duration = Duration::from_secs(60 * 60);

pub(crate) async fn run(
    client: &Client,
    id: Uuid,
    out: &Path,
    args: &RecordingArgs,
    ui: &Arc<Ui>,
) -> Result<(), CommandError> {
    let error_of_call = |error: Error| CliError::from(error).for_call(id);
    check_options(args)?;
    // Before the first request, so that a refusal costs nothing.
    let destination = Destination::inspect(out, id, args.force)?;
    let call = client.get_call(id).await;
    let call = call.map_err(error_of_call)?;
    let mut bar = ui.download_bar("waiting for the recording");
    let request = client
        .recording(&call)
        .ready_timeout(args.wait)
        .deadline(args.wait.saturating_add(DOWNLOAD_LIMIT))
        .on_progress(|progress| bar.set(progress.bytes, progress.total));
    let result = match &destination {
        Destination::StandardOutput => request.to_writer(&mut tokio::io::stdout()).await,
        Destination::Folder(path) => request.to_folder(path).await,
        Destination::File(path) => request.to_file(path).await,
        Destination::Stream(path) => {
            // Opening a pipe waits for a reader.
            let opened = tokio::fs::File::options().write(true).open(path).await;
            let mut stream =
                opened.map_err(|error| CliError::cannot_write(path, error, "use another file"))?;
            let result = request.to_writer(&mut stream).await;
            // A dropped file may not have written everything yet.
            let _ = stream.flush().await;
            result
        }
    };
    bar.finish();
    match result {
        Ok(Recording::Saved(saved)) => {
            let path = match (&destination, &saved.path) {
                (_, Some(path)) | (Destination::Stream(path), None) => path,
                (_, None) => Path::new("standard output"),
            };
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
        .for_call(id)
        .into()),
        Ok(other) => Err(not_ended(id, &other).into()),
        // The reader of a named pipe is not part of the same command line, and lacks the end of the recording.
        Err(error)
            if matches!(destination, Destination::StandardOutput) && is_broken_pipe(&error) =>
        {
            Err(CommandError::BrokenPipe)
        }
        Err(error) => Err(error_of_call(error).into()),
    }
}

/// Returns the error for a call that has not ended.
fn not_ended(id: Uuid, recording: &Recording) -> CliError {
    let status = match recording {
        Recording::NotEnded(call) => call.status.to_string(),
        _ => "unknown".to_owned(),
    };
    let message =
        format!("call {id} has not ended (status {status}); wait for it with: call-api wait {id}");
    CliError::new(ErrorClass::Timeout, message).for_call(id)
}

/// Errors for options that one download does not have.
fn check_options(args: &RecordingArgs) -> Result<(), CliError> {
    let batch = &args.batch;
    if batch.rate.is_some() || batch.failed.is_some() || batch.skip_invalid || batch.retry_not_found
    {
        let message = "--rate, --failed, --skip-invalid and --retry-not-found are for many calls; use --ids FILE";
        return Err(CliError::usage(message));
    }
    Ok(())
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

//! `recording`: keeps the recording of a call.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use call_api::{Client, Error, ErrorKind, Recording, Uuid};
use clap::{Args, ValueHint};
use indicatif::HumanBytes;

use crate::failure::{Class, End, Failure, asked_for};
use crate::ui::Ui;

/// How long it may take once it is there.
const DOWNLOAD: Duration = Duration::from_secs(60 * 60);

/// What to keep, and where.
#[derive(Args, Debug)]
pub(crate) struct Keep {
    /// The id of the call
    #[arg(value_parser = crate::args::parse_id)]
    id: Uuid,
    /// The file for the recording; a folder, for a name made of the call's id; or `-`, standard output
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    out: PathBuf,
    /// Wait so long after the end of the call for a recording that is still being made
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    wait: Duration,
}

pub(crate) async fn run(client: &Client, keep: &Keep, ui: &Arc<Ui>) -> Result<(), End> {
    let of_call = |error: Error| Failure::from(error).of_call(keep.id);
    let call = asked_for(keep.id, client.get_call(keep.id).await)?;
    let mut bar = ui.transfer("waiting for the recording");
    let request = client
        .recording(&call)
        .wait(keep.wait)
        .deadline(keep.wait.saturating_add(DOWNLOAD))
        .on_progress(|progress| bar.set(progress.bytes, progress.total));
    let out: &Path = &keep.out;
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
                from => format!(", gone on with after {}", HumanBytes(from)),
            };
            ui.note(format_args!(
                "{}: {} of {media_type}{resumed}",
                path.display(),
                HumanBytes(saved.bytes)
            ));
            Ok(())
        }
        Ok(Recording::Absent(call)) => Err(Failure::new(
            Class::NoRecording,
            format!(
                "call {} ended ({}) without a recording; nothing was written",
                call.id, call.status
            ),
        )
        .of_call(keep.id)
        .into()),
        Ok(other) => {
            let status = match &other {
                Recording::NotEnded(call) => call.status.to_string(),
                _ => "unknown".to_owned(),
            };
            Err(Failure::new(
                Class::Timeout,
                format!(
                    "call {} has not ended, its status is {status}; wait for it: call-api wait {0}",
                    keep.id
                ),
            )
            .of_call(keep.id)
            .into())
        }
        Err(error) if is_broken_pipe(&error) => Err(End::BrokenPipe),
        Err(error) => Err(of_call(error).into()),
    }
}

/// Whether it was standard output that nobody reads any more. A connection breaks in this way too, which is a failure.
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

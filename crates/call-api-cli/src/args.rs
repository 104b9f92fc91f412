//! The command line. Its help and the manual are generated from the comments here.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use call_api::{PollSchedule, Uuid};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::fields::Fields;
use crate::input;
use crate::place::Place;
use crate::request::RequestArgs;
use crate::settings::{Settings, parse_time_limit};

/// The shortest poll interval.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// A command-line client for the call API
///
/// Fetches phone calls, waits for them to end, watches them, downloads their recordings, and fetches many calls into a file.
#[derive(Debug, Parser)]
#[command(name = "call-api", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch calls and print them
    ///
    /// Prints calls in the order of the ids. If some cannot be fetched, the others are printed, and each error is reported.
    Get {
        #[command(flatten)]
        ids: IdArgs,
        #[command(flatten)]
        args: GetArgs,
    },
    /// Wait until calls have ended, and print them
    ///
    /// Retries transient errors, such as those of a service that restarts. On a timeout, the last state is printed and the
    /// exit code is 10. Of several calls, each that has not ended is reported; the exit code is that of the errors, or 1 if
    /// they differ.
    Wait {
        #[command(flatten)]
        ids: IdArgs,
        #[command(flatten)]
        args: WaitArgs,
    },
    /// Print each change of a call until it has ended
    ///
    /// On a terminal this is one line that is updated; elsewhere one line per change, as JSON unless --output is given.
    Watch {
        /// The id of the call
        #[arg(value_parser = parse_id)]
        id: Uuid,
        /// Print json and jsonl in the form of the API document instead of as the service sent it
        #[arg(long)]
        typed: bool,
        #[command(flatten)]
        poll: PollArgs,
        #[command(flatten)]
        display: DisplayArgs,
    },
    /// Download the recording of a call
    ///
    /// The file appears when the download is complete. An interrupted download is resumed by running the command again. With
    /// --ids, each recording is kept exactly once in a folder, whose manifest.jsonl has a line for each call.
    Recording(RecordingArgs),
    /// Fetch many calls into a file
    ///
    /// An interrupted run, even a killed one, is resumed by running the command again: no call is lost or written twice. Ids
    /// that failed are retried, except those of calls that do not exist, which are kept in FILE.not-found.
    Sync(SyncArgs),
    /// Check the settings, the service and the token
    ///
    /// Checks that the service responds and accepts the token, that the clocks agree, and that a call matches the API
    /// document. The last check requires the id of a call.
    Doctor {
        /// The id of an existing call
        #[arg(value_parser = parse_id)]
        id: Option<Uuid>,
        /// The output format [default: table on a terminal, otherwise json]
        #[arg(long, short, value_name = "FORMAT")]
        output: Option<Format>,
    },
    /// Print the settings that apply, and the source of each
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Send a request of any operation of the API
    ///
    /// Prints the response as the service sent it. Without an operation, lists the operations. Lists have --all, which prints
    /// the items of all pages.
    Request(RequestArgs),
    /// Offer the operations of the API to an assistant: the Model Context Protocol over standard input and output
    ///
    /// Each operation is a tool, and another one waits for a call. Only operations that read are offered, and phone numbers and
    /// URLs of recordings are masked, unless an option allows more.
    #[cfg(feature = "mcp")]
    Mcp(McpArgs),
    /// Run a local server for the call API
    #[cfg(feature = "sandbox")]
    #[command(after_help = call_api_sandbox::program::ENVIRONMENT)]
    Sandbox(Box<call_api_sandbox::program::Arguments>),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual as a man page, for `call-api man | man -l -`
    Man,
}

/// The commands of `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the settings that apply, and the source of each; secrets are masked
    Show {
        /// The output format [default: table on a terminal, otherwise json]
        #[arg(long, short, value_name = "FORMAT")]
        output: Option<Format>,
    },
}

/// Display options.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct DisplayArgs {
    /// The output format [default: table on a terminal, otherwise json]
    #[arg(long, short, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Show times in UTC instead of the local time zone in tables; other formats always use UTC
    #[arg(long)]
    pub(crate) utc: bool,
    /// Show complete phone numbers in tables; other formats always do
    #[arg(long)]
    pub(crate) show_numbers: bool,
}

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON object per line
    Jsonl,
    /// YAML
    Yaml,
}

/// The calls of a command.
#[derive(Args, Debug)]
pub(crate) struct IdArgs {
    /// The ids of the calls; `-` reads ids from standard input, one per line
    #[arg(value_name = "ID", required_unless_present = "ids_from", value_parser = parse_id_or_dash)]
    pub(crate) ids: Vec<IdArg>,
    /// Read the ids from this file, one per line; `-` is standard input
    #[arg(long = "ids", value_name = "FILE", conflicts_with = "ids", value_hint = ValueHint::FilePath)]
    pub(crate) ids_from: Option<PathBuf>,
    /// Report and skip lines that are not ids
    #[arg(long)]
    pub(crate) skip_invalid: bool,
}

/// An id, or the place of ids.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IdArg {
    Id(Uuid),
    StandardInput,
}

/// Options of `get`.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// Print json and jsonl in the form of the API document instead of as the service sent it
    #[arg(long)]
    pub(crate) typed: bool,
    /// Print only these properties, named as in JSON, such as `id,contact.identifier`
    #[arg(long, value_name = "NAMES")]
    pub(crate) fields: Option<Fields>,
    #[command(flatten)]
    pub(crate) display: DisplayArgs,
}

/// Options of `wait`.
#[derive(Args, Debug)]
pub(crate) struct WaitArgs {
    /// Wait until all calls have ended, the default
    #[arg(long)]
    pub(crate) all: bool,
    /// Wait until any of the calls has ended, and print that one
    #[arg(long, conflicts_with = "all")]
    pub(crate) any: bool,
    /// Wait until nothing that services send later is missing, such as the recording; exit code 13 if something is
    #[arg(long)]
    pub(crate) settled: bool,
    /// With --settled, give up this time after the end of a call
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) settle_time: Duration,
    /// Print json and jsonl in the form of the API document instead of as the service sent it
    #[arg(long)]
    pub(crate) typed: bool,
    /// Print only these properties, named as in JSON, such as `id,contact.identifier`
    #[arg(long, value_name = "NAMES")]
    pub(crate) fields: Option<Fields>,
    #[command(flatten)]
    pub(crate) poll: PollArgs,
    #[command(flatten)]
    pub(crate) display: DisplayArgs,
}

/// Options for waiting.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Waiting")]
pub(crate) struct PollArgs {
    /// Give up after this time
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = parse_time_limit)]
    pub(crate) timeout: Duration,
    /// Treat a 404 as a call that does not exist yet, for this time
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    pub(crate) grace: Duration,
    /// The poll interval, at least 100ms [default: short while dialing, then increasing]
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    pub(crate) every: Option<Duration>,
}

impl PollArgs {
    pub(crate) fn schedule(self) -> PollSchedule {
        self.every
            .map_or_else(PollSchedule::default, PollSchedule::every)
    }
}

/// Options of `recording`.
#[derive(Args, Debug)]
pub(crate) struct RecordingArgs {
    /// The id of the call
    #[arg(value_parser = parse_id, required_unless_present = "ids")]
    pub(crate) id: Option<Uuid>,
    /// Download the recordings of the calls with these ids, one per line, to a folder or a bucket; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "force"], value_hint = ValueHint::FilePath)]
    pub(crate) ids: Option<PathBuf>,
    /// The file to write; a folder, for a file named after the id; `-`, standard output; or the URL of a bucket, such as
    /// s3://bucket/prefix, to keep the recording in an archive, as with --ids (feature `object-store`)
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::AnyPath, value_parser = Place::parser())]
    pub(crate) out: Place,
    /// Replace an existing file
    #[arg(long)]
    pub(crate) force: bool,
    /// Wait this long after the end of the call for its recording
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) batch: BatchArgs,
}

/// Options of `sync`.
#[derive(Args, Debug)]
pub(crate) struct SyncArgs {
    /// The ids of the calls, one per line; `-` is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ids: PathBuf,
    /// The file to write; calls that are already in it are not fetched again; `-` is standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// The format of the file [default: csv for a name that ends in .csv, otherwise jsonl]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<RecordFormat>,
    /// Write jsonl in the form of the API document instead of as the service sent it
    #[arg(long)]
    pub(crate) typed: bool,
    /// Write only these properties and the id, named as in JSON, such as `status,contact.identifier`
    #[arg(long, value_name = "NAMES")]
    pub(crate) fields: Option<Fields>,
    /// Write only calls that have ended and lack nothing that services send later; the next run fetches the others again
    #[arg(long)]
    pub(crate) settled: bool,
    /// With --settled, write a call with what it has this time after its end
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) settle_time: Duration,
    /// Download the recordings to this folder, too, or to a bucket such as s3://bucket/prefix (feature `object-store`); a call
    /// is written once its recording is there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, value_parser = Place::parser())]
    pub(crate) recordings: Option<Place>,
    /// With --recordings, wait this long after the end of a call for its recording
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) recording_wait: Duration,
    #[command(flatten)]
    pub(crate) batch: BatchArgs,
}

/// Options for many calls.
#[derive(Args, Debug)]
#[command(next_help_heading = "Many calls")]
pub(crate) struct BatchArgs {
    /// The number of calls to fetch at a time
    #[arg(long, value_name = "NUMBER", default_value = "8", requires = "ids", value_parser = parse_count, allow_negative_numbers = true)]
    pub(crate) jobs: NonZeroU32,
    /// Send at most this many requests per second
    #[arg(long, value_name = "NUMBER", requires = "ids", value_parser = parse_count, allow_negative_numbers = true)]
    pub(crate) rate: Option<NonZeroU32>,
    /// Report and skip lines that are not ids instead of fetching nothing
    #[arg(long, requires = "ids")]
    pub(crate) skip_invalid: bool,
    /// Write the ids that could not be fetched to this file, one per line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "ids")]
    pub(crate) failed: Option<PathBuf>,
    /// Request calls again that an earlier run did not find (404)
    #[arg(long, requires = "ids")]
    pub(crate) retry_not_found: bool,
    /// Give up when the service has not responded for this time
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    pub(crate) give_up_after: Duration,
    /// Print a line with the progress at this interval if standard error is not a terminal
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, requires = "ids")]
    pub(crate) log_every: Duration,
}

/// Options of `mcp`.
#[cfg(feature = "mcp")]
#[derive(Args, Debug)]
pub(crate) struct McpArgs {
    /// Offer operations that change something, too
    #[arg(long)]
    pub(crate) allow_writes: bool,
    /// Show complete phone numbers and the URLs of recordings
    #[arg(long)]
    pub(crate) show_numbers: bool,
    /// Cut off results after this number of bytes
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    pub(crate) max_result: usize,
    /// Wait for a call at most this long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_time_limit)]
    pub(crate) max_wait: Duration,
}

/// The file format of `sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordFormat {
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

/// Parses a poll interval. A shorter one would only load the service.
fn parse_interval(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(interval) if interval < MIN_INTERVAL => Err("must be at least 100ms".to_owned()),
        result => result.map_err(|error| error.to_string()),
    }
}

/// Parses a number of things. The errors of the standard library are about types.
fn parse_count(text: &str) -> Result<NonZeroU32, String> {
    let number = text.parse();
    number.map_err(|_| format!("must be a whole number from 1 to {}", u32::MAX))
}

pub(crate) fn parse_id(text: &str) -> Result<Uuid, &'static str> {
    text.parse().map_err(
        |_| "not a valid call id (expected a UUID such as 3c90c3cc-0d44-4b50-8888-8dd25736052a)",
    )
}

fn parse_id_or_dash(text: &str) -> Result<IdArg, &'static str> {
    match input::is_dash(text) {
        true => Ok(IdArg::StandardInput),
        false => parse_id(text).map(IdArg::Id),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}

//! What can be asked for at the command line. The help of each, and the manual, are made from the comments here.

use std::path::PathBuf;
use std::time::Duration;

use call_api::Uuid;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::recording::Keep;
use crate::sync::Plan;
use crate::wait::Patience;

/// The call API at a shell
///
/// Fetches phone calls, waits for them to end, watches them, keeps their recordings, and fetches many at once.
#[derive(Debug, Parser)]
#[command(
    name = "call-api",
    version,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What holds for every command.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Settings {
    /// Take base URL and token from this profile of the configuration file
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Where the service is: https, or http to this machine
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) base_url: Option<String>,
    /// Read the token from this file; `-` is standard input
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// Limit each request, its retries included, to this time [default: 45s]
    #[arg(long, global = true, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) deadline: Option<Duration>,
    /// Say nothing but errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Show each request: its attempts, how each ended, and the waits between them
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// Use no colors; so does the environment variable `NO_COLOR`
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Write errors as JSON, one line each
    #[arg(long, global = true)]
    pub(crate) json_errors: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch calls and print them
    ///
    /// Calls are printed in the order of the ids. Where some can't be fetched, the others are printed, and each error is said.
    Get {
        /// The ids of the calls
        #[arg(value_name = "ID", required = true, value_parser = parse_id)]
        ids: Vec<Uuid>,
        #[command(flatten)]
        look: Look,
    },
    /// Wait until a call has ended, and print it
    ///
    /// Survives what may pass, such as a service that restarts. Where time is over, the last state is printed, and the exit
    /// code is 10.
    Wait {
        /// The id of the call
        #[arg(value_parser = parse_id)]
        id: Uuid,
        #[command(flatten)]
        patience: Patience,
        #[command(flatten)]
        look: Look,
    },
    /// Print each change of a call until it has ended
    ///
    /// On a terminal it is one line that changes; elsewhere a line for each change, in JSON unless --output says otherwise.
    Watch {
        /// The id of the call
        #[arg(value_parser = parse_id)]
        id: Uuid,
        #[command(flatten)]
        patience: Patience,
        #[command(flatten)]
        look: Look,
    },
    /// Keep the recording of a call
    ///
    /// The file is there once it is whole. Stopped at any point, the download goes on where it was when it is run again.
    Recording(Keep),
    /// Fetch many calls into a file
    ///
    /// Stopped at any point, even killed, it goes on where it was when it is run again: no call is lost or written twice.
    /// Ids that failed are tried again then.
    Sync(Plan),
    /// Check that the service can be used from here
    ///
    /// Is it reached, does it accept the token, do the clocks agree, and does what it answers fit the API's document? The
    /// last needs a call to ask for.
    Doctor {
        /// The id of a call that the service has
        #[arg(value_parser = parse_id)]
        id: Option<Uuid>,
        /// The form of the output [default: table on a terminal, json elsewhere]
        #[arg(long, short, value_name = "FORMAT")]
        output: Option<Format>,
    },
    /// Serve the API on this machine, to try things out
    #[cfg(feature = "sandbox")]
    Sandbox {
        /// Where to listen; port 0 is any free port
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
        listen: std::net::SocketAddr,
    },
    /// Print what makes a shell complete commands and options
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual as a man page, for `call-api man | man -l -`
    Man,
}

/// How calls are printed.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct Look {
    /// The form of the output [default: table on a terminal, json elsewhere]
    #[arg(long, short, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Show times in UTC, not in the local time zone (tables only; elsewhere they always are)
    #[arg(long)]
    pub(crate) utc: bool,
    /// Show contacts in full in tables; elsewhere they always are
    #[arg(long)]
    pub(crate) show_numbers: bool,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// YAML
    Yaml,
}

pub(crate) fn parse_id(text: &str) -> Result<Uuid, &'static str> {
    text.parse().map_err(
        |_| "it is no UUID; give the id of a call, such as 3c90c3cc-0d44-4b50-8888-8dd25736052a",
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_contradict_each_other_nowhere() {
        Arguments::command().debug_assert();
    }
}

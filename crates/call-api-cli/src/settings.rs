//! The options of all commands. Their help is generated from the comments here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

/// The options of all commands.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Settings {
    /// Use this profile of the configuration file
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The base URL of the service: https, or http to this machine
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) base_url: Option<String>,
    /// Read the token from this file; `-` is standard input
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// The time limit of a request, including its retries [default: 45s]
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_time_limit)]
    pub(crate) deadline: Option<Duration>,
    /// Send requests over https through this proxy, instead of that of the environment
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) proxy: Option<String>,
    /// Trust the root certificates in this PEM file, beside those of the system
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) cacert: Option<PathBuf>,
    /// Print only errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print each request with its attempts, their outcomes and the delays between them
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// Disable colors, like the environment variable `NO_COLOR`
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Print errors as JSON, one per line
    #[arg(long, global = true)]
    pub(crate) json_errors: bool,
}

/// Parses a time limit, which must not be zero.
pub(crate) fn parse_time_limit(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than zero".to_owned()),
        result => result.map_err(|error| error.to_string()),
    }
}

//! The program `call-api`: the SDK at a shell. `call-api man` is its manual.

mod args;
mod config;
mod doctor;
mod failure;
mod get;
mod man;
mod output;
mod recording;
#[cfg(feature = "sandbox")]
mod sandbox;
mod sync;
mod ui;
mod wait;

use std::env;
use std::future::Future;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use call_api::{Client, ClientBuilder};
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use crate::args::{Arguments, Command, Settings};
use crate::config::Config;
use crate::failure::{Class, End, Failure};
use crate::sync::Sync;
use crate::ui::{Attempts, Ui};

/// What to do after a command that can go on was stopped.
const STOPPED: &str = "stopped; run the same command again to go on";

fn main() -> ExitCode {
    // Before the arguments are understood, since what is wrong with them is said in this way, too.
    let is_given = |flag: &str| env::args_os().any(|argument| argument == flag);
    if is_given("--no-color") {
        anstream::ColorChoice::Never.write_global();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_understood(&error, is_given("--json-errors")),
    };
    let ui = Arc::new(Ui::new(&arguments.settings));
    match run(arguments, &ui) {
        Ok(()) | Err(End::BrokenPipe) => ExitCode::SUCCESS,
        Err(End::Said(class)) => ExitCode::from(class.code()),
        Err(End::Stopped { code, hint }) => {
            if let Some(hint) = hint {
                ui.note(hint);
            }
            ExitCode::from(code)
        }
        Err(End::Failed(failure)) => {
            ui.error(&failure);
            ExitCode::from(failure.class().code())
        }
    }
}

fn run(arguments: Arguments, ui: &Arc<Ui>) -> Result<(), End> {
    let settings = &arguments.settings;
    match arguments.command {
        Command::Get { ids, look } => {
            let client = client(settings, ui)?;
            block_on(get::run(&client, ids, look, ui), None)
        }
        Command::Wait { id, patience, look } => {
            let client = client(settings, ui)?;
            block_on(wait::wait(&client, id, patience, look, ui), None)
        }
        Command::Watch { id, patience, look } => {
            let client = client(settings, ui)?;
            block_on(wait::watch(&client, id, patience, look, ui), None)
        }
        Command::Recording(keep) => {
            let client = client(settings, ui)?;
            block_on(recording::run(&client, &keep, ui), Some(STOPPED))
        }
        Command::Sync(plan) => {
            let config = Config::load(settings)?;
            if config.reads_standard_input() && plan.ids.as_os_str() == "-" {
                return Err(Failure::usage(
                    "standard input can't be both token and ids; give one of them as a file",
                )
                .into());
            }
            let client = client(settings, ui)?;
            let sync = Sync::prepare(&plan)?;
            block_on(sync.run(&client, ui), Some(STOPPED))
        }
        Command::Doctor { id, output } => block_on(doctor::run(settings, id, output, ui), None),
        #[cfg(feature = "sandbox")]
        Command::Sandbox { listen } => sandbox::run(listen),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "call-api", &mut script);
            // It writes a name with a hyphen in two ways for bash, which then completes nothing after a command
            // (https://github.com/clap-rs/clap/issues/6421).
            let script = String::from_utf8_lossy(&script).replace("call__subcmd__api", "call__api");
            Ok(output::stdout().write_all(script.as_bytes())?)
        }
        Command::Man => Ok(man::page(&mut io::stdout())?),
    }
}

/// A client with the settings; what is wrong with their files is said.
fn client(settings: &Settings, ui: &Arc<Ui>) -> Result<Client, Failure> {
    let mut config = Config::load(settings)?;
    let builder = builder(&mut config, settings, ui)?;
    Ok(builder.build()?)
}

fn builder(
    config: &mut Config,
    settings: &Settings,
    ui: &Arc<Ui>,
) -> Result<ClientBuilder, Failure> {
    let builder = config.client(settings);
    for warning in &config.warnings {
        ui.warn(warning);
    }
    let builder = builder?;
    if !settings.verbose {
        return Ok(builder);
    }
    let attempts = Attempts(Arc::clone(ui));
    Ok(builder.observer(attempts))
}

/// Runs a command until it ends or is asked to. `hint` is what to do after the latter.
fn block_on(
    command: impl Future<Output = Result<(), End>>,
    hint: Option<&'static str>,
) -> Result<(), End> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(Class::Failed, format!("cannot start: {error}; try again"))
        })?;
    runtime.block_on(async {
        tokio::select! {
            result = command => result,
            code = stop() => Err(End::Stopped { code, hint }),
        }
    })
}

/// Ready when the program is asked to end, by Ctrl-C or by what ends services; the exit code is the shell's for that.
#[cfg(unix)]
async fn stop() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // The program then ends as the system ends it.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => 128 + 2,
        _ = terminate.recv() => 128 + 15,
    }
}

#[cfg(not(unix))]
async fn stop() -> u8 {
    match tokio::signal::ctrl_c().await {
        Ok(()) => 128 + 2,
        Err(_) => std::future::pending().await,
    }
}

/// Prints the help or the version that was asked for; otherwise says what is wrong with the arguments, on one line.
fn not_understood(error: &clap::Error, as_json: bool) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(Class::Failed.code()),
        };
    }
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "there is no command".to_owned(),
        _ => on_one_line(&error.to_string()),
    };
    let failure = Failure::usage(format!("{message}; see `call-api --help`"));
    let settings = Settings {
        json_errors: as_json,
        ..Settings::default()
    };
    Ui::new(&settings).error(&failure);
    ExitCode::from(failure.class().code())
}

/// What clap says on several lines: what is wrong, what could be meant; without the usage that follows.
fn on_one_line(text: &str) -> String {
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(|line| {
            let line = line.trim();
            let line = line.strip_prefix("error: ").unwrap_or(line);
            line.strip_prefix("tip: ").unwrap_or(line)
        })
        .filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ").replace(":; ", ": ")
}

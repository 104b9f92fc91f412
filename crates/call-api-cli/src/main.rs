//! The program `call-api`, a command-line client built on the SDK. `call-api man` prints its manual.

mod archive;
mod args;
mod config;
mod destination;
mod doctor;
mod error;
mod escape;
mod fields;
mod get;
mod ids;
mod input;
mod json;
mod man;
#[cfg(feature = "mcp")]
mod mcp;
mod not_found;
mod operations;
mod output;
mod place;
mod process;
mod progress;
mod received;
mod recording;
mod records;
mod request;
#[cfg(feature = "sandbox")]
mod sandbox;
mod settings;
mod state_file;
mod stdout;
mod sync;
mod ui;
mod usage;
mod wait;

use std::env;
use std::future::Future;
use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;

use call_api::{Client, ClientBuilder};
use clap::{CommandFactory as _, Parser as _};

use crate::args::{Arguments, Command, ConfigCommand};
use crate::config::{Config, Network};
use crate::error::{CliError, CommandError, ErrorClass};
use crate::input::is_dash;
use crate::settings::Settings;
use crate::stdout::stdout;
use crate::sync::Sync;
use crate::ui::{AttemptPrinter, Ui};

/// The exit code after Ctrl-C, as of a shell.
const SIGINT_CODE: u8 = 128 + 2;

/// The hint after an interrupted command that can be resumed.
const RESUME_HINT: &str = "interrupted; run the command again to resume";

fn main() -> ExitCode {
    process::keep_files_private();
    // Looked up before parsing, because they apply to errors in the arguments too.
    let is_given = |flag: &str| env::args_os().any(|argument| argument == flag);
    if is_given("--no-color") {
        anstream::ColorChoice::Never.write_global();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage::report(&error, is_given("--json-errors")),
    };
    let ui = Arc::new(Ui::new(&arguments.settings));
    match run(arguments, &ui) {
        Ok(()) | Err(CommandError::BrokenPipe) => ExitCode::SUCCESS,
        Err(CommandError::AlreadyReported(class)) => ExitCode::from(class.code()),
        Err(CommandError::Interrupted { code, hint }) => {
            if !hint.is_empty() {
                ui.note(hint);
            }
            ExitCode::from(code)
        }
        Err(CommandError::Failed(failure)) => {
            ui.error(&failure);
            ExitCode::from(failure.class().code())
        }
    }
}

fn run(arguments: Arguments, ui: &Arc<Ui>) -> Result<(), CommandError> {
    let settings = &arguments.settings;
    match arguments.command {
        Command::Get { ids, args } => {
            check_standard_input(settings, ids.uses_standard_input())?;
            let is_list = ids.is_list();
            let ids = ids.read(ui)?;
            let client = client(settings, ui)?;
            block_on(get::run(&client, ids, is_list, args, ui), ui, String::new)
        }
        Command::Wait { ids, args } => {
            check_standard_input(settings, ids.uses_standard_input())?;
            let is_list = ids.is_list();
            let ids = ids.read(ui)?;
            let client = client(settings, ui)?;
            block_on(wait::wait(&client, ids, is_list, args, ui), ui, String::new)
        }
        Command::Watch {
            id,
            typed,
            poll,
            display,
        } => {
            let client = client(settings, ui)?;
            let watch = wait::watch(&client, id, typed, poll, display, ui);
            block_on(watch, ui, String::new)
        }
        Command::Recording(args) => {
            if let (Some(id), Some(path)) = (args.id, args.out.path()) {
                let client = client(settings, ui)?;
                let command = recording::run(&client, id, path, &args, ui);
                return block_on(command, ui, || RESUME_HINT.to_owned());
            }
            check_standard_input(settings, args.ids.as_ref().is_some_and(is_dash))?;
            let (client, network) = batch_client(settings, args.batch.rate, ui)?;
            let sync = Sync::prepare_recordings(args, &client, &network, ui)?;
            let hint = sync.interruption();
            block_on(sync.run(&client, ui), ui, hint)
        }
        Command::Sync(args) => {
            check_standard_input(settings, is_dash(&args.ids))?;
            let (client, network) = batch_client(settings, args.batch.rate, ui)?;
            let sync = Sync::prepare(args, &client, &network, ui)?;
            let hint = sync.interruption();
            block_on(sync.run(&client, ui), ui, hint)
        }
        Command::Doctor { id, output } => {
            block_on(doctor::run(settings, id, output, ui), ui, String::new)
        }
        Command::Config(ConfigCommand::Show { output }) => config::show(settings, output, ui),
        Command::Request(args) => {
            let Some(args) = args.operation() else {
                return Ok(request::list()?);
            };
            if let Some(body) = &args.body {
                check_standard_input(settings, is_dash(body))?;
            }
            let body = args.read_body()?;
            let client = client(settings, ui)?;
            block_on(args.run(&client, body), ui, String::new)
        }
        #[cfg(feature = "mcp")]
        Command::Mcp(args) => {
            check_standard_input(settings, true)?;
            let client = client(settings, ui)?;
            block_on(mcp::run(client, args), ui, String::new)
        }
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => Ok(sandbox::run(*arguments, ui)?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "call-api", &mut script);
            // For bash, it spells a name with a hyphen in two ways, so that nothing is completed after a command
            // (https://github.com/clap-rs/clap/issues/6421).
            let script = String::from_utf8_lossy(&script).replace("call__subcmd__api", "call__api");
            Ok(stdout().write_all(script.as_bytes())?)
        }
        Command::Man => Ok(man::page(&mut io::stdout())?),
    }
}

/// Errors if standard input would be both the token and, as `is_read` says, the ids or a body.
fn check_standard_input(settings: &Settings, is_read: bool) -> Result<(), CliError> {
    if !is_read || !Config::load(settings)?.reads_standard_input() {
        return Ok(());
    }
    Err(CliError::usage(
        "standard input cannot be both the token and other input; use a file for one of them",
    ))
}

/// Returns a client with the settings. Reports warnings about their files.
fn client(settings: &Settings, ui: &Arc<Ui>) -> Result<Client, CliError> {
    Ok(batch_client(settings, None, ui)?.0)
}

/// Returns a client that sends at most `rate` requests per second, and its network settings.
fn batch_client(
    settings: &Settings,
    rate: Option<NonZeroU32>,
    ui: &Arc<Ui>,
) -> Result<(Client, Network), CliError> {
    let mut config = Config::load(settings)?;
    let mut builder = builder(&mut config, settings, ui)?;
    if let Some(rate) = rate {
        builder = builder.rate_limit(rate);
    }
    Ok((builder.build()?, config.network()))
}

fn builder(
    config: &mut Config,
    settings: &Settings,
    ui: &Arc<Ui>,
) -> Result<ClientBuilder, CliError> {
    let builder = config.client(settings);
    for warning in &config.warnings {
        ui.warn(warning);
    }
    let builder = builder?;
    if !settings.verbose {
        return Ok(builder);
    }
    let attempts = AttemptPrinter(Arc::clone(ui));
    Ok(builder.observer(attempts))
}

/// Runs a command until it ends or is interrupted; `hint` is reported after an interruption unless it is empty.
fn block_on(
    command: impl Future<Output = Result<(), CommandError>>,
    ui: &Ui,
    hint: impl FnOnce() -> String,
) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CliError::new(
                ErrorClass::Failed,
                format!("cannot start the runtime: {error}; try again"),
            )
        })?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = command => result,
            code = interrupted() => {
                // The terminal echoes Ctrl-C.
                ui.clear(code == SIGINT_CODE);
                Err(CommandError::Interrupted { code, hint: hint() })
            }
        }
    });
    // A read of standard input cannot be canceled.
    runtime.shutdown_background();
    result
}

/// Ready on Ctrl-C or SIGTERM. Returns the exit code that a shell uses for the signal.
#[cfg(unix)]
async fn interrupted() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // The signal then ends the process directly.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => SIGINT_CODE,
        _ = terminate.recv() => 128 + 15,
    }
}

#[cfg(not(unix))]
async fn interrupted() -> u8 {
    match tokio::signal::ctrl_c().await {
        Ok(()) => SIGINT_CODE,
        Err(_) => std::future::pending().await,
    }
}

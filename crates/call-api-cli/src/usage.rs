//! Errors in the arguments, on one line: what clap found, in its words.

use std::env;
use std::error::Error as _;
use std::io;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::Arguments;
use crate::error::{CliError, ErrorClass};
use crate::settings::Settings;
use crate::ui::Ui;

/// Prints the requested help or version; otherwise reports the error in the arguments.
pub(crate) fn report(error: &clap::Error, as_json: bool) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(ErrorClass::Failed.code()),
        };
    }
    let is_bare = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_bare && !as_json {
        // Fails only if standard error is closed.
        let _ = error.print();
        return ExitCode::from(ErrorClass::Usage.code());
    }
    let message = match is_bare {
        true => "no command given".to_owned(),
        false => message(error),
    };
    let failure = CliError::usage(format!("{message}; see `{} --help`", command_name()));
    let settings = Settings {
        json_errors: as_json,
        ..Settings::default()
    };
    Ui::new(&settings).error(&failure);
    ExitCode::from(failure.class().code())
}

/// Returns the program's name with the given subcommands.
fn command_name() -> String {
    let mut program = Arguments::command();
    // Adds the subcommands of `request`.
    program.build();
    let mut command = &program;
    let mut name = program.get_name().to_owned();
    for argument in env::args().skip(1) {
        if let Some(subcommand) = command.find_subcommand(argument) {
            command = subcommand;
            name = format!("{name} {}", command.get_name());
        }
    }
    name
}

/// Returns the problem and the suggestions.
fn message(error: &clap::Error) -> String {
    let mut parts = vec![problem(error)];
    for (kind, list) in [
        (ContextKind::ValidValue, "possible values"),
        (ContextKind::ValidSubcommand, "subcommands"),
    ] {
        let values = texts(error, kind);
        if !values.is_empty() {
            parts.push(format!("[{list}: {}]", values.join(", ")));
        }
    }
    for (kind, what) in [
        (ContextKind::SuggestedSubcommand, "subcommand"),
        (ContextKind::SuggestedArg, "argument"),
        (ContextKind::SuggestedValue, "value"),
    ] {
        let similar = texts(error, kind);
        match similar.as_slice() {
            [] => {}
            [one] => parts.push(format!("a similar {what} exists: '{one}'")),
            several => parts.push(format!(
                "some similar {what}s exist: '{}'",
                several.join("', '")
            )),
        }
    }
    parts.extend(texts(error, ContextKind::Suggested));
    parts.join("; ")
}

fn problem(error: &clap::Error) -> String {
    use ContextKind::{InvalidArg, InvalidSubcommand, InvalidValue, PriorArg};

    let argument = texts(error, InvalidArg);
    let argument = argument.join("; ");
    let value = texts(error, InvalidValue).pop().unwrap_or_default();
    let subcommand = texts(error, InvalidSubcommand).pop().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => format!("unexpected argument '{argument}' found"),
        ErrorKind::InvalidSubcommand => format!("unrecognized subcommand '{subcommand}'"),
        ErrorKind::MissingSubcommand => {
            format!("'{subcommand}' requires a subcommand but one was not provided")
        }
        ErrorKind::MissingRequiredArgument => {
            format!("the following required arguments were not provided: {argument}")
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            format!("a value is required for '{argument}' but none was supplied")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let problem = format!("invalid value '{value}' for '{argument}'");
            match error.source() {
                Some(cause) => format!("{problem}: {cause}"),
                None => problem,
            }
        }
        ErrorKind::TooManyValues => {
            format!("unexpected value '{value}' for '{argument}' found; no more were expected")
        }
        ErrorKind::ArgumentConflict => match texts(error, PriorArg) {
            prior if prior == [argument.as_str()] => {
                format!("the argument '{argument}' cannot be used multiple times")
            }
            prior => format!(
                "the argument '{argument}' cannot be used with '{}'",
                prior.join("', '")
            ),
        },
        kind if argument.is_empty() => kind.to_string(),
        kind => format!("{kind}: '{argument}'"),
    }
}

/// Returns the texts of one kind in the context of an error.
fn texts(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        Some(ContextValue::StyledStrs(texts)) => texts.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of clap, so that an update which changes them is seen.
    #[test]
    fn message_has_the_words_of_clap() {
        for (arguments, expected) in [
            (
                &["gett"][..],
                "unrecognized subcommand 'gett'; a similar subcommand exists: 'get'",
            ),
            (
                &["get", "--outpu", "json"],
                "unexpected argument '--outpu' found; a similar argument exists: '--output'",
            ),
            (
                &["get", "--output"],
                "a value is required for '--output <FORMAT>' but none was supplied",
            ),
            (
                &["get", "--quiet=yes"],
                "unexpected value 'yes' for '--quiet' found; no more were expected",
            ),
            (
                &["get", "--quiet", "--verbose"],
                "the argument '--quiet' cannot be used with '--verbose'",
            ),
            (
                &["get", "--output", "json", "--output", "json"],
                "the argument '--output <FORMAT>' cannot be used multiple times",
            ),
        ] {
            let arguments = std::iter::once("call-api").chain(arguments.iter().copied());
            let error = Arguments::command()
                .try_get_matches_from(arguments)
                .unwrap_err();
            let found = message(&error);
            assert!(found.starts_with(expected), "{found}");
            let shown = error.to_string();
            let sentence = expected.split(';').next().unwrap_or_default();
            assert!(shown.starts_with(&format!("error: {sentence}")), "{shown}");
        }
    }
}

//! The manual, generated from the command line and the error classes.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::Arguments;
use crate::error::ErrorClass;

/// A section that clap does not generate: its title, and paragraphs, each with an optional term.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const SECTIONS: [Section; 5] = [
    (
        "CONFIGURATION",
        &[
            (
                "",
                "A setting is taken from the first source that has it: the arguments, a profile named with --profile, the environment, the default profile.",
            ),
            (
                "",
                "A profile's token is sent only to that profile's base URL. There is no option for a token, because other users can read arguments in the list of processes.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("CALL_API_BASE_URL", "the base URL of the service"),
            ("CALL_API_TOKEN", "the API token"),
            (
                "CALL_API_TOKEN_FILE",
                "a file with the token, if CALL_API_TOKEN is not set",
            ),
            (
                "CALL_API_PROFILE",
                "the profile to use, unless --profile is given",
            ),
            (
                "CALL_API_SANDBOX_TOKEN",
                "the token of call-api sandbox; required to listen beyond loopback",
            ),
            (
                "CALL_API_SANDBOX_WEBHOOK_SECRET",
                "the secret with which call-api sandbox signs webhooks",
            ),
            ("NO_COLOR", "disables colors if set and not empty"),
            ("TZ", "the time zone used in tables"),
        ],
    ),
    (
        "FILES",
        &[
            (
                "~/.config/call-api/config.toml",
                "profiles; $XDG_CONFIG_HOME replaces ~/.config. Example:",
            ),
            (
                "",
                "profile = \"production\"\n\n[profiles.production]\nbase_url = \"https://calls.example\"\ntoken_file = \"~/.config/call-api/token\"",
            ),
            (
                "",
                "Instead of token_file, token holds the token itself. proxy and cacert are like the options. Relative paths start at the folder of the file. Files with a token should be readable by their owner only (chmod 600).",
            ),
        ],
    ),
    (
        "OUTPUT",
        &[
            (
                "",
                "Calls are printed as a table on a terminal and as JSON elsewhere, unless --output is given. Tables mask phone numbers; the other formats are complete. JSON is that of the service, with unknown properties and nulls; with --typed, it has the form of the API document.",
            ),
            (
                "",
                "Errors are on standard error, one line each. With --json-errors each is a JSON object: {\"error\": {\"class\", \"exit_code\", \"message\", \"id\", \"retryable\", \"status\", ...}}.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[(
            "",
            "SIGINT (Ctrl-C) and SIGTERM end the program cleanly with exit codes 130 and 143. When standard output is closed, it ends with exit code 0.",
        )],
    ),
];

pub(crate) fn page(out: &mut dyn Write) -> io::Result<()> {
    let mut command = Arguments::command();
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut commands = Roff::new();
    commands.control("SH", ["COMMANDS"]);
    for subcommand in command.get_subcommands_mut() {
        render_command(subcommand, &mut commands);
    }
    commands.to_writer(&mut page)?;
    for (title, paragraphs) in SECTIONS {
        render_section(title, paragraphs.iter().copied(), &mut page)?;
    }
    let codes = ErrorClass::ALL.map(|class| (class.code().to_string(), class));
    let codes = codes
        .iter()
        .map(|(code, class)| (code.as_str(), class.meaning()));
    let codes = std::iter::once(("0", "success")).chain(codes);
    render_section("EXIT STATUS", codes, &mut page)?;
    man.render_version_section(&mut page)?;
    out.write_all(&page)?;
    out.flush()
}

fn render_section<'a>(
    title: &str,
    paragraphs: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (term, text) in paragraphs {
        if term.is_empty() {
            roff.control("PP", []);
        } else {
            roff.control("TP", []);
            roff.text([bold(term)]);
        }
        // A text with line breaks is an example.
        let is_example = text.contains('\n');
        if is_example {
            roff.control("EX", []);
        }
        roff.text([roman(text)]);
        if is_example {
            roff.control("EE", []);
        }
    }
    roff.to_writer(out)
}

/// Renders a command with its own arguments. Global options are in the section OPTIONS.
fn render_command(command: &mut Command, roff: &mut Roff) {
    roff.control("SS", [command.get_name()]);
    let usage = command.render_usage().to_string();
    roff.text([bold(usage.trim_start_matches("Usage: "))]);
    for about in [command.get_about(), command.get_long_about()]
        .into_iter()
        .flatten()
    {
        let about = about.to_string();
        // The long description begins with the short one.
        let paragraph = about.rsplit("\n\n").next().unwrap_or(&about);
        roff.control("PP", []);
        roff.text([roman(paragraph)]);
    }
    for argument in command
        .get_arguments()
        .filter(|argument| !argument.is_global_set())
    {
        if argument.get_id() == "help" {
            continue;
        }
        roff.control("TP", []);
        let short = argument.get_short().map(|short| format!("-{short}, "));
        roff.text([bold(short.unwrap_or_default() + &argument.to_string())]);
        let help = argument.get_help().map(ToString::to_string);
        let values = argument.get_possible_values();
        let values: Vec<_> = values.iter().map(|value| value.get_name()).collect();
        let values = match values.as_slice() {
            [] => String::new(),
            values => format!("; one of {}", values.join(", ")),
        };
        roff.text([roman(help.unwrap_or_default() + &values)]);
    }
}

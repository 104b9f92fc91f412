//! The manual, made from the command line's own description and from what the program knows of its errors.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::Arguments;
use crate::failure::Class;

/// What clap doesn't know: title, and paragraphs, each with a term or without one.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const SECTIONS: [Section; 5] = [
    (
        "CONFIGURATION",
        &[
            (
                "",
                "Each setting is taken from the first place that has it: the arguments, a profile named with --profile, the environment, the default profile.",
            ),
            (
                "",
                "A profile's token is sent to that profile's base URL and to no other. A token is never an argument, since other users see those in the list of processes.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("CALL_API_BASE_URL", "where the service is"),
            ("CALL_API_TOKEN", "the token that the service issued"),
            (
                "CALL_API_TOKEN_FILE",
                "a file that holds the token, where CALL_API_TOKEN is not set",
            ),
            (
                "CALL_API_PROFILE",
                "the profile to use where --profile names none",
            ),
            (
                "CALL_API_SANDBOX_TOKEN",
                "the token of call-api sandbox; needed to listen beyond loopback",
            ),
            ("NO_COLOR", "no colors, where it is set and not empty"),
            ("TZ", "the time zone of tables"),
        ],
    ),
    (
        "FILES",
        &[
            (
                "~/.config/call-api/config.toml",
                "profiles; $XDG_CONFIG_HOME replaces ~/.config. For example:",
            ),
            (
                "",
                "profile = \"production\"\n\n[profiles.production]\nbase_url = \"https://calls.example\"\ntoken_file = \"~/.config/call-api/token\"",
            ),
            (
                "",
                "In place of token_file, token holds the token itself. Files that hold a token should be their owner's alone (chmod 600).",
            ),
        ],
    ),
    (
        "OUTPUT",
        &[
            (
                "",
                "On a terminal calls are a table, elsewhere JSON; --output chooses. Tables show contacts without most of their number; the other forms are whole.",
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
            "SIGINT (Ctrl-C) and SIGTERM end the program cleanly, with 130 and 143. Where nobody reads its output any more, it ends with 0.",
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
    let codes = Class::ALL.map(|class| (class.code().to_string(), class));
    let codes = codes
        .iter()
        .map(|(code, class)| (code.as_str(), class.meaning()));
    let codes = std::iter::once(("0", "all went well")).chain(codes);
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
        // A text of several lines is an example.
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

/// A command: what it does, and its own arguments; those of all commands are among the options above.
fn render_command(command: &mut Command, roff: &mut Roff) {
    roff.control("SS", [command.get_name()]);
    let usage = command.render_usage().to_string();
    roff.text([bold(usage.trim_start_matches("Usage: "))]);
    for about in [command.get_about(), command.get_long_about()]
        .into_iter()
        .flatten()
    {
        let about = about.to_string();
        // The long one begins with the short one.
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

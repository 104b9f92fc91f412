//! `import`: imports calls into a database.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::tokens::CHECK_FILE;
use crate::call_json::CallJson;
use crate::{InvalidLine, Progress};

/// The size of the read buffer.
const BUFFER: usize = 1 << 20;
/// Lines between updates of the progress bar.
const STEP: u64 = 1_000;

/// Import calls from JSON lines, one call per line; all of them or none
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The file to read, or - for standard input
    file: PathBuf,
    /// The SQLite database to import into, created if it does not exist
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// The tenant that owns the calls
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: String,
    /// Report and skip lines that are not calls instead of stopping at the first
    #[arg(long)]
    skip_invalid: bool,
}

/// Reads calls to add at the start: one JSON object with an id per line, served unchanged.
pub(super) fn read_calls(path: &Path) -> Result<Vec<CallJson>, String> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the calls in {name}: {error}; {CHECK_FILE}"))?;
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            CallJson::parse(line).map_err(|error| format!("{name}:{number}: {error}"))
        })
        .collect()
}

impl Import {
    pub(crate) fn run(self, warn: &dyn Fn(&str)) -> Result<(), String> {
        let name = self.file.display().to_string();
        let at = |error: io::Error| format!("cannot read {name}: {error}; {CHECK_FILE}");
        if self.file == Path::new("-") {
            return self.read(io::stdin().lock(), None, "standard input", warn);
        }
        let file = File::open(&self.file).map_err(at)?;
        let metadata = file.metadata().map_err(at)?;
        // Pipes and devices have no length.
        let len = metadata.is_file().then_some(metadata.len());
        self.read(BufReader::with_capacity(BUFFER, file), len, &name, warn)
    }

    fn read(
        &self,
        lines: impl BufRead,
        len: Option<u64>,
        name: &str,
        warn: &dyn Fn(&str),
    ) -> Result<(), String> {
        // Drawn on standard error, and only on a terminal.
        let bar = bar(len);
        let mut last = Progress::default();
        let on_invalid = |invalid: InvalidLine| {
            if !self.skip_invalid {
                return Err(io::Error::other(format!(
                    "{name}: {invalid}; fix it, or skip such lines with --skip-invalid; nothing was imported"
                )));
            }
            bar.suspend(|| warn(&format!("{name}: {invalid}; skipped")));
            Ok(())
        };
        let progress = |progress: Progress| {
            if progress.lines.is_multiple_of(STEP) {
                bar.set_position(progress.bytes);
            }
            last = progress;
        };
        let count = crate::import(&self.db, &self.tenant, lines, on_invalid, progress);
        bar.finish_and_clear();
        let count = count.map_err(|error| error.to_string())?;
        let skipped = match last.invalid {
            0 => String::new(),
            1 => ", skipped 1 line".to_owned(),
            count => format!(", skipped {count} lines"),
        };
        let calls = if count == 1 { "call" } else { "calls" };
        let (db, tenant) = (self.db.display(), &self.tenant);
        super::print(format_args!(
            "imported {count} {calls} of tenant {tenant} into {db}{skipped}\n"
        ));
        Ok(())
    }
}

fn bar(len: Option<u64>) -> ProgressBar {
    let (bar, template) = match len {
        Some(len) => (
            ProgressBar::new(len),
            "{bar:30} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {bytes}  {bytes_per_sec}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

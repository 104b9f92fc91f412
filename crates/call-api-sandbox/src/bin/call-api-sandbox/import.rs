//! `call-api-sandbox import`

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use call_api_sandbox::{BadLine, Progress};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

/// How much of the lines is read at once.
const BUFFER: usize = 1 << 20;
/// How often the bar is told of them.
const STEP: u64 = 1_000;

/// Take calls in from JSON lines, one call a line; all of them or none
#[derive(Args)]
pub(crate) struct Import {
    /// The lines' file, or - for standard input
    file: PathBuf,
    /// The SQLite file to take them into, which is made if there is none
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// Whose calls they are
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: String,
    /// Report lines that hold no call and leave them out, rather than stop at the first
    #[arg(long)]
    skip_bad: bool,
}

impl Import {
    pub(crate) fn run(self) -> Result<(), String> {
        let name = self.file.display().to_string();
        let at = |error: io::Error| format!("cannot read {name}: {error}");
        if self.file == Path::new("-") {
            return self.read(io::stdin().lock(), None, "standard input");
        }
        let file = File::open(&self.file).map_err(at)?;
        let metadata = file.metadata().map_err(at)?;
        // What is no file has no length to speak of.
        let len = metadata.is_file().then_some(metadata.len());
        self.read(BufReader::with_capacity(BUFFER, file), len, &name)
    }

    fn read(&self, lines: impl BufRead, len: Option<u64>, name: &str) -> Result<(), String> {
        // On standard error, and only where that is a terminal.
        let bar = bar(len);
        let mut last = Progress::default();
        let bad = |bad: BadLine| {
            if !self.skip_bad {
                return Err(io::Error::other(format!(
                    "{name}: {bad}; mend it, or leave such lines out with --skip-bad; nothing was imported"
                )));
            }
            bar.suspend(|| eprintln!("{name}: {bad}; left out"));
            Ok(())
        };
        let progress = |progress: Progress| {
            if progress.lines.is_multiple_of(STEP) {
                bar.set_position(progress.bytes);
            }
            last = progress;
        };
        let count = call_api_sandbox::import(&self.db, &self.tenant, lines, bad, progress);
        bar.finish_and_clear();
        let count = count.map_err(|error| error.to_string())?;
        let bad = match last.bad {
            0 => String::new(),
            1 => ", 1 line left out".to_owned(),
            bad => format!(", {bad} lines left out"),
        };
        let (db, tenant) = (self.db.display(), &self.tenant);
        crate::say(format_args!(
            "{count} calls of {tenant} are in {db} now{bad}\n"
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

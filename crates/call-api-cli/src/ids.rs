//! Lists of call ids, one per line.

use std::io::{self, BufRead, Read as _};
use std::path::Path;

use call_api::Uuid;

use crate::args::{IdArg, IdArgs};
use crate::error::CliError;
use crate::input;
use crate::ui::Ui;

/// The maximum length of a line, in bytes. Something with longer lines is not a list of ids.
const MAX_LINE: u64 = 1024;

/// The number of invalid lines that are reported.
const MAX_REPORTED: usize = 10;

impl IdArgs {
    /// Returns true if standard input has ids.
    pub(crate) fn uses_standard_input(&self) -> bool {
        let mut arguments = self.ids.iter();
        self.ids_from.as_ref().is_some_and(input::is_dash)
            || arguments.any(|id| matches!(id, IdArg::StandardInput))
    }

    /// Returns true if the result is a list, even of one call.
    pub(crate) fn is_list(&self) -> bool {
        self.ids.len() != 1 || self.uses_standard_input()
    }

    /// Returns the ids. Blocks until they are read.
    pub(crate) fn read(&self, ui: &Ui) -> Result<Vec<Uuid>, CliError> {
        if let Some(path) = &self.ids_from {
            return read(path, self.skip_invalid, ui);
        }
        let mut ids = Vec::new();
        for id in &self.ids {
            match id {
                IdArg::Id(id) => ids.push(*id),
                IdArg::StandardInput => ids.extend(read(Path::new("-"), self.skip_invalid, ui)?),
            }
        }
        Ok(ids)
    }
}

/// Reads ids from a file, or from standard input if the path is `-`. Empty lines and those that start with `#` are ignored.
/// With `skip_invalid`, other lines that are not ids are reported and skipped; without, they are an error.
pub(crate) fn read(path: &Path, skip_invalid: bool, ui: &Ui) -> Result<Vec<Uuid>, CliError> {
    let name = match input::is_dash(path) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let input = input::open(path, "the ids")?;
    let mut lines = Lines { input, number: 0 };
    let (mut ids, mut invalid) = (Vec::new(), 0);
    while let Some(line) = lines
        .next()
        .map_err(|error| input::unreadable(path, "the ids", &error))?
    {
        let number = lines.number;
        let Some(line) = line else {
            let message =
                format!("{name}:{number}: longer than {MAX_LINE} bytes; this is not a list of ids");
            return Err(CliError::usage(message));
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Ok(id) = line.parse() {
            ids.push(id);
            continue;
        }
        invalid += 1;
        let start: String = line.chars().take(40).collect();
        let message =
            format!("{name}:{number}: {start:?} is not a valid call id (expected a UUID)");
        match (skip_invalid, invalid <= MAX_REPORTED) {
            (true, true) => ui.warn(&format!("{message}; skipped")),
            (true, false) => {}
            (false, true) => ui.error(&CliError::usage(message)),
            // Enough to see that this is another kind of file.
            (false, false) => break,
        }
    }
    match (invalid, skip_invalid) {
        (0, _) => {}
        (_, false) => {
            let message = format!(
                "cannot use the ids in {name}: fix these lines, or skip them with --skip-invalid"
            );
            return Err(CliError::usage(message));
        }
        (count, true) if count > MAX_REPORTED => {
            ui.warn(&format!("{name}: skipped {count} invalid lines"));
        }
        (_, true) => {}
    }
    Ok(ids)
}

/// Returns true if each line of a file is an id, as in the files of ids that failed.
pub(crate) fn is_list(path: &Path) -> bool {
    let Ok(input) = input::open(path, "the ids") else {
        return false;
    };
    let mut lines = Lines { input, number: 0 };
    loop {
        match lines.next() {
            Ok(None) => return true,
            Ok(Some(Some(line))) if line.trim().parse::<Uuid>().is_ok() => {}
            // A killed run may have left the start of an id.
            Ok(Some(Some(end))) if end.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') => {}
            _ => return false,
        }
    }
}

struct Lines {
    input: Box<dyn BufRead>,
    /// The number of the latest line.
    number: u64,
}

impl Lines {
    /// Returns the next line; the inner `None` stands for one that is too long.
    fn next(&mut self) -> io::Result<Option<Option<String>>> {
        let mut line = Vec::new();
        let read = (&mut self.input)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read as u64 == MAX_LINE && !line.ends_with(b"\n") {
            return Ok(Some(None));
        }
        let line = String::from_utf8_lossy(&line);
        let line = match self.number {
            1 => line.strip_prefix('\u{feff}').unwrap_or(&line),
            _ => &line,
        };
        Ok(Some(Some(line.to_owned())))
    }
}

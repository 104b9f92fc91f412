//! Standard output.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Standard output. Colors are used on terminals, unless `NO_COLOR` is set.
pub(crate) fn stdout() -> anstream::AutoStream<io::StdoutLock<'static>> {
    anstream::stdout().lock()
}

/// Prints a line.
pub(crate) fn print_line(line: impl Display) -> io::Result<()> {
    let mut out = stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

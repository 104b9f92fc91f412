//! `sandbox`: runs a local server for the API.

use std::io::ErrorKind;

use call_api_sandbox::program::Arguments;

use crate::error::{CliError, ErrorClass};
use crate::ui::Ui;

/// Serves until Ctrl-C or SIGTERM, which is not an error.
pub(crate) fn run(arguments: Arguments, ui: &Ui) -> Result<(), CliError> {
    let result = arguments.run(&|warning| ui.warn(warning));
    result.map_err(|error| {
        let class = match error.kind() {
            ErrorKind::InvalidInput => ErrorClass::Config,
            _ => ErrorClass::Failed,
        };
        CliError::new(class, error.to_string())
    })
}

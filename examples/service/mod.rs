//! Shared by the examples: the service that they use (that of the environment, or a sandbox), and their exit.

#![allow(dead_code, reason = "no example uses everything")]

use std::error::Error;
use std::process::ExitCode;

use call_api::{BASE_URL_VARIABLE, Client, DEFAULT_BASE_URL, TOKEN_VARIABLE, Uuid};
use call_api_sandbox::Sandbox;

/// A client, and the sandbox that it uses unless the environment names a service.
pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) sandbox: Option<Sandbox>,
}

impl Service {
    /// Returns the service of the environment if `CALL_API_BASE_URL` or `CALL_API_TOKEN` is set. Otherwise starts a sandbox.
    pub(crate) async fn find() -> Result<Self, Box<dyn Error>> {
        let is_set = |name| std::env::var_os(name).is_some();
        if is_set(BASE_URL_VARIABLE) || is_set(TOKEN_VARIABLE) {
            if !is_set(BASE_URL_VARIABLE) {
                println!(
                    "{BASE_URL_VARIABLE} is not set: using {}, the server of the API's document.",
                    DEFAULT_BASE_URL.unwrap_or("none")
                );
            }
            return Ok(Self {
                client: Client::from_env()?,
                sandbox: None,
            });
        }
        let sandbox = Sandbox::start().await?;
        println!("Started the sandbox, a local server for the API.");
        let client = Client::builder()
            .base_url(sandbox.base_url())
            .token(sandbox.token())
            .build()?;
        Ok(Self {
            client,
            sandbox: Some(sandbox),
        })
    }
}

/// Prints how to run the example with a real service, if it used the sandbox.
pub(crate) fn print_next(service: &Service, what: &str, command: &str) {
    if service.sandbox.is_some() {
        println!();
        println!("{what}:");
        println!("  {BASE_URL_VARIABLE}=https://… {TOKEN_VARIABLE}=… {command}");
    }
}

/// Parses the id of a call from an argument.
pub(crate) fn call_id(argument: &str) -> Result<Uuid, String> {
    argument.parse().map_err(|error| {
        let example = Sandbox::EXAMPLE_ID;
        format!("{argument:?} is not a call id: {error}; give one such as {example}")
    })
}

/// Prints an error, and returns the exit code.
pub(crate) fn exit(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

//! What the examples share: whom they ask (the service that the environment names, or else a sandbox, which is the API on
//! this machine), and how they end.

#![allow(dead_code, reason = "each example uses its part")]

use std::error::Error;
use std::process::ExitCode;

use call_api::{BASE_URL_VARIABLE, Client, DEFAULT_BASE_URL, TOKEN_VARIABLE, Uuid};
use call_api_sandbox::Sandbox;

/// A client, and the sandbox that it asks, if that is whom.
pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) sandbox: Option<Sandbox>,
}

impl Service {
    /// With `CALL_API_BASE_URL` or `CALL_API_TOKEN` set, the service that they name.
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
        println!("Started the sandbox: the API, on this machine only.");
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

/// How to run an example on a real service, if it was not.
pub(crate) fn print_next(service: &Service, what: &str, command: &str) {
    if service.sandbox.is_some() {
        println!();
        println!("{what}:");
        println!("  {BASE_URL_VARIABLE}=https://… {TOKEN_VARIABLE}=… {command}");
    }
}

/// The id of a call, as it was given as an argument.
pub(crate) fn call_id(argument: &str) -> Result<Uuid, String> {
    argument.parse().map_err(|error| {
        let example = Sandbox::EXAMPLE_ID;
        format!("{argument:?} is no id of a call: {error}; give one such as {example}")
    })
}

/// What `main` returns: an error is told first.
pub(crate) fn exit(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

//! The commands of the sandbox program, which `call-api sandbox` has too.

mod healthcheck;
mod import;
mod scenario;
mod tokens;

use std::fmt::Display;
use std::fs;
use std::future::{self, Future};
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use call_api_types::CallStatus;
use clap::{Args, Subcommand, ValueEnum};

use crate::auth::InvalidToken;
use crate::cors::Cors;
use crate::{Clock, InvalidWebhook, Sandbox, SandboxBuilder, Script, Webhook};
use healthcheck::Healthcheck;
use import::Import;
use scenario::Scenario;
use tokens::{TOKEN, Tokens};

/// The time limit for slow clients.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The number of logged requests without the control API.
const PAGE_LOG: usize = 1_000;

/// The environment variables, for the help.
pub const ENVIRONMENT: &str = "\
Environment:
  CALL_API_SANDBOX_TOKEN
          the Bearer token; required beyond loopback, unless --tokens is given
  CALL_API_SANDBOX_CONTROL_TOKEN
          the Bearer token of the control API, like --control-token
  CALL_API_SANDBOX_WEBHOOK_SECRET
          the secret of webhooks, like --webhook-secret-file";

/// The arguments of the program.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(Import),
    Healthcheck(Healthcheck),
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Sandbox")]
struct Serve {
    /// The address to listen on: an address and a port, localhost:PORT, or a port; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", default_value = "3000", value_parser = parse_listen)]
    listen: SocketAddr,
    /// Store the calls in this SQLite file, created if it does not exist [default: in memory]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Add the calls in this file at the start, one JSON object per line
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    /// Start with the calls, scripts, faults, tokens and webhooks in this YAML file, or with the calls in a file of JSON lines
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Serve the operations of another API: an operations.json, as codegen writes it into the workspace of an SDK
    #[arg(long, value_name = "FILE", conflicts_with_all = ["calls", "scenario", "script", "webhook"])]
    operations: Option<PathBuf>,
    /// Run the example call through the script that ends with this status
    #[arg(long, value_name = "STATUS", value_parser = parse_ending)]
    script: Option<Script>,
    /// A file of tokens, one per line: TOKEN, or TENANT TOKEN
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Serve the control API under /_sandbox, for clients on this machine only
    #[arg(long, group = "controls")]
    control: bool,
    /// Serve the control API to clients on any machine that send the Bearer token in this file
    #[arg(long, value_name = "FILE", group = "controls")]
    control_token: Option<PathBuf>,
    /// Let web pages of this origin, such as http://localhost:5173, read responses (CORS); repeatable, * allows all
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<String>,
    /// Send a webhook to this URL when the status of a call changes; repeatable
    #[arg(long, value_name = "URL", value_parser = parse_webhook)]
    webhook: Vec<Webhook>,
    /// Sign webhooks as Standard Webhooks specifies, with the secret in this file: Base64, with or without whsec_ before it
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
    /// Run the clock of scripted calls this many times faster
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = parse_count, allow_negative_numbers = true)]
    speed: u32,
    /// Move the clock of scripted calls only with the control API
    #[arg(long, conflicts_with = "speed", requires = "controls")]
    stepped: bool,
    /// The maximum number of open connections; a new client then replaces the longest idle one
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = parse_count, allow_negative_numbers = true)]
    max_connections: u32,
    /// Log each request to standard error
    #[arg(long, value_name = "FORMAT", default_value = "off")]
    log: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Off,
    Text,
    Json,
}

/// Parses an address, `localhost:PORT`, or a port of 127.0.0.1.
fn parse_listen(text: &str) -> Result<SocketAddr, &'static str> {
    let port = text.strip_prefix("localhost:").unwrap_or(text);
    if let Ok(port) = port.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let expected =
        "expected an address such as 127.0.0.1:3000 or [::1]:3000, localhost:PORT, or a port";
    text.parse().map_err(|_| expected)
}

/// Parses the URL of a receiver of webhooks.
fn parse_webhook(text: &str) -> Result<Webhook, InvalidWebhook> {
    Webhook::new(text)
}

/// Parses a final status into its predefined script.
/// Parses a positive number. The errors of the standard library are about types.
fn parse_count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("must be a whole number from 1 to {}", u32::MAX)),
    }
}

fn parse_ending(text: &str) -> Result<Script, String> {
    Script::ending(&CallStatus::from(text)).ok_or_else(|| {
        let endings = CallStatus::KNOWN.iter().filter(|status| status.is_ended());
        let endings: Vec<_> = endings.map(CallStatus::as_str).collect();
        format!("expected one of {}", endings.join(", "))
    })
}

impl Arguments {
    /// Runs the command. `warn` is invoked with each line that an import skips.
    ///
    /// # Errors
    /// One line that says what failed and what to do; [`InvalidInput`](ErrorKind::InvalidInput) for a setting.
    pub fn run(self, warn: &dyn Fn(&str)) -> io::Result<()> {
        match self.command {
            Some(Command::Import(import)) => import.run(warn).map_err(io::Error::other),
            Some(Command::Healthcheck(check)) => check.run(),
            None => self.serve.run(),
        }
    }
}

impl Serve {
    fn run(self) -> io::Result<()> {
        self.log.start();
        let tokens = Tokens::read(self.tokens.as_deref()).map_err(invalid)?;
        let control = tokens::control(self.control_token.as_deref()).map_err(invalid)?;
        Cors::new(self.cors.clone()).map_err(invalid)?;
        let mut scenario = match &self.scenario {
            Some(file) => Scenario::read(file).map_err(invalid)?,
            None => Scenario::default(),
        };
        if let Some(file) = &self.calls {
            scenario.add_calls(file).map_err(invalid)?;
        }
        let webhooks = self.webhooks(&scenario).map_err(invalid)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                io::Error::other(format!("cannot start the Tokio runtime: {error}"))
            })?;
        runtime.block_on(self.serve(tokens, control, scenario, webhooks))
    }

    /// Returns the receivers of webhooks of the arguments and of the scenario.
    fn webhooks(&self, scenario: &Scenario) -> Result<Vec<Webhook>, String> {
        let file = self.webhook_secret_file.as_deref();
        let webhooks = self.webhook.iter().cloned().chain(scenario.webhooks()?);
        let webhooks: Vec<_> = webhooks.collect();
        if webhooks.is_empty() {
            return match file {
                Some(file) => Err(format!(
                    "no webhook to sign with the secret in {}: add a receiver with --webhook URL",
                    file.display()
                )),
                None => Ok(webhooks),
            };
        }
        let Some(secret) = tokens::webhook_secret(file)? else {
            return Ok(webhooks);
        };
        webhooks
            .into_iter()
            .map(|webhook| webhook.default_secret(&secret))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())
    }

    async fn serve(
        self,
        tokens: Tokens,
        control_token: Option<String>,
        scenario: Scenario,
        webhooks: Vec<Webhook>,
    ) -> io::Result<()> {
        // Before the greeting, so that Ctrl-C works as soon as it is printed.
        let shutdown = shutdown_signal()
            .map_err(|error| io::Error::other(format!("cannot listen for Ctrl-C: {error}")))?;
        let has_control = self.control || control_token.is_some();
        let listen = self.listen;
        let is_of_call_api = self.operations.is_none();
        let mut tokens = tokens;
        if let Some(file) = &self.scenario {
            tokens.add(scenario.tokens(), file);
        }
        let (description, source) = (tokens.description(), tokens.source());
        let mut builder = scenario.apply(self.builder(has_control)?)?;
        if let Some(token) = control_token {
            builder = builder.control_token(token);
        }
        for (tenant, token) in tokens.tenants {
            builder = builder.tenant(tenant, token);
        }
        for webhook in webhooks {
            builder = builder.webhook(webhook);
        }
        let sandbox = builder.start().await.map_err(|error| {
            let is_about_token = error.get_ref().is_some_and(|cause| cause.is::<InvalidToken>());
            let message = match error.kind() {
                ErrorKind::AddrInUse => format!(
                    "cannot listen on {listen}: another program uses this port; stop it, or use a free port: --listen {}",
                    SocketAddr::new(listen.ip(), 0),
                ),
                ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
                    format!("{error}; use another address with --listen")
                }
                _ if is_about_token => format!("{error}, in {source}"),
                _ => error.to_string(),
            };
            io::Error::new(error.kind(), message)
        })?;
        print(match is_of_call_api {
            true => greeting(&sandbox, description.as_ref(), has_control),
            false => short_greeting(&sandbox, description.as_ref()),
        });
        shutdown.await;
        sandbox.shutdown().await;
        Ok(())
    }

    fn builder(self, has_control: bool) -> io::Result<SandboxBuilder> {
        let mut builder = Sandbox::builder()
            .listen(self.listen)
            .control(has_control)
            // The pages are about the call API.
            .pages(self.operations.is_none())
            .clock(match self.stepped {
                true => Clock::manual(),
                false => Clock::scaled(self.speed),
            })
            .max_connections(usize::try_from(self.max_connections).unwrap_or(usize::MAX))
            .client_timeout(CLIENT_TIMEOUT);
        // Without the control API, only the pages read the log.
        if !has_control {
            builder = builder.max_logged_for_pages(match self.operations {
                None => PAGE_LOG,
                Some(_) => 0,
            });
        }
        for origin in self.cors {
            builder = builder.cors_origin(origin);
        }
        if let Some(file) = self.db {
            builder = builder.database(file);
        }
        if let Some(script) = self.script {
            builder = builder.run(Sandbox::example_call(), script);
        }
        if let Some(file) = self.operations {
            let name = file.display();
            let cannot_read =
                |reason: String| io::Error::other(format!("cannot read {name}: {reason}"));
            let text = fs::read_to_string(&file).map_err(|error| cannot_read(error.to_string()))?;
            builder = builder
                .operations(&text)
                .map_err(|error| cannot_read(error.to_string()))?;
        }
        Ok(builder)
    }
}

impl LogFormat {
    /// Starts logging requests. The library keeps tokens and ids out of the events.
    fn start(self) {
        let builder = tracing_subscriber::fmt().with_writer(io::stderr);
        match self {
            Self::Off => {}
            Self::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
            Self::Json => builder.json().flatten_event(true).init(),
        }
    }
}

/// Returns the address and the token, for a sandbox of another API.
fn short_greeting(sandbox: &Sandbox, configured: Option<&(String, String)>) -> String {
    let url = sandbox.base_url();
    let token = configured.map_or(sandbox.token(), |(_, shown)| shown);
    format!("Listening on {url} (stop with Ctrl-C)\n\n  token  {token}\n")
}

/// Returns the instructions to print at the start, ready to paste. A configured token is named, not printed.
fn greeting(sandbox: &Sandbox, configured: Option<&(String, String)>, has_control: bool) -> String {
    let url = sandbox.base_url();
    let id = Sandbox::EXAMPLE_ID;
    let (token, shown) = configured.cloned().unwrap_or_else(|| {
        let token = sandbox.token();
        (
            token.to_owned(),
            format!("{token} (set {TOKEN} to change it)"),
        )
    });
    let control = match has_control {
        true => format!("\nControl API:\n  {url}/_sandbox/openapi.json\n"),
        false => String::new(),
    };
    format!(
        "\
Listening on {url} (stop with Ctrl-C)

  call   {id}
  token  {shown}

In a browser:
  {url}/_sandbox/      the calls, updated live
  {url}/_sandbox/docs  the API reference
{control}
With curl:
  curl -H \"Authorization: Bearer {token}\" {url}/v1/call/{id}

With the SDK or the call-api program:
  export CALL_API_BASE_URL={url}
  export CALL_API_TOKEN={token}
  call-api get {id}
"
    )
}

fn invalid(message: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, message)
}

/// Ready on Ctrl-C or SIGTERM.
#[cfg(unix)]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    use std::task::Poll;
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(future::poll_fn(move |context| {
        let signals = [interrupt.poll_recv(context), terminate.poll_recv(context)];
        match signals.iter().any(Poll::is_ready) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }))
}

/// Ready on Ctrl-C.
#[cfg(not(unix))]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Ctrl-C then ends the process directly.
            future::pending::<()>().await;
        }
    })
}

/// Prints, ignoring errors: the server is useful even if nobody reads its output.
fn print(text: impl Display) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_accepts_addresses_localhost_and_ports() {
        for (text, expected) in [
            ("3000", "127.0.0.1:3000"),
            ("localhost:1", "127.0.0.1:1"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:3000", "[::1]:3000"),
        ] {
            assert_eq!(parse_listen(text).unwrap().to_string(), expected);
        }
        for text in ["", "localhost", "127.0.0.1", "65536", "example.org:80"] {
            assert!(parse_listen(text).is_err(), "{text}");
        }
    }
}

//! The sandbox program: `cargo run -p call-api-sandbox`.

mod import;
mod tokens;

use std::fmt::Display;
use std::future::{self, Future};
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use call_api_sandbox::{Clock, Sandbox};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::import::Import;
use crate::tokens::{TOKEN, Tokens};

/// The address in the API reference.
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// The time limit for slow clients.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

const FAILED: u8 = 1;

/// A local server for the call API, with the example call of the API reference and any calls you add
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
struct Arguments {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Environment:
  CALL_API_SANDBOX_TOKEN  the Bearer token; required to listen beyond loopback, unless --token-file is given";

#[derive(Subcommand)]
enum Command {
    Import(Import),
}

#[derive(Args)]
struct Serve {
    /// The address to listen on; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", default_value_t = ADDRESS)]
    listen: SocketAddr,
    /// Store the calls in this SQLite file, created if it does not exist [default: in memory]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// A file of tokens, one per line: TOKEN, or TENANT TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Serve the control API under /_sandbox, for clients on this machine only
    #[arg(long)]
    control: bool,
    /// Run the clock of scripted calls this many times faster
    #[arg(long, value_name = "TIMES", default_value_t = 1)]
    speed: u32,
    /// Move the clock of scripted calls only with /_sandbox/clock/advance
    #[arg(long, conflicts_with = "speed", requires = "control")]
    stepped: bool,
    /// The maximum number of open connections; further clients wait
    #[arg(long, value_name = "COUNT", default_value_t = 1024)]
    max_connections: usize,
    /// LogFormat each request to standard error
    #[arg(long, value_name = "FORMAT", default_value = "off")]
    log: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Off,
    Text,
    Json,
}

fn main() -> ExitCode {
    let Arguments { serve, command } = Arguments::parse();
    let done = match command {
        Some(Command::Import(import)) => import.run(),
        None => serve.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "call-api-sandbox: {error}");
            ExitCode::from(FAILED)
        }
    }
}

impl Serve {
    fn run(self) -> Result<(), String> {
        self.log.start();
        let tokens = Tokens::read(self.token_file.as_deref())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start the Tokio runtime: {error}"))?;
        runtime.block_on(self.serve(tokens))
    }

    async fn serve(self, tokens: Tokens) -> Result<(), String> {
        // Before the greeting, so that Ctrl-C works as soon as it is printed.
        let shutdown =
            shutdown_signal().map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
        let listen = self.listen;
        let mut builder = Sandbox::builder()
            .listen(listen)
            .control(self.control)
            .pages(true)
            .clock(match self.stepped {
                true => Clock::manual(),
                false => Clock::scaled(self.speed),
            })
            .max_connections(self.max_connections)
            .client_timeout(CLIENT_TIMEOUT);
        // Only the control API can read the log.
        if !self.control {
            builder = builder.max_logged(0);
        }
        if let Some(file) = self.db {
            builder = builder.database(file);
        }
        let (description, source) = (tokens.description(), tokens.source());
        let is_control_rejected = self.control && !listen.ip().to_canonical().is_loopback();
        for (tenant, token) in tokens.tenants {
            builder = builder.tenant(tenant, token);
        }
        let sandbox = builder.start().await.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => format!(
                "cannot listen on {listen}: another program uses this port; stop it, or use a free port: --listen {}",
                SocketAddr::new(listen.ip(), 0),
            ),
            ErrorKind::InvalidInput if !is_control_rejected => format!("{error}, in {source}"),
            ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
                format!("{error}; use another address with --listen")
            }
            _ => error.to_string(),
        })?;
        print(greeting(&sandbox, description.as_ref(), self.control));
        shutdown.await;
        sandbox.shutdown().await;
        Ok(())
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
  {url}/      the calls, updated live
  {url}/docs  the API reference
{control}
With curl:
  curl -H \"Authorization: Bearer {token}\" {url}/v1/call/{id}

With the SDK or the call-api program:
  export CALL_API_BASE_URL={url}
  export CALL_API_TOKEN={token}
"
    )
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

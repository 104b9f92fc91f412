//! The sandbox as a program: `cargo run -p call-api-sandbox`.

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

/// Where the API's reference has it.
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// How long a client may be slow.
const PATIENCE: Duration = Duration::from_secs(30);

const FAILED: u8 = 1;

/// The call API on your own machine: serves the example call of the API's reference, and those that you give it
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
  CALL_API_SANDBOX_TOKEN  the Bearer token to ask with; needed to listen beyond loopback, or else --token-file";

#[derive(Subcommand)]
enum Command {
    Import(Import),
}

#[derive(Args)]
struct Serve {
    /// Where to listen: [::1]:3000 for IPv6, port 0 for any free one
    #[arg(long, value_name = "ADDRESS", default_value_t = ADDRESS)]
    listen: SocketAddr,
    /// Keep the calls in this SQLite file, which is made if there is none; in memory without
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// A file with tokens, one a line: TOKEN, or TENANT TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Serve the sandbox's own operations under /_sandbox, to this machine only
    #[arg(long)]
    control: bool,
    /// How many seconds pass in one for calls that live
    #[arg(long, value_name = "TIMES", default_value_t = 1)]
    speed: u32,
    /// Have no time pass for calls that live but what /_sandbox/clock/advance says
    #[arg(long, conflicts_with = "speed", requires = "control")]
    stepped: bool,
    /// How many connections there are at most; others wait
    #[arg(long, value_name = "COUNT", default_value_t = 1024)]
    max_connections: usize,
    /// Log each request to standard error
    #[arg(long, value_name = "FORM", default_value = "off")]
    log: Log,
}

#[derive(Clone, Copy, ValueEnum)]
enum Log {
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
            .map_err(|error| format!("cannot start Tokio's threads: {error}"))?;
        runtime.block_on(self.serve(tokens))
    }

    async fn serve(self, tokens: Tokens) -> Result<(), String> {
        // Before anybody is told that there is something to end.
        let ended = end().map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
        let listen = self.listen;
        let mut builder = Sandbox::builder()
            .listen(listen)
            .control(self.control)
            .pages(true)
            .clock(match self.stepped {
                true => Clock::stepped(),
                false => Clock::times(self.speed),
            })
            .max_connections(self.max_connections)
            .client_timeout(PATIENCE);
        // Nobody can ask for what is logged.
        if !self.control {
            builder = builder.logged(0);
        }
        if let Some(file) = self.db {
            builder = builder.database(file);
        }
        let (shown, place) = (tokens.shown(), tokens.place());
        let is_control_refused = self.control && !listen.ip().to_canonical().is_loopback();
        for (tenant, token) in tokens.tenants {
            builder = builder.tenant(tenant, token);
        }
        let sandbox = builder.start().await.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => format!(
                "cannot listen on {listen}: another program has this port; end it, or take a free one: --listen {}",
                SocketAddr::new(listen.ip(), 0),
            ),
            ErrorKind::InvalidInput if !is_control_refused => format!("{error}, in {place}"),
            ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
                format!("{error}; give another address with --listen")
            }
            _ => error.to_string(),
        })?;
        say(greeting(&sandbox, shown.as_ref(), self.control));
        ended.await;
        sandbox.shutdown().await;
        Ok(())
    }
}

impl Log {
    /// Has each request logged. The library sees to it that there is no token in there, and nobody's number.
    fn start(self) {
        let builder = tracing_subscriber::fmt().with_writer(io::stderr);
        match self {
            Self::Off => {}
            Self::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
            Self::Json => builder.json().flatten_event(true).init(),
        }
    }
}

/// What one needs to know to use it, ready to be pasted. A token of one's own is named, not printed.
fn greeting(sandbox: &Sandbox, own: Option<&(String, String)>, has_control: bool) -> String {
    let url = sandbox.base_url();
    let id = Sandbox::EXAMPLE_ID;
    let (token, shown) = own.cloned().unwrap_or_else(|| {
        let token = sandbox.token();
        (
            token.to_owned(),
            format!("{token} (set {TOKEN} for another)"),
        )
    });
    let control = match has_control {
        true => format!("\nControl it:\n  {url}/_sandbox/openapi.json says how\n"),
        false => String::new(),
    };
    format!(
        "\
The call API listens on {url}, until Ctrl-C.

  call   {id}
  token  {shown}

Look at it:
  {url}/ has its calls as they change, {url}/docs the reference
{control}
Ask it:
  curl -H \"Authorization: Bearer {token}\" {url}/v1/call/{id}

Have the SDK ask it:
  export CALL_API_BASE_URL={url}
  export CALL_API_TOKEN={token}
"
    )
}

/// Ready when the program is asked to end: by Ctrl-C, or by what ends services.
#[cfg(unix)]
fn end() -> io::Result<impl Future<Output = ()>> {
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

/// Ready when the program is asked to end, by Ctrl-C.
#[cfg(not(unix))]
fn end() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without it the program ends as the system ends it.
            future::pending::<()>().await;
        }
    })
}

/// Prints, whether or not somebody still reads: what listens is of use without.
fn say(text: impl Display) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

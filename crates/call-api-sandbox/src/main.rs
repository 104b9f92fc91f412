//! The sandbox as a program: `cargo run -p call-api-sandbox`.

use std::env::{self, VarError};
use std::ffi::OsString;
use std::fmt::Display;
use std::future::{self, Future};
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use call_api_sandbox::Sandbox;

/// Where the API's reference has it.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// The environment's variable with the token, which so stands in no list of processes.
const TOKEN: &str = "CALL_API_SANDBOX_TOKEN";

const FAILED: u8 = 1;
const USAGE: u8 = 2;

const HELP: &str = "\
The call API on your own machine: serves the example call of the API's reference.

Usage: call-api-sandbox [--listen ADDRESS]

Options:
      --listen ADDRESS  where to listen, such as 127.0.0.1:3000 (the default) or [::1]:0, any free port
  -h, --help            print this
  -V, --version         print the version

Environment:
  CALL_API_SANDBOX_TOKEN  the Bearer token to ask with; needed to listen beyond loopback
";

/// What the arguments ask for.
#[derive(Debug, PartialEq)]
enum Command {
    Serve(SocketAddr),
    Help,
    Version,
}

fn main() -> ExitCode {
    let command = match parse(env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => return fail(USAGE, error),
    };
    match command {
        Command::Help => say(HELP),
        Command::Version => say(concat!(
            "call-api-sandbox ",
            env!("CARGO_PKG_VERSION"),
            "\n"
        )),
        Command::Serve(address) => {
            if let Err(error) = run(address) {
                return fail(FAILED, error);
            }
        }
    }
    ExitCode::SUCCESS
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut address = ADDRESS;
    while let Some(argument) = arguments.next() {
        let argument = argument.to_string_lossy();
        match &*argument {
            "-h" | "--help" => return Ok(Command::Help),
            "-V" | "--version" => return Ok(Command::Version),
            "--listen" => {
                let value = arguments.next().unwrap_or_default();
                address = parse_address(&value.to_string_lossy())?;
            }
            other => match other.strip_prefix("--listen=") {
                Some(value) => address = parse_address(value)?,
                None => return Err(format!("unexpected argument `{other}`; see `--help`")),
            },
        }
    }
    Ok(Command::Serve(address))
}

fn parse_address(value: &str) -> Result<SocketAddr, String> {
    value.parse().map_err(|_| {
        format!("--listen: `{value}` is no address; give an IP address and a port, such as {ADDRESS} or [::1]:0")
    })
}

fn run(address: SocketAddr) -> Result<(), String> {
    let own_token = match env::var(TOKEN) {
        Ok(token) => Some(token),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => {
            return Err(format!("{TOKEN} is no text; give it ASCII without spaces"));
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start Tokio's threads: {error}"))?;
    runtime.block_on(serve(address, own_token))
}

async fn serve(address: SocketAddr, own_token: Option<String>) -> Result<(), String> {
    // Before anybody is told that there is something to end.
    let ended = end().map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    let has_own_token = own_token.is_some();
    let mut builder = Sandbox::builder().listen(address);
    if let Some(token) = own_token {
        builder = builder.token(token);
    }
    let sandbox = builder.start().await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => format!(
            "cannot listen on {address}: another program has this port; end it, or take a free one: --listen {}",
            SocketAddr::new(address.ip(), 0),
        ),
        ErrorKind::InvalidInput => format!("{error}, in {TOKEN}"),
        _ => format!("{error}; give another address with --listen"),
    })?;
    say(&greeting(&sandbox, has_own_token));
    ended.await;
    sandbox.shutdown().await;
    Ok(())
}

/// What one needs to know to use it, ready to be pasted. A token of one's own is named, not printed.
fn greeting(sandbox: &Sandbox, has_own_token: bool) -> String {
    let url = sandbox.base_url();
    let id = Sandbox::EXAMPLE_ID;
    let (token, shown) = if has_own_token {
        (format!("${TOKEN}"), format!("the one in {TOKEN}"))
    } else {
        let token = sandbox.token();
        (
            token.to_owned(),
            format!("{token} (set {TOKEN} for another)"),
        )
    };
    format!(
        "\
The call API listens on {url}, until Ctrl-C.

  call   {id}
  token  {shown}

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
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn fail(code: u8, error: impl Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "call-api-sandbox: {error}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn arguments_are_few() {
        let serve = |address: &str| Ok(Command::Serve(address.parse().unwrap()));
        assert_eq!(parsed(&[]), serve("127.0.0.1:3000"));
        assert_eq!(parsed(&["--listen", "[::1]:0"]), serve("[::1]:0"));
        assert_eq!(parsed(&["--listen=0.0.0.0:80"]), serve("0.0.0.0:80"));
        assert_eq!(
            parsed(&["--listen=127.0.0.1:1", "--help"]),
            Ok(Command::Help)
        );
        assert_eq!(parsed(&["-V"]), Ok(Command::Version));
    }

    #[test]
    fn what_is_wrong_with_an_argument_is_said() {
        assert_eq!(
            parsed(&["--port", "1"]),
            Err("unexpected argument `--port`; see `--help`".to_owned())
        );
        for arguments in [
            ["--listen", "localhost:1"].as_slice(),
            &["--listen=localhost:1"],
        ] {
            assert_eq!(
                parsed(arguments),
                Err("--listen: `localhost:1` is no address; \
                     give an IP address and a port, such as 127.0.0.1:3000 or [::1]:0"
                    .to_owned())
            );
        }
        assert!(parsed(&["--listen"]).is_err());
    }
}

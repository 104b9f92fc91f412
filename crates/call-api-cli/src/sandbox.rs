//! `sandbox`: serves the API on this machine.

use std::env;
use std::io::{self, Write as _};
use std::net::SocketAddr;

use call_api::{BASE_URL_VARIABLE, TOKEN_VARIABLE};
use call_api_sandbox::Sandbox;

use crate::failure::{Class, End, Failure};

/// The environment variable with a token of one's own.
const SANDBOX_TOKEN_VARIABLE: &str = "CALL_API_SANDBOX_TOKEN";

/// Serves until Ctrl-C, which is how it is meant to end.
pub(crate) fn run(listen: SocketAddr) -> Result<(), End> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(Class::Failed, format!("cannot start: {error}; try again"))
        })?;
    runtime.block_on(async {
        tokio::select! {
            result = serve(listen) => result,
            _ = crate::stop() => Ok(()),
        }
    })
}

async fn serve(listen: SocketAddr) -> Result<(), End> {
    let token = env::var(SANDBOX_TOKEN_VARIABLE).ok();
    let mut builder = Sandbox::builder()
        .listen(listen)
        // Nobody can ask for what is logged.
        .max_logged(0);
    if let Some(token) = &token {
        builder = builder.token(token);
    }
    let sandbox = builder.start().await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::new(
            Class::Failed,
            format!(
                "cannot listen on {listen}: another program has this port; end it, or take a free one: --listen {}",
                SocketAddr::new(listen.ip(), 0)
            ),
        ),
        io::ErrorKind::InvalidInput => {
            Failure::config(format!("{error}, in {SANDBOX_TOKEN_VARIABLE}"))
        }
        _ => Failure::new(Class::Failed, format!("{error}; give another address with --listen")),
    })?;
    // What listens is of use even where nobody reads this.
    let _ = greet(&sandbox, token.is_some());
    std::future::pending().await
}

/// Says what one needs to ask it, ready to be pasted. A token of one's own is named, not printed.
fn greet(sandbox: &Sandbox, has_own_token: bool) -> io::Result<()> {
    let token = match has_own_token {
        true => format!("${SANDBOX_TOKEN_VARIABLE}"),
        false => sandbox.token().to_owned(),
    };
    let mut out = crate::output::stdout();
    write!(
        out,
        "\
The call API listens on {url}, until Ctrl-C. In another shell:

  export {BASE_URL_VARIABLE}={url}
  export {TOKEN_VARIABLE}={token}
  call-api get {id}
",
        url = sandbox.base_url(),
        id = Sandbox::EXAMPLE_ID,
    )?;
    out.flush()
}

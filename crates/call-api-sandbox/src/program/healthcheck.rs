//! `healthcheck`: asks a running sandbox whether it serves, for containers, which have no other client.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use clap::Args;

/// The time limit of each step.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Succeed if a sandbox serves at an address
#[derive(Args, Debug)]
pub(crate) struct Healthcheck {
    /// The address of the sandbox: an address and a port, localhost:PORT, or a port
    #[arg(default_value = "3000", value_parser = super::parse_listen)]
    address: SocketAddr,
}

impl Healthcheck {
    pub(crate) fn run(&self) -> io::Result<()> {
        let address = self.address;
        let failed = |reason: &dyn std::fmt::Display| {
            io::Error::other(format!("no sandbox serves at {address}: {reason}"))
        };
        let status = ask(address).map_err(|error| failed(&error))?;
        match status.split(' ').nth(1) {
            Some("200") => Ok(()),
            _ => Err(failed(&format!("the response is {:?}", status.trim_end()))),
        }
    }
}

/// Returns the first line of the response.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request =
        format!("GET /_sandbox/healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut start = [0; 64];
    let read = stream.read(&mut start)?;
    let start = String::from_utf8_lossy(&start[..read]);
    Ok(start.lines().next().unwrap_or_default().to_owned())
}

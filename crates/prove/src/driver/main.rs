// Written by `cargo xtask prove`: answers questions about the generated types and the generated client.

use std::any::TypeId;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use call_api_types as types;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The stack size that every decoder must fit into.
const STACK: usize = 2 << 20;

fn round_trip<T: DeserializeOwned + Serialize>(sample: &str) -> Result<String, String> {
    let value: T = serde_json::from_str(sample).map_err(|error| error.to_string())?;
    serde_json::to_string(&value).map_err(|error| format!("cannot be encoded: {error}"))
}

/// Returns the size of a type, and true if it accepts any JSON value.
fn size_of_type<T: 'static>() -> Option<(usize, bool)> {
    Some((size_of::<T>(), TypeId::of::<T>() == TypeId::of::<serde_json::Value>()))
}

fn answer(sender: &requests::Sender, question: &str) -> Result<String, String> {
    let mut parts = question.splitn(3, '\t');
    let (kind, index, value) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    let index = index.and_then(|index| index.parse().ok()).unwrap_or(usize::MAX);
    match kind {
        Some("decode") => decode(index, value),
        Some("request") => sender.send(index, value),
        Some("size") => size(index)
            .map(|(bytes, any)| format!("[{bytes},{any}]"))
            .ok_or_else(|| "no such type".to_owned()),
        _ => Err("no such question".to_owned()),
    }
}

fn serve() -> Result<(), String> {
    let sender = requests::Sender::new()?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let start = Instant::now();
        let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| answer(&sender, &line)));
        let elapsed = start.elapsed().as_nanos();
        let (word, text) = match answer {
            Ok(Ok(text)) => ("ok", text),
            Ok(Err(why)) => ("refused", why),
            Err(_) => ("panicked", String::new()),
        };
        let text = text.replace(['\n', '\r'], " ");
        // Flushed at once, so that answers before a stack overflow are not lost.
        writeln!(out, "{word}\t{elapsed}\t{text}")
            .and_then(|()| out.flush())
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn main() -> Result<(), String> {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(serve);
    let thread = thread.map_err(|error| error.to_string())?;
    thread.join().map_err(|_| "the driver panicked".to_owned())?
}

//! Reads ids of calls from a file, one per line, and appends each call to another file as a line of JSON.
//!
//! It can be killed at any time and run again: written lines are kept, an incomplete last line is removed, and only the
//! missing calls are fetched. An id without a call is fetched again by the next run.
//!
//! `cargo run --example sync_calls` starts the sandbox, a local server for the API, with calls of its own. With
//! `CALL_API_BASE_URL` and `CALL_API_TOKEN` set, it uses that service; the arguments are then the two files.

mod service;

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use call_api::{Client, Uuid};
use call_api_sandbox::Sandbox;
use serde::Deserialize;
use service::{Service, print_next};

#[tokio::main]
async fn main() -> ExitCode {
    service::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let service = Service::find().await?;
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (ids, out) = match (arguments.next(), arguments.next(), &service.sandbox) {
        (Some(ids), Some(out), _) => (ids, out),
        (None, None, Some(sandbox)) => demo(sandbox)?,
        _ => return Err("no files: give one with an id per line, and one for the calls".into()),
    };
    let failed = sync(&service.client, &ids, &out).await?;
    print_next(
        &service,
        "To fetch the calls of a real service",
        "cargo run --example sync_calls -- ids.txt calls.jsonl",
    );
    match failed {
        0 => Ok(()),
        failed => Err(format!("{failed} failed; run this again to retry them").into()),
    }
}

/// Fetches the missing calls. Returns the number of ids that still have no call in the file.
async fn sync(client: &Client, ids: &Path, out: &Path) -> Result<usize, Box<dyn Error>> {
    let at = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let (mut file, mut done) = resume(out).map_err(|error| at(out, error))?;
    let before = done.len();
    let ids_file = File::open(ids).map_err(|error| at(ids, error))?;
    let (name, mut read_error, mut skipped) = (ids.display(), None, 0);
    let lines = (1..).zip(BufReader::new(ids_file).lines());
    let ids = lines
        .map_while(|(number, line): (usize, _)| match line {
            Ok(line) => Some((number, line)),
            Err(error) => {
                read_error = Some(at(ids, error));
                None
            }
        })
        .filter_map(|(number, line)| match Uuid::parse_str(line.trim()) {
            Ok(id) => Some(id),
            Err(error) => {
                eprintln!("{name}:{number}: {error}");
                skipped += 1;
                None
            }
        })
        // Skips ids whose calls are written, and repeated ids.
        .filter(|id| done.insert(*id));

    // Ids are already unique.
    let mut calls = client.get_calls(ids).dedup_window(0);
    let (mut written, mut failed) = (0, 0);
    while let Some((id, result)) = calls.next().await {
        match result {
            Ok(call) => {
                let mut line = serde_json::to_string(&call)?;
                line.push('\n');
                // In one write: the system keeps what a killed process has written.
                file.write_all(line.as_bytes())
                    .map_err(|error| at(out, error))?;
                written += 1;
            }
            Err(error) => {
                eprintln!("{id}: {error}");
                failed += 1;
            }
        }
    }
    drop(calls);
    file.sync_data().map_err(|error| at(out, error))?;
    println!(
        "{written} calls written to {}; {before} were already there.",
        out.display()
    );
    if let Some(read_error) = read_error {
        return Err(read_error.into());
    }
    Ok(failed + skipped)
}

/// Opens the file to append to, without an incomplete last line. Returns it with the ids of its calls.
fn resume(out: &Path) -> std::io::Result<(File, HashSet<Uuid>)> {
    #[derive(Deserialize)]
    struct Line {
        id: Uuid,
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(out)?;
    let mut done = HashSet::new();
    let (mut reader, mut line, mut complete) = (BufReader::new(&file), Vec::new(), 0);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        done.insert(serde_json::from_slice::<Line>(&line)?.id);
        complete += length as u64;
    }
    drop(reader);
    file.set_len(complete)?;
    file.seek(SeekFrom::End(0))?;
    Ok((file, done))
}

/// Adds a thousand calls to the sandbox, and writes their ids to a file.
fn demo(sandbox: &Sandbox) -> std::io::Result<(PathBuf, PathBuf)> {
    let folder = std::env::temp_dir().join(format!("sync_calls-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let ids = folder.join("ids.txt");
    let mut file = File::create(&ids)?;
    for number in 1..=1000 {
        let mut call = Sandbox::example_call();
        call.id = Uuid::from_u128(number);
        writeln!(file, "{}", call.id)?;
        sandbox.put(call);
    }
    Ok((ids, folder.join("calls.jsonl")))
}

//! Storage of calls in an SQLite database.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use uuid::Uuid;

use super::{Stored, TenantId};
use crate::call_json::CallJson;
use crate::script::RunningScript;

/// The application id of a sandbox database: "call".
const APPLICATION_ID: i32 = 0x6361_6c6c;
/// The version of the schema.
const VERSION: i32 = 2;

/// Rows are appended in insertion order and the index is small, so inserts and lookups stay fast with millions of calls.
const SCHEMA: &str = "
    CREATE TABLE tenant (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE call (
        number INTEGER PRIMARY KEY,
        tenant INTEGER NOT NULL REFERENCES tenant,
        id BLOB NOT NULL,
        json BLOB NOT NULL,
        -- The script, and its start in microseconds since the epoch.
        script TEXT,
        started INTEGER,
        UNIQUE (tenant, id)
    ) STRICT;
    -- Pages of a tenant's calls by number, without sorting all of them.
    CREATE INDEX call_by_number ON call (tenant);
    -- The time of the clock, in microseconds since the epoch.
    CREATE TABLE clock (now INTEGER NOT NULL) STRICT;
";

/// The time to wait for another program's write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The memory-mapped size: the maximum that SQLite allows.
const MMAP_SIZE: i64 = i32::MAX as i64;

const LIST: &str = "SELECT number, json, script, started FROM call
     WHERE tenant = ? AND number < ? ORDER BY number DESC LIMIT ?";

const PUT: &str =
    "INSERT OR REPLACE INTO call (tenant, id, json, script, started) VALUES (?, ?, ?, ?, ?)";

/// A database of calls.
///
/// It uses WAL mode, so committed data survives a crash of the program. Only a crash of the operating system can lose the
/// latest commits.
pub(crate) struct Sqlite {
    path: PathBuf,
    is_new: bool,
    writer: Mutex<Connection>,
    /// Idle connections for reading.
    readers: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens a database, creating it if it does not exist.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        create_private(path)?;
        let at = |error: rusqlite::Error| database_error(path, &error);
        let mut writer = connect(path).map_err(at)?;
        let is_new = create_schema(&mut writer, path)?;
        Ok(Self {
            path: path.to_owned(),
            is_new,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
        })
    }

    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    pub(crate) fn tenant(&self, name: &str) -> io::Result<TenantId> {
        self.write(|file| {
            file.execute("INSERT OR IGNORE INTO tenant (name) VALUES (?)", [name])?;
            file.query_row("SELECT id FROM tenant WHERE name = ?", [name], |row| {
                row.get(0)
            })
            .map(TenantId)
        })
    }

    pub(super) fn get(&self, tenant: TenantId, id: Uuid) -> io::Result<Option<Stored>> {
        self.read(|file| {
            file.prepare_cached(
                "SELECT json, script, started FROM call WHERE tenant = ? AND id = ?",
            )?
            .query_row(params![tenant.0, id.as_bytes()], |row| stored(row, 0))
            .optional()
        })
    }

    pub(crate) fn put(
        &self,
        tenant: TenantId,
        call: CallJson,
        running: Option<RunningScript>,
    ) -> io::Result<()> {
        let script = running
            .as_ref()
            .map(|running| serde_json::to_string(&running.script));
        let script = script.transpose()?;
        let started = running.map(|running| running.started_at.timestamp_micros());
        let call = params![
            tenant.0,
            call.id.as_bytes(),
            &call.json[..],
            script,
            started
        ];
        self.write(|file| file.prepare_cached(PUT)?.execute(call))?;
        Ok(())
    }

    pub(super) fn remove(&self, tenant: TenantId, id: Uuid) -> io::Result<bool> {
        let removed = self.write(|file| {
            let call = params![tenant.0, id.as_bytes()];
            file.execute("DELETE FROM call WHERE tenant = ? AND id = ?", call)
        })?;
        Ok(removed > 0)
    }

    pub(super) fn list(
        &self,
        tenant: TenantId,
        before: i64,
        limit: usize,
    ) -> io::Result<Vec<(i64, Stored)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|file| {
            file.prepare_cached(LIST)?
                .query_map(params![tenant.0, before, limit], |row| {
                    Ok((row.get(0)?, stored(row, 1)?))
                })?
                .collect()
        })
    }

    #[cfg(feature = "webhooks")]
    pub(super) fn scripted(&self) -> io::Result<Vec<((TenantId, Uuid), Stored)>> {
        self.read(|file| {
            let all = "SELECT tenant, id, json, script, started FROM call WHERE script IS NOT NULL";
            file.prepare(all)?
                .query_map([], |row| {
                    let id = Uuid::from_bytes(row.get(1)?);
                    Ok(((TenantId(row.get(0)?), id), stored(row, 2)?))
                })?
                .collect()
        })
    }

    pub(super) fn clear(&self) -> io::Result<()> {
        self.write(|file| file.execute("DELETE FROM call", []))?;
        Ok(())
    }

    pub(super) fn time(&self) -> io::Result<Option<DateTime<Utc>>> {
        let now = self.read(|file| {
            file.query_row("SELECT now FROM clock", [], |row| row.get(0))
                .optional()
        })?;
        Ok(now.and_then(DateTime::from_timestamp_micros))
    }

    pub(super) fn set_time(&self, now: DateTime<Utc>) -> io::Result<()> {
        let now = now.timestamp_micros();
        self.write(|file| {
            let updated = file
                .prepare_cached("UPDATE clock SET now = ?")?
                .execute([now])?;
            match updated {
                0 => file.execute("INSERT INTO clock (now) VALUES (?)", [now]),
                updated => Ok(updated),
            }
        })?;
        Ok(())
    }

    /// Stores calls atomically: none if `calls` fails.
    pub(crate) fn put_all(
        &self,
        tenant: TenantId,
        mut calls: impl FnMut() -> io::Result<Option<CallJson>>,
    ) -> io::Result<u64> {
        let at = |error: rusqlite::Error| database_error(&self.path, &error);
        let mut file = self.writer();
        let transaction = file
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(at)?;
        let mut put = transaction.prepare(PUT).map_err(at)?;
        let mut count = 0;
        while let Some(call) = calls()? {
            let none = None::<&str>;
            put.execute(params![
                tenant.0,
                call.id.as_bytes(),
                &call.json[..],
                none,
                none
            ])
            .map_err(at)?;
            count += 1;
        }
        drop(put);
        transaction.commit().map_err(at)?;
        Ok(count)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> io::Result<T> {
        let readers = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = readers().pop();
        let reader = idle.map_or_else(|| connect(&self.path), Ok);
        let result = reader.and_then(|reader| {
            let result = read(&reader);
            readers().push(reader);
            result
        });
        result.map_err(|error| database_error(&self.path, &error))
    }

    fn write<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> io::Result<T> {
        write(&self.writer()).map_err(|error| database_error(&self.path, &error))
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates the file, unless it exists, readable by its owner only, because calls hold phone numbers. Rejects devices,
/// pipes and folders.
fn create_private(path: &Path) -> io::Result<()> {
    let error = |why: String| {
        io::Error::other(format!("cannot use the database {}: {why}", path.display()))
    };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(_) => return Err(error("not a regular file; use another one".to_owned())),
        Err(_) => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map(drop)
        .map_err(|cause| error(cause.to_string()))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let file = Connection::open(path)?;
    file.busy_timeout(BUSY_TIMEOUT)?;
    file.pragma_update(None, "mmap_size", MMAP_SIZE)?;
    file.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(file)
}

/// Creates the schema in a new file. Returns true if it was new. Leaves another program's database unchanged.
fn create_schema(file: &mut Connection, path: &Path) -> io::Result<bool> {
    let at = |error: rusqlite::Error| database_error(path, &error);
    let number = |file: &Connection, name| file.pragma_query_value(None, name, |row| row.get(0));
    let application: i32 = number(file, "application_id").map_err(at)?;
    let version: i32 = number(file, "user_version").map_err(at)?;
    let tables: i64 = file
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(at)?;
    match (application, version, tables) {
        (APPLICATION_ID, VERSION, _) => return Ok(false),
        (APPLICATION_ID, ..) => {
            return Err(io::Error::other(format!(
                "{} was written by another version of the sandbox; use another file",
                path.display()
            )));
        }
        (0, 0, 0) => {}
        _ => {
            return Err(io::Error::other(format!(
                "{} is a database of another program; use another file",
                path.display()
            )));
        }
    }
    file.pragma_update(None, "journal_mode", "WAL")
        .map_err(at)?;
    let transaction = file
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(at)?;
    // Another program may have created it meanwhile.
    if number(&transaction, "application_id").map_err(at)? == APPLICATION_ID {
        return Ok(false);
    }
    transaction.execute_batch(SCHEMA).map_err(at)?;
    for (name, value) in [
        ("application_id", APPLICATION_ID),
        ("user_version", VERSION),
    ] {
        transaction.pragma_update(None, name, value).map_err(at)?;
    }
    transaction.commit().map_err(at)?;
    Ok(true)
}

/// Reads a call from the columns `json`, `script` and `started`; `at` is the index of the first.
fn stored(row: &Row<'_>, at: usize) -> rusqlite::Result<Stored> {
    let json = row.get_ref(at)?.as_blob()?;
    let script = row.get_ref(at + 1)?.as_str_or_null()?;
    let running = match script {
        None => None,
        Some(script) => {
            let script = serde_json::from_str(script).map_err(|error| {
                let kind = rusqlite::types::Type::Text;
                rusqlite::Error::FromSqlConversionFailure(at + 1, kind, error.into())
            })?;
            let started_at = DateTime::from_timestamp_micros(row.get(at + 2)?).unwrap_or_default();
            Some(RunningScript { script, started_at })
        }
    };
    Ok(Stored::new(bytes::Bytes::copy_from_slice(json), running))
}

fn database_error(path: &Path, error: &rusqlite::Error) -> io::Error {
    let reason = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    io::Error::other(format!(
        "cannot use the database {}: {reason}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn database_is_private_and_a_regular_file() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.sqlite");
        let store = Sqlite::open(&path).unwrap();
        store.tenant("one").unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
        }

        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        for path in [&fifo, folder.path()] {
            let error = Sqlite::open(path).err().unwrap().to_string();
            let expected = "not a regular file; use another one";
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn listing_a_page_uses_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("calls.sqlite")).unwrap();
        let steps = store.read(|file| {
            let mut plan = file.prepare(&format!("EXPLAIN QUERY PLAN {LIST}"))?;
            let steps = plan.query_map([1, 9, 2], |row| row.get::<_, String>("detail"))?;
            steps.collect::<rusqlite::Result<Vec<_>>>()
        });
        assert_eq!(
            steps.unwrap(),
            ["SEARCH call USING INDEX call_by_number (tenant=? AND rowid<?)"]
        );
    }
}

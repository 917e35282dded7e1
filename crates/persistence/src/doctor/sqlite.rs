//! The look at a SQLite file. It opens the file through SQLite alone: whoever opens it beside SQLite and closes it
//! takes SQLite's locks away.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use sea_orm::{DatabaseConnection, SqlxSqliteConnector};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Error as SqlxError, SqlitePool};

use super::{Schema, Trouble};
use crate::connect;
use crate::error::refusal;
use crate::steps;

/// How long another process may keep it locked.
const BUSY: Duration = Duration::from_secs(2);

/// Everything about a SQLite database.
#[derive(Debug)]
pub struct SqliteReport {
    /// The file.
    pub file: SqliteFile,
    /// What is in it.
    pub inside: Option<SqliteInside>,
}

/// The state of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqliteFile {
    /// It is not there; the folder is, or not.
    Missing {
        /// Whether the folder is there.
        folder: bool,
    },
    /// A folder is in its place.
    Folder,
    /// It cannot be looked at.
    Unreachable(ErrorKind),
    /// It is there.
    There {
        /// In bytes.
        size: u64,
        /// The mode, if others than its owner may use it.
        open_mode: Option<u32>,
    },
}

/// What is in a file that SQLite opens.
#[derive(Debug)]
pub struct SqliteInside {
    /// Whether it can be written; if not, why.
    pub writable: Result<(), String>,
    /// How it keeps what is not yet written; errand turns it to `wal`.
    pub journal: Result<String, String>,
    /// What a quick check of the whole file complains of.
    pub complaints: Result<Vec<String>, String>,
    /// How far the schema is.
    pub schema: Result<Schema, Trouble>,
}

pub async fn examine(path: &Path) -> SqliteReport {
    let file = file(path);
    let inside = match file {
        SqliteFile::There { .. } => Some(inside(path).await),
        _ => None,
    };
    SqliteReport { file, inside }
}

fn file(path: &Path) -> SqliteFile {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => SqliteFile::Folder,
        Ok(meta) => SqliteFile::There {
            size: meta.len(),
            open_mode: open_mode(&meta),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => SqliteFile::Missing {
            folder: path
                .parent()
                .is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir()),
        },
        Err(error) => SqliteFile::Unreachable(error.kind()),
    }
}

#[cfg(unix)]
fn open_mode(meta: &std::fs::Metadata) -> Option<u32> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}

async fn inside(path: &Path) -> SqliteInside {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(options);
    let conn = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone());
    let found = SqliteInside {
        // Tried, and taken back.
        writable: connect::check_writable(&pool)
            .await
            .map_err(|error| error.to_string()),
        journal: rows(&pool, "PRAGMA journal_mode").await.map(|rows| rows.concat()),
        complaints: rows(&pool, "PRAGMA quick_check(10)").await.map(complaints),
        schema: schema(&conn).await,
    };
    pool.close().await;
    found
}

async fn rows(pool: &SqlitePool, pragma: &'static str) -> Result<Vec<String>, String> {
    let rows = sqlx::query_scalar(pragma).fetch_all(pool).await;
    rows.map_err(|error| said(&error))
}

fn said(error: &SqlxError) -> String {
    refusal(error).map_or_else(
        || "it did not open in time".to_owned(),
        |refusal| refusal.to_string(),
    )
}

/// A file that is whole says so in a row of its own.
fn complaints(rows: Vec<String>) -> Vec<String> {
    rows.into_iter().filter(|row| row != "ok").collect()
}

async fn schema(conn: &DatabaseConnection) -> Result<Schema, Trouble> {
    Ok(Schema::Known(steps::status(conn).await?))
}

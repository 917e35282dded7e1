//! Why a copy was not made.

use std::fmt;
use std::path::PathBuf;

use sqlx::Error as SqlxError;

use super::cell::Strange;
use crate::connect::ConnectError;
use crate::doctor::Trouble;
use crate::error::{refusal, words};
use crate::migrate::MigrateError;

/// One of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where everything is.
    Source,
    /// Where it is to be.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "the source",
            Self::Target => "the target",
        })
    }
}

/// Why there is no copy: at the target nothing has changed but, if it had none, the schema. Holds nothing of a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Settings or a file.
    #[error("{0} cannot be opened")]
    Connect(Side, #[source] ConnectError),
    /// There is no such file.
    #[error("{}: there is no database", .0.display())]
    Missing(PathBuf),
    /// There is no way to a server.
    #[error("{0} cannot be reached: {1}")]
    Away(Side, Trouble),
    /// The file is damaged.
    #[error("{}: the database is damaged ({said})", .path.display())]
    Damaged {
        /// Of the source.
        path: PathBuf,
        /// By SQLite.
        said: String,
    },
    /// The role lacks rights.
    #[error("the role of {0} may not do this: use the one that owns the tables")]
    Forbidden(Side),
    /// It holds something else, or nothing.
    #[error("{0} is no database of errand")]
    NotErrands(Side),
    /// Steps of the schema are missing.
    #[error(
        "the schema of {side} is older than this program ({missing} of its steps are missing): \
         run \"errand migrate up\" on it first"
    )]
    Older {
        /// Which.
        side: Side,
        /// So many.
        missing: usize,
    },
    /// A later version of errand was there.
    #[error("{side} is newer than this program (it has {}): use the version that runs on it", .steps.join(", "))]
    Newer {
        /// Which.
        side: Side,
        /// That this program does not know.
        steps: Vec<String>,
    },
    /// Both are one.
    #[error("source and target are the same database")]
    Same,
    /// There is something in it.
    #[error("the target is not empty: table {table} has rows ({rows})")]
    NotEmpty {
        /// The first one.
        table: &'static str,
        /// As far as they can be seen.
        rows: i64,
    },
    /// Policies that are not errand's.
    #[error(
        "row-level security may hide rows of table {0} from the role of the source: use one that bypasses it"
    )]
    Hidden(String),
    /// A value that the other database would not keep as it is.
    #[error("{side}, table {table}, column {column}: holds what cannot be copied")]
    Value {
        /// Where it was found.
        side: Side,
        /// In this table.
        table: &'static str,
        /// In this column.
        column: &'static str,
    },
    /// What arrived is something else.
    #[error("what arrived in table {0} is not what was sent; nothing was kept")]
    Differs(&'static str),
    /// The schema of the target was not made.
    #[error("the schema of the target cannot be made")]
    Migrate(#[source] MigrateError),
    /// A database did not do what it was asked.
    #[error("{side}{}: {said}", of_table(*.table))]
    Database {
        /// Which.
        side: Side,
        /// What it was busy with, if with one.
        table: Option<&'static str>,
        /// Without values.
        said: String,
    },
}

fn of_table(table: Option<&'static str>) -> String {
    table.map_or_else(String::new, |table| format!(", table {table}"))
}

impl CopyError {
    pub(super) fn driver(side: Side, table: Option<&'static str>, error: &SqlxError) -> Self {
        match refusal(error) {
            Some(refusal) if refusal.is_of_rights() => Self::Forbidden(side),
            _ => Self::Database {
                side,
                table,
                said: words(error),
            },
        }
    }

    pub(super) fn value(side: Side, table: &'static str, Strange(column): Strange) -> Self {
        Self::Value { side, table, column }
    }
}

impl From<MigrateError> for CopyError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Forbidden(_) => Self::Forbidden(Side::Target),
            other => Self::Migrate(other),
        }
    }
}

//! Why a source cannot be read.

use crate::mapping::MappingError;

/// Why a source cannot be read, in one line and without secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such file.
    #[error("there is no file {0}")]
    Missing(String),
    /// A folder, a pipe, a device.
    #[error("{0} is no regular file")]
    NotAFile(String),
    /// The operating system says no.
    #[error("{path} cannot be read: {error}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// There is no room for the private copy, or it cannot be made.
    #[error("the private copy of the source cannot be made (TMPDIR says where): {0}")]
    Copy(std::io::Error),
    /// The file is not one of SQLite's.
    #[error("{0} is not a SQLite database, or it is encrypted")]
    NotADatabase(String),
    /// The file is one of SQLite's, and damaged.
    #[error("the database is damaged ({0}); `sqlite3 FILE .recover` may save what is left of it")]
    Damaged(String),
    /// Somebody writes to it all the time.
    #[error("{0} is being written to; stop the application that uses it and try again")]
    BeingWritten(String),
    /// The URL cannot be used; names the part, never its value.
    #[error("the URL of the source {0}")]
    Url(&'static str),
    /// A variable that the driver obeys and cannot be told not to.
    #[error("the environment variable {0} would reach the database driver; unset it")]
    Environment(&'static str),
    /// No connection to the server.
    #[error("no connection to the source at {host}: {reason}")]
    Connect {
        /// Host and port.
        host: String,
        /// What the driver or the server says.
        reason: String,
    },
    /// Looking did not find what holds the users or tasks.
    #[error("{0}")]
    NotFound(String),
    /// It belongs to errand.
    #[error(
        "the source is a database of errand itself; `errand copy --from URL --to URL` copies it with everything in it"
    )]
    IsErrand,
    /// The mapping does not fit the source.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// Keys that tell no rows apart.
    #[error(
        "the column {column:?} of the table {table:?} is empty or the same in {rows} rows, so it is no key; name another in a mapping file ({section}.key)"
    )]
    NotAKey {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// How many rows have no key of their own.
        rows: i64,
        /// Which part of the mapping.
        section: &'static str,
    },
    /// The database failed while it was read.
    #[error("the source cannot be read on: {0}")]
    Read(String),
}

impl SourceError {
    /// What the database says, without the statement: that one is ours.
    pub(crate) fn read(error: &sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(said) if said.code().is_some_and(|code| is_damage(&code)) => {
                Self::Damaged(one_line(said.message()))
            }
            Some(said) => Self::Read(one_line(said.message())),
            None => Self::Read(one_line(&error.to_string())),
        }
    }
}

/// `SQLITE_CORRUPT` and `SQLITE_NOTADB`, with what extends them.
fn is_damage(code: &str) -> bool {
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 11 | 26))
        && code.len() < 5
}

/// The beginning of a text, without control characters.
pub(crate) fn one_line(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(clean).take(200).collect()
}

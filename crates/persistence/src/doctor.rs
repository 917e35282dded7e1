//! A look at everything that has to be right before a database can serve: facts, for others to put into words.
//!
//! It changes nothing, and makes no file.

mod facts;
mod postgres;
mod sqlite;
mod trouble;

use errand_application::ports::Clock;

use crate::connect::{self, ConnectError, Settings};
use crate::steps::MigrationStatus;
use crate::url::Target;

pub use facts::{
    Connections, Direct, DirectEntry, DirectWay, Entry, Inside, Limits, Look, PostgresReport, Role, Session,
    Tables,
};
pub(crate) use postgres::enter;
pub use sqlite::{SqliteFile, SqliteInside, SqliteReport};
pub use trouble::Trouble;

/// What was found. What could not be looked at, because something before it failed, is not there.
#[derive(Debug)]
pub enum Report {
    /// Of a PostgreSQL server and the ways to it.
    Postgres(Box<PostgresReport>),
    /// Of a SQLite file.
    Sqlite(SqliteReport),
}

/// How far the schema is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// All steps, of this program and of the database.
    Known(Vec<MigrationStatus>),
    /// There is a record of steps, and the role may not read it.
    Unreadable,
}

/// Looks. Fails only where the settings allow no look at all.
pub async fn examine(settings: &Settings, clock: &dyn Clock) -> Result<Report, ConnectError> {
    connect::possible(settings)?;
    Ok(match settings.url.target() {
        Target::Postgres(url) => Report::Postgres(Box::new(postgres::examine(url, settings, clock).await?)),
        Target::Sqlite(path) => Report::Sqlite(sqlite::examine(path).await),
    })
}

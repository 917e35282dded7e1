//! Statements written out by hand: those whose meaning hangs on a lock, a clock or `RETURNING`.
//!
//! Each is one constant text for each database, with the owner as `$1` wherever rows have one, so that the
//! caches of prepared statements stay hot.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use crate::error::Failure;

/// One statement in both languages.
#[derive(Clone, Copy)]
pub struct Sql {
    pub postgres: &'static str,
    pub sqlite: &'static str,
}

impl Sql {
    /// The same text for both.
    pub const fn both(text: &'static str) -> Self {
        Self {
            postgres: text,
            sqlite: text,
        }
    }

    /// Ready for a connection.
    pub fn with(self, conn: &impl ConnectionTrait, values: impl IntoIterator<Item = Value>) -> Statement {
        let backend = conn.get_database_backend();
        let text = match backend {
            DbBackend::Postgres => self.postgres,
            _ => self.sqlite,
        };
        Statement::from_sql_and_values(backend, text, values)
    }
}

/// The one row that a writing statement gives back, if it wrote.
///
/// Asked for as all rows: SQLite commits once the last row was fetched, and who stops at the first one never
/// hears that the commit failed.
pub async fn returned<T: FromQueryResult>(
    conn: &impl ConnectionTrait,
    statement: Statement,
) -> Result<Option<T>, Failure> {
    Ok(T::find_by_statement(statement).all(conn).await?.pop())
}

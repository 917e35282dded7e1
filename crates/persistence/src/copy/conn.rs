//! A connection to either database, with what both sides of a copy ask.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};

use super::cell::{Cell, of_postgres, of_sqlite};
use super::error::{CopyError, Side};
use super::tables::{TABLES, Table, USERS};
use crate::connect::{ConnectError, Settings, postgres_options};
use crate::doctor::enter;
use crate::fence::EVERYONE;
use crate::steps;
use crate::url::Postgres;

/// How long another process may keep a file locked.
const BUSY: Duration = Duration::from_secs(30);

/// A connection past any pooler.
pub struct Conn {
    pub side: Side,
    pub driver: Driver,
}

pub enum Driver {
    Postgres(Box<PgConnection>),
    Sqlite(SqliteConnection),
}

/// Whether there is errand's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    Absent,
    Current,
}

impl Conn {
    pub async fn postgres(side: Side, url: &Postgres, settings: &Settings) -> Result<Self, CopyError> {
        let url = url.direct();
        let options = postgres_options(&url, settings).map_err(|error| CopyError::Connect(side, error))?;
        let entered = enter(&url, &options.disable_statement_logging(), settings.deadline).await;
        let (conn, _) = entered.map_err(|trouble| CopyError::Away(side, trouble))?;
        let driver = Driver::Postgres(Box::new(conn));
        Ok(Self { side, driver })
    }

    /// Of a file that is there.
    pub async fn sqlite(side: Side, path: &Path, read_only: bool) -> Result<Self, CopyError> {
        if path.is_dir() {
            let error = ConnectError::File(std::io::ErrorKind::IsADirectory.into());
            return Err(CopyError::Connect(side, error));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(read_only)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let conn = SqliteConnection::connect_with(&options).await;
        let conn = conn.map_err(|error| CopyError::driver(side, None, &error))?;
        let driver = Driver::Sqlite(conn);
        Ok(Self { side, driver })
    }

    pub fn failed(&self) -> impl Fn(sqlx::Error) -> CopyError + use<> {
        let side = self.side;
        move |error| CopyError::driver(side, None, &error)
    }

    pub async fn run(&mut self, sql: impl Into<String>) -> Result<(), CopyError> {
        let failed = self.failed();
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        match &mut self.driver {
            Driver::Postgres(conn) => sql.execute(&mut **conn).await.map(drop),
            Driver::Sqlite(conn) => sql.execute(conn).await.map(drop),
        }
        .map_err(failed)
    }

    /// The one number that it answers.
    pub async fn number(&mut self, sql: impl Into<String>) -> Result<i64, CopyError> {
        let failed = self.failed();
        let sql = AssertSqlSafe(sql.into());
        match &mut self.driver {
            Driver::Postgres(conn) => sqlx::query_scalar(sql).fetch_one(&mut **conn).await,
            Driver::Sqlite(conn) => sqlx::query_scalar(sql).fetch_one(conn).await,
        }
        .map_err(failed)
    }

    pub async fn texts(&mut self, sql: impl Into<String>) -> Result<Vec<String>, CopyError> {
        let failed = self.failed();
        let sql = AssertSqlSafe(sql.into());
        match &mut self.driver {
            Driver::Postgres(conn) => sqlx::query_scalar(sql).fetch_all(&mut **conn).await,
            Driver::Sqlite(conn) => sqlx::query_scalar(sql).fetch_all(conn).await,
        }
        .map_err(failed)
    }

    /// From here on the policies of PostgreSQL see this one, or everyone.
    pub async fn enter(&mut self, scope: &str) -> Result<(), CopyError> {
        match self.driver {
            Driver::Postgres(_) => {
                let name = format!("SELECT set_config('{}', '{scope}', true)", crate::fence::SETTING);
                self.run(name).await
            }
            Driver::Sqlite(_) => Ok(()),
        }
    }

    /// A copy takes its time: limits of the role's end with it. For the transaction alone.
    pub async fn lift_limits(&mut self) -> Result<(), CopyError> {
        match self.driver {
            Driver::Postgres(_) => {
                // By what the server knows: the last one is of version 17.
                self.run(
                    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ('statement_timeout', \
                     'idle_in_transaction_session_timeout', 'transaction_timeout')",
                )
                .await
            }
            Driver::Sqlite(_) => Ok(()),
        }
    }

    async fn has(&mut self, table: &str) -> Result<bool, CopyError> {
        let look = match self.driver {
            Driver::Postgres(_) => format!("SELECT count(to_regclass('{table}'))"),
            Driver::Sqlite(_) => format!("SELECT count(*) FROM sqlite_schema WHERE name = '{table}'"),
        };
        Ok(self.number(look).await? > 0)
    }

    /// How far the schema is; only reads.
    pub async fn schema(&mut self) -> Result<Schema, CopyError> {
        let side = self.side;
        let mut applied = BTreeSet::new();
        if self.has(steps::TABLE).await? {
            let versions = self
                .texts(format!("SELECT version FROM {}", steps::TABLE))
                .await?;
            applied.extend(versions);
        }
        let status = steps::compare(&applied);
        if !status.iter().any(|step| step.applied && step.known) {
            for table in TABLES {
                if self.has(table.name).await? {
                    return Err(CopyError::NotErrands(side));
                }
            }
            return if applied.is_empty() {
                Ok(Schema::Absent)
            } else {
                // Of another program with the same habits.
                Err(CopyError::NotErrands(side))
            };
        }
        let unknown: Vec<String> = status
            .iter()
            .filter(|step| !step.known)
            .map(|step| step.name.clone())
            .collect();
        if !unknown.is_empty() {
            return Err(CopyError::Newer { side, steps: unknown });
        }
        match status.iter().filter(|step| !step.applied).count() {
            0 => Ok(Schema::Current),
            missing => Err(CopyError::Older { side, missing }),
        }
    }

    pub async fn count(&mut self, table: &Table) -> Result<i64, CopyError> {
        self.number(format!("SELECT count(*) FROM {}", table.name)).await
    }

    /// The highest id that was ever given to a user; 0 if none was.
    pub async fn last_user_id(&mut self) -> Result<i64, CopyError> {
        let highest = format!("(SELECT coalesce(max(id), 0) FROM {USERS})");
        let last = match self.driver {
            Driver::Postgres(_) => {
                let sequence = self.sequence().await?;
                format!(
                    "SELECT greatest(CASE WHEN is_called THEN last_value ELSE last_value - 1 END, {highest}) \
                     FROM {sequence}"
                )
            }
            Driver::Sqlite(_) => format!(
                "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{USERS}'), 0), {highest})"
            ),
        };
        self.enter(EVERYONE).await?;
        self.number(last).await
    }

    /// What gives the ids of users, as a name for a statement.
    async fn sequence(&mut self) -> Result<String, CopyError> {
        let names = self
            .texts(format!("SELECT pg_get_serial_sequence('{USERS}', 'id')"))
            .await?;
        names.into_iter().next().ok_or(CopyError::NotErrands(self.side))
    }

    /// All rows of a table that can be seen, in the order of their keys.
    pub fn rows<'c>(&'c mut self, table: &'static Table) -> BoxStream<'c, Result<Vec<Cell>, CopyError>> {
        let side = self.side;
        let failed = move |error: sqlx::Error| CopyError::driver(side, Some(table.name), &error);
        let strange = move |strange| CopyError::value(side, table.name, strange);
        match &mut self.driver {
            Driver::Postgres(conn) => sqlx::query(AssertSqlSafe(table.select_from_postgres()))
                .fetch(&mut **conn)
                .map_err(failed)
                .map(move |row| of_postgres(table, &row?).map_err(strange))
                .boxed(),
            Driver::Sqlite(conn) => sqlx::query(AssertSqlSafe(table.select_from_sqlite()))
                .fetch(conn)
                .map_err(failed)
                .map(move |row| of_sqlite(table, &row?).map_err(strange))
                .boxed(),
        }
    }

    pub async fn close(self) -> Result<(), CopyError> {
        let failed = self.failed();
        match self.driver {
            Driver::Postgres(conn) => conn.close().await,
            Driver::Sqlite(conn) => conn.close().await,
        }
        .map_err(failed)
    }
}

/// Whether both are one file.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| -> Option<PathBuf> { std::fs::canonicalize(path).ok() };
    real(one).is_some_and(|one| real(other).is_some_and(|other| one == other))
}

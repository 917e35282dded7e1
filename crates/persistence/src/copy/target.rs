//! The database that is filled, in one transaction.

use std::sync::Arc;

use errand_application::ports::Clock;
use sea_orm::{FromQueryResult, QueryResult};
use sqlx::postgres::PgCopyIn;
use sqlx::{AssertSqlSafe, PgConnection, QueryBuilder, SqliteConnection};

use super::cell::{Cell, Strange, text_of_time};
use super::conn::{Conn, Driver, Schema, is_same_file};
use super::error::{CopyError, Side};
use super::source::Source;
use super::tables::{Kind, TABLES, TASKS, Table, USERS};
use crate::connect::{Settings, WAIT, open_for_migrations};
use crate::fence::EVERYONE;
use crate::migrate;
use crate::policies::{self, State};
use crate::pulse::Pulse;
use crate::url::Target as Place;

/// So much goes into one message to PostgreSQL, and into one statement to SQLite; a longer row goes alone.
const BULK: usize = 256 * 1024;
/// So many rows go into one statement to SQLite, which has at most 32,766 values.
const ROWS: usize = 500;
/// PostgreSQL counts from 2000.
const EPOCH: i64 = 946_684_800_000_000;
/// What begins a binary `COPY`, and its flags and the length of what may follow them.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A transaction on an empty database.
pub struct Target {
    pub conn: Conn,
    /// The tables whose owner their policies hold.
    forced: Vec<String>,
    /// What makes the triggers of SQLite.
    triggers: Vec<String>,
}

/// Opens it; makes its schema if it has none, and the file too. The steps that were taken.
pub async fn open(
    settings: &Settings,
    source: &mut Source,
    clock: Arc<dyn Clock>,
) -> Result<(Target, Vec<String>), CopyError> {
    let mut looked = match settings.url.target() {
        Place::Postgres(url) => Some(Conn::postgres(Side::Target, url, settings).await?),
        Place::Sqlite(path) if matches!(path.try_exists(), Ok(false)) => None,
        Place::Sqlite(path) if source.path().is_some_and(|source| is_same_file(source, path)) => {
            return Err(CopyError::Same);
        }
        Place::Sqlite(path) => Some(Conn::sqlite(Side::Target, path, true).await?),
    };
    let mut schema = Schema::Absent;
    if let Some(conn) = &mut looked {
        if let (Driver::Postgres(_), Some(key)) = (&conn.driver, source.sign().await?) {
            // Whoever gets it is elsewhere.
            let got = format!("SELECT pg_try_advisory_xact_lock({key})::integer::bigint");
            if conn.number(got).await? == 0 {
                return Err(CopyError::Same);
            }
        }
        schema = conn.schema().await?;
    }
    let mut steps = Vec::new();
    if schema == Schema::Absent {
        let pools = open_for_migrations(settings, Arc::new(Pulse::new(clock)))
            .await
            .map_err(|error| CopyError::Connect(Side::Target, error))?;
        let migrated = migrate::up(pools.write(), None, false).await;
        pools.close().await;
        steps = migrated?.steps;
    }
    let conn = match (looked, settings.url.target()) {
        (_, Place::Sqlite(path)) => Conn::sqlite(Side::Target, path, false).await?,
        (Some(conn), _) => conn,
        (None, Place::Postgres(url)) => Conn::postgres(Side::Target, url, settings).await?,
    };
    let mut target = Target {
        conn,
        forced: Vec::new(),
        triggers: Vec::new(),
    };
    target.begin().await?;
    Ok((target, steps))
}

impl Target {
    async fn begin(&mut self) -> Result<(), CopyError> {
        match self.conn.driver {
            Driver::Postgres(_) => {
                let wait = WAIT.as_millis();
                self.conn
                    .run(format!("BEGIN; SET LOCAL lock_timeout = {wait}"))
                    .await?;
                self.conn.lift_limits().await?;
                // Before anything is locked that others may use.
                self.is_empty().await?;
                let tables: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
                self.conn
                    .run(format!(
                        "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE; \
                         ALTER TABLE {TASKS} DISABLE TRIGGER USER",
                        tables.join(", ")
                    ))
                    .await?;
                self.lift_policies().await?;
            }
            Driver::Sqlite(_) => {
                self.conn.run("BEGIN IMMEDIATE").await?;
                let of_tasks = format!("FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = '{TASKS}'");
                self.triggers = self.conn.texts(format!("SELECT sql {of_tasks}")).await?;
                for name in self.conn.texts(format!("SELECT name {of_tasks}")).await? {
                    self.conn.run(format!("DROP TRIGGER {}", quoted(&name))).await?;
                }
            }
        }
        // Once more: now it stays so.
        self.is_empty().await
    }

    async fn is_empty(&mut self) -> Result<(), CopyError> {
        self.conn.enter(EVERYONE).await?;
        for table in TABLES {
            let rows = self.conn.count(table).await?;
            if rows > 0 {
                let table = table.name;
                return Err(CopyError::NotEmpty { table, rows });
            }
        }
        Ok(())
    }

    /// `COPY` needs a table whose policies do not hold who copies, and so does reading it back. The policies stay,
    /// and [`Self::commit`] lets them hold again before anybody else can see.
    async fn lift_policies(&mut self) -> Result<(), CopyError> {
        let failed = self.conn.failed();
        let Driver::Postgres(conn) = &mut self.conn.driver else {
            return Ok(());
        };
        let rows = sqlx::query(AssertSqlSafe(policies::look())).fetch_all(&mut **conn);
        for row in rows.await.map_err(&failed)? {
            let state = State::from_query_result(&QueryResult::from(row), "")
                .map_err(|_| CopyError::NotErrands(Side::Target))?;
            if state.forced {
                self.forced.push(state.name);
            }
        }
        for table in &self.forced {
            self.conn
                .run(format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"))
                .await?;
        }
        Ok(())
    }

    /// Takes rows of this table, in the order of their keys.
    pub async fn sink(&mut self, table: &'static Table) -> Result<Sink<'_>, CopyError> {
        let failed = move |error| CopyError::driver(Side::Target, Some(table.name), &error);
        let into = match &mut self.conn.driver {
            Driver::Postgres(conn) => {
                let sql = format!(
                    "COPY {} ({}) FROM STDIN (FORMAT binary)",
                    table.name,
                    table.names()
                );
                Into::Postgres {
                    copy: conn.copy_in_raw(&sql).await.map_err(failed)?,
                    bytes: HEADER.to_vec(),
                }
            }
            Driver::Sqlite(conn) => Into::Sqlite {
                conn,
                rows: Vec::new(),
                size: 0,
            },
        };
        Ok(Sink { table, into })
    }

    /// The next user gets an id behind this one. Undone with the transaction.
    pub async fn set_last_user_id(&mut self, last: i64) -> Result<(), CopyError> {
        match self.conn.driver {
            Driver::Postgres(_) => {
                // That makes a new sequence, and it is the new one that is set.
                self.conn
                    .run(format!("ALTER TABLE {USERS} ALTER COLUMN id RESTART WITH 1"))
                    .await?;
                if last > 0 {
                    let set = format!("SELECT setval(pg_get_serial_sequence('{USERS}', 'id'), {last})");
                    self.conn.run(set).await?;
                }
            }
            Driver::Sqlite(_) => {
                self.conn
                    .run(format!("DELETE FROM sqlite_sequence WHERE name = '{USERS}'"))
                    .await?;
                if last > 0 {
                    let set = format!("INSERT INTO sqlite_sequence (name, seq) VALUES ('{USERS}', {last})");
                    self.conn.run(set).await?;
                }
            }
        }
        Ok(())
    }

    /// Puts triggers and policies back, and keeps everything.
    pub async fn commit(mut self) -> Result<(), CopyError> {
        for trigger in &self.triggers {
            self.conn.run(trigger.as_str()).await?;
        }
        for table in &self.forced {
            self.conn
                .run(format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"))
                .await?;
        }
        if matches!(self.conn.driver, Driver::Postgres(_)) {
            self.conn
                .run(format!("ALTER TABLE {TASKS} ENABLE TRIGGER USER"))
                .await?;
        }
        self.conn.run("COMMIT").await?;
        self.conn.close().await
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Where the rows of a table go.
pub struct Sink<'c> {
    table: &'static Table,
    into: Into<'c>,
}

enum Into<'c> {
    Postgres {
        copy: PgCopyIn<&'c mut PgConnection>,
        bytes: Vec<u8>,
    },
    Sqlite {
        conn: &'c mut SqliteConnection,
        rows: Vec<Vec<Cell>>,
        size: usize,
    },
}

impl Sink<'_> {
    pub async fn push(&mut self, row: Vec<Cell>) -> Result<(), CopyError> {
        let table = self.table;
        let failed = |error| CopyError::driver(Side::Target, Some(table.name), &error);
        let strange = |strange| CopyError::value(Side::Source, table.name, strange);
        match &mut self.into {
            Into::Postgres { copy, bytes } => {
                encode(table, &row, bytes).map_err(strange)?;
                if bytes.len() >= BULK {
                    copy.send(std::mem::take(bytes)).await.map_err(failed)?;
                }
            }
            Into::Sqlite { conn, rows, size } => {
                *size += row.iter().map(Cell::size).sum::<usize>();
                rows.push(row);
                if *size >= BULK || rows.len() >= ROWS {
                    *size = 0;
                    insert(table, conn, std::mem::take(rows)).await?;
                }
            }
        }
        Ok(())
    }

    pub async fn finish(self) -> Result<(), CopyError> {
        let table = self.table;
        let failed = |error| CopyError::driver(Side::Target, Some(table.name), &error);
        match self.into {
            Into::Postgres { mut copy, mut bytes } => {
                bytes.extend((-1_i16).to_be_bytes());
                copy.send(bytes).await.map_err(failed)?;
                copy.finish().await.map_err(failed)?;
            }
            Into::Sqlite { conn, rows, .. } => {
                if !rows.is_empty() {
                    insert(table, conn, rows).await?;
                }
            }
        }
        Ok(())
    }
}

async fn insert(
    table: &'static Table,
    conn: &mut SqliteConnection,
    rows: Vec<Vec<Cell>>,
) -> Result<(), CopyError> {
    let mut fault = None;
    let mut sql = QueryBuilder::new(format!("INSERT INTO {} ({}) ", table.name, table.names()));
    sql.push_values(rows, |mut values, row| {
        for (cell, (name, kind)) in row.into_iter().zip(table.columns) {
            match (cell, kind) {
                (Cell::Null, _) => values.push("NULL"),
                (Cell::Text(text), _) => values.push_bind(text),
                (Cell::Bytes(bytes), _) => values.push_bind(bytes),
                (Cell::Number(micros), Kind::Moment | Kind::Local) => {
                    let text = text_of_time(*kind, micros);
                    if text.is_none() {
                        fault = Some(Strange(name));
                    }
                    values.push_bind(text)
                }
                (Cell::Number(number), _) => values.push_bind(number),
            };
        }
    });
    if let Some(strange) = fault {
        return Err(CopyError::value(Side::Source, table.name, strange));
    }
    let inserted = sql.build().execute(conn).await;
    inserted.map_err(|error| CopyError::driver(Side::Target, Some(table.name), &error))?;
    Ok(())
}

/// A row as a binary `COPY` has it.
fn encode(table: &Table, row: &[Cell], bytes: &mut Vec<u8>) -> Result<(), Strange> {
    let count = i16::try_from(row.len()).unwrap_or(i16::MAX);
    bytes.extend(count.to_be_bytes());
    for (cell, (name, kind)) in row.iter().zip(table.columns) {
        let mut field = |value: &[u8]| {
            let length = i32::try_from(value.len()).ok()?;
            bytes.extend(length.to_be_bytes());
            bytes.extend(value);
            Some(())
        };
        match (cell, kind) {
            (Cell::Null, _) => {
                bytes.extend((-1_i32).to_be_bytes());
                Some(())
            }
            // The one character that a text of PostgreSQL cannot have.
            (Cell::Text(text), _) if text.contains('\0') => None,
            (Cell::Text(text), _) => field(text.as_bytes()),
            (Cell::Bytes(value), _) => field(value),
            (Cell::Number(number), Kind::Boolean) => field(&[u8::from(*number != 0)]),
            (Cell::Number(number), Kind::Small) => i16::try_from(*number)
                .ok()
                .and_then(|number| field(&number.to_be_bytes())),
            (Cell::Number(number), Kind::Integer) => i32::try_from(*number)
                .ok()
                .and_then(|number| field(&number.to_be_bytes())),
            (Cell::Number(micros), Kind::Moment | Kind::Local) => micros
                .checked_sub(EPOCH)
                .and_then(|micros| field(&micros.to_be_bytes())),
            (Cell::Number(number), _) => field(&number.to_be_bytes()),
        }
        .ok_or(Strange(name))?;
    }
    Ok(())
}

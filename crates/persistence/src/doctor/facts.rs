//! What can be found out about a PostgreSQL database.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{Error as SqlxError, Row};

use super::{Schema, Trouble};
use crate::preflight::Mixed;
use crate::unfit::Unfit;

/// What was found out, unless something before it failed.
pub type Look<T> = Option<Result<T, Trouble>>;

/// Everything about a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresReport {
    /// The way of `DATABASE_URL`.
    pub entry: Result<Entry, Trouble>,
    /// The way for migrations.
    pub direct: Direct,
    /// What there is behind the first.
    pub inside: Inside,
}

/// A way that leads to a database.
#[derive(Debug)]
pub struct Entry {
    /// How long the first connection took, with all that it takes: name, TLS, password, waking up.
    pub took: Duration,
    /// Whether certificate and host name are verified.
    pub verified: bool,
    /// The TLS that the server itself sees, if any: version and cipher.
    pub tls: Option<(String, String)>,
}

/// The way for migrations.
#[derive(Debug)]
pub struct Direct {
    /// Where it comes from.
    pub way: DirectWay,
    /// Where it leads; nothing if it is the same way.
    pub found: Look<DirectEntry>,
}

/// Where the direct way comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectWay {
    /// It is the way of `DATABASE_URL`.
    Same,
    /// Host and port of `DATABASE_URL`, but another role.
    SamePlace,
    /// `-pooler` was cut from the host of `DATABASE_URL`.
    Derived,
    /// `DATABASE_DIRECT_URL` says so.
    Given,
}

/// Where the direct way leads.
#[derive(Debug)]
pub struct DirectEntry {
    /// How long the first connection took.
    pub took: Duration,
    /// Whether it is the database that `DATABASE_URL` leads to, if that leads anywhere.
    pub same_database: Option<bool>,
    /// Whether the role may change the schema.
    pub may_migrate: bool,
}

/// What is found behind `DATABASE_URL`.
#[derive(Debug, Default)]
pub struct Inside {
    /// Whether prepared statements of several clients are kept apart.
    pub prepared: Look<Result<(), Mixed>>,
    /// The median of several.
    pub round_trip: Look<Duration>,
    /// What the session says of itself and of the server.
    pub session: Look<Session>,
    /// How far the schema is, asked on the direct way.
    pub schema: Look<Schema>,
    /// The tables, as the role sees them.
    pub tables: Look<Tables>,
    /// What the role is and can.
    pub role: Look<Role>,
    /// How many microseconds the server's clock is ahead of ours.
    pub clock: Look<i64>,
}

/// What a session says of itself and of the server.
#[derive(Debug)]
pub struct Session {
    /// As `server_version_num` has it: 150018 is 15.18.
    pub version: i32,
    /// Whether the role may change the schema.
    pub may_migrate: bool,
    /// Limits of the role, by whatever they were set.
    pub limits: Limits,
    /// Of the whole server.
    pub connections: Connections,
    pub(super) place: Place,
    pub(super) tls_version: Option<String>,
    pub(super) tls_cipher: Option<String>,
}

impl Session {
    pub(super) fn read(row: &PgRow) -> Result<Self, SqlxError> {
        Ok(Self {
            version: row.try_get("version")?,
            may_migrate: row.try_get("may_migrate")?,
            limits: Limits {
                statement_timeout: row.try_get("statement_timeout")?,
                lock_timeout: row.try_get("lock_timeout")?,
                idle_in_transaction_session_timeout: row.try_get("idle_in_transaction_session_timeout")?,
            },
            connections: Connections {
                max_connections: row.try_get("max_connections")?,
                reserved_connections: row.try_get("reserved_connections")?,
            },
            place: Place {
                database: row.try_get("database")?,
                database_oid: row.try_get("database_oid")?,
                started: row.try_get("started")?,
            },
            tls_version: row.try_get("tls_version")?,
            tls_cipher: row.try_get("tls_cipher")?,
        })
    }
}

/// Limits in milliseconds; 0 is none.
#[derive(Debug)]
pub struct Limits {
    /// How long a statement may run.
    pub statement_timeout: i64,
    /// How long it may wait for a lock.
    pub lock_timeout: i64,
    /// How long a transaction may do nothing.
    pub idle_in_transaction_session_timeout: i64,
}

/// Connections of the whole server.
#[derive(Debug)]
pub struct Connections {
    /// All that it takes.
    pub max_connections: i32,
    /// Those of them that are kept for others.
    pub reserved_connections: i32,
}

/// Tells one database from any other, as far as a plain role can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    database: String,
    database_oid: i64,
    started: i64,
}

/// The tables, as a role sees them.
#[derive(Debug)]
pub struct Tables {
    /// Whether there are any.
    pub there: bool,
    /// What the role may not do, like `UPDATE, DELETE on sessions, tasks`.
    pub missing_rights: Vec<String>,
    /// How row-level security and the settings do not fit.
    pub unfit: Option<Unfit>,
}

/// A role.
#[derive(Debug)]
pub struct Role {
    /// Its name, quoted where a statement needs that.
    pub name: String,
    /// What it is or can beyond errand's needs.
    pub reasons: Vec<String>,
    /// Whether that goes beyond what the owner of the tables can.
    pub mighty: bool,
}

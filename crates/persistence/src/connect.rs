//! Opening the database. No library sees a URL: it is taken apart before (see [`crate::url`]).

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use errand_application::ports::Clock;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection, SqlitePool};
use tracing::log::LevelFilter;

use crate::db::Db;
use crate::error::{Refusal, refusal};
use crate::fence::Fence;
use crate::pools::{Opening, Pools};
use crate::pulse::Pulse;
use crate::url::{DatabaseUrl, Postgres, SslMode, Target};

/// How long a migration waits for another one, or for a table that is in use.
pub const WAIT: Duration = Duration::from_mins(1);
/// How long SQLite waits for another process to finish its write.
const BUSY: Duration = Duration::from_secs(5);
/// Few statements have many shapes; 100 hold all that are hot.
const STATEMENTS: usize = 100;
/// A statement slower than this is logged, without its values.
const SLOW: Duration = Duration::from_millis(500);

/// How to use a database.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Another way to it for migrations, past any pooler; without one [`DatabaseUrl::direct`] of `url`.
    pub direct_url: Option<DatabaseUrl>,
    /// A further CA that may vouch for the server.
    pub ca_file: Option<PathBuf>,
    /// The most connections of this process.
    pub max_connections: u32,
    /// How long a caller waits for an answer.
    pub deadline: Duration,
    /// Whether every unit of work runs under its owner's id, which the database's policies hold it to;
    /// PostgreSQL only.
    pub row_level_security: bool,
    /// What the server lists this process as.
    pub application_name: String,
}

impl Settings {
    /// The defaults for a database.
    pub fn new(url: DatabaseUrl) -> Self {
        Self {
            url,
            direct_url: None,
            ca_file: None,
            max_connections: 16,
            deadline: Duration::from_secs(5),
            row_level_security: false,
            application_name: "errand".to_owned(),
        }
    }

    /// The way for migrations.
    pub(crate) fn migrating_url(&self) -> DatabaseUrl {
        self.direct_url.clone().unwrap_or_else(|| self.url.direct())
    }
}

/// Why a database cannot be used at all. A PostgreSQL server that is down is not among it: that passes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A variable that the driver obeys and cannot be told not to.
    #[error("the environment variable {0} would reach the database driver; unset it")]
    Environment(&'static str),
    /// The CA file cannot be read.
    #[error("the file of the database's CA cannot be read")]
    CaFile(#[source] std::io::Error),
    /// The file of SQLite cannot be opened or made.
    #[error("the database file cannot be opened")]
    File(#[source] std::io::Error),
    /// The file opens and is no usable database.
    #[error("the database file cannot be used: {0}")]
    Unusable(String),
    /// A setting that cannot be.
    #[error("{0}")]
    Setting(&'static str),
}

/// Whether the settings fit together.
pub fn possible(settings: &Settings) -> Result<(), ConnectError> {
    if settings.max_connections == 0 || settings.deadline.is_zero() {
        return Err(ConnectError::Setting(
            "the number of connections and the deadline must not be zero",
        ));
    }
    let other_kind =
        |direct: &DatabaseUrl| direct.sqlite_path().is_some() != settings.url.sqlite_path().is_some();
    if settings.direct_url.as_ref().is_some_and(other_kind) {
        return Err(ConnectError::Setting(
            "the direct URL must lead to the same database as the other one",
        ));
    }
    if settings.row_level_security && settings.url.sqlite_path().is_some() {
        return Err(ConnectError::Setting("row-level security needs PostgreSQL"));
    }
    Ok(())
}

/// Opens the pools; of PostgreSQL none connects before it is used.
pub async fn open(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Db, ConnectError> {
    possible(settings)?;
    let pulse = Arc::new(Pulse::new(clock));
    let pools = match settings.url.target() {
        Target::Postgres(url) => {
            if url.channel_binding {
                tracing::info!(
                    "the database URL asks for channel binding, which the driver does not do; the verified \
                     certificate is what keeps others out"
                );
            }
            Pools::postgres(Opening {
                options: postgres_options(url, settings)?,
                max_connections: settings.max_connections,
                acquire_timeout: connect_within(settings.deadline),
                pulse: Arc::clone(&pulse),
            })
        }
        Target::Sqlite(path) => {
            let pools = sqlite(path, settings).await?;
            warn_of_readers(path);
            pools
        }
    };
    let fence = Fence::new(settings.row_level_security);
    Ok(Db::new(pools, settings.deadline, pulse, fence))
}

/// A new connection takes less than a unit's patience, so that a slow one is told from a silent one. A database
/// that wakes holds it for seconds.
fn connect_within(deadline: Duration) -> Duration {
    deadline * 4 / 5
}

/// One connection of its own, past any pooler: for changing the schema.
pub async fn open_for_migrations(settings: &Settings, pulse: Arc<Pulse>) -> Result<Pools, ConnectError> {
    match settings.migrating_url().target() {
        Target::Postgres(url) => Ok(Pools::postgres(Opening {
            options: postgres_options(url, settings)?,
            max_connections: 1,
            acquire_timeout: settings.deadline,
            pulse,
        })),
        Target::Sqlite(path) => sqlite(path, settings).await,
    }
}

/// No limits of the server's are set here (`statement_timeout` and the like): a pooler refuses such startup
/// parameters with 08P01, and not every pooler shows in its name. They belong to the role:
/// `ALTER ROLE … SET idle_in_transaction_session_timeout = …`.
///
/// Everything set by hand, so that nothing of the `PG*` environment is left of what the driver starts from.
pub fn postgres_options(url: &Postgres, settings: &Settings) -> Result<PgConnectOptions, ConnectError> {
    for variable in ["PGOPTIONS", "PGSSLCERT", "PGSSLKEY"] {
        if std::env::var_os(variable).is_some() {
            return Err(ConnectError::Environment(variable));
        }
    }
    let ca_file = settings.ca_file.as_ref().or(url.root_cert.as_ref());
    let ca = match ca_file {
        Some(path) => std::fs::read(path).map_err(ConnectError::CaFile)?,
        None => Vec::new(),
    };
    let mode = match url.ssl {
        SslMode::Prefer if ca_file.is_some() => PgSslMode::VerifyFull,
        SslMode::Prefer => PgSslMode::Prefer,
        SslMode::Disable => PgSslMode::Disable,
        SslMode::VerifyFull => PgSslMode::VerifyFull,
    };
    let password = url.password.as_ref().map_or("", |p| p.expose_secret());
    let name = url
        .application_name
        .as_ref()
        .unwrap_or(&settings.application_name);
    Ok(base(url.endpoint.as_deref())
        .host(&url.host)
        .port(url.port)
        .username(&url.user)
        .password(password)
        .database(&url.database)
        .ssl_mode(mode)
        .ssl_root_cert_from_pem(ca)
        .application_name(name)
        // Poolers know it only if they are told to, and nothing here is a float.
        .extra_float_digits(None)
        .statement_cache_capacity(STATEMENTS)
        .log_statements(LevelFilter::Debug)
        .log_slow_statements(LevelFilter::Warn, SLOW))
}

/// Neon's `endpoint=…` can only be given as part of a URL: the driver's own method writes it in a way that
/// Neon does not understand.
fn base(endpoint: Option<&str>) -> PgConnectOptions {
    endpoint
        .and_then(|id| {
            format!("postgres://x:x@localhost/x?options=endpoint%3D{id}")
                .parse()
                .ok()
        })
        .unwrap_or_else(PgConnectOptions::new_without_pgpass)
}

async fn sqlite(path: &Path, settings: &Settings) -> Result<Pools, ConnectError> {
    create(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .statement_cache_capacity(STATEMENTS)
        .log_statements(LevelFilter::Debug)
        .log_slow_statements(LevelFilter::Warn, SLOW);
    let writing = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        // An acknowledged write survives a power cut.
        .synchronous(SqliteSynchronous::Full);
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(settings.deadline)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .after_release(|conn, _| Box::pin(is_clean(conn)))
    };
    let started = Instant::now();
    let write = loop {
        // One: SQLite has one writer, and here the others queue in order instead of polling for the lock.
        match pool().max_connections(1).connect_with(writing.clone()).await {
            Ok(write) => break write,
            // Switching an empty file to WAL waits for nobody, so processes that start at once collide.
            Err(error) if is_busy(&error) && started.elapsed() < BUSY => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(unusable(&error)),
        }
    };
    check_writable(&write).await?;
    let read = pool()
        .max_connections(settings.max_connections)
        .connect_lazy_with(options.read_only(true));
    Ok(Pools::sqlite(read, write))
}

/// Whether the next borrower may have a connection. When SQLite cannot write (a full disk, say) it rolls back by
/// itself, so that the driver's own rollback fails, and the driver believes in the transaction for ever: it
/// would open savepoints in nothing, acknowledge what they hold and never commit it.
async fn is_clean(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Answered after the rollback that a dropped transaction leaves behind.
    conn.ping().await?;
    Ok(!conn.is_in_transaction())
}

/// A file that was there before keeps its mode: it is somebody's choice, or a slip.
fn warn_of_readers(path: &Path) {
    #[cfg(unix)]
    if let Ok(meta) = std::fs::metadata(path) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            let mode = format!("{mode:03o}");
            tracing::warn!(
                mode,
                "others may use the database file; 600 keeps it to its owner"
            );
        }
    }
}

/// Makes the file if there is none, for its owner's eyes only; its folder must be there.
///
/// One that is there is never opened here: to close any descriptor of it drops the locks that this process's
/// SQLite holds (POSIX), and the next program that closes the database takes the log away under the service.
fn create(path: &Path) -> Result<(), ConnectError> {
    let mut open = OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    match open.open(path) {
        Ok(_) => Ok(()),
        Err(_) if path.is_dir() => Err(ConnectError::File(ErrorKind::IsADirectory.into())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(ConnectError::File(error)),
    }
}

/// Refuses a database that only reads: it would fail at its first request. `BEGIN IMMEDIATE` alone does not tell,
/// SQLite makes it a plain `BEGIN` there.
pub async fn check_writable(write: &SqlitePool) -> Result<(), ConnectError> {
    let tried = async {
        let mut trying = write.begin_with("BEGIN IMMEDIATE").await?;
        trying.execute("CREATE TABLE errand_write_probe (id)").await?;
        trying.rollback().await
    }
    .await;
    match tried {
        Err(error) if !is_busy(&error) => Err(unusable(&error)),
        // Another process writes, so it can be written.
        _ => Ok(()),
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

fn unusable(error: &sqlx::Error) -> ConnectError {
    let refused: Option<Refusal> = refusal(error);
    ConnectError::Unusable(refused.map_or_else(|| "it did not open in time".to_owned(), |r| r.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_only_reads_is_told_from_one_that_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(dir.path().join("a.db"))
            .busy_timeout(Duration::ZERO)
            .create_if_missing(true);
        let one = SqlitePoolOptions::new().max_connections(1);
        let write = one.clone().connect_with(options.clone()).await.unwrap();
        check_writable(&write).await.unwrap();
        let writing = write.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let other = one.clone().connect_with(options.clone()).await.unwrap();
        check_writable(&other).await.unwrap();
        writing.rollback().await.unwrap();
        let read = one.connect_with(options.read_only(true)).await.unwrap();
        let refused = check_writable(&read).await.unwrap_err();
        assert!(matches!(refused, ConnectError::Unusable(_)), "{refused:?}");
    }
}

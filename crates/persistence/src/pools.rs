//! The pools behind a [`crate::db::Db`].

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseConnection, DbBackend, SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::Connection;
use sqlx::pool::PoolConnectionMetadata;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{PgPool, SqlitePool};
use tokio::time::timeout;

use crate::preflight::{PreflightError, preflight};
use crate::pulse::Pulse;

/// A connection that idled longer is asked before it is used: a database that went to sleep closed it.
const CHECK_AFTER: Duration = Duration::from_secs(30);
/// How long such a connection has to answer.
const CHECK_WITHIN: Duration = Duration::from_secs(2);
/// Well below the 5 minutes after which a hosted database goes to sleep.
const IDLE: Duration = Duration::from_mins(1);
const LIFETIME: Duration = Duration::from_mins(30);

/// Connections to read and to write with.
pub struct Pools {
    read: DatabaseConnection,
    write: DatabaseConnection,
    driver: Driver,
}

enum Driver {
    Postgres { pool: PgPool, opening: Box<Opening> },
    Sqlite { read: SqlitePool, write: SqlitePool },
}

/// All it takes to open a pool of PostgreSQL connections.
#[derive(Clone)]
pub struct Opening {
    pub options: PgConnectOptions,
    pub max_connections: u32,
    pub acquire_timeout: Duration,
    pub pulse: Arc<Pulse>,
}

impl Pools {
    /// Connects when first used, keeps nothing open for longer than it must.
    pub fn postgres(opening: Opening) -> Self {
        let pulse = Arc::clone(&opening.pulse);
        let pool = PgPoolOptions::new()
            .max_connections(opening.max_connections)
            .min_connections(0)
            .acquire_timeout(opening.acquire_timeout)
            .idle_timeout(IDLE)
            .max_lifetime(LIFETIME)
            // A round trip for every use of a connection; the hook does it where it is worth one.
            .test_before_acquire(false)
            .before_acquire(move |conn, meta| {
                let due = meta.idle_for >= CHECK_AFTER || pulse.broke_within(meta.idle_for);
                Box::pin(check(conn, meta, due))
            })
            .connect_lazy_with(opening.options.clone());
        let conn = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
        Self {
            read: conn.clone(),
            write: conn,
            driver: Driver::Postgres {
                pool,
                opening: Box::new(opening),
            },
        }
    }

    pub fn sqlite(read: SqlitePool, write: SqlitePool) -> Self {
        Self {
            read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read.clone()),
            write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write.clone()),
            driver: Driver::Sqlite { read, write },
        }
    }

    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    pub fn backend(&self) -> DbBackend {
        match self.driver {
            Driver::Postgres { .. } => DbBackend::Postgres,
            Driver::Sqlite { .. } => DbBackend::Sqlite,
        }
    }

    /// How many connections there are to read with, and to write with if those are others.
    pub fn sizes(&self) -> (usize, Option<usize>) {
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        match &self.driver {
            Driver::Postgres { opening, .. } => (size(opening.max_connections), None),
            Driver::Sqlite { read, write } => (
                size(read.options().get_max_connections()),
                Some(size(write.options().get_max_connections())),
            ),
        }
    }

    /// Whether there is no room for another connection.
    pub fn is_full(&self) -> bool {
        match &self.driver {
            Driver::Postgres { pool, opening } => pool.size() >= opening.max_connections,
            Driver::Sqlite { .. } => false,
        }
    }

    /// The same again with fresh connections.
    pub fn reopened(&self) -> Self {
        match &self.driver {
            Driver::Postgres { opening, .. } => Self::postgres((**opening).clone()),
            Driver::Sqlite { read, write } => Self::sqlite(read.clone(), write.clone()),
        }
    }

    /// Lends no connection any more and closes those that come back; does not wait for them.
    pub fn retire(&self) {
        if let Driver::Postgres { pool, .. } = &self.driver {
            // The call marks the pool; its future would wait for the connections.
            drop(pool.close());
        }
    }

    /// Whether the way to the database keeps its clients' statements apart.
    pub async fn preflight(&self, within: Duration) -> Result<(), PreflightError> {
        match &self.driver {
            Driver::Postgres { opening, .. } => {
                preflight(&opening.options, opening.acquire_timeout, within).await
            }
            Driver::Sqlite { .. } => Ok(()),
        }
    }

    pub async fn close(&self) {
        match &self.driver {
            Driver::Postgres { pool, .. } => pool.close().await,
            Driver::Sqlite { read, write } => {
                read.close().await;
                // Last, because the last connection folds the write-ahead log back into the file.
                write.close().await;
            }
        }
    }
}

async fn check(
    conn: &mut PgConnection,
    meta: PoolConnectionMetadata,
    due: bool,
) -> Result<bool, sqlx::Error> {
    if !due {
        return Ok(true);
    }
    let alive = timeout(CHECK_WITHIN, conn.ping()).await;
    if !matches!(alive, Ok(Ok(()))) {
        tracing::debug!(idle = ?meta.idle_for, "an idle database connection was dead");
        // Not an error: that one would be logged as a warning, and this is how a sleep looks.
        return Ok(false);
    }
    Ok(true)
}

//! Adapter: the store ports on sea-orm, for PostgreSQL and SQLite.
//!
//! **What this crate is.** One [`Database`] gives the stores. Each method of a store is one unit of work, run
//! where no caller can interrupt it (`db.rs`), beginning at an owner (`scope.rs`).
//!
//! **What it must never do.** Hand a URL to a library, put a value or a secret into an error or a log line,
//! reach a connection past `db.rs` (but for what does no user's work: `doctor.rs`, `preflight.rs`, `copy.rs`).
//!
//! **Where to start.** `tasks.rs` for how a store is written, `db.rs` for how its work runs.
//!
//! **How to extend it.** A new column: a step in `migrations/`, the entity, then every place where a struct is
//! taken apart, which the compiler lists. `tests/conformance.rs` holds both databases against the model.

mod accounts;
mod app_role;
mod breaker;
mod connect;
pub mod copy;
mod db;
pub mod doctor;
mod ended;
mod entities;
mod error;
mod events;
mod fence;
mod fit;
mod footing;
mod health;
mod imports;
mod limits;
mod lock;
mod migrate;
mod policies;
mod pools;
mod preflight;
mod pulse;
mod reach;
mod rights;
mod scope;
mod sessions;
mod sql;
mod steps;
mod tasks;
mod unfit;
mod url;

use std::sync::Arc;
use std::time::Duration;

use errand_application::ports::{
    AccountStore, Clock, DatabaseHealth, EventStore, ImportStore, LimitStore, SessionStore, StoreError,
    TaskStore,
};
use errand_domain::task::Recurrences;

pub use app_role::{AppRole, InvalidRole, RoleError};
pub use connect::{ConnectError, Settings};
pub use error::Older;
pub use health::CheckError;
pub use migrate::{MigrateError, Migrated};
pub use preflight::Mixed;
pub use reach::Unreachable;
pub use steps::MigrationStatus;
pub use unfit::Unfit;
pub use url::{DatabaseUrl, UrlError};

use db::Db;

/// An open database.
#[derive(Clone)]
pub struct Database {
    db: Db,
    settings: Settings,
    clock: Arc<dyn Clock>,
}

impl Database {
    /// Opens it. A SQLite file is made if there is none; PostgreSQL is not contacted before the first request.
    ///
    /// To be called on the runtime that ends last: all work and all connections live there, whoever asks.
    pub async fn connect(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, ConnectError> {
        Ok(Self {
            db: connect::open(settings, Arc::clone(&clock)).await?,
            settings: settings.clone(),
            clock,
        })
    }

    /// Brings the schema up to date; says which steps it took. Safe to call from many processes at once.
    ///
    /// Where row-level security is on, it stays on, and new tables get it.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        Ok(self.migrate_up(None, false).await?.steps)
    }

    /// The same, and prepares the role that errand is to run as; turns row-level security on if that is wanted.
    pub async fn migrate_for(
        &self,
        role: &AppRole,
        row_level_security: bool,
    ) -> Result<Migrated, MigrateError> {
        self.migrate_up(Some(role), row_level_security).await
    }

    async fn migrate_up(
        &self,
        role: Option<&AppRole>,
        row_level_security: bool,
    ) -> Result<Migrated, MigrateError> {
        let pools = connect::open_for_migrations(&self.settings, self.db.pulse()).await?;
        let outcome = migrate::up(pools.write(), role, row_level_security).await;
        pools.close().await;
        self.reached(outcome).await
    }

    /// Which steps of the schema the database has; changes nothing.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, MigrateError> {
        let pools = connect::open_for_migrations(&self.settings, self.db.pulse()).await?;
        let outcome = steps::status(pools.write()).await;
        pools.close().await;
        self.reached(outcome.map_err(Into::into)).await
    }

    /// With the reason, if the database was not reached.
    async fn reached<T>(&self, outcome: Result<T, MigrateError>) -> Result<T, MigrateError> {
        let source = match outcome {
            Err(MigrateError::Database(source)) if reach::is_in_question(&*source) => source,
            outcome => return outcome,
        };
        if self.settings.url.sqlite_path().is_some() {
            return Err(MigrateError::Database(source));
        }
        let cause = reach::cause(&*source, &self.settings.migrating_url(), &self.settings).await;
        let variable = match self.settings.direct_url {
            Some(_) => "DATABASE_DIRECT_URL",
            None => "DATABASE_URL",
        };
        Err(MigrateError::Away(Unreachable::new(variable, cause)))
    }

    /// The store of accounts.
    pub fn accounts(&self) -> Arc<dyn AccountStore> {
        Arc::new(accounts::Accounts(self.db.clone()))
    }

    /// The store of security events.
    pub fn events(&self) -> Arc<dyn EventStore> {
        Arc::new(events::Events(self.db.clone()))
    }

    /// The store of what comes in from other applications.
    pub fn imports(&self) -> Arc<dyn ImportStore> {
        Arc::new(imports::Imports {
            db: self.db.clone(),
            settings: self.settings.clone(),
            clock: Arc::clone(&self.clock),
        })
    }

    /// The store of limits.
    pub fn limits(&self) -> Arc<dyn LimitStore> {
        Arc::new(limits::Limits(self.db.clone()))
    }

    /// The store of sessions.
    pub fn sessions(&self) -> Arc<dyn SessionStore> {
        Arc::new(sessions::Sessions(self.db.clone()))
    }

    /// The store of tasks, of which those that repeat go by this calendar.
    pub fn tasks(&self, calendar: Arc<dyn Recurrences>) -> Arc<dyn TaskStore> {
        Arc::new(tasks::Tasks {
            db: self.db.clone(),
            calendar,
        })
    }

    /// What is known of its health.
    pub fn health(&self) -> Arc<dyn DatabaseHealth> {
        Arc::new(health::Health(self.db.clone()))
    }

    /// Asks the database for a sign of life, as [`DatabaseHealth::ping`] does, and tells wrong settings from a
    /// database that is away. That includes whether its schema is the program's, and whether it fits the settings.
    pub async fn check(&self) -> Result<(), CheckError> {
        Ok(self.health().ping().await?)
    }

    /// What a store's failure means to whoever runs errand; asks once more if that does not show why PostgreSQL
    /// is away.
    pub async fn explain(&self, error: StoreError) -> CheckError {
        let source = match CheckError::from(error) {
            CheckError::Unanswered(StoreError::Unavailable(source)) => source,
            told => return told,
        };
        if self.settings.url.sqlite_path().is_none()
            && reach::is_in_question(&*source)
            && let Some(cause) = reach::cause(&*source, &self.settings.url, &self.settings).await
        {
            return CheckError::Away(Unreachable::new("DATABASE_URL", Some(cause)));
        }
        CheckError::Unanswered(StoreError::Unavailable(source))
    }

    /// Waits until a unit of work finds, from now on, that settings, database and the way to it do not fit together;
    /// for ever if they do.
    pub async fn unfit(&self) -> Unfit {
        self.db.unfit().await
    }

    /// Lets running work finish and closes all connections; gives up after `within`.
    pub async fn close(&self, within: Duration) {
        self.db.close(within).await;
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Database").field(&self.settings.url).finish()
    }
}

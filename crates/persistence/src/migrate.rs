//! Bringing the schema up to date.

use errand_migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use crate::app_role::{self, AppRole, Prepared, RoleError};
use crate::connect::WAIT;
use crate::error::{Refusal, redacted};
use crate::policies;
use crate::reach::Unreachable;
use crate::steps::{MigrationStatus, status};

/// Any number that nothing else in the database locks on.
const LOCK: i64 = 0x6572_7261_6e64;

/// Why the schema was not brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// A later version of errand was here. Steps only add, so this version can still run.
    #[error("the database is newer than this program: it has {}", .0.join(", "))]
    Newer(Vec<String>),
    /// The way to the database cannot be opened.
    #[error(transparent)]
    Connect(#[from] crate::connect::ConnectError),
    /// There is no way to the database.
    #[error(transparent)]
    Away(Unreachable),
    /// The server answered that user, password or database name are wrong.
    #[error("the database lets nobody in this way")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Who migrates may not change the schema.
    #[error(
        "the role that migrates may not change the schema: let DATABASE_DIRECT_URL (or DATABASE_URL, without one) \
         be of the owner of the tables"
    )]
    Forbidden(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The role for errand cannot be made or must not be used; nothing has changed.
    #[error(transparent)]
    Role(RoleError),
    /// The database did not do it; nothing has changed.
    #[error("the database refused")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<DbErr> for MigrateError {
    fn from(error: DbErr) -> Self {
        let source = redacted(error);
        match source.downcast_ref::<Refusal>() {
            Some(refusal) if refusal.is_of_entry() => Self::Refused(source),
            Some(refusal) if refusal.is_of_rights() => Self::Forbidden(source),
            _ => Self::Database(source),
        }
    }
}

impl From<RoleError> for MigrateError {
    fn from(error: RoleError) -> Self {
        match error {
            RoleError::Db(error) => error.into(),
            other => Self::Role(other),
        }
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The steps that were taken.
    pub steps: Vec<String>,
    /// Whether the role that was asked for is new, and so has no password yet.
    pub made_role: bool,
    /// What somebody has to order who may alter the role; who migrates may not.
    pub left: Vec<String>,
}

/// Takes all pending steps and does what is asked for beyond, or nothing of it. Any number of processes may call
/// it at once.
pub async fn up(
    conn: &DatabaseConnection,
    role: Option<&AppRole>,
    row_level_security: bool,
) -> Result<Migrated, MigrateError> {
    let tx = conn
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await?;
    let postgres = tx.get_database_backend() == DbBackend::Postgres;
    if postgres {
        serialise(&tx).await?;
    } else if role.is_some() {
        return Err(RoleError::NotPostgres.into());
    }
    let status = status(&tx).await?;
    let unknown: Vec<String> = names(&status, |step| !step.known);
    if !unknown.is_empty() {
        return Err(MigrateError::Newer(unknown));
    }
    let guarded = if postgres {
        policies::state(&tx).await?
    } else {
        Vec::new()
    };
    let steps = names(&status, |step| !step.applied);
    if !steps.is_empty() {
        policies::lift(&tx, &guarded).await?;
        Migrator::up(&tx, None).await?;
    }
    // A new table gets its policies with the step that makes it.
    if row_level_security || policies::are_there(&guarded) {
        policies::apply(&tx).await?;
    }
    let (mut made_role, mut left) = (false, Vec::new());
    if let Some(role) = role {
        Prepared {
            made: made_role,
            left,
        } = app_role::prepare(&tx, role).await?;
    }
    tx.commit().await?;
    Ok(Migrated {
        steps,
        made_role,
        left,
    })
}

/// Both end with the transaction, so that they hold behind a pooler too.
async fn serialise(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let wait = WAIT.as_millis();
    for sql in [
        format!("SET LOCAL lock_timeout = {wait}"),
        "SET LOCAL statement_timeout = 0".to_owned(),
        format!("SELECT pg_advisory_xact_lock({LOCK})"),
    ] {
        tx.execute_unprepared(&sql).await?;
    }
    Ok(())
}

fn names(status: &[MigrationStatus], which: impl Fn(&MigrationStatus) -> bool) -> Vec<String> {
    let steps = status.iter().filter(|step| which(step));
    steps.map(|step| step.name.clone()).collect()
}

//! `errand migrate`, and the migrating at start.

use std::io::Write;
use std::time::Duration;

use errand_persistence::{CheckError, Database, MigrateError};
use tokio::sync::Notify;

use crate::failure::{Failure, one_line};
use crate::{config, wire};

/// How long open work may take when a command is done.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// So often a database that answers may refuse to be migrated.
const MAX_REFUSALS: u32 = 3;

/// Applies what is missing and lists it.
pub async fn up(config: &config::Database) -> Result<(), Failure> {
    let database = wire::database(config).await?;
    let applied = database.migrate().await;
    database.close(CLOSE_WITHIN).await;
    let applied = applied?;
    let mut out = std::io::stdout();
    for name in &applied {
        writeln!(out, "{name}: applied")?;
    }
    if applied.is_empty() {
        writeln!(out, "nothing to apply")?;
    }
    Ok(())
}

/// Lists all, applied or not.
pub async fn status(config: &config::Database) -> Result<(), Failure> {
    let database = wire::database(config).await?;
    let migrations = database.migration_status().await;
    database.close(CLOSE_WITHIN).await;
    let mut out = std::io::stdout();
    for migration in migrations? {
        let state = match (migration.applied, migration.known) {
            (true, true) => "applied",
            (true, false) => "applied (by a newer version)",
            (false, _) => "pending",
        };
        writeln!(out, "{}: {state}", migration.name)?;
    }
    Ok(())
}

/// Migrates at start, however long the database is away; tells `away` each time that it is. Fails if trying
/// again would not help.
pub async fn at_start(database: &Database, config: &config::Database, away: &Notify) -> Result<(), Failure> {
    // The file is there: it was opened.
    if config.url.sqlite_path().is_some() {
        return Ok(apply(database).await?);
    }
    let mut pause = Duration::from_millis(500);
    let (mut tries, mut refusals) = (0, 0);
    loop {
        tries += 1;
        // Asked first: it answers within the deadline, and what it finds is what /health/ready tells.
        let reason = match database.check().await {
            Ok(()) => match apply(database).await {
                Ok(()) => return Ok(()),
                // Perhaps a lock or a restart.
                Err(error @ MigrateError::Database(_)) if refusals < MAX_REFUSALS => {
                    refusals += 1;
                    one_line(&error)
                }
                Err(error) => return Err(error.into()),
            },
            // At the first try that is a slip in the configuration, not a database that changes hands.
            Err(error @ CheckError::Refused(_)) if tries == 1 => return Err(error.into()),
            Err(error) => one_line(&error),
        };
        tracing::warn!(reason, "the database cannot be migrated yet, trying again");
        away.notify_one();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

async fn apply(database: &Database) -> Result<(), MigrateError> {
    match database.migrate().await {
        Ok(applied) => {
            for name in applied {
                tracing::info!(name, "migrated");
            }
            Ok(())
        }
        // Another version is being rolled back to this one, or runs beside it.
        Err(error @ MigrateError::Newer(_)) => {
            tracing::warn!("{error}; going on, because later versions only add");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

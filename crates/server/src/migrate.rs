//! `errand migrate`, and the migrating at start.

use std::time::Duration;

use errand_persistence::{
    AppRole, CheckError, Database, MigrateError, Migrated, MigrationStatus, RoleError, Unfit,
};
use tokio::sync::Notify;

use crate::failure::{Failure, one_line};
use crate::{config, output, wire};

/// How long open work may take when a command is done.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// So often a database that answers may refuse to be migrated.
const MAX_REFUSALS: u32 = 3;

/// A role to be prepared.
pub struct ForRole {
    pub role: AppRole,
    /// Whether policies are to hold it.
    pub row_level_security: bool,
}

/// Applies what is missing and lists it; prepares a role if one is given.
pub async fn up(config: &config::Database, wanted: Option<ForRole>) -> Result<(), Failure> {
    if wanted.is_some() && config.url.sqlite_path().is_some() {
        // Before a file is made.
        return Err(RoleError::NotPostgres.into());
    }
    let database = wire::database(config).await?;
    let migrated = match &wanted {
        Some(wanted) => {
            database
                .migrate_for(&wanted.role, wanted.row_level_security)
                .await
        }
        None => database.migrate().await.map(|steps| Migrated {
            steps,
            made_role: false,
            left: Vec::new(),
        }),
    };
    database.close(CLOSE_WITHIN).await;
    let migrated = migrated?;
    let mut lines: Vec<String> = migrated
        .steps
        .iter()
        .map(|name| format!("{name}: applied"))
        .collect();
    if lines.is_empty() {
        lines.push("nothing to apply".to_owned());
    }
    lines.extend(wanted.map(|wanted| next(&wanted, migrated.made_role)));
    if !migrated.left.is_empty() {
        let orders = migrated.left.join(";\n  ");
        lines.push(format!("for somebody who may alter the role:\n  {orders};"));
    }
    output::print(&format!("{}\n", lines.join("\n")))?;
    Ok(())
}

/// What is to be done with the role.
fn next(wanted: &ForRole, made: bool) -> String {
    let name = wanted.role.name();
    let made = if made {
        "made, without a password"
    } else {
        "was there"
    };
    let (on, then) = if wanted.row_level_security {
        (
            "row-level security: on, forced\n",
            "\n  database.row_level_security = true\n\
             until then it finds no rows: stop what runs without the setting",
        )
    } else {
        ("", "")
    };
    format!(
        "role {name}: {made}\n\
         {on}next: give the role a password (in psql: \\password {name}) and start errand with\n  \
         DATABASE_URL as {name}\n  \
         DATABASE_DIRECT_URL as the role that migrated now{then}"
    )
}

/// Lists all, applied or not.
pub async fn status(config: &config::Database) -> Result<(), Failure> {
    let database = wire::existing_database(config).await?;
    let migrations = database.migration_status().await;
    database.close(CLOSE_WITHIN).await;
    let line = |migration: &MigrationStatus| {
        let state = match (migration.applied, migration.known) {
            (true, true) => "applied",
            (true, false) => "applied (by a newer version)",
            (false, _) => "pending",
        };
        format!("{}: {state}", migration.name)
    };
    let lines: Vec<String> = migrations?.iter().map(line).collect();
    output::print(&format!("{}\n", lines.join("\n")))?;
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
            // No migration mends a pooler, and none is safe through it.
            Err(error @ CheckError::Unfit(Unfit::Mixed(_))) => return Err(error.into()),
            // What does not fit may be what a migration mends.
            Ok(()) | Err(CheckError::Unfit(_) | CheckError::Older(_)) => match apply(database).await {
                Ok(()) => return look(database).await,
                // The direct way may be another one.
                Err(error @ MigrateError::Away(_)) => one_line(&error),
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

/// Fails if the database's row-level security does not fit the settings. One that is away, or whose schema is
/// older than this program, is looked at again when it is used.
pub async fn look(database: &Database) -> Result<(), Failure> {
    match database.check().await {
        Err(error @ CheckError::Unfit(_)) => Err(error.into()),
        Err(error @ CheckError::Older(_)) => {
            tracing::warn!("{error}; nothing is served before");
            Ok(())
        }
        _ => Ok(()),
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

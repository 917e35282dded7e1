//! The steps of the schema: which the program has, and which the database.

use std::collections::BTreeSet;

use errand_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::{MigrationTrait, SchemaManager};

/// The record of the steps that were taken.
pub const TABLE: &str = "seaql_migrations";

/// A step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its name.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
    /// Whether this program has it; if not, the database is newer than the program.
    pub known: bool,
}

/// All steps that the program or the database has; only reads.
pub async fn status<C>(conn: &C) -> Result<Vec<MigrationStatus>, DbErr>
where
    C: ConnectionTrait + sea_orm::TransactionTrait,
    for<'c> &'c C: sea_orm_migration::IntoSchemaManagerConnection<'c>,
{
    let applied: BTreeSet<String> = if is_there(conn).await? {
        let versions = Statement::from_string(
            conn.get_database_backend(),
            format!("SELECT version FROM {TABLE} ORDER BY version"),
        );
        let rows = conn.query_all_raw(versions).await?;
        rows.iter()
            .map(|row| row.try_get("", "version"))
            .collect::<Result<_, _>>()?
    } else {
        BTreeSet::new()
    };
    Ok(compare(&applied))
}

/// All steps that the program has or the database, which has taken these.
pub fn compare(applied: &BTreeSet<String>) -> Vec<MigrationStatus> {
    let steps: Vec<Box<dyn MigrationTrait>> = Migrator::migrations();
    let known: BTreeSet<String> = steps.iter().map(|step| step.name().to_owned()).collect();
    known
        .union(applied)
        .map(|name| MigrationStatus {
            name: name.clone(),
            applied: applied.contains(name),
            known: known.contains(name),
        })
        .collect()
}

/// Whether the record of the steps is there, for PostgreSQL whether or not the role may read it.
async fn is_there<C>(conn: &C) -> Result<bool, DbErr>
where
    C: ConnectionTrait + sea_orm::TransactionTrait,
    for<'c> &'c C: sea_orm_migration::IntoSchemaManagerConnection<'c>,
{
    let backend = conn.get_database_backend();
    if backend != DbBackend::Postgres {
        return SchemaManager::new(conn).has_table(TABLE).await;
    }
    let look = format!("SELECT to_regclass('{TABLE}') IS NOT NULL AS there");
    let row = conn.query_one_raw(Statement::from_string(backend, look)).await?;
    row.map_or(Ok(false), |row| row.try_get("", "there"))
}

//! What came in from other applications.

use sea_orm_migration::sea_orm::DbBackend;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::DbErr};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000005_import"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use sea_orm_migration::sea_orm::ConnectionTrait;
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => include_str!("m20261130_000005_import/postgres.sql"),
            DbBackend::Sqlite => include_str!("m20261130_000005_import/sqlite.sql"),
            other => return Err(DbErr::Migration(format!("{other:?} is not supported"))),
        };
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        // SQLite's default would leave half a step behind after a crash.
        Some(true)
    }
}

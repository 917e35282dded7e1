//! The database schema of errand, one file a step.
//!
//! **What this crate is.** Each step is written out in the SQL of both databases, side by side, and leaves the
//! tables, columns and meanings equal. Names are frozen once a step is released.
//!
//! **How to extend it.** A new `mYYYYMMDD_NNNNNN_name.rs` at the end of the list. Only add: nothing that the
//! version before reads may change its type or name or go away, because both run at once during an update.
//!
//! Where row-level security is on, its force is lifted for the transaction that migrates: a step may read and write
//! everybody's rows as the owner of the tables, whom the policies hold otherwise. A new table with a `user_id` gets
//! a line in `policies.rs` of the adapter.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

mod m20261123_000001_initial;
mod m20261124_000002_defence;
mod m20261124_000003_trash;
mod m20261124_000004_clients;
mod m20261130_000005_import;

/// All steps in their order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_initial::Migration),
            Box::new(m20261124_000002_defence::Migration),
            Box::new(m20261124_000003_trash::Migration),
            Box::new(m20261124_000004_clients::Migration),
            Box::new(m20261130_000005_import::Migration),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Databases remember these names: a changed one is a step that runs twice.
    #[test]
    fn names_are_frozen() {
        let names: Vec<String> = Migrator::migrations()
            .iter()
            .map(|step| step.name().to_owned())
            .collect();
        assert_eq!(
            names,
            [
                "m20261123_000001_initial",
                "m20261124_000002_defence",
                "m20261124_000003_trash",
                "m20261124_000004_clients",
                "m20261130_000005_import"
            ]
        );
    }
}

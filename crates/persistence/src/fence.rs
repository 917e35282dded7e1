//! The fence around a unit of work: where row-level security is on, a transaction names whose rows it may see,
//! and the policies of the database (`policies.rs`) hold it to that.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use crate::scope::Scope;

/// What the policies go by. Missing or empty, it lets nothing through.
pub const SETTING: &str = "errand.user_id";
/// Its value for [`Scope::Everyone`]; for an owner it is the id.
pub const EVERYONE: &str = "everyone";

/// The third argument: until the end of the transaction, so that it holds behind a pooler and leaks to nobody.
const NAME: &str = "SELECT set_config('errand.user_id', $1, true)";

/// Whether units of work are fenced in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    on: bool,
}

impl Fence {
    pub fn new(on: bool) -> Self {
        Self { on }
    }

    pub fn is_on(self) -> bool {
        self.on
    }

    /// From here on the transaction may touch what belongs to the scope and nothing else. Does nothing where
    /// row-level security is off.
    pub async fn around(self, tx: &DatabaseTransaction, scope: Scope) -> Result<(), DbErr> {
        if !self.on {
            return Ok(());
        }
        let value = match scope {
            Scope::Owner(owner) => owner.0.to_string(),
            Scope::Everyone => EVERYONE.to_owned(),
        };
        let naming = Statement::from_sql_and_values(DbBackend::Postgres, NAME, [value.into()]);
        tx.query_one_raw(naming).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_sets_what_the_policies_read() {
        assert!(NAME.contains(&format!("'{SETTING}'")));
    }
}

//! Removing what was deleted and is no longer kept, from the whole database.

use std::sync::Arc;

use crate::ports::{AccountStore, Clock, StoreError, TaskStore};

/// So many accounts are asked for at a time.
const ACCOUNTS: u32 = 500;
/// So many tasks go at once.
const TASKS: u32 = 500;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// So many tasks
    pub tasks: u64,
    /// of so many users.
    pub users: u64,
}

/// Removes everybody's. One user after the other, each step within that user's scope: nothing is locked for long,
/// and no role is needed that may touch everybody's rows.
pub struct PurgeService {
    accounts: Arc<dyn AccountStore>,
    tasks: Arc<dyn TaskStore>,
    clock: Arc<dyn Clock>,
}

impl PurgeService {
    /// A service on these ports.
    pub fn new(accounts: Arc<dyn AccountStore>, tasks: Arc<dyn TaskStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            accounts,
            tasks,
            clock,
        }
    }

    /// Removes all that is over now. Stopped half-way, it leaves the rest for the next time.
    pub async fn run(&self) -> Result<Purged, StoreError> {
        let at = self.clock.now();
        let (mut purged, mut after) = (Purged::default(), None);
        loop {
            let page = self.accounts.accounts(after, ACCOUNTS).await?;
            let Some(last) = page.last() else {
                return Ok(purged);
            };
            after = Some(last.user.id);
            for account in &page {
                let before = purged.tasks;
                loop {
                    let removed = self.tasks.purge(account.user.id, TASKS, at).await?;
                    purged.tasks += removed;
                    if removed < u64::from(TASKS) {
                        break;
                    }
                }
                purged.users += u64::from(purged.tasks > before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use errand_domain::UserId;
    use errand_domain::account::{Email, User, Username};

    use super::*;
    use crate::ports::{AccountState, MockAccountStore, MockTaskStore};
    use crate::test_support::{FixedClock, at};

    fn account(id: i64) -> AccountState {
        AccountState {
            user: User {
                id: UserId(id),
                username: Username::parse("ann").unwrap(),
                email: Email::parse("ann@example.com").unwrap(),
                created_at: at(0),
                updated_at: at(0),
            },
            disabled_at: None,
        }
    }

    #[tokio::test]
    async fn everybodys_goes_step_by_step() {
        let mut accounts = MockAccountStore::new();
        accounts.expect_accounts().times(3).returning(|after, _| {
            Ok(match after {
                None => vec![account(1), account(4)],
                Some(UserId(4)) => vec![account(7)],
                Some(_) => Vec::new(),
            })
        });
        let mut tasks = MockTaskStore::new();
        let mut left = std::collections::BTreeMap::from([(1, 1003_u64), (4, 0), (7, 500)]);
        tasks
            .expect_purge()
            .times(3 + 1 + 2)
            .returning(move |owner, most, now| {
                assert_eq!(now, at(0));
                let left = left.get_mut(&owner.0).unwrap();
                let removed = u64::from(most).min(*left);
                *left -= removed;
                Ok(removed)
            });
        let service = PurgeService::new(
            Arc::new(accounts),
            Arc::new(tasks),
            Arc::new(FixedClock::default()),
        );
        let purged = service.run().await.unwrap();
        assert_eq!(
            purged,
            Purged {
                tasks: 1503,
                users: 2
            }
        );
    }

    #[tokio::test]
    async fn a_failure_is_told() {
        let mut accounts = MockAccountStore::new();
        accounts.expect_accounts().returning(|_, _| Ok(vec![account(1)]));
        let mut tasks = MockTaskStore::new();
        tasks.expect_purge().returning(|_, _, _| Err(StoreError::Crowded));
        let service = PurgeService::new(
            Arc::new(accounts),
            Arc::new(tasks),
            Arc::new(FixedClock::default()),
        );
        assert!(matches!(service.run().await, Err(StoreError::Crowded)));
    }
}

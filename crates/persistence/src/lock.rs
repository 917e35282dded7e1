//! The order in which a user's rows are locked.

use errand_domain::UserId;
use sea_orm::QuerySelect;
use sea_orm::sea_query::LockType;

use crate::db::Tx;
use crate::entities::users;
use crate::error::Failure;
use crate::scope::Owned;

/// The user's row, held until the end of the transaction: whoever starts, ends or rotates sessions of a user
/// comes through here first, one after the other. `None` if the account is gone.
///
/// That leaves no circle to wait in: the order is `task_counters` (writers of tasks, deletion), `users`,
/// then rows of sessions and records of their end, which nobody touches who does not hold the user's row.
pub async fn lock(tx: &Tx, owner: UserId) -> Result<Option<users::Model>, Failure> {
    // Not FOR UPDATE, which would wait for writers whose rows refer to the user.
    Ok(users::Entity::of(owner)
        .lock(LockType::NoKeyUpdate)
        .one(tx)
        .await?)
}

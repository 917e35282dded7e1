//! What came in goes again.

use errand_application::ports::Holdings;
use errand_domain::UserId;
use sea_orm::{ColumnTrait, ConnectionTrait, PaginatorTrait, QueryFilter, QuerySelect};

use super::tasks::{hold, known};
use crate::db::Tx;
use crate::ended;
use crate::entities::{imported_tasks, imported_users, task_counters, tasks, users};
use crate::error::Failure;
use crate::scope::Owned;

pub async fn holdings(tx: &impl ConnectionTrait, owner: UserId) -> Result<Option<Holdings>, Failure> {
    let Some(user) = users::Entity::of(owner).one(tx).await? else {
        return Ok(None);
    };
    let counters = task_counters::Entity::of(owner).one(tx).await?;
    Ok(Some(Holdings {
        account: user.credentials()?,
        changes: counters.map_or(0, |counters| counters.change_counter),
        tasks: tasks::Entity::of(owner).count(tx).await?,
    }))
}

pub async fn user(
    tx: &Tx,
    source: &str,
    owner: UserId,
    expected: Option<&Holdings>,
) -> Result<bool, Failure> {
    // In the order of those who write tasks: the counters first, then the user that their rows refer to.
    task_counters::Entity::of(owner).lock_exclusive().one(tx).await?;
    users::Entity::of(owner).lock_exclusive().one(tx).await?;
    let came = imported_users::Entity::of(owner)
        .filter(imported_users::Column::Source.eq(source))
        .count(tx)
        .await?;
    let found = holdings(tx, owner).await?;
    if came == 0 || found.is_none() || expected.is_some() && found.as_ref() != expected {
        return Ok(false);
    }
    ended::record_all(tx, owner).await?;
    users::Entity::delete_of(owner).exec(tx).await?;
    Ok(true)
}

pub async fn tasks(tx: &Tx, owner: UserId, run: i64, keys: &[String], forced: bool) -> Result<u64, Failure> {
    if hold(tx, owner).await?.is_none() {
        return Ok(0);
    }
    let going = known(tx, owner, keys).await?;
    let going = going
        .into_iter()
        .filter(|task| task.run == run && (forced || task.untouched));
    let (ids, keys): (Vec<_>, Vec<_>) = going.map(|task| (task.id.0, task.key)).unzip();
    tasks::Entity::delete_of(owner)
        .filter(tasks::Column::Id.is_in(ids))
        .exec(tx)
        .await?;
    let forgotten = imported_tasks::Entity::delete_of(owner)
        .filter(imported_tasks::Column::SourceKey.is_in(keys))
        .exec(tx)
        .await?;
    Ok(forgotten.rows_affected)
}

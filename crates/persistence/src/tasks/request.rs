//! Requests that may come again.

use errand_application::ports::{Request, Worked};
use errand_domain::idempotency::{AT_ONCE, MOST, over};
use errand_domain::task::Outcome;
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use crate::db::Tx;
use crate::entities::idempotency_keys::{ActiveModel, Column, Entity, Model};
use crate::entities::tasks::Row;
use crate::error::Failure;
use crate::scope::Owned;
use crate::sql::Sql;

/// An outcome as it is kept. Later versions of errand read what this one wrote: only add.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Task(Box<Row>),
    Deleted(i64),
}

const CORRUPT: Failure = Failure::Corrupt {
    table: "idempotency_keys",
    column: "answer",
};

/// What there is to answer without doing anything, if there is. The owner's row is locked: a request that came
/// first is done by now.
pub async fn known(
    tx: &Tx,
    owner: UserId,
    request: &Request,
    at: Timestamp,
) -> Result<Option<Worked>, Failure> {
    let found: Option<Model> = Entity::of(owner)
        .filter(Column::Key.eq(request.key.as_str()))
        .filter(Column::CreatedAt.gt(over(at).as_chrono()))
        .one(tx)
        .await?;
    if let Some(found) = found {
        if found.fingerprint != request.fingerprint.0 {
            return Ok(Some(Worked::Reused));
        }
        let kept: Vec<Kept> = serde_json::from_str(&found.answer).map_err(|_| CORRUPT)?;
        let outcomes = kept.into_iter().map(|kept| match kept {
            Kept::Task(row) => row.task().map(Outcome::task),
            Kept::Deleted(id) => Ok(Outcome::Deleted(TaskId(id))),
        });
        return Ok(Some(Worked::Done {
            outcomes: outcomes.collect::<Result<_, _>>()?,
            replayed: true,
        }));
    }
    let oldest_of_most: Option<sea_orm::prelude::DateTimeUtc> = Entity::of(owner)
        .select_only()
        .column(Column::CreatedAt)
        .filter(Column::CreatedAt.gt(over(at).as_chrono()))
        .order_by_desc(Column::CreatedAt)
        .offset(u64::from(MOST) - 1)
        .limit(1)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(oldest_of_most.map(|at| {
        let until = Timestamp::new(at).plus(errand_domain::idempotency::KEPT);
        Worked::TooManyKeys(until)
    }))
}

/// What is over, the same key first among it.
const FORGET: Sql = Sql::both(
    "DELETE FROM idempotency_keys WHERE user_id = $1 AND created_at <= $2 AND (key = $3 OR key IN \
     (SELECT k.key FROM idempotency_keys k WHERE k.user_id = $1 AND k.created_at <= $2 \
     ORDER BY k.created_at, k.key LIMIT $4))",
);

/// Forgets all that is over, with what was answered: of who sends no key any more nothing goes otherwise.
pub async fn forget(tx: &Tx, owner: UserId, at: Timestamp) -> Result<(), Failure> {
    Entity::delete_of(owner)
        .filter(Column::CreatedAt.lte(over(at).as_chrono()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Keeps what a request came to, and forgets some of what is over.
pub async fn remember(
    tx: &Tx,
    owner: UserId,
    request: &Request,
    outcomes: &[Outcome],
    at: Timestamp,
) -> Result<(), Failure> {
    let values = [
        owner.0.into(),
        over(at).as_chrono().into(),
        request.key.as_str().into(),
        i64::from(AT_ONCE).into(),
    ];
    tx.execute_raw(FORGET.with(tx, values)).await?;
    let kept = outcomes.iter().map(|outcome| match outcome {
        Outcome::Task(task) => Kept::Task(Box::new(Row::from(&**task))),
        Outcome::Deleted(id) => Kept::Deleted(id.0),
    });
    let answer = serde_json::to_string(&kept.collect::<Vec<_>>()).map_err(|_| CORRUPT)?;
    let row = ActiveModel {
        user_id: Set(owner.0),
        key: Set(request.key.as_str().to_owned()),
        fingerprint: Set(request.fingerprint.0.to_vec()),
        answer: Set(answer),
        created_at: Set(at.as_chrono()),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

//! Security events.

use async_trait::async_trait;
use errand_application::ports::{EventStore, StoreError};
use errand_domain::UserId;
use errand_domain::event::{KEPT, KEPT_FAILURES, SecurityEvent};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, QuerySelect};

use crate::db::{Conn, Db, Tx};
use crate::entities::security_events::{Column, Entity, Model, row};
use crate::error::Failure;
use crate::lock::lock;
use crate::scope::{Owned, Scope};
use crate::sql::Sql;

/// The port.
pub struct Events(pub Db);

#[async_trait]
impl EventStore for Events {
    fn note(&self, owner: UserId, event: &SecurityEvent) {
        let input = (owner, event.clone());
        self.0.aside(Scope::Owner(owner), input, |tx, (owner, event)| {
            Box::pin(note(tx, *owner, event))
        });
    }

    async fn list(&self, owner: UserId, most: u32) -> Result<Vec<SecurityEvent>, StoreError> {
        self.0
            .read(Scope::Owner(owner), (owner, most), |conn, (owner, most)| {
                Box::pin(list(conn, *owner, *most))
            })
            .await
    }
}

/// The oldest of a class that is full go. Ids are in the order of time.
const TRIM: Sql = Sql::both(
    "DELETE FROM security_events WHERE user_id = $1 AND is_failure = $2 AND id <= \
     (SELECT id FROM security_events WHERE user_id = $1 AND is_failure = $2 \
     ORDER BY id DESC LIMIT 1 OFFSET $3)",
);

/// Keeps an event of somebody who is there, whose row is held.
pub async fn keep(tx: &Tx, owner: UserId, event: &SecurityEvent) -> Result<(), Failure> {
    Entity::insert(row(owner, event))
        .exec_without_returning(tx)
        .await?;
    let failure = event.kind.is_failure();
    let most = if failure { KEPT_FAILURES } else { KEPT };
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    tx.execute_raw(TRIM.with(tx, [owner.0.into(), failure.into(), most.into()]))
        .await?;
    Ok(())
}

async fn note(tx: &Tx, owner: UserId, event: &SecurityEvent) -> Result<(), Failure> {
    match lock(tx, owner).await? {
        Some(_) => keep(tx, owner, event).await,
        None => Ok(()),
    }
}

async fn list(conn: &Conn<'_>, owner: UserId, most: u32) -> Result<Vec<SecurityEvent>, Failure> {
    let newest = Entity::of(owner).order_by_desc(Column::Id).limit(u64::from(most));
    let rows: Vec<Model> = newest.all(conn).await?;
    rows.into_iter()
        .filter_map(|row| row.event().transpose())
        .collect()
}

/// All that are kept, oldest first.
pub async fn all(tx: &Tx, owner: UserId) -> Result<Vec<SecurityEvent>, Failure> {
    let rows: Vec<Model> = Entity::of(owner).order_by_asc(Column::Id).all(tx).await?;
    rows.into_iter()
        .filter_map(|row| row.event().transpose())
        .collect()
}

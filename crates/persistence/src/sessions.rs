//! Sessions.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use errand_application::ports::{
    Ended, EndedCursor, NewSession, NextRefresh, Rotation, SessionStore, Start, StoreError,
};
use errand_domain::event::SecurityEvent;
use errand_domain::session::{Digest, Presented, Session, expiry};
use errand_domain::{SessionId, Timestamp, UserId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::db::{Conn, Db, Tx};
use crate::ended;
use crate::entities::sessions::{self, Column, Entity};
use crate::error::Failure;
use crate::events;
use crate::lock::lock;
use crate::scope::{Owned, Scope};

/// The port.
pub struct Sessions(pub Db);

/// A unit that is done so soon is not late.
const PUNCTUAL: Duration = Duration::from_secs(1);

struct Presentation {
    owner: UserId,
    id: SessionId,
    family: Digest,
    token: Digest,
    next: NextRefresh,
    event: SecurityEvent,
    /// When errand was asked.
    asked: Instant,
}

impl Presentation {
    /// When the rotation really happens. A sleeping database may wake for longer than the grace lasts, and the
    /// client can only come again once it is awake. What is hardly late keeps the time that was given, so that
    /// what is tested is what is stored.
    fn rotated_at(&self) -> Timestamp {
        let late = self.asked.elapsed();
        if late > PUNCTUAL {
            self.event.at.plus(late)
        } else {
            self.event.at
        }
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn start(
        &self,
        owner: UserId,
        account_as_of: Timestamp,
        session: &NewSession,
        most: usize,
        event: &SecurityEvent,
    ) -> Result<Start, StoreError> {
        let input = Beginning {
            owner,
            account_as_of,
            session: session.clone(),
            most,
            event: event.clone(),
        };
        self.0
            .write(Scope::Owner(owner), input, |tx, input| Box::pin(start(tx, input)))
            .await
    }

    async fn rotate(
        &self,
        owner: UserId,
        id: SessionId,
        family: &Digest,
        token: &Digest,
        next: &NextRefresh,
        event: &SecurityEvent,
    ) -> Result<Rotation, StoreError> {
        let input = Presentation {
            owner,
            id,
            family: *family,
            token: *token,
            next: next.clone(),
            event: event.clone(),
            asked: Instant::now(),
        };
        self.0
            .write(Scope::Owner(owner), input, |tx, input| {
                Box::pin(rotate(tx, input))
            })
            .await
    }

    async fn list(&self, owner: UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.0
            .read(Scope::Owner(owner), (owner, at), |conn, (owner, at)| {
                Box::pin(list(conn, *owner, *at))
            })
            .await
    }

    async fn end(&self, owner: UserId, id: SessionId, event: &SecurityEvent) -> Result<bool, StoreError> {
        self.0
            .write(
                Scope::Owner(owner),
                (owner, id, event.clone()),
                |tx, (owner, id, event)| Box::pin(end(tx, *owner, *id, event)),
            )
            .await
    }

    async fn end_all(&self, owner: UserId, event: &SecurityEvent) -> Result<u64, StoreError> {
        self.0
            .write(
                Scope::Owner(owner),
                (owner, event.clone()),
                |tx, (owner, event)| Box::pin(end_all(tx, *owner, event)),
            )
            .await
    }

    async fn ended(&self, after: Option<EndedCursor>) -> Result<Ended, StoreError> {
        self.0
            .read(
                Scope::Everyone,
                (after, self.0.longest_unit()),
                |conn, (after, overlap)| Box::pin(ended::since(conn, *after, *overlap)),
            )
            .await
    }
}

/// The sessions that live at a time, oldest first.
pub fn living(owner: UserId, at: Timestamp) -> Select<Entity> {
    Entity::of(owner)
        .filter(Column::ExpiresAt.gt(at.as_chrono()))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
}

struct Beginning {
    owner: UserId,
    account_as_of: Timestamp,
    session: NewSession,
    most: usize,
    event: SecurityEvent,
}

async fn start(tx: &Tx, input: &Beginning) -> Result<Start, Failure> {
    let &Beginning {
        owner,
        account_as_of,
        ref session,
        most,
        ref event,
    } = input;
    let account = lock(tx, owner).await?;
    let proven = account.filter(|user| Timestamp::new(user.updated_at) == account_as_of);
    if proven.is_none_or(|user| user.disabled_at.is_some()) {
        return Ok(Start::Refused);
    }
    Entity::insert(sessions::begun(owner, session))
        .exec_without_returning(tx)
        .await?;
    Entity::delete_of(owner)
        .filter(Column::ExpiresAt.lte(session.created_at.as_chrono()))
        .exec(tx)
        .await?;
    let alive: Vec<uuid::Uuid> = living(owner, session.created_at)
        .select_only()
        .column(Column::Id)
        .into_tuple()
        .all(tx)
        .await?;
    events::keep(tx, owner, event).await?;
    let too_many = alive.len().saturating_sub(most);
    let pushed_out: Vec<_> = alive.into_iter().take(too_many).map(SessionId).collect();
    for (n, id) in (0..).zip(&pushed_out) {
        Entity::delete_of(owner)
            .filter(Column::Id.eq(id.0))
            .exec(tx)
            .await?;
        ended::record(tx, id.0).await?;
        events::keep(tx, owner, &event.pushing_out(n, *id)).await?;
    }
    Ok(Start::Started { pushed_out })
}

async fn rotate(tx: &Tx, input: &Presentation) -> Result<Rotation, Failure> {
    let &Presentation { owner, id, .. } = input;
    let at = input.event.at;
    // The second caller with the same token waits here, and then sees what the first one left.
    let held = lock(tx, owner).await?;
    let Some(user) = held.filter(|user| user.disabled_at.is_none()) else {
        return Ok(Rotation::Unknown);
    };
    let found = living(owner, at).filter(Column::Id.eq(id.0)).one(tx).await?;
    let Some(row) = found else {
        return Ok(Rotation::Unknown);
    };
    let state = row.refresh_state()?;
    match state.judge(&input.family, &input.token, at) {
        Presented::Foreign => Ok(Rotation::Unknown),
        Presented::Limited { wait } => Ok(Rotation::Limited { wait }),
        Presented::Reused => {
            remove(tx, owner, id).await?;
            events::keep(tx, owner, &input.event).await?;
            Ok(Rotation::Reused)
        }
        Presented::Replayed => {
            let full_at = state.full_after(at).as_chrono();
            Entity::update_of(owner)
                .filter(Column::Id.eq(id.0))
                .col_expr(Column::RefreshFullAt, Expr::value(full_at))
                .exec(tx)
                .await?;
            Ok(Rotation::Replayed {
                session: row.session(),
                user: user.user()?,
                salt: state.salt,
            })
        }
        Presented::Current => {
            let state = state.rotated(input.next.token, input.next.salt, input.rotated_at());
            let session = Session {
                last_used_at: at,
                expires_at: expiry(Timestamp::new(row.created_at), at),
                ..row.session()
            };
            Entity::update_of(owner)
                .filter(Column::Id.eq(id.0))
                .col_expr(Column::Generation, Expr::value(state.generation))
                .col_expr(Column::Token, Expr::value(state.current.0.to_vec()))
                .col_expr(
                    Column::PreviousToken,
                    Expr::value(state.previous.map(|digest| digest.0.to_vec())),
                )
                .col_expr(Column::Salt, Expr::value(state.salt.to_vec()))
                .col_expr(Column::RotatedAt, Expr::value(state.rotated_at.as_chrono()))
                .col_expr(
                    Column::RefreshFullAt,
                    Expr::value(state.full_at.map(Timestamp::as_chrono)),
                )
                .col_expr(Column::LastUsedAt, Expr::value(session.last_used_at.as_chrono()))
                .col_expr(Column::ExpiresAt, Expr::value(session.expires_at.as_chrono()))
                .exec(tx)
                .await?;
            Ok(Rotation::Rotated {
                session,
                user: user.user()?,
            })
        }
    }
}

async fn list(conn: &Conn<'_>, owner: UserId, at: Timestamp) -> Result<Vec<Session>, Failure> {
    let rows = living(owner, at).all(conn).await?;
    Ok(rows.iter().map(sessions::Model::session).collect())
}

async fn end(tx: &Tx, owner: UserId, id: SessionId, event: &SecurityEvent) -> Result<bool, Failure> {
    if lock(tx, owner).await?.is_none() {
        return Ok(false);
    }
    let done = Entity::delete_of(owner)
        .filter(Column::Id.eq(id.0))
        .filter(Column::ExpiresAt.gt(event.at.as_chrono()))
        .exec(tx)
        .await?;
    if done.rows_affected == 0 {
        return Ok(false);
    }
    ended::record(tx, id.0).await?;
    events::keep(tx, owner, event).await?;
    Ok(true)
}

async fn remove(tx: &Tx, owner: UserId, id: SessionId) -> Result<(), Failure> {
    Entity::delete_of(owner)
        .filter(Column::Id.eq(id.0))
        .exec(tx)
        .await?;
    ended::record(tx, id.0).await
}

async fn end_all(tx: &Tx, owner: UserId, event: &SecurityEvent) -> Result<u64, Failure> {
    if lock(tx, owner).await?.is_none() {
        return Ok(0);
    }
    ended::record_all(tx, owner).await?;
    let done = Entity::delete_of(owner).exec(tx).await?;
    events::keep(tx, owner, event).await?;
    Ok(done.rows_affected)
}

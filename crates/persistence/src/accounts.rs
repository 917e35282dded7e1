//! Accounts.

use async_trait::async_trait;
use errand_application::ports::{
    AccountExport, AccountState, AccountStore, Credentials, NewAccount, NewSession, StoreError, UniqueKey,
};
use errand_domain::account::{LoginName, PasswordHash, User};
use errand_domain::event::SecurityEvent;
use errand_domain::{Timestamp, UserId};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::db::{Conn, Db, Tx};
use crate::ended;
use crate::entities::hidden::Hidden;
use crate::entities::{sessions, task_counters, tasks, users};
use crate::error::Failure;
use crate::events;
use crate::fence::Fence;
use crate::lock::lock;
use crate::scope::{Owned, Scope, unowned};

/// The port.
pub struct Accounts(pub Db);

#[async_trait]
impl AccountStore for Accounts {
    async fn register(
        &self,
        account: &NewAccount,
        session: Option<NewSession>,
        event: &SecurityEvent,
    ) -> Result<User, StoreError> {
        let input = (account.clone(), session, event.clone());
        let fence = self.0.fence();
        let made = self
            .0
            .write(Scope::Everyone, input, move |tx, (account, session, event)| {
                Box::pin(register(tx, fence, account, session.as_ref(), event))
            })
            .await;
        let Err(StoreError::Conflict(UniqueKey::Username)) = made else {
            return made;
        };
        // Databases report the first that they come across; callers are told of the address first.
        let taken = self
            .0
            .read(Scope::Everyone, account.email.key(), |conn, key| {
                Box::pin(is_email_taken(conn, key))
            })
            .await?;
        if taken {
            return Err(StoreError::Conflict(UniqueKey::Email));
        }
        made
    }

    async fn credentials(&self, name: &LoginName) -> Result<Option<Credentials>, StoreError> {
        self.0
            .read(Scope::Everyone, name.clone(), |conn, name| {
                Box::pin(credentials(conn, name))
            })
            .await
    }

    async fn find(&self, owner: UserId) -> Result<Option<Credentials>, StoreError> {
        self.0
            .read(Scope::Owner(owner), owner, |conn, owner| {
                Box::pin(find(conn, *owner))
            })
            .await
    }

    async fn change_password(
        &self,
        owner: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
        session: Option<NewSession>,
        event: &SecurityEvent,
    ) -> Result<bool, StoreError> {
        let input = (owner, expected.clone(), new.clone(), session, event.clone());
        self.0
            .write(
                Scope::Owner(owner),
                input,
                |tx, (owner, expected, new, session, event)| {
                    Box::pin(change_password(
                        tx,
                        *owner,
                        expected,
                        new,
                        session.as_ref(),
                        event,
                    ))
                },
            )
            .await
    }

    async fn renew_hash(
        &self,
        owner: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let input = (owner, expected.clone(), new.clone());
        self.0
            .write_one(Scope::Owner(owner), input, |conn, (owner, expected, new)| {
                Box::pin(renew_hash(conn, *owner, expected, new))
            })
            .await
    }

    async fn delete(&self, owner: UserId, expected: &PasswordHash) -> Result<bool, StoreError> {
        self.0
            .write(
                Scope::Owner(owner),
                (owner, expected.clone()),
                |tx, (owner, expected)| Box::pin(delete(tx, *owner, expected)),
            )
            .await
    }

    async fn export(&self, owner: UserId, at: Timestamp) -> Result<Option<AccountExport>, StoreError> {
        self.0
            .snapshot(Scope::Owner(owner), (owner, at), |tx, (owner, at)| {
                Box::pin(export(tx, *owner, *at))
            })
            .await
    }

    async fn disable(&self, owner: UserId, event: &SecurityEvent) -> Result<bool, StoreError> {
        self.0
            .write(
                Scope::Owner(owner),
                (owner, event.clone()),
                |tx, (owner, event)| Box::pin(disable(tx, *owner, event)),
            )
            .await
    }

    async fn enable(&self, owner: UserId, event: &SecurityEvent) -> Result<bool, StoreError> {
        self.0
            .write(
                Scope::Owner(owner),
                (owner, event.clone()),
                |tx, (owner, event)| Box::pin(enable(tx, *owner, event)),
            )
            .await
    }

    async fn accounts(&self, after: Option<UserId>, most: u32) -> Result<Vec<AccountState>, StoreError> {
        self.0
            .read(Scope::Everyone, (after, most), |conn, (after, most)| {
                Box::pin(listed(conn, *after, *most))
            })
            .await
    }
}

async fn register(
    tx: &Tx,
    fence: Fence,
    account: &NewAccount,
    session: Option<&NewSession>,
    event: &SecurityEvent,
) -> Result<User, Failure> {
    let NewAccount {
        email,
        username,
        password,
        created_at,
    } = account;
    let row = users::ActiveModel {
        id: NotSet,
        username: Set(username.as_str().to_owned()),
        username_key: Set(username.key()),
        email: Set(email.as_str().to_owned()),
        email_key: Set(email.key()),
        password_hash: Set(Hidden(password.as_str().to_owned())),
        created_at: Set(created_at.as_chrono()),
        updated_at: Set(created_at.as_chrono()),
        disabled_at: Set(None),
    };
    let id = UserId(users::Entity::insert(row).exec(tx).await?.last_insert_id);
    // From here on everything is the new user's.
    fence.around(tx, Scope::Owner(id)).await?;
    let counters = task_counters::ActiveModel {
        user_id: Set(id.0),
        change_counter: Set(0),
        last_task_id: Set(0),
        purged_seq: Set(0),
    };
    task_counters::Entity::insert(counters)
        .exec_without_returning(tx)
        .await?;
    if let Some(session) = session {
        sessions::Entity::insert(sessions::begun(id, session))
            .exec_without_returning(tx)
            .await?;
    }
    events::keep(tx, id, event).await?;
    Ok(User {
        id,
        username: username.clone(),
        email: email.clone(),
        created_at: *created_at,
        updated_at: *created_at,
    })
}

async fn is_email_taken(conn: &Conn<'_>, key: &String) -> Result<bool, Failure> {
    let found: Option<i64> = unowned::accounts()
        .select_only()
        .column(users::Column::Id)
        .filter(users::Column::EmailKey.eq(key))
        .into_tuple()
        .one(conn)
        .await?;
    Ok(found.is_some())
}

async fn credentials(conn: &Conn<'_>, name: &LoginName) -> Result<Option<Credentials>, Failure> {
    let named = match name {
        LoginName::Email(email) => users::Column::EmailKey.eq(email.key()),
        LoginName::Username(username) => users::Column::UsernameKey.eq(username.key()),
    };
    let found = unowned::accounts().filter(named).one(conn).await?;
    found.map(users::Model::credentials).transpose()
}

async fn find(conn: &Conn<'_>, owner: UserId) -> Result<Option<Credentials>, Failure> {
    let found = users::Entity::of(owner).one(conn).await?;
    found.map(users::Model::credentials).transpose()
}

async fn change_password(
    tx: &Tx,
    owner: UserId,
    expected: &PasswordHash,
    new: &PasswordHash,
    session: Option<&NewSession>,
    event: &SecurityEvent,
) -> Result<bool, Failure> {
    let Some(user) = lock(tx, owner).await? else {
        return Ok(false);
    };
    if user.password_hash.0 != expected.as_str() || session.is_some() && user.disabled_at.is_some() {
        return Ok(false);
    }
    let updated_at = event.at.following(Timestamp::new(user.updated_at));
    users::Entity::update_of(owner)
        .col_expr(users::Column::PasswordHash, Expr::value(new.as_str()))
        .col_expr(users::Column::UpdatedAt, Expr::value(updated_at.as_chrono()))
        .exec(tx)
        .await?;
    ended::record_all(tx, owner).await?;
    sessions::Entity::delete_of(owner).exec(tx).await?;
    if let Some(session) = session {
        sessions::Entity::insert(sessions::begun(owner, session))
            .exec_without_returning(tx)
            .await?;
    }
    events::keep(tx, owner, event).await?;
    Ok(true)
}

async fn disable(tx: &Tx, owner: UserId, event: &SecurityEvent) -> Result<bool, Failure> {
    if lock(tx, owner)
        .await?
        .is_none_or(|user| user.disabled_at.is_some())
    {
        return Ok(false);
    }
    set_disabled(tx, owner, Some(event.at)).await?;
    ended::record_all(tx, owner).await?;
    sessions::Entity::delete_of(owner).exec(tx).await?;
    events::keep(tx, owner, event).await?;
    Ok(true)
}

async fn enable(tx: &Tx, owner: UserId, event: &SecurityEvent) -> Result<bool, Failure> {
    if lock(tx, owner)
        .await?
        .is_none_or(|user| user.disabled_at.is_none())
    {
        return Ok(false);
    }
    set_disabled(tx, owner, None).await?;
    events::keep(tx, owner, event).await?;
    Ok(true)
}

async fn set_disabled(tx: &Tx, owner: UserId, at: Option<Timestamp>) -> Result<(), Failure> {
    users::Entity::update_of(owner)
        .col_expr(
            users::Column::DisabledAt,
            Expr::value(at.map(Timestamp::as_chrono)),
        )
        .exec(tx)
        .await?;
    Ok(())
}

async fn listed(conn: &Conn<'_>, after: Option<UserId>, most: u32) -> Result<Vec<AccountState>, Failure> {
    let mut select = unowned::accounts().order_by_asc(users::Column::Id);
    if let Some(after) = after {
        select = select.filter(users::Column::Id.gt(after.0));
    }
    let rows = select.limit(u64::from(most)).all(conn).await?;
    rows.iter().map(users::Model::state).collect()
}

async fn renew_hash(
    conn: &Conn<'_>,
    owner: UserId,
    expected: &PasswordHash,
    new: &PasswordHash,
) -> Result<bool, Failure> {
    let done = users::Entity::update_of(owner)
        .col_expr(users::Column::PasswordHash, Expr::value(new.as_str()))
        .filter(users::Column::PasswordHash.eq(expected.as_str()))
        .exec(conn)
        .await?;
    Ok(done.rows_affected == 1)
}

async fn delete(tx: &Tx, owner: UserId, expected: &PasswordHash) -> Result<bool, Failure> {
    // In the order of those who write tasks: the counters first, then the user that their rows refer to.
    task_counters::Entity::of(owner).lock_exclusive().one(tx).await?;
    let locked = users::Entity::of(owner).lock_exclusive().one(tx).await?;
    if locked.is_none_or(|user| user.password_hash.0 != expected.as_str()) {
        return Ok(false);
    }
    ended::record_all(tx, owner).await?;
    users::Entity::delete_of(owner).exec(tx).await?;
    Ok(true)
}

async fn export(tx: &Tx, owner: UserId, at: Timestamp) -> Result<Option<AccountExport>, Failure> {
    let Some(user) = users::Entity::of(owner).one(tx).await? else {
        return Ok(None);
    };
    let sessions = crate::sessions::living(owner, at).all(tx).await?;
    let rows: Vec<tasks::Row> = tasks::Entity::of(owner)
        .select_only()
        .columns(tasks::ROW)
        .filter(tasks::Column::DeletedAt.is_null())
        .order_by_asc(tasks::Column::Id)
        .into_model()
        .all(tx)
        .await?;
    let in_trash: Vec<tasks::TrashRow> = tasks::Entity::of(owner)
        .select_only()
        .columns(tasks::ROW)
        .column(tasks::Column::DeletedAt)
        .filter(tasks::Column::DeletedAt.is_not_null())
        .filter(tasks::Column::ErasedAt.is_null())
        .order_by_asc(tasks::Column::Id)
        .into_model()
        .all(tx)
        .await?;
    let deleted = in_trash.into_iter().map(tasks::TrashRow::deleted);
    Ok(Some(AccountExport {
        user: user.user()?,
        sessions: sessions.iter().map(sessions::Model::session).collect(),
        tasks: rows.into_iter().map(tasks::Row::task).collect::<Result<_, _>>()?,
        deleted: deleted.collect::<Result<_, Failure>>()?,
        events: events::all(tx, owner).await?,
    }))
}

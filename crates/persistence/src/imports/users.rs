//! Users who come in.

use std::collections::{HashMap, HashSet};

use errand_application::ports::{Arrival, ArrivingTask, ArrivingUser, KnownUser};
use errand_domain::{TaskId, UserId};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use super::tasks::{self, Owner};
use crate::db::{Conn, Tx};
use crate::entities::hidden::Hidden;
use crate::entities::{imported_users, task_counters, users};
use crate::error::Failure;
use crate::fence::Fence;
use crate::scope::{Scope, unowned};

pub async fn known(
    conn: &impl ConnectionTrait,
    source: &str,
    keys: &[String],
) -> Result<Vec<KnownUser>, Failure> {
    let rows = unowned::imported()
        .filter(imported_users::Column::Source.eq(source))
        .filter(imported_users::Column::SourceKey.is_in(keys))
        .all(conn)
        .await?;
    rows.into_iter().map(imported_users::Model::known).collect()
}

pub async fn collisions(conn: &Conn<'_>, users: &[ArrivingUser]) -> Result<Vec<Option<Arrival>>, Failure> {
    let taken = Taken::of(conn, users.iter()).await?;
    Ok(users.iter().map(|user| taken.clash(user)).collect())
}

/// What of that which is wanted others have.
struct Taken {
    ids: HashSet<i64>,
    emails: HashSet<String>,
    usernames: HashSet<String>,
}

impl Taken {
    async fn of(
        conn: &impl ConnectionTrait,
        users: impl Iterator<Item = &ArrivingUser> + Clone,
    ) -> Result<Self, Failure> {
        let ids = users.clone().filter_map(|user| user.id.map(|id| id.0));
        let emails = users.clone().map(|user| user.email.key());
        let usernames = users.map(|user| user.username.key());
        let any = Condition::any()
            .add(users::Column::Id.is_in(ids))
            .add(users::Column::EmailKey.is_in(emails))
            .add(users::Column::UsernameKey.is_in(usernames));
        let rows: Vec<(i64, String, String)> = unowned::accounts()
            .select_only()
            .columns([
                users::Column::Id,
                users::Column::EmailKey,
                users::Column::UsernameKey,
            ])
            .filter(any)
            .into_tuple()
            .all(conn)
            .await?;
        let mut taken = Self {
            ids: HashSet::new(),
            emails: HashSet::new(),
            usernames: HashSet::new(),
        };
        for (id, email, username) in rows {
            taken.ids.insert(id);
            taken.emails.insert(email);
            taken.usernames.insert(username);
        }
        Ok(taken)
    }

    fn clash(&self, user: &ArrivingUser) -> Option<Arrival> {
        if self.emails.contains(&user.email.key()) {
            return Some(Arrival::EmailTaken);
        }
        let taken = self.usernames.contains(&user.username.key());
        taken.then_some(Arrival::UsernameTaken)
    }
}

type Party = (ArrivingUser, Vec<ArrivingTask>);

/// `begun` is where the changes of those who come in are counted from. Somebody else may have had the id, or they
/// themselves before they were taken back: no place of those days may be one of theirs.
pub async fn bring(
    tx: &Tx,
    fence: Fence,
    begun: i64,
    (source, run): (&str, i64),
    parties: &[Party],
) -> Result<Vec<(Arrival, Vec<TaskId>)>, Failure> {
    let keys: Vec<String> = parties.iter().map(|(user, _)| user.key.clone()).collect();
    let known = known(tx, source, &keys).await?;
    let known: HashMap<_, _> = known.into_iter().map(|user| (user.key, user.id)).collect();
    let strangers = || parties.iter().filter(|(user, _)| !known.contains_key(&user.key));
    let taken = Taken::of(tx, strangers().map(|(user, _)| user)).await?;
    let coming: Vec<&Party> = strangers()
        .filter(|(user, _)| taken.clash(user).is_none())
        .collect();
    let made = make(tx, &taken.ids, &coming).await?;
    let id_of = |user: &ArrivingUser| made.get(&user.email.key()).copied();

    let new: Vec<Owner<'_>> = coming
        .iter()
        .filter_map(|(user, tasks)| Some(Owner::new(id_of(user)?, begun, user, tasks)))
        .collect();
    // Behind a fence one owner after the other, else all at once.
    let together = if fence.is_on() { 1 } else { new.len().max(1) };
    for owners in new.chunks(together) {
        if let [owner] = owners {
            fence.around(tx, Scope::Owner(owner.id)).await?;
        }
        record(tx, source, run, owners).await?;
        tasks::write(tx, run, owners).await?;
    }
    let mut ids: HashMap<UserId, Vec<TaskId>> = new
        .into_iter()
        .map(|owner| (owner.id, owner.task_ids()))
        .collect();
    let mut outcomes = Vec::with_capacity(parties.len());
    for (user, arriving) in parties {
        outcomes.push(if let Some(owner) = known.get(&user.key) {
            fence.around(tx, Scope::Owner(*owner)).await?;
            let ids = tasks::bring(tx, *owner, run, arriving).await?;
            (Arrival::In(*owner), ids.unwrap_or_default())
        } else if let Some(clash) = taken.clash(user) {
            (clash, Vec::new())
        } else {
            let id = id_of(user).ok_or(LOST)?;
            (Arrival::In(id), ids.remove(&id).unwrap_or_default())
        });
    }
    Ok(outcomes)
}

const LOST: Failure = Failure::Corrupt {
    table: "users",
    column: "id",
};

/// The accounts; their ids by the keys of their addresses. Those whose ids are given go first: the database may not
/// take one of theirs for another.
async fn make(tx: &Tx, taken: &HashSet<i64>, coming: &[&Party]) -> Result<HashMap<String, UserId>, Failure> {
    let mut used = taken.clone();
    let rows = coming.iter().map(|(user, _)| users::ActiveModel {
        id: match user.id {
            Some(id) if used.insert(id.0) => Set(id.0),
            _ => NotSet,
        },
        username: Set(user.username.as_str().to_owned()),
        username_key: Set(user.username.key()),
        email: Set(user.email.as_str().to_owned()),
        email_key: Set(user.email.key()),
        password_hash: Set(Hidden(user.password.as_str().to_owned())),
        created_at: Set(user.created_at.as_chrono()),
        updated_at: Set(user.updated_at.as_chrono()),
        disabled_at: Set(None),
    });
    let (with, without): (Vec<_>, Vec<_>) = rows.partition(|row| row.id.is_set());
    let mut ids = HashMap::new();
    for rows in [with, without] {
        if rows.is_empty() {
            continue;
        }
        let made = users::Entity::insert_many(rows).exec_with_returning(tx).await?;
        ids.extend(made.into_iter().map(|row| (row.email_key, UserId(row.id))));
    }
    Ok(ids)
}

/// Whence they came, and the rows that count their tasks.
async fn record(tx: &Tx, source: &str, run: i64, owners: &[Owner<'_>]) -> Result<(), Failure> {
    let counted = owners.iter().map(|owner| {
        let (change_counter, last_task_id) = owner.counters(tx.get_database_backend());
        task_counters::ActiveModel {
            user_id: Set(owner.id.0),
            change_counter: Set(change_counter),
            last_task_id: Set(last_task_id),
            purged_seq: Set(owner.begun()),
        }
    });
    let came = owners.iter().filter_map(|owner| {
        let user = owner.user?;
        Some(imported_users::ActiveModel {
            user_id: Set(owner.id.0),
            source: Set(source.to_owned()),
            source_key: Set(user.key.clone()),
            run: Set(run),
            content_hash: Set(user.hash.0.to_vec()),
            password_digest: Set(user.password_digest.0.to_vec()),
            email_digest: Set(user.email_digest.0.to_vec()),
            created_at: Set(user.created_at.as_chrono()),
            followed_run: Set(None),
        })
    });
    if owners.is_empty() {
        return Ok(());
    }
    task_counters::Entity::insert_many(counted)
        .exec_without_returning(tx)
        .await?;
    imported_users::Entity::insert_many(came)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

//! What comes in from other applications.
//!
//! Users are made in everyone's scope, as those who register are; what is theirs is written in their own. Where
//! nothing fences units in, the rows of several users go in one statement.

mod follow;
mod removal;
mod runs;
mod tasks;
mod users;

use std::sync::Arc;

use async_trait::async_trait;
use errand_application::ports::{
    Arrival, ArrivingTask, ArrivingUser, Clock, Credentials, Holdings, ImportStore, KnownTask, KnownUser,
    Run, StoreError,
};
use errand_domain::task::Task;
use errand_domain::{TaskId, UserId};
use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Value};
use uuid::Uuid;

use crate::connect::Settings;
use crate::db::Db;
use crate::scope::Scope;

/// The port.
pub struct Imports {
    pub db: Db,
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl ImportStore for Imports {
    async fn begin(&self, source: &str, id: Uuid) -> Result<Run, StoreError> {
        let input = (source.to_owned(), id);
        self.db
            .write_repeatable(Scope::Everyone, input, |conn, (source, id)| {
                Box::pin(runs::begin(conn, source, *id))
            })
            .await
    }

    async fn last(&self, source: &str) -> Result<Option<Run>, StoreError> {
        self.db
            .read(Scope::Everyone, source.to_owned(), |conn, source| {
                Box::pin(runs::last(conn, source))
            })
            .await
    }

    async fn finish(&self, source: &str, run: Run) -> Result<(), StoreError> {
        self.db
            .write_repeatable(
                Scope::Everyone,
                (source.to_owned(), run),
                |conn, (source, run)| Box::pin(runs::finish(conn, source, *run)),
            )
            .await
    }

    async fn came_later(&self, source: &str, run: i64) -> Result<bool, StoreError> {
        self.db
            .read(
                Scope::Everyone,
                (source.to_owned(), run),
                |conn, (source, run)| Box::pin(runs::came_later(conn, source, *run)),
            )
            .await
    }

    async fn take_back(&self, source: &str, run: i64) -> Result<(), StoreError> {
        let input = (source.to_owned(), run);
        self.db
            .write_all(Scope::Everyone, input, true, |tx, (source, run)| {
                Box::pin(runs::take_back(tx, source, *run))
            })
            .await
    }

    async fn reserve(&self, last: UserId) -> Result<(), StoreError> {
        match self.db.backend() {
            // As the owner of the tables: errand's own role has no right on the sequence.
            DbBackend::Postgres => runs::reserve(&self.settings, self.db.pulse(), last).await,
            _ => {
                self.db
                    .write_all(Scope::Everyone, last, true, |tx, last| {
                        Box::pin(runs::reserve_in_file(tx, *last))
                    })
                    .await
            }
        }
    }

    async fn known_users(&self, source: &str, keys: &[String]) -> Result<Vec<KnownUser>, StoreError> {
        let input = (source.to_owned(), keys.to_vec());
        self.db
            .read(Scope::Everyone, input, |conn, (source, keys)| {
                Box::pin(users::known(conn, source, keys))
            })
            .await
    }

    async fn collisions(&self, users: &[ArrivingUser]) -> Result<Vec<Option<Arrival>>, StoreError> {
        self.db
            .read(Scope::Everyone, users.to_vec(), |conn, users| {
                Box::pin(users::collisions(conn, users))
            })
            .await
    }

    async fn bring(
        &self,
        source: &str,
        run: i64,
        users: &[(ArrivingUser, Vec<ArrivingTask>)],
    ) -> Result<Vec<(Arrival, Vec<TaskId>)>, StoreError> {
        let fence = self.db.fence();
        let begun = self.clock.now().micros();
        let input = (source.to_owned(), run, users.to_vec());
        self.db
            .write_all(Scope::Everyone, input, true, move |tx, (source, run, users)| {
                Box::pin(users::bring(tx, fence, begun, (source, *run), users))
            })
            .await
    }

    async fn bring_tasks(
        &self,
        owner: UserId,
        run: i64,
        tasks: &[ArrivingTask],
    ) -> Result<Option<Vec<TaskId>>, StoreError> {
        let input = (owner, run, tasks.to_vec());
        self.db
            .write_all(Scope::Owner(owner), input, true, |tx, (owner, run, tasks)| {
                Box::pin(tasks::bring(tx, *owner, *run, tasks))
            })
            .await
    }

    async fn known_tasks(&self, owner: UserId, keys: &[String]) -> Result<Vec<KnownTask>, StoreError> {
        self.db
            .read(
                Scope::Owner(owner),
                (owner, keys.to_vec()),
                |conn, (owner, keys)| Box::pin(tasks::known(conn, *owner, keys)),
            )
            .await
    }

    async fn brought(
        &self,
        source: &str,
        run: i64,
        after: UserId,
    ) -> Result<Vec<(KnownUser, u64)>, StoreError> {
        let input = (source.to_owned(), run, after);
        self.db
            .read(Scope::Everyone, input, |conn, (source, run, after)| {
                Box::pin(runs::brought(conn, source, *run, *after))
            })
            .await
    }

    async fn brought_tasks(
        &self,
        owner: UserId,
        run: i64,
        after: &str,
    ) -> Result<Vec<KnownTask>, StoreError> {
        let input = (owner, run, after.to_owned());
        self.db
            .read(Scope::Owner(owner), input, |conn, (owner, run, after)| {
                Box::pin(tasks::brought(conn, *owner, *run, after))
            })
            .await
    }

    async fn count_known(&self, owner: UserId) -> Result<u64, StoreError> {
        self.db
            .read(Scope::Owner(owner), owner, |conn, owner| {
                Box::pin(tasks::count_known(conn, *owner))
            })
            .await
    }

    async fn follow_user(
        &self,
        run: i64,
        expected: &Credentials,
        user: &ArrivingUser,
    ) -> Result<bool, StoreError> {
        let owner = Scope::Owner(expected.user.id);
        let input = (run, expected.clone(), user.clone());
        self.db
            .write(owner, input, |tx, (run, expected, user)| {
                Box::pin(follow::user(tx, *run, expected, user))
            })
            .await
    }

    async fn follow_tasks(
        &self,
        owner: UserId,
        run: i64,
        tasks: &[ArrivingTask],
    ) -> Result<Vec<bool>, StoreError> {
        let input = (owner, run, tasks.to_vec());
        self.db
            .write(Scope::Owner(owner), input, |tx, (owner, run, tasks)| {
                Box::pin(follow::tasks(tx, *owner, *run, tasks))
            })
            .await
    }

    async fn holdings(&self, owner: UserId) -> Result<Option<Holdings>, StoreError> {
        self.db
            .snapshot(Scope::Owner(owner), owner, |tx, owner| {
                Box::pin(removal::holdings(tx, *owner))
            })
            .await
    }

    async fn tasks(&self, owner: UserId, ids: &[TaskId]) -> Result<Vec<Task>, StoreError> {
        self.db
            .read(
                Scope::Owner(owner),
                (owner, ids.to_vec()),
                |conn, (owner, ids)| Box::pin(tasks::living(conn, *owner, ids)),
            )
            .await
    }

    async fn remove_user(
        &self,
        source: &str,
        owner: UserId,
        expected: Option<Holdings>,
    ) -> Result<bool, StoreError> {
        let input = (source.to_owned(), owner, expected);
        self.db
            .write(Scope::Owner(owner), input, |tx, (source, owner, expected)| {
                Box::pin(removal::user(tx, source, *owner, expected.as_ref()))
            })
            .await
    }

    async fn remove_tasks(
        &self,
        owner: UserId,
        run: i64,
        keys: &[String],
        forced: bool,
    ) -> Result<u64, StoreError> {
        let input = (owner, run, keys.to_vec(), forced);
        self.db
            .write(Scope::Owner(owner), input, |tx, (owner, run, keys, forced)| {
                Box::pin(removal::tasks(tx, *owner, *run, keys, *forced))
            })
            .await
    }
}

/// Texts as one parameter: an array, or JSON where there are no arrays.
fn texts(backend: DbBackend, texts: &[String]) -> Value {
    if backend == DbBackend::Postgres {
        let array = texts.iter().map(|text| Value::from(text.as_str())).collect();
        return Value::Array(ArrayType::String, Some(Box::new(array)));
    }
    serde_json::Value::from(texts).to_string().into()
}

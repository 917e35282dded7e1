//! Use cases of tasks.

use std::sync::Arc;

use errand_domain::TaskId;
use errand_domain::changes::ChangesPlace;
use errand_domain::query::{TaskPage, TaskQuery};
use errand_domain::task::{Expected, NewTask, Task, TaskChange};
use errand_domain::trash::TrashPlace;

use crate::actor::Actor;
use crate::error::AppError;
use crate::events::Recorder;
use crate::ports::{ChangesPage, Created, Restored, TaskStore, TrashPage, WalkSeed, Written};

/// Tasks of the acting user.
pub struct TaskService {
    tasks: Arc<dyn TaskStore>,
    recorder: Recorder,
    most_per_user: u32,
}

impl TaskService {
    /// A service on these ports, for so many tasks a user.
    pub fn new(tasks: Arc<dyn TaskStore>, recorder: Recorder, most_per_user: u32) -> Self {
        Self {
            tasks,
            recorder,
            most_per_user,
        }
    }

    /// A page of the user's tasks.
    pub async fn list(&self, actor: &Actor, query: &TaskQuery) -> Result<TaskPage, AppError> {
        let at = self.recorder.now();
        let seed = WalkSeed {
            id: self.recorder.uuid(at),
            at,
        };
        self.tasks
            .page(actor.user(), query, seed)
            .await?
            .ok_or(AppError::CursorExpired)
    }

    /// What [`TaskPage::changes`] would be now.
    pub async fn changes(&self, actor: &Actor) -> Result<i64, AppError> {
        Ok(self.tasks.changes(actor.user()).await?)
    }

    /// What happened to the user's tasks since a place, or since the beginning.
    pub async fn changes_since(
        &self,
        actor: &Actor,
        since: Option<ChangesPlace>,
        limit: u32,
    ) -> Result<ChangesPage, AppError> {
        self.tasks
            .changes_since(actor.user(), since, limit)
            .await?
            .ok_or(AppError::CursorExpired)
    }

    /// Makes a task.
    pub async fn create(&self, actor: &Actor, task: &NewTask) -> Result<Task, AppError> {
        let at = self.recorder.now();
        // Lets the store repeat an attempt whose outcome it does not know.
        let key = self.recorder.uuid(at).to_string();
        let most = self.most_per_user;
        match self.tasks.create(actor.user(), &key, task, most, at).await? {
            Created::Task(task) => Ok(task),
            // A token outlives its account only until the next look at the ended sessions.
            Created::Gone => Err(AppError::InvalidToken),
            Created::Full => Err(AppError::TooManyTasks { most }),
        }
    }

    /// One task.
    pub async fn get(&self, actor: &Actor, id: TaskId) -> Result<Task, AppError> {
        self.tasks
            .find(actor.user(), id)
            .await?
            .ok_or(AppError::TaskNotFound)
    }

    /// Changes a task.
    pub async fn change(
        &self,
        actor: &Actor,
        id: TaskId,
        expected: &Expected,
        change: &TaskChange,
    ) -> Result<Task, AppError> {
        let at = self.recorder.now();
        written(
            self.tasks
                .change_if(actor.user(), id, expected, change, at)
                .await?,
        )
    }

    /// Deletes a task.
    pub async fn delete(&self, actor: &Actor, id: TaskId, expected: &Expected) -> Result<(), AppError> {
        let at = self.recorder.now();
        written(self.tasks.delete_if(actor.user(), id, expected, at).await?)
    }

    /// A page of what the user deleted and can take back.
    pub async fn trash(
        &self,
        actor: &Actor,
        after: Option<TrashPlace>,
        limit: u32,
    ) -> Result<TrashPage, AppError> {
        let at = self.recorder.now();
        Ok(self.tasks.trash(actor.user(), after, limit, at).await?)
    }

    /// Takes a task back.
    pub async fn restore(&self, actor: &Actor, id: TaskId) -> Result<Task, AppError> {
        let (most, at) = (self.most_per_user, self.recorder.now());
        match self.tasks.restore(actor.user(), id, most, at).await? {
            Restored::Task(task) => Ok(task),
            Restored::Absent => Err(AppError::TaskNotFound),
            Restored::Full => Err(AppError::TooManyTasks { most }),
        }
    }

    /// Erases a deleted task for good.
    pub async fn erase(&self, actor: &Actor, id: TaskId) -> Result<(), AppError> {
        let erased = self.tasks.erase(actor.user(), id, self.recorder.now()).await?;
        if erased {
            Ok(())
        } else {
            Err(AppError::TaskNotFound)
        }
    }
}

fn written<T>(written: Written<T>) -> Result<T, AppError> {
    match written {
        Written::Done(written) => Ok(written),
        Written::Stale => Err(AppError::Stale),
        Written::Absent => Err(AppError::TaskNotFound),
    }
}

#[cfg(test)]
mod tests {
    use errand_domain::query::{PageStart, Sort, TaskFilter};
    use errand_domain::task::{Completion, Priority, Tags, Title};

    use super::*;
    use crate::ports::{Change, MockTaskStore, StoreError};
    use crate::test_support::{FixedClock, actor, at, recorder};

    fn service(tasks: MockTaskStore) -> TaskService {
        TaskService::new(Arc::new(tasks), recorder(&Arc::new(FixedClock::default())), 7)
    }

    fn new_task() -> NewTask {
        NewTask {
            title: Title::parse("milk").unwrap(),
            description: None,
            priority: Priority::Medium,
            due: None,
            tags: Tags::default(),
            completed: false,
        }
    }

    #[tokio::test]
    async fn every_call_is_made_for_the_actor() {
        let mut store = MockTaskStore::new();
        let owner = actor(7).user();
        store
            .expect_find()
            .withf(move |o, id| *o == owner && *id == TaskId(3))
            .times(1)
            .returning(|_, _| Ok(None));
        store
            .expect_delete_if()
            .withf(move |o, _, expected, _| *o == owner && *expected == Expected::Any)
            .times(1)
            .returning(|_, _, _, _| Ok(Written::Absent));
        store
            .expect_change_if()
            .withf(move |o, _, expected, _, _| *o == owner && *expected == Expected::Any)
            .times(1)
            .returning(|_, _, _, _, _| Ok(Written::Absent));
        store
            .expect_changes()
            .withf(move |o| *o == owner)
            .times(1)
            .returning(|_| Ok(12));
        let service = service(store);
        let toggle = TaskChange::completing(Completion::Toggle);
        assert!(matches!(
            service.get(&actor(7), TaskId(3)).await,
            Err(AppError::TaskNotFound)
        ));
        assert!(matches!(
            service.delete(&actor(7), TaskId(3), &Expected::Any).await,
            Err(AppError::TaskNotFound)
        ));
        assert!(matches!(
            service
                .change(&actor(7), TaskId(3), &Expected::Any, &toggle)
                .await,
            Err(AppError::TaskNotFound)
        ));
        assert_eq!(service.changes(&actor(7)).await.unwrap(), 12);
    }

    #[tokio::test]
    async fn what_is_expected_is_passed_on_and_may_have_changed() {
        let expected = Expected::OneOf(vec![2]);
        let mut store = MockTaskStore::new();
        let wanted = expected.clone();
        store
            .expect_delete_if()
            .withf(move |_, _, expected, _| *expected == wanted)
            .times(1)
            .returning(|_, _, _, _| Ok(Written::Stale));
        let wanted = expected.clone();
        store
            .expect_change_if()
            .withf(move |_, _, expected, _, _| *expected == wanted)
            .times(1)
            .returning(|_, _, _, _, _| Ok(Written::Stale));
        let service = service(store);
        let toggle = TaskChange::completing(Completion::Toggle);
        assert!(matches!(
            service.delete(&actor(7), TaskId(3), &expected).await,
            Err(AppError::Stale)
        ));
        assert!(matches!(
            service.change(&actor(7), TaskId(3), &expected, &toggle).await,
            Err(AppError::Stale)
        ));
    }

    #[tokio::test]
    async fn the_trash_is_the_actors() {
        let owner = actor(7).user();
        let mut store = MockTaskStore::new();
        store
            .expect_trash()
            .withf(move |o, after, limit, now| *o == owner && after.is_none() && *limit == 5 && *now == at(0))
            .times(1)
            .returning(|_, _, _, _| {
                Ok(TrashPage {
                    tasks: Vec::new(),
                    next: None,
                })
            });
        store
            .expect_restore()
            .withf(move |o, id, most, _| *o == owner && *id == TaskId(3) && *most == 7)
            .times(1)
            .returning(|_, _, _, _| Ok(Restored::Absent));
        store
            .expect_restore()
            .times(1)
            .returning(|_, _, _, _| Ok(Restored::Full));
        store
            .expect_erase()
            .withf(move |o, id, _| *o == owner && *id == TaskId(3))
            .times(1)
            .returning(|_, _, _| Ok(false));
        let service = service(store);
        assert_eq!(service.trash(&actor(7), None, 5).await.unwrap().tasks, []);
        assert!(matches!(
            service.restore(&actor(7), TaskId(3)).await,
            Err(AppError::TaskNotFound)
        ));
        assert!(matches!(
            service.restore(&actor(7), TaskId(3)).await,
            Err(AppError::TooManyTasks { most: 7 })
        ));
        assert!(matches!(
            service.erase(&actor(7), TaskId(3)).await,
            Err(AppError::TaskNotFound)
        ));
    }

    #[tokio::test]
    async fn the_changes_are_the_actors_and_may_be_forgotten() {
        let (owner, place) = (actor(7).user(), ChangesPlace::beginning(3));
        let page = ChangesPage {
            changes: vec![Change::Delete(TaskId(3))],
            next: place.at(3),
            has_more: false,
        };
        let mut store = MockTaskStore::new();
        let given = page.clone();
        store
            .expect_changes_since()
            .withf(move |o, since, limit| *o == owner && since.is_none() && *limit == 5)
            .times(1)
            .returning(move |_, _, _| Ok(Some(given.clone())));
        store
            .expect_changes_since()
            .withf(move |o, since, _| *o == owner && *since == Some(place))
            .times(1)
            .returning(|_, _, _| Ok(None));
        let service = service(store);
        assert_eq!(service.changes_since(&actor(7), None, 5).await.unwrap(), page);
        assert!(matches!(
            service.changes_since(&actor(7), Some(place), 5).await,
            Err(AppError::CursorExpired)
        ));
    }

    #[tokio::test]
    async fn each_creation_has_a_key_of_its_own() {
        let keys = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = keys.clone();
        let mut store = MockTaskStore::new();
        store
            .expect_create()
            .times(2)
            .withf(|_, _, _, most, _| *most == 7)
            .returning(move |owner, key, task, _, now| {
                seen.lock().unwrap().push(key.to_owned());
                Ok(Created::Task(Task::new(owner, TaskId(1), task.clone(), now)))
            });
        let service = service(store);
        let first = service.create(&actor(7), &new_task()).await.unwrap();
        service.create(&actor(7), &new_task()).await.unwrap();
        assert_eq!((first.owner, first.created_at), (actor(7).user(), at(0)));
        let keys = keys.lock().unwrap();
        assert_ne!(keys[0], keys[1]);
    }

    #[tokio::test]
    async fn creating_for_a_deleted_or_full_account_is_refused() {
        let mut store = MockTaskStore::new();
        store
            .expect_create()
            .times(1)
            .returning(|_, _, _, _, _| Ok(Created::Gone));
        store
            .expect_create()
            .times(1)
            .returning(|_, _, _, _, _| Ok(Created::Full));
        let service = service(store);
        assert!(matches!(
            service.create(&actor(7), &new_task()).await,
            Err(AppError::InvalidToken)
        ));
        assert!(matches!(
            service.create(&actor(7), &new_task()).await,
            Err(AppError::TooManyTasks { most: 7 })
        ));
    }

    #[tokio::test]
    async fn a_forgotten_walk_is_an_expired_cursor() {
        let mut store = MockTaskStore::new();
        store.expect_page().returning(|_, _, _| Ok(None));
        let query = TaskQuery {
            filter: TaskFilter::default(),
            sort: Sort::default(),
            start: PageStart::Offset(0),
            limit: 10,
            count: false,
        };
        assert!(matches!(
            service(store).list(&actor(7), &query).await,
            Err(AppError::CursorExpired)
        ));
    }

    #[tokio::test]
    async fn a_failing_store_is_passed_on_by_kind() {
        let mut store = MockTaskStore::new();
        store
            .expect_find()
            .times(1)
            .returning(|_, _| Err(StoreError::Unavailable("gone".into())));
        store
            .expect_find()
            .times(1)
            .returning(|_, _| Err(StoreError::Broken("row".into())));
        let service = service(store);
        assert!(matches!(
            service.get(&actor(7), TaskId(3)).await,
            Err(AppError::Unavailable(_))
        ));
        assert!(matches!(
            service.get(&actor(7), TaskId(3)).await,
            Err(AppError::Internal(_))
        ));
    }
}

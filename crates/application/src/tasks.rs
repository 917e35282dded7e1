//! Use cases of tasks.

use std::sync::Arc;
use std::time::Duration;

use errand_domain::changes::ChangesPlace;
use errand_domain::query::{TaskPage, TaskQuery};
use errand_domain::task::{
    Expected, NewTask, Operation, Outcome, Recurrences, Refusal, TEXT_MAX, Task, TaskChange,
};
use errand_domain::trash::TrashPlace;
use errand_domain::{Fault, FieldFault, TaskId, idempotency};

use crate::actor::Actor;
use crate::error::{AppError, Limited};
use crate::events::Recorder;
use crate::ports::{
    ChangesPage, Created, Request, Restored, TaskStore, TrashPage, WalkSeed, Work, Worked, Written,
};

/// The most operations of a batch.
pub const BATCH_MAX: usize = 1_000;

/// So long the rules of one batch may take to be checked: a thousand ordinary ones take some milliseconds.
const SEARCHING_MAX: Duration = Duration::from_secs(1);

/// An answer, given now or once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// What the request came to.
    pub value: T,
    /// Whether that was an earlier time.
    pub replayed: bool,
}

impl<T> Answered<T> {
    fn now(value: T) -> Self {
        Self {
            value,
            replayed: false,
        }
    }
}

/// Tasks of the acting user.
pub struct TaskService {
    tasks: Arc<dyn TaskStore>,
    calendar: Arc<dyn Recurrences>,
    recorder: Recorder,
    most_per_user: u32,
}

impl TaskService {
    /// A service on these ports, for so many tasks a user.
    pub fn new(
        tasks: Arc<dyn TaskStore>,
        calendar: Arc<dyn Recurrences>,
        recorder: Recorder,
        most_per_user: u32,
    ) -> Self {
        Self {
            tasks,
            calendar,
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
    pub async fn create(
        &self,
        actor: &Actor,
        task: &NewTask,
        request: Option<Request>,
    ) -> Result<Answered<Task>, AppError> {
        task.check(&*self.calendar).map_err(AppError::Invalid)?;
        if request.is_some() {
            return self
                .work_one(actor, Operation::Create(task.clone()), request)
                .await;
        }
        let at = self.recorder.now();
        // Lets the store repeat an attempt whose outcome it does not know.
        let key = self.recorder.uuid(at).to_string();
        let most = self.most_per_user;
        match self.tasks.create(actor.user(), &key, task, most, at).await? {
            Created::Task(task) => Ok(Answered::now(task)),
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
        request: Option<Request>,
    ) -> Result<Answered<Task>, AppError> {
        change.check(&*self.calendar).map_err(AppError::Invalid)?;
        if request.is_some() {
            let operation = Operation::Change(id, expected.clone(), change.clone());
            return self.work_one(actor, operation, request).await;
        }
        let (most, at) = (self.most_per_user, self.recorder.now());
        let written = self
            .tasks
            .change_if(actor.user(), id, expected, change, most, at)
            .await?;
        self.written(written).map(Answered::now)
    }

    /// Does operations one after the other, all or none. Faults are named by the place of their operation.
    pub async fn batch(
        &self,
        actor: &Actor,
        operations: Vec<Operation>,
        request: Option<Request>,
    ) -> Result<Answered<Vec<Outcome>>, AppError> {
        let repeats = |operation: &Operation| match operation {
            Operation::Create(task) => task.recurrence.is_some(),
            Operation::Change(_, _, change) => matches!(change.rule, Some(Some(_))),
            Operation::Delete(..) => false,
        };
        let mut searching = Duration::ZERO;
        let mut faults = Vec::new();
        for (place, operation) in operations.iter().enumerate() {
            if repeats(operation) {
                // A hostile rule takes its time; others are served in between.
                tokio::task::yield_now().await;
            }
            let begun = self.recorder.monotonic();
            let checked = match operation {
                Operation::Create(task) => task.check(&*self.calendar),
                Operation::Change(_, _, change) => change.check(&*self.calendar),
                Operation::Delete(..) => Ok(()),
            };
            searching += self.recorder.monotonic().saturating_sub(begun);
            if searching > SEARCHING_MAX {
                return Err(AppError::Invalid(vec![too_much()]));
            }
            faults.extend(
                checked
                    .err()
                    .into_iter()
                    .flatten()
                    .map(|fault| of_task(place, fault)),
            );
        }
        if !faults.is_empty() {
            return Err(AppError::Invalid(faults));
        }
        self.work(actor, operations, request, |most, refusals| {
            let mut faults = Vec::new();
            for (place, refusal) in refusals {
                match refusal {
                    Refusal::Full => return AppError::TooManyTasks { most },
                    Refusal::TooMuch => return AppError::Invalid(vec![too_much()]),
                    Refusal::Invalid(of) => faults.extend(of.into_iter().map(|fault| of_task(place, fault))),
                    Refusal::Absent => {
                        faults.push(of_id(place, "task-not-found", "must be the id of a task"));
                    }
                    Refusal::Stale => {
                        faults.push(of_id(
                            place,
                            "precondition-failed",
                            "is of a task that has changed",
                        ));
                    }
                }
            }
            AppError::Invalid(faults)
        })
        .await
    }

    async fn work_one(
        &self,
        actor: &Actor,
        operation: Operation,
        request: Option<Request>,
    ) -> Result<Answered<Task>, AppError> {
        let done = self
            .work(actor, vec![operation], request, |most, mut refusals| {
                refusals.pop().map_or_else(
                    || AppError::Internal("refused for nothing".into()),
                    |(_, refusal)| refused(refusal, most),
                )
            })
            .await?;
        let mut outcomes = done.value;
        match outcomes.pop() {
            Some(Outcome::Task(value)) => Ok(Answered {
                value: *value,
                replayed: done.replayed,
            }),
            _ => Err(AppError::Internal("the outcome is no task".into())),
        }
    }

    async fn work(
        &self,
        actor: &Actor,
        operations: Vec<Operation>,
        request: Option<Request>,
        refused: impl FnOnce(u32, Vec<(usize, Refusal)>) -> AppError + Send,
    ) -> Result<Answered<Vec<Outcome>>, AppError> {
        let work = Work {
            operations,
            request,
            most: self.most_per_user,
            at: self.recorder.now(),
        };
        match self.tasks.work(actor.user(), &work).await? {
            Worked::Done { outcomes, replayed } => Ok(Answered {
                value: outcomes,
                replayed,
            }),
            Worked::Refused(refusals) => Err(refused(work.most, refusals)),
            Worked::Reused => Err(AppError::IdempotencyKeyReused),
            Worked::TooManyKeys(until) => Err(AppError::TooManyKeys(Limited {
                policy: "idempotency-keys",
                burst: idempotency::MOST,
                window: idempotency::KEPT,
                wait: until.since(work.at),
            })),
            Worked::Gone => Err(AppError::InvalidToken),
        }
    }

    /// Deletes a task.
    pub async fn delete(&self, actor: &Actor, id: TaskId, expected: &Expected) -> Result<(), AppError> {
        let at = self.recorder.now();
        let written = self.tasks.delete_if(actor.user(), id, expected, at).await?;
        self.written(written)
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

    fn written<T>(&self, written: Written<T>) -> Result<T, AppError> {
        let refusal = match written {
            Written::Done(written) => return Ok(written),
            Written::Stale => Refusal::Stale,
            Written::Absent => Refusal::Absent,
            Written::Full => Refusal::Full,
            Written::Invalid(faults) => Refusal::Invalid(faults),
            Written::TooMuch => Refusal::TooMuch,
        };
        Err(refused(refusal, self.most_per_user))
    }
}

fn refused(refusal: Refusal, most: u32) -> AppError {
    match refusal {
        Refusal::Absent => AppError::TaskNotFound,
        Refusal::Stale => AppError::Stale,
        Refusal::Full => AppError::TooManyTasks { most },
        Refusal::Invalid(faults) => AppError::Invalid(faults),
        Refusal::TooMuch => AppError::Invalid(vec![too_much()]),
    }
}

/// A fault of a batch as a whole.
fn too_much() -> FieldFault {
    let detail = format!(
        "must come to at most {} MiB of text, and have rules that are found out about sooner; send fewer at a time",
        TEXT_MAX / 1024 / 1024
    );
    FieldFault::new("operations", Fault::new("too-much", detail))
}

/// A fault of a task within a batch.
fn of_task(place: usize, fault: FieldFault) -> FieldFault {
    FieldFault::new(format!("operations/{place}/task/{}", fault.field), fault.fault)
}

/// A fault of what an operation of a batch is about.
fn of_id(place: usize, code: &'static str, detail: &'static str) -> FieldFault {
    FieldFault::new(format!("operations/{place}/id"), Fault::new(code, detail))
}

#[cfg(test)]
mod tests {
    use errand_domain::Timestamp;
    use errand_domain::query::{PageStart, Sort, TaskFilter};
    use errand_domain::task::{Completion, Next, Priority, Series, Tags, TimeZone, Title};

    use super::*;
    use crate::ports::{Change, MockTaskStore, StoreError};
    use crate::test_support::{FixedClock, Never, actor, at, recorder};

    fn service(tasks: MockTaskStore) -> TaskService {
        let recorder = recorder(&Arc::new(FixedClock::default()));
        TaskService::new(Arc::new(tasks), Arc::new(Never), recorder, 7)
    }

    fn new_task() -> NewTask {
        NewTask {
            title: Title::parse("milk").unwrap(),
            description: None,
            priority: Priority::Medium,
            due: None,
            time_zone: None,
            tags: Tags::default(),
            recurrence: None,
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
            .withf(move |o, _, expected, _, most, _| *o == owner && *most == 7 && *expected == Expected::Any)
            .times(1)
            .returning(|_, _, _, _, _, _| Ok(Written::Absent));
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
                .change(&actor(7), TaskId(3), &Expected::Any, &toggle, None)
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
            .withf(move |_, _, expected, _, _, _| *expected == wanted)
            .times(1)
            .returning(|_, _, _, _, _, _| Ok(Written::Stale));
        let service = service(store);
        let toggle = TaskChange::completing(Completion::Toggle);
        assert!(matches!(
            service.delete(&actor(7), TaskId(3), &expected).await,
            Err(AppError::Stale)
        ));
        assert!(matches!(
            service
                .change(&actor(7), TaskId(3), &expected, &toggle, None)
                .await,
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
        let first = service.create(&actor(7), &new_task(), None).await.unwrap().value;
        service.create(&actor(7), &new_task(), None).await.unwrap();
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
            service.create(&actor(7), &new_task(), None).await,
            Err(AppError::InvalidToken)
        ));
        assert!(matches!(
            service.create(&actor(7), &new_task(), None).await,
            Err(AppError::TooManyTasks { most: 7 })
        ));
    }

    /// Each look takes more than half of what a batch may take.
    struct Slow(Arc<FixedClock>);

    impl Recurrences for Slow {
        fn knows(&self, _: &TimeZone) -> bool {
            self.0.advance(Duration::from_millis(600));
            true
        }

        fn check(&self, _: &Series) -> Result<(), Vec<FieldFault>> {
            Ok(())
        }

        fn next(&self, _: &Series, _: Timestamp) -> Option<Next> {
            None
        }
    }

    #[tokio::test]
    async fn rules_that_are_found_out_about_too_slowly_are_too_much() {
        let clock = Arc::new(FixedClock::default());
        let mut store = MockTaskStore::new();
        store.expect_work().times(1).returning(|_, _| {
            Ok(Worked::Done {
                outcomes: Vec::new(),
                replayed: false,
            })
        });
        let calendar = Arc::new(Slow(clock.clone()));
        let service = TaskService::new(Arc::new(store), calendar, recorder(&clock), 7);
        let new = NewTask {
            time_zone: TimeZone::parse("UTC").ok(),
            ..new_task()
        };
        let batch = |most| vec![Operation::Create(new.clone()); most];
        assert!(service.batch(&actor(7), batch(1), None).await.is_ok());
        match service.batch(&actor(7), batch(2), None).await {
            Err(AppError::Invalid(faults)) => {
                assert_eq!(
                    (&*faults[0].field, faults[0].fault.code),
                    ("operations", "too-much")
                );
            }
            other => panic!("{other:?}"),
        }
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

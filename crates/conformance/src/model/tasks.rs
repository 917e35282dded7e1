//! Tasks in memory.

use std::cmp::Ordering;

use async_trait::async_trait;
use errand_application::ports::{
    ChangesPage, Created, DeletedTask, Request, Restored, StoreError, TaskStore, TrashPage, WalkSeed, Work,
    Worked, Written,
};
use errand_domain::changes::ChangesPlace;
use errand_domain::idempotency;
use errand_domain::query::{PageStart, Sort, SortKey, TaskFilter, TaskPage, TaskQuery};
use errand_domain::task::{
    Board, Expected, Fate, NewTask, Operation, Outcome, Piece, Refusal, Task, TaskChange,
};
use errand_domain::trash::{self, TrashPlace};
use errand_domain::{TaskId, Timestamp, UserId};
use uuid::Uuid;

use super::changes::nothing_since;
use super::{Account, Model};
use crate::calendar::DailyCalendar;

impl Account {
    /// Makes a task with the next id.
    pub(crate) fn add_task(&mut self, key: &str, new: &NewTask, at: Timestamp) -> Task {
        self.last_task += 1;
        let task = Task::new(self.user.id, TaskId(self.last_task), new.clone(), at);
        self.moved(task.id);
        self.tasks.insert(task.id, task.clone());
        self.keys.insert(key.to_owned(), task.id);
        task
    }

    /// Moves a task to the trash.
    pub(crate) fn delete(&mut self, id: TaskId, at: Timestamp) -> bool {
        let Some(task) = self.tasks.remove(&id) else {
            return false;
        };
        self.moved(id);
        let deleted = DeletedTask { task, deleted_at: at };
        self.deleted.insert(id, deleted);
        true
    }

    /// Does operations, all or none.
    pub(crate) fn work(
        &mut self,
        operations: &[Operation],
        most: u32,
        at: Timestamp,
    ) -> Result<Vec<Outcome>, Vec<(usize, Refusal)>> {
        let (owner, last) = (self.user.id, TaskId(self.last_task));
        let tasks = self.tasks.values().cloned();
        let mut board = Board::new(
            owner,
            last,
            self.tasks.len() as u64,
            most,
            tasks,
            at,
            &DailyCalendar,
        );
        let mut outcomes = Vec::new();
        let mut refusals = Vec::new();
        for (place, operation) in operations.iter().enumerate() {
            match board.run(operation) {
                Ok(outcome) => outcomes.push(outcome),
                Err(refusal) => refusals.push((place, refusal)),
            }
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let written: Vec<Piece> = board
            .pieces()
            .filter(|piece| piece.is_written())
            .cloned()
            .collect();
        let gone = written.iter().filter(|piece| piece.fate != Fate::Living).count();
        for piece in written {
            self.put(piece, at);
        }
        if gone > 0 {
            self.sweep(at, count(gone).saturating_mul(trash::AT_ONCE));
        }
        Ok(outcomes)
    }

    fn put(&mut self, piece: Piece, at: Timestamp) {
        let id = piece.task.id;
        self.last_task = self.last_task.max(id.0);
        self.tasks.insert(id, piece.task);
        match piece.fate {
            Fate::Living => self.moved(id),
            Fate::Deleted => {
                self.delete(id, at);
            }
            Fate::TakenBack => {
                self.tasks.remove(&id);
                self.erased.insert(id, at);
                self.moved(id);
            }
        }
    }

    /// Changes a task of an expected version.
    pub(crate) fn change_if(
        &mut self,
        id: TaskId,
        expected: &Expected,
        change: &TaskChange,
        most: u32,
        at: Timestamp,
    ) -> Written<Task> {
        let operation = Operation::Change(id, expected.clone(), change.clone());
        match self.work(&[operation], most, at) {
            Ok(outcomes) => match outcomes.as_slice() {
                [Outcome::Task(task)] => Written::Done(Task::clone(task)),
                _ => unreachable!("a change comes to a task"),
            },
            Err(refusals) => refusals[0].1.clone().into(),
        }
    }

    /// Deletes a task of an expected version.
    pub(crate) fn delete_if(&mut self, id: TaskId, expected: &Expected, at: Timestamp) -> Written<()> {
        self.sweep(at, trash::AT_ONCE);
        match self.tasks.get(&id) {
            None => Written::Absent,
            Some(task) if !expected.admits(task.version) => Written::Stale,
            Some(_) => {
                self.delete(id, at);
                Written::Done(())
            }
        }
    }

    /// Removes what a deletion removes.
    fn sweep(&mut self, at: Timestamp, most: u32) {
        let newest = self.deletions().into_iter().rev().nth(trash::MOST as usize);
        let bound = newest.map_or(trash::over(at), |place| place.deleted_at.max(trash::over(at)));
        self.remove_deleted(bound, most);
    }

    /// All deletions, the oldest first.
    fn deletions(&self) -> Vec<TrashPlace> {
        let erased = self.erased.iter().map(|(id, deleted_at)| TrashPlace {
            deleted_at: *deleted_at,
            id: *id,
        });
        let mut all: Vec<_> = erased
            .chain(self.deleted.values().map(DeletedTask::place))
            .collect();
        all.sort();
        all
    }

    /// Removes deletions up to a time, the oldest first.
    pub(crate) fn remove_deleted(&mut self, bound: Timestamp, most: u32) -> u64 {
        let old = self
            .deletions()
            .into_iter()
            .filter(|place| place.deleted_at <= bound);
        let old: Vec<_> = old.take(most as usize).collect();
        for place in &old {
            self.deleted.remove(&place.id);
            self.erased.remove(&place.id);
        }
        self.forget(old.iter().map(|place| place.id));
        old.len() as u64
    }

    /// What is in the trash, if it is still kept.
    pub(crate) fn trashed(&self, id: TaskId, at: Timestamp) -> Option<DeletedTask> {
        let deleted = self.deleted.get(&id)?;
        (at < deleted.purge_at()).then(|| deleted.clone())
    }

    /// Takes a task out of the trash.
    pub(crate) fn restore(&mut self, id: TaskId, most: u32, at: Timestamp) -> Restored {
        let Some(DeletedTask { mut task, .. }) = self.trashed(id, at) else {
            return Restored::Absent;
        };
        if count(self.tasks.len()) >= most {
            return Restored::Full;
        }
        task.restore(at);
        self.moved(id);
        self.deleted.remove(&id);
        self.tasks.insert(id, task.clone());
        Restored::Task(task)
    }

    /// The page of a query. What "matches" and "before" mean are arguments, so that a broken store can mean
    /// something else.
    pub(crate) fn page(
        &mut self,
        query: &TaskQuery,
        walk: Uuid,
        matches: impl Fn(&TaskFilter, &Task) -> bool,
        compare: impl Fn(Sort, &Task, &Task) -> Ordering,
    ) -> Option<TaskPage> {
        let matching = self.tasks.values().filter(|t| matches(&query.filter, t));
        let mut matching: Vec<Task> = matching.cloned().collect();
        matching.sort_by(|a, b| compare(query.sort, a, b));
        let total = query.count.then_some(matching.len() as u64);
        let limit = query.limit as usize;

        let (tasks, next) = match query.start {
            PageStart::Walk { id, offset } => {
                let ids = self.walks.get(&id)?;
                let shown = |place: &usize| {
                    let id = ids.get(*place)?;
                    Some((*place, matching.iter().find(|t| t.id == *id)?))
                };
                let mut rest = (offset as usize..ids.len()).filter_map(|place| shown(&place));
                let page: Vec<_> = rest.by_ref().take(limit).collect();
                let next = rest
                    .next()
                    .and_then(|_| page.last())
                    .map(|(place, _)| PageStart::Walk {
                        id,
                        offset: count(place + 1),
                    });
                (page.into_iter().map(|(_, task)| task.clone()).collect(), next)
            }
            PageStart::Offset(behind) => {
                let page: Vec<Task> = matching
                    .iter()
                    .skip(behind as usize)
                    .take(limit)
                    .cloned()
                    .collect();
                let end = behind as usize + page.len();
                let more = end < matching.len();
                let next = if !more {
                    None
                } else if query.sort.key == SortKey::CreatedAt {
                    page.last().map(after)
                } else {
                    self.walks.insert(walk, matching.iter().map(|t| t.id).collect());
                    Some(PageStart::Walk {
                        id: walk,
                        offset: count(end),
                    })
                };
                (page, next)
            }
            PageStart::After { created_at, id } => {
                let place = |task: &Task| (task.created_at, task.id);
                let ahead = |task: &Task| {
                    if query.sort.descending {
                        place(task) < (created_at, id)
                    } else {
                        place(task) > (created_at, id)
                    }
                };
                let mut rest = matching.into_iter().filter(ahead);
                let page: Vec<Task> = rest.by_ref().take(limit).collect();
                let next = rest.next().and_then(|_| page.last()).map(after);
                (page, next)
            }
        };
        Some(TaskPage {
            tasks,
            next,
            total,
            changes: self.changes,
        })
    }
}

fn after(last: &Task) -> PageStart {
    PageStart::After {
        created_at: last.created_at,
        id: last.id,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[async_trait]
impl TaskStore for Model {
    async fn create(
        &self,
        owner: UserId,
        key: &str,
        task: &NewTask,
        most: u32,
        at: Timestamp,
    ) -> Result<Created, StoreError> {
        Ok(self.with(|state| {
            let Some(account) = state.accounts.get_mut(&owner) else {
                return Created::Gone;
            };
            match account.keys.get(key) {
                Some(made) => account
                    .tasks
                    .get(made)
                    .cloned()
                    .map_or(Created::Gone, Created::Task),
                None if count(account.tasks.len()) >= most => Created::Full,
                None => Created::Task(account.add_task(key, task, at)),
            }
        }))
    }

    async fn find(&self, owner: UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.with(|state| state.accounts.get(&owner)?.tasks.get(&id).cloned()))
    }

    async fn page(
        &self,
        owner: UserId,
        query: &TaskQuery,
        seed: WalkSeed,
    ) -> Result<Option<TaskPage>, StoreError> {
        Ok(self.with(|state| match state.accounts.get_mut(&owner) {
            Some(account) => account.page(query, seed.id, TaskFilter::matches, Sort::compare),
            None => nothing(query),
        }))
    }

    async fn changes(&self, owner: UserId) -> Result<i64, StoreError> {
        Ok(self.change_counter(owner).unwrap_or_default())
    }

    async fn changes_since(
        &self,
        owner: UserId,
        since: Option<ChangesPlace>,
        limit: u32,
    ) -> Result<Option<ChangesPage>, StoreError> {
        Ok(self.with(|state| match state.accounts.get(&owner) {
            Some(account) => account.changes_since(since, limit),
            None => Some(nothing_since(since)),
        }))
    }

    async fn change_if(
        &self,
        owner: UserId,
        id: TaskId,
        expected: &Expected,
        change: &TaskChange,
        most: u32,
        at: Timestamp,
    ) -> Result<Written<Task>, StoreError> {
        Ok(self.with(|state| match state.accounts.get_mut(&owner) {
            Some(account) => account.change_if(id, expected, change, most, at),
            None => Written::Absent,
        }))
    }

    async fn work(&self, owner: UserId, work: &Work) -> Result<Worked, StoreError> {
        Ok(self.with(|state| {
            let Some(account) = state.accounts.get_mut(&owner) else {
                return Worked::Gone;
            };
            let over = idempotency::over(work.at);
            account.requests.retain(|_, (at, ..)| *at > over);
            if let Some(request) = &work.request {
                if let Some((_, fingerprint, outcomes)) = account.requests.get(&request.key) {
                    if *fingerprint != request.fingerprint {
                        return Worked::Reused;
                    }
                    return Worked::Done {
                        outcomes: outcomes.clone(),
                        replayed: true,
                    };
                }
                if count(account.requests.len()) >= idempotency::MOST {
                    let oldest = account.requests.values().map(|(at, ..)| *at).min();
                    return Worked::TooManyKeys(oldest.unwrap_or(work.at).plus(idempotency::KEPT));
                }
            }
            let outcomes = match account.work(&work.operations, work.most, work.at) {
                Ok(outcomes) => outcomes,
                Err(refusals) => return Worked::Refused(refusals),
            };
            if let Some(Request { key, fingerprint }) = work.request.clone() {
                let known = (work.at, fingerprint, outcomes.clone());
                account.requests.insert(key, known);
            }
            Worked::Done {
                outcomes,
                replayed: false,
            }
        }))
    }

    async fn delete_if(
        &self,
        owner: UserId,
        id: TaskId,
        expected: &Expected,
        at: Timestamp,
    ) -> Result<Written<()>, StoreError> {
        Ok(self.with(|state| match state.accounts.get_mut(&owner) {
            Some(account) => account.delete_if(id, expected, at),
            None => Written::Absent,
        }))
    }

    async fn trash(
        &self,
        owner: UserId,
        after: Option<TrashPlace>,
        limit: u32,
        at: Timestamp,
    ) -> Result<TrashPage, StoreError> {
        let nothing = TrashPage {
            tasks: Vec::new(),
            next: None,
        };
        Ok(self.with(|state| {
            let account = state.accounts.get(&owner);
            account.map_or(nothing, |account| trash_page(account, after, limit, at))
        }))
    }

    async fn restore(
        &self,
        owner: UserId,
        id: TaskId,
        most: u32,
        at: Timestamp,
    ) -> Result<Restored, StoreError> {
        Ok(self.with(|state| {
            let account = state.accounts.get_mut(&owner);
            account.map_or(Restored::Absent, |account| account.restore(id, most, at))
        }))
    }

    async fn erase(&self, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            let account = state.accounts.get_mut(&owner);
            let Some((account, deleted)) = account.and_then(|a| a.trashed(id, at).map(|d| (a, d))) else {
                return false;
            };
            account.deleted.remove(&id);
            account.erased.insert(id, deleted.deleted_at);
            for (_, _, outcomes) in account.requests.values_mut() {
                for outcome in outcomes {
                    if let Outcome::Task(task) = outcome
                        && task.id == id
                    {
                        **task = task.clone().erased(at);
                    }
                }
            }
            account.moved(id);
            true
        }))
    }

    async fn purge(&self, owner: UserId, most: u32, at: Timestamp) -> Result<u64, StoreError> {
        Ok(self.with(|state| {
            let account = state.accounts.get_mut(&owner);
            account.map_or(0, |account| account.remove_deleted(trash::over(at), most))
        }))
    }
}

fn trash_page(account: &Account, after: Option<TrashPlace>, limit: u32, at: Timestamp) -> TrashPage {
    let mut all: Vec<_> = account.deleted.values().filter(|d| at < d.purge_at()).collect();
    all.sort_by_key(|deleted| std::cmp::Reverse(deleted.place()));
    let mut rest = all
        .into_iter()
        .filter(|deleted| after.is_none_or(|last| deleted.place() < last));
    let tasks: Vec<_> = rest.by_ref().take(limit as usize).cloned().collect();
    let next = rest.next().and_then(|_| tasks.last()).map(DeletedTask::place);
    TrashPage { tasks, next }
}

/// The page of somebody who has no tasks and no walks.
fn nothing(query: &TaskQuery) -> Option<TaskPage> {
    let empty = TaskPage {
        tasks: Vec::new(),
        next: None,
        total: query.count.then_some(0),
        changes: 0,
    };
    (!matches!(query.start, PageStart::Walk { .. })).then_some(empty)
}

#[cfg(test)]
mod tests {
    use errand_domain::task::Completion;

    use super::*;
    use crate::fixtures::{UNLIMITED, at, register, task};

    #[tokio::test]
    async fn the_change_counter_moves_with_every_effective_write_and_only_then() {
        let model = Model::new();
        let owner = register(&model.stores(), "ann").await.id();
        let counter = || model.change_counter(owner).unwrap();
        let tasks = model.stores().tasks;
        assert_eq!(counter(), 0);
        let made = tasks
            .create(owner, "key", &task("a"), UNLIMITED, at(1))
            .await
            .unwrap()
            .task()
            .unwrap();
        tasks
            .create(owner, "key", &task("a"), UNLIMITED, at(1))
            .await
            .unwrap();
        assert_eq!(counter(), 1);
        let toggle = TaskChange::completing(Completion::Toggle);
        tasks.change(owner, made.id, &toggle, at(2)).await.unwrap();
        assert_eq!(counter(), 2);
        let same = TaskChange::completing(Completion::Set(true));
        tasks.change(owner, made.id, &same, at(3)).await.unwrap();
        assert_eq!(counter(), 2);
        assert!(tasks.delete(owner, made.id, at(4)).await.unwrap());
        assert!(!tasks.delete(owner, made.id, at(4)).await.unwrap());
        assert_eq!(counter(), 3);
    }
}

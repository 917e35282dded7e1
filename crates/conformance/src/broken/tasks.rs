//! Tasks with a defect.

use std::cmp::Ordering;

use async_trait::async_trait;
use errand_application::ports::{
    ChangesPage, Created, Restored, StoreError, TaskStore, TrashPage, WalkSeed, Work, Worked, Written,
};
use errand_domain::changes::ChangesPlace;
use errand_domain::query::{PageStart, Sort, SortKey, TaskFilter, TaskPage, TaskQuery};
use errand_domain::task::{Completion, Description, Due, Expected, Follower, NewTask, Task, TaskChange};
use errand_domain::trash::TrashPlace;
use errand_domain::{TaskId, Timestamp, UserId};

use super::{Broken, Defect};
use crate::calendar::DailyCalendar;
use crate::model::State;

impl Broken {
    /// The owner, or with this defect whoever has such a task.
    fn with_leak(&self, leak: Defect, owner: UserId, id: TaskId) -> UserId {
        self.model.with(|state| {
            let has = |owner: &UserId| {
                state
                    .accounts
                    .get(owner)
                    .is_some_and(|a| a.tasks.contains_key(&id))
            };
            let other = state.accounts.keys().find(|other| has(other));
            other
                .filter(|_| self.is(leak) && !has(&owner))
                .copied()
                .unwrap_or(owner)
        })
    }

    fn matches(&self, filter: &TaskFilter, task: &Task) -> bool {
        // All but the condition that the defect is in.
        let rest = |without: fn(&mut TaskFilter)| {
            let mut filter = filter.clone();
            without(&mut filter);
            filter.matches(task)
        };
        let more = task.description.as_ref().map_or("", Description::as_str);
        let in_fields = |finds: &dyn Fn(&str, &str) -> bool, fields: [String; 2]| {
            rest(|f| f.words.clear())
                && filter
                    .words
                    .iter()
                    .all(|w| fields.iter().any(|text| finds(text, w)))
        };
        let folded = || [task.title.folded(), errand_domain::text::fold(more)];
        let contains: &dyn Fn(&str, &str) -> bool = &|text, word| text.contains(word);
        match self.defect {
            Defect::PercentIsWildcard => in_fields(&like, folded()),
            Defect::SearchesByAscii => {
                in_fields(contains, [task.title.as_str(), more].map(str::to_ascii_lowercase))
            }
            Defect::SearchesAcrossFields => in_fields(contains, [folded().concat(), String::new()]),
            Defect::TagsBySubstring => {
                let has = |wanted: &String| task.tags.keys().any(|key| key.contains(wanted));
                rest(|f| f.tag_keys.clear())
                    && (filter.tag_keys.is_empty() || filter.tag_keys.iter().any(has))
            }
            Defect::BoundsAreInclusive => {
                let at = task.due.map(Due::position);
                filter.matches(task)
                    || rest(|f| f.due_before = None) && filter.due_before == at && at.is_some()
            }
            _ => filter.matches(task),
        }
    }

    fn compare(&self, sort: Sort, a: &Task, b: &Task) -> Ordering {
        let directed = |order: Ordering| if sort.descending { order.reverse() } else { order };
        match (self.defect, sort.key) {
            (Defect::TiesByAge, _) => {
                let tied = Task {
                    id: a.id,
                    ..b.clone()
                };
                sort.compare(a, &tied).then(a.id.cmp(&b.id))
            }
            (Defect::NoDueDateIsLargest, SortKey::DueDate) => {
                let place = |task: &Task| (task.due.is_none(), task.due.map(Due::position), task.id);
                directed(place(a).cmp(&place(b)))
            }
            (Defect::TitlesByUtf16, SortKey::Title) => {
                let units = |task: &Task| task.title.folded().encode_utf16().collect::<Vec<_>>();
                directed(units(a).cmp(&units(b)).then(a.id.cmp(&b.id)))
            }
            _ => sort.compare(a, b),
        }
    }

    /// What this store makes of a due date and a description.
    fn stored(&self, due: Option<Due>, more: Option<Description>) -> (Option<Due>, Option<Description>) {
        let due = due.map(|due| match due {
            Due::Date(_) if self.is(Defect::ForgetsKindOfDue) => Due::DateTime(due.position()),
            due => due,
        });
        (
            due,
            more.filter(|text| !(self.is(Defect::EmptyIsNone) && text.as_str().is_empty())),
        )
    }

    /// What happens to ids and keys before a task is made.
    fn prepare(&self, state: &mut State, owner: UserId, key: &str) {
        let last = state.accounts.values().map(|a| a.last_task).max();
        let Some(account) = state.accounts.get_mut(&owner) else {
            return;
        };
        let gone = |id: &TaskId| !account.tasks.contains_key(id);
        let forgets = self.is(Defect::ForgetsKeyOfDeleted) && account.keys.get(key).is_some_and(gone);
        if forgets || self.is(Defect::RepeatsCreation) {
            account.keys.remove(key);
        }
        if self.is(Defect::ReusesTaskIds) {
            account.last_task = account.tasks.keys().last().map_or(0, |id| id.0);
        }
        if self.is(Defect::IdsAreShared) {
            account.last_task = last.unwrap_or(0);
        }
    }

    /// The owner, or with this defect whoever has something in the trash.
    fn with_trash_leak(&self, owner: UserId) -> UserId {
        self.model.with(|state| {
            let full = state.accounts.iter().find(|(_, a)| !a.deleted.is_empty());
            full.filter(|_| self.is(Defect::TrashLeaks))
                .map_or(owner, |(other, _)| *other)
        })
    }

    /// What is said of a task that is not there.
    fn missing<T>(&self, expected: &Expected) -> Written<T> {
        if self.is(Defect::AbsentIsStale) && *expected != Expected::Any {
            return Written::Stale;
        }
        Written::Absent
    }

    /// What is done to a task after its change.
    fn spoil(&self, before: &Task, task: &mut Task, change: &TaskChange, at: Timestamp) {
        match self.defect {
            Defect::ForgetsVersion => task.version = before.version,
            Defect::CountsNoChange if task == before => task.version += 1,
            Defect::KeepsRecurrence if task.is_completed() => {
                task.recurrence.clone_from(&before.recurrence);
            }
            Defect::TimeGoesBack if task != before => task.updated_at = at,
            Defect::CompletesAgain if change.completion == Some(Completion::Set(true)) => {
                task.completed_at = Some(at);
            }
            _ => {}
        }
    }
}

/// SQL's `LIKE '%word%'` without an escape.
fn like(text: &str, word: &str) -> bool {
    let mut rest = text;
    word.split('%').all(|piece| match rest.split_once(piece) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[async_trait]
impl TaskStore for Broken {
    async fn create(
        &self,
        owner: UserId,
        key: &str,
        task: &NewTask,
        most: u32,
        at: Timestamp,
    ) -> Result<Created, StoreError> {
        let (due, description) = self.stored(task.due, task.description.clone());
        let task = NewTask {
            due,
            description,
            ..task.clone()
        };
        if self.is(Defect::KeysAreShared) {
            let made = self.model.with(|state| {
                let mut accounts = state.accounts.values();
                accounts.find_map(|a| a.tasks.get(a.keys.get(key)?).cloned())
            });
            if let Some(made) = made {
                return Ok(Created::Task(made));
            }
        }
        if self.is(Defect::CreatesInTwoSteps) {
            let known = self.model.with(|state| {
                let account = state.accounts.get(&owner);
                account.is_some_and(|a| a.keys.contains_key(key))
            });
            tokio::task::yield_now().await;
            if !known {
                return Ok(self.model.with(|state| match state.accounts.get_mut(&owner) {
                    Some(account) => Created::Task(account.add_task(key, &task, at)),
                    None => Created::Gone,
                }));
            }
        }
        self.model.with(|state| self.prepare(state, owner, key));
        let most = if self.is(Defect::KnowsNoQuota) {
            u32::MAX
        } else {
            most
        };
        self.model.create(owner, key, &task, most, at).await
    }

    async fn find(&self, owner: UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        let owner = self.with_leak(Defect::FindLeaks, owner, id);
        TaskStore::find(&self.model, owner, id).await
    }

    async fn page(
        &self,
        owner: UserId,
        query: &TaskQuery,
        seed: WalkSeed,
    ) -> Result<Option<TaskPage>, StoreError> {
        let mut query = query.clone();
        if let PageStart::Walk { offset, .. } = query.start
            && self.is(Defect::PagesByOffset)
        {
            query.start = PageStart::Offset(offset);
        }
        if let PageStart::After { id, .. } = &mut query.start
            && self.is(Defect::PlacesByTimeAlone)
        {
            id.0 = if query.sort.descending { i64::MIN } else { i64::MAX };
        }
        let matches = |filter: &TaskFilter, task: &Task| self.matches(filter, task);
        let compare = |sort, a: &Task, b: &Task| self.compare(sort, a, b);
        let page = self.model.with(|state| {
            let all = state.accounts.values();
            let total = all
                .flat_map(|a| a.tasks.values())
                .filter(|t| matches(&query.filter, t))
                .count();
            let walks: Vec<_> = state.accounts.values().flat_map(|a| a.walks.clone()).collect();
            let account = state.accounts.get_mut(&owner)?;
            if self.is(Defect::WalkLeaks) {
                account.walks.extend(walks);
            }
            if self.is(Defect::KeepsOneWalk) && matches!(query.start, PageStart::Offset(_)) {
                account.walks.clear();
            }
            let mut page = account.page(&query, seed.id, matches, compare)?;
            if self.is(Defect::CountLeaks) {
                page.total = page.total.map(|_| total as u64);
            }
            match query.start {
                PageStart::Walk { id, offset } if self.is(Defect::WalkLeavesHoles) => {
                    let end = offset.saturating_add(query.limit);
                    let ids = &account.walks[&id];
                    let part = &ids[offset as usize..ids.len().min(end as usize)];
                    page.tasks.retain(|task| part.contains(&task.id));
                    let more = (end as usize) < ids.len();
                    page.next = more.then_some(PageStart::Walk { id, offset: end });
                }
                _ => {}
            }
            if page.tasks.is_empty() && self.is(Defect::EmptyPageHasNoCounter) {
                page.changes = 0;
            }
            if self.is(Defect::FullPageHasNext) && page.tasks.len() == query.limit as usize {
                let last = page.tasks.last().map(|task| PageStart::After {
                    created_at: task.created_at,
                    id: task.id,
                });
                page.next = page.next.or(last);
            }
            Some(page)
        });
        match page {
            Some(page) if self.is(Defect::ReadsCounterAfterwards) => {
                tokio::task::yield_now().await;
                let changes = self.model.change_counter(owner).unwrap_or_default();
                Ok(Some(TaskPage { changes, ..page }))
            }
            Some(page) => Ok(Some(page)),
            None => self.model.page(owner, &query, seed).await,
        }
    }

    async fn changes(&self, owner: UserId) -> Result<i64, StoreError> {
        if self.is(Defect::CounterLeaks) {
            return Ok(self
                .model
                .with(|state| state.accounts.values().map(|a| a.changes).sum()));
        }
        self.model.changes(owner).await
    }

    async fn changes_since(
        &self,
        owner: UserId,
        since: Option<ChangesPlace>,
        limit: u32,
    ) -> Result<Option<ChangesPage>, StoreError> {
        self.broken_changes(owner, since, limit).await
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
        let owner = self.with_leak(Defect::ChangeLeaks, owner, id);
        let (due, description) = self.stored(change.due.flatten(), change.description.clone().flatten());
        let change = TaskChange {
            due: change.due.map(|_| due),
            description: change.description.as_ref().map(|_| description),
            ..change.clone()
        };
        if self.is(Defect::Resurrects) {
            self.model.with(|state| {
                let account = state.accounts.get_mut(&owner)?;
                let deleted = account.deleted.remove(&id)?;
                account.tasks.insert(id, deleted.task)
            });
        }
        self.unlink(owner, id);
        let place = self.place(owner, id);
        let before = TaskStore::find(&self.model, owner, id).await?;
        let (Some(before), Some(mut after)) = (before.clone(), before) else {
            return Ok(self.missing(expected));
        };
        let mut expected = expected.clone();
        if self.is(Defect::ChecksVersionInTwoSteps) && expected.admits(before.version) {
            tokio::task::yield_now().await;
            expected = Expected::Any;
        }
        if self.is(Defect::ExpectsNothing) {
            expected = Expected::Any;
        }
        if !expected.admits(before.version) {
            return Ok(Written::Stale);
        }
        if self.is(Defect::CompletesInTwoSteps) && before.recurrence.is_some() {
            self.make_successor(&before, at).await;
            let change = TaskChange {
                rule: Some(None),
                ..change.clone()
            };
            return self
                .model
                .change_if(owner, id, &expected, &change, most, at)
                .await;
        }
        if !self.is(Defect::LosesUpdates) {
            match self
                .model
                .change_if(owner, id, &expected, &change, most, at)
                .await?
            {
                Written::Done(changed) => after = changed,
                not_done => return Ok(not_done),
            }
            self.spoil(&before, &mut after, &change, at);
        } else if after
            .apply(&change, at, &DailyCalendar, |_| Follower::Touched)
            .unwrap()
            .changed
        {
            tokio::task::yield_now().await;
        }
        self.model.with(|state| {
            let account = state.accounts.get_mut(&owner);
            if let Some(task) = account.and_then(|a| a.tasks.get_mut(&id)) {
                *task = after.clone();
            }
        });
        self.keep_place(Defect::KeepsFirstPlace, owner, id, place);
        Ok(Written::Done(after))
    }

    async fn work(&self, owner: UserId, work: &Work) -> Result<Worked, StoreError> {
        self.work_with_defect(owner, work).await
    }

    async fn delete_if(
        &self,
        owner: UserId,
        id: TaskId,
        expected: &Expected,
        at: Timestamp,
    ) -> Result<Written<()>, StoreError> {
        let owner = self.with_leak(Defect::DeleteLeaks, owner, id);
        if self.is(Defect::DeletesTwice) {
            self.model.with(|state| {
                let account = state.accounts.get_mut(&owner);
                if let Some(deleted) = account.and_then(|a| a.deleted.get_mut(&id)) {
                    deleted.deleted_at = at;
                }
            });
        }
        let counted = self.model.change_counter(owner);
        let deleted = self.model.delete_if(owner, id, expected, at).await?;
        if self.is(Defect::CountsNoDeletion) {
            self.model.with(|state| {
                if let (Some(account), Some(changes)) = (state.accounts.get_mut(&owner), counted) {
                    account.changes = changes;
                }
            });
        }
        Ok(match deleted {
            Written::Absent => self.missing(expected),
            written => written,
        })
    }

    async fn trash(
        &self,
        owner: UserId,
        after: Option<TrashPlace>,
        limit: u32,
        at: Timestamp,
    ) -> Result<TrashPage, StoreError> {
        let owner = self.with_trash_leak(owner);
        let at = if self.is(Defect::TrashIsForEver) {
            Timestamp::from_micros(0).unwrap()
        } else {
            at
        };
        let mut page = self.model.trash(owner, after, limit, at).await?;
        if self.is(Defect::TrashGoesById) {
            page.tasks
                .sort_by_key(|deleted| std::cmp::Reverse(deleted.task.id));
        }
        Ok(page)
    }

    async fn restore(
        &self,
        owner: UserId,
        id: TaskId,
        most: u32,
        at: Timestamp,
    ) -> Result<Restored, StoreError> {
        let most = if self.is(Defect::RestoresBeyondQuota) {
            u32::MAX
        } else {
            most
        };
        let place = self.place(owner, id);
        let restored = self.model.restore(owner, id, most, at).await?;
        self.keep_place(Defect::RestoresUntold, owner, id, place);
        Ok(match restored {
            Restored::Task(mut task) if self.is(Defect::RestoresWithoutVersion) => {
                task.version -= 1;
                self.model.with(|state| {
                    let account = state.accounts.get_mut(&owner)?;
                    account.tasks.insert(id, task.clone())
                });
                Restored::Task(task)
            }
            other => other,
        })
    }

    async fn erase(&self, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, StoreError> {
        let kept = self.model.with(|state| {
            let account = state.accounts.get(&owner)?;
            account.trashed(id, at)
        });
        let erased = self.model.erase(owner, id, at).await?;
        if let Some(deleted) = kept.filter(|_| self.is(Defect::ErasesNothing)) {
            self.model.with(|state| {
                let account = state.accounts.get_mut(&owner)?;
                account.deleted.insert(id, deleted)
            });
        }
        Ok(erased)
    }

    async fn purge(&self, owner: UserId, most: u32, at: Timestamp) -> Result<u64, StoreError> {
        let most = if self.is(Defect::PurgesAllAtOnce) {
            u32::MAX
        } else {
            most
        };
        self.model.purge(owner, most, at).await
    }
}

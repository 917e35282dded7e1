//! Which tasks a list shows, and in which order.

use std::cmp::Ordering;

use uuid::Uuid;

use crate::fault::Fault;
use crate::id::TaskId;
use crate::task::{Due, Priority, Task};
use crate::text::{check_controls, check_length, fold};
use crate::time::Timestamp;

/// The most tasks on a page, and the default.
pub const PAGE_MAX: u32 = 1000;
/// The highest offset.
pub const OFFSET_MAX: u32 = 100_000;
/// The most characters of a search.
pub const SEARCH_MAX_CHARS: usize = 200;

/// Which tasks: all conditions hold at once; an empty one does not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// Only done or only open ones.
    pub completed: Option<bool>,
    /// Only these priorities.
    pub priorities: Vec<Priority>,
    /// Only tasks with one of these tags; folded.
    pub tag_keys: Vec<String>,
    /// Every one of these occurs in title or description; folded.
    pub words: Vec<String>,
    /// Due earlier than this.
    pub due_before: Option<Timestamp>,
    /// Due later than this.
    pub due_after: Option<Timestamp>,
}

impl TaskFilter {
    /// The words of a search text.
    pub fn words(text: &str) -> Result<Vec<String>, Fault> {
        check_controls(text)?;
        check_length(text, 0, SEARCH_MAX_CHARS)?;
        let mut words: Vec<String> = text.split_whitespace().map(fold).collect();
        words.sort();
        words.dedup();
        Ok(words)
    }

    /// The bound of "due before": the start of a day, or the time itself.
    pub fn before(bound: Due) -> Timestamp {
        bound.position()
    }

    /// The bound of "due after": the last moment of a day, or the time itself.
    pub fn after(bound: Due) -> Timestamp {
        match bound {
            Due::Date(day) => {
                Timestamp::midnight(day).plus(std::time::Duration::from_micros(86_400_000_000 - 1))
            }
            Due::DateTime(time) => time,
        }
    }

    /// Whether a task is shown. The specification of the adapters' conditions.
    pub fn matches(&self, task: &Task) -> bool {
        let title = task.title.folded();
        let description = task
            .description
            .as_ref()
            .map(crate::task::Description::folded)
            .unwrap_or_default();
        let position = task.due.map(Due::position);
        self.completed.is_none_or(|c| c == task.is_completed())
            && (self.priorities.is_empty() || self.priorities.contains(&task.priority))
            && (self.tag_keys.is_empty() || task.tags.keys().any(|k| self.tag_keys.contains(&k)))
            && self
                .words
                .iter()
                .all(|w| title.contains(w) || description.contains(w))
            && self
                .due_before
                .is_none_or(|bound| position.is_some_and(|p| p < bound))
            && self
                .due_after
                .is_none_or(|bound| position.is_some_and(|p| p > bound))
    }
}

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortKey {
    /// When they were made; never changes, so its pages need no memory.
    #[default]
    CreatedAt,
    /// When they last changed.
    UpdatedAt,
    /// Folded title, code point by code point.
    Title,
    /// Due date; tasks without one come last in either direction.
    DueDate,
    /// Priority.
    Priority,
}

/// An order: by a key, then by id, both in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Largest first.
    pub descending: bool,
}

impl Default for Sort {
    /// Newest first.
    fn default() -> Self {
        Self {
            key: SortKey::CreatedAt,
            descending: true,
        }
    }
}

impl Sort {
    /// Orders two tasks. The specification of the adapters' `ORDER BY`.
    pub fn compare(self, a: &Task, b: &Task) -> Ordering {
        let directed = |o: Ordering| if self.descending { o.reverse() } else { o };
        let by_key = match self.key {
            SortKey::CreatedAt => directed(a.created_at.cmp(&b.created_at)),
            SortKey::UpdatedAt => directed(a.updated_at.cmp(&b.updated_at)),
            SortKey::Title => directed(a.title.folded().cmp(&b.title.folded())),
            SortKey::Priority => directed(a.priority.cmp(&b.priority)),
            SortKey::DueDate => match (a.due.map(Due::position), b.due.map(Due::position)) {
                (Some(x), Some(y)) => directed(x.cmp(&y)),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            },
        };
        by_key.then_with(|| directed(a.id.cmp(&b.id)))
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStart {
    /// After so many tasks; 0 is the beginning.
    Offset(u32),
    /// Behind this task in the order by creation, which stays where it is.
    After {
        /// The last task's creation.
        created_at: Timestamp,
        /// The last task's id.
        id: TaskId,
    },
    /// So far into a remembered walk: the ids in their order as they stood when the first page was read. Every
    /// other order changes under a reader's feet, and a task could be missed or come twice.
    Walk {
        /// The walk.
        id: Uuid,
        /// How many of its ids are behind.
        offset: u32,
    },
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskQuery {
    /// Which tasks.
    pub filter: TaskFilter,
    /// In which order.
    pub sort: Sort,
    /// Where the page begins.
    pub start: PageStart,
    /// The most tasks on it, 1 to [`PAGE_MAX`].
    pub limit: u32,
    /// Whether to count all tasks that the filter lets through.
    pub count: bool,
}

/// The answer to a [`TaskQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPage {
    /// In order.
    pub tasks: Vec<Task>,
    /// Where the next page begins, if there is more.
    pub next: Option<PageStart>,
    /// All tasks that the filter lets through, if asked for.
    pub total: Option<u64>,
    /// The owner's change counter when the tasks were read: as long as it stays, so does the page.
    pub changes: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UserId;
    use crate::task::{NewTask, Tags, Title};

    fn task(id: i64, title: &str, due: Option<&str>) -> Task {
        let new = NewTask {
            title: Title::parse(title).unwrap(),
            description: None,
            priority: Priority::Medium,
            due: due.map(|d| Due::parse(d).unwrap()),
            tags: Tags::from_items(["Work"]).unwrap(),
            time_zone: None,
            recurrence: None,
            completed: false,
        };
        Task::new(UserId(1), TaskId(id), new, Timestamp::from_micros(0).unwrap())
    }

    fn order(key: SortKey, descending: bool, mut tasks: Vec<Task>) -> Vec<i64> {
        tasks.sort_by(|a, b| Sort { key, descending }.compare(a, b));
        tasks.iter().map(|t| t.id.0).collect()
    }

    #[test]
    fn no_due_date_comes_last_either_way() {
        let all = || {
            vec![
                task(1, "a", None),
                task(2, "b", Some("2026-01-02")),
                task(3, "c", Some("2026-01-01")),
                task(4, "d", None),
            ]
        };
        assert_eq!(order(SortKey::DueDate, false, all()), [3, 2, 1, 4]);
        assert_eq!(order(SortKey::DueDate, true, all()), [2, 3, 4, 1]);
    }

    #[test]
    fn titles_fold() {
        let all = || {
            vec![
                task(1, "banana", None),
                task(2, "Äpfel", None),
                task(3, "Apple", None),
                task(4, "apple", None),
            ]
        };
        assert_eq!(order(SortKey::Title, false, all()), [3, 4, 1, 2]);
    }

    #[test]
    fn search_is_literal_and_knows_unicode() {
        let t = task(1, "100% Straße_x", None);
        let finds = |q: &str| {
            TaskFilter {
                words: TaskFilter::words(q).unwrap(),
                ..TaskFilter::default()
            }
            .matches(&t)
        };
        assert!(finds("STRASSE 100%") && finds("") && finds("_"));
        assert!(!finds("100_") && !finds("strasse y"));
    }

    #[test]
    fn day_bounds_exclude_the_whole_day() {
        let day = Due::parse("2026-01-02").unwrap();
        let shown = |due: &str, filter: TaskFilter| filter.matches(&task(1, "a", Some(due)));
        let after = || TaskFilter {
            due_after: Some(TaskFilter::after(day)),
            ..TaskFilter::default()
        };
        let before = || TaskFilter {
            due_before: Some(TaskFilter::before(day)),
            ..TaskFilter::default()
        };
        assert!(
            !shown("2026-01-02", after())
                && !shown("2026-01-02T23:59:59Z", after())
                && shown("2026-01-03", after())
        );
        assert!(!shown("2026-01-02", before()) && shown("2026-01-01T23:59:59Z", before()));
        assert!(!after().matches(&task(1, "a", None)));
    }
}

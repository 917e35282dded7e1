//! Tasks: what they hold and how they change.

mod due;
mod expected;
mod priority;
mod recurrence;
mod tags;
mod title;

pub use due::Due;
pub use expected::Expected;
pub use priority::Priority;
pub use recurrence::{
    COUNT_MAX, Day, End, Frequency, INTERVAL_MAX, LIST_MAX, Next, RULE_MAX_CHARS, RecurrenceFrom, Rule,
    Series, TIME_ZONE_MAX_CHARS, TimeZone, WEEKDAYS_MAX,
};
pub use tags::{TAG_MAX_CHARS, TAGS_MAX, Tags};
pub use title::{DESCRIPTION_MAX_CHARS, Description, TITLE_MAX_CHARS, Title};

use crate::id::{TaskId, UserId};
use crate::time::Timestamp;

/// A task of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Unique among its owner's tasks, never given twice.
    pub id: TaskId,
    /// Whose it is.
    pub owner: UserId,
    /// What is to be done.
    pub title: Title,
    /// More about it.
    pub description: Option<Description>,
    /// How urgent.
    pub priority: Priority,
    /// By when.
    pub due: Option<Due>,
    /// Labels.
    pub tags: Tags,
    /// When it was done; `None` while it is open.
    pub completed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// What a new task is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// See [`Task::title`].
    pub title: Title,
    /// See [`Task::description`].
    pub description: Option<Description>,
    /// See [`Task::priority`].
    pub priority: Priority,
    /// See [`Task::due`].
    pub due: Option<Due>,
    /// See [`Task::tags`].
    pub tags: Tags,
    /// Whether it is done from the start.
    pub completed: bool,
}

/// What is to become of a task's completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Done or open, whatever it was.
    Set(bool),
    /// The other one. Not safe to repeat; clients that can should set.
    Toggle,
}

/// A change of a task: fields that are `None` stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskChange {
    /// A new title.
    pub title: Option<Title>,
    /// A new description, or none any more.
    pub description: Option<Option<Description>>,
    /// A new priority.
    pub priority: Option<Priority>,
    /// A new due date, or none any more.
    pub due: Option<Option<Due>>,
    /// New tags in place of the old.
    pub tags: Option<Tags>,
    /// Done, open, or the other one.
    pub completion: Option<Completion>,
}

impl TaskChange {
    /// Nothing but a completion.
    pub fn completing(completion: Completion) -> Self {
        Self {
            completion: Some(completion),
            ..Self::default()
        }
    }
}

impl Task {
    /// A new task as it stands right after its creation.
    pub fn new(owner: UserId, id: TaskId, new: NewTask, now: Timestamp) -> Self {
        let NewTask {
            title,
            description,
            priority,
            due,
            tags,
            completed,
        } = new;
        Self {
            id,
            owner,
            title,
            description,
            priority,
            due,
            tags,
            completed_at: completed.then_some(now),
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Applies a change. Fields that already have their new value do not count: without any other nothing
    /// moves, `version` and `updated_at` included. Says whether something moved.
    ///
    /// This is the specification of `TaskStore::change_if`; an adapter may do it in one statement.
    pub fn apply(&mut self, change: &TaskChange, now: Timestamp) -> bool {
        let mut next = self.clone();
        // Destructured, so that a new field cannot be forgotten.
        let TaskChange {
            title,
            description,
            priority,
            due,
            tags,
            completion,
        } = change.clone();
        next.title = title.unwrap_or(next.title);
        next.description = description.unwrap_or(next.description);
        next.priority = priority.unwrap_or(next.priority);
        next.due = due.unwrap_or(next.due);
        next.tags = tags.unwrap_or(next.tags);
        let completed = match completion {
            None => self.is_completed(),
            Some(Completion::Set(completed)) => completed,
            Some(Completion::Toggle) => !self.is_completed(),
        };
        next.completed_at = completed.then(|| self.completed_at.unwrap_or(now));
        if next == *self {
            return false;
        }
        next.version += 1;
        next.updated_at = now.following(self.updated_at);
        *self = next;
        true
    }

    /// Comes back from the trash: everything is as it was, but that this is a change.
    pub fn restore(&mut self, now: Timestamp) {
        self.version += 1;
        self.updated_at = now.following(self.updated_at);
    }

    /// Whether it is done.
    pub fn is_completed(&self) -> bool {
        self.completed_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    fn task() -> Task {
        let new = NewTask {
            title: Title::parse("milk").unwrap(),
            description: None,
            priority: Priority::default(),
            due: None,
            tags: Tags::default(),
            completed: false,
        };
        Task::new(UserId(1), TaskId(1), new, at(1))
    }

    #[test]
    fn the_same_values_change_nothing() {
        let mut t = task();
        let before = t.clone();
        let same = TaskChange {
            title: Some(t.title.clone()),
            description: Some(None),
            completion: Some(Completion::Set(false)),
            ..TaskChange::default()
        };
        assert!(!t.apply(&same, at(9)));
        assert_eq!(t, before);
    }

    #[test]
    fn a_change_moves_version_and_time() {
        let mut t = task();
        assert!(t.apply(
            &TaskChange {
                priority: Some(Priority::High),
                ..TaskChange::default()
            },
            at(9)
        ));
        assert_eq!((t.version, t.updated_at, t.created_at), (2, at(9), at(1)));
        assert!(t.apply(
            &TaskChange {
                priority: Some(Priority::Low),
                ..TaskChange::default()
            },
            at(5)
        ));
        assert!(t.updated_at > at(9), "time never goes back");
    }

    #[test]
    fn what_comes_back_differs_in_version_and_time_alone() {
        let mut t = task();
        let before = t.clone();
        t.restore(at(9));
        assert_eq!((t.version, t.updated_at), (2, at(9)));
        t.restore(at(5));
        assert!(t.version == 3 && t.updated_at > at(9), "time never goes back");
        let as_before = Task {
            version: before.version,
            updated_at: before.updated_at,
            ..t
        };
        assert_eq!(as_before, before);
    }

    #[test]
    fn completion_is_set_or_toggled() {
        let mut t = task();
        assert!(t.apply(&TaskChange::completing(Completion::Toggle), at(2)));
        assert_eq!(t.completed_at, Some(at(2)));
        assert!(!t.apply(&TaskChange::completing(Completion::Set(true)), at(3)));
        assert_eq!(t.completed_at, Some(at(2)), "done once");
        assert!(t.apply(&TaskChange::completing(Completion::Toggle), at(4)));
        assert_eq!((t.completed_at, t.version), (None, 3));
    }
}

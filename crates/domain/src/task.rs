//! Tasks: what they hold and how they change.

mod board;
mod due;
mod expected;
mod priority;
mod recurrence;
mod tags;
mod title;

pub use board::{Board, Fate, Outcome, Piece, Refusal, TEXT_MAX};
pub use due::Due;
pub use expected::Expected;
pub use priority::Priority;
pub use recurrence::{
    COUNT_MAX, Day, End, Frequency, HandedOn, INTERVAL_MAX, LIST_MAX, Next, RULE_MAX_CHARS, Recurrence,
    RecurrenceFrom, Recurrences, Rule, Series, TIME_ZONE_MAX_CHARS, TimeZone, WEEKDAYS_MAX,
};
pub use tags::{TAG_MAX_CHARS, TAGS_MAX, Tags};
pub use title::{DESCRIPTION_MAX_CHARS, Description, TITLE_MAX_CHARS, Title};

use crate::fault::{Fault, FieldFault};
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
    /// Where a due time keeps its time of day when the task repeats.
    pub time_zone: Option<TimeZone>,
    /// Labels.
    pub tags: Tags,
    /// How it repeats. One that is done does not.
    pub recurrence: Option<Recurrence>,
    /// What it gave on when it was done. Open again it remembers that, if the successor has kept it.
    pub handed_on: Option<HandedOn>,
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
    /// See [`Task::time_zone`].
    pub time_zone: Option<TimeZone>,
    /// See [`Task::tags`].
    pub tags: Tags,
    /// See [`Task::recurrence`].
    pub recurrence: Option<Recurrence>,
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
    /// A new zone, or none any more.
    pub time_zone: Option<Option<TimeZone>>,
    /// New tags in place of the old.
    pub tags: Option<Tags>,
    /// A new rule, or none any more.
    pub rule: Option<Option<Rule>>,
    /// What is counted from, if it repeats.
    pub recurrence_from: Option<RecurrenceFrom>,
    /// Done, open, or the other one.
    pub completion: Option<Completion>,
}

impl NewTask {
    /// What is wrong with its fields together.
    pub fn check(&self, calendar: &dyn Recurrences) -> Result<(), Vec<FieldFault>> {
        if let Some(recurrence) = &self.recurrence {
            if self.completed {
                return Err(vec![is_done()]);
            }
            return check_series(recurrence, self.due, self.time_zone.as_ref(), calendar);
        }
        check_zone(self.time_zone.as_ref(), calendar)
    }
}

/// One of the things that a batch can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Makes a task.
    Create(NewTask),
    /// Changes the task of this id, if its version is an expected one.
    Change(TaskId, Expected, TaskChange),
    /// Moves the task of this id to the trash, if its version is an expected one.
    Delete(TaskId, Expected),
}

impl TaskChange {
    /// Nothing but a completion.
    pub fn completing(completion: Completion) -> Self {
        Self {
            completion: Some(completion),
            ..Self::default()
        }
    }

    /// What is wrong with it, whatever task it is for.
    pub fn check(&self, calendar: &dyn Recurrences) -> Result<(), Vec<FieldFault>> {
        let zone = self.time_zone.as_ref().and_then(Option::as_ref);
        if let (Some(Some(rule)), Some(due)) = (&self.rule, self.due) {
            let from = self.recurrence_from.unwrap_or_default();
            return check_series(&Recurrence::new(rule.clone(), from), due, zone, calendar);
        }
        check_zone(zone, calendar)
    }

    /// Whether it would be another one for a task that repeats, or that has given its recurrence on.
    pub fn concerns_series(&self) -> bool {
        self.due.is_some()
            || self.time_zone.is_some()
            || self.rule.is_some()
            || self.recurrence_from.is_some()
            || self.completion.is_some()
    }
}

/// What became of the task that follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follower {
    /// It was deleted.
    Gone,
    /// It was changed or restored: it goes its own way.
    Touched,
    /// It is as it was made.
    Untouched,
}

/// What a change does, beside changing the task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Whether something moved.
    pub changed: bool,
    /// The task that follows the one that was completed. Its id belongs into [`Task::handed_on`].
    pub successor: Option<NewTask>,
    /// The successor that goes, because the task that it followed is open again.
    pub taken_back: Option<TaskId>,
}

impl Task {
    /// A new task as it stands right after its creation.
    pub fn new(owner: UserId, id: TaskId, new: NewTask, now: Timestamp) -> Self {
        let NewTask {
            title,
            description,
            priority,
            due,
            time_zone,
            tags,
            recurrence,
            completed,
        } = new;
        Self {
            id,
            owner,
            title,
            description,
            priority,
            due,
            time_zone,
            tags,
            recurrence,
            handed_on: None,
            completed_at: completed.then_some(now),
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Applies a change. Fields that already have their new value do not count: without any other nothing
    /// moves, `version` and `updated_at` included.
    ///
    /// A task that repeats and is completed gives its recurrence on to a successor, if its series goes on. Opened
    /// again it takes both back, if its `follower` is untouched; otherwise that one has the series.
    ///
    /// This is the specification of `TaskStore::change_if`; an adapter may do it in one statement where no series
    /// is concerned.
    pub fn apply(
        &mut self,
        change: &TaskChange,
        now: Timestamp,
        calendar: &dyn Recurrences,
        follower: impl Fn(TaskId) -> Follower,
    ) -> Result<Applied, Vec<FieldFault>> {
        let mut next = self.clone();
        // Destructured, so that a new field cannot be forgotten.
        let TaskChange {
            title,
            description,
            priority,
            due,
            time_zone,
            tags,
            rule,
            recurrence_from,
            completion,
        } = change.clone();
        next.title = title.unwrap_or(next.title);
        next.description = description.unwrap_or(next.description);
        next.priority = priority.unwrap_or(next.priority);
        next.due = due.unwrap_or(next.due);
        next.time_zone = time_zone.unwrap_or(next.time_zone);
        next.tags = tags.unwrap_or(next.tags);
        let completed = match completion {
            None => self.is_completed(),
            Some(Completion::Set(completed)) => completed,
            Some(Completion::Toggle) => !self.is_completed(),
        };
        next.completed_at = completed.then(|| self.completed_at.unwrap_or(now));

        let given_on = self.handed_on.as_ref().map(|given| &given.recurrence.rule);
        let another = matches!(&rule, Some(Some(rule)) if Some(rule) != given_on);
        let reopened = self.is_completed() && !completed;
        let taken_back = if reopened {
            next.take_back(calendar, another, &follower)
        } else {
            None
        };
        next.repeat(self, rule, recurrence_from, &follower)?;
        if let Some(recurrence) = &next.recurrence
            && (&next.recurrence, next.due, &next.time_zone) != (&self.recurrence, self.due, &self.time_zone)
        {
            check_series(recurrence, next.due, next.time_zone.as_ref(), calendar)?;
        }
        let successor = match next.completed_at {
            Some(at) if !self.is_completed() => next.hand_on(at, calendar),
            _ => None,
        };
        let changed = next != *self;
        if changed {
            next.version += 1;
            next.updated_at = now.following(self.updated_at);
            *self = next;
        }
        Ok(Applied {
            changed,
            successor,
            taken_back,
        })
    }

    /// Repeats again, unless it no longer can or the successor goes its own way; the successor, if there is one
    /// to be taken back. Whether the rule fits is of no matter if `another` takes its place.
    fn take_back(
        &mut self,
        calendar: &dyn Recurrences,
        another: bool,
        follower: &impl Fn(TaskId) -> Follower,
    ) -> Option<TaskId> {
        let given = self.handed_on.take()?;
        let HandedOn {
            recurrence,
            successor,
        } = given.clone();
        let is_untouched = |id| follower(id) == Follower::Untouched;
        let fits = || check_series(&recurrence, self.due, self.time_zone.as_ref(), calendar).is_ok();
        if !(another || fits()) || !successor.is_none_or(is_untouched) {
            self.handed_on = successor.is_some().then_some(given);
            return None;
        }
        self.recurrence = Some(recurrence);
        successor
    }

    /// Takes what a change says of the recurrence, for a task that was `before`.
    #[expect(
        clippy::option_option,
        reason = "absent, none and a rule are three things, as in a TaskChange"
    )]
    fn repeat(
        &mut self,
        before: &Self,
        rule: Option<Option<Rule>>,
        from: Option<RecurrenceFrom>,
        follower: &impl Fn(TaskId) -> Follower,
    ) -> Result<(), Vec<FieldFault>> {
        let known = before.recurrence.as_ref().map(|recurrence| &recurrence.rule);
        // Somebody has it: it is given on for good, or it was taken back a moment ago.
        let given_on = before.handed_on.as_ref().filter(|given| {
            let is_there = |id| follower(id) != Follower::Gone;
            before.is_completed() && given.successor.is_none() || given.successor.is_some_and(is_there)
        });
        let given_on = given_on.map(|given| &given.recurrence.rule);
        let done = before.is_completed() && self.is_completed();
        match rule {
            // What a client knew of a task is no wish of another recurrence: as it is, or as it was before it was
            // completed. That one is taken back by now, or its successor has it.
            Some(rule) if rule.as_ref() == known || (rule.is_some() && rule.as_ref() == given_on) => {}
            Some(Some(_)) if done => return Err(vec![is_done()]),
            Some(rule) => {
                self.handed_on = None;
                let last = self.recurrence.take();
                let from = last.as_ref().map(|last| last.from).unwrap_or_default();
                let meant = last.and_then(|last| last.meant);
                self.recurrence = rule.map(|rule| Recurrence { rule, from, meant });
            }
            None => {}
        }
        if let (Some(recurrence), Some(from)) = (&mut self.recurrence, from) {
            recurrence.from = from;
        }
        Ok(())
    }

    /// Repeats no more; what follows does.
    fn hand_on(&mut self, completed_at: Timestamp, calendar: &dyn Recurrences) -> Option<NewTask> {
        let recurrence = self.recurrence.take()?;
        let next = self.due.and_then(|due| {
            let series = series(&recurrence, due, self.time_zone.as_ref());
            calendar.next(&series, completed_at)
        });
        let from = recurrence.from;
        self.handed_on = Some(HandedOn {
            recurrence,
            successor: None,
        });
        next.map(|Next { due, rule, meant }| NewTask {
            title: self.title.clone(),
            description: self.description.clone(),
            priority: self.priority,
            due: Some(due),
            time_zone: self.time_zone.clone(),
            tags: self.tags.clone(),
            recurrence: Some(Recurrence { rule, from, meant }),
            completed: false,
        })
    }

    /// Comes back from the trash: everything is as it was, but that this is a change.
    pub fn restore(&mut self, now: Timestamp) {
        self.version += 1;
        self.updated_at = now.following(self.updated_at);
    }

    /// What is left of it when it is erased from the trash at `at`: what an earlier version of errand can read.
    #[must_use]
    pub fn erased(self, at: Timestamp) -> Self {
        let new = NewTask {
            title: Title::erased(),
            description: None,
            priority: Priority::Medium,
            due: None,
            time_zone: None,
            tags: Tags::default(),
            recurrence: None,
            completed: false,
        };
        Self {
            version: self.version + 1,
            ..Self::new(self.owner, self.id, new, at)
        }
    }

    /// The bytes of what somebody has written into it.
    pub fn text_bytes(&self) -> usize {
        let description = self.description.as_ref().map_or(0, |text| text.as_str().len());
        let tags = self.tags.as_slice().iter().map(String::len).sum::<usize>();
        self.title.as_str().len() + description + tags
    }

    /// Whether it is done.
    pub fn is_completed(&self) -> bool {
        self.completed_at.is_some()
    }
}

fn series(recurrence: &Recurrence, due: Due, zone: Option<&TimeZone>) -> Series {
    let Recurrence { rule, from, meant } = recurrence.clone();
    Series {
        rule,
        from,
        due,
        meant,
        zone: zone.cloned(),
    }
}

fn check_series(
    recurrence: &Recurrence,
    due: Option<Due>,
    zone: Option<&TimeZone>,
    calendar: &dyn Recurrences,
) -> Result<(), Vec<FieldFault>> {
    match due {
        Some(due) => calendar.check(&series(recurrence, due, zone)),
        None => recurrence
            .rule
            .fits(None)
            .map_err(|fault| vec![FieldFault::new("recurrence", fault)]),
    }
}

fn check_zone(zone: Option<&TimeZone>, calendar: &dyn Recurrences) -> Result<(), Vec<FieldFault>> {
    if zone.is_none_or(|zone| calendar.knows(zone)) {
        return Ok(());
    }
    Err(vec![FieldFault::new("time_zone", TimeZone::unknown())])
}

fn is_done() -> FieldFault {
    let fault = Fault::new("task-is-completed", "cannot be given to a task that is completed");
    FieldFault::new("recurrence", fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    fn task() -> Task {
        Task::new(UserId(1), TaskId(1), new(), at(1))
    }

    fn new() -> NewTask {
        NewTask {
            title: Title::parse("milk").unwrap(),
            description: None,
            priority: Priority::default(),
            due: None,
            time_zone: None,
            tags: Tags::default(),
            recurrence: None,
            completed: false,
        }
    }

    /// A change of a task that follows nobody and that nobody follows.
    fn applied(task: &mut Task, change: &TaskChange, now: Timestamp) -> bool {
        task.apply(change, now, &Daily, |_| unreachable!())
            .unwrap()
            .changed
    }

    fn completing(completed: bool) -> TaskChange {
        TaskChange::completing(Completion::Set(completed))
    }

    fn repeating(rule: &str, due: &str) -> Task {
        let new = NewTask {
            due: Some(Due::parse(due).unwrap()),
            recurrence: Some(Recurrence::new(
                Rule::parse(rule).unwrap(),
                RecurrenceFrom::Completion,
            )),
            ..new()
        };
        Task::new(UserId(1), TaskId(1), new, at(1))
    }

    /// Adds a day, whatever the rule, and knows UTC alone.
    pub(super) struct Daily;

    impl Recurrences for Daily {
        fn knows(&self, zone: &TimeZone) -> bool {
            zone.as_str() == "UTC"
        }

        fn check(&self, series: &Series) -> Result<(), Vec<FieldFault>> {
            let fits = series.rule.fits(Some(series.due));
            fits.map_err(|fault| vec![FieldFault::new("recurrence", fault)])
        }

        fn next(&self, series: &Series, _: Timestamp) -> Option<Next> {
            let day = std::time::Duration::from_hours(24);
            let position = series.due.position().plus(day);
            Some(Next {
                due: Due::from_position(position, series.due.is_date()),
                rule: series.rule.following()?,
                meant: series.meant,
            })
        }
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
        assert!(!applied(&mut t, &same, at(9)));
        assert_eq!(t, before);
    }

    #[test]
    fn a_change_moves_version_and_time() {
        let mut t = task();
        assert!(applied(
            &mut t,
            &TaskChange {
                priority: Some(Priority::High),
                ..TaskChange::default()
            },
            at(9)
        ));
        assert_eq!((t.version, t.updated_at, t.created_at), (2, at(9), at(1)));
        assert!(applied(
            &mut t,
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
        assert!(applied(
            &mut t,
            &TaskChange::completing(Completion::Toggle),
            at(2)
        ));
        assert_eq!(t.completed_at, Some(at(2)));
        assert!(!applied(
            &mut t,
            &TaskChange::completing(Completion::Set(true)),
            at(3)
        ));
        assert_eq!(t.completed_at, Some(at(2)), "done once");
        assert!(applied(
            &mut t,
            &TaskChange::completing(Completion::Toggle),
            at(4)
        ));
        assert_eq!((t.completed_at, t.version), (None, 3));
    }

    #[test]
    fn a_series_goes_on_in_a_successor() {
        let mut t = repeating("FREQ=DAILY;COUNT=2", "2026-03-01");
        let before = t.clone();
        let done = t
            .apply(&completing(true), at(5), &Daily, |_| Follower::Touched)
            .unwrap();
        let successor = done.successor.unwrap();
        assert_eq!(t.recurrence, None, "the completed task keeps none");
        assert_eq!(successor.due, Some(Due::parse("2026-03-02").unwrap()));
        let given = successor.recurrence.clone().unwrap();
        assert_eq!(
            (given.rule.to_string().as_str(), given.from),
            ("FREQ=DAILY;COUNT=1", RecurrenceFrom::Completion)
        );
        let again = t
            .apply(&completing(true), at(6), &Daily, |_| Follower::Touched)
            .unwrap();
        assert_eq!(again, Applied::default(), "done once");

        let mut last = Task::new(UserId(1), TaskId(2), successor, at(5));
        let end = last
            .apply(&completing(true), at(7), &Daily, |_| Follower::Touched)
            .unwrap();
        assert!(end.changed && end.successor.is_none());
        let undone = last.apply(&completing(false), at(8), &Daily, |_| unreachable!());
        assert_eq!(undone.unwrap().taken_back, None);
        assert!(last.recurrence.is_some(), "the last one repeats again as well");

        t.handed_on.as_mut().unwrap().successor = Some(TaskId(2));
        let t_given = t.handed_on.clone();
        let mut other = t.clone();
        let undone = t
            .apply(&completing(false), at(9), &Daily, |_| Follower::Untouched)
            .unwrap();
        assert_eq!(undone.taken_back, Some(TaskId(2)));
        assert_eq!((&t.recurrence, &t.handed_on), (&before.recurrence, &None));
        let undone = other
            .apply(&completing(false), at(9), &Daily, |_| Follower::Touched)
            .unwrap();
        assert_eq!(undone.taken_back, None, "somebody touched it");
        assert_eq!((&other.recurrence, &other.handed_on), (&None, &t_given));
    }

    #[test]
    fn a_whole_task_sent_back_wishes_for_nothing_new() {
        let rule = Rule::parse("daily").unwrap();
        let whole = |rule, completed| TaskChange {
            rule: Some(rule),
            ..completing(completed)
        };
        let mut t = repeating("daily", "2026-03-01");
        t.apply(&whole(Some(rule.clone()), true), at(5), &Daily, |_| {
            Follower::Touched
        })
        .unwrap();
        t.handed_on.as_mut().unwrap().successor = Some(TaskId(2));
        let after = t.clone();
        let again = t.apply(&whole(Some(rule.clone()), true), at(6), &Daily, |_| {
            Follower::Touched
        });
        assert_eq!(again, Ok(Applied::default()), "the same write once more");
        let weekly = Rule::parse("weekly").unwrap();
        let other = t.apply(&whole(Some(weekly), true), at(6), &Daily, |_| Follower::Touched);
        assert_eq!(other.unwrap_err()[0].fault.code, "task-is-completed");
        assert_eq!(t, after);
        // The client knew the task as it was before, and the successor has its rule.
        let mut other = t.clone();
        let undone = other.apply(&whole(Some(rule.clone()), false), at(7), &Daily, |_| {
            Follower::Touched
        });
        assert_eq!(undone.unwrap().taken_back, None);
        assert_eq!(other.recurrence, None, "one open task in a series");
        let open = other.clone();
        let again = other.apply(&whole(Some(rule.clone()), false), at(8), &Daily, |_| {
            Follower::Touched
        });
        assert_eq!(again, Ok(Applied::default()), "nor with the same write once more");
        assert_eq!(other, open);
        let anew = other.apply(&whole(Some(rule.clone()), false), at(8), &Daily, |_| {
            Follower::Gone
        });
        assert!(
            anew.unwrap().changed,
            "when nobody has it any more it can begin anew"
        );
        assert_eq!((other.recurrence.is_some(), other.handed_on), (true, None));
        // It comes with a rule of its own: the untouched successor of the old one goes.
        let mut another = t.clone();
        let own = TaskChange {
            due: Some(Some(Due::parse("2026-03-05T10:00:00Z").unwrap())),
            ..whole(Rule::parse("FREQ=DAILY;UNTIL=20270101T000000Z").ok(), false)
        };
        let undone = another
            .apply(&own, at(7), &Daily, |_| Follower::Untouched)
            .unwrap();
        assert_eq!(undone.taken_back, Some(TaskId(2)));
        assert_eq!(another.recurrence.map(|given| Some(given.rule)), own.rule);
        // The client knew the completed task, which has no recurrence.
        t.apply(&whole(None, false), at(7), &Daily, |_| Follower::Untouched)
            .unwrap();
        assert_eq!(t.recurrence.unwrap().rule, rule);
    }

    #[test]
    fn a_recurrence_fits_its_task() {
        let fault = |t: &mut Task, change| {
            let faults = t
                .apply(&change, at(5), &Daily, |_| Follower::Untouched)
                .unwrap_err();
            (faults[0].field.clone(), faults[0].fault.code)
        };
        let without_due = TaskChange {
            due: Some(None),
            ..TaskChange::default()
        };
        let mut t = repeating("FREQ=DAILY;UNTIL=20260401", "2026-03-01");
        assert_eq!(
            fault(&mut t, without_due.clone()),
            ("recurrence".into(), "needs-due-date")
        );
        let time = TaskChange {
            due: Some(Some(Due::parse("2026-03-01T10:00:00Z").unwrap())),
            ..TaskChange::default()
        };
        assert_eq!(fault(&mut t, time), ("recurrence".into(), "invalid-recurrence"));
        // Nothing to fit any more: the undo goes without it.
        t.apply(&completing(true), at(6), &Daily, |_| Follower::Untouched)
            .unwrap();
        t.apply(&without_due, at(7), &Daily, |_| Follower::Untouched)
            .unwrap();
        let undone = t
            .apply(&completing(false), at(8), &Daily, |_| Follower::Untouched)
            .unwrap();
        assert_eq!((undone.taken_back, &t.recurrence), (None, &None));

        // Sent together they can be judged without the task.
        let together = TaskChange {
            rule: Some(Rule::parse("daily").ok()),
            ..without_due.clone()
        };
        assert_eq!(
            together.check(&Daily).unwrap_err()[0].fault.code,
            "needs-due-date"
        );
        let zone = |name| Some(TimeZone::parse(name).unwrap());
        let mut new = NewTask {
            time_zone: zone("Nowhere/Land"),
            ..new()
        };
        assert_eq!(new.check(&Daily).unwrap_err()[0].field, "time_zone");
        new.time_zone = zone("UTC");
        assert_eq!(new.check(&Daily), Ok(()));
        new.recurrence = repeating("daily", "2026-03-01").recurrence;
        assert_eq!(new.check(&Daily).unwrap_err()[0].fault.code, "needs-due-date");
        new.due = Some(Due::parse("2026-03-01").unwrap());
        assert_eq!(new.check(&Daily), Ok(()));
        new.completed = true;
        assert_eq!(new.check(&Daily).unwrap_err()[0].fault.code, "task-is-completed");
    }
}

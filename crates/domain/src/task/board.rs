//! Several operations on one owner's tasks, one after the other, in memory.

use std::collections::BTreeMap;

use super::{Applied, Expected, Follower, HandedOn, NewTask, Operation, Recurrences, Task, TaskChange};
use crate::fault::FieldFault;
use crate::id::{TaskId, UserId};
use crate::time::Timestamp;

/// What an operation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The task as it is after it.
    Task(Box<Task>),
    /// This one is in the trash now.
    Deleted(TaskId),
}

impl Outcome {
    /// A task.
    pub fn task(task: Task) -> Self {
        Self::Task(Box::new(task))
    }
}

/// Why an operation was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such task.
    Absent,
    /// It has another version.
    Stale,
    /// The owner has as many tasks as may be.
    Full,
    /// It would not be a task any more.
    Invalid(Vec<FieldFault>),
    /// With those before it, it is more than may be done together.
    TooMuch,
}

/// The most bytes of text of the tasks that operations done together come to: they are answered, and may be kept.
pub const TEXT_MAX: usize = 4 * 1024 * 1024;

/// Where a task on the board goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays among the living.
    Living,
    /// Into the trash.
    Deleted,
    /// Erased at once: the task that it followed is open again.
    TakenBack,
}

/// A task on the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// As it is now.
    pub task: Task,
    /// Where it goes.
    pub fate: Fate,
    /// Its version when it was put there; `None` for one that was made there.
    before: Option<i64>,
}

impl Piece {
    /// Whether it was made on the board.
    pub fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// Whether it is not as it was found.
    pub fn is_written(&self) -> bool {
        self.before != Some(self.task.version) || self.fate != Fate::Living
    }
}

/// The tasks that a unit of work is about. What is decided here is to be written as a whole or not at all.
///
/// The one place that knows what completing a task that repeats does to other tasks.
pub struct Board<'c> {
    owner: UserId,
    at: Timestamp,
    most: u32,
    last_id: i64,
    living: u64,
    pieces: BTreeMap<TaskId, Piece>,
    calendar: &'c dyn Recurrences,
    /// Bytes of text so far.
    text: usize,
}

impl<'c> Board<'c> {
    /// The board of an owner who was given ids up to `last_id` and has so many `living` tasks of `most`. `tasks`
    /// are the living ones that the operations name, and the living successors of those.
    pub fn new(
        owner: UserId,
        last_id: TaskId,
        living: u64,
        most: u32,
        tasks: impl IntoIterator<Item = Task>,
        at: Timestamp,
        calendar: &'c dyn Recurrences,
    ) -> Self {
        let pieces = tasks.into_iter().map(|task| {
            let before = Some(task.version);
            let fate = Fate::Living;
            (task.id, Piece { task, fate, before })
        });
        Self {
            owner,
            at,
            most,
            last_id: last_id.0,
            living,
            pieces: pieces.collect(),
            calendar,
            text: 0,
        }
    }

    /// Does an operation. One that is refused changes nothing.
    pub fn run(&mut self, operation: &Operation) -> Result<Outcome, Refusal> {
        if self.text > TEXT_MAX {
            return Err(Refusal::TooMuch);
        }
        let outcome = match operation {
            Operation::Create(new) => self.create(new.clone()).map(Outcome::task),
            Operation::Change(id, expected, change) => self.change(*id, expected, change).map(Outcome::task),
            Operation::Delete(id, expected) => self.delete(*id, expected).map(|()| Outcome::Deleted(*id)),
        };
        if let Ok(Outcome::Task(task)) = &outcome {
            self.text += task.text_bytes();
        }
        outcome
    }

    /// What is on it, by id.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.values()
    }

    fn living(&self, id: TaskId, expected: &Expected) -> Result<&Task, Refusal> {
        let piece = self.pieces.get(&id).filter(|piece| piece.fate == Fate::Living);
        let task = &piece.ok_or(Refusal::Absent)?.task;
        if expected.admits(task.version) {
            Ok(task)
        } else {
            Err(Refusal::Stale)
        }
    }

    fn create(&mut self, new: NewTask) -> Result<Task, Refusal> {
        if self.living >= u64::from(self.most) {
            return Err(Refusal::Full);
        }
        self.last_id += 1;
        self.living += 1;
        let task = Task::new(self.owner, TaskId(self.last_id), new, self.at);
        let piece = Piece {
            task: task.clone(),
            fate: Fate::Living,
            before: None,
        };
        self.pieces.insert(task.id, piece);
        Ok(task)
    }

    fn change(&mut self, id: TaskId, expected: &Expected, change: &TaskChange) -> Result<Task, Refusal> {
        let mut task = self.living(id, expected)?.clone();
        let follower = |id| match self.living(id, &Expected::Any) {
            Ok(successor) if successor.version == 1 => Follower::Untouched,
            Ok(_) => Follower::Touched,
            Err(_) => Follower::Gone,
        };
        let Applied {
            changed: _,
            successor,
            taken_back,
        } = task
            .apply(change, self.at, self.calendar, follower)
            .map_err(Refusal::Invalid)?;
        if let Some(new) = successor {
            let id = self.create(new)?.id;
            task.handed_on = task.handed_on.map(|given| HandedOn {
                successor: Some(id),
                ..given
            });
        }
        if let Some(id) = taken_back {
            self.remove(id, Fate::TakenBack);
        }
        if let Some(piece) = self.pieces.get_mut(&id) {
            piece.task = task.clone();
        }
        Ok(task)
    }

    fn delete(&mut self, id: TaskId, expected: &Expected) -> Result<(), Refusal> {
        self.living(id, expected)?;
        self.remove(id, Fate::Deleted);
        Ok(())
    }

    fn remove(&mut self, id: TaskId, fate: Fate) {
        if let Some(piece) = self.pieces.get_mut(&id) {
            piece.fate = fate;
            self.living = self.living.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Daily;
    use super::super::{
        Completion, Due, Priority, Recurrence, RecurrenceFrom, Rule, Tags, TaskChange, Title,
    };
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    fn daily(title: &str) -> NewTask {
        NewTask {
            title: Title::parse(title).unwrap(),
            description: None,
            priority: Priority::High,
            due: Some(Due::parse("2026-03-01").unwrap()),
            time_zone: None,
            tags: Tags::default(),
            recurrence: Some(Recurrence::new(
                Rule::parse("daily").unwrap(),
                RecurrenceFrom::Due,
            )),
            completed: false,
        }
    }

    fn board(most: u32) -> Board<'static> {
        let stored = Task::new(UserId(1), TaskId(3), daily("stored"), at(1));
        Board::new(UserId(1), TaskId(7), 1, most, [stored], at(5), &Daily)
    }

    fn toggle(id: i64) -> Operation {
        let change = TaskChange::completing(Completion::Toggle);
        Operation::Change(TaskId(id), Expected::Any, change)
    }

    fn fates(board: &Board<'_>) -> Vec<(i64, Fate, bool)> {
        board
            .pieces()
            .map(|piece| (piece.task.id.0, piece.fate, piece.is_new()))
            .collect()
    }

    #[test]
    fn complete_undo_complete_leaves_one_open_task_in_the_series() {
        let mut board = board(10);
        for _ in 0..3 {
            board.run(&toggle(3)).unwrap();
        }
        assert_eq!(
            fates(&board),
            [
                (3, Fate::Living, false),
                (8, Fate::TakenBack, true),
                (9, Fate::Living, true)
            ]
        );
        let open = board
            .pieces()
            .filter(|piece| piece.fate == Fate::Living && piece.task.recurrence.is_some());
        assert_eq!(open.count(), 1);
    }

    #[test]
    fn a_successor_that_was_touched_stays() {
        let mut board = board(10);
        board.run(&toggle(3)).unwrap();
        let urgent = TaskChange {
            priority: Some(Priority::Low),
            ..TaskChange::default()
        };
        board
            .run(&Operation::Change(TaskId(8), Expected::OneOf(vec![1]), urgent))
            .unwrap();
        board.run(&toggle(3)).unwrap();
        assert_eq!(fates(&board), [(3, Fate::Living, false), (8, Fate::Living, true)]);
    }

    #[test]
    fn one_that_is_refused_changes_nothing() {
        let mut board = board(1);
        let before: Vec<_> = board.pieces().cloned().collect();
        let delete = |id, version| Operation::Delete(TaskId(id), Expected::OneOf(vec![version]));
        for (operation, refusal) in [
            (toggle(3), Refusal::Full),
            (Operation::Create(daily("more")), Refusal::Full),
            (toggle(4), Refusal::Absent),
            (delete(3, 2), Refusal::Stale),
        ] {
            assert_eq!(board.run(&operation), Err(refusal));
        }
        assert_eq!(board.pieces().cloned().collect::<Vec<_>>(), before);
        assert!(!before[0].is_written());
        // What goes makes room.
        assert_eq!(board.run(&delete(3, 1)), Ok(Outcome::Deleted(TaskId(3))));
        assert!(board.run(&Operation::Create(daily("more"))).is_ok());
        assert_eq!(board.run(&toggle(3)), Err(Refusal::Absent));
    }

    #[test]
    fn what_is_done_together_is_bounded() {
        let mut long = board(u32::MAX);
        let new = NewTask {
            description: super::super::Description::parse(&"x".repeat(10_000)).ok(),
            ..daily("long")
        };
        let done = (0..1000).filter(|_| long.run(&Operation::Create(new.clone())).is_ok());
        assert_eq!(done.count(), TEXT_MAX / 10_004 + 1);
        assert_eq!(long.run(&toggle(3)), Err(Refusal::TooMuch));
        let rename = TaskChange {
            title: Title::parse("x").ok(),
            ..TaskChange::default()
        };
        let mut renamed = board(u32::MAX);
        let rename = Operation::Change(TaskId(3), Expected::Any, rename);
        assert!((0..1000).all(|_| renamed.run(&rename).is_ok()));
    }
}

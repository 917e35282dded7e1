//! Tasks.

use errand_application::ports::{Change, DeletedTask};
use errand_domain::task::{
    Description, Due, Fate, HandedOn, Piece, Priority, Recurrence, RecurrenceFrom, Rule, Tags, Task,
    TimeZone, Title,
};
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryResult};
use serde::{Deserialize, Serialize};

use crate::error::Failure;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize)]
#[sea_orm(table_name = "tasks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub creation_key: String,
    pub title: String,
    pub title_folded: String,
    pub description: Option<String>,
    pub description_folded: Option<String>,
    pub priority: i16,
    pub due_at: Option<DateTimeUtc>,
    pub due_is_date: bool,
    /// A JSON array.
    pub tags: String,
    /// The folded tags, each between two [`TAG_MARK`]s.
    pub tag_keys: String,
    pub completed_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub version: i64,
    /// The owner's change counter when it last changed; written by triggers.
    pub change_seq: i64,
    pub deleted_at: Option<DateTimeUtc>,
    /// When what it held was erased.
    pub erased_at: Option<DateTimeUtc>,
    /// The rule of one that repeats.
    pub recurrence: Option<String>,
    /// Of `recurrence` or `handed_on`, whichever there is.
    pub recurrence_from: Option<String>,
    /// The same.
    pub recurrence_meant: Option<DateTime>,
    pub time_zone: Option<String>,
    /// The rule that went on to a successor when it was completed.
    pub handed_on: Option<String>,
    /// Who has it now; none if it ended.
    pub successor_id: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a [`Task`] is made of; the order in which the statements name the columns is of no matter.
#[derive(Clone, Debug, FromQueryResult, Serialize, Deserialize)]
pub struct Row {
    pub user_id: i64,
    pub id: i64,
    pub title: String,
    pub description: Option<String>,
    pub priority: i16,
    pub due_at: Option<DateTimeUtc>,
    pub due_is_date: bool,
    pub tags: String,
    pub completed_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub version: i64,
    pub recurrence: Option<String>,
    pub recurrence_from: Option<String>,
    pub recurrence_meant: Option<DateTime>,
    pub time_zone: Option<String>,
    pub handed_on: Option<String>,
    pub successor_id: Option<i64>,
}

/// What a page is read as: its owner's counter, and a task if there is any. So both are of one moment.
#[derive(Clone, Debug)]
pub struct PageRow {
    pub change_counter: i64,
    pub row: Option<Row>,
}

impl FromQueryResult for PageRow {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let id: Option<i64> = result.try_get(prefix, "id")?;
        let row = id.map(|_| Row::from_query_result(result, prefix)).transpose()?;
        Ok(Self {
            change_counter: result.try_get(prefix, "change_counter")?,
            row,
        })
    }
}

/// What a page of changes is read as: its owner's counters, and a changed task if there is any.
#[derive(Clone, Debug)]
pub struct ChangeRow {
    pub change_counter: i64,
    pub purged_seq: i64,
    pub changed: Option<ChangedRow>,
}

/// A task, deleted or not, with its place among the changes.
#[derive(Clone, Debug, FromQueryResult)]
pub struct ChangedRow {
    pub change_seq: i64,
    pub deleted_at: Option<DateTimeUtc>,
    #[sea_orm(nested)]
    pub row: Row,
}

impl FromQueryResult for ChangeRow {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let seq: Option<i64> = result.try_get(prefix, "change_seq")?;
        let changed = seq.map(|_| ChangedRow::from_query_result(result, prefix));
        Ok(Self {
            change_counter: result.try_get(prefix, "change_counter")?,
            purged_seq: result.try_get(prefix, "purged_seq")?,
            changed: changed.transpose()?,
        })
    }
}

impl ChangedRow {
    pub fn change(self) -> Result<Change, Failure> {
        if self.deleted_at.is_some() {
            return Ok(Change::Delete(TaskId(self.row.id)));
        }
        self.row.task().map(|task| Change::Upsert(Box::new(task)))
    }
}

/// A [`Row`] in the trash.
#[derive(Clone, Debug, FromQueryResult)]
pub struct TrashRow {
    #[sea_orm(nested)]
    pub row: Row,
    pub deleted_at: DateTimeUtc,
}

impl TrashRow {
    pub fn deleted(self) -> Result<DeletedTask, Failure> {
        Ok(DeletedTask {
            task: self.row.task()?,
            deleted_at: Timestamp::new(self.deleted_at),
        })
    }
}

/// The columns of a [`Row`], for statements that sea-orm builds.
pub const ROW: [Column; 18] = [
    Column::UserId,
    Column::Id,
    Column::Title,
    Column::Description,
    Column::Priority,
    Column::DueAt,
    Column::DueIsDate,
    Column::Tags,
    Column::CompletedAt,
    Column::CreatedAt,
    Column::UpdatedAt,
    Column::Version,
    Column::Recurrence,
    Column::RecurrenceFrom,
    Column::RecurrenceMeant,
    Column::TimeZone,
    Column::HandedOn,
    Column::SuccessorId,
];

/// Stands in no text that the domain takes.
const TAG_MARK: char = '\u{1f}';

impl Row {
    pub fn task(self) -> Result<Task, Failure> {
        let corrupt = |column| Failure::Corrupt {
            table: "tasks",
            column,
        };
        let description = self.description.as_deref().map(Description::parse);
        let time_zone = self.time_zone.as_deref().map(TimeZone::parse);
        let from = self.recurrence_from.as_deref().map(RecurrenceFrom::parse);
        let from = from.transpose().map_err(|_| corrupt("recurrence_from"))?;
        let meant = self.recurrence_meant;
        let recurrence = |rule: &str| {
            Rule::parse(rule).map(|rule| Recurrence {
                rule,
                from: from.unwrap_or_default(),
                meant,
            })
        };
        let repeats = self.recurrence.as_deref().map(recurrence);
        let gave = self.handed_on.as_deref().map(recurrence);
        let gave = gave.transpose().map_err(|_| corrupt("handed_on"))?;
        Ok(Task {
            id: TaskId(self.id),
            owner: UserId(self.user_id),
            title: Title::parse(&self.title).map_err(|_| corrupt("title"))?,
            description: description.transpose().map_err(|_| corrupt("description"))?,
            priority: Priority::from_rank(self.priority).ok_or(corrupt("priority"))?,
            due: self
                .due_at
                .map(|at| Due::from_position(Timestamp::new(at), self.due_is_date)),
            time_zone: time_zone.transpose().map_err(|_| corrupt("time_zone"))?,
            tags: read_tags(&self.tags).ok_or(corrupt("tags"))?,
            recurrence: repeats.transpose().map_err(|_| corrupt("recurrence"))?,
            handed_on: gave.map(|recurrence| HandedOn {
                recurrence,
                successor: self.successor_id.map(TaskId),
            }),
            completed_at: self.completed_at.map(Timestamp::new),
            created_at: Timestamp::new(self.created_at),
            updated_at: Timestamp::new(self.updated_at),
            version: self.version,
        })
    }
}

impl From<&Task> for Row {
    fn from(task: &Task) -> Self {
        // Destructured, so that a new field cannot be forgotten.
        let Task {
            id,
            owner,
            title,
            description,
            priority,
            due,
            time_zone,
            tags: labels,
            recurrence,
            handed_on,
            completed_at,
            created_at,
            updated_at,
            version,
        } = task;
        let given_on = handed_on.as_ref().map(|given| &given.recurrence);
        let either = recurrence.as_ref().or(given_on);
        let rule = |recurrence: &Recurrence| recurrence.rule.to_string();
        Self {
            user_id: owner.0,
            id: id.0,
            title: title.as_str().to_owned(),
            description: description.as_ref().map(|text| text.as_str().to_owned()),
            priority: priority.rank(),
            due_at: due.map(|due| due.position().as_chrono()),
            due_is_date: due.is_some_and(Due::is_date),
            tags: tags(labels),
            completed_at: completed_at.map(Timestamp::as_chrono),
            created_at: created_at.as_chrono(),
            updated_at: updated_at.as_chrono(),
            version: *version,
            recurrence: recurrence.as_ref().map(rule),
            recurrence_from: either.map(|recurrence| recurrence.from.as_str().to_owned()),
            recurrence_meant: either.and_then(|recurrence| recurrence.meant),
            time_zone: time_zone.as_ref().map(|zone| zone.as_str().to_owned()),
            handed_on: given_on.map(rule),
            successor_id: handed_on
                .as_ref()
                .and_then(|given| given.successor.map(|id| id.0)),
        }
    }
}

impl Model {
    /// The whole row of a task on the board, but for the number of its change, which triggers write. Of one that
    /// was there before the creation key is not its own.
    pub fn of(piece: &Piece, at: Timestamp) -> Self {
        let gone = (piece.fate != Fate::Living).then(|| at.as_chrono());
        let task = match piece.fate {
            Fate::Living | Fate::Deleted => piece.task.clone(),
            Fate::TakenBack => piece.task.clone().erased(at),
        };
        Self {
            deleted_at: gone,
            erased_at: gone.filter(|_| piece.fate == Fate::TakenBack),
            ..Self::living(&task)
        }
    }

    /// The same of a task that is not in the trash.
    pub fn living(task: &Task) -> Self {
        let row = Row::from(task);
        Self {
            user_id: row.user_id,
            id: row.id,
            // An id is never given twice.
            creation_key: format!("task {}", row.id),
            title_folded: task.title.folded(),
            title: row.title,
            description: row.description,
            description_folded: task.description.as_ref().map(Description::folded),
            priority: row.priority,
            due_at: row.due_at,
            due_is_date: row.due_is_date,
            tags: row.tags,
            tag_keys: tag_keys(&task.tags),
            completed_at: row.completed_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
            change_seq: 0,
            deleted_at: None,
            erased_at: None,
            recurrence: row.recurrence,
            recurrence_from: row.recurrence_from,
            recurrence_meant: row.recurrence_meant,
            time_zone: row.time_zone,
            handed_on: row.handed_on,
            successor_id: row.successor_id,
        }
    }
}

fn read_tags(json: &str) -> Option<Tags> {
    let items: Vec<String> = serde_json::from_str(json).ok()?;
    Tags::from_items(items.iter().map(String::as_str)).ok()
}

/// The column `tags`.
pub fn tags(tags: &Tags) -> String {
    serde_json::Value::from(tags.as_slice()).to_string()
}

/// The column `tag_keys`.
pub fn tag_keys(tags: &Tags) -> String {
    tags.keys().map(|key| tag_mark(&key)).collect()
}

/// What `tag_keys` contains if and only if the task has this tag; `None` for a text that is no tag's.
pub fn tag_pattern(key: &str) -> Option<String> {
    // Between two tags that follow each other there are two marks and nothing.
    let can_be = !key.is_empty() && !key.contains([TAG_MARK, '\0']);
    can_be.then(|| tag_mark(key))
}

fn tag_mark(key: &str) -> String {
    format!("{TAG_MARK}{key}{TAG_MARK}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_back() {
        let given = Tags::from_items(["Work", "\"quoted\"", "ünder [x]"]).unwrap();
        assert_eq!(read_tags(&tags(&given)), Some(given.clone()));
        assert_eq!(read_tags(&tags(&Tags::default())), Some(Tags::default()));
        let keys = tag_keys(&given);
        assert!(keys.contains(&tag_pattern("work").unwrap()));
        assert!(!keys.contains(&tag_pattern("wor").unwrap()));
        for impossible in ["work\u{1f}\u{1f}\"quoted\"", "", "a\0"] {
            assert_eq!(tag_pattern(impossible), None);
        }
    }
}

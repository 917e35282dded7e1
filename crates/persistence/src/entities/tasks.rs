//! Tasks.

use errand_application::ports::{Change, DeletedTask};
use errand_domain::task::{Description, Due, Priority, Tags, Task, Title};
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryResult};

use crate::error::Failure;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
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
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a [`Task`] is made of; the order in which the statements name the columns is of no matter.
#[derive(Clone, Debug, FromQueryResult)]
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
        self.row.task().map(Change::Upsert)
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
pub const ROW: [Column; 12] = [
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
        Ok(Task {
            id: TaskId(self.id),
            owner: UserId(self.user_id),
            title: Title::parse(&self.title).map_err(|_| corrupt("title"))?,
            description: description.transpose().map_err(|_| corrupt("description"))?,
            priority: Priority::from_rank(self.priority).ok_or(corrupt("priority"))?,
            due: self
                .due_at
                .map(|at| Due::from_position(Timestamp::new(at), self.due_is_date)),
            tags: read_tags(&self.tags).ok_or(corrupt("tags"))?,
            completed_at: self.completed_at.map(Timestamp::new),
            created_at: Timestamp::new(self.created_at),
            updated_at: Timestamp::new(self.updated_at),
            version: self.version,
        })
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

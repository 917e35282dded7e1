//! From the cells of a row to what errand can hold, with a finding for whatever is not as it was.

mod row;
mod tasks;
#[cfg(test)]
mod tests;
mod times;
mod users;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use errand_domain::task::{Priority, Recurrences};

pub use self::row::Found;
use crate::incoming::SourceKey;
use crate::mapping::{ACCOUNTS, Mapping, Section, TAGS, TASK_TAGS, TASKS, USERS};

/// What the columns of a table are, in the order in which they are read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Shape {
    pub table: String,
    /// The field and the column's name for people.
    pub fields: Vec<(&'static str, String)>,
}

impl Shape {
    fn new(mapping: &Mapping, section: &'static Section) -> Self {
        let Some(part) = mapping.part(section) else {
            return Self::default();
        };
        let fields = part.fields(section);
        Self {
            table: part.table.clone().unwrap_or_default(),
            fields: fields
                .into_iter()
                .map(|(field, column)| (field, column.to_owned()))
                .collect(),
        }
    }

    /// A column of another table that is read with each row.
    fn joined(
        &mut self,
        mapping: &Mapping,
        section: &'static Section,
        name: &'static str,
        field: &'static str,
    ) {
        let Some(part) = mapping.part(section) else { return };
        let table = part.table.as_deref().unwrap_or_default();
        let column = part.column(name).unwrap_or_default();
        self.fields.push((field, format!("{table}.{column}")));
    }
}

/// Adapts rows, users before their tasks, and remembers what must not come twice.
pub(crate) struct Adapter {
    users: Arc<Shape>,
    tasks: Arc<Shape>,
    calendar: Arc<dyn Recurrences>,
    priorities: std::collections::BTreeMap<String, Priority>,
    /// Whose address it is, by a digest of its folded form.
    addresses: HashMap<u128, SourceKey>,
    /// Names that are taken, each with the number to try next behind it.
    names: HashMap<u128, u32>,
    /// Users whose tasks stay outside with them.
    quarantined: HashSet<SourceKey>,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Adapter(…)")
    }
}

impl Adapter {
    pub fn new(mapping: &Mapping, calendar: Arc<dyn Recurrences>) -> Self {
        let mut users = Shape::new(mapping, &USERS);
        users.joined(mapping, &ACCOUNTS, "password", "password");
        let mut tasks = Shape::new(mapping, &TASKS);
        if mapping.part(&TASK_TAGS).is_some() {
            tasks.joined(mapping, &TAGS, "name", "tags");
        }
        Self {
            users: Arc::new(users),
            tasks: Arc::new(tasks),
            calendar,
            priorities: mapping.priorities.clone(),
            addresses: HashMap::new(),
            names: HashMap::new(),
            quarantined: HashSet::new(),
        }
    }

    /// Forgets what was seen.
    pub fn rewind(&mut self) {
        self.addresses.clear();
        self.names.clear();
        self.quarantined.clear();
    }
}

/// Stands for a text in a set: smaller, and no two are alike by chance.
fn stamp(text: &str) -> u128 {
    let digest = digest(&SHA256, text.as_bytes());
    let head = digest.as_ref().first_chunk::<16>().copied().unwrap_or_default();
    u128::from_be_bytes(head)
}

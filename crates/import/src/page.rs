//! What both kinds of sources give: pages of raw rows, and how many there are.

use std::collections::VecDeque;
use std::fmt;

use crate::cell::Cell;
use crate::error::SourceError;
use crate::mapping::{Mapping, Part, Section};
use crate::schema::{Table, quote};

/// Greater ids of the source are not kept. To JavaScript numbers end at 2^53 - 1, and half of them are left to those
/// who come after.
pub(crate) const ID_MAX: i64 = (1 << 52) - 1;

/// How many rows there are in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Users.
    pub users: u64,
    /// Tasks.
    pub tasks: u64,
    /// The greatest key of a user that can stay an id; 0 if there is none.
    pub greatest_user: i64,
    /// Sessions that have not expired or been revoked, which are not taken over.
    pub live_sessions: u64,
}

/// A row as found: the cells of the mapped columns in their order, and what joins put behind them.
pub(crate) struct Raw {
    /// Of a task: the key of the user that it belongs to, if there is one.
    pub owner: Option<String>,
    pub cells: Vec<Cell>,
}

impl fmt::Debug for Raw {
    /// Redacted: passwords are in it as they were stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw(…)")
    }
}

/// Some rows; none after the last.
pub(crate) type Page = VecDeque<Raw>;

/// A mapped table with what is known of it.
pub(crate) struct Known<'a> {
    pub section: &'static Section,
    pub table: &'a Table,
    pub part: &'a Part,
}

impl<'a> Known<'a> {
    pub fn optional(
        mapping: &'a Mapping,
        tables: &'a [Table],
        section: &'static Section,
    ) -> Result<Option<Self>, SourceError> {
        mapping
            .part(section)
            .map(|_| Self::new(mapping, tables, section))
            .transpose()
    }

    pub fn new(
        mapping: &'a Mapping,
        tables: &'a [Table],
        section: &'static Section,
    ) -> Result<Self, SourceError> {
        let part = mapping.part(section);
        let table = part.and_then(|part| {
            tables
                .iter()
                .find(|table| Some(&table.name) == part.table.as_ref())
        });
        part.zip(table)
            .map(|(part, table)| Self { section, table, part })
            .ok_or_else(|| SourceError::NotFound(format!("the table of the {} is gone", section.name)))
    }

    pub fn of(&self, alias: &str, field: &str) -> String {
        format!("{alias}.{}", quote(self.part.column(field).unwrap_or_default()))
    }

    pub fn cells(&self, alias: &str, cell: impl Fn(&str) -> String) -> Vec<String> {
        let fields = self.part.fields(self.section);
        fields
            .into_iter()
            .map(|(_, column)| cell(&format!("{alias}.{}", quote(column))))
            .collect()
    }

    /// Whether the mapping has a column for it.
    pub fn has(&self, field: &str) -> bool {
        self.part.column(field).is_some()
    }

    pub fn check_keys(&self, rows: i64) -> Result<(), SourceError> {
        if rows == 0 {
            return Ok(());
        }
        Err(SourceError::NotAKey {
            table: self.table.name.clone(),
            column: self.part.column("key").unwrap_or_default().to_owned(),
            rows,
            section: self.section.name,
        })
    }
}

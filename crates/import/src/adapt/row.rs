//! One row while it is adapted.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use errand_domain::Timestamp;
use serde_json::{Map, Value};

use super::{Shape, times};
use crate::cell::{Cell, Text};
use crate::incoming::{Adapted, Finding, RowHash, Rule, SourceKey};

/// The most characters of a value in a finding that goes on elsewhere.
const SHOWN_CHARS: usize = 80;
/// The most characters of a value that only its finding keeps. More than that is quarantined.
const KEPT_CHARS: usize = 2_000;

/// The most bytes of a key: it is part of an index.
const KEY_BYTES: usize = 255;

/// Why a row stays outside.
pub struct Outside(Box<Finding>);

/// A row as found, for the case that errand cannot take it after all: long texts cut, passwords left out.
#[derive(Clone, PartialEq)]
pub struct Found {
    shape: Arc<Shape>,
    cells: Vec<Cell>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Found(…)")
    }
}

impl Found {
    /// A row without columns.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self::new(&Arc::default(), Vec::new())
    }

    fn new(shape: &Arc<Shape>, mut cells: Vec<Cell>) -> Self {
        for ((field, _), cell) in shape.fields.iter().zip(&mut cells) {
            if *field == "password" {
                *cell = Cell::Null;
            }
        }
        Self {
            shape: Arc::clone(shape),
            cells,
        }
    }

    /// By the names of its columns.
    pub fn to_json(&self) -> Value {
        let mut row = Map::new();
        for ((field, column), cell) in self.shape.fields.iter().zip(&self.cells) {
            if *field != "password" {
                row.insert(column.clone(), cell.to_json());
            }
        }
        Value::Object(row)
    }
}

pub struct Row<'a> {
    shape: &'a Arc<Shape>,
    cells: Vec<Cell>,
    pub key: SourceKey,
    pub findings: Vec<Finding>,
}

impl<'a> Row<'a> {
    pub fn new(shape: &'a Arc<Shape>, cells: Vec<Cell>) -> Self {
        let mut row = Self {
            shape,
            cells,
            key: SourceKey(String::new()),
            findings: Vec::new(),
        };
        row.key = SourceKey(row.text("key").map(|text| text.body).unwrap_or_default());
        row
    }

    pub fn cell(&self, field: &str) -> &Cell {
        self.all(field).next().unwrap_or(&Cell::Null)
    }

    /// Every cell of a field: tags may be in the row and in a table of their own.
    pub fn all(&self, field: &str) -> impl Iterator<Item = &Cell> {
        let fields = self.shape.fields.iter().zip(&self.cells);
        fields.filter_map(move |((name, _), cell)| (*name == field).then_some(cell))
    }

    pub fn has(&self, field: &str) -> bool {
        self.shape.fields.iter().any(|(name, _)| *name == field)
    }

    /// As stored.
    pub fn text(&self, field: &str) -> Option<Text> {
        self.cell(field).text()
    }

    /// Without control characters, with a finding if there were any.
    pub fn clean(&mut self, field: &'static str) -> Option<String> {
        let found = self.text(field)?;
        Some(self.cleaned(field, &found))
    }

    pub fn cleaned(&mut self, field: &'static str, found: &Text) -> String {
        let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
        if found.is_lossy {
            self.find(
                field,
                Rule::InvalidText,
                &found.body,
                "\u{fffd} for what is no text",
            );
        }
        if !found.body.contains(bad) {
            return found.body.clone();
        }
        let text = found.body.replace(bad, "\u{fffd}");
        self.find(field, Rule::ControlCharacters, &found.body, "\u{fffd} for each");
        text
    }

    /// A finding about a value that is kept in another form.
    pub fn find(&mut self, field: &str, rule: Rule, was: &str, now: &str) {
        let finding = self.finding(Some(field), rule, was, now);
        self.findings.push(finding);
    }

    /// A finding about a value that nothing else keeps; fails if it is too long for that.
    pub fn lose(&mut self, field: &'static str, rule: Rule, was: &str, now: &str) -> Result<(), Outside> {
        if was.chars().nth(KEPT_CHARS).is_some() {
            return Err(self.outside(Some(field), Rule::TooLong, was, "errand has no place for it"));
        }
        let mut finding = self.finding(Some(field), rule, "", now);
        visible(was, KEPT_CHARS).clone_into(&mut finding.was);
        self.findings.push(finding);
        Ok(())
    }

    fn finding(&self, field: Option<&str>, rule: Rule, was: &str, now: &str) -> Finding {
        let column = field.and_then(|field| {
            let found = self.shape.fields.iter().find(|(name, _)| *name == field);
            found.map(|(_, column)| column.clone())
        });
        Finding {
            table: self.shape.table.clone(),
            key: self.key.clone(),
            column,
            rule,
            was: visible(was, SHOWN_CHARS),
            now: visible(now, KEPT_CHARS),
        }
    }

    /// Why the row stays outside.
    pub fn outside(&self, field: Option<&str>, rule: Rule, was: &str, now: &str) -> Outside {
        Outside(Box::new(self.finding(field, rule, was, now)))
    }

    /// Fails if there is more of a cell than was read.
    pub fn check_sizes(&self) -> Result<(), Outside> {
        for ((field, _), cell) in self.shape.fields.iter().zip(&self.cells) {
            if *field != "password" && cell.is_cut() {
                let text = cell.text().unwrap_or_default().body;
                return Err(self.outside(Some(field), Rule::TooLong, &text, "errand has no place for it"));
            }
        }
        Ok(())
    }

    /// Fails if errand could not remember the row by its key. Of two keys that are no texts both may be read as the
    /// same, so one with U+FFFD is not taken whoever put it there.
    pub fn check_key(&self) -> Result<(), Outside> {
        let key = &self.key.0;
        let is_strange = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
        if key.is_empty() || key.len() > KEY_BYTES || key.contains(is_strange) {
            return Err(self.outside(Some("key"), Rule::KeyUnusable, key, "stays outside"));
        }
        Ok(())
    }

    pub fn check_deleted(&self) -> Result<(), Outside> {
        let Some(said) = self.text("deleted") else {
            return Ok(());
        };
        let text = said.body.trim().to_lowercase();
        if matches!(text.as_str(), "" | "0" | "f" | "false" | "n" | "no") {
            return Ok(());
        }
        Err(self.outside(
            Some("deleted"),
            Rule::DeletedAtSource,
            &said.body,
            "stays outside",
        ))
    }

    /// A point in time; a finding if it cannot be understood.
    pub fn time(&mut self, field: &'static str) -> Result<Option<Timestamp>, Outside> {
        match times::time(self.cell(field)) {
            Ok(time) => Ok(time),
            Err(text) => {
                self.lose(
                    field,
                    Rule::TimeUnknown,
                    &text,
                    "another time of the row, or the start of 1970",
                )?;
                Ok(None)
            }
        }
    }

    /// When it was made and when it last changed.
    pub fn made_and_changed(&mut self) -> Result<(Timestamp, Timestamp), Outside> {
        let (made, changed) = (self.time("created_at")?, self.time("updated_at")?);
        let epoch = Timestamp::from_micros(0);
        let made_at = made.or(changed).or(epoch);
        // 1970 is within every range.
        let made_at = made_at.unwrap_or_else(|| Timestamp::midnight(chrono::NaiveDate::default()));
        Ok((made_at, changed.unwrap_or(made_at)))
    }

    /// Over all cells; of a password only what is a hash.
    pub fn hash(&self, password: &str) -> RowHash {
        let mut hash = Context::new(&SHA256);
        for ((field, _), cell) in self.shape.fields.iter().zip(&self.cells) {
            hash.update(field.as_bytes());
            if *field == "password" {
                hash.update(&(password.len() as u64).to_be_bytes());
                hash.update(password.as_bytes());
            } else {
                cell.feed(&mut hash);
            }
        }
        let digest = hash.finish();
        digest.as_ref().first_chunk::<32>().copied().unwrap_or_default()
    }

    pub fn imported<T>(self, value: T) -> Adapted<T> {
        Adapted::Imported {
            value,
            findings: self.findings,
            row: Found::new(self.shape, self.cells),
        }
    }

    pub fn quarantine<T>(self, why: Outside) -> Adapted<T> {
        let owner = self.text("owner").map(|text| SourceKey(text.body));
        Adapted::Quarantined {
            key: self.key,
            owner,
            why: *why.0,
            row: Found::new(self.shape, self.cells).to_json(),
        }
    }
}

/// The beginning of a text, on one line.
fn visible(text: &str, most: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut shown: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

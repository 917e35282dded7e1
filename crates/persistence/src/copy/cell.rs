//! A value, the same whichever database holds it.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, NaiveDateTime, SecondsFormat};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Row, Type};

use super::tables::{Kind, Table};

/// A value. Whole numbers also stand for truth and, in microseconds since 1970, for times.
pub enum Cell {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A column that holds what cannot be, in this database or in the other.
#[derive(Debug)]
pub struct Strange(pub &'static str);

/// How SQLite has a time on no clock in particular, as sqlx writes it.
const LOCAL: &str = "%F %T%.f";

impl Cell {
    /// About how much memory it takes.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Number(_) => 0,
                Self::Text(text) => text.len(),
                Self::Bytes(bytes) => bytes.len(),
            }
    }
}

fn value<'r, R, T>(row: &'r R, index: usize, wrap: impl Fn(T) -> Cell) -> Option<Cell>
where
    R: Row,
    usize: ColumnIndex<R>,
    T: Decode<'r, R::Database> + Type<R::Database>,
{
    let value: Option<T> = row.try_get(index).ok()?;
    Some(value.map_or(Cell::Null, wrap))
}

/// A row of [`Table::select_from_postgres`].
pub fn of_postgres(table: &Table, row: &PgRow) -> Result<Vec<Cell>, Strange> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(index, (name, kind))| {
            match kind {
                Kind::Text => value(row, index, Cell::Text),
                Kind::Bytes | Kind::Uuid => value(row, index, Cell::Bytes),
                _ => value(row, index, Cell::Number),
            }
            .ok_or(Strange(name))
        })
        .collect()
}

/// A row of [`Table::select_from_sqlite`].
pub fn of_sqlite(table: &Table, row: &SqliteRow) -> Result<Vec<Cell>, Strange> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(index, (name, kind))| {
            match kind {
                Kind::Small | Kind::Integer | Kind::Big => value(row, index, Cell::Number),
                Kind::Boolean => value(row, index, Cell::Number)
                    .filter(|cell| matches!(cell, Cell::Null | Cell::Number(0 | 1))),
                Kind::Text => value(row, index, Cell::Text),
                Kind::Bytes => value(row, index, Cell::Bytes),
                Kind::Uuid => value(row, index, Cell::Bytes)
                    .filter(|cell| !matches!(cell, Cell::Bytes(bytes) if bytes.len() != 16)),
                Kind::Moment => time(row, index, |text| {
                    Some(DateTime::parse_from_rfc3339(text).ok()?.naive_utc())
                }),
                Kind::Local => time(row, index, |text| NaiveDateTime::parse_from_str(text, LOCAL).ok()),
            }
            .ok_or(Strange(name))
        })
        .collect()
}

fn time(row: &SqliteRow, index: usize, parse: impl Fn(&str) -> Option<NaiveDateTime>) -> Option<Cell> {
    let text: Option<&str> = row.try_get(index).ok()?;
    let Some(text) = text else {
        return Some(Cell::Null);
    };
    let time = parse(text)?.and_utc();
    // PostgreSQL would round it.
    let whole = time.timestamp_subsec_nanos() % 1000 == 0;
    whole.then(|| Cell::Number(time.timestamp_micros()))
}

/// How SQLite is to have a time.
pub fn text_of_time(kind: Kind, micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    Some(match kind {
        Kind::Local => time.naive_utc().format(LOCAL).to_string(),
        _ => time.to_rfc3339_opts(SecondsFormat::AutoSi, false),
    })
}

/// A hash over all rows of a table in their order, and how many they are.
pub struct Content {
    digest: Context,
    rows: u64,
}

impl Content {
    pub fn new(table: &Table) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(format!("{} ({})\n", table.name, table.names()).as_bytes());
        Self { digest, rows: 0 }
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// No two different rows are the same bytes: each value tells its kind and its length.
    pub fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        for cell in row {
            match cell {
                Cell::Null => self.digest.update(&[0]),
                Cell::Number(number) => {
                    self.digest.update(&[1]);
                    self.digest.update(&number.to_be_bytes());
                }
                Cell::Text(text) => self.lengthy(2, text.as_bytes()),
                Cell::Bytes(bytes) => self.lengthy(3, bytes),
            }
        }
    }

    fn lengthy(&mut self, kind: u8, bytes: &[u8]) {
        self.digest.update(&[kind]);
        self.digest.update(&(bytes.len() as u64).to_be_bytes());
        self.digest.update(bytes);
    }

    /// The hash, in hexadecimal digits.
    pub fn hash(self) -> String {
        let digits = |mut hash: String, byte: &u8| {
            for half in [byte >> 4, byte & 15] {
                hash.extend(char::from_digit(half.into(), 16));
            }
            hash
        };
        self.digest.finish().as_ref().iter().fold(String::new(), digits)
    }
}

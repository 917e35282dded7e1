//! A whole database into an empty one, of the same kind or the other.
//!
//! The source is read in one moment and never written. The target gets everything in one transaction, which ends
//! only if what can be read back there is what was read here, value by value.

mod cell;
mod conn;
mod error;
mod source;
mod tables;
mod target;

use std::sync::Arc;

use errand_application::ports::Clock;
use futures_util::TryStreamExt;

use crate::connect::{Settings, possible};
use crate::fence::EVERYONE;
use cell::Content;
use conn::Conn;
use source::{Source, Trace};
use tables::{TABLES, Table, USERS};
use target::Sink;

pub use error::{CopyError, Side};

/// So many rows pass between two signs of progress.
const SIGN: u64 = 1000;

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// In this table.
    pub table: &'static str,
    /// What is done with it.
    pub act: Act,
    /// So many rows are done.
    pub rows: u64,
    /// Of so many, if that is known.
    pub of: Option<u64>,
    /// Whether these are all.
    pub done: bool,
}

/// What is done with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Its rows go from the source to the target.
    Copying,
    /// They are read back.
    Verifying,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// All tables.
    pub tables: Vec<CopiedTable>,
    /// The highest id that a user ever had.
    pub last_user_id: i64,
    /// The steps that made the target's schema, if it had none.
    pub steps: Vec<String>,
}

/// A table, the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: &'static str,
    /// How many it has.
    pub rows: u64,
    /// SHA-256 over all their values, whichever database holds them.
    pub hash: String,
}

/// Whoever wants to know how far it is.
pub type Watch<'w> = &'w mut (dyn FnMut(Progress) + Send);

/// Copies everything, or nothing. URLs of poolers stand for what is behind them.
pub async fn copy(
    from: &Settings,
    to: &Settings,
    clock: Arc<dyn Clock>,
    watch: Watch<'_>,
) -> Result<Copied, CopyError> {
    possible(from).map_err(|error| CopyError::Connect(Side::Source, error))?;
    possible(to).map_err(|error| CopyError::Connect(Side::Target, error))?;
    let trace = Trace::before(from);
    let outcome = attempt(from, to, clock, watch).await;
    trace.remove().await;
    outcome
}

async fn attempt(
    from: &Settings,
    to: &Settings,
    clock: Arc<dyn Clock>,
    watch: Watch<'_>,
) -> Result<Copied, CopyError> {
    let mut source = Source::open(from).await?;
    let (mut target, steps) = target::open(to, &mut source, clock).await?;
    let mut sent = Vec::new();
    for table in TABLES {
        let of = source.count(table).await?;
        let scopes = source.scopes(table);
        let mut sink = target.sink(table).await?;
        let mut report = Report::new(table, Act::Copying, of, &mut *watch);
        sent.push(pass(&mut source.conn, &scopes, table, Some(&mut sink), &mut report).await?);
        sink.finish().await?;
        report.end();
    }
    let last_user_id = source.last_user_id;
    // Nothing is to be kept there.
    drop(source.conn.close().await);
    target.set_last_user_id(last_user_id).await?;

    let mut tables = Vec::new();
    for (table, sent) in TABLES.iter().zip(sent) {
        let rows = sent.rows();
        let mut report = Report::new(table, Act::Verifying, Some(rows), &mut *watch);
        let arrived = pass(&mut target.conn, &[EVERYONE.to_owned()], table, None, &mut report).await?;
        report.end();
        let (same, hash) = (arrived.rows() == rows, sent.hash());
        if !same || arrived.hash() != hash {
            return Err(CopyError::Differs(table.name));
        }
        let name = table.name;
        tables.push(CopiedTable { name, rows, hash });
    }
    if target.conn.last_user_id().await? != last_user_id {
        return Err(CopyError::Differs(USERS));
    }
    target.commit().await?;
    Ok(Copied {
        tables,
        last_user_id,
        steps,
    })
}

/// Reads a whole table, as each of `scopes`; hands the rows on if there is a place for them.
async fn pass(
    conn: &mut Conn,
    scopes: &[String],
    table: &'static Table,
    mut sink: Option<&mut Sink<'_>>,
    report: &mut Report<'_>,
) -> Result<Content, CopyError> {
    let mut content = Content::new(table);
    for scope in scopes {
        conn.enter(scope).await?;
        let mut rows = conn.rows(table);
        while let Some(row) = rows.try_next().await? {
            content.add(&row);
            if let Some(sink) = &mut sink {
                sink.push(row).await?;
            }
            report.row();
        }
    }
    Ok(content)
}

struct Report<'w> {
    so_far: Progress,
    watch: Watch<'w>,
}

impl<'w> Report<'w> {
    fn new(table: &'static Table, act: Act, of: Option<u64>, watch: Watch<'w>) -> Self {
        let so_far = Progress {
            table: table.name,
            act,
            rows: 0,
            of,
            done: false,
        };
        watch(so_far.clone());
        Self { so_far, watch }
    }

    fn row(&mut self) {
        self.so_far.rows += 1;
        if self.so_far.rows.is_multiple_of(SIGN) {
            (self.watch)(self.so_far.clone());
        }
    }

    fn end(self) {
        (self.watch)(Progress {
            done: true,
            ..self.so_far
        });
    }
}

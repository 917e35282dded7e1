//! Moving in: the databases of other todo applications, read without touching them.
//!
//! **What this crate is.** [`run`] brings a source in and writes a receipt, by which [`verify`] and [`rollback`] go.
//! [`Source::open`] takes a SQLite file or a PostgreSQL URL, finds users and tasks by
//! looking ([`Mapping`]), and [`Source::next`] gives row after row as values of the domain, or quarantined with the
//! reason ([`Adapted`]). Every row is accounted for, and memory does not grow with the source.
//!
//! **What it must never know.** How errand stores anything: it writes through a port.
//!
//! **Where to start.** `source.rs` for the way of a row, `adapt.rs` for what becomes of its cells, `run.rs` and
//! `chunk.rs` for how it comes in.
//!
//! **How to extend it.** Another name of a column: the lists in `discover.rs`. Another form of a cell: `adapt`.

mod adapt;
mod arriving;
mod cell;
mod check;
mod chunk;
mod copy;
mod discover;
mod error;
mod filling;
mod hash;
mod incoming;
mod leftover;
mod mapping;
mod naming;
mod page;
mod postgres;
mod receipt;
mod run;
mod schema;
mod source;
mod sqlite;
mod url;

pub use check::{CheckError, Checked, RolledBack, rollback, verify};
pub use error::SourceError;
pub use incoming::{
    Adapted, Finding, Found, IncomingPassword, IncomingTask, IncomingUser, NoPassword, RowHash, Rule,
    SourceKey,
};
pub use mapping::{Mapping, MappingError};
pub use page::Counts;
pub use receipt::{ReceiptError, Refusal, Tally};
pub use run::{ImportError, Notice, Options, Outcome, Report, run};
pub use source::{Item, Kind, Source};
pub use url::Address;

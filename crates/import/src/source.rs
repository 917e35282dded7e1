//! A source, from opening to the last row.

use std::sync::Arc;

use errand_domain::task::Recurrences;

use crate::error::SourceError;
use crate::incoming::{Adapted, IncomingTask, IncomingUser};
use crate::mapping::Mapping;

/// What kind of database a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// How many rows there are in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Users.
    pub users: u64,
    /// Tasks.
    pub tasks: u64,
    /// Sessions that have not expired or been revoked, which are not taken over.
    pub live_sessions: u64,
}

/// One row of the source.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A user.
    User(Adapted<IncomingUser>),
    /// A task of the user before it, or one that belongs to nobody.
    Task(Adapted<IncomingTask>),
}

/// A todo database of somebody else, open for reading.
pub struct Source {}

impl Source {
    /// Opens what `place` names: a PostgreSQL URL, `sqlite://path` or a path. Finds users and tasks by looking, or by
    /// `mapping`. `calendar` judges recurrence rules.
    pub async fn open(
        place: &str,
        mapping: Option<Mapping>,
        calendar: Arc<dyn Recurrences>,
    ) -> Result<Self, SourceError> {
        let _ = (place, mapping, calendar);
        Err(SourceError::Missing)
    }

    /// A name for the place that tells no secret: the file's absolute path, or the URL without password and query.
    pub fn name(&self) -> &str {
        ""
    }

    /// File or server.
    pub fn kind(&self) -> Kind {
        Kind::Sqlite
    }

    /// How it is read.
    pub fn mapping(&self) -> &Mapping {
        const { &Mapping {} }
    }

    /// What is not taken over at all, in sentences for people: columns that errand has no place for, sessions.
    pub fn notes(&self) -> &[String] {
        &[]
    }

    /// SHA-256 over the file and the files beside it that belong to it, in hexadecimal; `None` for a server, where
    /// one transaction sees one state.
    pub fn hash(&self) -> Option<&str> {
        None
    }

    /// How many rows there are.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }

    /// The next row: a user, then that user's tasks, then the next user in the order of their keys; at the end the
    /// tasks that belong to nobody. `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Item>, SourceError> {
        Ok(None)
    }

    /// Begins again at the first row.
    pub async fn rewind(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Hashes the source again, after the last row: [`Self::hash`] unless somebody wrote to it meanwhile.
    pub async fn hash_now(&self) -> Result<Option<String>, SourceError> {
        Ok(None)
    }
}

//! A source, from opening to the last row.

use std::sync::Arc;

use errand_domain::task::Recurrences;

use crate::adapt::Adapter;
use crate::discover;
use crate::error::SourceError;
use crate::incoming::{Adapted, IncomingTask, IncomingUser, SourceKey};
use crate::mapping::{Mapping, TASKS, USERS};
use crate::page::{Counts, Page};
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::url::Place;

/// What kind of database a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
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
#[derive(Debug)]
pub struct Source {
    database: Database,
    name: String,
    mapping: Mapping,
    notes: Vec<String>,
    counts: Counts,
    adapter: Adapter,
    users: Page,
    tasks: Page,
    /// The user whose tasks come next.
    current: Option<SourceKey>,
}

#[derive(Debug)]
enum Database {
    Sqlite(Box<Sqlite>),
    Postgres(Box<Postgres>),
}

impl Source {
    /// Opens what `place` names: a PostgreSQL URL, `sqlite://path` or a path. Finds users and tasks by looking, or by
    /// `mapping`. `calendar` judges recurrence rules.
    ///
    /// A file is copied to a private place and read there: nothing is ever made or changed beside it, whatever its
    /// journal mode. A server is read in one read-only transaction that sees one state.
    pub async fn open(
        place: &str,
        mapping: Option<Mapping>,
        calendar: Arc<dyn Recurrences>,
    ) -> Result<Self, SourceError> {
        let wanted = mapping.unwrap_or_default();
        let (database, name, mapping, notes, counts) = match Place::parse(place)? {
            Place::File(path) => {
                let mut sqlite = Sqlite::open(&path).await?;
                let tables = sqlite.tables().await?;
                let mapping = discover::discover(&tables, &wanted)?;
                let counts = sqlite.prepare(&mapping, &tables).await?;
                let name = sqlite.path.display().to_string();
                let notes = discover::notes(&tables, &mapping);
                (Database::Sqlite(Box::new(sqlite)), name, mapping, notes, counts)
            }
            Place::Server(url) => {
                let mut postgres = Postgres::open(&url).await?;
                let tables = postgres.tables().await?;
                let mapping = discover::discover(&tables, &wanted)?;
                let counts = postgres.prepare(&mapping, &tables).await?;
                let notes = discover::notes(&tables, &mapping);
                (
                    Database::Postgres(Box::new(postgres)),
                    url.name(),
                    mapping,
                    notes,
                    counts,
                )
            }
        };
        Ok(Self {
            adapter: Adapter::new(&mapping, calendar),
            database,
            name,
            mapping,
            notes,
            counts,
            users: Page::new(),
            tasks: Page::new(),
            current: None,
        })
    }

    /// A name for the place that tells no secret: the file's absolute path, or the URL without user, password and
    /// parameters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// File or server.
    pub fn kind(&self) -> Kind {
        match self.database {
            Database::Sqlite(_) => Kind::Sqlite,
            Database::Postgres(_) => Kind::Postgres,
        }
    }

    /// How it is read.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The names of the tables of users and of tasks.
    pub fn tables(&self) -> [String; 2] {
        [&USERS, &TASKS].map(|section| {
            let part = self.mapping.part(section);
            part.and_then(|part| part.table.clone()).unwrap_or_default()
        })
    }

    /// What is not taken over at all, in sentences for people: columns that errand has no place for, sessions.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// SHA-256 over the file and the files beside it that belong to it, in hexadecimal; `None` for a server, where
    /// one transaction sees one state.
    pub fn hash(&self) -> Option<&str> {
        match &self.database {
            Database::Sqlite(sqlite) => Some(&sqlite.hash),
            Database::Postgres(_) => None,
        }
    }

    /// How many rows there are.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The next row: a user, then that user's tasks, then the next user in the order of their keys; at the end the
    /// tasks that belong to nobody. `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Item>, SourceError> {
        if self.tasks.is_empty() {
            self.tasks = self.database.tasks().await?;
        }
        let owner = self.tasks.front().map(|task| task.owner.as_deref());
        let is_of_current =
            matches!((owner, &self.current), (Some(Some(owner)), Some(current)) if owner == current.0);
        if !is_of_current {
            if self.users.is_empty() {
                self.users = self.database.users().await?;
            }
            if let Some(raw) = self.users.pop_front() {
                let user = self.adapter.user(raw.cells);
                self.current = Some(match &user {
                    Adapted::Imported { value, .. } => value.key.clone(),
                    Adapted::Quarantined { key, .. } => key.clone(),
                });
                return Ok(Some(Item::User(user)));
            }
            self.current = None;
            // Behind the last user there are tasks of nobody only, since both are in the order of the users.
            if matches!(owner, Some(Some(_))) {
                return Err(SourceError::Read(
                    "the order of its rows is not that of its keys".to_owned(),
                ));
            }
        }
        let task = self.tasks.pop_front();
        Ok(task.map(|raw| Item::Task(self.adapter.task(self.current.clone(), raw.cells))))
    }

    /// Begins again at the first row.
    pub async fn rewind(&mut self) -> Result<(), SourceError> {
        match &mut self.database {
            Database::Sqlite(sqlite) => sqlite.rewind(),
            Database::Postgres(postgres) => postgres.rewind().await?,
        }
        self.adapter.rewind();
        self.users.clear();
        self.tasks.clear();
        self.current = None;
        Ok(())
    }

    /// Hashes the source again, after the last row: [`Self::hash`] unless somebody wrote to it meanwhile.
    pub async fn hash_now(&self) -> Result<Option<String>, SourceError> {
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.hash_now().await.map(Some),
            Database::Postgres(_) => Ok(None),
        }
    }
}

impl Database {
    async fn users(&mut self) -> Result<Page, SourceError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.users().await,
            Self::Postgres(postgres) => postgres.users().await,
        }
    }

    async fn tasks(&mut self) -> Result<Page, SourceError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.tasks().await,
            Self::Postgres(postgres) => postgres.tasks().await,
        }
    }
}

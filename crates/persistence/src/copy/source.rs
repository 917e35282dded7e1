//! The database that is copied: read in one moment, and never written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sea_orm::{FromQueryResult, QueryResult};
use sqlx::AssertSqlSafe;

use super::conn::{Conn, Driver, Schema};
use super::error::{CopyError, Side};
use super::tables::{Table, USERS};
use crate::connect::Settings;
use crate::fence::EVERYONE;
use crate::policies::{self, State};
use crate::url::Target;

/// A snapshot.
pub struct Source {
    pub conn: Conn,
    path: Option<PathBuf>,
    /// The tables of which the role sees one user's rows at a time, and the users.
    held: BTreeSet<String>,
    owners: Vec<String>,
    pub last_user_id: i64,
}

impl Source {
    /// Looks whether it can be copied. From here on it is read as it is now, whoever writes.
    pub async fn open(settings: &Settings) -> Result<Self, CopyError> {
        let (conn, path) = match settings.url.target() {
            Target::Postgres(url) => (Conn::postgres(Side::Source, url, settings).await?, None),
            Target::Sqlite(path) => {
                if matches!(path.try_exists(), Ok(false)) {
                    return Err(CopyError::Missing(path.clone()));
                }
                (
                    Conn::sqlite(Side::Source, path, true).await?,
                    Some(path.to_owned()),
                )
            }
        };
        let mut source = Self {
            conn,
            path,
            held: BTreeSet::new(),
            owners: Vec::new(),
            last_user_id: 0,
        };
        source.begin().await?;
        // In PostgreSQL of now, and so of no user less than there are.
        source.last_user_id = source.conn.last_user_id().await?;
        Ok(source)
    }

    /// The file, if it is SQLite.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    async fn begin(&mut self) -> Result<(), CopyError> {
        let begin = match self.conn.driver {
            Driver::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Driver::Sqlite(_) => "BEGIN",
        };
        self.conn.run(begin).await?;
        self.conn.lift_limits().await?;
        if self.conn.schema().await? == Schema::Absent {
            return Err(CopyError::NotErrands(Side::Source));
        }
        if let Some(path) = &self.path {
            // A row that an index has lost would be left behind in silence.
            let said = self.conn.texts("PRAGMA integrity_check(1)").await?.concat();
            if said != "ok" {
                let path = path.clone();
                return Err(CopyError::Damaged { path, said });
            }
        }
        self.look_at_policies().await
    }

    /// What policies hide is not copied, so only errand's own will do: they let every user's rows be seen, one
    /// user's at a time.
    async fn look_at_policies(&mut self) -> Result<(), CopyError> {
        let failed = self.conn.failed();
        let Driver::Postgres(conn) = &mut self.conn.driver else {
            return Ok(());
        };
        let rows = sqlx::query(AssertSqlSafe(policies::look())).fetch_all(&mut **conn);
        for row in rows.await.map_err(&failed)? {
            let state = State::from_query_result(&QueryResult::from(row), "")
                .map_err(|_| CopyError::NotErrands(Side::Source))?;
            if state.held {
                if !state.is_guarded() {
                    return Err(CopyError::Hidden(state.name));
                }
                self.held.insert(state.name);
            }
        }
        if !self.held.is_empty() {
            self.conn.enter(EVERYONE).await?;
            let owners = format!("SELECT id::text FROM {USERS} ORDER BY id");
            self.owners = self.conn.texts(owners).await?;
        }
        Ok(())
    }

    /// As whom a table is read, one after the other, to see all of it in the order of its keys.
    pub fn scopes(&self, table: &Table) -> Vec<String> {
        if self.held.contains(table.name) && table.name != USERS {
            self.owners.clone()
        } else {
            vec![EVERYONE.to_owned()]
        }
    }

    /// How many rows a table has, unless that takes more than one look.
    pub async fn count(&mut self, table: &Table) -> Result<Option<u64>, CopyError> {
        if self.scopes(table).len() != 1 {
            return Ok(None);
        }
        self.conn.enter(EVERYONE).await?;
        Ok(u64::try_from(self.conn.count(table).await?).ok())
    }

    /// Takes a lock that only this database has, to be known by.
    pub async fn sign(&mut self) -> Result<Option<i64>, CopyError> {
        match self.conn.driver {
            Driver::Postgres(_) => {
                let key = self
                    .conn
                    .number("SELECT floor(random() * 1000000000000000)::bigint")
                    .await?;
                self.conn
                    .run(format!("SELECT pg_advisory_xact_lock({key})"))
                    .await?;
                Ok(Some(key))
            }
            Driver::Sqlite(_) => Ok(None),
        }
    }
}

/// What reading leaves beside a file of SQLite: an empty log and its index, which only a writer takes away.
pub struct Trace(Option<PathBuf>);

impl Trace {
    /// To be called before anything is opened.
    pub fn before(settings: &Settings) -> Self {
        let lacks = |path: &Path, tail: &str| {
            let mut beside = path.as_os_str().to_owned();
            beside.push(tail);
            matches!(PathBuf::from(beside).try_exists(), Ok(false))
        };
        let path = settings.url.sqlite_path();
        // What is in a log is not for a copy to put into the file, nor what a crash left half done to be undone there.
        let path =
            path.filter(|path| keeps_log(path) && ["-wal", "-journal"].iter().all(|tail| lacks(path, tail)));
        Self(path.map(Path::to_owned))
    }

    /// As SQLite does when the last one goes, if this is the last one.
    pub async fn remove(self) {
        let Some(path) = self.0 else { return };
        if let Ok(mut conn) = Conn::sqlite(Side::Source, &path, false).await {
            drop(conn.number("SELECT count(*) FROM sqlite_schema").await);
            drop(conn.close().await);
        }
    }
}

/// Whether a file of SQLite is one that is read with a log beside it; its head says so.
fn keeps_log(path: &Path) -> bool {
    let mut head = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head.ends_with(&[2, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::DatabaseUrl;

    async fn made(path: &Path, sql: &'static str) {
        let made = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let mut conn = sqlx::ConnectOptions::connect(&made).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        sqlx::Connection::close(conn).await.unwrap();
    }

    /// Opened for writing, what a crash broke off would be undone, and the journal go.
    #[tokio::test]
    async fn only_a_file_with_a_log_is_opened_for_more_than_reading() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("errand.db");
        let settings = Settings::new(DatabaseUrl::sqlite(path.clone()));
        assert_eq!(Trace::before(&settings).0, None, "no file");
        made(&path, "PRAGMA journal_mode = DELETE; CREATE TABLE x (y)").await;
        assert_eq!(Trace::before(&settings).0, None, "a journal");
        made(&path, "PRAGMA journal_mode = WAL").await;
        assert_eq!(Trace::before(&settings).0, Some(path.clone()), "a log");
        for beside in ["errand.db-wal", "errand.db-journal"] {
            let beside = dir.path().join(beside);
            std::fs::write(&beside, "x").unwrap();
            assert_eq!(Trace::before(&settings).0, None, "{}", beside.display());
            std::fs::remove_file(beside).unwrap();
        }
    }
}

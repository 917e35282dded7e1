//! Reading SQLite.

use std::path::{Path, PathBuf};
use std::time::Duration;

use errand_domain::UserId;
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection, TypeInfo, ValueRef};
use tracing::log::LevelFilter;

use crate::cell::{CELL_BYTES, Cell, Encoding, Text};
use crate::copy::{self, Copied};
use crate::error::{SourceError, one_line};
use crate::mapping::{ACCOUNTS, Mapping, SESSIONS, TAGS, TASK_TAGS, TASKS, USERS};
use crate::page::{Counts, ID_MAX, Known, Page, Raw};
use crate::schema::{Column, Table, quote};

/// A page ends when its cells hold so much, so that long texts do not fill the memory.
const PAGE_BYTES: usize = 4 << 20;
const PAGE_ROWS: usize = 1000;

/// An open copy of a file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    /// Of the original.
    pub path: PathBuf,
    pub hash: String,
    conn: SqliteConnection,
    /// How the bytes of a text are to be read.
    encoding: Encoding,
    users: Cursor,
    tasks: Cursor,
}

/// Where to go on with a list of rows that was put in order once.
#[derive(Debug, Default)]
struct Cursor {
    sql: String,
    cells: usize,
    place: i64,
    is_over: bool,
}

impl Cursor {
    fn new(owner: &str, cells: &[String], from: &str) -> Self {
        let columns = cells.join(", ");
        Self {
            sql: format!("SELECT o.n, {owner}, {columns} FROM {from} WHERE o.n > ?1 ORDER BY o.n LIMIT ?2"),
            cells: cells.len(),
            ..Self::default()
        }
    }
}

impl Sqlite {
    pub async fn open(path: &Path) -> Result<Self, SourceError> {
        let path = copy::resolve(path)?;
        let copied = blocking(&path, copy::copy).await?;
        let Copied { dir, file, hash } = copied;
        let mut conn = SqliteConnectOptions::new()
            .filename(&file)
            .foreign_keys(false)
            .statement_cache_capacity(8)
            .log_statements(LevelFilter::Off)
            .log_slow_statements(LevelFilter::Off, Duration::ZERO)
            .connect()
            .await
            .map_err(|error| SourceError::read(&error))?;
        // The log goes into the file, and from then on the copy needs no name: whatever happens, none is left.
        for pragma in [
            "PRAGMA trusted_schema = OFF",
            "PRAGMA cell_size_check = ON",
            "PRAGMA temp_store = FILE",
            "PRAGMA journal_mode = DELETE",
        ] {
            run(&mut conn, pragma).await?;
        }
        drop(dir);
        let said: String = one(&mut conn, "PRAGMA integrity_check(1)").await?;
        if said != "ok" {
            return Err(SourceError::Damaged(one_line(&said)));
        }
        let encoding: String = one(&mut conn, "PRAGMA encoding").await?;
        let encoding = match encoding.as_str() {
            "UTF-16le" => Encoding::Utf16Le,
            "UTF-16be" => Encoding::Utf16Be,
            _ => Encoding::Utf8,
        };
        Ok(Self {
            path,
            hash,
            conn,
            encoding,
            users: Cursor::default(),
            tasks: Cursor::default(),
        })
    }

    /// Of the original, as it is now.
    pub async fn hash_now(&self) -> Result<String, SourceError> {
        blocking(&self.path, copy::hash).await
    }

    pub async fn tables(&mut self) -> Result<Vec<Table>, SourceError> {
        let sql = "SELECT t.name, t.wr, c.name, lower(c.type) FROM pragma_table_list t \
                   JOIN pragma_table_info(t.name, 'main') c \
                   WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                   ORDER BY t.name, c.cid";
        let rows: Vec<(String, bool, String, String)> = sqlx::query_as(sql)
            .fetch_all(&mut self.conn)
            .await
            .map_err(|error| SourceError::read(&error))?;
        let mut tables: Vec<(Table, bool)> = Vec::new();
        for (name, without_row, column, kind) in rows {
            let column = Column { name: column, kind };
            match tables.last_mut() {
                Some((table, _)) if table.name == name => table.columns.push(column),
                _ => tables.push((
                    Table {
                        quoted: format!("main.{}", quote(&name)),
                        name,
                        usual: true,
                        columns: vec![column],
                        row: None,
                    },
                    without_row,
                )),
            }
        }
        let finish = |(mut table, without_row): (Table, bool)| {
            let is_free = |name: &&str| !table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
            table.row = ["rowid", "_rowid_", "oid"]
                .into_iter()
                .find(is_free)
                .filter(|_| !without_row);
            table
        };
        Ok(tables.into_iter().map(finish).collect())
    }

    /// Puts the rows in order, so that pages of them cost the same everywhere.
    pub async fn prepare(&mut self, mapping: &Mapping, tables: &[Table]) -> Result<Counts, SourceError> {
        let users = Known::new(mapping, tables, &USERS)?;
        let tasks = Known::new(mapping, tables, &TASKS)?;
        for known in [&users, &tasks] {
            let key = known.of("x", "key");
            // As they are read: 7.0 is 7, and 16 bytes are their digits.
            let read = format!(
                "CASE WHEN typeof({key}) = 'real' AND {key} = CAST({key} AS INTEGER) THEN CAST({key} AS INTEGER) \
                 WHEN typeof({key}) = 'blob' AND length({key}) = 16 THEN lower(hex({key})) ELSE {key} END"
            );
            let sql = format!(
                "SELECT count(*) - min(count(DISTINCT {key}), count(DISTINCT CAST({read} AS TEXT))) FROM {} x",
                known.table.quoted
            );
            let rows: i64 = one(&mut self.conn, sql).await?;
            known.check_keys(rows)?;
        }
        let (ut, tt) = (&users.table.quoted, &tasks.table.quoted);
        let (ukey, tkey, owner) = (users.of("u", "key"), tasks.of("t", "key"), tasks.of("t", "owner"));
        let (urow, trow) = (row(&users, "u"), row(&tasks, "t"));
        for sql in [
            "CREATE TEMP TABLE errand_users (n INTEGER PRIMARY KEY, r)".to_owned(),
            format!("INSERT INTO temp.errand_users (r) SELECT {urow} FROM {ut} u ORDER BY {ukey}"),
            "CREATE TEMP TABLE errand_tasks (n INTEGER PRIMARY KEY, u, r)".to_owned(),
            format!(
                "INSERT INTO temp.errand_tasks (u, r) SELECT {urow}, {trow} FROM {tt} t \
                 LEFT JOIN {ut} u ON {ukey} = {owner} ORDER BY {ukey} IS NULL, {ukey}, {tkey}"
            ),
        ] {
            run(&mut self.conn, sql).await?;
        }

        let mut cells = users.cells("u", cell);
        let mut join = String::new();
        if let Some(accounts) = Known::optional(mapping, tables, &ACCOUNTS)? {
            let (user, provider) = (accounts.of("x", "user"), accounts.of("x", "provider"));
            let (password, table) = (accounts.of("x", "password"), &accounts.table.quoted);
            let select = format!(
                "SELECT {user} AS k, max({password}) AS v FROM {table} x WHERE {provider} = 'credential' GROUP BY 1"
            );
            join = self.join("errand_passwords", &select, &ukey).await?;
            cells.push(cell("errand_passwords.v"));
        }
        self.users = Cursor::new(
            "NULL",
            &cells,
            &format!("temp.errand_users o JOIN {ut} u ON {urow} = o.r{join}"),
        );

        let mut cells = tasks.cells("t", cell);
        let mut join = String::new();
        let tags = Known::optional(mapping, tables, &TAGS)?;
        if let (Some(tags), Some(links)) = (tags, Known::optional(mapping, tables, &TASK_TAGS)?) {
            let (task, tag, name) = (links.of("l", "task"), links.of("l", "tag"), tags.of("g", "name"));
            let (key, lt, gt) = (tags.of("g", "key"), &links.table.quoted, &tags.table.quoted);
            let select = format!(
                "SELECT {task} AS k, json_group_array(CAST({name} AS TEXT) ORDER BY {key}) AS v \
                 FROM {lt} l JOIN {gt} g ON {key} = {tag} GROUP BY 1"
            );
            join = self.join("errand_tags", &select, &tkey).await?;
            cells.push(cell("errand_tags.v"));
        }
        self.tasks = Cursor::new(
            &cell(&ukey),
            &cells,
            &format!(
                "temp.errand_tasks o JOIN {tt} t ON {trow} = o.r LEFT JOIN {ut} u ON {urow} = o.u{join}"
            ),
        );
        Ok(Counts {
            users: count(&mut self.conn, format!("SELECT count(*) FROM {ut}")).await?,
            tasks: count(&mut self.conn, format!("SELECT count(*) FROM {tt}")).await?,
            greatest_user: greatest(
                &mut self.conn,
                format!("SELECT {} FROM {ut} u", cell(&ukey)),
                self.encoding,
            )
            .await?,
            live_sessions: match Known::optional(mapping, tables, &SESSIONS)? {
                Some(sessions) => count(&mut self.conn, live(&sessions)).await?,
                None => 0,
            },
        })
    }

    /// A value for each key, from other tables.
    async fn join(&mut self, name: &str, select: &str, key: &str) -> Result<String, SourceError> {
        run(&mut self.conn, format!("CREATE TEMP TABLE {name} AS {select}")).await?;
        run(
            &mut self.conn,
            format!("CREATE INDEX temp.{name}_k ON {name} (k)"),
        )
        .await?;
        Ok(format!(" LEFT JOIN temp.{name} ON {name}.k = {key}"))
    }

    pub fn rewind(&mut self) {
        for cursor in [&mut self.users, &mut self.tasks] {
            cursor.place = 0;
            cursor.is_over = false;
        }
    }

    pub async fn users(&mut self) -> Result<Page, SourceError> {
        page(&mut self.conn, &mut self.users, self.encoding).await
    }

    pub async fn tasks(&mut self) -> Result<Page, SourceError> {
        page(&mut self.conn, &mut self.tasks, self.encoding).await
    }
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: fn(&Path) -> Result<T, SourceError>,
) -> Result<T, SourceError> {
    let path = path.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&path)).await;
    done.unwrap_or_else(|_| Err(SourceError::Copy(std::io::ErrorKind::Other.into())))
}

async fn page(
    conn: &mut SqliteConnection,
    cursor: &mut Cursor,
    encoding: Encoding,
) -> Result<Page, SourceError> {
    let mut page = Page::new();
    if cursor.is_over {
        return Ok(page);
    }
    let mut bytes = 0;
    let mut rows = sqlx::query(AssertSqlSafe(cursor.sql.clone()))
        .bind(cursor.place)
        .bind(i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX))
        .fetch(conn);
    while bytes < PAGE_BYTES {
        let Some(row) = rows.try_next().await.map_err(|error| SourceError::read(&error))? else {
            break;
        };
        cursor.place = row.try_get(0).map_err(|error| SourceError::read(&error))?;
        let owner = value(&row, 1, encoding, &mut bytes)?;
        let mut cells = Vec::with_capacity(cursor.cells);
        for index in 0..cursor.cells {
            cells.push(value(&row, index + 2, encoding, &mut bytes)?);
        }
        page.push_back(Raw {
            owner: owner.text().map(|text| text.body),
            cells,
        });
    }
    cursor.is_over = page.len() < PAGE_ROWS && bytes < PAGE_BYTES;
    Ok(page)
}

/// The greatest key that can stay an id. Numbers may be stored as texts, reals or bytes; each is read as its row will be.
async fn greatest(conn: &mut SqliteConnection, keys: String, encoding: Encoding) -> Result<i64, SourceError> {
    let mut greatest = 0;
    let mut rows = sqlx::query(AssertSqlSafe(keys)).fetch(conn);
    while let Some(row) = rows.try_next().await.map_err(|error| SourceError::read(&error))? {
        let key = value(&row, 0, encoding, &mut 0)?.text();
        let id = key.and_then(|key| UserId::parse(&key.body));
        greatest = id
            .map(|id| id.0)
            .filter(|id| *id <= ID_MAX)
            .unwrap_or(0)
            .max(greatest);
    }
    Ok(greatest)
}

fn value(row: &SqliteRow, index: usize, encoding: Encoding, bytes: &mut usize) -> Result<Cell, SourceError> {
    let failed = |error| SourceError::read(&error);
    let raw = row.try_get_raw(index).map_err(failed)?;
    let kind = raw.type_info();
    let cell = match kind.name() {
        "NULL" => Cell::Null,
        "INTEGER" => Cell::Integer(row.try_get_unchecked(index).map_err(failed)?),
        "REAL" => Cell::Real(row.try_get_unchecked(index).map_err(failed)?),
        kind => {
            let found: Vec<u8> = row.try_get_unchecked(index).map_err(failed)?;
            *bytes += found.len();
            match kind {
                // As UTF-8, however it is stored.
                "TEXT" => Cell::Text(Text::decode(&found, Encoding::Utf8, false)),
                _ if found.len() >= CELL_BYTES => Cell::Text(Text::decode(&found, encoding, true)),
                _ => Cell::Blob(found),
            }
        }
    };
    *bytes += size_of::<Cell>();
    Ok(cell)
}

/// What a row is found by again.
fn row(known: &Known<'_>, alias: &str) -> String {
    match known.table.row {
        Some(row) => format!("{alias}.{row}"),
        None => known.of(alias, "key"),
    }
}

/// An expression with nothing of a huge text but its beginning, as bytes: those of a text end at a NUL otherwise.
fn cell(column: &str) -> String {
    format!(
        "CASE WHEN octet_length({column}) >= {CELL_BYTES} THEN substr(CAST({column} AS BLOB), 1, {CELL_BYTES}) \
         ELSE {column} END"
    )
}

/// Counts what a clock says is not over: texts, seconds or milliseconds.
fn live(sessions: &Known<'_>) -> String {
    let table = &sessions.table.quoted;
    let revoked = if sessions.has("revoked") {
        sessions.of("x", "revoked")
    } else {
        "0".to_owned()
    };
    let at = if sessions.has("expires_at") {
        sessions.of("x", "expires_at")
    } else {
        "NULL".to_owned()
    };
    format!(
        "SELECT count(*) FROM {table} x WHERE NOT coalesce({revoked}, 0) \
         AND CASE WHEN typeof({at}) IN ('integer', 'real') \
                  THEN {at} > unixepoch() * CASE WHEN {at} > 100000000000 THEN 1000 ELSE 1 END \
                  ELSE coalesce(unixepoch({at}) > unixepoch(), true) END"
    )
}

async fn run(conn: &mut SqliteConnection, sql: impl Into<String>) -> Result<(), SourceError> {
    sqlx::raw_sql(AssertSqlSafe(sql.into()))
        .execute(conn)
        .await
        .map(drop)
        .map_err(|error| SourceError::read(&error))
}

async fn one<T>(conn: &mut SqliteConnection, sql: impl Into<String>) -> Result<T, SourceError>
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    sqlx::query_scalar(AssertSqlSafe(sql.into()))
        .fetch_one(conn)
        .await
        .map_err(|error| SourceError::read(&error))
}

async fn count(conn: &mut SqliteConnection, sql: String) -> Result<u64, SourceError> {
    let count: i64 = one(conn, sql).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

//! Reading PostgreSQL, in one read-only transaction that sees one state.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row, ValueRef};

use crate::cell::{CELL_CHARS, Cell, Encoding, Text};
use crate::error::{SourceError, one_line};
use crate::mapping::{ACCOUNTS, Mapping, SESSIONS, TAGS, TASK_TAGS, TASKS, USERS};
use crate::page::{Counts, ID_MAX, Known, Page, Raw};
use crate::schema::{Column, Table, quote};
use crate::url::Url;

/// A hosted database may have to wake up first.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// A page is to hold so much, so that long texts do not fill the memory.
const PAGE_BYTES: usize = 4 << 20;
const PAGE_ROWS: usize = 500;
/// As many fit whatever is in them.
const FIRST_ROWS: usize = 20;

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Postgres {
    conn: PgConnection,
    users: String,
    tasks: String,
    /// So many rows of them the next pages have.
    users_next: usize,
    tasks_next: usize,
}

impl Postgres {
    pub async fn open(url: &Url) -> Result<Self, SourceError> {
        let refused = |reason| SourceError::Connect {
            host: url.host_and_port(),
            reason,
        };
        let options = url.options()?;
        let mut conn = tokio::time::timeout(CONNECT_WITHIN, options.connect())
            .await
            .map_err(|_| refused("no answer in time".to_owned()))?
            .map_err(|error| {
                refused(
                    error
                        .as_database_error()
                        .map_or_else(|| one_line(&error.to_string()), |said| one_line(said.message())),
                )
            })?;
        for sql in [
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            "SET LOCAL DateStyle = 'ISO, YMD'",
            "SET LOCAL TimeZone = 'UTC'",
            "SET LOCAL statement_timeout = 0",
            "SET LOCAL idle_in_transaction_session_timeout = 0",
            // Policies that would hide rows make the reading fail instead.
            "SET LOCAL row_security = off",
        ] {
            run(&mut conn, sql.to_owned()).await?;
        }
        Ok(Self {
            conn,
            users: String::new(),
            tasks: String::new(),
            users_next: FIRST_ROWS,
            tasks_next: FIRST_ROWS,
        })
    }

    pub async fn tables(&mut self) -> Result<Vec<Table>, SourceError> {
        let sql = "SELECT n.nspname::text, c.relname::text, coalesce(n.nspname = current_schema(), false), \
                          a.attname::text, format_type(a.atttypid, NULL)::text \
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                   WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
                     AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
                   ORDER BY n.nspname, c.relname, a.attnum";
        let rows: Vec<(String, String, bool, String, String)> = sqlx::query_as(sql)
            .fetch_all(&mut self.conn)
            .await
            .map_err(|error| SourceError::read(&error))?;
        let mut tables: Vec<Table> = Vec::new();
        for (schema, name, usual, column, kind) in rows {
            let column = Column { name: column, kind };
            let quoted = format!("{}.{}", quote(&schema), quote(&name));
            match tables.last_mut() {
                Some(table) if table.quoted == quoted => table.columns.push(column),
                _ => tables.push(Table {
                    name: if usual { name } else { format!("{schema}.{name}") },
                    quoted,
                    usual,
                    columns: vec![column],
                    row: None,
                }),
            }
        }
        Ok(tables)
    }

    /// Opens the cursors.
    pub async fn prepare(&mut self, mapping: &Mapping, tables: &[Table]) -> Result<Counts, SourceError> {
        let users = Known::new(mapping, tables, &USERS)?;
        let tasks = Known::new(mapping, tables, &TASKS)?;
        for known in [&users, &tasks] {
            let (key, table) = (known.of("x", "key"), &known.table.quoted);
            let sql = format!(
                "SELECT count(*) - least(count(DISTINCT {key}), count(DISTINCT {key}::text)) FROM {table} x"
            );
            known.check_keys(self.number(sql).await?)?;
        }
        let (ut, tt) = (&users.table.quoted, &tasks.table.quoted);
        let (ukey, tkey) = (users.of("u", "key"), tasks.of("t", "key"));

        let mut cells = users.cells("u", |column| cell(column, &users));
        let mut joins = String::new();
        if let Some(accounts) = Known::optional(mapping, tables, &ACCOUNTS)? {
            let (user, provider) = (accounts.of("x", "user"), accounts.of("x", "provider"));
            let (password, table) = (accounts.of("x", "password"), &accounts.table.quoted);
            let same = same(&ukey, &kind(&users, "key"), "a.k", &kind(&accounts, "user"));
            joins = format!(
                " LEFT JOIN (SELECT {user} AS k, max({password}::text) AS v FROM {table} x \
                 WHERE {provider}::text = 'credential' GROUP BY 1) a ON {same}"
            );
            cells.push(format!("left(a.v, {})", CELL_CHARS + 1));
        }
        self.users = format!(
            "DECLARE errand_users NO SCROLL CURSOR FOR SELECT NULL::text, {} FROM {ut} u{joins} ORDER BY {ukey}",
            cells.join(", ")
        );

        let mut cells = tasks.cells("t", |column| cell(column, &tasks));
        let owner = tasks.of("t", "owner");
        let same_owner = same(&ukey, &kind(&users, "key"), &owner, &kind(&tasks, "owner"));
        let mut join = String::new();
        let tags = Known::optional(mapping, tables, &TAGS)?;
        if let (Some(tags), Some(links)) = (tags, Known::optional(mapping, tables, &TASK_TAGS)?) {
            let (task, tag) = (links.of("l", "task"), links.of("l", "tag"));
            let (name, key) = (tags.of("g", "name"), tags.of("g", "key"));
            let (lt, gt) = (&links.table.quoted, &tags.table.quoted);
            let same_tag = same(&key, &kind(&tags, "key"), &tag, &kind(&links, "tag"));
            let same_task = same(&tkey, &kind(&tasks, "key"), "g.k", &kind(&links, "task"));
            join = format!(
                " LEFT JOIN (SELECT {task} AS k, json_agg({name}::text ORDER BY {key})::text AS v FROM {lt} l \
                 JOIN {gt} g ON {same_tag} GROUP BY 1) g ON {same_task}"
            );
            cells.push(format!("left(g.v, {})", CELL_CHARS + 1));
        }
        self.tasks = format!(
            "DECLARE errand_tasks NO SCROLL CURSOR FOR SELECT {}, {} FROM {tt} t \
             LEFT JOIN {ut} u ON {same_owner}{join} \
             ORDER BY {ukey} NULLS LAST, {tkey}",
            cell(&ukey, &users),
            cells.join(", ")
        );
        self.open_cursors().await?;
        let count = |number| u64::try_from(number).unwrap_or_default();
        let live_sessions = match Known::optional(mapping, tables, &SESSIONS)? {
            Some(sessions) => self.number(live(&sessions)).await?,
            None => 0,
        };
        let greatest_user = format!(
            "SELECT coalesce(max(id), 0) FROM (SELECT CASE WHEN {ukey}::text ~ '^[1-9][0-9]{{0,15}}$' \
             THEN {ukey}::text::bigint END AS id FROM {ut} u) u WHERE id <= {ID_MAX}"
        );
        Ok(Counts {
            greatest_user: self.number(greatest_user).await?,
            users: count(self.number(format!("SELECT count(*) FROM {ut}")).await?),
            tasks: count(self.number(format!("SELECT count(*) FROM {tt}")).await?),
            live_sessions: count(live_sessions),
        })
    }

    pub async fn rewind(&mut self) -> Result<(), SourceError> {
        for sql in ["CLOSE errand_users", "CLOSE errand_tasks"] {
            run(&mut self.conn, sql.to_owned()).await?;
        }
        self.open_cursors().await
    }

    pub async fn users(&mut self) -> Result<Page, SourceError> {
        page(&mut self.conn, "errand_users", &mut self.users_next).await
    }

    pub async fn tasks(&mut self) -> Result<Page, SourceError> {
        page(&mut self.conn, "errand_tasks", &mut self.tasks_next).await
    }

    async fn open_cursors(&mut self) -> Result<(), SourceError> {
        run(&mut self.conn, self.users.clone()).await?;
        run(&mut self.conn, self.tasks.clone()).await
    }

    async fn number(&mut self, sql: String) -> Result<i64, SourceError> {
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.conn)
            .await
            .map_err(|error| SourceError::read(&error))
    }
}

/// How many rows to ask for after so many with so many bytes: as many more as would fill a page if they are like them,
/// and no more than twice as many, because they may not be.
fn next_rows(rows: usize, bytes: usize) -> usize {
    let fit = rows.saturating_mul(PAGE_BYTES) / bytes.max(1);
    fit.min(rows.saturating_mul(2)).clamp(1, PAGE_ROWS)
}

async fn page(conn: &mut PgConnection, cursor: &str, rows_next: &mut usize) -> Result<Page, SourceError> {
    let failed = |error| SourceError::read(&error);
    let mut page = Page::new();
    let mut bytes = 0;
    let fetch = format!("FETCH FORWARD {rows_next} FROM {cursor}");
    // A statement is prepared for one number of rows.
    let mut rows = sqlx::query(AssertSqlSafe(fetch)).persistent(false).fetch(conn);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let owner = value(&row, 0)?;
        let cells = (1..row.len())
            .map(|index| value(&row, index))
            .collect::<Result<_, _>>()?;
        bytes += (0..row.len())
            .filter_map(|index| row.try_get_raw(index).ok()?.as_bytes().ok())
            .map(|cell| cell.len() + size_of::<Cell>())
            .sum::<usize>();
        page.push_back(Raw {
            owner: owner.text().map(|text| text.body),
            cells,
        });
    }
    if !page.is_empty() {
        *rows_next = next_rows(page.len(), bytes);
    }
    Ok(page)
}

fn value(row: &PgRow, index: usize) -> Result<Cell, SourceError> {
    let failed = |error| SourceError::read(&error);
    if row.try_get_raw(index).map_err(failed)?.is_null() {
        return Ok(Cell::Null);
    }
    // As bytes: a database without an encoding holds anything.
    let bytes: &[u8] = row.try_get_unchecked(index).map_err(failed)?;
    let text = Text::decode(bytes, Encoding::Utf8, false);
    let is_cut = text.body.chars().nth(CELL_CHARS).is_some();
    Ok(Cell::Text(Text { is_cut, ..text }))
}

/// A column as text, with nothing of a huge one but its beginning; an array as JSON.
fn cell(column: &str, known: &Known<'_>) -> String {
    let is_array = known
        .table
        .columns
        .iter()
        .any(|found| column.ends_with(&format!(".{}", quote(&found.name))) && found.kind.ends_with("[]"));
    let text = if is_array {
        format!("to_json({column})::text")
    } else {
        format!("{column}::text")
    };
    format!("left({text}, {})", CELL_CHARS + 1)
}

/// The declared type of a mapped column.
fn kind(known: &Known<'_>, field: &str) -> String {
    let column = known.part.column(field).and_then(|name| known.table.column(name));
    column.map(|column| column.kind.clone()).unwrap_or_default()
}

/// Whether two columns are equal, whatever types they have.
fn same(one: &str, one_kind: &str, other: &str, other_kind: &str) -> String {
    if one_kind == other_kind {
        format!("{one} = {other}")
    } else {
        format!("{one}::text = {other}::text")
    }
}

fn live(sessions: &Known<'_>) -> String {
    let is_revoked = match kind(sessions, "revoked").as_str() {
        "boolean" => sessions.of("x", "revoked"),
        _ => "false".to_owned(),
    };
    let expires_at = if kind(sessions, "expires_at").starts_with("timestamp") {
        sessions.of("x", "expires_at")
    } else {
        "'infinity'".to_owned()
    };
    // The transaction is in UTC, so a time without a zone is read as such.
    let table = &sessions.table.quoted;
    format!(
        "SELECT count(*) FROM {table} x WHERE {is_revoked} IS NOT TRUE AND {expires_at}::timestamptz > now()"
    )
}

async fn run(conn: &mut PgConnection, sql: String) -> Result<(), SourceError> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(conn)
        .await
        .map(drop)
        .map_err(|error| SourceError::read(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_filled_and_not_more() {
        assert_eq!(next_rows(20, 2_000), 40);
        assert_eq!(next_rows(400, 40_000), PAGE_ROWS);
        assert_eq!(next_rows(500, 4 * PAGE_BYTES), 125);
        assert_eq!(next_rows(100, PAGE_BYTES), 100);
        assert_eq!(next_rows(2, 4 * PAGE_BYTES), 1);
        assert_eq!(next_rows(1, 0), 2);
    }
}

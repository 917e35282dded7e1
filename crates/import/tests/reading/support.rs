//! Opening sources, and saying in lines what came of their rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use errand_import::{
    Adapted, Finding, IncomingPassword, IncomingTask, IncomingUser, Item, Mapping, Source, SourceError,
};
use errand_recurrence::CalendarRecurrences;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub async fn try_open(place: &str, mapping: Option<&str>) -> Result<Source, SourceError> {
    let mapping = mapping.map(|text| Mapping::parse(text).unwrap());
    Source::open(place, mapping, Arc::new(CalendarRecurrences)).await
}

pub async fn open(place: impl AsRef<Path>) -> Source {
    try_open(place.as_ref().to_str().unwrap(), None).await.unwrap()
}

/// Why a place cannot be opened.
pub async fn refusal(place: impl AsRef<Path>) -> String {
    try_open(place.as_ref().to_str().unwrap(), None)
        .await
        .unwrap_err()
        .to_string()
}

/// Every row; fails unless they are as many as the source says, and the same a second time.
pub async fn items(source: &mut Source) -> Vec<Item> {
    source.rewind().await.unwrap();
    let items = once(source).await;
    source.rewind().await.unwrap();
    assert!(once(source).await == items, "a second reading differs");
    let users = items.iter().filter(|item| matches!(item, Item::User(_))).count() as u64;
    let counts = source.counts();
    assert_eq!((users, items.len() as u64 - users), (counts.users, counts.tasks));
    assert_eq!(source.hash_now().await.unwrap().as_deref(), source.hash());
    items
}

async fn once(source: &mut Source) -> Vec<Item> {
    let mut items = Vec::new();
    while let Some(item) = source.next().await.unwrap() {
        items.push(item);
    }
    assert_eq!(source.next().await.unwrap(), None);
    items
}

/// Every row in a line or more, each with what was found about it.
pub async fn lines(source: &mut Source) -> Vec<String> {
    let mut lines = Vec::new();
    for item in items(source).await {
        match item {
            Item::User(Adapted::Imported { value, findings, .. }) => {
                lines.push(user(&value));
                lines.extend(findings.iter().map(finding));
            }
            Item::Task(Adapted::Imported { value, findings, .. }) => {
                lines.push(task(&value));
                lines.extend(findings.iter().map(finding));
            }
            Item::User(Adapted::Quarantined { key, why, .. }) => {
                lines.push(format!("user {} stays outside: {}", key.0, finding(&why).trim()));
            }
            Item::Task(Adapted::Quarantined { key, why, .. }) => {
                lines.push(format!(
                    "  task {} stays outside: {}",
                    key.0,
                    finding(&why).trim()
                ));
            }
        }
    }
    lines
}

fn user(user: &IncomingUser) -> String {
    let password = match &user.password {
        IncomingPassword::Hash(hash) if hash.as_str().starts_with('$') => hash.as_str()[..4].to_owned(),
        IncomingPassword::Hash(hash) => format!("{} characters", hash.as_str().len()),
        IncomingPassword::None(why) => format!("{why:?}"),
    };
    let id = user.id.map_or("-".to_owned(), |id| id.to_string());
    let (key, username, email) = (&user.key.0, user.username.as_str(), user.email.as_str());
    format!("user {key} #{id} {username} {email} {password}")
}

fn task(task: &IncomingTask) -> String {
    let id = task.id.map_or("-".to_owned(), |id| id.to_string());
    let title = short(task.title.as_str());
    let mut parts = vec![format!(
        "  task {} #{id} of {}: {title:?}",
        task.key.0, task.owner.0
    )];
    parts.extend(
        task.description
            .as_ref()
            .map(|text| format!("({})", short(text.as_str()))),
    );
    parts.extend(task.completed_at.map(|_| "done".to_owned()));
    parts.push(task.priority.as_str().to_owned());
    parts.extend(
        task.due
            .map(|due| format!("{} {due}", if due.is_date() { "on" } else { "at" })),
    );
    let tags = task.tags.as_slice();
    parts.extend((!tags.is_empty()).then(|| format!("[{}]", tags.join("|"))));
    parts.extend(
        task.recurrence
            .as_ref()
            .map(|recurrence| recurrence.rule.to_string()),
    );
    parts.join(" ")
}

fn finding(finding: &Finding) -> String {
    let column = finding.column.as_deref().unwrap_or("row");
    let (was, now) = (short(&finding.was), short(&finding.now));
    format!("    {column} {}: {was:?}, now {now:?}", finding.rule.code())
}

fn short(text: &str) -> String {
    let head: String = text.chars().take(40).collect();
    if head.len() < text.len() {
        format!("{head}~")
    } else {
        head
    }
}

/// A new SQLite file with these statements in it, and the folder in which it is alone.
pub async fn made(sql: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("todo.db");
    let mut conn = writer(&path).await;
    run(&mut conn, sql).await;
    conn.close().await.unwrap();
    (dir, path)
}

pub async fn writer(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.foreign_keys(false).connect().await.unwrap()
}

pub async fn run(conn: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .unwrap();
}

/// A plain application's tables, with two users and a task each.
pub const PLAIN: &str = "CREATE TABLE user (id INTEGER PRIMARY KEY, email TEXT, username TEXT, hashed_password TEXT);
    CREATE TABLE task (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT, description TEXT, completed BOOLEAN,
        priority TEXT, tags TEXT, due_date TEXT);
    INSERT INTO user VALUES (1, 'ann@example.org', 'ann', NULL), (2, 'bob@example.org', 'bob', NULL);
    INSERT INTO task (id, user_id, title) VALUES (1, 1, 'one'), (2, 2, 'two');";

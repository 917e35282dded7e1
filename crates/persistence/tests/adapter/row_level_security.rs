//! The second lock: statements that forget their owner, roles that would be more, settings that do not fit.

mod fitting;
mod policies;
mod roles;

use errand_conformance::{Harness, Stores};
use errand_domain::UserId;
use errand_domain::query::{PageStart, Sort, SortKey, TaskFilter, TaskQuery};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::{Guarded, UNLIMITED, at, keyed, register, session, task};

/// The tables of users' data, with the column that says whose a row is.
pub const TABLES: [(&str, &str); 9] = [
    ("users", "id"),
    ("task_counters", "user_id"),
    ("sessions", "user_id"),
    ("tasks", "user_id"),
    ("task_walks", "user_id"),
    ("security_events", "user_id"),
    ("idempotency_keys", "user_id"),
    ("imported_users", "user_id"),
    ("imported_tasks", "user_id"),
];

pub async fn run(conn: &mut PgConnection, sql: &str) -> Result<u64, sqlx::Error> {
    let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    Ok(statement.execute(conn).await?.rows_affected())
}

pub async fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    query.fetch_one(conn).await.unwrap()
}

/// Tries it and takes it back; the outcome.
pub async fn tried(conn: &mut PgConnection, sql: &str) -> Result<u64, sqlx::Error> {
    run(conn, "SAVEPOINT before").await.unwrap();
    let outcome = run(conn, sql).await;
    run(conn, "ROLLBACK TO before").await.unwrap();
    outcome
}

/// The SQLSTATE of a refusal.
#[track_caller]
pub fn code(outcome: Result<u64, sqlx::Error>) -> String {
    let error = outcome.unwrap_err();
    let error = error.as_database_error().unwrap();
    error.code().unwrap().into_owned()
}

pub async fn name(conn: &mut PgConnection, value: &str) {
    sqlx::query("SELECT set_config('errand.user_id', $1, true)")
        .bind(value)
        .execute(conn)
        .await
        .unwrap();
}

/// Somebody with a row in every table.
pub async fn moved_in(guarded: &Guarded, name: &str) -> UserId {
    let owner = populated(&guarded.stores(), name).await;
    let came_in = format!(
        "INSERT INTO imported_users VALUES ({owner}, 'source', '{name}', 1, '', '', '', now()); \
         INSERT INTO imported_tasks VALUES ({owner}, '1', 1, 1, '', 1)"
    );
    run(&mut guarded.0.admin().await, &came_in).await.unwrap();
    owner
}

/// Somebody with a row in every table but those of imports.
pub async fn populated(stores: &Stores, name: &str) -> UserId {
    let owner = register(stores, name).await;
    for n in 0..3 {
        let key = format!("key-{n}");
        let made = stores
            .tasks
            .create(owner, &key, &task("t"), UNLIMITED, at(1))
            .await;
        made.unwrap().task().unwrap();
    }
    let request = keyed("key", Vec::new(), at(1));
    stores.tasks.work(owner, &request).await.unwrap();
    let query = TaskQuery {
        filter: TaskFilter::default(),
        sort: Sort {
            key: SortKey::Title,
            descending: false,
        },
        start: PageStart::Offset(0),
        limit: 1,
        count: false,
    };
    let seed = errand_application::ports::WalkSeed {
        id: session().id.0,
        at: at(1),
    };
    assert!(
        stores
            .tasks
            .page(owner, &query, seed)
            .await
            .unwrap()
            .unwrap()
            .next
            .is_some()
    );
    owner
}

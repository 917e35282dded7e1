//! What the tables themselves hold, whoever writes.

use errand_application::ports::{EndedCursor, Start, StoreError};
use errand_conformance::Harness;
use errand_domain::TaskId;
use errand_domain::task::{Completion, Due, NewTask, Recurrence, RecurrenceFrom, Rule, TaskChange};
use sqlx::AssertSqlSafe;

use errand_domain::session::MAX_PER_USER;

use crate::support::{PostgreSql, Sqlite, UNLIMITED, at, event, register, session, task};

/// The change counter, the last id, and each task's place among the changes.
const COUNTED: &str = "SELECT change_counter, last_task_id FROM task_counters";
const PLACES: &str = "SELECT change_seq FROM tasks ORDER BY id";

macro_rules! counted {
    ($name:ident, $harness:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let harness = $harness::fresh().await;
            let stores = harness.stores();
            let mut outside = harness.outside().await;
            let owner = register(&stores, "ann").await;
            let create = async |key: &str| {
                let made = stores
                    .tasks
                    .create(owner, key, &task("t"), UNLIMITED, at(1))
                    .await;
                made.unwrap().task().unwrap().id
            };
            let first = create("1").await;
            create("2").await;
            // None of these is a change.
            create("1").await;
            stores
                .tasks
                .change(
                    owner,
                    first,
                    &TaskChange::completing(Completion::Set(false)),
                    at(2),
                )
                .await
                .unwrap()
                .unwrap();
            assert!(!stores.tasks.delete(owner, TaskId(9), at(2)).await.unwrap());
            macro_rules! holds {
                ($counters:expr, $places:expr) => {
                    let counters: (i64, i64) = sqlx::query_as(COUNTED)
                        .fetch_one(&mut outside)
                        .await
                        .unwrap();
                    let places: Vec<i64> = sqlx::query_scalar(PLACES)
                        .fetch_all(&mut outside)
                        .await
                        .unwrap();
                    assert_eq!((counters, places), ($counters, $places));
                };
            }
            holds!((2, 2), vec![1, 2]);
            stores
                .tasks
                .change(
                    owner,
                    first,
                    &TaskChange::completing(Completion::Toggle),
                    at(3),
                )
                .await
                .unwrap()
                .unwrap();
            holds!((3, 2), vec![3, 2]);
            assert!(stores.tasks.delete(owner, TaskId(2), at(4)).await.unwrap());
            holds!((4, 2), vec![3, 4]);
            // A person at a prompt, and a purge.
            for (sql, counters, places) in [
                (
                    "UPDATE tasks SET title = 'x' WHERE id = 1",
                    (4, 2),
                    vec![3, 4],
                ),
                (
                    "UPDATE tasks SET version = version + 1 WHERE id = 1",
                    (5, 2),
                    vec![5, 4],
                ),
                ("DELETE FROM tasks WHERE id = 2", (6, 2), vec![5]),
            ] {
                sqlx::query(AssertSqlSafe(sql))
                    .execute(&mut outside)
                    .await
                    .unwrap();
                holds!(counters, places);
            }
            assert_eq!(create("3").await, TaskId(3), "an id is not given again");

            // Something that no writer of errand stores is an error, not a panic and not a guess.
            sqlx::query("UPDATE tasks SET tags = 's3cret' WHERE id = 1")
                .execute(&mut outside)
                .await
                .unwrap();
            let error = stores.tasks.find(owner, first).await.unwrap_err();
            let StoreError::Broken(source) = &error else {
                panic!("{error:?}")
            };
            assert_eq!(
                source.to_string(),
                "table tasks, column tags: holds what cannot be"
            );
            assert!(!format!("{error:?}").contains("s3cret"));
        }
    };
}

counted!(sqlite_counts_every_change, Sqlite);
counted!(postgres_counts_every_change, PostgreSql);

/// The record is written by whoever ends a session, and swept by the next one.
#[tokio::test(flavor = "multi_thread")]
async fn old_records_of_ended_sessions_go_with_traffic() {
    let postgres = PostgreSql::fresh().await;
    let stores = postgres.stores();
    let mut outside = postgres.outside().await;
    let owner = register(&stores, "ann").await;
    sqlx::query(
        "INSERT INTO ended_sessions SELECT gen_random_uuid(), \
         (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 60000000::bigint * n FROM unnest(ARRAY[10, 64, 66, 119, 121, 999]) n",
    )
    .execute(&mut outside)
    .await
    .unwrap();
    let ended = stores.sessions.ended(None).await.unwrap();
    assert_eq!(ended.sessions.len(), 2, "of the last hour and a little");
    let old = stores.sessions.ended(Some(EndedCursor(1))).await.unwrap();
    assert_eq!(old.sessions.len(), 2, "older ones are of no use to anybody");
    let started = stores
        .sessions
        .start(owner, at(0), &session(), MAX_PER_USER, &event(at(0)))
        .await
        .unwrap();
    assert_eq!(
        started,
        Start::Started {
            pushed_out: Vec::new()
        }
    );
    assert_eq!(stores.sessions.end_all(owner, &event(at(0))).await.unwrap(), 2);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM ended_sessions")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    assert_eq!(left, 4 + 2);
    let next = stores.sessions.ended(Some(ended.cursor)).await.unwrap();
    assert!(next.sessions.len() >= 2 && next.cursor.0 > ended.cursor.0);
}

/// A clock that was wrong, or a failover to a server whose clock is behind.
macro_rules! set_back {
    ($name:ident, $harness:ident, $now:literal, $id:literal) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            const HOURS: i64 = 3_600_000_000;
            let harness = $harness::fresh().await;
            let stores = harness.stores();
            let mut outside = harness.outside().await;
            let owner = register(&stores, "ann").await;
            let ahead = concat!(
                "INSERT INTO ended_sessions SELECT ",
                $id,
                ", ",
                $now,
                " + 3600000000"
            );
            sqlx::query(AssertSqlSafe(ahead))
                .execute(&mut outside)
                .await
                .unwrap();
            let first = stores.sessions.ended(None).await.unwrap();
            assert_eq!(first.sessions.len(), 1);
            let session = stores.sessions.list(owner, at(1)).await.unwrap()[0].id;
            assert_eq!(
                stores.sessions.end_all(owner, &event(at(0))).await.unwrap(),
                1
            );
            for place in [
                first.cursor.0,
                first.cursor.0 + HOURS,
                first.cursor.0 + 9 * HOURS,
            ] {
                let next = stores
                    .sessions
                    .ended(Some(EndedCursor(place)))
                    .await
                    .unwrap();
                assert!(next.sessions.contains(&session), "{place}");
                assert!(next.cursor.0 >= first.cursor.0 && next.cursor.0 < first.cursor.0 + HOURS);
            }
        }
    };
}

set_back!(
    sqlite_tells_of_ended_sessions_after_its_clock_was_set_back,
    Sqlite,
    "cast(unixepoch('now', 'subsec') * 1000000 AS integer)",
    "randomblob(16)"
);
set_back!(
    postgres_tells_of_ended_sessions_after_its_clock_was_set_back,
    PostgreSql,
    "cast(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
    "gen_random_uuid()"
);

/// Rows of deleted tasks, each a second younger than the one before.
const DELETED: [&str; 2] = [
    "INSERT INTO tasks (user_id, id, creation_key, title, title_folded, priority, due_is_date, tags, tag_keys, \
     created_at, updated_at, version, change_seq, deleted_at) \
     WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10051) \
     SELECT user_id, i, 'key-' || i, title, title_folded, priority, due_is_date, tags, tag_keys, created_at, \
     updated_at, version, 0, ",
    " FROM tasks, n WHERE id = 1",
];

/// What goes for its age or number raises the floor below which deletions may be forgotten.
macro_rules! forgotten {
    ($name:ident, $harness:ident, $deleted_at:literal) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let harness = $harness::fresh().await;
            let stores = harness.stores();
            let mut outside = harness.outside().await;
            let owner = register(&stores, "ann").await;
            for key in ["1", "2", "3"] {
                let made = stores
                    .tasks
                    .create(owner, key, &task("t"), UNLIMITED, at(1))
                    .await;
                assert!(made.unwrap().task().is_some());
            }
            macro_rules! floor {
                () => {{
                    let floor: (i64, i64) =
                        sqlx::query_as("SELECT purged_seq, change_counter FROM task_counters")
                            .fetch_one(&mut outside)
                            .await
                            .unwrap();
                    floor
                }};
            }
            assert!(stores.tasks.delete(owner, TaskId(2), at(2)).await.unwrap());
            assert!(stores.tasks.delete(owner, TaskId(3), at(3)).await.unwrap());
            assert_eq!(floor!(), (0, 5), "nothing is forgotten");
            assert!(stores.tasks.erase(owner, TaskId(3), at(4)).await.unwrap());
            assert_eq!(floor!(), (0, 6), "nor when it is erased");
            let kept = "SELECT count(*) FROM tasks WHERE title = 't' OR description IS NOT NULL";
            let kept: i64 = sqlx::query_scalar(kept)
                .fetch_one(&mut outside)
                .await
                .unwrap();
            assert_eq!(kept, 2);
            let month = 30 * 24 * 3600;
            assert_eq!(
                stores.tasks.purge(owner, 9, at(2 + month)).await.unwrap(),
                1
            );
            assert_eq!(floor!(), (4, 7), "the place of the deletion");
            assert_eq!(
                stores.tasks.purge(owner, 9, at(3 + month)).await.unwrap(),
                1
            );
            assert_eq!(floor!(), (6, 8), "the place at which it was erased");
            // However young, no more than so many.
            let fill = DELETED.join($deleted_at);
            sqlx::query(AssertSqlSafe(fill))
                .execute(&mut outside)
                .await
                .unwrap();
            let held = "SELECT count(*) FROM tasks";
            let before: i64 = sqlx::query_scalar(held)
                .fetch_one(&mut outside)
                .await
                .unwrap();
            assert_eq!(before, 10_051);
            for left in [10_031, 10_011, 10_001, 10_001] {
                assert!(
                    !stores
                        .tasks
                        .delete(owner, TaskId(99_999), at(9))
                        .await
                        .unwrap()
                );
                let now: i64 = sqlx::query_scalar(held)
                    .fetch_one(&mut outside)
                    .await
                    .unwrap();
                assert_eq!(now, left);
            }
            let oldest: i64 = sqlx::query_scalar("SELECT min(id) FROM tasks WHERE id > 1")
                .fetch_one(&mut outside)
                .await
                .unwrap();
            assert_eq!(oldest, 52);
            // A person at a prompt removes a task that nobody deleted: whoever follows begins anew.
            sqlx::query("DELETE FROM tasks WHERE id = 1")
                .execute(&mut outside)
                .await
                .unwrap();
            let (floor, counter) = floor!();
            assert_eq!(floor, counter);
        }
    };
}

forgotten!(
    sqlite_forgets_the_oldest_deletions,
    Sqlite,
    "strftime('%Y-%m-%dT%H:%M:%S+00:00', '2027-01-14', (i || ' seconds'))"
);
forgotten!(
    postgres_forgets_the_oldest_deletions,
    PostgreSql,
    "timestamptz '2027-01-14' + i * interval '1 second'"
);

/// What a version writes that knows nothing of series.
macro_rules! refused {
    ($name:ident, $harness:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let harness = $harness::fresh().await;
            let stores = harness.stores();
            let mut outside = harness.outside().await;
            let owner = register(&stores, "ann").await;
            let new = NewTask {
                due: Due::parse("2026-03-01").ok(),
                recurrence: Some(Recurrence::new(
                    Rule::parse("daily").unwrap(),
                    RecurrenceFrom::Due,
                )),
                ..task("t")
            };
            for key in ["1", "2"] {
                let made = stores
                    .tasks
                    .create(owner, key, &new, UNLIMITED, at(1))
                    .await;
                assert!(made.unwrap().task().is_some());
            }
            let done = TaskChange::completing(Completion::Set(true));
            stores
                .tasks
                .change(owner, TaskId(1), &done, at(2))
                .await
                .unwrap()
                .unwrap();
            for old in [
                "UPDATE tasks SET completed_at = updated_at, version = version + 1 WHERE id = 2",
                "UPDATE tasks SET due_at = NULL, version = version + 1 WHERE id = 2",
            ] {
                let error = sqlx::query(old).execute(&mut outside).await.unwrap_err();
                let kind = error.as_database_error().unwrap().kind();
                assert_eq!(kind, sqlx::error::ErrorKind::CheckViolation, "{old}");
            }
        }
    };
}
refused!(a_series_is_not_ended_unseen_on_sqlite, Sqlite);
refused!(a_series_is_not_ended_unseen_on_postgres, PostgreSql);

//! Requests that may come again, where the cases would take too long or cannot look.

use std::sync::Arc;
use std::time::Duration;

use errand_application::ports::{Work, Worked};
use errand_conformance::{DailyCalendar, Harness};
use errand_domain::idempotency::{AT_ONCE, BYTES_MAX, KEPT, MOST};
use errand_domain::task::{
    Completion, Description, Due, Expected, NewTask, Next, Operation, Recurrence, RecurrenceFrom,
    Recurrences, Refusal, Rule, Series, TaskChange, TimeZone,
};
use errand_domain::{FieldFault, TaskId, Timestamp};
use sqlx::AssertSqlSafe;

use crate::support::{PostgreSql, Sqlite, at, keyed, register, task};

/// As many more as there are numbers, each a copy of the one that is there, so long before.
fn copies(most: u32) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, answer, size, created_at) \
         WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {most}) \
         SELECT user_id, 'copy ' || n, fingerprint, answer, size, created_at FROM idempotency_keys, numbers"
    ))
}

/// A calendar that takes its time.
struct Slow;

impl Recurrences for Slow {
    fn knows(&self, zone: &TimeZone) -> bool {
        DailyCalendar.knows(zone)
    }

    fn check(&self, series: &Series) -> Result<(), Vec<FieldFault>> {
        DailyCalendar.check(series)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a search takes the worker that it runs on"
    )]
    fn next(&self, series: &Series, completed_at: Timestamp) -> Option<Next> {
        std::thread::sleep(Duration::from_millis(600));
        DailyCalendar.next(series, completed_at)
    }
}

macro_rules! too_much {
    ($name:ident, $harness:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let harness = $harness::fresh().await;
            let stores = harness.stores();
            let owner = register(&stores, "ann").await;
            let together = |operations| Work {
                request: None,
                ..keyed("none", operations, at(1))
            };
            // Longer in bytes than in characters: 40 kB each.
            let long = Operation::Create(NewTask {
                description: Description::parse(&"\u{10348}".repeat(10_000)).ok(),
                ..task("t")
            });
            for _ in 0..3 {
                let made = stores
                    .tasks
                    .work(owner, &together(vec![long.clone(); 80]))
                    .await;
                assert!(matches!(made, Ok(Worked::Done { .. })));
            }
            let delete = |ids: std::ops::RangeInclusive<i64>| {
                let delete = |id| Operation::Delete(TaskId(id), Expected::Any);
                together(ids.map(delete).collect())
            };
            let all = stores.tasks.work(owner, &delete(1..=240)).await.unwrap();
            assert_eq!(all, Worked::Refused(vec![(0, Refusal::TooMuch)]));
            let some = stores.tasks.work(owner, &delete(1..=150)).await.unwrap();
            assert!(matches!(some, Worked::Done { .. }));

            let slow = harness.database.tasks(Arc::new(Slow));
            let series = Operation::Create(NewTask {
                due: Due::parse("2026-03-01").ok(),
                recurrence: Rule::parse("daily")
                    .ok()
                    .map(|rule| Recurrence::new(rule, RecurrenceFrom::Due)),
                ..task("series")
            });
            let made = slow.work(owner, &together(vec![series; 3])).await;
            assert!(matches!(made, Ok(Worked::Done { .. })));
            let complete = |id| {
                let done = TaskChange::completing(Completion::Set(true));
                Operation::Change(TaskId(id), Expected::Any, done)
            };
            let three = together((241..=243).map(complete).collect());
            let three = slow.work(owner, &three).await.unwrap();
            assert_eq!(three, Worked::Refused(vec![(2, Refusal::TooMuch)]));
            let one = slow.work(owner, &together(vec![complete(241)])).await;
            assert!(matches!(one, Ok(Worked::Done { .. })));
        }
    };
}
too_much!(what_is_done_together_is_bounded_on_sqlite, Sqlite);
too_much!(what_is_done_together_is_bounded_on_postgres, PostgreSql);

macro_rules! bounded {
    ($name:ident, $harness:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let harness = $harness::fresh().await;
            let stores = harness.stores();
            let mut outside = harness.outside().await;
            let owner = register(&stores, "ann").await;
            let work = async |key: &str, seconds| {
                let creation = keyed(key, vec![Operation::Create(task("t"))], at(seconds));
                stores.tasks.work(owner, &creation).await.unwrap()
            };
            assert!(matches!(work("first", 0).await, Worked::Done { .. }));
            sqlx::query(copies(MOST - 1))
                .execute(&mut outside)
                .await
                .unwrap();
            let over = at(0).plus(KEPT);
            assert_eq!(work("more", 5).await, Worked::TooManyKeys(over));
            let bob = register(&stores, "bob").await;
            let bobs = keyed("more", vec![Operation::Create(task("t"))], at(5));
            let bobs = stores.tasks.work(bob, &bobs).await.unwrap();
            assert!(
                matches!(bobs, Worked::Done { .. }),
                "keys are counted for each user"
            );
            sqlx::query("DELETE FROM idempotency_keys WHERE key LIKE 'copy 1%'")
                .execute(&mut outside)
                .await
                .unwrap();
            let long = format!("UPDATE idempotency_keys SET size = {BYTES_MAX} WHERE key = 'copy 2'");
            sqlx::query(AssertSqlSafe(long))
                .execute(&mut outside)
                .await
                .unwrap();
            assert_eq!(work("long", 5).await, Worked::TooManyKeys(over));
            let Worked::Done { replayed, .. } = work("first", 5).await else {
                panic!("it is known");
            };
            assert!(replayed, "what is known is answered");
            // A day later all are over: each new one takes some of them along.
            let day = i64::try_from(KEPT.as_secs()).unwrap();
            let count = "SELECT count(*) FROM idempotency_keys";
            let before: i64 = sqlx::query_scalar(count)
                .fetch_one(&mut outside)
                .await
                .unwrap();
            for round in 1..=3 {
                assert!(matches!(
                    work(&format!("new-{round}"), day).await,
                    Worked::Done { .. }
                ));
                let left: i64 = sqlx::query_scalar(count)
                    .fetch_one(&mut outside)
                    .await
                    .unwrap();
                assert_eq!(left, before + round - round * i64::from(AT_ONCE));
            }
            assert_eq!(stores.tasks.purge(owner, 1, at(day)).await.unwrap(), 0);
            let left: Vec<String> =
                sqlx::query_scalar("SELECT key FROM idempotency_keys WHERE key <> 'more' ORDER BY key")
                    .fetch_all(&mut outside)
                    .await
                    .unwrap();
            assert_eq!(left, ["new-1", "new-2", "new-3"]);
            assert!(KEPT >= Duration::from_hours(24));
        }
    };
}
bounded!(keys_are_bounded_and_go_with_traffic_on_sqlite, Sqlite);
bounded!(keys_are_bounded_and_go_with_traffic_on_postgres, PostgreSql);

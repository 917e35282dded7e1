//! Requests that may come again, where the cases would take too long or cannot look.

use std::time::Duration;

use errand_application::ports::Worked;
use errand_conformance::Harness;
use errand_domain::idempotency::{AT_ONCE, BYTES_MAX, KEPT, MOST};
use errand_domain::task::Operation;
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

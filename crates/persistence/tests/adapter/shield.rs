//! Callers may go at any moment; what was acknowledged stays, and no transaction stays open.

use std::time::Duration;

use errand_application::ports::NextRefresh;
use errand_conformance::Harness;
use errand_conformance::parallel::parallel;
use errand_testbed::{Postgres, Proxy};
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::support::{
    PostgreSql, UNLIMITED, account, at, digest, event, open, register, session, task, until_blocked,
};

/// A way, in the middle of which there is time to hang up.
const DELAY: Duration = Duration::from_millis(4);
const CALLERS: usize = 12;
const CALLS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_hang_up_lose_nobody_a_write() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    hanging_up_loses_nothing(&proxy, postgres).await;
}

/// There every unit is a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn callers_that_hang_up_behind_row_level_security() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let postgres = PostgreSql::guarded_at(Some(proxy.addr().port())).await;
    hanging_up_loses_nothing(&proxy, postgres).await;
}

async fn hanging_up_loses_nothing(proxy: &Proxy, mut postgres: PostgreSql) {
    // Fewer connections than callers, so that one is always taken over from somebody who hung up.
    postgres.settings.max_connections = 4;
    postgres.database = open(&postgres.settings).await;
    let stores = postgres.stores();
    let owner = register(&stores, "ann").await;
    proxy.set_delay(DELAY);

    let acknowledged = parallel(CALLERS, |caller| {
        let stores = stores.clone();
        async move {
            let mut acknowledged = Vec::new();
            for call in 0..CALLS {
                // From before BEGIN to after COMMIT, every point at some time.
                let patience = Duration::from_micros((call * 7919 + caller * 104_729) as u64 % 60_000);
                let session = session();
                let key = format!("{caller}-{call}");
                match call % 4 {
                    0 => {
                        let name = format!("u{caller}x{call}");
                        let account = account(&format!("{name}@example.com"), &name);
                        let event = event(at(0));
                        let registering = stores.accounts.register(&account, Some(session.clone()), &event);
                        drop(timeout(patience, registering).await);
                    }
                    1 => {
                        let next = NextRefresh {
                            token: digest(7),
                            salt: [0; 32],
                        };
                        let event = event(at(1));
                        let rotating = stores.sessions.rotate(
                            owner,
                            session.id,
                            &session.family,
                            &session.token,
                            &next,
                            &event,
                        );
                        drop(timeout(patience, rotating).await);
                    }
                    2 => drop(timeout(patience, stores.accounts.export(owner, at(1))).await),
                    _ => {
                        let new = task("stays");
                        let creating = stores.tasks.create(owner, &key, &new, UNLIMITED, at(1));
                        if let Ok(made) = timeout(patience * 2, creating).await {
                            made.unwrap().task().unwrap();
                            acknowledged.push(key);
                        }
                    }
                }
            }
            acknowledged
        }
    })
    .await;
    let mut acknowledged: Vec<String> = acknowledged.concat();
    assert!(!acknowledged.is_empty());

    proxy.set_delay(Duration::ZERO);
    for n in 0..100 {
        let key = format!("after-{n}");
        let made = stores
            .tasks
            .create(owner, &key, &task("stays"), UNLIMITED, at(2))
            .await;
        made.unwrap().task().unwrap();
        acknowledged.push(key);
    }
    let mut outside = postgres.admin().await;
    let stored: Vec<String> = sqlx::query_scalar("SELECT creation_key FROM tasks WHERE user_id = $1")
        .bind(owner.0)
        .fetch_all(&mut outside)
        .await
        .unwrap();
    let lost: Vec<&String> = acknowledged.iter().filter(|key| !stored.contains(key)).collect();
    assert!(lost.is_empty(), "{} acknowledged writes are lost", lost.len());
    assert_eq!(open_transactions(&mut outside).await, 0);
    let half: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM users u WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id) \
         OR NOT EXISTS (SELECT 1 FROM task_counters c WHERE c.user_id = u.id)",
    )
    .fetch_one(&mut outside)
    .await
    .unwrap();
    assert_eq!(half, 0, "a registration is whole or not at all");
}

/// A unit goes on although its caller is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_a_caller_comes_to_its_end() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    let stores = postgres.stores();
    let owner = register(&stores, "ann").await;
    proxy.set_delay(Duration::from_millis(50));
    let account = account("bob@example.com", "bob");
    let session = session();
    // Five round trips of 100 ms.
    let event = event(at(0));
    let registering = stores.accounts.register(&account, Some(session.clone()), &event);
    assert!(timeout(Duration::from_millis(60), registering).await.is_err());
    proxy.set_delay(Duration::ZERO);
    let bob = errand_domain::account::LoginName::parse("bob").unwrap();
    for _ in 0..100 {
        if stores.accounts.credentials(&bob).await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the registration beside {owner} never came to its end");
}

/// A server's workers have runtimes of their own, which end before its work does.
#[tokio::test(flavor = "multi_thread")]
async fn a_unit_outlives_the_runtime_of_its_caller() {
    let postgres = PostgreSql::fresh().await;
    let stores = postgres.stores();
    let owner = register(&stores, "ann").await;
    let mut holder = postgres.outside().await;
    for sql in ["BEGIN", "SELECT id FROM users FOR UPDATE"] {
        sqlx::query(sql).execute(&mut holder).await.unwrap();
    }
    let sessions = std::sync::Arc::clone(&stores.sessions);
    let mut look = postgres.outside().await;
    let caller = move || {
        let worker = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        worker.block_on(async {
            let event = event(at(0));
            let ending = sessions.end_all(owner, &event);
            tokio::select! {
                _ = ending => panic!("the account was held"),
                () = until_blocked(&mut look) => {}
            }
        });
    };
    tokio::task::spawn_blocking(caller).await.unwrap();
    sqlx::query("COMMIT").execute(&mut holder).await.unwrap();
    for _ in 0..100 {
        if stores.sessions.list(owner, at(1)).await.unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the unit ended with its caller's runtime");
}

async fn open_transactions(outside: &mut PgConnection) -> i64 {
    let mut count = 0;
    // What is under way may still end.
    for _ in 0..20 {
        count = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND state LIKE 'idle in transaction%'",
        )
        .fetch_one(&mut *outside)
        .await
        .unwrap();
        if count == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    count
}

//! A server that is away, silent or gone and back.

use std::time::{Duration, Instant};

use errand_application::ports::{StoreError, Worked};
use errand_conformance::Harness;
use errand_domain::task::Operation;
use errand_domain::{TaskId, UserId};
use errand_persistence::{CheckError, DatabaseUrl, Settings};
use errand_testbed::{Postgres, Proxy};

use crate::support::{PostgreSql, UNLIMITED, at, keyed, open, register, stores, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_unavailable_in_time() {
    let url = DatabaseUrl::parse("postgres://u:s3cret@localhost:1/nowhere").unwrap();
    let mut settings = Settings::new(url);
    settings.deadline = Duration::from_millis(500);
    let database = open(&settings).await;
    let health = database.health();
    assert_eq!(health.seen().failure, None);
    let started = Instant::now();
    let error = stores(&database).accounts.find(UserId(1)).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("s3cret"));
    assert!(health.seen().failure.is_some());
    assert_eq!(health.seen().success, None);
    health.ping().await.unwrap_err();
    let error = database.check().await.unwrap_err();
    assert!(matches!(error, CheckError::Unanswered(_)), "{error:?}");
}

/// A compute that went to sleep closes its sockets. Reads and transactions go on over new ones.
#[tokio::test(flavor = "multi_thread")]
async fn closed_connections_are_replaced_unseen() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    let stores = postgres.stores();
    let owner = register(&stores, "ann").await;
    for round in 0..5 {
        // Several connections, so that more than one is dead.
        let finds: Vec<_> = (0..6).map(|_| stores.accounts.find(owner)).collect();
        for found in join_all(finds).await {
            assert!(found.unwrap().is_some());
        }
        proxy.cut_all();
        if round % 2 == 0 {
            register(&stores, &format!("bob{round}")).await;
        }
        assert!(stores.accounts.find(owner).await.unwrap().is_some());
        // After the first failure the idle connections are asked first, so a single statement is safe too.
        let key = format!("key-{round}");
        let made = stores
            .tasks
            .create(owner, &key, &task("t"), UNLIMITED, at(1))
            .await;
        assert!(made.unwrap().task().is_some());
    }
    assert!(postgres.database.health().seen().failure.is_some());
    postgres.database.health().ping().await.unwrap();
    assert!(postgres.database.health().seen().success.is_some());
}

/// It has a key: once more makes nothing more, and tells what became of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_answer_is_lost_is_repeated() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    creation_is_repeated(&proxy, PostgreSql::at(Some(proxy.addr().port())).await).await;
}

/// The answer that is lost is the commit's.
#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_commit_is_lost_is_repeated() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    creation_is_repeated(&proxy, PostgreSql::guarded_at(Some(proxy.addr().port())).await).await;
}

async fn creation_is_repeated(proxy: &Proxy, postgres: PostgreSql) {
    const COUNT: &str = "SELECT count(*) FROM tasks WHERE creation_key = $1";
    let stores = postgres.stores();
    let owner = register(&stores, "ann").await;
    let mut outside = postgres.admin().await;
    for n in 0..4 {
        let key = format!("key-{n}");
        proxy.set_delay(Duration::from_millis(400));
        let new = task("t");
        let creating = stores.tasks.create(owner, &key, &new, UNLIMITED, at(1));
        let cutting = async {
            let mut made: i64 = 0;
            while made == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let count = sqlx::query_scalar(COUNT).bind(&key);
                made = count.fetch_one(&mut outside).await.unwrap();
            }
            // It is done, and the answer is on its way.
            proxy.cut_all();
            proxy.set_delay(Duration::ZERO);
            if n % 2 == 1 {
                // The repetition may not come through either.
                tokio::time::sleep(Duration::from_millis(120)).await;
                proxy.cut_all();
            }
        };
        let (made, ()) = tokio::join!(creating, cutting);
        assert_eq!(made.unwrap().task().unwrap().id.0, i64::from(n) + 1);
        let count = sqlx::query_scalar(COUNT).bind(&key);
        let made: i64 = count.fetch_one(&mut outside).await.unwrap();
        assert_eq!(made, 1);
    }
    assert!(postgres.database.health().seen().failure.is_some());
}

/// What became of it nobody knows, so nobody is told that there was nothing to delete.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_whose_answer_is_lost_is_not_repeated() {
    for guarded in [false, true] {
        let proxy = Proxy::start(Postgres::shared().addr()).await;
        let port = Some(proxy.addr().port());
        let postgres = if guarded {
            PostgreSql::guarded_at(port).await
        } else {
            PostgreSql::at(port).await
        };
        let stores = postgres.stores();
        let owner = register(&stores, "ann").await;
        let made = stores
            .tasks
            .create(owner, "key", &task("t"), UNLIMITED, at(1))
            .await;
        let id = made.unwrap().task().unwrap().id;
        let mut outside = postgres.admin().await;
        proxy.set_delay(Duration::from_millis(400));
        let cutting = async {
            let mut deleted = false;
            while !deleted {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let look = sqlx::query_scalar("SELECT bool_and(deleted_at IS NOT NULL) FROM tasks");
                deleted = look.fetch_one(&mut outside).await.unwrap();
            }
            proxy.cut_all();
            proxy.set_delay(Duration::ZERO);
        };
        let (deleted, ()) = tokio::join!(stores.tasks.delete(owner, id, at(2)), cutting);
        let error = deleted.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(!stores.tasks.delete(owner, id, at(2)).await.unwrap());
    }
}

/// By its key a request is found out to be done; without one nobody knows, and nobody is told that it was not.
#[tokio::test(flavor = "multi_thread")]
async fn work_whose_commit_is_lost_is_repeated_if_it_has_a_key() {
    for (guarded, has_key) in [(false, true), (true, true), (false, false), (true, false)] {
        let proxy = Proxy::start(Postgres::shared().addr()).await;
        let port = Some(proxy.addr().port());
        let postgres = if guarded {
            PostgreSql::guarded_at(port).await
        } else {
            PostgreSql::at(port).await
        };
        let stores = postgres.stores();
        let owner = register(&stores, "ann").await;
        let mut work = keyed("key", vec![Operation::Create(task("t"))], at(1));
        if !has_key {
            work.request = None;
        }
        let mut outside = postgres.admin().await;
        proxy.set_delay(Duration::from_millis(200));
        let cutting = async {
            let mut made = 0_i64;
            while made == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let look = sqlx::query_scalar("SELECT count(*) FROM tasks");
                made = look.fetch_one(&mut outside).await.unwrap();
            }
            proxy.cut_all();
            proxy.set_delay(Duration::ZERO);
        };
        let (worked, ()) = tokio::join!(stores.tasks.work(owner, &work), cutting);
        if has_key {
            let Worked::Done { outcomes, replayed } = worked.unwrap() else {
                panic!("it was done");
            };
            assert_eq!((outcomes.len(), replayed), (1, true));
        } else {
            let error = worked.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        }
        let look = sqlx::query_scalar("SELECT count(*) FROM tasks");
        let made: i64 = look.fetch_one(&mut outside).await.unwrap();
        assert_eq!(made, 1, "guarded {guarded}, with a key {has_key}");
    }
}

/// A peer that falls silent holds its connections for a quarter of an hour; errand lets go of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_does_not_take_the_pool_with_it() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let mut postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    let owner = register(&postgres.stores(), "ann").await;
    postgres.settings.max_connections = 2;
    postgres.settings.deadline = Duration::from_secs(1);
    postgres.database = open(&postgres.settings).await;
    let stores = postgres.stores();
    // A first connection is made and tried out, which on a busy machine may take longer than this deadline.
    let begun = Instant::now();
    while stores.accounts.find(owner).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never began");
    }
    proxy.set_delay(Duration::from_hours(1));
    let started = Instant::now();
    let finds: Vec<_> = (0..6).map(|_| stores.accounts.find(owner)).collect();
    for found in join_all(finds).await {
        let error = found.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    // The network is back; the old connections stay silent.
    proxy.set_delay(Duration::ZERO);
    let healed = Instant::now();
    while stores.accounts.find(owner).await.is_err() {
        assert!(
            healed.elapsed() < Duration::from_secs(5),
            "the pool never recovered"
        );
    }
    for _ in 0..10 {
        assert!(stores.accounts.find(owner).await.unwrap().is_some());
    }
}

/// A server without room for one more is no reason to give up the connections that there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_costs_no_connection_that_works() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let database = Postgres::shared().create_database().await;
    let mut settings = crate::support::settings(&database, &database.url_at(proxy.addr().port()));
    settings.max_connections = 8;
    settings.deadline = Duration::from_secs(2);
    let opened = open(&settings).await;
    opened.migrate().await.unwrap();
    let stores = stores(&opened);
    let owner = register(&stores, "ann").await;
    let mut outside = database.connect().await;
    let limit = format!("ALTER ROLE {} CONNECTION LIMIT 2", database.name());
    sqlx::raw_sql(sqlx::AssertSqlSafe(limit))
        .execute(&mut outside)
        .await
        .unwrap();
    let before = proxy.connections();
    assert!(before > 0);
    // So many at once want more connections than there is room for; who has one is served.
    proxy.set_delay(Duration::from_millis(100));
    let finds: Vec<_> = (0..8).map(|_| stores.accounts.find(owner)).collect();
    let found = join_all(finds).await;
    assert!(
        found.iter().any(Result::is_ok) && found.iter().any(Result::is_err),
        "{found:?}"
    );
    proxy.set_delay(Duration::ZERO);
    let accepted = proxy.accepted();
    assert!(stores.accounts.find(owner).await.unwrap().is_some());
    assert_eq!(proxy.accepted(), accepted, "over a connection that was there");
}

/// A server does not notice that somebody has gone while it waits for a lock: whoever gave up and asked over new
/// connections, again and again, would take them all.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_is_not_asked_over_ever_more_connections() {
    let mut postgres = PostgreSql::fresh().await;
    let owner = register(&postgres.stores(), "ann").await;
    postgres.settings.max_connections = 3;
    postgres.settings.deadline = Duration::from_secs(2);
    postgres.database = open(&postgres.settings).await;
    let stores = postgres.stores();
    assert!(stores.accounts.find(owner).await.unwrap().is_some());
    let mut outside = postgres.admin().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        .execute(&mut outside)
        .await
        .unwrap();
    let until = Instant::now() + Duration::from_secs(8);
    while Instant::now() < until {
        let finds: Vec<_> = (1..7).map(|id| stores.tasks.find(owner, TaskId(id))).collect();
        for found in join_all(finds).await {
            assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
        }
    }
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut outside).await.unwrap();
    assert!(
        (1..=6).contains(&waiting),
        "{waiting} connections wait, of 3 and of 3 more"
    );
    sqlx::raw_sql("ROLLBACK").execute(&mut outside).await.unwrap();
    let started = Instant::now();
    while stores.tasks.find(owner, TaskId(1)).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "it never recovered");
    }
}

/// Each attempt may wake a hosted database, and may be billed.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_the_password_is_not_hammered() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let mut postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    let database = Postgres::shared().create_database().await;
    let url = database.url_at(proxy.addr().port());
    let password = url.split([':', '@']).nth(2).unwrap();
    postgres.settings.url = DatabaseUrl::parse(&url.replace(password, "wrong")).unwrap();
    let refused = open(&postgres.settings).await;
    let error = refused.check().await.unwrap_err();
    assert!(matches!(error, CheckError::Refused(_)), "{error:?}");
    let sent = proxy.bytes_from_client();
    let stores = stores(&refused);
    let finds: Vec<_> = (0..200).map(|_| stores.accounts.find(UserId(1))).collect();
    for found in join_all(finds).await {
        let error = found.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    assert_eq!(proxy.bytes_from_client(), sent);
}

/// Who comes to a database that answers, behind more than it can answer, is told so; the others are served.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_told_that_it_is_one() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let mut postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    let owner = register(&postgres.stores(), "ann").await;
    postgres.settings.max_connections = 1;
    postgres.settings.deadline = Duration::from_secs(5);
    postgres.database = open(&postgres.settings).await;
    let stores = postgres.stores();
    assert!(stores.accounts.find(owner).await.unwrap().is_some());
    // A round trip of 40 ms over one connection: fewer than 50 of them before the crowd is too large.
    proxy.set_delay(Duration::from_millis(20));
    let finds: Vec<_> = (0..200).map(|_| stores.accounts.find(owner)).collect();
    let (mut served, mut crowded) = (0, 0);
    for found in join_all(finds).await {
        match found {
            Ok(found) => served += usize::from(found.is_some()),
            Err(StoreError::Crowded) => crowded += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(served > 0 && crowded > 0, "{served} served, {crowded} not");
    assert_eq!(served + crowded, 200);
    assert!(stores.accounts.find(owner).await.unwrap().is_some());
}

/// A database that answers nobody is waking up: who waits for it is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_before_a_sleeping_database_is_served() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let mut postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    let owner = register(&postgres.stores(), "ann").await;
    postgres.settings.max_connections = 2;
    postgres.database = open(&postgres.settings).await;
    let stores = postgres.stores();
    assert!(stores.accounts.find(owner).await.unwrap().is_some());
    proxy.cut_all();
    // What was sent meanwhile arrives: a connect that takes three seconds, the wake-up.
    proxy.set_delay(Duration::from_secs(3));
    let waking = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.set_delay(Duration::ZERO);
    };
    let finds: Vec<_> = (0..100).map(|_| stores.accounts.find(owner)).collect();
    let (found, ()) = tokio::join!(join_all(finds), waking);
    for found in found {
        assert!(found.unwrap().is_some());
    }
}

/// Those who have gathered before a database that woke up a moment ago are no crowd.
#[tokio::test(flavor = "multi_thread")]
async fn what_gathered_before_a_sleeping_database_is_served() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let mut postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    let owner = register(&postgres.stores(), "ann").await;
    postgres.settings.max_connections = 1;
    postgres.settings.deadline = Duration::from_secs(10);
    postgres.database = open(&postgres.settings).await;
    let stores = postgres.stores();
    assert!(stores.accounts.find(owner).await.unwrap().is_some());
    // Awake after 3 s, and answers one after the other: most wait for longer than the 4 s after which there are
    // too many.
    proxy.hold(Duration::from_secs(3)).await;
    proxy.cut_all();
    proxy.set_delay(Duration::from_millis(30));
    let finds: Vec<_> = (0..20).map(|_| stores.accounts.find(owner)).collect();
    for found in join_all(finds).await {
        assert!(found.unwrap().is_some());
    }
}

/// Nothing was sent, so nothing can have happened: a connection that cannot be made is asked for again for as long
/// as somebody waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_cannot_be_made_is_no_try() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    let stores = postgres.stores();
    let owner = register(&stores, "ann").await;
    for text in ["", "Couldn't connect to compute node"] {
        if text.is_empty() {
            proxy.accept_and_close().await;
        } else {
            proxy.answer_with_error(Postgres::shared(), "XX000", text).await;
        }
        proxy.cut_all();
        let new = task("t");
        let creating = stores.tasks.create(owner, text, &new, UNLIMITED, at(1));
        let healing = async {
            // More than three tries with their pauses.
            let knocks = proxy.accepted() + 5;
            while proxy.accepted() < knocks {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            proxy.heal().await;
        };
        let healing = tokio::time::timeout(Duration::from_secs(20), healing);
        let (made, knocked) = tokio::join!(creating, healing);
        assert!(made.unwrap().task().is_some(), "{text}");
        knocked.unwrap();
    }
}

async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(move |cx| {
        for (future, output) in pending.iter_mut().zip(&mut done) {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(done.drain(..).flatten().collect())
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}

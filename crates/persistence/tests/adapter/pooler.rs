//! Many clients behind a pooler that lends them few connections, one transaction at a time.

use std::time::{Duration, Instant};

use errand_application::ports::{StoreError, WalkSeed};
use errand_conformance::parallel::parallel;
use errand_conformance::{DailyCalendar, Harness, Stores};
use errand_domain::UserId;
use errand_domain::query::{PageStart, Sort, SortKey, TaskFilter, TaskPage, TaskQuery};
use errand_domain::task::{Completion, Follower, Priority, Task, TaskChange, Title};
use errand_persistence::{CheckError, Unfit};
use errand_testbed::{Pooler, PoolerOptions, Postgres};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::support::{
    PostgreSql, UNLIMITED, account, at, event, open, register, session, settings, stores, task,
};

/// As few connections as make every client meet every other one.
fn pooler() -> Pooler {
    Pooler::start(Postgres::shared(), PoolerOptions::default())
}

/// All pages of all tasks in one order.
async fn list(stores: &Stores, owner: UserId, key: SortKey, limit: u32) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut next = Some(PageStart::Offset(0));
    while let Some(start) = next {
        let query = TaskQuery {
            filter: TaskFilter::default(),
            sort: Sort {
                key,
                descending: false,
            },
            start,
            limit,
            count: false,
        };
        let seed = WalkSeed {
            id: session().id.0,
            at: at(1),
        };
        let page = stores.tasks.page(owner, &query, seed).await.unwrap().unwrap();
        let TaskPage {
            tasks: more,
            next: then,
            ..
        } = page;
        tasks.extend(more);
        next = then;
    }
    tasks
}

/// A life of one user, with every answer compared to what it must be; how many operations that was.
async fn live(stores: Stores, n: usize, rounds: i64) -> usize {
    let new = account(&format!("user{n}@example.com"), &format!("user{n}"));
    let first = session();
    let user = stores
        .accounts
        .register(&new, Some(first.clone()), &event(at(0)))
        .await
        .unwrap();
    let owner = user.id;
    let mut operations = 1;
    let mut expected: Vec<Task> = Vec::new();
    for round in 1..=rounds {
        for half in 0..2 {
            let new = task(&format!("task {} of {n}", (round * 7 + half * 5) % 10));
            let key = format!("key-{round}-{half}");
            // Once more makes no more.
            for _ in 0..2 {
                let made = stores.tasks.create(owner, &key, &new, UNLIMITED, at(round)).await;
                let made = made.unwrap().task().unwrap();
                if expected.iter().all(|task| task.id != made.id) {
                    expected.push(Task::new(owner, made.id, new.clone(), at(round)));
                }
                assert_eq!(Some(&made), expected.last());
            }
        }
        let mut changed = expected.pop().unwrap();
        for change in [
            TaskChange {
                title: Some(Title::parse(&format!("changed {round} of {n}")).unwrap()),
                priority: Some(Priority::High),
                ..TaskChange::default()
            },
            TaskChange::completing(Completion::Set(true)),
        ] {
            changed
                .apply(&change, at(round + 1), &DailyCalendar, |_| Follower::Touched)
                .unwrap();
            let answer = stores
                .tasks
                .change(owner, changed.id, &change, at(round + 1))
                .await;
            assert_eq!(answer.unwrap().as_ref(), Some(&changed));
        }
        assert_eq!(
            stores.tasks.find(owner, changed.id).await.unwrap().as_ref(),
            Some(&changed)
        );
        expected.push(changed);
        assert_eq!(list(&stores, owner, SortKey::CreatedAt, 1000).await, expected);

        let gone = expected.remove(0);
        assert!(stores.tasks.delete(owner, gone.id, at(round + 2)).await.unwrap());
        assert!(!stores.tasks.delete(owner, gone.id, at(round + 2)).await.unwrap());
        assert_eq!(stores.tasks.find(owner, gone.id).await.unwrap(), None);
        operations += 11;
    }
    let mut sorted = expected.clone();
    let by_title = Sort {
        key: SortKey::Title,
        descending: false,
    };
    sorted.sort_by(|a, b| by_title.compare(a, b));
    assert_eq!(list(&stores, owner, SortKey::Title, 2).await, sorted);
    let found = stores.accounts.find(owner).await.unwrap().unwrap();
    assert_eq!((found.user, found.password), (user, new.password));
    let sessions = stores.sessions.list(owner, at(1)).await.unwrap();
    assert_eq!(
        sessions.iter().map(|session| session.id).collect::<Vec<_>>(),
        [first.id]
    );
    operations + expected.len().div_ceil(2) + 2
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_get_their_own_answers_over_three_connections() {
    const CLIENTS: usize = 64;
    let pooler = pooler();
    let postgres = PostgreSql::at(Some(pooler.addr().port())).await;
    let mut settings = postgres.settings.clone();
    settings.max_connections = 4;
    let mut replicas = Vec::new();
    for _ in 0..8 {
        replicas.push(open(&settings).await);
    }
    let started = Instant::now();
    let counts = parallel(CLIENTS, |n| live(stores(&replicas[n % replicas.len()]), n, 5)).await;
    let operations: usize = counts.iter().sum();
    println!("{operations} operations in {:?}", started.elapsed());
    assert!(operations > 3000, "{operations}");

    let mut outside = postgres.outside().await;
    let backends: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()",
    )
    .fetch_one(&mut outside)
    .await
    .unwrap();
    assert!(
        (1..=3).contains(&backends),
        "{backends} connections to the server"
    );
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    assert_eq!(users, 64);
}

/// Whoever pools the way for migrations too does not break them.
#[tokio::test(flavor = "multi_thread")]
async fn three_migrators_come_directly_and_three_through_the_pooler() {
    let pooler = pooler();
    let database = Postgres::shared().create_database().await;
    let pooled = database.url_at(pooler.addr().port());
    let outcomes = parallel(6, |n| {
        let url = if n % 2 == 0 { &database.url } else { &pooled };
        let settings = settings(&database, url);
        async move { open(&settings).await.migrate().await }
    })
    .await;
    let took: Vec<_> = outcomes.into_iter().flat_map(Result::unwrap).collect();
    let recorded: Vec<String> = sqlx::query_scalar("SELECT version FROM seaql_migrations ORDER BY version")
        .fetch_all(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(
        took, recorded,
        "each step is taken by exactly one, and recorded once"
    );
    assert!(!recorded.is_empty());
    let database = open(&settings(&database, &pooled)).await;
    assert!(
        database
            .migration_status()
            .await
            .unwrap()
            .iter()
            .all(|step| step.applied)
    );
    register(&stores(&database), "ann").await;
}

/// A pooler takes no `statement_timeout` from a client; what is set for a role is in force all the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_a_role_hold_through_the_pooler() {
    let database = Postgres::shared().create_database().await;
    let limit = format!("ALTER ROLE {} SET statement_timeout = '300ms'", database.name());
    sqlx::raw_sql(AssertSqlSafe(limit))
        .execute(&mut database.connect().await)
        .await
        .unwrap();
    let pooler = pooler();
    let options: PgConnectOptions = database.url_at(pooler.addr().port()).parse().unwrap();
    let options = options.ssl_root_cert(&database.ca_file);
    let mut client = options.connect().await.unwrap();
    let started = Instant::now();
    let error = sqlx::query("SELECT pg_sleep(60)")
        .execute(&mut client)
        .await
        .unwrap_err();
    let error = error.as_database_error().unwrap();
    assert_eq!(error.code().as_deref(), Some("57014"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30));
    let asked = options.options([("statement_timeout", "300")]).connect().await;
    let refused = asked.unwrap_err();
    assert!(
        refused.to_string().contains("unsupported startup parameter"),
        "{refused}"
    );
}

/// Who one transaction was for is not who the next one on the same connection is for.
#[tokio::test(flavor = "multi_thread")]
async fn sixteen_owners_see_their_own_rows_through_the_pooler() {
    const ROUNDS: usize = 25;
    let pooler = pooler();
    let guarded = PostgreSql::guarded_at(Some(pooler.addr().port())).await;
    let mut owners = Vec::new();
    for n in 0..16 {
        owners.push(register(&guarded.stores(), &format!("user{n}")).await);
    }
    parallel(owners.len(), |n| {
        let (stores, owner) = (guarded.stores(), owners[n]);
        async move {
            let mut titles = Vec::new();
            for round in 0..ROUNDS {
                let title = format!("{round} of {n}");
                let key = format!("key-{round}");
                let made = stores
                    .tasks
                    .create(owner, &key, &task(&title), UNLIMITED, at(1))
                    .await;
                let made = made.unwrap().task().unwrap();
                titles.push(title);
                let found = stores.tasks.find(owner, made.id).await.unwrap();
                assert_eq!(found, Some(made));
                let listed = list(&stores, owner, SortKey::CreatedAt, 1000).await;
                assert!(listed.iter().all(|task| task.owner == owner));
                let seen: Vec<_> = listed.iter().map(|task| task.title.as_str()).collect();
                assert_eq!(seen, titles);
            }
        }
    })
    .await;
    // A statement that forgets for whom it is sees nothing, on a connection that was lent to all of them.
    for _ in 0..6 {
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks")
            .fetch_one(&mut guarded.inside().await)
            .await
            .unwrap();
        assert_eq!(seen, 0);
    }
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks")
        .fetch_one(&mut guarded.admin().await)
        .await
        .unwrap();
    assert_eq!(all, 16 * 25);
}

/// One that does not keep its clients' statements apart could give one user another's rows: nobody is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_mixes_statements_up_is_refused() {
    let options = PoolerOptions {
        max_prepared_statements: 0,
        ..PoolerOptions::default()
    };
    let pooler = Pooler::start(Postgres::shared(), options);
    let postgres = PostgreSql::at(Some(pooler.addr().port())).await;
    let found = postgres.stores().accounts.find(UserId(1)).await;
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    let error = postgres.database.check().await.unwrap_err();
    let CheckError::Unfit(unfit) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(unfit, Unfit::Mixed(_)), "{unfit:?}");
    assert!(unfit.to_string().contains("max_prepared_statements"), "{unfit}");
}

/// A client that is alone with its connection meets nobody's statements; the next one would. So it is tried out.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_is_tried_out_before_it_mixes_anything_up() {
    let options = PoolerOptions {
        server_connections: 1,
        max_prepared_statements: 0,
        ..PoolerOptions::default()
    };
    let pooler = Pooler::start(Postgres::shared(), options);
    let mut settings = PostgreSql::at(Some(pooler.addr().port())).await.settings;
    settings.max_connections = 1;
    let database = open(&settings).await;
    let found = stores(&database).accounts.find(UserId(1)).await;
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    let error = database.check().await.unwrap_err();
    assert!(matches!(error, CheckError::Unfit(Unfit::Mixed(_))), "{error:?}");
}

//! Programs that come to an empty database at the same moment.

use std::process::{Command, Output, Stdio};

use errand_testbed::{Api, Errand, Person, Pooler, PoolerOptions, Postgres, TestDatabase};

use crate::load::variables;
use crate::support::{at_once, binary};

/// The steps that the database has on record.
async fn recorded(database: &TestDatabase) -> Vec<String> {
    sqlx::query_scalar("SELECT version FROM seaql_migrations ORDER BY version")
        .fetch_all(&mut database.connect().await)
        .await
        .unwrap()
}

/// Three directly, three through a pooler that pools their way for migrations too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_commands_migrate_at_once() {
    let pooler = Pooler::start(Postgres::shared(), PoolerOptions::default());
    let database = Postgres::shared().create_database().await;
    let children: Vec<_> = (0..6)
        .map(|n| {
            let port = [Postgres::shared().addr(), pooler.addr()][n % 2].port();
            Command::new(binary())
                .args(["migrate", "up"])
                .env_clear()
                .envs(variables(&database, port))
                .env("DATABASE_DIRECT_URL", database.url_at(port))
                // A busy machine is no outage.
                .env("ERRAND__DATABASE__DEADLINE", "30s")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let ended = tokio::task::spawn_blocking(|| {
        let ended = children
            .into_iter()
            .map(|child| child.wait_with_output().unwrap());
        ended.collect::<Vec<Output>>()
    });
    let mut applied = Vec::new();
    for output in ended.await.unwrap() {
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let steps = told.lines().filter_map(|line| line.strip_suffix(": applied"));
        applied.extend(steps.map(str::to_owned));
    }
    assert!(!applied.is_empty());
    assert_eq!(
        applied,
        recorded(&database).await,
        "each step is taken by exactly one, and recorded once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_services_start_at_once() {
    let database = Postgres::shared().create_database().await;
    let variables = variables(&database, Postgres::shared().addr().port());
    let started = at_once(5, |_| {
        let variables = variables.clone();
        async move { Errand::start(binary(), &variables).await }
    })
    .await;
    for (n, errand) in started.iter().enumerate() {
        let api = Api::new(errand.base_url());
        let ready = api.request("GET", "/health/ready").send().await;
        assert_eq!(ready.status, 200, "{}{}", ready.text(), errand.log());
        Person::register(&api, &format!("user{n}")).await;
    }
    let steps = recorded(&database).await;
    let mut once = steps.clone();
    once.dedup();
    assert!(!steps.is_empty() && steps == once, "{steps:?}");
}

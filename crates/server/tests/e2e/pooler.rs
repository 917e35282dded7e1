//! errand behind a pooler that lends many clients few connections.

use std::process::{Command, Stdio};
use std::time::Duration;

use errand_testbed::{Pooler, PoolerOptions, Postgres};

use crate::load::mixture::{self, Mixture};
use crate::load::variables;
use crate::support::{Service, binary};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_get_right_answers_over_three_connections() {
    let pooler = Pooler::start(Postgres::shared(), PoolerOptions::default());
    let service = Service::start_behind(&pooler).await;
    let mixture = Mixture {
        prefix: "a",
        clients: 64,
        users: 16,
        requests: 4000,
        guests: true,
    };
    let tally = mixture::run(&service.api, mixture).await;
    println!("{tally}");
    assert!(tally.faults.is_empty(), "{:#?}", tally.faults);
    assert_eq!(tally.failures, 0, "{}", service.errand.log());
    assert!(tally.times.len() >= 4000, "{tally}");
    let backends: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = $1",
    )
    .bind(service.database().name())
    .fetch_one(&mut service.database().connect().await)
    .await
    .unwrap();
    assert!(
        (1..=3).contains(&backends),
        "{backends} connections to the server"
    );
}

/// It could give one user another's rows: errand ends before it serves anybody, and says what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_mixes_statements_up_is_not_served_through() {
    let options = PoolerOptions {
        max_prepared_statements: 0,
        ..PoolerOptions::default()
    };
    let pooler = Pooler::start(Postgres::shared(), options);
    let database = Postgres::shared().create_database().await;
    for migrate_on_start in ["true", "false"] {
        let home = tempfile::tempdir().unwrap();
        let mut child = Command::new(binary())
            .env_clear()
            .envs(variables(&database, pooler.addr().port()))
            .env("ERRAND__DATABASE__MIGRATE_ON_START", migrate_on_start)
            .env("PORT", "0")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that went on would serve for ever.
        for _ in 0..600 {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(child.kill());
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{migrate_on_start}: {log}");
        let last = log.lines().last().unwrap_or_default();
        assert!(
            last.contains("max_prepared_statements"),
            "{migrate_on_start}: {log}"
        );
    }
}

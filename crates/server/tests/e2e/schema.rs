//! A schema that is older than the program, and one that becomes newer under it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use errand_testbed::{Api, Person, Pooler, PoolerOptions, Postgres};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::{Backend, Service, problem};

async fn run(conn: &mut PgConnection, sql: &str) {
    let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    statement.execute(conn).await.unwrap();
}

/// Nothing is served half: the statements of the program fit its own schema.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_schema_is_waited_for() {
    let database = Postgres::shared().create_database().await;
    let service = Service::start_with(
        Backend::Sqlite,
        &[
            ("DATABASE_URL", database.url.clone()),
            ("DATABASE_CA_FILE", database.ca_file.display().to_string()),
            ("ERRAND__DATABASE__MIGRATE_ON_START", "false".to_owned()),
        ],
    )
    .await;
    let api = &service.api;
    let ready = async || api.request("GET", "/health/ready").send().await;
    // The first look waits for nobody: on a busy machine it ends after errand began to listen.
    let began = Instant::now();
    while !service.errand.log().contains("older than this program") {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{}",
            service.errand.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    problem(&ready().await, 503, "not-ready");
    let log = service.errand.log();
    assert!(
        log.contains("older than this program") && log.contains("errand migrate up"),
        "{log}"
    );
    let body = json!({"email": "ann@example.com", "password": "violet tandem over the bridge"});
    let answer = api.request("POST", "/api/auth/register").json(&body).send().await;
    problem(&answer, 503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    let users = service.command(&["user", "list"], "");
    let told = String::from_utf8_lossy(&users.stderr).into_owned();
    assert!(
        !users.status.success() && told.contains("errand migrate up"),
        "{told}"
    );

    let migrated = service.command(&["migrate", "up"], "");
    assert!(migrated.status.success());
    // Without a restart.
    let ann = Person::register(api, "ann").await;
    assert_eq!(ann.request(api, "GET", "/tasks").send().await.status, 200);
    assert_eq!(ready().await.status, 200);
}

/// What a later version does to the schema: it adds. Every statement that is prepared somewhere goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_schema_is_applied_under_load() {
    let service = Service::start(Backend::Postgres).await;
    the_next_schema_is_applied(&service).await;
}

/// A pooler keeps statements for its clients, prepared before the schema changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_schema_is_applied_under_load_behind_a_pooler() {
    let pooler = Pooler::start(Postgres::shared(), PoolerOptions::default());
    let service = Service::start_behind(&pooler).await;
    the_next_schema_is_applied(&service).await;
}

async fn the_next_schema_is_applied(service: &Service) {
    load_goes_on(&service.api, service).await;
    // "cached plan must not change result type"
    assert!(
        !service.errand.log().contains("0A000"),
        "{}",
        service.errand.log()
    );
    // A replica that starts on it says so, and works.
    let (newer, api) = service.replica().await;
    assert!(newer.log().contains("newer than this program"), "{}", newer.log());
    Person::register(&api, "bob").await;
}

async fn load_goes_on(api: &Api, service: &Service) {
    let ann = Person::register(api, "ann").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..6 {
        let (api, ann, stop) = (api.clone(), ann.clone(), stop.clone());
        clients.spawn(async move {
            let mut asked = 0;
            while !stop.load(SeqCst) {
                let title = json!({"title": format!("of {client}"), "tags": ["a"]});
                let made = ann.request(&api, "POST", "/tasks").json(&title).send().await;
                assert_eq!(made.status, 201, "{}", made.text());
                let id = made.json()["id"].as_i64().unwrap();
                for (method, path, body) in [
                    ("GET", format!("/tasks/{id}"), None),
                    ("PUT", format!("/tasks/{id}"), Some(title)),
                    ("PATCH", format!("/tasks/{id}/complete"), None),
                    ("GET", "/tasks?limit=10&sort=title".to_owned(), None),
                    ("DELETE", format!("/tasks/{id}"), None),
                ] {
                    let request = ann.request(&api, method, &path);
                    let request = match &body {
                        Some(body) => request.json(body),
                        None => request,
                    };
                    let answer = request.send().await;
                    assert!(answer.status < 300, "{method} {path}: {}", answer.text());
                }
                asked += 6;
            }
            asked
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut owner = service.database().connect().await;
    for table in [
        "users",
        "sessions",
        "tasks",
        "task_counters",
        "security_events",
        "task_walks",
    ] {
        let sql = format!("ALTER TABLE {table} ADD COLUMN of_a_later_version bigint NOT NULL DEFAULT 0");
        run(&mut owner, &sql).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    run(
        &mut owner,
        "CREATE INDEX later ON tasks (user_id, of_a_later_version); \
         CREATE TABLE of_a_later_version (id bigint PRIMARY KEY); \
         INSERT INTO seaql_migrations (version, applied_at) VALUES ('m99990101_000001_later', 0)",
    )
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, SeqCst);
    let asked: usize = clients.join_all().await.into_iter().sum();
    assert!(asked > 50, "{asked} requests");
}

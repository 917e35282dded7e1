//! What the README tells to run works: the walk line by line, as a new user would run it, and the backup.

use std::path::Path;
use std::process::Command;

use errand_testbed::{Api, Errand, Person};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::support::{Backend, SIGNING_KEY, Service, binary};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walk_works() {
    let readme = include_str!("../../../../README.md");
    let walk = readme
        .split("```sh\n")
        .find(|block| block.starts_with("B=http://127.0.0.1:8000"))
        .unwrap();
    let walk = walk.split("```").next().unwrap();
    let service = Service::start(Backend::Sqlite).await;
    let script = walk.replace("http://127.0.0.1:8000", &service.errand.base_url());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(service.errand.home())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{shown}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answers: Vec<_> = shown.lines().filter(|line| !line.is_empty()).collect();
    assert!(shown.contains("\"title\":\"Write the plan\""), "{shown}");
    assert!(shown.contains("\"completed\":true"), "{shown}");
    assert!(answers.len() >= 3, "{shown}");
}

/// With what the README gives to sqlite3, which not every machine has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_running_database_is_whole() {
    let service = Service::start(Backend::Sqlite).await;
    let ann = Person::register(&service.api, "ann").await;
    let database = service.setting("DATABASE_URL").unwrap();
    let database = Path::new(database.strip_prefix("sqlite://").unwrap());
    let readme = include_str!("../../../../README.md");
    let sql = readme.split_once("sqlite3 data/errand.db \"VACUUM").unwrap().1;
    let sql = format!("VACUUM{}", sql.split('"').next().unwrap());
    let copy = database.with_file_name("backup.db");
    let shown = copy.display().to_string();
    let sql = sql.replace("backup.db", &shown);
    assert!(sql.contains(&shown), "{sql}");
    let mut conn = SqliteConnectOptions::new()
        .filename(database)
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    // The service goes on, and from the copy another begins.
    assert_eq!(
        ann.request(&service.api, "GET", "/tasks").send().await.status,
        200
    );
    let variables = [
        ("DATABASE_URL", format!("sqlite://{shown}")),
        ("JWT_SECRET", SIGNING_KEY.to_owned()),
    ];
    let restored = Errand::start(binary(), &variables).await;
    let answer = ann.request(&Api::new(restored.base_url()), "GET", "/tasks");
    assert_eq!(answer.send().await.status, 200);
}

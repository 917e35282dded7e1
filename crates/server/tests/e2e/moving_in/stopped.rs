//! An import that is stopped, or not let go.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::home::{Home, change, file_content, refused};
use crate::support::binary;

/// Changes are counted from the moment of arrival.
const COUNTED: &str = "
    CREATE VIEW counted AS
        SELECT user_id, change_counter - purged_seq AS changes, last_task_id FROM task_counters;
    CREATE VIEW numbered AS
        SELECT t.user_id, t.id, t.title, t.description, t.priority, t.due_at, t.tags, t.completed_at, t.created_at,
               t.updated_at, t.version, t.change_seq - c.purged_seq AS change
        FROM tasks t JOIN task_counters c USING (user_id);";

/// What is there of a file after an import, but for the run's identity, which is random.
async fn imported(path: &Path) -> Vec<String> {
    change(path, COUNTED).await;
    file_content(
        path,
        &["users", "counted", "numbered", "imported_users", "imported_tasks"],
    )
    .await
}

/// The lines of a receipt's rows.
fn rows_of(receipt: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(receipt).unwrap();
    let is_row =
        |line: &&str| line.starts_with("{\"line\":\"user\"") || line.starts_with("{\"line\":\"task\"");
    let mut rows: Vec<String> = text.lines().filter(is_row).map(str::to_owned).collect();
    rows.sort();
    rows
}

fn run_on(database: &Path, source: &Path, receipt: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["import", "run"])
        .arg(source)
        .arg("--receipt")
        .arg(receipt)
        .env_clear()
        .env("DATABASE_URL", format!("sqlite://{}", database.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Killed at moments that nobody chose, and started again each time. `ERRAND_TEST_KILLS=50` kills as often, with 100,000
/// tasks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_again_and_again_ends_as_any_other() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a test may take is no setting of errand"
    )]
    let kills = std::env::var("ERRAND_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok());
    let (kills, tasks) = kills.map_or((12, 20_000), |kills: u32| (kills, 100_000));
    let home = Home::with_tasks(tasks, tasks / 300).await;
    let (whole, whole_receipt) = (home.receipt("whole.db"), home.receipt("whole"));
    let started = std::time::Instant::now();
    assert!(
        run_on(&whole, &home.source(), &whole_receipt)
            .status()
            .unwrap()
            .success()
    );
    let lasts = started.elapsed();
    let (torn, torn_receipt) = (home.receipt("torn.db"), home.receipt("torn"));
    let (mut killed, mut longest) = (0, lasts);
    for n in 0.. {
        if killed == kills {
            break;
        }
        assert!(n < 20 * kills, "it is always done before it is killed");
        let mut child = run_on(&torn, &home.source(), &torn_receipt).spawn().unwrap();
        // From before the first row to about what an import takes.
        let delay = longest.mul_f64(f64::from(n * 7 % kills) / f64::from(kills));
        tokio::time::sleep(delay).await;
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            // It was done before it was killed: the next ones begin anew, and sooner.
            longest = longest.min(delay);
            for file in ["torn.db", "torn.db-wal", "torn.db-shm", "torn"] {
                drop(std::fs::remove_file(home.receipt(file)));
            }
        } else {
            killed += 1;
        }
    }
    assert!(
        run_on(&torn, &home.source(), &torn_receipt)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(imported(&torn).await, imported(&whole).await);
    assert_eq!(rows_of(&torn_receipt), rows_of(&whole_receipt));
}

/// Two at once would share a receipt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_import_beside_a_running_one_is_refused() {
    let home = Home::with_tasks(20_000, 50).await;
    let (database, receipt) = (home.receipt("errand.db"), home.receipt("r"));
    let mut first = run_on(&database, &home.source(), &receipt).spawn().unwrap();
    let part = home.receipt("r.part");
    while !part.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = run_on(&database, &home.source(), &receipt)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let (_, why) = refused(&second);
    assert!(why.contains("another import is running"), "{why}");
    assert!(first.wait().unwrap().success());
}

/// Nobody reads what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_terminal_stops_nothing() {
    let home = Home::new().await;
    let (database, receipt) = (home.receipt("errand.db"), home.receipt("r"));
    let mut command = run_on(&database, &home.source(), &receipt);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().unwrap().success());
    assert!(receipt.exists());
}

/// A database that cannot be reached is told of before the source is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_target_is_told_first() {
    let home = Home::new().await;
    let port = errand_testbed::Postgres::shared().addr().port();
    let output = Command::new(binary())
        .args(["import", "run", "/no/such/source.db"])
        .current_dir(home.dir.path())
        .env_clear()
        .env(
            "DATABASE_URL",
            format!("postgresql://nobody:violet-secret@localhost:{port}/none"),
        )
        .env("DATABASE_CA_FILE", errand_testbed::Postgres::shared().ca_file())
        .output()
        .unwrap();
    let (_, why) = refused(&output);
    assert!(why.contains("DATABASE_URL") || why.contains("password"), "{why}");
    assert!(
        !why.contains("violet-secret") && !why.contains("/no/such"),
        "{why}"
    );
    // And a source that is not there.
    let (_, why) = refused(
        &run_on(
            &home.receipt("errand.db"),
            Path::new("/no/such/source.db"),
            &home.receipt("r"),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap(),
    );
    assert!(why.contains("no file /no/such/source.db"), "{why}");
}

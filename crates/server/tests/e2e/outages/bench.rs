//! A service whose database can be taken from it, and clients who note what they see.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use errand_testbed::{Api, Person, Postgres, Proxy, TestDatabase};
use serde_json::json;
use sqlx::PgConnection;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Backend, Service, all_pages, create};

pub const DEADLINE: Duration = Duration::from_secs(5);
/// What a busy machine may add to whatever has a bound.
pub const SLACK: Duration = Duration::from_secs(3);
/// Within which requests succeed again; two seconds are the aim.
pub const BACK_WITHIN: Duration = Duration::from_secs(6);
/// Within which all connections are of use again; five seconds are the aim, and the benchmark shows what is
/// reached. A look that comes too early takes up to eight seconds until its readers have been told: this is time
/// for three of them.
pub const CAPACITY_WITHIN: Duration = Duration::from_secs(30);
/// As many connections as there are by default.
pub const CONNECTIONS: u8 = 16;
pub const CLIENTS: usize = 24;
/// What clients do between two requests.
pub const PACE: Duration = Duration::from_millis(20);
/// So many answers in a row are no luck.
pub const STEADY: usize = 200;

/// A service whose database can be taken from it.
pub struct Bench {
    pub service: Service,
    pub api: Api,
    pub ann: Person,
    pub task: i64,
    pub database: TestDatabase,
    pub proxy: Proxy,
}

impl Bench {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(more: &[(&'static str, String)]) -> Self {
        let proxy = Proxy::start(Postgres::shared().addr()).await;
        let database = Postgres::shared().create_database().await;
        let mut env = vec![
            ("DATABASE_URL", database.url_at(proxy.addr().port())),
            ("DATABASE_DIRECT_URL", database.url.clone()),
            ("DATABASE_CA_FILE", database.ca_file.display().to_string()),
            ("ERRAND__DATABASE__DEADLINE", format!("{}s", DEADLINE.as_secs())),
            ("ERRAND__LIMITS__REQUESTS_IN_FLIGHT_PER_USER", "1000".to_owned()),
        ];
        env.extend_from_slice(more);
        let service = Service::start_with(Backend::Sqlite, &env).await;
        let api = service.api.clone();
        let ann = Person::register(&api, "ann").await;
        let task = create(&api, &ann, json!({"title": "the first"})).await;
        Self {
            service,
            api,
            ann,
            task: task["id"].as_i64().unwrap(),
            database,
            proxy,
        }
    }

    /// All connections are cut, and whoever comes waits for this long from the first who comes.
    pub async fn suspend(&self, wake: Duration) {
        self.proxy.hold(wake).await;
        self.proxy.cut_all();
    }

    /// The same under load; when the database is back.
    pub async fn suspend_under_load(&self, wake: Duration) -> Instant {
        let before = self.proxy.accepted();
        self.suspend(wake).await;
        self.until_accepted(before + 1).await;
        Instant::now() + wake
    }

    pub async fn until_accepted(&self, connections: u64) {
        while self.proxy.accepted() < connections {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// What was acknowledged is there, and nothing is there twice.
    pub async fn assert_whole(&self, seen: &Seen) {
        let tasks = all_pages(&self.api, &self.ann, "?limit=1000").await;
        let there: HashSet<_> = tasks
            .iter()
            .map(|task| (task["id"].as_i64().unwrap(), task["title"].as_str().unwrap()))
            .collect();
        let titles: HashSet<_> = there.iter().map(|(_, title)| title).collect();
        assert_eq!(titles.len(), tasks.len(), "a creation was doubled");
        let mut made = 0;
        for (id, title) in seen.0.iter().filter_map(|asked| asked.made.as_ref()) {
            made += 1;
            assert!(there.contains(&(*id, title)), "{title} is lost");
        }
        assert!(made > 0, "nothing was created");
    }

    pub async fn is_served(&self) -> bool {
        let path = format!("/tasks/{}", self.task);
        self.ann.request(&self.api, "GET", &path).send().await.status == 200
    }

    /// Whether as many requests as there are connections have theirs at the same moment, and succeed.
    pub async fn has_full_capacity(&self, owner: &mut PgConnection) -> bool {
        run(owner, "BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE").await;
        let mut readers = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let request = self
                .ann
                .request(&self.api, "GET", &format!("/tasks/{}", self.task));
            readers.spawn(async move { request.send().await.status });
        }
        let mut waiting = 0_i64;
        // Connections are made when they are wanted, and a busy machine takes its time for sixteen.
        for _ in 0..150 {
            waiting = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&mut *owner)
            .await
            .unwrap();
            if waiting == i64::from(CONNECTIONS) {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        run(owner, "ROLLBACK").await;
        let statuses = readers.join_all().await;
        waiting == i64::from(CONNECTIONS) && statuses.iter().all(|status| *status == 200)
    }
}

pub async fn run(conn: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(conn).await.unwrap();
}

/// What became of a request.
pub struct Asked {
    pub what: &'static str,
    pub began: Instant,
    pub ended: Instant,
    pub status: u16,
    pub retry_after: bool,
    /// Of a creation that was acknowledged.
    pub made: Option<(i64, String)>,
    pub text: String,
}

impl Asked {
    pub fn is_served(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn took(&self) -> Duration {
        self.ended - self.began
    }

    pub fn words(&self) -> String {
        let (took, end) = (self.took(), &self.text);
        format!("{}: {} after {took:?}: {end}", self.what, self.status)
    }
}

/// Clients that read, list and create all the time.
pub struct Load {
    pub stop: Arc<AtomicBool>,
    /// How many were served since one was not.
    pub in_a_row: Arc<AtomicUsize>,
    pub clients: JoinSet<Vec<Asked>>,
}

impl Load {
    pub fn start(bench: &Bench, name: &'static str, clients: usize) -> Self {
        let (stop, in_a_row) = (Arc::new(AtomicBool::new(false)), Arc::<AtomicUsize>::default());
        let mut running = JoinSet::new();
        for client in 0..clients {
            let (api, ann, task) = (bench.api.clone(), bench.ann.clone(), bench.task);
            let (stop, in_a_row) = (stop.clone(), in_a_row.clone());
            running.spawn(async move {
                let mut all = Vec::new();
                for n in client.. {
                    if stop.load(SeqCst) {
                        break;
                    }
                    let title = format!("{name} c{client} n{n}");
                    let asked = ask(&api, &ann, task, n, title).await;
                    let pause = if asked.is_served() {
                        in_a_row.fetch_add(1, SeqCst);
                        PACE
                    } else {
                        in_a_row.store(0, SeqCst);
                        PACE * 10
                    };
                    all.push(asked);
                    sleep(pause).await;
                }
                all
            });
        }
        Self {
            stop,
            in_a_row,
            clients: running,
        }
    }

    /// Waits until so many more have been served, without one that was not among them.
    pub async fn until_steady(&self) {
        let began = Instant::now();
        self.in_a_row.store(0, SeqCst);
        while self.in_a_row.load(SeqCst) < STEADY {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "it never becomes steady"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn wind_down(&self) {
        self.stop.store(true, SeqCst);
    }

    pub async fn end(self) -> Seen {
        self.wind_down();
        Seen(self.clients.join_all().await.into_iter().flatten().collect())
    }
}

pub async fn ask(api: &Api, person: &Person, task: i64, n: usize, title: String) -> Asked {
    let (what, request) = match n % 3 {
        0 => ("read", person.request(api, "GET", &format!("/tasks/{task}"))),
        1 => ("list", person.request(api, "GET", "/tasks?limit=20")),
        _ => (
            "creation",
            person
                .request(api, "POST", "/tasks")
                .json(&json!({"title": title})),
        ),
    };
    let began = Instant::now();
    let answer = request.try_send().await;
    let ended = Instant::now();
    let (status, retry_after, text) = match &answer {
        Ok(answer) => (
            answer.status,
            answer.header("retry-after").is_some(),
            answer.text(),
        ),
        Err(error) => (0, false, format!("{error:?}")),
    };
    let made = answer
        .ok()
        .filter(|answer| answer.status == 201)
        .map(|answer| (answer.json()["id"].as_i64().unwrap(), title));
    Asked {
        what,
        began,
        ended,
        status,
        retry_after,
        made,
        text,
    }
}

/// What clients saw.
pub struct Seen(pub Vec<Asked>);

impl Seen {
    pub fn refused(&self) -> impl Iterator<Item = &Asked> {
        self.0.iter().filter(|asked| !asked.is_served())
    }

    pub fn slowest(&self) -> Duration {
        self.0.iter().map(Asked::took).max().unwrap()
    }

    #[track_caller]
    pub fn assert_all_served(&self, what: &str) {
        let refused: Vec<_> = self.refused().collect();
        assert!(
            refused.is_empty(),
            "{what}: {} of {} failed: {}",
            refused.len(),
            self.0.len(),
            refused[0].words()
        );
    }

    /// Each was served, or told when to come again, within the deadline.
    #[track_caller]
    pub fn assert_told_in_time(&self, what: &str) {
        for asked in &self.0 {
            let told = asked.is_served() || (asked.status == 503 && asked.retry_after);
            assert!(
                told && asked.took() < DEADLINE + SLACK,
                "{what}: {}",
                asked.words()
            );
        }
    }

    /// From the database's return to the first answer that says so, and to the last that does not.
    pub fn back_after(&self, back: Instant) -> (Duration, Duration) {
        let served = self.0.iter().filter(|asked| asked.is_served());
        let first = served
            .filter(|asked| asked.ended >= back)
            .map(|asked| asked.ended);
        let last = self.refused().map(|asked| asked.ended).max();
        (
            first.min().unwrap() - back,
            last.map_or(Duration::ZERO, |last| last.saturating_duration_since(back)),
        )
    }

    #[track_caller]
    pub fn assert_back_after(&self, back: Instant, what: &str) {
        let (first, last) = self.back_after(back);
        assert!(
            first < BACK_WITHIN && last < BACK_WITHIN,
            "{what}: {first:?}, {last:?}"
        );
    }
}

pub fn print(what: &str, seen: &Seen, back: Option<Instant>) {
    let secs = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let back = back.map_or("–, –".to_owned(), |back| {
        let (first, last) = seen.back_after(back);
        format!("{}, {}", secs(first), secs(last))
    });
    println!(
        "| {what} | {} | {} | {} | {back} |",
        seen.0.len(),
        seen.refused().count(),
        secs(seen.slowest())
    );
}

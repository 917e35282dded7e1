//! The price of row-level security: the same requests with it off and on, in turns.

use std::time::{Duration, Instant};

use errand_testbed::{Api, Options, Person, Postgres};
use serde_json::json;
use tokio::task::JoinSet;

use crate::stage::{Stage, percentile, postgres, seed};

const CLIENTS: usize = 16;
const ROUND: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;

/// What is measured.
const KINDS: [(&str, &str, &str); 3] = [
    ("list of 50", "GET", "/tasks"),
    ("one task", "GET", "/tasks/1"),
    ("toggle", "PATCH", "/tasks/1/complete"),
];

/// Two services on one cluster, each with a database of its own.
pub async fn run() {
    println!(
        "{CLIENTS} clients without pause, durable PostgreSQL over TLS; medians of {ROUNDS} rounds of {ROUND:?}"
    );
    println!(
        "{:12} {:>16} {:>16} {:>9}",
        "", "off, req/s (p50)", "on, req/s (p50)", "ratio"
    );
    let cluster = Postgres::start(Options { durable: true });
    let plain = cluster.create_database().await;
    let off = Stage::start(&postgres(&plain)).await;
    let fenced = cluster.create_database().await;
    fenced.allow_making_roles().await;
    let role = format!("app_{}", fenced.name());
    let owner = Stage::start(&postgres(&fenced)).await;
    owner.command(&["migrate", "up", "--app-role", &role]);
    drop(owner);
    let mut variables = postgres(&fenced);
    variables[0].1 = fenced.url_as(&role).await;
    variables.push(("DATABASE_DIRECT_URL", fenced.url.clone()));
    variables.push(("ERRAND__DATABASE__ROW_LEVEL_SECURITY", "true".to_owned()));
    let on = Stage::start(&variables).await;
    let mut sides = Vec::new();
    for stage in [&off, &on] {
        let person = Person::register(&stage.api, "ann").await;
        seed(&stage.api, &person, 50).await;
        sides.push((stage, person));
    }
    for (what, method, path) in KINDS {
        let mut rounds = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (side, (stage, person)) in sides.iter().enumerate() {
                rounds[side].push(measure(&stage.api, person, method, path).await);
            }
        }
        let median = |side: &mut Vec<(f64, f64)>| {
            side.sort_by(|a, b| a.0.total_cmp(&b.0));
            side[side.len() / 2]
        };
        let [mut off, mut on] = rounds;
        let (off, on) = (median(&mut off), median(&mut on));
        println!(
            "{what:12} {:8.0} ({:5.2}) {:8.0} ({:5.2}) {:9.2}",
            off.0,
            off.1,
            on.0,
            on.1,
            on.0 / off.0
        );
    }
}

/// Requests a second, and the median time of one in milliseconds.
async fn measure(api: &Api, person: &Person, method: &'static str, path: &'static str) -> (f64, f64) {
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (api, person) = (api.clone(), person.clone());
        clients.spawn(async move {
            let (until, mut times) = (Instant::now() + ROUND, Vec::new());
            while Instant::now() < until {
                let started = Instant::now();
                let mut request = person.request(&api, method, path);
                if method == "PATCH" {
                    request = request.json(&json!({}));
                }
                let answer = request.send().await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                times.push(started.elapsed());
            }
            times
        });
    }
    let mut times = clients.join_all().await.concat();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    (rate, percentile(&mut times, 50))
}

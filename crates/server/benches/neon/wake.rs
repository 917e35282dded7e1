//! What the first request after a sleep takes beyond the time that the database needs to wake up.

use std::time::{Duration, Instant};

use errand_testbed::{Options, Person, Postgres, Proxy};
use serde_json::json;

use crate::load::percentile;
use crate::start;

const RUNS: usize = 7;
/// Enough for every connection to be idle.
const IDLE: Duration = Duration::from_millis(500);

pub async fn run() {
    let cluster = Postgres::start(Options { durable: true });
    let proxy = Proxy::start(cluster.addr()).await;
    let database = cluster.create_database().await;
    let (_errand, api) = start(&database, proxy.addr().port()).await;
    let person = Person::register(&api, "ann").await;
    for suspension in [500, 1000, 3000].map(Duration::from_millis) {
        for (what, method, right) in [("list", "GET", 200), ("creation", "POST", 201)] {
            let ask = async || {
                let request = person.request(&api, method, "/tasks");
                let request = if method == "POST" {
                    request.json(&json!({"title": "first after the sleep"}))
                } else {
                    request
                };
                let started = Instant::now();
                let answer = request.send().await;
                assert_eq!(answer.status, right, "{}", answer.text());
                started.elapsed()
            };
            let (mut warm, mut beyond) = (Vec::new(), Vec::new());
            for _ in 0..RUNS {
                // Not the one after the last sleep, which may open a connection.
                ask().await;
                warm.push(ask().await);
                tokio::time::sleep(IDLE).await;
                proxy.hold(suspension).await;
                proxy.cut_all();
                beyond.push(ask().await.saturating_sub(suspension));
            }
            println!(
                "{suspension:?}, {what}: median {:.2?}, worst {:.2?} beyond it; warm {:.2?}",
                percentile(&beyond, 50),
                percentile(&beyond, 100),
                percentile(&warm, 50)
            );
        }
    }
}

//! What task reads feel of 200 clients that do nothing but sign in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use errand_testbed::{Api, Options, Person, Postgres};
use tokio::task::JoinSet;

use crate::stage::{Stage, percentile, postgres, seed, sign_in};

const CLIENTS: usize = 200;
const READERS: usize = 8;
/// Of one reader.
const PAUSE: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_secs(20);
const STORM: Duration = Duration::from_mins(1);

/// From one network, which its limit stops; and from a network each, so that all get to the hashing pool.
pub async fn run() {
    println!(
        "{READERS} readers with 50 tasks each, {CLIENTS} clients that sign in without pause; reads in ms"
    );
    let cluster = Postgres::start(Options { durable: true });
    for (what, networks) in [
        ("one network", 1),
        ("a network each", CLIENTS),
        ("ever new networks", usize::MAX),
    ] {
        let database = cluster.create_database().await;
        let stage = Stage::start(&postgres(&database)).await;
        let mut people = Vec::new();
        for n in 0..READERS {
            let person = Person::register(&stage.api, &format!("reader{n}")).await;
            seed(&stage.api, &person, 50).await;
            people.push(person);
        }
        let mut idle = read(&stage.api, &people, IDLE).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for n in 0..CLIENTS {
            let (api, stop) = (Api::new(stage.errand.base_url()), stop.clone());
            let name = people[n % READERS].email.clone();
            clients.spawn(async move { storm(&api, &name, n, networks, &stop).await });
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut stormy = read(&stage.api, &people, STORM).await;
        stop.store(true, Relaxed);
        let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
        let mut slowest = Duration::ZERO;
        while let Some(client) = clients.join_next().await {
            let (counts, longest) = client.unwrap();
            slowest = slowest.max(longest);
            for (status, count) in counts {
                *answers.entry(status).or_default() += count;
            }
        }
        let [before, during] =
            [&mut idle, &mut stormy].map(|times| (percentile(times, 50), percentile(times, 99)));
        let allowed = (before.1 * 1.5).max(before.1 + 5.0);
        println!(
            "{what:18} idle p50 {:.2} p99 {:.2}, storm p50 {:.2} p99 {:.2} (allowed {allowed:.2}), {} reads without error",
            before.0,
            before.1,
            during.0,
            during.1,
            stormy.len()
        );
        println!("{:18} sign-ins {answers:?}, the slowest after {slowest:.2?}", "");
    }
}

async fn storm(
    api: &Api,
    name: &str,
    client: usize,
    networks: usize,
    stop: &AtomicBool,
) -> (BTreeMap<u16, usize>, Duration) {
    let (mut counts, mut longest) = (BTreeMap::new(), Duration::ZERO);
    let mut turn = 0_usize;
    while !stop.load(Relaxed) {
        let n = if networks == usize::MAX {
            client * 1_000_000 + turn
        } else {
            client % networks
        };
        let address = format!("2001:db8:{:x}:{:x}::1", n >> 16 & 0xffff, n & 0xffff);
        let started = Instant::now();
        let answer = sign_in(api, name, "a wrong guess", &address).await;
        longest = longest.max(started.elapsed());
        *counts.entry(answer.status).or_default() += 1;
        turn += 1;
    }
    (counts, longest)
}

/// Lists of tasks by all readers for a while.
async fn read(api: &Api, people: &[Person], within: Duration) -> Vec<Duration> {
    let mut readers = JoinSet::new();
    for person in people {
        let (api, person) = (api.clone(), person.clone());
        readers.spawn(async move {
            let (until, mut times) = (Instant::now() + within, Vec::new());
            while Instant::now() < until {
                let started = Instant::now();
                let answer = person.request(&api, "GET", "/tasks").send().await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                times.push(started.elapsed());
                tokio::time::sleep(PAUSE).await;
            }
            times
        });
    }
    readers.join_all().await.concat()
}

//! Many clients over few connections: whether every answer is the right one.

use errand_testbed::{Options, Pooler, PoolerOptions, Postgres};

use crate::load::mixture::{self, Mixture};
use crate::start;

pub async fn run() {
    let cluster = Postgres::start(Options { durable: true });
    let pooler = Pooler::start(&cluster, PoolerOptions::default());
    let database = cluster.create_database().await;
    let (_errand, api) = start(&database, pooler.addr().port()).await;
    let mixture = Mixture {
        prefix: "a",
        clients: 64,
        users: 16,
        requests: 20_000,
        guests: true,
    };
    let tally = mixture::run(&api, mixture).await;
    println!("64 clients, 3 server connections: {tally}");
    for fault in &tally.faults {
        println!("{fault}");
    }
}

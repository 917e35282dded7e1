//! How soon writes go on after a crash of PostgreSQL.

use errand_testbed::{Options, Postgres};

use crate::load::crashes;
use crate::start;

const CRASHES: usize = 20;

pub async fn run() {
    let cluster = Postgres::start(Options { durable: true });
    let database = cluster.create_database().await;
    let (_errand, api) = start(&database, cluster.addr().port()).await;
    let report = crashes::run(&cluster, &database, &api, CRASHES).await;
    println!("{report}");
    for fault in &report.faults {
        println!("{fault}");
    }
}

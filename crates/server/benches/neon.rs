//! What a pooler, a sleep and a crash of the database cost, as figures:
//! `cargo bench -p errand --bench neon -- pooler|direct|wake|crash`.
//!
//! Each starts the release binary, a throwaway PostgreSQL and what lies between, stops by itself, and prints a
//! line for each run. On loopback, with the load generator on the same processors.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark: what fails here has nothing to report"
)]

#[path = "neon/crash.rs"]
mod crash;
#[path = "neon/direct.rs"]
mod direct;
#[path = "../tests/load/mod.rs"]
mod load;
#[path = "neon/pooler.rs"]
mod pooler;
#[path = "neon/wake.rs"]
mod wake;

use std::path::Path;
use std::pin::Pin;

use errand_testbed::{Api, Errand, TestDatabase};

/// One of the benchmarks, not yet begun.
type Benchmark = Pin<Box<dyn Future<Output = ()>>>;

fn main() {
    // cargo adds arguments of its own.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let all = wanted.is_empty();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for (name, run) in [
            ("pooler", Box::pin(pooler::run()) as Benchmark),
            ("direct", Box::pin(direct::run())),
            ("wake", Box::pin(wake::run())),
            ("crash", Box::pin(crash::run())),
        ] {
            if all || wanted.iter().any(|w| w == name) {
                println!("\n{name}");
                run.await;
            }
        }
    });
}

/// The release binary on a database that it reaches at this port.
async fn start(database: &TestDatabase, port: u16) -> (Errand, Api) {
    let binary = Path::new(env!("CARGO_BIN_EXE_errand"));
    let errand = Errand::start(binary, &load::variables(database, port)).await;
    let api = Api::new(errand.base_url());
    (errand, api)
}

//! How the defences stand up, as figures: `cargo bench -p errand --bench defence -- oracle|storm|fence`.
//!
//! Each starts the release binary and a throwaway database, stops by itself, and prints a table. On loopback,
//! with the load generator on the same processors.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark: what fails here has nothing to report"
)]

#[path = "defence/fence.rs"]
mod fence;
#[path = "defence/oracle.rs"]
mod oracle;
#[path = "defence/stage.rs"]
mod stage;
#[path = "defence/storm.rs"]
mod storm;

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
            ("oracle", Box::pin(oracle::run()) as stage::Benchmark),
            ("storm", Box::pin(storm::run())),
            ("fence", Box::pin(fence::run())),
        ] {
            if all || wanted.iter().any(|w| w == name) {
                println!("\n{name}");
                run.await;
            }
        }
    });
}

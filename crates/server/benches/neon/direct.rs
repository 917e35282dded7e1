//! What the pooler costs: the same load with and without it, in turns.

use errand_testbed::{Options, Pooler, PoolerOptions, Postgres};

use crate::load::mixture::{self, Mixture};
use crate::load::percentile;
use crate::start;

/// Of each: names for new users.
const PAIRS: [[&str; 2]; 7] = [
    ["a0", "b0"],
    ["a1", "b1"],
    ["a2", "b2"],
    ["a3", "b3"],
    ["a4", "b4"],
    ["a5", "b5"],
    ["a6", "b6"],
];

pub async fn run() {
    let cluster = Postgres::start(Options { durable: true });
    let pooler = Pooler::start(&cluster, PoolerOptions::default());
    let ports = [cluster.addr().port(), pooler.addr().port()];
    for clients in [1, 64] {
        let database = cluster.create_database().await;
        let (_direct, direct) = start(&database, ports[0]).await;
        let (_pooled, pooled) = start(&database, ports[1]).await;
        let (mut ratios, mut rates, mut medians) =
            (Vec::new(), [Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for (n, names) in PAIRS.into_iter().enumerate() {
            let mut pair = [0.0, 0.0];
            // Each comes first in turn.
            for which in [n % 2, 1 - n % 2] {
                let mixture = Mixture {
                    prefix: names[which],
                    clients,
                    users: clients.min(16),
                    requests: if clients == 1 { 500 } else { 2_000 },
                    guests: false,
                };
                let tally = mixture::run([&direct, &pooled][which], mixture).await;
                assert!(tally.faults.is_empty(), "{:?}", tally.faults);
                pair[which] = tally.rate();
                rates[which].push(tally.rate());
                medians[which].push(percentile(&tally.times, 50));
            }
            ratios.push(pair[1] / pair[0]);
        }
        let [direct, pooled] = [0, 1].map(|which| {
            let (rate, p50) = (middle(&mut rates[which]), percentile(&medians[which], 50));
            format!("{rate:.0} requests/s, p50 {p50:.2?}")
        });
        println!(
            "{clients} clients: direct {direct}; pooled {pooled}; pooled to direct {:.2} (median of {} pairs, {ratios:.2?})",
            middle(&mut ratios.clone()),
            ratios.len()
        );
    }
}

/// The median.
fn middle(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

//! `kill -9` of PostgreSQL in the middle of writes: errand lives on, and everything acknowledged is there.

use std::time::Duration;

use errand_testbed::{Api, Errand, Options, Postgres};

use crate::load::{crashes, variables};
use crate::support::binary;

/// A promise of 2 s, on a machine that is busy with other tests.
const BACK_WITHIN: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_twenty_crashes_of_the_server() {
    const CRASHES: usize = 20;
    let postgres = Postgres::start(Options { durable: true });
    let database = postgres.create_database().await;
    let errand = Errand::start(binary(), &variables(&database, postgres.addr().port())).await;
    let api = Api::new(errand.base_url());
    let report = crashes::run(&postgres, &database, &api, CRASHES).await;
    println!("{report}");
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert_eq!((report.first.len(), report.all.len()), (CRASHES, CRASHES));
    assert!(report.acknowledged > 3000, "{report}");
    assert!(report.refused > 0, "no outage was felt: {report}");
    let worst = report.all.iter().max().unwrap();
    assert!(*worst < BACK_WITHIN, "{report}");
}

//! Load that knows what must come of it, for the tests and for the benchmarks.

pub mod crashes;
pub mod mixture;

use std::time::Duration;

use errand_testbed::TestDatabase;

/// Not a secret: it signs for throwaway databases only.
const SIGNING_KEY: &str = "pq8v3KzR1mX7tYw2LsNf6GhJ4bDc9QaE";

/// How long errand lets a request wait for the database.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// The environment of an errand that reaches a database at a port of this machine.
pub fn variables(database: &TestDatabase, port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("JWT_SECRET", SIGNING_KEY.to_owned()),
        ("DATABASE_URL", database.url_at(port)),
        ("DATABASE_CA_FILE", database.ca_file.display().to_string()),
        ("ERRAND__DATABASE__DEADLINE", format!("{}s", DEADLINE.as_secs())),
        ("ERRAND__AUTH__BCRYPT_COST", "10".to_owned()),
        // All load comes from one address.
        ("ERRAND__LIMITS__EXEMPT_NETWORKS", "127.0.0.0/8".to_owned()),
    ]
}

/// The one below which so many of a hundred lie.
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let place = (times.len() * percent / 100).min(last);
    times.get(place).copied().unwrap_or_default()
}

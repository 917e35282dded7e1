//! Real servers for the tests: a throwaway PostgreSQL with TLS, a pooler before it, a TCP proxy, a running errand.
//!
//! Test-only code: whatever goes wrong here panics with a message that says what to do about it.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "test-only code: a panic is how a test reports that its surroundings are broken"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the surroundings of a test are not errand: they may spawn, sleep and wait as they like"
)]

mod api;
mod errand;
mod ground;
#[path = "../../xtask/src/pg_bin.rs"]
mod pg_bin;
mod pooler;
#[path = "../../xtask/src/pooler_bin.rs"]
mod pooler_bin;
mod postgres;
mod proxy;
mod watchdog;

pub use api::{Answer, Api, Person, Request};
pub use errand::Errand;
pub use pooler::{Pooler, PoolerOptions};
pub use postgres::{Options, Postgres, TestDatabase};
pub use proxy::Proxy;

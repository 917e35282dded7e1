//! errand end to end: the real program over real TCP, on SQLite, on PostgreSQL, and there behind row-level security.
//!
//! One test binary, so that all tests share one throwaway cluster. Each test has a service and a database of
//! its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a failed expectation is the point"
)]

mod aborts;
mod accounts;
mod administration;
mod attacks;
mod batch;
mod batches;
mod bodies;
mod changes;
mod conditions;
mod copying;
mod crashes;
mod doctor;
mod errors;
mod events;
mod fairness;
mod idempotency;
mod idle;
mod isolation;
mod limits;
mod lists;
#[path = "../load/mod.rs"]
mod load;
mod logs;
mod lost_answers;
mod migrators;
mod moving_in;
mod openapi;
mod outages;
mod paging;
mod pooler;
mod races;
mod readme;
mod recurrence;
mod replicas;
mod rolling;
mod row_level_security;
mod schema;
mod series;
mod server_crashes;
mod sessions;
mod support;
mod tasks;
mod transcripts;
mod trash;
mod undoing;

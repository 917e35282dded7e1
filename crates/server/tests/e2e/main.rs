//! errand end to end: the real program over real TCP, on SQLite and on PostgreSQL.
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
mod bodies;
mod crashes;
mod errors;
mod isolation;
mod lists;
mod logs;
mod paging;
mod races;
mod readme;
mod sessions;
mod support;
mod tasks;
mod transcripts;

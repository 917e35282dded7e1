//! What every persistence adapter must pass: an in-memory model and cases that hold an adapter against it.
//!
//! **What this crate is.** The ports of `errand_application` say what a store guarantees; this crate makes it
//! checkable.
//!
//! - [`model`] implements the ports in memory, by the domain's own functions: the executable specification. Its
//!   documentation lists what the ports leave open.
//! - [`cases`] hold one rule each, by name, on a fresh store.
//! - [`random`] plays random histories on an adapter and on the model and compares every answer.
//! - Broken stores, each with one defect, prove that the case meant for the defect fails.
//!
//! **What it must never know.** An adapter, a table, a wall clock. No case sleeps, and none can be switched off:
//! an adapter passes or it is no adapter.
//!
//! **Where to start.** [`model::Model`], then the names in [`for_each_case!`].
//!
//! **How an adapter uses it.** In a test of the adapter's crate, with `tokio` (runtime and macros) at hand:
//!
//! ```
//! use errand_conformance::{Harness, Stores, conformance, model::Model};
//!
//! struct Subject(Model); // a database of its own for each test
//!
//! impl Harness for Subject {
//!     async fn fresh() -> Self {
//!         Self(Model::new())
//!     }
//!
//!     fn stores(&self) -> Stores {
//!         self.0.stores()
//!     }
//! }
//!
//! conformance!(Subject);
//! # fn main() {}
//! ```
//!
//! A red test is named after the rule that does not hold yet; the doc comment of that function says it in a
//! sentence. With several databases in one file: `conformance!(sqlite = Sqlite); conformance!(postgres =
//! Postgres);`. If random histories differ, the message shows the shortest history that was found and where it
//! went apart.
//!
//! **How to add a case.** Write the guarantee into the port's doc comment; let the model keep it; write a
//! `pub async fn` with a sentence for a name in the module of `cases/` that it belongs to, and add the name to
//! `for_each_case!` (a test fails until it is there). Then break a copy of the model in `broken.rs` so that
//! exactly this case must fail. A new method of a port also belongs into `random.rs` and into `cases/isolation.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "test code: a failed expectation is the point"
)]

mod macros;

pub mod calendar;
pub mod cases;
pub mod harness;
pub mod model;
pub mod parallel;
pub mod random;

mod fixtures;
mod replica;

#[cfg(test)]
mod broken;

pub use calendar::DailyCalendar;
pub use harness::{Harness, Stores};
pub use model::ModelHarness;

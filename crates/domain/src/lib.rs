//! The rules of errand: values, entities and their faults.
//!
//! **What this crate is.** Plain synchronous Rust. A value that exists is valid: every constructor checks,
//! fields are private, and state changes are methods that keep the invariants.
//!
//! **What it must never know.** I/O, async, serde, SQL, HTTP. `cargo xtask layering` holds this.
//!
//! **Where to start.** [`task::Task`] is the heart; [`session::Session`] holds the rules of refresh tokens.
//!
//! **How to extend it.** A new field of a task: a value type with a constructor here, then the same noun in
//! every layer outwards (`tasks.rs` in application, persistence, http and conformance).

pub mod account;
pub mod changes;
pub mod event;
pub mod fault;
pub mod id;
pub mod idempotency;
pub mod limit;
pub mod network;
pub mod query;
pub mod session;
pub mod task;
pub mod text;
pub mod time;
pub mod trash;

pub use fault::{Fault, FieldFault};
pub use id::{SessionId, TaskId, UserId};
pub use time::Timestamp;

//! The use cases of errand and the ports that they need.
//!
//! **What this crate is.** One service per family of use cases, plain structs of the ports that they use, and
//! the ports: object-safe traits that adapters implement. A service authorises, applies the rule and makes one
//! atomic call of a port.
//!
//! **What it must never know.** SQL, HTTP, bcrypt, the wall clock, the operating system's randomness.
//! `cargo xtask layering` holds this.
//!
//! **Where to start.** [`ports`] says what an adapter guarantees; [`tasks`] is the shortest service.
//!
//! **How to extend it.** A use case is a method of a service; what it needs of the outside is a method of a
//! port, with its guarantee in the doc comment and a case of that name in the conformance suite.

pub mod accounts;
pub mod actor;
pub mod administration;
pub mod error;
mod events;
pub mod guard;
pub mod health;
pub mod in_flight;
pub mod limits;
pub mod ports;
pub mod purge;
pub mod refresh;
pub mod sessions;
mod sha256;
pub mod tasks;
mod turns;

#[cfg(test)]
mod test_support;

pub use actor::Actor;
pub use error::{AppError, Limited};
pub use events::Recorder;

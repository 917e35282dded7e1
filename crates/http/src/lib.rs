//! Adapter: the HTTP interface on actix-web.
//!
//! **What this crate is.** The wire contract: one table of routes, wire types, strict readers of bodies and
//! query parameters, and one place where every error becomes `application/problem+json`. A handler reads,
//! makes one call of a service, and writes.
//!
//! **What it must never know.** SQL, how passwords are hashed or tokens are signed. Business rules live in
//! `errand-domain` and `errand-application`. `cargo xtask layering` holds this.
//!
//! **Where to start.** `routes.rs` is the table of contents of the interface; `tasks.rs` is the model of a
//! resource file; [`problem`] holds the errors.
//!
//! **How to extend it.** A new endpoint is a line of the table, a handler, and a description in `describe`. A new error code is an entry in
//! `problem/code.rs` and a section of `specs/problems.md`.

pub mod problem;

mod accounts;
mod auth;
mod body;
mod conditions;
mod context;
mod cursor;
mod describe;
mod drain;
mod fields;
mod idempotency;
mod json;
mod middleware;
mod openapi;
mod origin;
mod pace;
mod query;
mod reference;
mod routes;
mod server;
mod service;
mod sessions;
mod tasks;
mod wire;

pub use context::{Access, Services, Settings};
pub use openapi::openapi_json;
pub use routes::{EndpointInfo, endpoints};
pub use server::{app, serve};

#[cfg(test)]
mod tests;

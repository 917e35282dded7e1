//! The binary `errand`: configuration, wiring, telemetry and the command line.
//!
//! **What this crate is.** The only place that knows all the others: it reads the configuration, opens the
//! adapters, gives them to the services and the services to the HTTP server.
//!
//! **What it must never know.** Rules, SQL, routes. `cargo xtask layering` holds this.
//!
//! **Where to start.** `serve.rs` is what happens from start to stop; `wire.rs` joins the parts.
//!
//! **How to extend it.** A setting: a line in `config/keys.rs` and a field in `config.rs`. A command: a variant
//! in `cli.rs`. Another database: an arm in `wire.rs`.

mod banner;
mod cli;
mod config;
mod copy;
mod doctor;
mod failure;
mod import;
mod jwt_secret;
mod migrate;
mod openapi;
mod output;
mod purge;
mod serve;
mod telemetry;
mod users;
mod wire;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.lines() {
                // Nobody may be there to read it.
                drop(writeln!(std::io::stderr(), "errand: {line}"));
            }
            ExitCode::FAILURE
        }
    }
}

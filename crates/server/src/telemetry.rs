//! The log: lines on stderr, as JSON or as text.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::config::{Log, LogFormat};

/// Libraries that say too much. The first ones print connection options and statements, and with them
/// passwords, below INFO: that must not depend on a setting.
const CAPS: &[(&str, LevelFilter)] = &[
    ("sea_orm", LevelFilter::INFO),
    // What it did is logged once, by errand.
    ("sea_orm_migration", LevelFilter::WARN),
    ("sqlx", LevelFilter::INFO),
    // Each start: "relation already exists, skipping".
    ("sqlx::postgres::notice", LevelFilter::WARN),
    ("actix_http", LevelFilter::INFO),
    ("actix_server", LevelFilter::WARN),
    ("actix_web", LevelFilter::INFO),
    ("mio", LevelFilter::INFO),
    ("rustls", LevelFilter::INFO),
];

/// Starts logging; to be called once.
pub fn start(log: &Log) {
    let terminal = std::io::stderr().is_terminal();
    let text = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if text {
        lines.with_ansi(terminal).boxed()
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(targets(log.level)));
    // Fails if something logs already, which is as good.
    if subscriber.try_init().is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

fn targets(level: LevelFilter) -> Targets {
    let capped = CAPS.iter().map(|(target, cap)| (*target, level.min(*cap)));
    Targets::new().with_default(level).with_targets(capped)
}

/// As a line like all others, so that it is found, and without the backtrace on many lines.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let reason = panic.payload_as_str().unwrap_or("of an unknown kind");
    tracing::error!(location, reason, "panic");
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_level_never_lifts_a_cap() {
        let trace = targets(LevelFilter::TRACE);
        assert!(trace.would_enable("errand_http", &Level::TRACE));
        for target in ["sqlx", "sqlx::query", "sea_orm::database", "sqlx_core::pool"] {
            let enabled = trace.would_enable(target, &Level::DEBUG);
            assert!(!enabled, "{target}");
        }
        let error = targets(LevelFilter::ERROR);
        assert!(!error.would_enable("sqlx", &Level::WARN));
        assert!(error.would_enable("errand", &Level::ERROR));
    }
}

//! `errand doctor`: what is right, what is not, and what to do, line by line. It changes nothing.

mod line;
mod postgres;
mod sqlite;

use std::io::Write;

use errand_persistence::doctor::{Report, examine};
use errand_persistence::{ConnectError, Settings};
use errand_security::SystemClock;

use crate::config::{Config, Faults, Purpose};
use crate::failure::{Failure, one_line};
use crate::{config, telemetry, wire};
use line::{Line, Verdict};

/// Looks at everything that this configuration leads to.
pub fn run(load: impl Fn(Purpose) -> Result<Config, Faults>) -> Result<(), Failure> {
    let (config, mut lines) = configuration(load);
    if let Some(config) = config {
        telemetry::start(&config.log);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        lines.extend(runtime.block_on(database(&config.database)));
        runtime.shutdown_background();
    } else {
        lines.push(Line::skip("database", "the configuration cannot be used"));
    }
    tell(&lines)
}

/// What a look at the database does not need is a fault all the same.
fn configuration(load: impl Fn(Purpose) -> Result<Config, Faults>) -> (Option<Config>, Vec<Line>) {
    const WHAT: &str = "configuration";
    let (config, faults) = match load(Purpose::Serve) {
        Ok(config) => (Some(config), Vec::new()),
        Err(Faults(faults)) => (load(Purpose::Database).ok(), faults),
    };
    let warnings = config.iter().flat_map(|config| &config.warnings);
    let mut lines: Vec<Line> = faults.iter().map(|fault| Line::fault(WHAT, fault)).collect();
    lines.extend(warnings.map(|warning| Line::warn(WHAT, warning)));
    if lines.is_empty() {
        lines.push(Line::ok(WHAT, "loaded"));
    }
    (config, lines)
}

async fn database(config: &config::Database) -> Vec<Line> {
    let settings = wire::settings(config);
    match examine(&settings, &SystemClock::default()).await {
        Ok(Report::Postgres(report)) => postgres::lines(*report, &settings, config.migrate_on_start),
        Ok(Report::Sqlite(report)) => sqlite::lines(report, config.own_dir.is_some()),
        Err(error) => vec![cannot_be(config, &settings, error)],
    }
}

fn cannot_be(config: &config::Database, settings: &Settings, error: ConnectError) -> Line {
    // The driver's variables have nothing to do with a URL.
    let text = match error {
        ConnectError::Environment(_) => one_line(&error),
        ConnectError::Setting(_) if settings.direct_url.is_none() => one_line(&error),
        other => one_line(&wire::open_error(config, other)),
    };
    Line::fault("database", &text)
}

fn tell(lines: &[Line]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    let faults: Vec<&str> = lines
        .iter()
        .filter(|line| line.verdict == Verdict::Fault)
        .map(|line| line.what)
        .collect();
    match faults.len() {
        0 => Ok(()),
        1 => Err(Failure(format!("1 fault: {}", faults.concat()))),
        n => Err(Failure(format!("{n} faults: {}", faults.join(", ")))),
    }
}

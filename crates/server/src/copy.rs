//! `errand copy`: a whole database into an empty one.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use errand_persistence::copy::{Act, Copied, CopyError, Progress, Side, copy};
use errand_persistence::{DatabaseUrl, Settings};
use errand_security::SystemClock;
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Config;
use crate::failure::{Failure, one_line};
use crate::{jwt_secret, output, wire};

/// Stands before the name of a variable that holds a URL.
const VARIABLE: &str = "env:";
/// Without a terminal a long table shows so often that it goes on.
const EVERY: Duration = Duration::from_secs(10);

/// From where to where.
#[derive(Debug, Args)]
pub struct Way {
    /// The database that is copied: its URL, or env:NAME for the variable NAME with the URL. What stands here is
    /// seen by all users of the machine, so give a URL with a password by a variable.
    #[arg(long, value_name = "URL")]
    from: String,
    /// An empty database, or none yet: its URL, or env:NAME.
    #[arg(long, value_name = "URL")]
    to: String,
}

/// One end of the way.
struct End {
    /// As the command line has it.
    flag: &'static str,
    settings: Settings,
}

impl End {
    fn read(
        flag: &'static str,
        given: &str,
        variables: &[(OsString, OsString)],
        config: &Config,
    ) -> Result<Self, Failure> {
        let fault = |text: &str| Failure(format!("{flag} {text}"));
        let text = match given.strip_prefix(VARIABLE) {
            Some(name) => {
                let found = variables.iter().find(|(variable, _)| variable == name);
                let value = found.and_then(|(_, value)| value.to_str()).unwrap_or_default();
                if value.is_empty() {
                    return Err(fault(&format!("names the variable {name}, which is not set")));
                }
                value
            }
            None => given,
        };
        let url = DatabaseUrl::parse(text).map_err(|error| fault(&error.to_string()))?;
        if given == text && url.has_password() {
            note(&format!(
                "the password in {flag} can be seen by all users of this machine while this runs; \
                 put the URL into a variable and give {flag} {VARIABLE}NAME"
            ));
        }
        let mut settings = wire::settings(&config.database);
        settings.url = url;
        settings.direct_url = None;
        settings.row_level_security = false;
        Ok(Self { flag, settings })
    }

    /// Where the signing secret of a SQLite database is kept.
    fn secret(&self) -> Option<PathBuf> {
        self.settings.url.sqlite_path().map(jwt_secret::beside)
    }
}

/// Copies, shows that both are equal, and says what else there is to take along.
pub async fn run(way: &Way, variables: &[(OsString, OsString)], config: &Config) -> Result<(), Failure> {
    let from = End::read("--from", &way.from, variables, config)?;
    let to = End::read("--to", &way.to, variables, config)?;
    let mut shown = Shown::new();
    let clock = Arc::new(SystemClock::default());
    let copied = copy(&from.settings, &to.settings, clock, &mut |progress| {
        shown.show(&progress);
    })
    .await;
    shown.end();
    let copied = copied.map_err(|error| explain(&error, &from, &to))?;
    output::print(&receipt(&copied))?;
    note(&of_the_secret(from.secret().as_deref(), to.secret().as_deref()));
    Ok(())
}

/// With the option that leads there.
fn explain(error: &CopyError, from: &End, to: &End) -> Failure {
    let flag = match error {
        CopyError::Connect(Side::Source, _)
        | CopyError::Away(Side::Source, _)
        | CopyError::NotErrands(Side::Source)
        | CopyError::Missing(_) => from.flag,
        CopyError::Connect(Side::Target, _)
        | CopyError::Away(Side::Target, _)
        | CopyError::NotErrands(Side::Target)
        | CopyError::NotEmpty { .. } => to.flag,
        error => return Failure(one_line(error)),
    };
    Failure(format!("{flag}: {}", one_line(error)))
}

fn receipt(copied: &Copied) -> String {
    let mut lines = Vec::new();
    lines.extend(copied.steps.iter().map(|step| format!("{step}: applied")));
    lines.extend(copied.tables.iter().map(|table| {
        let (name, rows, hash) = (table.name, table.rows, &table.hash);
        format!("{name}: {rows} rows, sha256 {hash} on both sides")
    }));
    lines.push(format!("users: the next id is above {}", copied.last_user_id));
    let rows: u64 = copied.tables.iter().map(|table| table.rows).sum();
    lines.push(format!(
        "copied {rows} rows in {} tables, all equal",
        copied.tables.len()
    ));
    lines.join("\n") + "\n"
}

/// Access tokens are signed with a secret that is not in the database.
fn of_the_secret(from: Option<&Path>, to: Option<&Path>) -> String {
    let what = "access tokens of before stay valid only with the JWT_SECRET of before; everybody stays signed in \
                without it too, for refresh tokens and passwords are in the database";
    let how = match (from.filter(|path| path.exists()), to) {
        (Some(from), Some(to)) => format!(
            "if it was not set, take its file along: cp -p {} {}",
            quoted(from),
            quoted(to)
        ),
        (Some(from), None) => format!(
            "if it was not set, it is in a file: start errand with JWT_SECRET=\"$(cat {})\"",
            quoted(from)
        ),
        (None, _) => "start errand with the same one".to_owned(),
    };
    format!("{what}; {how}")
}

/// For a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// To whoever looks on, if anybody does.
fn note(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// A bar on a terminal, else lines.
struct Shown {
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Shown {
    fn new() -> Self {
        Self {
            bar: io::stderr().is_terminal().then(ProgressBar::new_spinner),
            told: Instant::now(),
        }
    }

    fn show(&mut self, progress: &Progress) {
        let Progress { table, rows, of, .. } = progress;
        let act = match progress.act {
            Act::Copying => "copying",
            Act::Verifying => "verifying",
        };
        if let Some(bar) = &self.bar {
            if *rows == 0 && !progress.done {
                let template = match of {
                    Some(_) => "{msg} {wide_bar} {pos}/{len}",
                    None => "{msg} {spinner} {pos}",
                };
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_length(of.unwrap_or(0));
                bar.set_message(format!("{act} {table}"));
            }
            bar.set_position(*rows);
        } else if progress.done || self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            let of = match of {
                Some(of) if !progress.done => format!(" of {of}"),
                _ => String::new(),
            };
            note(&format!("{act} {table}: {rows}{of} rows"));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

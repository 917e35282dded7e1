//! `errand import`: moving in from another todo application, straight into the database.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use errand_application::ports::{Clock, ImportStore, StoreError};
use errand_import::{
    Address, CheckError, Checked, Finding, ImportError, Mapping, Notice, Options, Outcome, Report, Source,
    Tally,
};
use errand_persistence::{Database, DatabaseUrl, MigrateError};
use errand_recurrence::CalendarRecurrences;
use errand_security::{SystemClock, SystemEntropy};
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::{self, Config};
use crate::failure::{Failure, one_line};
use crate::{output, wire};

/// How long open work may take when a command is done.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// How long a step may take, unless the configuration says so: it writes thousands of rows.
const DEADLINE: Duration = Duration::from_mins(1);
/// So many refusals a run names; a dry run names all, and the receipt too.
const REFUSALS: u64 = 20;
/// So many transactions may be under way on a server at once.
const AT_ONCE: usize = 3;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring in all users and tasks. Started again it goes on where it was stopped; run twice it changes nothing.
    Run(Bring),
    /// Compare what is here with a receipt; names each row that differs or is gone.
    Verify {
        /// The receipt of a run.
        receipt: PathBuf,
    },
    /// Remove what came in with the run of a receipt, unless something of it has changed since.
    Rollback {
        /// The receipt of a run.
        receipt: PathBuf,
        /// Remove it whatever has become of it.
        #[arg(long)]
        force: bool,
    },
}

/// A run.
#[derive(Debug, Args)]
pub struct Bring {
    /// A SQLite file, or the URL of a PostgreSQL database; one with a password is better given by the variable.
    #[arg(env = "ERRAND_SOURCE_URL", hide_env_values = true)]
    source: String,
    /// What the source is known by, this time and later; else the file's path, or the URL without secrets.
    #[arg(long)]
    name: Option<String>,
    /// A TOML file that says which tables and columns hold what. Without one they are looked for.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Give rows that came in earlier what the source has by now, unless they were changed here.
    #[arg(long)]
    follow_up: bool,
    /// Where the receipt goes; else into the current folder.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

/// Does it, and says what was done.
pub async fn run(command: Command, config: &Config) -> Result<(), Failure> {
    let mut target = config.database.clone();
    target.deadline.get_or_insert(DEADLINE);
    let mut migrates = target.url.sqlite_path().is_some();
    // In the place of a file that is not there, which a dry run does not make.
    let mut empty = None;
    let database = match &command {
        Command::Run(run) => {
            is_another(&run.source, &target)?;
            if run.dry_run && is_missing(&target) {
                let dir = tempfile::tempdir()?;
                let mut stand_in = target.clone();
                stand_in.url = DatabaseUrl::sqlite(dir.path().join("errand.db"));
                (stand_in.direct_url, stand_in.own_dir) = (None, None);
                empty = Some(dir);
                output::print(&format!(
                    "there is no database at {} yet: what follows is as on an empty one\n",
                    target.url.place()
                ))?;
                wire::database(&stand_in).await?
            } else {
                migrates &= !run.dry_run;
                wire::database(&target).await?
            }
        }
        _ => wire::existing_database(&target).await?,
    };
    let outcome = async {
        // As at every start: the file may be new.
        if migrates {
            match database.migrate().await {
                // Later versions only add.
                Ok(_) | Err(MigrateError::Newer(_)) => {}
                Err(error) => return Err(error.into()),
            }
        } else if target.url.sqlite_path().is_some() {
            // PostgreSQL says so itself.
            let steps = database.migration_status().await?;
            if steps.iter().any(|step| !step.applied) {
                return Err(errand_persistence::CheckError::Unmigrated.into());
            }
        }
        // Before a source is read for nothing.
        database.greet().await?;
        database.check().await?;
        act(command, &database, target.url.place()).await
    };
    let outcome = outcome.await;
    database.close(CLOSE_WITHIN).await;
    drop(empty);
    outcome
}

/// Refuses the source as its own target: whoever moves may still have the old application's `DATABASE_URL` set, and
/// errand's tables would be made in there.
fn is_another(source: &str, target: &config::Database) -> Result<(), Failure> {
    let source = Address::of_source(source)?;
    let address = |url: &DatabaseUrl| match (url.sqlite_path(), url.server()) {
        (Some(path), _) => Some(Address::of_file(path)),
        (None, Some((host, port, database))) => Some(Address::of_server(host, port, database)),
        (None, None) => None,
    };
    for (variable, url) in [
        ("DATABASE_URL", Some(&target.url)),
        ("DATABASE_DIRECT_URL", target.direct_url.as_ref()),
    ] {
        // Without a variable it is errand's own file, and the source is refused as one of errand's.
        if target.own_dir.is_none() && url.and_then(address).is_some_and(|address| address == source) {
            return Err(Failure(format!(
                "{variable} is the source's own; it must name errand's database. Nothing was read or written"
            )));
        }
    }
    Ok(())
}

/// Whether the target is a file that is not there, or has nothing in it.
fn is_missing(target: &config::Database) -> bool {
    let path = target.url.sqlite_path();
    path.is_some_and(|path| match path.metadata() {
        Ok(meta) => meta.is_file() && meta.len() == 0,
        Err(error) => error.kind() == ErrorKind::NotFound,
    })
}

async fn act(command: Command, database: &Database, target: String) -> Result<(), Failure> {
    let store = database.imports();
    let mut named = |row: &str| drop(output::print(&format!("{}\n", output::escaped(row))));
    match command {
        Command::Run(run) => bring(run, database, &*store, target).await,
        Command::Verify { receipt } => {
            let checked = errand_import::verify(&receipt, &*store, &mut named).await;
            let Checked {
                users,
                tasks,
                differences,
            } = explained(checked, database).await?;
            if differences > 0 {
                let all = users + tasks;
                return Err(Failure(format!(
                    "{differences} of {all} rows are not as they came in"
                )));
            }
            output::print(&format!("{users} users and {tasks} tasks are as they came in\n"))?;
            Ok(())
        }
        Command::Rollback { receipt, force } => {
            let done = errand_import::rollback(&receipt, &*store, force, &mut named).await;
            let done = explained(done, database).await?;
            let mut text = vec![format!(
                "removed {} users with everything that is theirs",
                done.users
            )];
            if done.tasks > 0 {
                text.push(format!("and {} tasks of users who stay", done.tasks));
            }
            if done.followed > 0 {
                text.push(format!(
                    "{} rows that had followed the source stay as they are",
                    done.followed
                ));
            }
            let text = text.join(", ");
            output::print(&format!("{text}\n"))?;
            Ok(())
        }
    }
}

async fn explained<T>(outcome: Result<T, CheckError>, database: &Database) -> Result<T, Failure> {
    match outcome {
        Ok(value) => Ok(value),
        Err(CheckError::Store(error)) => Err(database.explain(error).await.into()),
        Err(error) => Err(error.into()),
    }
}

async fn bring(
    run: Bring,
    database: &Database,
    store: &dyn ImportStore,
    target: String,
) -> Result<(), Failure> {
    let mapping = run.mapping.as_deref().map(read_mapping).transpose()?;
    let mut source = Source::open(&run.source, mapping, Arc::new(CalendarRecurrences)).await?;
    let (users, tasks) = (source.counts().users, source.counts().tasks);
    output::print(&format!(
        "source: {}, {users} users, {tasks} tasks; read as follows (--mapping FILE reads it otherwise)\n{}",
        source.name(),
        source.mapping().to_toml()
    ))?;
    let options = Options {
        name: run.name.unwrap_or_else(|| source.name().to_owned()),
        target,
        dry_run: run.dry_run,
        follow_up: run.follow_up,
        receipt: run.receipt,
        at_once: AT_ONCE,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut progress = Progress::new(users + tasks);
    let mut refused = 0_u64;
    let mut tell = |notice: Notice<'_>| match notice {
        Notice::Rows(done, _) => progress.at(done),
        Notice::Refused(..) if !options.dry_run => {
            refused += 1;
            if refused <= REFUSALS {
                progress.aside(&line(&notice));
            }
        }
        // Otherwise the receipt says it.
        _ if !options.dry_run => {}
        notice => progress.aside(&line(&notice)),
    };
    let outcome = errand_import::run(&mut source, store, &clock, &SystemEntropy, &options, &mut tell).await;
    progress.end();
    match outcome {
        Ok(outcome) => {
            if let more @ 1.. = refused.saturating_sub(REFUSALS) {
                output::print(&format!("… and {more} more refused, see the receipt\n"))?;
            }
            output::print(&told(&outcome, &options))?;
            Ok(())
        }
        Err(error) => Err(stopped(error, database).await),
    }
}

fn read_mapping(path: &Path) -> Result<Mapping, Failure> {
    let named = |error: &dyn std::error::Error| Failure(format!("{}: {}", path.display(), one_line(error)));
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    Mapping::parse(&text).map_err(|error| named(&error))
}

async fn stopped(error: ImportError, database: &Database) -> Failure {
    match error {
        // More than what the database says of itself: whom it takes to move the ids on.
        ImportError::Store(StoreError::Broken(source)) if one_line(&*source).contains("42501") => {
            Failure(format!(
                "{}: the ids of users are kept free by the owner of the tables; name them in DATABASE_DIRECT_URL",
                one_line(&*source)
            ))
        }
        ImportError::Store(error) => database.explain(error).await.into(),
        error => error.into(),
    }
}

fn line(notice: &Notice<'_>) -> String {
    let row = |finding: &Finding| {
        let column = finding
            .column
            .as_ref()
            .map(|name| format!(".{name}"))
            .unwrap_or_default();
        let Finding {
            table,
            key,
            rule,
            was,
            now,
            ..
        } = finding;
        format!("{table}{column} {}: {}: {was:?} {now:?}", key.0, rule.code())
    };
    match notice {
        Notice::Rows(..) => String::new(),
        Notice::Adapted(finding) => format!("adapted {}", row(finding)),
        Notice::Quarantined(finding) => format!("quarantined {}", row(finding)),
        Notice::Refused(table, key, why) => format!("refused {table} {key}: {}", why.told()),
        Notice::Followed(what, key) => format!("changed {what} {key}: follows the source"),
    }
}

fn told(outcome: &Outcome, options: &Options) -> String {
    let Report {
        users,
        tasks,
        rules,
        live_sessions,
        without_password,
        notes,
        source_changed,
        met_strangers,
    } = &outcome.report;
    let mut lines = vec![row("users", users), row("tasks", tasks)];
    lines.extend(rules.iter().map(|(rule, count)| format!("  {rule}: {count}")));
    lines.push(format!(
        "{live_sessions} live sessions are not taken over: everybody signs in anew"
    ));
    if *without_password > 0 {
        lines.push(format!(
            "{without_password} users cannot sign in before they have a password: errand user set-password"
        ));
    }
    lines.extend(notes.iter().map(|note| output::escaped(note)));
    if users.behind + tasks.behind > 0 {
        lines.push(format!(
            "{} rows changed at the source since they came in: --follow-up takes that over",
            users.behind + tasks.behind
        ));
    }
    if *met_strangers {
        lines.push(format!(
            "nothing came in before from {}; if this source did under another name, give that one with --name",
            options.name
        ));
    }
    if *source_changed {
        lines.push(
            "the source was written to meanwhile: this is its state of the beginning; run it again with --follow-up"
                .to_owned(),
        );
    }
    match &outcome.receipt {
        Some(receipt) => lines.push(format!("receipt: {}", receipt.display())),
        None => lines.push("a dry run: nothing was written".to_owned()),
    }
    lines.join("\n") + "\n"
}

fn row(what: &str, tally: &Tally) -> String {
    let Tally {
        source,
        imported,
        present,
        followed,
        quarantined,
        refused,
        other_id,
        behind: _,
    } = tally;
    let other_id = match other_id {
        0 => String::new(),
        n => format!("; {n} with another id, see the receipt"),
    };
    format!(
        "{what}: {source} in the source = {imported} imported + {present} here before + {followed} followed \
         + {quarantined} quarantined + {refused} refused{other_id}"
    )
}

/// How far it is: a bar on a terminal, a line now and then elsewhere.
struct Progress {
    bar: ProgressBar,
    all: u64,
    told: u64,
}

impl Progress {
    fn new(all: u64) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(all)
        } else {
            ProgressBar::hidden()
        };
        let style =
            ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} rows, {per_sec}, {eta} left");
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, all, told: 0 }
    }

    fn at(&mut self, done: u64) {
        self.bar.set_position(done);
        let tenth = done.saturating_mul(10) / self.all.max(1);
        if !std::io::stderr().is_terminal() && tenth > self.told {
            self.told = tenth;
            drop(writeln!(std::io::stderr(), "{done} of {} rows", self.all));
        }
    }

    /// Something for the standard output.
    fn aside(&self, line: &str) {
        self.bar
            .suspend(|| drop(output::print(&format!("{}\n", output::escaped(line)))));
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

//! A run of the import, from the first row of the source to the seal of the receipt.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use errand_application::ports::{ArrivingTask, Clock, Entropy, ImportStore, StoreError};
use errand_domain::UserId;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesOrdered;
use uuid::Uuid;

use crate::arriving::{arriving_task, arriving_user};
use crate::chunk::{Done, Party, Way};
use crate::error::SourceError;
use crate::filling::Chunk;
use crate::incoming::{Adapted, Finding, Found, IncomingPassword, IncomingTask, IncomingUser, SourceKey};
use crate::leftover::{self, Named};
use crate::naming::{named, numbered};
use crate::receipt::{Header, Line, ReceiptError, Refusal, Summary, Tally, Writer};
use crate::source::{Item, Source};

/// Why an import stopped. What came in stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The receipt.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// errand's database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What came in before came from elsewhere.
    #[error(
        "none of those who came in from a source of this name is in this one: it is another source; give it another name with --name"
    )]
    AnotherSource,
    /// Of two at once the later one has the source.
    #[error(
        "another import of this source has begun since; this one stops, and the receipt of that one will have all of it"
    )]
    TakenOver,
    /// A defect of errand's, told instead of hidden.
    #[error("{table}: {found} of {source_rows} rows are accounted for")]
    Unaccounted {
        /// Of which rows.
        table: String,
        /// So many there are.
        source_rows: u64,
        /// So many are accounted for.
        found: u64,
    },
}

/// How to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the source is known by.
    pub name: String,
    /// errand's database in words without a secret.
    pub target: String,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Give rows that are in what the source has by now.
    pub follow_up: bool,
    /// Where the receipt goes; else its name is made of the source's and the time.
    pub receipt: Option<PathBuf>,
    /// So many transactions may be under way at once.
    pub at_once: usize,
}

/// What is told while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice<'a> {
    /// So many rows of so many are done.
    Rows(u64, u64),
    /// A value was adapted.
    Adapted(&'a Finding),
    /// A row stays outside.
    Quarantined(&'a Finding),
    /// Something was not done to a row: table, key, reason.
    Refused(&'a str, &'a str, Refusal),
    /// A row follows the source, or would: what it is, and its key.
    Followed(&'static str, &'a str),
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Users.
    pub users: Tally,
    /// Tasks.
    pub tasks: Tally,
    /// How often which rule was applied.
    pub rules: BTreeMap<String, u64>,
    /// Sessions that were not taken over.
    pub live_sessions: u64,
    /// Users who cannot sign in before they are given a password.
    pub without_password: u64,
    /// What is not taken over at all.
    pub notes: Vec<String>,
    /// The source was written to meanwhile.
    pub source_changed: bool,
    /// Nothing came in from a source of this name before, and somebody here has an address of the source: it may be
    /// known by another name.
    pub met_strangers: bool,
}

/// A report, and where the receipt is; none of a dry run.
#[derive(Debug)]
pub struct Outcome {
    /// See [`Report`].
    pub report: Report,
    /// Where it is.
    pub receipt: Option<PathBuf>,
}

/// Brings in what the source has.
pub async fn run(
    source: &mut Source,
    store: &dyn ImportStore,
    clock: &Arc<dyn Clock>,
    entropy: &dyn Entropy,
    options: &Options,
    tell: &mut (dyn FnMut(Notice<'_>) + Send),
) -> Result<Outcome, ImportError> {
    let counts = source.counts();
    let base = options
        .receipt
        .clone()
        .unwrap_or_else(|| PathBuf::from(named(&options.name, "")));
    let mut writer = None;
    let (mut mine, mut resumed) = (None, false);
    let last = store.last(&options.name).await?;
    if !options.dry_run {
        let mut new = Writer::create(&base, options.receipt.is_some())?;
        let id = uuid::Builder::from_random_bytes(first_half(entropy.bytes())).into_uuid();
        store.reserve(UserId(counts.greatest_user)).await?;
        let begun = store.begin(&options.name, id).await?;
        mine = Some(begun);
        // Or another one began it at this moment.
        let before = last.map_or((0, 0), |last| (last.number, last.turn));
        resumed = begun.number == before.0 || begun.turn > before.1 + 1;
        new.line(&Line::Receipt(header(
            source,
            options,
            begun.id,
            begun.number,
            clock,
        )))?;
        writer = Some(new);
    }
    let way = Way {
        store,
        source: &options.name,
        run: mine.map_or(0, |run| run.number),
        turn: mine.map(|run| run.turn),
        dry: options.dry_run,
        follow_up: options.follow_up,
        tables: source.tables(),
        familiar: AtomicBool::new(last.is_none()),
    };
    let mut work = Work {
        rows: 0,
        all: counts.users + counts.tasks,
        report: Report {
            users: Tally {
                source: counts.users,
                ..Tally::default()
            },
            tasks: Tally {
                source: counts.tasks,
                ..Tally::default()
            },
            rules: BTreeMap::new(),
            live_sessions: counts.live_sessions,
            without_password: 0,
            notes: source.notes().to_vec(),
            source_changed: false,
            met_strangers: false,
        },
        writer,
        named: resumed.then(Named::default),
        tell,
    };
    work.all_rows(source, &way, options.at_once.max(1)).await?;
    work.leftovers(&way).await?;
    let Work {
        mut report, writer, ..
    } = work;
    let after = source.hash_now().await?;
    report.source_changed = after.as_deref() != source.hash();
    report.met_strangers &= last.is_none();
    for (table, tally) in way.tables.iter().zip([report.users, report.tasks]) {
        if !tally.is_whole() {
            return Err(ImportError::Unaccounted {
                table: table.clone(),
                source_rows: tally.source,
                found: tally.imported + tally.present + tally.followed + tally.quarantined + tally.refused,
            });
        }
    }
    let mut receipt = None;
    if let (Some(mut writer), Some(run)) = (writer, mine) {
        let now = clock.now();
        writer.line(&Line::Summary(Box::new(Summary {
            finished: now.to_string(),
            sha256_after: after,
            users: report.users,
            tasks: report.tasks,
            rules: report.rules.clone(),
            live_sessions_not_taken: report.live_sessions,
            users_without_password: report.without_password,
            notes: report.notes.clone(),
        })))?;
        let time = now.as_chrono().format("%Y%m%dT%H%M%SZ").to_string();
        let name = |n: u32| PathBuf::from(numbered(&options.name, &time, n));
        if !way.is_mine().await? {
            return Err(ImportError::TakenOver);
        }
        receipt = Some(writer.finish(name)?);
        store.finish(&options.name, run).await?;
    }
    Ok(Outcome { report, receipt })
}

fn first_half(bytes: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(bytes) {
        *to = from;
    }
    half
}

fn header(source: &Source, options: &Options, id: Uuid, run: i64, clock: &Arc<dyn Clock>) -> Header {
    Header {
        form: Header::FORM,
        source: options.name.clone(),
        place: source.name().to_owned(),
        kind: Header::kind(source.kind()),
        sha256: source.hash().map(str::to_owned),
        target: options.target.clone(),
        import: id.to_string(),
        run,
        follow_up: options.follow_up,
        started: clock.now().to_string(),
    }
}

struct Work<'t> {
    rows: u64,
    all: u64,
    report: Report,
    writer: Option<Writer>,
    /// Of a run that goes on.
    named: Option<Named>,
    tell: &'t mut (dyn FnMut(Notice<'_>) + Send),
}

impl Work<'_> {
    /// What the run brought before it was stopped, and has not met again.
    async fn leftovers(&mut self, way: &Way<'_>) -> Result<(), ImportError> {
        let (Some(named), Some(writer)) = (self.named.take(), &mut self.writer) else {
            return Ok(());
        };
        let users = leftover::unnamed(way.store, way.source, way.run, &named).await?;
        if users.is_empty() {
            return Ok(());
        }
        let tasks = writer.tasks_of(&users.iter().map(|(user, _)| user.id.0).collect())?;
        let lines = leftover::lines(way.store, way.run, users, &tasks).await?;
        if !lines.is_empty() {
            self.report.notes.push(format!(
                "{} rows that came in before the run was stopped are not at the source as they came in; they stay, and \
                 the receipt has them",
                lines.len()
            ));
        }
        lines.iter().try_for_each(|line| self.line(line))
    }

    async fn all_rows(
        &mut self,
        source: &mut Source,
        way: &Way<'_>,
        at_once: usize,
    ) -> Result<(), ImportError> {
        let mut under_way = FuturesOrdered::new();
        let mut waiting: VecDeque<Chunk> = VecDeque::new();
        let mut chunk = Chunk::default();
        loop {
            let item = {
                // What is under way goes on while the source is read.
                let mut next = pin!(source.next());
                loop {
                    if under_way.is_empty() {
                        break next.await?;
                    }
                    match select(next.as_mut(), under_way.next()).await {
                        Either::Left((item, _)) => break item?,
                        Either::Right((Some(done), _)) => self.done(&done?)?,
                        Either::Right((None, _)) => {}
                    }
                }
            };
            let is_over = item.is_none();
            match item {
                None => {}
                Some(Item::User(user)) => {
                    if chunk.is_enough() {
                        waiting.push_back(std::mem::take(&mut chunk));
                    }
                    if let Some(user) = self.user(user)? {
                        chunk.begin(user);
                    }
                }
                Some(Item::Task(task)) => {
                    if let Some(task) = self.task(task)?
                        && let Some(full) = chunk.add(task)
                    {
                        waiting.push_back(full);
                    }
                }
            }
            if is_over {
                waiting.push_back(std::mem::take(&mut chunk));
            }
            while let Some(next) = waiting.pop_front() {
                // Tasks of a user who comes in with an earlier chunk wait for it.
                let must_wait = next.parties.first().is_some_and(|party| party.continued);
                let most = if must_wait || !way.is_familiar() {
                    0
                } else {
                    at_once - 1
                };
                while under_way.len() > most {
                    if let Some(done) = under_way.next().await {
                        self.done(&done?)?;
                    }
                }
                under_way.push_back(way.process(next.parties));
            }
            if is_over {
                break;
            }
        }
        while let Some(done) = under_way.next().await {
            self.done(&done?)?;
        }
        Ok(())
    }

    fn user(&mut self, user: Adapted<IncomingUser>) -> Result<Option<Party>, ImportError> {
        match user {
            Adapted::Imported { value, findings, row } => {
                let usable = matches!(value.password, IncomingPassword::Hash(_));
                self.report.without_password += u64::from(!usable);
                self.findings(findings)?;
                Ok(Some(Party {
                    user: arriving_user(value),
                    row,
                    tasks: Vec::new(),
                    rows: Vec::new(),
                    continued: false,
                }))
            }
            Adapted::Quarantined { owner, why, row, .. } => {
                self.report.users.quarantined += 1;
                self.outside(owner, why, row)?;
                Ok(None)
            }
        }
    }

    fn task(&mut self, task: Adapted<IncomingTask>) -> Result<Option<(ArrivingTask, Found)>, ImportError> {
        match task {
            Adapted::Imported { value, findings, row } => {
                self.findings(findings)?;
                Ok(Some((arriving_task(value), row)))
            }
            Adapted::Quarantined { owner, why, row, .. } => {
                self.report.tasks.quarantined += 1;
                self.outside(owner, why, row)?;
                Ok(None)
            }
        }
    }

    fn findings(&mut self, findings: Vec<Finding>) -> Result<(), ImportError> {
        findings
            .into_iter()
            .try_for_each(|finding| self.line(&Line::Adapted(finding)))
    }

    fn outside(
        &mut self,
        owner: Option<SourceKey>,
        why: Finding,
        row: serde_json::Value,
    ) -> Result<(), ImportError> {
        self.rows += 1;
        self.line(&Line::Quarantined { owner, why, row })
    }

    fn done(&mut self, done: &Done) -> Result<(), ImportError> {
        if done.another_source {
            return Err(ImportError::AnotherSource);
        }
        if done.taken_over {
            return Err(ImportError::TakenOver);
        }
        for line in &done.lines {
            self.line(line)?;
        }
        self.report.users.add(&done.users);
        self.report.tasks.add(&done.tasks);
        self.report.met_strangers |= done.met;
        self.rows += done.rows;
        (self.tell)(Notice::Rows(self.rows, self.all));
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), ImportError> {
        match line {
            Line::Adapted(finding) => {
                *self
                    .report
                    .rules
                    .entry(finding.rule.code().to_owned())
                    .or_default() += 1;
                (self.tell)(Notice::Adapted(finding));
            }
            Line::Quarantined { why, .. } => {
                *self.report.rules.entry(why.rule.code().to_owned()).or_default() += 1;
                (self.tell)(Notice::Quarantined(why));
            }
            Line::Refused { table, key, why } => (self.tell)(Notice::Refused(table, &key.0, *why)),
            Line::User { key, state, .. } if state.is_followed() => {
                (self.tell)(Notice::Followed("user", &key.0));
            }
            Line::Task { key, state, .. } if state.is_followed() => {
                (self.tell)(Notice::Followed("task", &key.0));
            }
            _ => {}
        }
        if let Some(named) = &mut self.named {
            named.note(line);
        }
        if let Some(writer) = &mut self.writer {
            writer.line(line)?;
        }
        Ok(())
    }
}

//! Writers that remember what was acknowledged, while the PostgreSQL beneath errand crashes again and again.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use errand_testbed::{Answer, Api, Person, Postgres, Request, TestDatabase};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{DEADLINE, percentile};

/// Each is a user.
const WRITERS: usize = 8;
/// So many writes are acknowledged at least between two crashes.
const BETWEEN: usize = 150;
/// Every fourth outage lasts so much longer, so that tries run out.
const LONGER: Duration = Duration::from_secs(1);
/// Whoever is not served again by then never is.
const GIVE_UP: Duration = Duration::from_mins(1);

/// What came of it.
pub struct Report {
    /// What must not have been: wrong answers, lost writes, doubled ones.
    pub faults: Vec<String>,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Writes that were answered with 503.
    pub refused: usize,
    /// Those of them that are there all the same, as they may be.
    pub hidden: usize,
    /// From the moment that the server takes connections to the first write that succeeds, by crash.
    pub first: Vec<Duration>,
    /// To the moment that every writer has had success.
    pub all: Vec<Duration>,
    /// How long the longest answer took.
    pub slowest: Duration,
    /// Acknowledged writes in a second, between the crashes.
    pub rate: f64,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let [first, all] = [&self.first, &self.all].map(|times| {
            let worst = percentile(times, 100);
            format!("median {:.2?}, worst {worst:.2?}", percentile(times, 50))
        });
        write!(
            f,
            "{} crashes under {:.0} writes/s: {} acknowledged, {} answered 503 ({} of them are there), {} faults; \
             from the server's return to the first success {first}, to everybody's {all}; the slowest answer \
             took {:.2?}",
            self.first.len(),
            self.rate,
            self.acknowledged,
            self.refused,
            self.hidden,
            self.faults.len(),
            self.slowest,
        )
    }
}

/// What the writers see together.
struct Seen {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    acknowledged: usize,
    refused: usize,
    slowest: Duration,
    faults: Vec<String>,
    /// When the server was gone.
    crashed: Option<Instant>,
    /// The first success of each writer with a request that was sent after that.
    back: Vec<Option<Instant>>,
    ending: bool,
}

impl Seen {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until(&self, reached: impl Fn(&State) -> bool) {
        let waiting = async {
            while !reached(&self.state()) {
                self.news.notified().await;
            }
        };
        if timeout(GIVE_UP, waiting).await.is_err() {
            let lost = format!("nobody is served, {GIVE_UP:?} after a crash");
            self.state().faults.push(lost);
        }
    }
}

/// A creation, and a change of what it made.
struct Entry {
    title: String,
    /// As acknowledged.
    id: Option<i64>,
    change: Change,
}

enum Change {
    None,
    Unknown,
    Acknowledged,
}

impl Entry {
    fn changed_title(&self) -> String {
        format!("{} changed", self.title)
    }
}

/// Crashes the server so often and counts what is there afterwards.
pub async fn run(postgres: &Postgres, database: &TestDatabase, api: &Api, crashes: usize) -> Report {
    let seen = Arc::new(Seen {
        state: Mutex::new(State {
            back: vec![None; WRITERS],
            ..State::default()
        }),
        news: Notify::new(),
    });
    let mut people = Vec::new();
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let person = Person::register(api, &format!("writer{n}")).await;
        people.push(person.clone());
        let (api, seen) = (api.clone(), Arc::clone(&seen));
        writers.spawn(async move { (n, write(&api, &person, n, &seen).await) });
    }
    let (mut first, mut all) = (Vec::new(), Vec::new());
    let (mut writes, mut while_up) = (0, Duration::ZERO);
    for crash in 0..crashes {
        let (before, started) = (seen.state().acknowledged, Instant::now());
        // Never at the same place of the writers' rounds.
        let enough = before + BETWEEN + crash * 37 % 100;
        seen.until(|state| state.acknowledged >= enough).await;
        while_up += started.elapsed();
        writes += seen.state().acknowledged - before;
        postgres.kill_9().await;
        {
            let mut state = seen.state();
            state.crashed = Some(Instant::now());
            state.back.fill(None);
        }
        if crash % 4 == 3 {
            tokio::time::sleep(LONGER).await;
        }
        let ((), up) = tokio::join!(postgres.restart(), up(database));
        seen.until(|state| state.back.iter().all(Option::is_some)).await;
        let mut back: Vec<_> = seen.state().back.iter().flatten().copied().collect();
        back.sort_unstable();
        first.extend(back.first().map(|time| time.saturating_duration_since(up)));
        all.extend(back.last().map(|time| time.saturating_duration_since(up)));
    }
    seen.state().ending = true;
    let mut hidden = 0;
    for (n, book) in writers.join_all().await {
        let found = everything(api, &people[n]).await;
        let faults = &mut seen.state().faults;
        hidden += compare(&book, &found, faults);
    }
    let state = std::mem::take(&mut *seen.state());
    Report {
        faults: state.faults,
        acknowledged: state.acknowledged,
        refused: state.refused,
        hidden,
        first,
        all,
        slowest: state.slowest,
        rate: f64::from(u32::try_from(writes).unwrap_or(u32::MAX)) / while_up.as_secs_f64(),
    }
}

/// Waits until the server takes connections; whoever starts it hears of it a little later.
async fn up(database: &TestDatabase) -> Instant {
    loop {
        if let Ok(conn) = database.admin().connect().await {
            let up = Instant::now();
            // It has done its duty.
            drop(conn.close().await);
            return up;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Creates and changes until the end.
async fn write(api: &Api, person: &Person, writer: usize, seen: &Seen) -> Vec<Entry> {
    let mut book = Vec::new();
    for n in 0.. {
        if seen.state().ending {
            break;
        }
        let mut entry = Entry {
            title: format!("{n} of {writer}"),
            id: None,
            change: Change::None,
        };
        let request = person
            .request(api, "POST", "/tasks")
            .json(&json!({"title": entry.title}));
        let made = ask(request, writer, 201, seen).await;
        entry.id = made.and_then(|answer| answer.json()["id"].as_i64());
        if let Some(id) = entry.id {
            let request = person
                .request(api, "PUT", &format!("/tasks/{id}"))
                .json(&json!({"title": entry.changed_title()}));
            entry.change = match ask(request, writer, 200, seen).await {
                Some(_) => Change::Acknowledged,
                None => Change::Unknown,
            };
        }
        book.push(entry);
    }
    book
}

/// The answer, if it acknowledges.
async fn ask(request: Request, writer: usize, status: u16, seen: &Seen) -> Option<Answer> {
    let sent = Instant::now();
    let answer = request.try_send().await;
    let (now, took) = (Instant::now(), sent.elapsed());
    let mut state = seen.state();
    state.slowest = state.slowest.max(took);
    if took > DEADLINE * 2 {
        state.faults.push(format!("an answer after {took:?}"));
    }
    let acknowledged = match answer {
        Ok(answer) if answer.status == status => {
            state.acknowledged += 1;
            if state.crashed.is_some_and(|crashed| sent > crashed) {
                state.back[writer].get_or_insert(now);
            }
            Some(answer)
        }
        Ok(answer) if answer.status == 503 && answer.header("retry-after").is_some() => {
            state.refused += 1;
            None
        }
        Ok(answer) => {
            state.faults.push(format!("{}: {}", answer.status, answer.text()));
            None
        }
        Err(error) => {
            state.faults.push(format!("no answer: {error:?}"));
            None
        }
    };
    drop(state);
    seen.news.notify_one();
    acknowledged
}

/// All tasks of a user.
async fn everything(api: &Api, person: &Person) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let query = format!(
            "/tasks?sort=created_at&order=asc&limit=1000&offset={}",
            found.len()
        );
        let answer = person.request(api, "GET", &query).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        match answer.json() {
            Value::Array(page) if !page.is_empty() => found.extend(page),
            _ => return found,
        }
    }
}

/// How many refused writes are there; what must not be goes to the faults.
fn compare(book: &[Entry], found: &[Value], faults: &mut Vec<String>) -> usize {
    let ids: HashSet<_> = found.iter().map(|task| task["id"].as_i64()).collect();
    if ids.len() != found.len() {
        faults.push("an id was given twice".to_owned());
    }
    // By the title of the creation: a repeated one would stand there twice.
    let mut there: HashMap<&str, &Value> = HashMap::new();
    for task in found {
        let title = task["title"].as_str().unwrap_or_default();
        let original = title.strip_suffix(" changed").unwrap_or(title);
        if there.insert(original, task).is_some() {
            faults.push(format!("doubled: {task}"));
        }
    }
    let mut hidden = 0;
    for entry in book {
        let task = there.remove(entry.title.as_str());
        let is = |title: &str| task.is_some_and(|task| task["title"] == title && task["version"].is_i64());
        let (first, then) = (is(&entry.title), is(&entry.changed_title()));
        let right = match (entry.id, &entry.change) {
            (None, _) => task.is_none() || first,
            (Some(_), Change::None) => first,
            (Some(_), Change::Unknown) => first || then,
            (Some(_), Change::Acknowledged) => then,
        };
        let same = entry.id.is_none() || task.is_some_and(|task| task["id"].as_i64() == entry.id);
        if !right || !same {
            let entry = (&entry.title, entry.id);
            faults.push(format!("lost or changed: {entry:?} is {task:?}"));
        }
        hidden += usize::from(entry.id.is_none() && first);
        hidden += usize::from(matches!(entry.change, Change::Unknown) && then);
    }
    faults.extend(there.keys().map(|title| format!("nobody's: {title}")));
    hidden
}

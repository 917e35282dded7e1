//! Clients that ask for everything, each with a model of what must come back.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::time::{Duration, Instant};

use errand_testbed::{Answer, Api, Person, Request};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::percentile;

/// As many tasks as one client keeps.
const MOST: usize = 20;

/// Who asks for how much.
#[derive(Clone, Copy)]
pub struct Mixture {
    /// Before the names of the users, who must be new.
    pub prefix: &'static str,
    /// At the same time.
    pub clients: usize,
    /// Each with as many of the clients.
    pub users: usize,
    /// Of all clients together, or a few more.
    pub requests: usize,
    /// Whether each client once lets a further user register, which is a password to be hashed.
    pub guests: bool,
}

/// What came of it.
pub struct Tally {
    /// Answers that are not the right ones; a client ends with its first.
    pub faults: Vec<String>,
    /// Answers of 500 and above.
    pub failures: usize,
    /// How long each request took.
    pub times: Vec<Duration>,
    took: Duration,
}

impl Tally {
    /// Requests in a second.
    pub fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.times.len()).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(
            f,
            "{} requests, {} wrong answers, {} of 5xx, {:.0} in a second, p50 {:.2?}, p99 {:.2?}",
            self.times.len(),
            self.faults.len(),
            self.failures,
            self.rate(),
            percentile(&self.times, 50),
            percentile(&self.times, 99)
        )
    }
}

/// Runs it to its end.
pub async fn run(api: &Api, mixture: Mixture) -> Tally {
    let Mixture {
        prefix,
        clients,
        users,
        requests,
        guests,
    } = mixture;
    let mut people = Vec::new();
    for n in 0..users {
        people.push(Person::register(api, &format!("{prefix}-user{n}")).await);
    }
    let steps = requests.div_ceil(clients);
    // Hashing has limits of its own, which are not what this is about.
    let entrance = Arc::new(Mutex::new(()));
    let started = Instant::now();
    let mut running = JoinSet::new();
    for n in 0..clients {
        let mut client = Client {
            api: api.clone(),
            person: people[n % users].clone(),
            name: format!("client{n}"),
            random: u64::try_from(n).unwrap_or_default() + 1,
            there: BTreeMap::new(),
            gone: Vec::new(),
            last: 0,
            made: 0,
            failures: 0,
            times: Vec::new(),
        };
        let guest = format!("{prefix}-guest{n}");
        let (entrance, entering) = (entrance.clone(), n * steps / clients);
        running.spawn(async move {
            let mut fault = None;
            for step in 0..steps {
                let done = if guests && step == entering {
                    let _turn = entrance.lock().await;
                    client.register(&guest).await
                } else {
                    client.step().await
                };
                if let Err(wrong) = done {
                    fault = Some(format!("{}: {wrong}", client.name));
                    break;
                }
            }
            (client.times, client.failures, fault)
        });
    }
    let mut tally = Tally {
        faults: Vec::new(),
        failures: 0,
        times: Vec::new(),
        took: Duration::ZERO,
    };
    for (times, failures, fault) in running.join_all().await {
        tally.times.extend(times);
        tally.failures += failures;
        tally.faults.extend(fault);
    }
    tally.took = started.elapsed();
    tally
}

/// One of several of a user, who share the user's ids and see only their own tasks by a tag.
struct Client {
    api: Api,
    person: Person,
    /// Also the tag of its tasks.
    name: String,
    random: u64,
    there: BTreeMap<i64, Value>,
    gone: Vec<i64>,
    /// The newest id.
    last: i64,
    /// Titles so far.
    made: usize,
    failures: usize,
    times: Vec<Duration>,
}

type Done = Result<(), String>;

impl Client {
    /// One request, and whether it is answered as it must be.
    async fn step(&mut self) -> Done {
        let Some(id) = self.any() else {
            return self.create().await;
        };
        match self.next(16) {
            0..5 if self.there.len() < MOST => self.create().await,
            0..8 => self.get(id).await,
            8..11 => self.update(id).await,
            11..13 => self.complete(id).await,
            13 => self.delete(id).await,
            14 => self.miss().await,
            _ => self.list().await,
        }
    }

    /// Another user enters, and finds nothing of anybody's.
    async fn register(&mut self, name: &str) -> Done {
        let email = format!("{name}@example.com");
        let body = json!({"email": email, "password": "violet tandem over the bridge", "username": name});
        let request = self.api.request("POST", "/api/auth/register").json(&body);
        let grant = self.ask(request, 201).await?;
        same("the user", &grant["user"]["email"], &json!(email))?;
        let (id, token) = (grant["user_id"].as_str(), grant["access_token"].as_str());
        let path = format!("/api/{}/tasks", id.unwrap_or_default());
        let request = self.api.request("GET", &path).bearer(token.unwrap_or_default());
        let found = self.ask(request, 200).await?;
        same("the tasks of a new user", &found, &json!([]))
    }

    async fn create(&mut self) -> Done {
        let title = self.title();
        let body = json!({"title": title, "description": self.name, "tags": [self.name, "load"]});
        let made = self.ask(self.of("POST", "/tasks").json(&body), 201).await?;
        let id = made["id"].as_i64().unwrap_or_default();
        let at = &made["created_at"];
        let wanted = json!({
            "id": id, "user_id": self.person.id, "title": title, "description": self.name,
            "completed": false, "priority": "Medium", "due_date": null, "time_zone": null,
            "tags": [self.name, "load"], "recurrence": null, "completed_at": null,
            "created_at": at, "updated_at": at, "version": 1,
        });
        same("a creation", &made, &wanted)?;
        if id <= self.last || !at.is_string() {
            return Err(format!("a creation after {}: {made}", self.last));
        }
        self.last = id;
        self.there.insert(id, wanted);
        Ok(())
    }

    async fn get(&mut self, id: i64) -> Done {
        let request = self.of("GET", &format!("/tasks/{id}"));
        let found = self.ask(request, 200).await?;
        same("a task", &found, &self.there[&id])
    }

    async fn update(&mut self, id: i64) -> Done {
        let priority = ["Low", "Medium", "High"][self.next(3)];
        let body = json!({"title": self.title(), "priority": priority});
        let request = self.of("PUT", &format!("/tasks/{id}")).json(&body);
        let changed = self.ask(request, 200).await?;
        let mut wanted = self.there[&id].clone();
        for key in ["title", "priority"] {
            wanted[key] = body[key].clone();
        }
        self.changed(id, &changed, wanted)
    }

    async fn complete(&mut self, id: i64) -> Done {
        let request = self.of("PATCH", &format!("/tasks/{id}/complete"));
        let changed = self.ask(request, 200).await?;
        let mut wanted = self.there[&id].clone();
        let completed = wanted["completed"] == json!(false);
        wanted["completed"] = json!(completed);
        wanted["completed_at"] = if completed {
            changed["updated_at"].clone()
        } else {
            Value::Null
        };
        self.changed(id, &changed, wanted)
    }

    /// A change counts, and happens after the one before.
    fn changed(&mut self, id: i64, changed: &Value, mut wanted: Value) -> Done {
        let before = &self.there[&id];
        wanted["version"] = json!(before["version"].as_i64().unwrap_or_default() + 1);
        wanted["updated_at"] = changed["updated_at"].clone();
        same("a change", changed, &wanted)?;
        // Of one length, so that letters compare like times.
        if changed["updated_at"].as_str() < before["updated_at"].as_str() {
            return Err(format!("{changed} came before {before}"));
        }
        self.there.insert(id, wanted);
        Ok(())
    }

    async fn delete(&mut self, id: i64) -> Done {
        let request = self.of("DELETE", &format!("/tasks/{id}"));
        let deleted = self.ask(request, 200).await?;
        let wanted = json!({"message": "Task deleted successfully", "id": id});
        same("a deletion", &deleted, &wanted)?;
        self.there.remove(&id);
        self.gone.push(id);
        Ok(())
    }

    /// What was deleted is not found.
    async fn miss(&mut self) -> Done {
        let Some(id) = self.gone.last() else {
            return self.list().await;
        };
        let request = self.of("GET", &format!("/tasks/{id}"));
        let missed = self.ask(request, 404).await?;
        same("a deleted task", &missed["code"], &json!("task-not-found"))
    }

    async fn list(&mut self) -> Done {
        let query = format!("/tasks?tag={}&sort=created_at&order=asc", self.name);
        let found = self.ask(self.of("GET", &query), 200).await?;
        let wanted = self.there.values().cloned().collect();
        same("a list", &found, &Value::Array(wanted))
    }

    fn of(&self, method: &str, rest: &str) -> Request {
        self.person.request(&self.api, method, rest)
    }

    async fn ask(&mut self, request: Request, status: u16) -> Result<Value, String> {
        let started = Instant::now();
        let answer: Answer = request.try_send().await.map_err(|error| format!("{error:?}"))?;
        self.times.push(started.elapsed());
        self.failures += usize::from(answer.status >= 500);
        if answer.status == status {
            Ok(answer.json())
        } else {
            Err(format!("{}, not {status}: {}", answer.status, answer.text()))
        }
    }

    fn title(&mut self) -> String {
        self.made += 1;
        format!("{} of {}", self.made, self.name)
    }

    /// One of its tasks.
    fn any(&mut self) -> Option<i64> {
        let n = self.next(self.there.len().max(1));
        self.there.keys().nth(n).copied()
    }

    /// Below `n`; the same in every run (xorshift).
    fn next(&mut self, n: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap_or_default() % n
    }
}

fn same(what: &str, got: &Value, wanted: &Value) -> Done {
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{what}: {got}, not {wanted}"))
    }
}

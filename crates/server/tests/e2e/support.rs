//! A running service for a test, and small helpers.

use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use errand_testbed::{Answer, Api, Errand, Person, Pooler, Postgres, TestDatabase};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Barrier;

/// Not a secret: it signs for test databases only.
pub const SIGNING_KEY: &str = "pq8v3KzR1mX7tYw2LsNf6GhJ4bDc9QaE";

/// The database under the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
    /// PostgreSQL behind row-level security, as a role that owns nothing.
    PostgresRls,
}

/// Runs async functions that take a [`Backend`] on all, each as a test of its own.
macro_rules! on_all {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::support::Backend::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::support::Backend::Postgres).await;
            })*
        }
        mod row_level_security {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::support::Backend::PostgresRls).await;
            })*
        }
    };
}
pub(crate) use on_all;

/// A running errand with a database of its own.
pub struct Service {
    pub errand: Errand,
    pub api: Api,
    env: Vec<(&'static str, String)>,
    database: Option<TestDatabase>,
    _files: TempDir,
}

impl Service {
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, &[]).await
    }

    /// On PostgreSQL with a pooler before it, which is the only way there.
    pub async fn start_behind(pooler: &Pooler) -> Self {
        let database = Postgres::shared().create_database().await;
        let url = ("DATABASE_URL", database.url_at(pooler.addr().port()));
        let ca_file = ("DATABASE_CA_FILE", database.ca_file.display().to_string());
        let mut service = Self::start_with(Backend::Sqlite, &[url, ca_file]).await;
        service.database = Some(database);
        service
    }

    /// With more environment variables, which win over the usual ones.
    pub async fn start_with(backend: Backend, more: &[(&'static str, String)]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let mut env = vec![
            ("JWT_SECRET", SIGNING_KEY.to_owned()),
            ("ERRAND__AUTH__BCRYPT_COST", "10".to_owned()),
            // A busy machine is no outage.
            ("ERRAND__DATABASE__DEADLINE", "15s".to_owned()),
            // All tests come from one address.
            ("ERRAND__LIMITS__EXEMPT_NETWORKS", "127.0.0.0/8".to_owned()),
        ];
        let database = match backend {
            Backend::Sqlite => {
                env.push((
                    "DATABASE_URL",
                    format!("sqlite://{}", files.path().join("errand.db").display()),
                ));
                None
            }
            Backend::Postgres => {
                let database = Postgres::shared().create_database().await;
                env.push(("DATABASE_URL", database.url.clone()));
                env.push(("DATABASE_CA_FILE", database.ca_file.display().to_string()));
                Some(database)
            }
            Backend::PostgresRls => {
                let database = Postgres::shared().create_database().await;
                env.push(("DATABASE_URL", guard(&database).await));
                env.push(("DATABASE_DIRECT_URL", database.url.clone()));
                env.push(("DATABASE_CA_FILE", database.ca_file.display().to_string()));
                env.push(("ERRAND__DATABASE__ROW_LEVEL_SECURITY", "true".to_owned()));
                Some(database)
            }
        };
        for (key, value) in more {
            env.retain(|(k, _)| k != key);
            env.push((key, value.clone()));
        }
        let errand = Errand::start(binary(), &env).await;
        let api = Api::new(errand.base_url());
        Self {
            errand,
            api,
            env,
            database,
            _files: files,
        }
    }

    /// Crashes the service and starts it again on the same database.
    pub async fn crash_and_restart(&mut self) {
        self.errand.kill_9();
        self.errand = Errand::start(binary(), &self.env).await;
        self.api = Api::new(self.errand.base_url());
    }

    /// Another value of a variable, for what is started from now on.
    pub fn set(&mut self, key: &'static str, value: &str) {
        self.env.retain(|(k, _)| *k != key);
        self.env.push((key, value.to_owned()));
    }

    /// A second replica on the same database.
    pub async fn replica(&self) -> (Errand, Api) {
        let errand = Errand::start(binary(), &self.env).await;
        let api = Api::new(errand.base_url());
        (errand, api)
    }

    /// Runs `errand` with these arguments on the same database, with `input` on its standard input.
    pub fn command(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(binary())
            .args(arguments)
            .env_clear()
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that reads nothing may have ended by now.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    /// What a variable was set to at the start.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let found = self.env.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The PostgreSQL database beneath.
    pub fn database(&self) -> &TestDatabase {
        self.database.as_ref().unwrap()
    }
}

/// Does what an operator does to put a new database behind row-level security; the URL for errand.
async fn guard(database: &TestDatabase) -> String {
    database.allow_making_roles().await;
    let role = format!("app_{}", database.name().trim_start_matches("test_"));
    let mut command = Command::new(binary());
    command
        .args(["migrate", "up", "--app-role", &role])
        .env_clear()
        .env("DATABASE_URL", &database.url)
        .env("DATABASE_CA_FILE", &database.ca_file);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    database.url_as(&role).await
}

pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_errand"))
}

/// Starts `n` tasks at the same moment and gives their results in order.
#[expect(clippy::disallowed_methods, reason = "tests may spawn")]
pub async fn at_once<T, F>(n: usize, make: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(n));
    let tasks: Vec<_> = (0..n)
        .map(|i| {
            let (barrier, work) = (barrier.clone(), make(i));
            tokio::spawn(async move {
                barrier.wait().await;
                work.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// Asserts a problem's status and code, and gives its body.
#[track_caller]
pub fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{}",
        answer.text()
    );
    let body = answer.json();
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["type"], format!("/problems/{code}"), "{body}");
    assert_eq!(body["status"], status, "{body}");
    assert!(body["detail"].is_string() && body["title"].is_string(), "{body}");
    assert_eq!(
        body["request_id"].as_str(),
        answer.header("x-request-id"),
        "{body}"
    );
    body
}

/// Everything of an answer but when it was given and whether the connection goes on (it depends on whether a body
/// that nobody reads has come in by then); lists in headers are in no order.
pub fn essence(answer: &Answer) -> (Vec<(String, String)>, Vec<u8>) {
    let timeless = answer
        .headers
        .iter()
        .filter(|(name, _)| name != "date" && name != "connection");
    let mut headers: Vec<_> = timeless
        .map(|(name, value)| {
            let mut items: Vec<_> = value.split(", ").collect();
            if name == "access-control-expose-headers" {
                items.sort_unstable();
            }
            (name.clone(), items.join(", "))
        })
        .collect();
    headers.sort();
    (headers, answer.body.clone())
}

/// Creates a task and gives it.
pub async fn create(api: &Api, person: &Person, body: Value) -> Value {
    let answer = person.request(api, "POST", "/tasks").json(&body).send().await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

/// The tasks of a list, which must be answered with 200.
pub async fn list(api: &Api, person: &Person, query: &str) -> Vec<Value> {
    let answer = person.request(api, "GET", &format!("/tasks{query}")).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().clone()
}

/// One field of each.
pub fn pluck(items: &[Value], key: &str) -> Vec<Value> {
    items.iter().map(|item| item[key].clone()).collect()
}

/// The path and query of `Link: <…>; rel="next"`.
pub fn next_link(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
    assert_eq!(rest, "; rel=\"next\"");
    Some(target.to_owned())
}

/// Follows a list's pages to the end.
pub async fn all_pages(api: &Api, person: &Person, query: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut next = Some(person.path(&format!("/tasks{query}")));
    while let Some(path) = next {
        let answer = api.request("GET", &path).bearer(&person.access).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        found.extend(answer.json().as_array().unwrap().clone());
        next = next_link(&answer);
    }
    found
}

//! A service to measure, and what is made of times.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use errand_testbed::{Answer, Api, Errand, Person, TestDatabase};
use serde_json::json;
use tempfile::TempDir;

/// One of the benchmarks, not yet begun.
pub type Benchmark = Pin<Box<dyn Future<Output = ()>>>;

/// Not a secret: it signs for throwaway databases only.
const SIGNING_KEY: &str = "pq8v3KzR1mX7tYw2LsNf6GhJ4bDc9QaE";

/// The release binary with its environment, which can be started again on the same database.
pub struct Stage {
    pub errand: Errand,
    pub api: Api,
    env: Vec<(&'static str, String)>,
    files: TempDir,
}

impl Stage {
    /// On SQLite, or on the database of these variables.
    pub async fn start(more: &[(&'static str, String)]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("errand.db");
        let mut env = vec![
            ("JWT_SECRET", SIGNING_KEY.to_owned()),
            ("DATABASE_URL", format!("sqlite://{}", path.display())),
            ("ERRAND__SERVER__TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ];
        for (key, value) in more {
            env.retain(|(k, _)| k != key);
            env.push((key, value.clone()));
        }
        Self::on(files, env).await
    }

    async fn on(files: TempDir, env: Vec<(&'static str, String)>) -> Self {
        let errand = Errand::start(binary(), &env).await;
        let api = Api::new(errand.base_url());
        Self {
            errand,
            api,
            env,
            files,
        }
    }

    /// Ends it, and starts it with another value of a variable.
    pub async fn restart_with(mut self, key: &'static str, value: &str) -> Self {
        self.errand.terminate();
        self.errand.wait().await;
        self.env.retain(|(k, _)| *k != key);
        self.env.push((key, value.to_owned()));
        Self::on(self.files, self.env).await
    }

    /// Runs a command of the binary on the same database.
    pub fn command(&self, arguments: &[&str]) {
        let status = std::process::Command::new(binary())
            .args(arguments)
            .env_clear()
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }
}

/// The release binary.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_errand"))
}

/// The variables of a database of PostgreSQL.
pub fn postgres(database: &TestDatabase) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", database.url.clone()),
        ("DATABASE_CA_FILE", database.ca_file.display().to_string()),
    ]
}

/// A try to sign in from an address.
pub async fn sign_in(api: &Api, name: &str, password: &str, address: &str) -> Answer {
    api.request("POST", "/api/auth/login")
        .header("x-forwarded-for", address)
        .json(&json!({"email": name, "password": password}))
        .send()
        .await
}

/// Makes tasks for somebody.
pub async fn seed(api: &Api, person: &Person, count: usize) {
    for n in 0..count {
        let body =
            json!({"title": format!("task {n}"), "description": "a line or two of text", "tags": ["a", "b"]});
        let answer = person.request(api, "POST", "/tasks").json(&body).send().await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

/// The value below which so many of a hundred lie, in milliseconds.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let place = (times.len() * percent / 100).min(last);
    times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

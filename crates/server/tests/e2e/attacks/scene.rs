//! Where an attack happens: a running service, people, and a memory of every secret and every answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use errand_testbed::{Answer, Api, Person};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::forgery::Forgery;
use crate::support::{Backend, Service, problem};

/// How long a raw connection is listened to.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Scene {
    pub service: Service,
    /// Keeps what it is answered.
    pub api: Api,
    people: AtomicU64,
    secrets: Mutex<Vec<String>>,
    raw_answers: Mutex<Vec<String>>,
}

impl Scene {
    pub async fn start(backend: Backend) -> Self {
        let settings = [
            ("ERRAND__LOG__LEVEL", "trace".to_owned()),
            // An attack may come from anywhere; what says nothing comes from an address without limits.
            ("ERRAND__SERVER__TRUSTED_PROXIES", "127.0.0.1".to_owned()),
            ("ERRAND__LIMITS__TASKS_PER_USER", "400".to_owned()),
            (
                "CORS_ORIGINS",
                "http://localhost:3000,https://todo.example.com".to_owned(),
            ),
        ];
        let service = Service::start_with(backend, &settings).await;
        let api = service.api.clone().keeping_answers();
        Self {
            service,
            api,
            people: AtomicU64::default(),
            secrets: Mutex::default(),
            raw_answers: Mutex::default(),
        }
    }

    /// A name that nobody has yet.
    pub fn name(&self) -> String {
        format!("person{:03}", self.people.fetch_add(1, Ordering::Relaxed))
    }

    /// An address that nobody has yet.
    pub fn address(&self) -> String {
        format!("{}@example.com", self.name())
    }

    /// A good password that must never be seen anywhere.
    pub fn password(&self) -> String {
        self.secret(&format!("violet tandem over {} bridge", self.name()))
    }

    /// Remembers something that must never be seen anywhere.
    pub fn secret(&self, text: &str) -> String {
        self.secrets.lock().unwrap().push(text.to_owned());
        text.to_owned()
    }

    pub fn secrets(&self) -> Vec<String> {
        self.secrets.lock().unwrap().clone()
    }

    pub fn raw_answers(&self) -> Vec<String> {
        self.raw_answers.lock().unwrap().clone()
    }

    /// Somebody new.
    pub async fn person(&self) -> Person {
        let person = Person::register(&self.api, &self.name()).await;
        self.secret(&person.password);
        person
    }

    /// An attacker with one task, and a victim with three tasks and two sessions, all marked `victims-mark`.
    pub async fn pair(&self) -> (Person, Person) {
        let (attacker, victim) = (self.person().await, self.person().await);
        self.task(&attacker, json!({"title": "the attackers own"})).await;
        for n in 0..3 {
            let title = format!("victims-mark {n}");
            let body = json!({"title": title, "description": "victims-mark", "tags": ["victims-mark"]});
            self.task(&victim, body).await;
        }
        self.login(&victim.email, &victim.password).await;
        (attacker, victim)
    }

    /// Makes a task and gives it.
    pub async fn task(&self, person: &Person, body: Value) -> Value {
        let answer = person
            .request(&self.api, "POST", "/tasks")
            .json(&body)
            .send()
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// All that is held of somebody.
    pub async fn snapshot(&self, person: &Person) -> Value {
        let answer = person.request(&self.api, "GET", "/export").send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Tries to register, as whoever sends this body.
    pub async fn register(&self, body: &Value) -> Answer {
        let request = self.api.request("POST", "/api/auth/register");
        request.json(body).send().await
    }

    /// Tries to sign in.
    pub async fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        let request = self.api.request("POST", "/api/auth/login");
        request.json(&body).send().await
    }

    /// Tries to sign in from an address.
    pub async fn login_from(&self, address: &str, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        let request = self.api.request("POST", "/api/auth/login");
        request
            .header("x-forwarded-for", address)
            .json(&body)
            .send()
            .await
    }

    /// Tries a refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        let body = json!({"refresh_token": token});
        let request = self.api.request("POST", "/api/auth/refresh");
        request.json(&body).send().await
    }

    /// Who an access token says one is.
    pub async fn me(&self, token: &str) -> Answer {
        self.api.request("GET", "/api/auth/me").bearer(token).send().await
    }

    /// Asserts that nobody is let in with this token.
    pub async fn refuses(&self, token: &str) {
        problem(&self.me(token).await, 401, "invalid-token");
    }

    /// Asserts that the forged token is refused, and that it is for what was forged: the one that it was made
    /// of, signed again without a change, is let in.
    pub async fn refuses_forged(&self, forgery: Forgery) {
        let faithful = self.me(&forgery.original()).await;
        assert_eq!(faithful.status, 200, "not even a faithful copy is let in");
        self.refuses(&forgery.token()).await;
    }

    /// Sends bytes on a connection of their own and gives all that comes back until it is closed.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The service may have heard enough before the end.
        drop(stream.write_all(request.as_ref()).await);
        self.rest(&mut stream).await
    }

    /// A connection of one's own.
    pub async fn connect(&self) -> TcpStream {
        let address = self.service.errand.base_url().replace("http://", "");
        TcpStream::connect(address).await.unwrap()
    }

    /// All that comes until the connection is closed.
    pub async fn rest(&self, stream: &mut TcpStream) -> String {
        let (text, closed) = self.listen(stream, |_| false).await;
        assert!(closed, "the connection stays open: {text}");
        text
    }

    /// What comes until the head of an answer is whole.
    pub async fn head(&self, stream: &mut TcpStream) -> String {
        let whole = |answer: &[u8]| answer.windows(4).any(|end| end == b"\r\n\r\n");
        let (text, heard) = self.listen(stream, whole).await;
        assert!(heard, "no answer: {text}");
        text
    }

    async fn listen(&self, stream: &mut TcpStream, enough: impl Fn(&[u8]) -> bool) -> (String, bool) {
        let mut answer = Vec::new();
        let reading = async {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut chunk).await {
                answer.extend_from_slice(&chunk[..n]);
                if enough(&answer) {
                    break;
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, reading).await.is_ok();
        let text = String::from_utf8_lossy(&answer).into_owned();
        self.raw_answers.lock().unwrap().push(text.clone());
        (text, heard)
    }
}

/// One text of an answer's JSON.
pub fn text(answer: &Answer, key: &str) -> String {
    let body = answer.json();
    let value = body[key].as_str();
    value
        .unwrap_or_else(|| panic!("no text {key}: {body}"))
        .to_owned()
}

/// Asserts 422 with a fault at this place.
#[track_caller]
pub fn invalid(answer: &Answer, place: &str) {
    let body = problem(answer, 422, "validation-failed");
    let errors = body["errors"].as_array().unwrap();
    let found = errors
        .iter()
        .any(|error| error["pointer"] == place || error["parameter"] == place);
    assert!(found, "no fault at {place}: {body}");
}

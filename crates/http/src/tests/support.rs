//! Services on mocked ports, and requests to them in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use actix_web::body;
use actix_web::dev::Service;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::test::{self, TestRequest};
use errand_application::Recorder;
use errand_application::accounts::AccountService;
use errand_application::guard::SessionGuard;
use errand_application::health::HealthService;
use errand_application::in_flight::InFlight;
use errand_application::limits::Limiter;
use errand_application::ports::{
    Clock, Created, Ended, EndedCursor, Entropy, MockAccountStore, MockDatabaseHealth, MockEventStore,
    MockLimitStore, MockPasswordHasher, MockSessionStore, MockTaskStore, MockTokenSigner, Restored, Seen,
    Verdict, VerifiedToken, Worked, Written,
};
use errand_application::sessions::{SessionService, SessionSettings};
use errand_application::tasks::TaskService;
use errand_domain::account::{Email, NewPassword, PasswordHash, User, Username};
use errand_domain::limit::Take;
use errand_domain::task::{
    Expected, Follower, NewTask, Next, Operation, Outcome, Priority, Recurrences, Refusal, Series, Tags,
    Task, TimeZone, Title,
};
use errand_domain::{FieldFault, SessionId, TaskId, Timestamp, UserId};
use serde_json::Value;

use super::openapi::assert_documented;
use crate::{Services, Settings};

/// The token that the fake signer takes for user 1.
pub const TOKEN: &str = "token-of-1";

pub fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T07:00:00Z").unwrap()
}

pub fn session() -> SessionId {
    SessionId::parse("0198f3a0-0000-7000-8000-000000000001").unwrap()
}

pub fn user() -> User {
    User {
        id: UserId(1),
        username: Username::parse("ann").unwrap(),
        email: Email::parse("ann@example.com").unwrap(),
        created_at: now(),
        updated_at: now(),
    }
}

pub fn task(id: i64) -> Task {
    let new = NewTask {
        title: Title::parse("milk").unwrap(),
        description: None,
        priority: Priority::Medium,
        due: None,
        time_zone: None,
        tags: Tags::default(),
        recurrence: None,
        completed: false,
    };
    Task::new(UserId(1), TaskId(id), new, now())
}

/// A calendar on which nothing comes again, and that knows UTC alone.
struct Never;

impl Recurrences for Never {
    fn knows(&self, zone: &TimeZone) -> bool {
        zone.as_str() == "UTC"
    }

    fn check(&self, _: &Series) -> Result<(), Vec<FieldFault>> {
        Ok(())
    }

    fn next(&self, _: &Series, _: Timestamp) -> Option<Next> {
        None
    }
}

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        now()
    }

    fn monotonic(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn bytes(&self) -> [u8; 32] {
        [self.0.fetch_add(1, Ordering::Relaxed); 32]
    }
}

/// What becomes of a write where task 1 of version 1 is all that there is.
fn written(id: TaskId, expected: &Expected) -> Written<()> {
    match id {
        TaskId(1) if expected.admits(1) => Written::Done(()),
        TaskId(1) => Written::Stale,
        _ => Written::Absent,
    }
}

/// Ports that fail at every call that a test did not expect; only tokens work from the start.
pub struct Mocks {
    pub accounts: MockAccountStore,
    pub events: MockEventStore,
    pub limits: MockLimitStore,
    pub sessions: MockSessionStore,
    pub tasks: MockTaskStore,
    pub hasher: MockPasswordHasher,
    pub signer: MockTokenSigner,
    pub database: MockDatabaseHealth,
    /// How many requests of one user are served at once.
    pub at_once: usize,
}

impl Default for Mocks {
    fn default() -> Self {
        let mut signer = MockTokenSigner::new();
        signer.expect_verify().returning(|token, _| {
            let user = token.strip_prefix("token-of-")?.parse().ok()?;
            Some(VerifiedToken {
                user: UserId(user),
                session: session(),
            })
        });
        signer.expect_sign().returning(|_| Ok("signed".into()));
        let mut sessions = MockSessionStore::new();
        sessions.expect_ended().returning(|_| {
            Ok(Ended {
                sessions: Vec::new(),
                cursor: EndedCursor(1),
            })
        });
        let mut events = MockEventStore::new();
        events.expect_note().return_const(());
        let mut limits = MockLimitStore::new();
        limits.expect_take().returning(|buckets, at| {
            let taken = |_| Take::Taken { full_at: at };
            Ok(buckets.iter().map(taken).collect())
        });
        limits.expect_give_back().returning(|_| Ok(()));
        let mut hasher = MockPasswordHasher::new();
        hasher
            .expect_judge()
            .returning(|password, email| Ok(NewPassword::parse(password, email)));
        let mut database = MockDatabaseHealth::new();
        database.expect_seen().returning(Seen::default);
        Self {
            accounts: MockAccountStore::new(),
            events,
            limits,
            sessions,
            tasks: MockTaskStore::new(),
            hasher,
            signer,
            database,
            at_once: 2,
        }
    }
}

impl Mocks {
    /// A hasher that finds what it is told.
    pub fn verifying(mut self, matches: bool) -> Self {
        let outdated = false;
        self.hasher
            .expect_verify()
            .returning(move |_, _| Ok(Verdict { matches, outdated }));
        self.hasher
            .expect_hash()
            .returning(|_| Ok(PasswordHash::new("hash".into())));
        self
    }

    /// A store with task 1 and no other, tasks 2 and 3 in the trash, and room for 2.
    pub fn with_task(mut self) -> Self {
        self.tasks
            .expect_find()
            .returning(|_, id| Ok(Some(task(1)).filter(|t| t.id == id)));
        self.tasks
            .expect_change_if()
            .returning(|_, id, expected, change, _, at| {
                let mut task = task(1);
                let written = written(id, expected);
                task.apply(change, at, &Never, |_| Follower::Touched).unwrap();
                Ok(match written {
                    Written::Done(()) => Written::Done(task),
                    Written::Stale => Written::Stale,
                    _ => Written::Absent,
                })
            });
        self.tasks.expect_work().returning(|owner, work| {
            let known = work.request.as_ref().map(|request| request.key.as_str());
            let mut outcomes = Vec::new();
            for operation in &work.operations {
                outcomes.push(match operation {
                    Operation::Create(new) => {
                        Outcome::task(Task::new(owner, TaskId(7), new.clone(), work.at))
                    }
                    Operation::Change(TaskId(1), _, _) => Outcome::task(task(1)),
                    Operation::Delete(TaskId(1), _) => Outcome::Deleted(TaskId(1)),
                    _ => return Ok(Worked::Refused(vec![(outcomes.len(), Refusal::Absent)])),
                });
            }
            Ok(match known {
                Some("reused") => Worked::Reused,
                Some("too-many") => Worked::TooManyKeys(work.at.plus(Duration::from_mins(1))),
                known => Worked::Done {
                    outcomes,
                    replayed: known == Some("known"),
                },
            })
        });
        self.tasks
            .expect_delete_if()
            .returning(|_, id, expected, _| Ok(written(id, expected)));
        self.tasks.expect_restore().returning(|_, id, _, at| {
            let mut task = task(2);
            task.restore(at);
            Ok(match id {
                TaskId(2) => Restored::Task(task),
                TaskId(3) => Restored::Full,
                _ => Restored::Absent,
            })
        });
        self.tasks
            .expect_erase()
            .returning(|_, id, _| Ok(id == TaskId(2)));
        self.tasks.expect_create().returning(|owner, _, new, _, at| {
            Ok(Created::Task(Task::new(owner, TaskId(7), new.clone(), at)))
        });
        self
    }

    pub fn services(self) -> Services {
        let clock: Arc<dyn Clock> = Arc::new(FixedClock);
        let entropy: Arc<dyn Entropy> = Arc::new(Counting::default());
        let store = Arc::new(self.sessions);
        let guard = Arc::new(SessionGuard::new(store.clone(), clock.clone()));
        let recorder = Recorder::new(clock.clone(), entropy.clone());
        let limiter = Arc::new(Limiter::new(Arc::new(self.limits), clock.clone(), Vec::new(), 9));
        let sessions = Arc::new(SessionService::new(
            store,
            guard.clone(),
            Arc::new(self.signer),
            limiter.clone(),
            recorder.clone(),
            SessionSettings {
                access_life: Duration::from_mins(15),
                most_per_user: 50,
            },
        ));
        Services {
            accounts: Arc::new(AccountService::new(
                Arc::new(self.accounts),
                Arc::new(self.events),
                sessions.clone(),
                guard,
                Arc::new(self.hasher),
                limiter,
                recorder.clone(),
            )),
            sessions,
            tasks: Arc::new(TaskService::new(
                Arc::new(self.tasks),
                Arc::new(Never),
                recorder,
                10_000,
            )),
            in_flight: InFlight::new(self.at_once),
            health: Arc::new(HealthService::new(Arc::new(self.database), clock.clone())),
            clock,
            entropy,
        }
    }
}

pub fn settings() -> Settings {
    Settings {
        cors_origins: vec!["http://localhost:3000".into()],
        body_timeout: Duration::from_millis(200),
        shutdown_timeout: Duration::from_secs(5),
        workers: Some(1),
        ..Settings::default()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The code of a problem, after checking that it is a whole one that the table knows.
    pub fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let json = self.json();
        let text = |key: &str| json[key].as_str().unwrap_or_else(|| panic!("{key} in {json}"));
        let code = crate::problem::Code::parse(text("code")).expect("a code of the table");
        assert_eq!(text("type"), format!("/problems/{}", code.slug()));
        assert_eq!(text("title"), code.title());
        assert_eq!(json["status"], self.status.as_u16());
        assert_eq!(self.status, code.status());
        assert_eq!(Some(text("request_id")), self.header("x-request-id"));
        assert!(!text("detail").is_empty());
        assert_eq!(
            json.get("errors").is_some(),
            self.status.as_u16() == 422,
            "{json}"
        );
        code.slug().to_owned()
    }
}

/// Sends requests to an application of these ports, one after the other.
pub async fn send(mocks: Mocks, requests: Vec<TestRequest>) -> Vec<Answer> {
    let app = test::init_service(crate::app(&mocks.services(), &settings())).await;
    let mut answers = Vec::new();
    for request in requests {
        let request = request.to_request();
        let (method, path) = (request.method().clone(), request.path().to_owned());
        let response = app.call(request).await.unwrap();
        let answer = Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: body::to_bytes(response.into_body()).await.unwrap().to_vec(),
        };
        let status = answer.status.as_u16();
        assert_documented(&method, &path, status, &answer.headers, &answer.body);
        answers.push(answer);
    }
    answers
}

/// Sends one request.
pub async fn send_one(mocks: Mocks, request: TestRequest) -> Answer {
    send(mocks, vec![request]).await.remove(0)
}

//! What handlers and layers share: the services, the settings, and which endpoint a request reached.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::ServiceRequest;
use errand_application::accounts::AccountService;
use errand_application::health::HealthService;
use errand_application::in_flight::InFlight;
use errand_application::ports::{Clock, Entropy};
use errand_application::sessions::SessionService;
use errand_application::tasks::TaskService;
use ipnet::IpNet;

/// How long an idle connection is kept: longer than load balancers keep theirs (60 s as a rule), so that it is
/// never the server that closes a connection just as a request is sent on it.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The path whose errors also speak OAuth 2.
pub(crate) const TOKEN: &str = "/api/auth/token";

/// What the handlers work with.
#[derive(Clone)]
pub struct Services {
    /// Accounts.
    pub accounts: Arc<AccountService>,
    /// Sessions and tokens.
    pub sessions: Arc<SessionService>,
    /// Tasks.
    pub tasks: Arc<TaskService>,
    /// What is under way for each user.
    pub in_flight: Arc<InFlight>,
    /// Readiness.
    pub health: Arc<HealthService>,
    /// For the ids of requests.
    pub clock: Arc<dyn Clock>,
    /// For the ids of requests.
    pub entropy: Arc<dyn Entropy>,
}

/// How to serve.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The exact origins of the web pages that may use the service.
    pub cors_origins: Vec<String>,
    /// The proxies in front, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Threads; as many as there are processors if `None`.
    pub workers: Option<usize>,
    /// How long requests in progress may take when the server is asked to stop.
    pub shutdown_timeout: Duration,
    /// How long the head of a connection's first request may take, from the moment the connection is made: the
    /// framework has one timer for a client that is slow and for one that has not spoken yet, and none for the
    /// heads of later requests, which only a proxy in front can bound.
    pub head_timeout: Duration,
    /// How long a whole body may take.
    pub body_timeout: Duration,
    /// How long a request that had to wait to be let in may take in all.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            workers: None,
            shutdown_timeout: Duration::from_secs(10),
            head_timeout: KEEP_ALIVE,
            body_timeout: Duration::from_secs(10),
            patience: Duration::from_secs(5),
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a valid access token.
    Bearer,
    /// Whoever has a valid access token of the user that the path names.
    Owner,
}

/// The endpoint that a request reached, or at least the path of one; in the request's extensions.
#[derive(Clone, Copy)]
pub(crate) struct Matched {
    pub(crate) path: &'static str,
    pub(crate) access: Access,
}

/// The text of a path segment, as it stands there.
pub(crate) fn segment<'a>(req: &'a HttpRequest, name: &str) -> &'a str {
    req.match_info().get(name).unwrap_or_default()
}

/// The same before a handler is reached.
pub(crate) fn segment_of<'a>(req: &'a ServiceRequest, name: &str) -> &'a str {
    req.match_info().get(name).unwrap_or_default()
}

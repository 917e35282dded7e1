//! The one table of routes. Registration, `Allow`, aliases, access and the known query parameters come from it.

use std::collections::BTreeSet;
use std::future::ready;

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, Route, guard};

use crate::context::{Access, Matched, Services, TOKEN};
use crate::describe::{self, Description};
use crate::middleware::admit;
use crate::problem::{Code, Problem};
use crate::{accounts, reference, service, sessions, tasks};

/// A route as the outside sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointInfo {
    /// The method. `HEAD` works wherever `GET` does and is not listed.
    pub method: String,
    /// The path, with `{user_id}` and the like. With a slash at its end it works too.
    pub path: &'static str,
    /// Older paths that reach the same.
    pub aliases: &'static [&'static str],
    /// Who may use it.
    pub access: Access,
}

/// A line of the table.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) access: Access,
    /// The query parameters; others are refused. `None`: whatever comes is ignored.
    pub(crate) query: Option<&'static [&'static str]>,
    handler: Handler,
    /// What the document of the interface says of it.
    pub(crate) describe: Describe,
}

type Handler = fn() -> Route;
type Describe = fn() -> Description;

const fn route(
    method: Method,
    path: &'static str,
    access: Access,
    handler: Handler,
    describe: Describe,
) -> Endpoint {
    Endpoint {
        method,
        path,
        aliases: &[],
        access,
        query: Some(&[]),
        handler,
        describe,
    }
}

const fn public(method: Method, path: &'static str, handler: Handler, describe: Describe) -> Endpoint {
    route(method, path, Access::Public, handler, describe)
}

const fn bearer(method: Method, path: &'static str, handler: Handler, describe: Describe) -> Endpoint {
    route(method, path, Access::Bearer, handler, describe)
}

const fn owner(method: Method, path: &'static str, handler: Handler, describe: Describe) -> Endpoint {
    route(method, path, Access::Owner, handler, describe)
}

impl Endpoint {
    const fn also_at(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn with_query(mut self, parameters: &'static [&'static str]) -> Self {
        self.query = Some(parameters);
        self
    }

    const fn with_any_query(mut self) -> Self {
        self.query = None;
        self
    }

    fn is_at(&self, path: &str) -> bool {
        self.path == path || self.aliases.contains(&path)
    }

    fn matched(&self) -> Matched {
        Matched {
            path: self.path,
            access: self.access,
        }
    }
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

const TASKS: &str = "/api/{user_id}/tasks";
const TASK: &str = "/api/{user_id}/tasks/{id}";
const COMPLETE: &str = "/api/{user_id}/tasks/{id}/complete";
const TRASH: &str = "/api/{user_id}/trash";
const TRASHED: &str = "/api/{user_id}/trash/{id}";
const RESTORE: &str = "/api/{user_id}/trash/{id}/restore";
const CHANGES: &str = "/api/{user_id}/changes";
const SESSIONS: &str = "/api/{user_id}/sessions";
const SESSION: &str = "/api/{user_id}/sessions/{session_id}";

#[rustfmt::skip]
pub(crate) static ENDPOINTS: &[Endpoint] = &[
    public(GET, "/", || web::to(service::welcome), describe::service::welcome).with_any_query(),
    public(GET, "/health/live", || web::to(service::live), describe::service::live).also_at(&["/health"]).with_any_query(),
    public(GET, "/health/ready", || web::to(service::ready), describe::service::ready).with_any_query(),
    public(GET, "/problems/{code}", || web::to(service::problem), describe::service::problem).with_any_query(),
    public(GET, "/openapi.json", || web::to(reference::openapi), describe::service::openapi).with_any_query(),
    public(GET, "/docs", || web::to(reference::page), describe::service::docs).with_any_query(),
    public(GET, "/docs/{file}", || web::to(reference::file), describe::service::docs_file).with_any_query(),

    public(POST, "/api/auth/register", || web::to(accounts::register), describe::accounts::register).also_at(&["/auth/signup", "/api/register"]),
    public(POST, "/api/auth/login", || web::to(accounts::login), describe::accounts::login).also_at(&["/auth/login", "/api/login"]),
    public(POST, TOKEN, || web::to(sessions::token), describe::sessions::token).also_at(&["/api/token"]),
    public(POST, "/api/auth/refresh", || web::to(sessions::refresh), describe::sessions::refresh),
    bearer(POST, "/api/auth/logout", || web::to(sessions::logout), describe::sessions::logout).also_at(&["/auth/logout", "/api/logout"]),
    bearer(GET, "/api/auth/me", || web::to(accounts::me), describe::accounts::me).also_at(&["/auth/me", "/api/me"]),

    owner(DELETE, "/api/{user_id}", || web::to(accounts::delete), describe::accounts::delete),
    owner(PUT, "/api/{user_id}/password", || web::to(accounts::change_password), describe::accounts::change_password),
    owner(GET, "/api/{user_id}/events", || web::to(accounts::events), describe::accounts::events),
    owner(GET, "/api/{user_id}/export", || web::to(accounts::export), describe::accounts::export),
    owner(GET, SESSIONS, || web::to(sessions::list), describe::sessions::sessions),
    owner(DELETE, SESSIONS, || web::to(sessions::end_all), describe::sessions::end_all),
    owner(DELETE, SESSION, || web::to(sessions::end), describe::sessions::end),

    owner(GET, TASKS, || web::to(tasks::list), describe::tasks::list_all).with_query(tasks::LIST_PARAMETERS),
    owner(POST, TASKS, || web::to(tasks::create), describe::tasks::create),
    owner(GET, TASK, || web::to(tasks::get), describe::tasks::get),
    owner(PUT, TASK, || web::to(tasks::change), describe::tasks::put),
    owner(PATCH, TASK, || web::to(tasks::change), describe::tasks::patch),
    owner(DELETE, TASK, || web::to(tasks::delete), describe::tasks::delete),
    owner(PATCH, COMPLETE, || web::to(tasks::complete), describe::tasks::complete),
    owner(POST, "/api/{user_id}/batch", || web::to(tasks::batch), describe::batch::batch),
    owner(GET, TRASH, || web::to(tasks::trash::list), describe::trash::list_all).with_query(tasks::trash::PARAMETERS),
    owner(DELETE, TRASHED, || web::to(tasks::trash::erase), describe::trash::erase),
    owner(POST, RESTORE, || web::to(tasks::trash::restore), describe::trash::restore),
    owner(GET, CHANGES, || web::to(tasks::changes::list), describe::batch::changes).with_query(tasks::changes::PARAMETERS),
];

/// Every route.
pub fn endpoints() -> Vec<EndpointInfo> {
    let all = ENDPOINTS.iter();
    all.map(|endpoint| EndpointInfo {
        method: endpoint.method.to_string(),
        path: endpoint.path,
        aliases: endpoint.aliases,
        access: endpoint.access,
    })
    .collect()
}

/// Registers every route at every path of it, with and without a slash at the end.
pub(crate) fn register(config: &mut ServiceConfig, services: &Data<Services>) {
    let paths = ENDPOINTS
        .iter()
        .flat_map(|endpoint| endpoint.aliases.iter().copied().chain([endpoint.path]));
    // A set orders '{' behind letters, so that `/api/me` is tried before `/api/{user_id}`.
    for path in paths.collect::<BTreeSet<_>>() {
        let slashed = format!("{}/", path.trim_end_matches('/'));
        let mut resource = web::resource([path.to_owned(), slashed]);
        for endpoint in at(path) {
            let services = services.clone();
            let admitted = (endpoint.handler)().wrap(from_fn(move |req, next| {
                admit(endpoint.matched(), endpoint.query, services.clone(), req, next)
            }));
            resource = resource.route(if endpoint.method == GET {
                admitted.guard(guard::Any(guard::Get()).or(guard::Head()))
            } else {
                admitted.guard(guard::Method(endpoint.method.clone()))
            });
        }
        config.service(resource.default_service(web::to(move |req| ready(other_method(path, &req)))));
    }
}

fn at(path: &str) -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().filter(move |endpoint| endpoint.is_at(path))
}

/// A known path with a method that it has not.
fn other_method(path: &str, req: &HttpRequest) -> Result<HttpResponse, Problem> {
    if let Some(endpoint) = at(path).next() {
        req.extensions_mut().insert(endpoint.matched());
    }
    let allow = HeaderValue::try_from(allowed(path)).map_err(Problem::internal)?;
    if req.method() == Method::OPTIONS {
        return Ok(HttpResponse::NoContent().insert_header((ALLOW, allow)).finish());
    }
    Err(Problem::new(Code::MethodNotAllowed).with_header(ALLOW, allow))
}

fn allowed(path: &str) -> String {
    let mut methods = Vec::new();
    for endpoint in at(path) {
        methods.push(endpoint.method.as_str());
        if endpoint.method == GET {
            methods.push("HEAD");
        }
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

/// A path that nothing is at.
pub(crate) async fn unknown_path() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::NotFound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_user_is_only_for_that_user() {
        for endpoint in ENDPOINTS {
            let names_a_user = endpoint.path.contains("{user_id}");
            assert_eq!(
                names_a_user,
                endpoint.access == Access::Owner,
                "{}",
                endpoint.path
            );
            let under_api = endpoint.path.starts_with("/api/");
            assert_eq!(under_api, endpoint.query.is_some(), "{}", endpoint.path);
        }
    }

    #[test]
    fn no_method_of_a_path_is_there_twice() {
        let mut seen = std::collections::HashSet::new();
        for endpoint in ENDPOINTS {
            for path in endpoint.aliases.iter().chain([&endpoint.path]) {
                assert!(seen.insert((endpoint.method.clone(), *path)), "{path}");
            }
        }
    }

    #[test]
    fn what_a_path_allows() {
        assert_eq!(allowed(TASKS), "GET, HEAD, POST, OPTIONS");
        assert_eq!(allowed(TASK), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
        assert_eq!(allowed("/auth/login"), "POST, OPTIONS");
    }
}

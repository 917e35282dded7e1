//! Routes about the service itself.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::context::Services;
use crate::context::segment;
use crate::drain::Draining;
use crate::problem::{Code, Problem};
use crate::query;

#[derive(Serialize)]
struct Welcome {
    message: &'static str,
    version: &'static str,
    links: Links,
}

#[derive(Serialize)]
struct Links {
    register: &'static str,
    login: &'static str,
    tasks: &'static str,
    health: &'static str,
    ready: &'static str,
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

/// `GET /`
pub(crate) async fn welcome() -> HttpResponse {
    HttpResponse::Ok().json(Welcome {
        message: "Welcome to the Todo API",
        version: env!("CARGO_PKG_VERSION"),
        links: Links {
            register: "/api/auth/register",
            login: "/api/auth/login",
            tasks: "/api/{user_id}/tasks",
            health: "/health",
            ready: "/health/ready",
        },
    })
}

/// `GET /health/live`: the process answers, and that is all it says.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Status { status: "ok" })
}

/// `GET /health/ready`
pub(crate) async fn ready(req: HttpRequest, services: Data<Services>) -> Result<HttpResponse, Problem> {
    let pairs = query::pairs(req.query_string(), Code::MalformedQuery).unwrap_or_default();
    let deep = pairs
        .iter()
        .any(|(name, value)| name == "deep" && matches!(value.as_str(), "1" | "true"));
    if !Draining::has_begun(&req) && services.health.is_ready(deep).await {
        Ok(HttpResponse::Ok().json(Status { status: "ready" }))
    } else {
        Err(Problem::new(Code::NotReady))
    }
}

/// `GET /problems/{code}`
pub(crate) async fn problem(req: HttpRequest) -> Result<HttpResponse, Problem> {
    let code = Code::parse(segment(&req, "code")).ok_or_else(|| Problem::new(Code::NotFound))?;
    let text = format!(
        "{} – {}\n{}\n\n{}\n\nWhat to do: {}\n",
        code.status().as_u16(),
        code.title(),
        code.slug(),
        code.explanation(),
        code.remedy()
    );
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((CACHE_CONTROL, "max-age=3600"))
        .body(text))
}

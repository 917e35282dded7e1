//! Sessions and tokens.

use actix_web::http::StatusCode;
use actix_web::web::{Data, ReqData};
use actix_web::{HttpRequest, HttpResponse};
use errand_application::Actor;
use errand_domain::{Fault, SessionId};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::accounts::{granted, login_command};
use crate::body::{AUTH_MAX, FormBody, JsonBody};
use crate::context::Services;
use crate::context::segment;
use crate::fields::Fields;
use crate::origin::origin;
use crate::problem::{Code, Problem};
use crate::query;
use crate::wire::{Message, SessionJson};

/// `POST /api/auth/token`: OAuth 2 with a form (RFC 6749 sections 4.3 and 6). Without `grant_type` it is a
/// password, as old front ends send it.
pub(crate) async fn token(
    req: HttpRequest,
    services: Data<Services>,
    body: FormBody<AUTH_MAX>,
) -> Result<HttpResponse, Problem> {
    let mut fields = form(&body.0)?;
    let grant_type = fields.present("grant_type", |text| Ok(text.to_owned()));
    let grant = match grant_type.as_deref() {
        None | Some("password") => {
            let name = fields.required("username", |text| Ok(text.to_owned()));
            let password = fields.required("password", |text| Ok(SecretString::from(text)));
            let (name, password) = fields.finish(name.zip(password))?;
            let command = login_command(&name, password, &req);
            services.accounts.login(command).await?
        }
        Some("refresh_token") => {
            let token = fields.required("refresh_token", |text| Ok(SecretString::from(text)));
            services
                .sessions
                .refresh(&fields.finish(token)?, &origin(&req))
                .await?
        }
        Some(_) => return Err(Problem::new(Code::UnsupportedGrantType)),
    };
    Ok(granted(StatusCode::OK, &grant))
}

/// A form's fields; one that comes twice is a fault (RFC 6749 section 3.2).
fn form(text: &str) -> Result<Fields, Problem> {
    let mut map = Map::new();
    let mut twice = Vec::new();
    for (name, value) in query::pairs(text, Code::MalformedForm)? {
        if let Some(known) = FORM_FIELDS.iter().find(|known| **known == name)
            && map.insert(name, Value::String(value)).is_some()
        {
            twice.push(*known);
        }
    }
    let mut fields = Fields::new(map);
    for name in twice {
        fields.fault::<()>(name, Fault::new("repeated", "must be given only once"));
    }
    Ok(fields)
}

const FORM_FIELDS: [&str; 4] = ["grant_type", "username", "password", "refresh_token"];

/// `POST /api/auth/refresh`
pub(crate) async fn refresh(
    req: HttpRequest,
    services: Data<Services>,
    body: JsonBody<AUTH_MAX>,
) -> Result<HttpResponse, Problem> {
    let mut fields = body.0;
    let token = fields.required("refresh_token", |text| Ok(SecretString::from(text)));
    let token = fields.finish(token)?;
    let grant = services.sessions.refresh(&token, &origin(&req)).await?;
    Ok(granted(StatusCode::OK, &grant))
}

/// `POST /api/auth/logout`
pub(crate) async fn logout(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
) -> Result<HttpResponse, Problem> {
    services.sessions.logout(&actor, &origin(&req)).await?;
    Ok(HttpResponse::Ok().json(Message::new("Logout successful")))
}

/// `GET /api/{user_id}/sessions`
pub(crate) async fn list(services: Data<Services>, actor: ReqData<Actor>) -> Result<HttpResponse, Problem> {
    let sessions = services.sessions.list(&actor).await?;
    let sessions = sessions.iter();
    let sessions: Vec<_> = sessions.map(|session| SessionJson::of(session, &actor)).collect();
    Ok(HttpResponse::Ok().json(sessions))
}

/// `DELETE /api/{user_id}/sessions/{session_id}`
pub(crate) async fn end(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
) -> Result<HttpResponse, Problem> {
    let id = SessionId::parse(segment(&req, "session_id"));
    let id = id.ok_or_else(|| Problem::new(Code::SessionNotFound))?;
    services.sessions.end(&actor, id, &origin(&req)).await?;
    Ok(HttpResponse::Ok().json(Message::about("Session ended", id.to_string())))
}

/// `DELETE /api/{user_id}/sessions`
pub(crate) async fn end_all(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
) -> Result<HttpResponse, Problem> {
    services.sessions.end_all(&actor, &origin(&req)).await?;
    Ok(HttpResponse::Ok().json(Message::new("All sessions ended")))
}

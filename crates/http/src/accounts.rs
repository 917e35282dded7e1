//! Accounts: register, sign in, who am I, password, export, leave.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::web::{Data, ReqData};
use actix_web::{HttpRequest, HttpResponse};
use errand_application::Actor;
use errand_application::accounts::{Login, Register};
use errand_application::sessions::Grant;
use errand_domain::account::{Email, LoginName, NewPassword, User, Username, check_password_size};
use errand_domain::event::Origin;
use errand_domain::{Fault, Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::body::{AUTH_MAX, JsonBody};
use crate::context::Services;
use crate::origin::origin;
use crate::problem::Problem;
use crate::tasks::{DeletedTaskJson, TaskJson};
use crate::wire::{EventJson, Message, SessionJson, Shown};

#[derive(Serialize)]
pub(crate) struct UserJson<'a> {
    id: i64,
    username: &'a str,
    email: &'a str,
    created_at: Shown<Timestamp>,
    updated_at: Shown<Timestamp>,
}

impl<'a> From<&'a User> for UserJson<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id.0,
            username: user.username.as_str(),
            email: user.email.as_str(),
            created_at: Shown(user.created_at),
            updated_at: Shown(user.updated_at),
        }
    }
}

#[derive(Serialize)]
struct GrantJson<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
    user_id: Shown<UserId>,
    username: &'a str,
    email: &'a str,
    user: UserJson<'a>,
}

#[derive(Serialize)]
struct ExportJson<'a> {
    user: UserJson<'a>,
    sessions: Vec<SessionJson<'a>>,
    tasks: Vec<TaskJson<'a>>,
    deleted_tasks: Vec<DeletedTaskJson<'a>>,
    events: Vec<EventJson<'a>>,
}

/// A grant on the wire; no cache may keep it (RFC 6749 section 5.1).
pub(crate) fn granted(status: StatusCode, grant: &Grant) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .json(GrantJson {
            access_token: grant.access_token.expose_secret(),
            token_type: "bearer",
            expires_in: grant.expires_in.as_secs(),
            refresh_token: grant.refresh_token.expose_secret(),
            user_id: Shown(grant.user.id),
            username: grant.user.username.as_str(),
            email: grant.user.email.as_str(),
            user: UserJson::from(&grant.user),
        })
}

/// What somebody signs in with, from a name and a password as they were typed.
pub(crate) fn login_command(name: &str, password: SecretString, req: &HttpRequest) -> Login {
    // A password that cannot be anybody's is refused as slowly as any other wrong one.
    let possible = check_password_size(password.expose_secret()).is_ok();
    Login {
        name: LoginName::parse(name).filter(|_| possible),
        password,
        origin: origin(req),
    }
}

/// `POST /api/auth/register`
pub(crate) async fn register(
    req: HttpRequest,
    services: Data<Services>,
    body: JsonBody<AUTH_MAX>,
) -> Result<HttpResponse, Problem> {
    let origin = origin(&req);
    let mut fields = body.0;
    let email = fields.required("email", Email::parse);
    let username = fields.nullable("username", Username::parse).flatten();
    let password = match fields.required("password", |text| Ok(SecretString::from(text))) {
        Some(password) => match new_password(&services, password, email.as_ref(), &origin).await? {
            Ok(password) => Some(password),
            Err(fault) => fields.fault("password", fault),
        },
        None => None,
    };
    let (email, password) = fields.finish(email.zip(password))?;
    let command = Register {
        email,
        username,
        password,
        origin,
    };
    let grant = services.accounts.register(command).await?;
    Ok(granted(StatusCode::CREATED, &grant))
}

/// Without a usable address a password is judged for one that nobody has, so that the faults of both are told at
/// once.
async fn new_password(
    services: &Services,
    password: SecretString,
    email: Option<&Email>,
    origin: &Origin,
) -> Result<Result<NewPassword, Fault>, Problem> {
    let judged = match (email, Email::parse("nobody@example.invalid")) {
        (Some(email), _) => services.accounts.judge(password, email, origin).await?,
        (None, Ok(nobody)) => services.accounts.judge(password, &nobody, origin).await?,
        (None, Err(fault)) => Err(fault),
    };
    Ok(judged)
}

/// `POST /api/auth/login`
pub(crate) async fn login(
    req: HttpRequest,
    services: Data<Services>,
    body: JsonBody<AUTH_MAX>,
) -> Result<HttpResponse, Problem> {
    let mut fields = body.0;
    let named = !fields.has_value("email") && fields.has_value("username");
    let name = if named { "username" } else { "email" };
    let name = fields.required(name, |text| Ok(text.to_owned()));
    let password = fields.required("password", |text| Ok(SecretString::from(text)));
    let (name, password) = fields.finish(name.zip(password))?;
    let command = login_command(&name, password, &req);
    let grant = services.accounts.login(command).await?;
    Ok(granted(StatusCode::OK, &grant))
}

/// `GET /api/auth/me`
pub(crate) async fn me(services: Data<Services>, actor: ReqData<Actor>) -> Result<HttpResponse, Problem> {
    let user = services.accounts.me(&actor).await?;
    Ok(HttpResponse::Ok().json(UserJson::from(&user)))
}

/// `PUT /api/{user_id}/password`
pub(crate) async fn change_password(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
    body: JsonBody<AUTH_MAX>,
) -> Result<HttpResponse, Problem> {
    let mut fields = body.0;
    let current = fields.secret("current_password");
    let new = fields.secret("new_password");
    let (current, new) = fields.finish(current.zip(new))?;
    let accounts = Arc::clone(&services.accounts);
    let grant = accounts
        .change_password(&actor, current, new, &origin(&req))
        .await?;
    Ok(granted(StatusCode::OK, &grant))
}

/// `GET /api/{user_id}/events`
pub(crate) async fn events(services: Data<Services>, actor: ReqData<Actor>) -> Result<HttpResponse, Problem> {
    let events = services.accounts.events(&actor).await?;
    let events: Vec<_> = events.iter().map(EventJson::from).collect();
    Ok(HttpResponse::Ok().json(events))
}

/// `GET /api/{user_id}/export`
pub(crate) async fn export(services: Data<Services>, actor: ReqData<Actor>) -> Result<HttpResponse, Problem> {
    let export = services.accounts.export(&actor).await?;
    let sessions = export.sessions.iter();
    Ok(HttpResponse::Ok().json(ExportJson {
        user: UserJson::from(&export.user),
        sessions: sessions.map(|session| SessionJson::of(session, &actor)).collect(),
        tasks: export.tasks.iter().map(TaskJson::from).collect(),
        deleted_tasks: export.deleted.iter().map(DeletedTaskJson::from).collect(),
        events: export.events.iter().map(EventJson::from).collect(),
    }))
}

/// `DELETE /api/{user_id}`
pub(crate) async fn delete(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
    body: JsonBody<AUTH_MAX>,
) -> Result<HttpResponse, Problem> {
    let mut fields = body.0;
    let password = fields.secret("password");
    let password = fields.finish(password)?;
    services.accounts.delete(&actor, password, &origin(&req)).await?;
    Ok(HttpResponse::Ok().json(Message::about("Account deleted", actor.user().0)))
}

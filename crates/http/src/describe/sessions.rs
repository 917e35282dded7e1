//! Sessions and tokens.

use serde_json::json;

use super::accounts::{SIGN_IN, granted};
use super::samples::{self, SESSION_ID};
use super::schema::list;
use super::{Description, Form, describe, json, schema, tag};
use crate::body::AUTH_MAX;
use crate::problem::Code;

pub(crate) fn token() -> Description {
    let examples = vec![
        (
            "password",
            json!({"grant_type": "password", "username": "ann", "password": "violet tandem over the bridge"}),
        ),
        (
            "refresh_token",
            json!({"grant_type": "refresh_token", "refresh_token": "…"}),
        ),
    ];
    describe("requestToken", tag::SESSIONS, "Sign in as OAuth 2.0 does it")
        .text(format!(
            "RFC 6749, sections 4.3 and 6, with a form. Errors also have `error`, as its section 5.2 says. {SIGN_IN}"
        ))
        .bodies(Form::Urlencoded, "TokenRequest", AUTH_MAX, examples)
        .answer(200, granted("Signed in."))
        .codes(&[
            Code::UnsupportedGrantType,
            Code::BadCredentials,
            Code::InvalidRefreshToken,
            Code::TooManyAttempts,
            Code::Overloaded,
            Code::Unavailable,
        ])
}

pub(crate) fn refresh() -> Description {
    describe("refreshTokens", tag::SESSIONS, "Exchange the refresh token")
        .text(
            "The refresh token is replaced at every use; keep only the newest and share it between tabs. The one \
             just replaced gives the same successor for ten more seconds, if its answer was lost. An older one \
             ends the session.",
        )
        .body("RefreshRequest", AUTH_MAX, json!({"refresh_token": "…"}))
        .answer(200, granted("New tokens of the same session."))
        .codes(&[
            Code::InvalidRefreshToken,
            Code::TooManyAttempts,
            Code::Overloaded,
            Code::Unavailable,
        ])
}

pub(crate) fn logout() -> Description {
    let example = json!({"message": "Logout successful"});
    describe("logout", tag::SESSIONS, "End this session")
        .text("Its tokens are refused from now on.")
        .answer(200, json("Ended.", schema("Message"), example))
}

pub(crate) fn sessions() -> Description {
    let ids = [
        ("user_id", "$request.path.user_id"),
        ("session_id", "$response.body#/0/id"),
    ];
    describe("listSessions", tag::SESSIONS, "List the living sessions")
        .text("The oldest first.")
        .answer(
            200,
            json(
                "The sessions.",
                list(schema("Session")),
                json!([samples::session()]),
            )
            .link("endSession", &ids),
        )
}

pub(crate) fn end() -> Description {
    let example = json!({"message": "Session ended", "id": SESSION_ID});
    describe("endSession", tag::SESSIONS, "End a session")
        .answer(200, json("Ended.", schema("SessionEnded"), example))
        .codes(&[Code::SessionNotFound])
}

pub(crate) fn end_all() -> Description {
    let example = json!({"message": "All sessions ended"});
    describe("endSessions", tag::SESSIONS, "End all sessions")
        .text("This one too.")
        .answer(200, json("Ended.", schema("Message"), example))
}

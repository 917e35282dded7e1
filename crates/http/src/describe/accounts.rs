//! Accounts.

use serde_json::json;

use super::samples;
use super::schema::list;
use super::{Answer, Description, Form, describe, json, schema, tag};
use crate::body::AUTH_MAX;
use crate::problem::Code;

pub(super) const SIGN_IN: &str = "Send the access token as `Authorization: Bearer …` and put `user_id` into the \
     paths. It is good for `expires_in` seconds; then ask `refreshTokens` for another.";

/// A grant.
pub(super) fn granted(text: &str) -> Answer {
    json(text, schema("Grant"), samples::grant())
        .headers(&["Cache-Control"])
        .link("getMe", &[])
        .link("listTasks", &[("user_id", "$response.body#/user/id")])
        .link("createTask", &[("user_id", "$response.body#/user/id")])
        .link("listSessions", &[("user_id", "$response.body#/user/id")])
}

pub(crate) fn register() -> Description {
    let body =
        json!({"email": "ann@example.com", "password": "violet tandem over the bridge", "username": "ann"});
    describe("register", tag::ACCOUNTS, "Make an account")
        .text(format!("Makes an account and signs in. {SIGN_IN}"))
        .body("Registration", AUTH_MAX, body)
        .answer(201, granted("The account is there."))
        .codes(&[
            Code::EmailTaken,
            Code::UsernameTaken,
            Code::TooManyAttempts,
            Code::Overloaded,
            Code::Unavailable,
        ])
}

pub(crate) fn login() -> Description {
    let examples = vec![
        (
            "email",
            json!({"email": "ann@example.com", "password": "violet tandem over the bridge"}),
        ),
        (
            "username",
            json!({"username": "ann", "password": "violet tandem over the bridge"}),
        ),
    ];
    describe("login", tag::ACCOUNTS, "Sign in")
        .text(SIGN_IN)
        .bodies(Form::Json, "Login", AUTH_MAX, examples)
        .answer(200, granted("Signed in: a new session."))
        .codes(&[
            Code::BadCredentials,
            Code::TooManyAttempts,
            Code::Overloaded,
            Code::Unavailable,
        ])
}

pub(crate) fn me() -> Description {
    describe("getMe", tag::ACCOUNTS, "Who am I?").answer(
        200,
        json("The user of the token.", schema("User"), samples::user())
            .link("listTasks", &[("user_id", "$response.body#/id")]),
    )
}

pub(crate) fn change_password() -> Description {
    let body = json!({
        "current_password": "violet tandem over the bridge", "new_password": "another tandem, another bridge",
    });
    describe("changePassword", tag::ACCOUNTS, "Change the password")
        .text("Ends every other session; the answer is the grant of a new one.")
        .body("PasswordChange", AUTH_MAX, body)
        .answer(200, granted("Changed."))
        .codes(&[Code::WrongPassword, Code::TooManyAttempts, Code::Overloaded])
}

pub(crate) fn events() -> Description {
    describe("listEvents", tag::ACCOUNTS, "What happened to the account")
        .text("The newest first: sign-ins, failed ones, ended sessions, changes of the password.")
        .answer(
            200,
            json(
                "The events.",
                list(schema("SecurityEvent")),
                json!([samples::event()]),
            ),
        )
}

pub(crate) fn export() -> Description {
    let example = json!({
        "user": samples::user(), "sessions": [samples::session()], "tasks": [],
        "deleted_tasks": [samples::deleted_task()], "events": [samples::event()],
    });
    describe(
        "exportAccount",
        tag::ACCOUNTS,
        "Everything that errand holds of the user",
    )
    .answer(200, json("All of it.", schema("Export"), example))
}

pub(crate) fn delete() -> Description {
    let example = json!({"message": "Account deleted", "id": 1});
    describe("deleteAccount", tag::ACCOUNTS, "Delete the account")
        .text("With its tasks and sessions, at once and for good.")
        .body(
            "Confirmation",
            AUTH_MAX,
            json!({"password": "another tandem, another bridge"}),
        )
        .answer(200, json("Gone.", schema("Done"), example))
        .codes(&[Code::WrongPassword, Code::TooManyAttempts, Code::Overloaded])
}

//! Accounts and sessions.

use errand_domain::account::{
    EMAIL_MAX_BYTES, PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARS, USERNAME_MAX_CHARS, USERNAME_MIN_CHARS,
};
use errand_domain::event::{EventKind, USER_AGENT_MAX_CHARS};
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat};

use super::Named;
use crate::describe::schema::{
    always, any_of, custom, flag, id, integer, list, maybe, object, text, text_or_null, time, uuid, words,
};

pub(super) fn all() -> Vec<Named> {
    let mut all = sent();
    all.extend(answered());
    all
}

fn known(format: KnownFormat) -> SchemaFormat {
    SchemaFormat::KnownFormat(format)
}

fn email() -> ObjectBuilder {
    text()
        .format(Some(known(KnownFormat::Email)))
        .max_length(Some(EMAIL_MAX_BYTES))
}

/// A password that is given, whatever it is.
fn password() -> ObjectBuilder {
    text().format(Some(known(KnownFormat::Password)))
}

/// A password to confirm something with; no account has one that does not fit.
fn current_password() -> ObjectBuilder {
    password()
        .max_length(Some(PASSWORD_MAX_BYTES))
        .pattern(Some(r"^[^\u0000]*$"))
}

/// A password that is to be.
fn new_password() -> ObjectBuilder {
    let rule = format!(
        "At least {PASSWORD_MIN_CHARS} characters and at most {PASSWORD_MAX_BYTES} bytes, no NUL; not common, and \
         not the address or what stands before its `@`."
    );
    current_password()
        .min_length(Some(PASSWORD_MIN_CHARS))
        .description(Some(rule))
}

fn username() -> ObjectBuilder {
    text_or_null()
        .min_length(Some(USERNAME_MIN_CHARS))
        .max_length(Some(USERNAME_MAX_CHARS))
        .pattern(Some("^[A-Za-z0-9._-]+$"))
        .description(Some("Without one it is made from the address."))
}

fn sent() -> Vec<Named> {
    let by_email = object([always("email", text()), always("password", password())]);
    let by_name = object([always("username", text()), always("password", password())]);
    let with_password = object([
        maybe(
            "grant_type",
            words(["password"]).description(Some("The same if it is absent.")),
        ),
        always(
            "username",
            text().description(Some("A user name or an e-mail address.")),
        ),
        always("password", password()),
    ]);
    let with_token = object([
        always("grant_type", words(["refresh_token"])),
        always("refresh_token", text()),
    ]);
    vec![
        (
            "Registration",
            object([
                always("email", email()),
                always("password", new_password()),
                maybe("username", username()),
            ])
            .into(),
        ),
        ("Login", any_of([by_email.into(), by_name.into()])),
        ("TokenRequest", any_of([with_password.into(), with_token.into()])),
        ("RefreshRequest", object([always("refresh_token", text())]).into()),
        (
            "PasswordChange",
            object([
                always("current_password", current_password()),
                always("new_password", new_password()),
            ])
            .into(),
        ),
        (
            "Confirmation",
            object([always("password", current_password())]).into(),
        ),
    ]
}

fn answered() -> Vec<Named> {
    let kinds = EventKind::ALL.iter().map(|kind| format!("`{}`", kind.as_str()));
    let kinds = format!("{}; there may be more.", kinds.collect::<Vec<_>>().join(", "));
    let agent = || text_or_null().max_length(Some(USER_AGENT_MAX_CHARS));
    vec![
        (
            "User",
            object([
                always("id", id()),
                always("username", text()),
                always("email", text()),
                always("created_at", time()),
                always("updated_at", time()),
            ])
            .into(),
        ),
        (
            "Grant",
            object([
                always(
                    "access_token",
                    text().description(Some("For `Authorization: Bearer …`.")),
                ),
                always("token_type", words(["bearer"])),
                always("expires_in", integer(1).description(Some("Seconds."))),
                always("refresh_token", text().description(Some("Good for one use."))),
                always(
                    "user_id",
                    text()
                        .pattern(Some("^[1-9][0-9]*$"))
                        .description(Some("For the paths.")),
                ),
                always("username", text()),
                always("email", text()),
                always("user", crate::describe::schema("User")),
            ])
            .into(),
        ),
        (
            "Session",
            object([
                always("id", uuid()),
                always("created_at", time()),
                always("last_used_at", time()),
                always("expires_at", time()),
                always("user_agent", agent()),
                always(
                    "current",
                    flag().description(Some("Whether it is the one of the token.")),
                ),
            ])
            .into(),
        ),
        (
            "SessionEnded",
            object([always("message", text()), always("id", uuid())]).into(),
        ),
        (
            "SecurityEvent",
            object([
                always("id", uuid()),
                always("kind", text().description(Some(kinds))),
                always("at", time()),
                always("address", text_or_null()),
                always("user_agent", agent()),
                always("session_id", text_or_null().format(Some(custom("uuid")))),
            ])
            .into(),
        ),
        (
            "Export",
            object([
                always("user", crate::describe::schema("User")),
                always("sessions", list(crate::describe::schema("Session"))),
                always("tasks", list(crate::describe::schema("Task"))),
                always("deleted_tasks", list(crate::describe::schema("DeletedTask"))),
                always("events", list(crate::describe::schema("SecurityEvent"))),
            ])
            .into(),
        ),
    ]
}

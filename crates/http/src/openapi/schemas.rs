//! The shapes of what is sent and answered. Their bounds are those of the domain.

mod accounts;
mod tasks;

use utoipa::openapi::{RefOr, Schema};

use crate::describe::schema;
use crate::describe::schema::{always, between, list, maybe, object, text, words};
use crate::problem::Code;

pub(super) type Named = (&'static str, RefOr<Schema>);

/// Every shape by its name.
pub(super) fn all() -> Vec<Named> {
    let mut all = tasks::all();
    all.extend(accounts::all());
    all.extend([
        ("Problem", problem().into()),
        ("Fault", fault().into()),
        ("Message", object([always("message", text())]).into()),
        (
            "Done",
            object([always("message", text()), always("id", schema::id())])
                .description(Some("What was done, and to what."))
                .into(),
        ),
        (
            "Status",
            object([always("status", words(["ok", "ready"]))]).into(),
        ),
        (
            "Welcome",
            object([
                always("message", text()),
                always("version", text()),
                always(
                    "links",
                    object([]).additional_properties(Some(RefOr::<Schema>::from(text()))),
                ),
            ])
            .into(),
        ),
    ]);
    all
}

fn problem() -> utoipa::openapi::ObjectBuilder {
    let codes = words(Code::ALL.iter().map(|code| code.slug()));
    let oauth = ["invalid_request", "invalid_grant", "unsupported_grant_type"];
    object([
        always(
            "type",
            text().description(Some("`/problems/` and the code; that address explains it.")),
        ),
        always(
            "title",
            text().description(Some("The same for every occurrence.")),
        ),
        always("status", between(400, 599)),
        always("detail", text().description(Some("One sentence for people."))),
        always("code", codes.description(Some("What a program goes by."))),
        maybe(
            "errors",
            list(crate::describe::schema("Fault")).description(Some("With 422: every fault.")),
        ),
        maybe(
            "error",
            words(oauth).description(Some("Of the token endpoint alone: RFC 6749, section 5.2.")),
        ),
        always(
            "request_id",
            text().description(Some("The same as `X-Request-Id`.")),
        ),
    ])
    .description(Some("An error (RFC 9457)."))
}

fn fault() -> utoipa::openapi::ObjectBuilder {
    object([
        maybe(
            "pointer",
            text().description(Some("Where in the body, as RFC 6901 writes it: `#/title`.")),
        ),
        maybe(
            "parameter",
            text().description(Some("Which parameter of the query.")),
        ),
        maybe("header", text().description(Some("Which header."))),
        always("code", text()),
        always("detail", text()),
    ])
    .description(Some(
        "One fault of a request, with its place: one of pointer, parameter and header.",
    ))
}

//! The headers of answers.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{Header, ObjectBuilder};

use crate::describe::schema::{integer, text, words};

/// Every header that the document names, by its name.
pub(super) fn all() -> Vec<(&'static str, Header)> {
    vec![
        header(
            "X-Request-Id",
            "Names this request in the log.",
            text(),
            "0198f3a0-0000-7000-8000-000000000003",
        ),
        header(
            "ETag",
            "The version, for `If-None-Match` and `If-Match`.",
            text(),
            "\"1\"",
        ),
        header("Location", "Where the task is.", text(), "/api/1/tasks/1"),
        header(
            "Link",
            "Leads to the next page; absent on the last.",
            text(),
            "</api/1/tasks?limit=100&cursor=AQ>; rel=\"next\"",
        ),
        header(
            "X-Total-Count",
            "How many match, if `count=true` was asked for.",
            integer(0),
            1,
        ),
        header(
            "Idempotency-Replayed",
            "`true` if the request was done before with this key, and this is the answer of then.",
            words(["true"]),
            "true",
        ),
        header("Cache-Control", "Who may keep the answer.", text(), "no-store"),
        header(
            "WWW-Authenticate",
            "How to say who one is (RFC 6750).",
            text(),
            "Bearer realm=\"errand\"",
        ),
        header(
            "Retry-After",
            "After how many seconds to try again.",
            integer(1),
            2,
        ),
        header(
            "RateLimit",
            "The limit that was met: its name, what is left, and for how many seconds.",
            text(),
            "\"sign-in-account\";r=0;t=52",
        ),
        header(
            "RateLimit-Policy",
            "The same limit: how much is allowed in how many seconds.",
            text(),
            "\"sign-in-account\";q=10;w=600",
        ),
    ]
}

fn header(
    name: &'static str,
    description: &str,
    schema: ObjectBuilder,
    example: impl Into<serde_json::Value>,
) -> (&'static str, Header) {
    let header = HeaderBuilder::new()
        .description(Some(description))
        .schema(Some(schema))
        .example(Some(example.into()))
        .build();
    (name, header)
}

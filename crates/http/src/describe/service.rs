//! Routes about the service itself.

use serde_json::{Value, json};

use super::schema::text;
use super::{Description, content, describe, json, schema, tag};
use crate::problem::Code;

pub(crate) fn welcome() -> Description {
    let example = json!({
        "message": "Welcome to the Todo API", "version": env!("CARGO_PKG_VERSION"),
        "links": {
            "register": "/api/auth/register", "login": "/api/auth/login", "tasks": "/api/{user_id}/tasks",
            "health": "/health", "ready": "/health/ready",
        },
    });
    describe("welcome", tag::SERVICE, "What this is")
        .text("A greeting, the version, and where to go on.")
        .answer(200, json("The greeting.", schema("Welcome"), example))
}

pub(crate) fn live() -> Description {
    describe("getLiveness", tag::SERVICE, "Does the process answer?")
        .text("Never touches the database.")
        .answer(200, json("It does.", schema("Status"), json!({"status": "ok"})))
}

pub(crate) fn ready() -> Description {
    let deep = super::schema::query(
        "deep",
        "`1` or `true` asks the database, at most once in ten seconds. Otherwise the answer is what the last \
         requests have seen, and a database that sleeps is not woken. Anything else is as if it were absent.",
        text(),
    );
    describe("getReadiness", tag::SERVICE, "Can requests be sent here?")
        .query([deep.build()])
        .answer(
            200,
            json("They can.", schema("Status"), json!({"status": "ready"})),
        )
        .codes(&[Code::NotReady])
}

pub(crate) fn problem() -> Description {
    let example = "404 – Task not found\ntask-not-found\n\nThis user has no task with this id. It may have been \
                   deleted.\n\nWhat to do: Read the list again.\n";
    describe("explainProblem", tag::SERVICE, "What a problem means")
        .text("The `type` of a problem is this address.")
        .answer(
            200,
            content(
                "What it means, and what a client can do about it.",
                "text/plain",
                text(),
                example.into(),
            )
            .headers(&["Cache-Control"]),
        )
        .codes(&[Code::NotFound])
}

pub(crate) fn openapi() -> Description {
    let document = super::schema::object([]);
    describe("getOpenApi", tag::SERVICE, "This document")
        .text("Also printed by `errand openapi`.")
        .headers(&["If-None-Match"])
        .answer(
            200,
            json("The document, OpenAPI 3.1.", document, Value::Null).headers(&["ETag", "Cache-Control"]),
        )
        .or_not_modified()
        .codes(&[Code::BadRequest])
}

pub(crate) fn docs() -> Description {
    describe(
        "getReference",
        tag::SERVICE,
        "This document to read and to try out",
    )
    .text("A page for browsers. It needs nothing from the internet.")
    .answer(
        200,
        content("The page.", "text/html", text(), Value::Null).headers(&["Cache-Control"]),
    )
}

pub(crate) fn docs_file() -> Description {
    let css = content("The file.", "text/css", text(), Value::Null);
    let script = utoipa::openapi::Content::new(Some(text()));
    let mut file = css.headers(&["ETag", "Cache-Control"]);
    file.response = file.response.content("text/javascript", script);
    describe("getReferenceFile", tag::SERVICE, "What the page is made of")
        .headers(&["If-None-Match"])
        .answer(200, file)
        .or_not_modified()
        .codes(&[Code::NotFound, Code::BadRequest])
}

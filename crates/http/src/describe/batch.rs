//! Many tasks at once: operations done together, and changes to follow.

use errand_application::tasks::BATCH_MAX;
use serde_json::json;

use super::samples;
use super::schema::{custom, query, text};
use super::tasks::limit;
use super::{Description, describe, json, schema, tag};
use crate::body::BATCH_BYTES_MAX;
use crate::problem::Code;

pub(crate) fn batch() -> Description {
    describe("runBatch", tag::TASKS, "Do many things at once")
        .text(format!(
            "At most {BATCH_MAX} operations, in order, all or none. A fault names its operation: \
             `#/operations/3/task/title`."
        ))
        .headers(&["Idempotency-Key"])
        .body("Batch", BATCH_BYTES_MAX, samples::operations())
        .answer(
            200,
            json(
                "What each would have answered alone.",
                schema("BatchResults"),
                samples::results(),
            )
            .headers(&["Idempotency-Replayed"]),
        )
        .codes(&[Code::QuotaExceeded, Code::IdempotencyKeyReused, Code::TooManyKeys])
}

pub(crate) fn changes() -> Description {
    let since = query(
        "since",
        "The `cursor` of the page before; without it, from the beginning.",
        text().min_length(Some(1)).format(Some(custom("cursor"))),
    );
    let example = json!({
        "changes": [{"type": "delete", "id": 1}], "cursor": "AQAAAAAAAAAE", "has_more": false,
    });
    let next = [
        ("user_id", "$request.path.user_id"),
        ("since", "$response.body#/cursor"),
    ];
    describe("listChanges", tag::TASKS, "Follow the changes")
        .text(
            "Apply the pages in order, ask on from `cursor` at once while `has_more`, and later from time to time: a \
             replica that does so ends up equal to the server. After `cursor-expired` drop the replica and begin \
             anew.",
        )
        .query([since.build(), limit()])
        .answer(
            200,
            json("A page of changes.", schema("Changes"), example).link("listChanges", &next),
        )
        .codes(&[Code::CursorExpired])
}

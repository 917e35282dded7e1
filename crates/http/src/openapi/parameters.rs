//! The parameters that several routes have: segments of paths and headers of requests.

use errand_domain::idempotency::KEY_MAX_CHARS;
use utoipa::openapi::path::Parameter;

use crate::describe::schema::{custom, id, request_header, segment, text, uuid, words};
use crate::problem::{Code, IDEMPOTENCY_KEY};
use crate::reference;

/// All of them, by their names.
pub(super) fn all() -> Vec<(&'static str, Parameter)> {
    let codes = words(Code::ALL.iter().map(|code| code.slug()));
    let key = text()
        .min_length(Some(1))
        .max_length(Some(KEY_MAX_CHARS))
        .pattern(Some("^[!-~]+$"));
    let tags = || text().format(Some(custom("entity-tags")));
    vec![
        ("user_id", segment("user_id", "The user of the token.", id())),
        ("id", segment("id", "The task.", id())),
        ("session_id", segment("session_id", "The session.", uuid())),
        ("code", segment("code", "The `code` of a problem.", codes)),
        ("file", segment("file", "The file.", words(reference::names()))),
        (
            "If-Match",
            request_header(
                "If-Match",
                "Do it only if the task still has one of these versions (its `ETag`); otherwise 412.",
                tags(),
                "\"1\"",
            ),
        ),
        (
            "If-None-Match",
            request_header(
                "If-None-Match",
                "What the client has (`ETag`); if it is still good, 304 and no body.",
                tags(),
                "\"1\"",
            ),
        ),
        (
            IDEMPOTENCY_KEY,
            request_header(
                IDEMPOTENCY_KEY,
                "A new name for each request. The same request with the same name is done once, within 24 hours at \
                 least, and answered alike; another request with it is 422.",
                key,
                "3f2c8a51-7f0e-4b61-9b0c-5d7c5d1e0a77",
            ),
        ),
    ]
}

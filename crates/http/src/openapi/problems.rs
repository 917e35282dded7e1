//! The answers that tell of problems.

use std::collections::BTreeMap;

use errand_application::{AppError, Limited};
use errand_domain::FieldFault;
use errand_domain::task::Title;
use serde_json::Value;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::describe;
use crate::problem::{Code, Invalid, Problem};

const REQUEST_ID: &str = "0198f3a0-0000-7000-8000-000000000003";

/// An answer for each status, with its codes as examples. Of those that many routes have only a reference.
pub(super) fn responses(codes: &BTreeMap<u16, Vec<Code>>) -> impl Iterator<Item = (String, RefOr<Response>)> {
    codes.iter().map(|(status, codes)| {
        let response = match codes.as_slice() {
            [one] if SHARED.contains(one) => RefOr::Ref(Ref::from_response_name(one.slug())),
            codes => RefOr::T(response(*status, codes)),
        };
        (status.to_string(), response)
    })
}

/// The codes that many routes have, each alone with its status.
const SHARED: [Code; 9] = [
    Code::InvalidToken,
    Code::WrongUser,
    Code::TaskNotFound,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UriTooLong,
    Code::UnsupportedMediaType,
    Code::HeadersTooLarge,
    Code::InternalError,
];

/// The answers that are referred to.
pub(super) fn shared() -> impl Iterator<Item = (&'static str, Response)> {
    let codes = SHARED.iter();
    codes.map(|code| (code.slug(), response(code.status().as_u16(), &[*code])))
}

fn response(status: u16, codes: &[Code]) -> Response {
    let lines = codes
        .iter()
        .map(|code| format!("- `{}`: {}", code.slug(), code.title()));
    let examples = codes.iter().map(|code| {
        let example = Ref::new(format!("#/components/examples/{}", code.slug()));
        (code.slug(), RefOr::<Example>::Ref(example))
    });
    let content = ContentBuilder::new()
        .schema(Some(describe::schema("Problem")))
        .examples_from_iter(examples)
        .build();
    let response = ResponseBuilder::new()
        .description(lines.collect::<Vec<_>>().join("\n"))
        .content("application/problem+json", content);
    let headers = headers(status).iter().chain(&["X-Request-Id"]);
    headers
        .fold(response, |response, name| {
            response.header_ref(*name, describe::header(name))
        })
        .build()
}

/// What else comes with a status.
fn headers(status: u16) -> &'static [&'static str] {
    match status {
        401 => &["WWW-Authenticate"],
        429 => &["Retry-After", "RateLimit", "RateLimit-Policy"],
        503 => &["Retry-After"],
        _ => &[],
    }
}

/// A problem of this code, as errand writes it.
pub(super) fn example(code: Code) -> Example {
    let document = sample(code).document(REQUEST_ID, false);
    let value: Option<Value> = serde_json::from_slice(&document).ok();
    ExampleBuilder::new()
        .summary(code.title())
        .description(code.explanation())
        .value(value)
        .build()
}

fn sample(code: Code) -> Problem {
    let limited = || Limited {
        policy: "sign-in-account",
        burst: 10,
        window: std::time::Duration::from_mins(10),
        wait: std::time::Duration::from_secs(52),
    };
    match code {
        Code::ValidationFailed => {
            let fault = Title::parse("").err();
            let faults = fault.map(|fault| Invalid::from(FieldFault::new("title", fault)));
            Problem::invalid(faults.into_iter().collect())
        }
        Code::IdempotencyKeyReused => AppError::IdempotencyKeyReused.into(),
        Code::QuotaExceeded => AppError::TooManyTasks { most: 10_000 }.into(),
        Code::TooManyAttempts => AppError::Limited(limited()).into(),
        Code::TooManyKeys => AppError::TooManyKeys(limited()).into(),
        code => Problem::new(code),
    }
}

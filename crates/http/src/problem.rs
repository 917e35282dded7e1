//! Errors on the wire: RFC 9457, one shape for all of them.
//!
//! Handlers and the middleware before them fail with a [`Problem`]; the outermost middleware writes it, and
//! writes one for every error of the framework too. Nothing else makes the body of an error.

mod code;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use errand_application::ports::BoxError;
use errand_application::{AppError, Limited};
use errand_domain::{Fault, FieldFault};
use serde::Serialize;

pub use code::Code;

/// The header that a client names a request by.
pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// `WWW-Authenticate` when no token was sent (RFC 6750 section 3).
const CHALLENGE: &str = r#"Bearer realm="errand""#;
/// `WWW-Authenticate` when a token was sent and refused. Never says why.
const CHALLENGE_INVALID: &str = r#"Bearer realm="errand", error="invalid_token""#;
/// Seconds after which an overloaded or unreachable part has had a chance to recover.
const RETRY_AFTER: &str = "2";
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The most faults that one problem lists. No honest body has more.
const FAULTS_MAX: usize = 250;
/// The most faults that `detail` puts into words.
const FAULTS_TOLD: usize = 10;

/// An error with everything that its answer needs.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<Invalid>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<BoxError>,
}

/// One fault of a request, with its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    place: Place,
    fault: Fault,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A member of the body by its name, `tags/3` for an element; empty for the body itself.
    Body(Cow<'static, str>),
    /// A query parameter.
    Parameter(String),
    /// A header.
    Header(&'static str),
}

impl Invalid {
    /// A fault of a query parameter.
    pub fn parameter(name: impl Into<String>, fault: Fault) -> Self {
        Self {
            place: Place::Parameter(name.into()),
            fault,
        }
    }

    /// A fault of a header.
    pub fn header(name: &'static str, fault: Fault) -> Self {
        Self {
            place: Place::Header(name),
            fault,
        }
    }

    /// A fault of the body as a whole.
    pub fn body(fault: Fault) -> Self {
        Self::from(FieldFault::new("", fault))
    }

    fn subject(&self) -> Cow<'_, str> {
        match &self.place {
            Place::Body(field) if field.is_empty() => "the body".into(),
            Place::Body(field) => spoken(field),
            Place::Parameter(name) => name.as_str().into(),
            Place::Header(name) => (*name).into(),
        }
    }
}

/// `operations[3].task.title` for `operations/3/task/title`.
fn spoken(field: &str) -> Cow<'_, str> {
    let mut steps = field.split('/');
    let first = steps.next().unwrap_or_default();
    steps.fold(first.into(), |name, step| {
        let is_index = step.bytes().all(|byte| byte.is_ascii_digit());
        if is_index {
            format!("{name}[{step}]").into()
        } else {
            format!("{name}.{step}").into()
        }
    })
}

impl From<FieldFault> for Invalid {
    fn from(fault: FieldFault) -> Self {
        Self {
            place: Place::Body(fault.field),
            fault: fault.fault,
        }
    }
}

impl Problem {
    /// A problem with the words and headers that its code always has.
    pub fn new(code: Code) -> Self {
        let problem = Self {
            code,
            detail: code.detail().into(),
            errors: Vec::new(),
            headers: Vec::new(),
            source: None,
        };
        match code.status() {
            StatusCode::UNAUTHORIZED => {
                problem.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE))
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                problem.with_header(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER))
            }
            _ => problem,
        }
    }

    /// 422 with these faults.
    pub fn invalid(mut errors: Vec<Invalid>) -> Self {
        errors.truncate(FAULTS_MAX);
        let told = errors.iter().take(FAULTS_TOLD);
        let mut told: Vec<_> = told
            .map(|e| format!("{} {}", e.subject(), e.fault.detail))
            .collect();
        if let Some(more) = errors.len().checked_sub(FAULTS_TOLD).filter(|n| *n > 0) {
            told.push(format!("and {more} more"));
        }
        let detail = told.join("; ");
        let problem = Self::new(Code::ValidationFailed);
        Self {
            errors,
            ..problem.with_detail(detail)
        }
    }

    /// A token was sent and is not good.
    pub(crate) fn refused_token() -> Self {
        let mut problem = Self::new(Code::InvalidToken);
        problem.headers.clear();
        problem.with_header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(CHALLENGE_INVALID),
        )
    }

    /// Too many attempts of a kind, with what the client may know of the limit
    /// (draft-ietf-httpapi-ratelimit-headers-10).
    fn limited(code: Code, limited: &Limited) -> Self {
        let Limited {
            policy,
            burst,
            window,
            wait,
        } = limited;
        let wait = seconds(*wait).max(1);
        let detail = format!("{}; please try again in {wait} seconds", code.title());
        Self::new(code)
            .with_detail(detail)
            .with_text(header::RETRY_AFTER, &wait.to_string())
            .with_text(RATE_LIMIT, &format!("\"{policy}\";r=0;t={wait}"))
            .with_text(
                RATE_LIMIT_POLICY,
                &format!("\"{policy}\";q={burst};w={}", seconds(*window)),
            )
    }

    /// As many requests of the user are under way as may be.
    pub(crate) fn too_many_requests(most: usize) -> Self {
        Self::new(Code::TooManyRequests)
            .with_text(header::RETRY_AFTER, "1")
            .with_text(RATE_LIMIT, "\"requests\";r=0;t=1")
            .with_text(
                RATE_LIMIT_POLICY,
                &format!("\"requests\";q={most};qu=\"concurrent-requests\""),
            )
    }

    fn too_many_tasks(most: u32) -> Self {
        let fault = Fault::new(
            "too-many-tasks",
            format!("cannot be kept: there are {most} tasks already, the most that one user may have"),
        );
        let invalid = Invalid::body(fault);
        let detail =
            format!("There are {most} tasks already, the most that one user may have; delete some first");
        Self {
            errors: vec![invalid],
            ..Self::new(Code::QuotaExceeded).with_detail(detail)
        }
    }

    fn with_text(self, name: HeaderName, text: &str) -> Self {
        // Names, numbers and quotes: always a header.
        match HeaderValue::from_str(text) {
            Ok(value) => self.with_header(name, value),
            Err(_) => self,
        }
    }

    /// A defect; `source` is for the log only.
    pub(crate) fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(Code::InternalError).caused_by(source.into())
    }

    /// With words about this occurrence. They must never come from a parser or a database.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }

    /// With another header.
    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Which kind of problem it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What it was caused by, for the log.
    pub(crate) fn source(&self) -> Option<&BoxError> {
        self.source.as_ref()
    }

    fn caused_by(self, source: BoxError) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

    /// The document. `oauth` adds the member that RFC 6749 section 5.2 asks for.
    pub(crate) fn document(&self, request_id: &str, oauth: bool) -> Vec<u8> {
        let document = Document {
            kind: format!("/problems/{}", self.code.slug()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.slug(),
            error: self.code.oauth().filter(|_| oauth),
            errors: self.errors.iter().map(Entry::from).collect(),
            request_id,
        };
        // Strings and numbers only: there is nothing that could fail.
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Entry<'a>>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'a str>,
    code: &'a str,
    detail: &'a str,
}

impl<'a> From<&'a Invalid> for Entry<'a> {
    fn from(invalid: &'a Invalid) -> Self {
        let (pointer, parameter, header) = match &invalid.place {
            Place::Body(field) if field.is_empty() => (Some("#".to_owned()), None, None),
            Place::Body(field) => (Some(format!("#/{field}")), None, None),
            Place::Parameter(name) => (None, Some(name.as_str()), None),
            Place::Header(name) => (None, None, Some(*name)),
        };
        Self {
            pointer,
            parameter,
            header,
            code: invalid.fault.code,
            detail: &invalid.fault.detail,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.slug(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// Status and headers; the outermost middleware adds the document.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        for (name, value) in &self.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Invalid(faults) => Self::invalid(faults.into_iter().map(Invalid::from).collect()),
            AppError::EmailTaken => Self::new(Code::EmailTaken),
            AppError::UsernameTaken => Self::new(Code::UsernameTaken),
            AppError::BadCredentials => Self::new(Code::BadCredentials),
            AppError::WrongPassword => Self::new(Code::WrongPassword),
            AppError::InvalidToken => Self::refused_token(),
            AppError::InvalidRefreshToken => Self::new(Code::InvalidRefreshToken),
            AppError::WrongUser => Self::new(Code::WrongUser),
            AppError::TaskNotFound => Self::new(Code::TaskNotFound),
            AppError::Stale => Self::new(Code::PreconditionFailed),
            AppError::IdempotencyKeyReused => {
                let fault = Fault::new("reused", "was sent with another request");
                Self {
                    errors: vec![Invalid::header(IDEMPOTENCY_KEY, fault)],
                    ..Self::new(Code::IdempotencyKeyReused)
                }
            }
            AppError::SessionNotFound => Self::new(Code::SessionNotFound),
            AppError::CursorExpired => Self::new(Code::CursorExpired),
            AppError::Limited(limited) => Self::limited(Code::TooManyAttempts, &limited),
            AppError::TooManyKeys(limited) => Self::limited(Code::TooManyKeys, &limited),
            AppError::TooManyTasks { most } => Self::too_many_tasks(most),
            AppError::Overloaded => Self::new(Code::Overloaded),
            AppError::Unavailable(source) => Self::new(Code::Unavailable).caused_by(source),
            AppError::Internal(source) => Self::internal(source),
        }
    }
}

/// Whole seconds, rounded up: who waits so long is not too early.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;

//! The outermost layer: gives every request its id, and every answer the headers that all answers have. It is
//! the one place that writes the body of an error.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_cors::CorsError;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage, HttpResponse};
use uuid::Builder;

use crate::context::Services;
use crate::context::{Access, Matched, TOKEN};
use crate::drain::Draining;
use crate::origin::{is_secure, trusted};
use crate::problem::{Code, Problem};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The most characters of a client's own request id.
const REQUEST_ID_MAX: usize = 128;

/// The same in the log, in the header and in a problem.
#[derive(Clone)]
pub(crate) struct RequestId(HeaderValue);

/// When a request came in.
#[derive(Clone, Copy)]
pub(crate) struct Started(pub(crate) Instant);

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The client's id if it is harmless, else a new one.
    fn of(req: &ServiceRequest) -> Self {
        let sent = req.headers().get(X_REQUEST_ID).filter(|value| {
            let harmless = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
            (1..=REQUEST_ID_MAX).contains(&value.len()) && value.as_bytes().iter().all(harmless)
        });
        let made = || req.app_data::<Data<Services>>().map(|services| new_id(services));
        let id = sent.cloned().or_else(made);
        Self(id.unwrap_or_else(|| HeaderValue::from_static("-")))
    }
}

/// A `UUIDv7`.
fn new_id(services: &Services) -> HeaderValue {
    let millis = u64::try_from(services.clock.now().micros() / 1000).unwrap_or_default();
    let mut random = [0; 10];
    random.copy_from_slice(services.entropy.bytes().split_at(10).0);
    let id = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    HeaderValue::try_from(id.to_string()).unwrap_or(HeaderValue::from_static("-"))
}

/// What is needed to finish an answer.
struct Asked {
    id: RequestId,
    head: bool,
    /// Whether the client came by TLS.
    secure: bool,
    matched: Option<Matched>,
}

pub(crate) async fn edge(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = RequestId::of(&req);
    req.extensions_mut().insert(id.clone());
    req.extensions_mut().insert(Started(Instant::now()));
    let head = req.method() == Method::HEAD;
    let trusted = trusted(req.app_data());
    let secure = is_secure(req.peer_addr(), req.headers(), trusted);
    match next.call(req).await {
        Ok(answer) => {
            let (req, response) = answer.into_parts();
            let matched = req.extensions().get::<Matched>().copied();
            let mut response = finish(
                &Asked {
                    id,
                    head,
                    secure,
                    matched,
                },
                response.map_into_boxed_body(),
            );
            if Draining::has_begun(&req) {
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            Ok(ServiceResponse::new(req, response))
        }
        // Handlers and gates answer; only a layer of the framework could still fail.
        Err(mut error) => {
            let matched = None;
            error.add_response_mapper(move |response| {
                let id = id.clone();
                finish(
                    &Asked {
                        id,
                        head,
                        secure,
                        matched,
                    },
                    response,
                )
            });
            Err(error)
        }
    }
}

fn finish(asked: &Asked, response: HttpResponse) -> HttpResponse {
    let mut response = if response.status().as_u16() >= 400 {
        with_document(asked, response)
    } else {
        response
    };
    let failed = response.status().as_u16() >= 400;
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, asked.id.0.clone());
    secure(headers);
    if asked.secure {
        // Ignored by browsers over plain HTTP, and a promise that only a proxy with TLS can keep (RFC 6797).
        let a_year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, a_year);
    }
    cache(headers, asked.matched, failed);
    if asked.head {
        response.map_body(|_, body| BoxBody::new(Headless(body.size())))
    } else {
        response
    }
}

fn with_document(asked: &Asked, mut response: HttpResponse) -> HttpResponse {
    let oauth = asked.matched.is_some_and(|matched| matched.path == TOKEN);
    let error = response.error();
    let own = error.and_then(Error::as_error::<Problem>);
    let (code, document) = if let Some(problem) = own {
        (problem.code(), problem.document(asked.id.as_str(), oauth))
    } else {
        let rejected = error.is_some_and(|error| error.as_error::<CorsError>().is_some());
        let code = if rejected {
            Code::CorsRejected
        } else {
            Code::for_status(response.status())
        };
        (code, Problem::new(code).document(asked.id.as_str(), oauth))
    };
    *response.status_mut() = code.status();
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    if matches!(
        code.status(),
        StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE
    ) {
        // The rest of the body is not waited for.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response.set_body(BoxBody::new(Bytes::from(document)))
}

/// Answers are data: nothing in one may run, be framed or be guessed at. The one page has a policy of its own.
fn secure(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// A tenant's data may be kept by that tenant's browser if it asks before each use; everything else that says
/// nothing of its own is not kept at all.
fn cache(headers: &mut HeaderMap, matched: Option<Matched>, failed: bool) {
    let private = matched.is_some_and(|matched| matched.access != Access::Public);
    headers.append(header::VARY, HeaderValue::from_static("Authorization"));
    if failed || !headers.contains_key(header::CACHE_CONTROL) {
        let value = if private && !failed {
            "private, no-cache"
        } else {
            "no-store"
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    }
}

/// The size of a body without the body: the answer to HEAD.
struct Headless(BodySize);

impl MessageBody for Headless {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

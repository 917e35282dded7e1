//! One line per request, and one more for a cause that only the operator may see.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::{Error, HttpMessage};
use errand_application::Actor;
use errand_application::ports::BoxError;
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;

use super::RequestId;
use super::edge::Started;
use crate::context::Matched;
use crate::problem::Problem;

/// Logs nothing that a client wrote but its request id: no path beyond the route, no query, no header, no body.
pub(crate) struct RequestLog;

impl RootSpanBuilder for RequestLog {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let extensions = request.extensions();
        let id = extensions.get::<RequestId>().map(RequestId::as_str);
        tracing::info_span!("request", request_id = id)
    }

    fn on_request_end<B: MessageBody>(_: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let (error, status) = match outcome {
            Ok(response) => (response.response().error(), response.status()),
            Err(error) => (Some(error), error.as_response_error().status_code()),
        };
        let cause = error
            .and_then(Error::as_error::<Problem>)
            .and_then(Problem::source);
        let Ok(response) = outcome else {
            tracing::error!(status = status.as_u16(), "request failed outside its route");
            return;
        };
        let extensions = response.request().extensions();
        let request_id = extensions.get::<RequestId>().map(RequestId::as_str);
        if let Some(cause) = cause {
            tracing::error!(request_id, error = chain(cause), "cause of a failed request");
        }
        let started = extensions.get::<Started>();
        tracing::info!(
            request_id,
            method = known(response.request().method()),
            route = extensions.get::<Matched>().map_or("-", |matched| matched.path),
            status = status.as_u16(),
            duration_ms = started.map(|started| milliseconds(started.0.elapsed())),
            user_id = extensions.get::<Actor>().map(|actor| actor.user().0),
            "request"
        );
    }
}

/// With three decimals: microseconds.
fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// Anybody can make up methods.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

fn chain(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

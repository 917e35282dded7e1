//! The application and the server that runs it.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, Error, HttpServer};
use tracing_actix_web::TracingLogger;
use url::Url;

use crate::context::{KEEP_ALIVE, Services, Settings};
use crate::drain::Draining;
use crate::middleware::{RequestLog, edge};
use crate::openapi::openapi_json;
use crate::reference::Document;
use crate::routes;

/// How long a closing connection may take to read what it is still sent. Must not be zero: only then is a body
/// that nobody read drained, and the answer before it not lost to a reset.
const DISCONNECT: Duration = Duration::from_secs(3);
/// How long a browser may remember the answer to a preflight, in seconds.
const PREFLIGHT_MAX_AGE: usize = 3600;

/// Serves on `listener` until `shutdown` completes, and for the time that it gives: readiness is then refused and
/// connections are closed after their next answer, so that balancers and clients turn away before anything is
/// refused. Then lets requests in progress finish.
pub async fn serve(
    listener: TcpListener,
    services: Services,
    settings: Settings,
    shutdown: impl Future<Output = Duration> + Send + 'static,
) -> io::Result<()> {
    for origin in &settings.cors_origins {
        check_origin(origin)?;
    }
    // In whole seconds, never less than was asked for.
    let stop_within = settings.shutdown_timeout;
    let stop_within = stop_within.as_secs() + u64::from(stop_within.subsec_nanos() > 0);
    let (head_timeout, workers) = (settings.head_timeout, settings.workers);
    let draining = Draining::default();
    let begun = draining.clone();
    let drained = async move {
        let time = shutdown.await;
        begun.begin();
        tokio::time::sleep(time).await;
    };
    let mut server = HttpServer::new(move || app(&services, &settings).app_data(draining.clone()))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(head_timeout)
        .client_disconnect_timeout(DISCONNECT)
        .tcp_nodelay(true)
        .shutdown_timeout(stop_within)
        .shutdown_signal(drained);
    if let Some(workers) = workers {
        server = server.workers(workers.max(1));
    }
    server.listen(listener)?.run().await
}

/// The whole application, without a server around it.
pub fn app(
    services: &Services,
    settings: &Settings,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let services = Data::new(services.clone());
    // The last one wraps all before it.
    App::new()
        .app_data(services.clone())
        .app_data(Data::new(settings.clone()))
        .app_data(Data::new(Document::new(openapi_json())))
        .configure(|config| routes::register(config, &services))
        .default_service(web::to(routes::unknown_path))
        .wrap(cors(&settings.cors_origins))
        .wrap(TracingLogger::<RequestLog>::new())
        .wrap(from_fn(edge))
}

/// Pages of the listed origins may do everything that a client may. Credentials are allowed because front ends
/// send their requests that way; the service has no cookies that could be misused.
fn cors(origins: &[String]) -> Cors {
    let exposed = [
        "etag",
        "link",
        "location",
        "x-total-count",
        "x-request-id",
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        "idempotency-replayed",
        "www-authenticate",
    ];
    let allowed = [
        "authorization",
        "content-type",
        "accept",
        "if-match",
        "if-none-match",
        "idempotency-key",
        "x-request-id",
    ];
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers(allowed.map(HeaderName::from_static))
        .expose_headers(exposed.map(HeaderName::from_static))
        .supports_credentials()
        .max_age(PREFLIGHT_MAX_AGE);
    origins
        .iter()
        .fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// An origin as a browser sends it: scheme, host and perhaps a port, nothing else.
fn check_origin(origin: &str) -> io::Result<()> {
    let url = Url::parse(origin).ok();
    let same = url.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == origin
    });
    if same && !origin.contains('*') && HeaderValue::from_str(origin).is_ok() {
        return Ok(());
    }
    let message = format!("{origin:?} is not an origin such as https://example.com");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact() {
        for good in [
            "http://localhost:3000",
            "https://todo.example.com",
            "http://[::1]:3000",
        ] {
            assert!(check_origin(good).is_ok(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "",
            "localhost:3000",
            "https://example.com/",
            "https://EXAMPLE.com",
            "https://example.com:443",
            "https://*.example.com",
            "ftp://example.com",
        ] {
            assert!(check_origin(bad).is_err(), "{bad}");
        }
    }
}

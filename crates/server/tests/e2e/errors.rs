//! Errors of the framework and of the transport: every one is a problem.

use errand_testbed::Person;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Backend, Service, on_all, problem};

on_all!(
    unknown_paths_and_wrong_methods,
    ids_that_are_none,
    head_works_where_get_does,
    checks_come_in_order,
    strange_paths_reach_nobody,
    cors_is_an_exact_list,
    every_answer_has_its_headers,
    service_routes,
);

/// Sends raw bytes and gives the raw answer.
async fn raw(service: &Service, request: &str) -> String {
    let address = service.errand.base_url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let reading = async {
        while let Ok(n) = stream.read(&mut chunk).await {
            if n == 0 {
                break;
            }
            answer.extend_from_slice(&chunk[..n]);
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), reading)
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn unknown_paths_and_wrong_methods(backend: Backend) {
    let service = Service::start(backend).await;
    for path in [
        "/nothing",
        "/api",
        "/api/1/nothing",
        "/api/1/tasks/1/nothing",
        "/api/auth/nothing",
        "//",
        "/api/1/tasks//1",
    ] {
        problem(&service.api.request("GET", path).send().await, 404, "not-found");
    }
    for endpoint in errand_http::endpoints() {
        for path in std::iter::once(&endpoint.path).chain(endpoint.aliases) {
            let path = path
                .replace("{user_id}", "1")
                .replace("{id}", "1")
                .replace("{session_id}", "x")
                .replace("{code}", "x");
            for slash in ["", "/"] {
                for method in ["TRACE", "FOO", "CONNECT"] {
                    if method == "CONNECT" || (path == "/" && slash == "/") {
                        continue;
                    }
                    let answer = service
                        .api
                        .request(method, &format!("{path}{slash}"))
                        .send()
                        .await;
                    problem(&answer, 405, "method-not-allowed");
                    let allow = answer.header("allow").unwrap();
                    assert!(allow.split(", ").any(|m| m == endpoint.method), "{path}: {allow}");
                    assert_eq!(allow.contains("GET"), allow.contains("HEAD"), "{path}: {allow}");
                }
            }
        }
    }
    let answer = service
        .api
        .request("POST", "/api/1/tasks/1")
        .header("x-http-method-override", "DELETE")
        .send()
        .await;
    assert_eq!(problem(&answer, 405, "method-not-allowed")["status"], 405);
}

async fn ids_that_are_none(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    for id in [
        "0",
        "01",
        "-1",
        "+1",
        "1.0",
        "1e0",
        "x",
        "9223372036854775808",
        "%31x",
        "%00",
        "%ff",
        "%0d%0aX:1",
        &"9".repeat(2000),
    ] {
        for (method, tail) in [("GET", ""), ("DELETE", ""), ("PATCH", "/complete")] {
            let answer = ann
                .request(&service.api, method, &format!("/tasks/{id}{tail}"))
                .send()
                .await;
            problem(&answer, 404, "task-not-found");
            assert_eq!(answer.header("x"), None);
        }
    }
    let bad = ann.request(&service.api, "GET", "/tasks?q=%zz").send().await;
    assert_eq!(bad.status, 400, "{}", bad.text());
}

async fn head_works_where_get_does(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    ann.request(&service.api, "POST", "/tasks")
        .json(&json!({"title": "a"}))
        .send()
        .await;
    for path in [
        "/",
        "/health",
        "/health/live",
        "/health/ready",
        "/problems/not-found",
        "/api/auth/me",
        "/api/1/tasks",
        "/api/1/tasks/1",
        "/api/1/sessions",
    ] {
        let get = service
            .api
            .request("GET", path)
            .bearer(&ann.access)
            .header("x-request-id", "r")
            .send()
            .await;
        let head = service
            .api
            .request("HEAD", path)
            .bearer(&ann.access)
            .header("x-request-id", "r")
            .send()
            .await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        for name in ["content-type", "etag", "cache-control", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    let missing = service
        .api
        .request("HEAD", "/api/1/tasks/2")
        .bearer(&ann.access)
        .send()
        .await;
    assert_eq!((missing.status, missing.body.len()), (404, 0));
}

async fn checks_come_in_order(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    // Everything is wrong: 401 first.
    let answer = api
        .request("PUT", "/api/2/tasks/99?x=1")
        .raw("{", "text/plain")
        .send()
        .await;
    problem(&answer, 401, "invalid-token");
    // A good token for another path: 403, whatever the body is.
    for path in [
        "/api/2/tasks/99?x=1",
        "/api/01/tasks/1",
        "/api/abc/tasks/1",
        "/api/1%20/tasks/1",
    ] {
        let answer = api
            .request("PUT", path)
            .bearer(&ann.access)
            .raw("{", "text/plain")
            .send()
            .await;
        assert_eq!(
            problem(&answer, 403, "wrong-user")["detail"],
            "Not authorized to access this user's tasks"
        );
    }
    let large = api
        .request("POST", "/api/2/tasks")
        .bearer(&ann.access)
        .raw("x".repeat(300_000), "application/json");
    problem(&large.send().await, 403, "wrong-user");
    // The own path: the request before the row.
    problem(
        &ann.request(api, "PUT", "/tasks/99")
            .raw("{", "text/plain")
            .send()
            .await,
        415,
        "unsupported-media-type",
    );
    problem(
        &ann.request(api, "PUT", "/tasks/99")
            .raw("{", "application/json")
            .send()
            .await,
        400,
        "malformed-json",
    );
    problem(
        &ann.request(api, "PUT", "/tasks/99")
            .json(&json!({"title": ""}))
            .send()
            .await,
        422,
        "validation-failed",
    );
    problem(
        &ann.request(api, "PUT", "/tasks/99")
            .json(&json!({"title": "a"}))
            .send()
            .await,
        404,
        "task-not-found",
    );
    // The body of a request without a token is not waited for.
    let answer = raw(&service, "POST /api/1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

async fn strange_paths_reach_nobody(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let (ann, bob) = (
        Person::register(api, "ann").await,
        Person::register(api, "bob").await,
    );
    bob.request(api, "POST", "/tasks")
        .json(&json!({"title": "bobs secret"}))
        .send()
        .await;
    for path in [
        "/api/1/tasks/../../2/tasks",
        "/api/1/tasks/%2e%2e/%2e%2e/2/tasks",
        "/api/1%2f2/tasks",
        "//api/2/tasks",
        "/api//2/tasks",
        "/api/2%00/tasks",
        "/api/2;/tasks",
        "/api/%32/tasks",
    ] {
        let answer = raw(
            &service,
            &format!(
                "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                ann.access
            ),
        )
        .await;
        assert!(
            !answer.contains("bobs secret")
                && !answer.starts_with("HTTP/1.1 2")
                && !answer.starts_with("HTTP/1.1 5"),
            "{path}: {answer}"
        );
    }
    for name in ["x-user-id", "x-original-url", "x-forwarded-user"] {
        let answer = ann
            .request(api, "GET", "/tasks")
            .header(name, "/api/2/tasks")
            .send()
            .await;
        assert_eq!((answer.status, answer.text()), (200, "[]".to_owned()));
    }
}

async fn cors_is_an_exact_list(backend: Backend) {
    let origins = (
        "CORS_ORIGINS",
        "http://localhost:3000, https://todo.example.com".to_owned(),
    );
    let service = Service::start_with(backend, &[origins]).await;
    let preflight = async |origin: &str| {
        let request = service
            .api
            .request("OPTIONS", "/api/1/tasks")
            .header("origin", origin);
        let request = request.header("access-control-request-method", "PATCH");
        request
            .header("access-control-request-headers", "authorization,content-type")
            .send()
            .await
    };
    for origin in ["http://localhost:3000", "https://todo.example.com"] {
        let answer = preflight(origin).await;
        assert!(answer.status == 200 || answer.status == 204, "{}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert!(
            answer
                .header("access-control-allow-methods")
                .unwrap()
                .contains("PATCH")
        );
        let answer = service
            .api
            .request("GET", "/api/1/tasks")
            .header("origin", origin)
            .send()
            .await;
        problem(&answer, 401, "invalid-token");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(origin),
            "errors too"
        );
        let exposed = answer
            .header("access-control-expose-headers")
            .unwrap()
            .to_lowercase();
        for name in ["etag", "link", "x-total-count", "x-request-id", "retry-after"] {
            assert!(exposed.contains(name), "{name}: {exposed}");
        }
        assert!(
            answer
                .headers
                .iter()
                .any(|(k, v)| k == "vary" && v.to_lowercase().contains("origin"))
        );
    }
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:3000.evil",
        "http://localhost:3001",
        "https://localhost:3000",
        "http://todo.example.com",
    ] {
        let answer = preflight(origin).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        assert!(answer.status < 500);
        let answer = service
            .api
            .request("GET", "/health")
            .header("origin", origin)
            .send()
            .await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
    }
}

async fn every_answer_has_its_headers(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    for (path, cache) in [
        ("/", None),
        ("/nothing", None),
        ("/health", None),
        ("/api/1/tasks", Some("private, no-cache")),
        ("/api/1/tasks/9", Some("no-store")),
        ("/api/2/tasks", None),
        ("/api/auth/me", Some("private, no-cache")),
    ] {
        let answer = api.request("GET", path).bearer(&ann.access).send().await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'none'; frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("server"), None);
        if let Some(cache) = cache {
            assert_eq!(answer.header("cache-control"), Some(cache), "{path}");
        }
        assert!(
            !answer
                .header("cache-control")
                .unwrap_or_default()
                .contains("public")
        );
    }
    for (sent, kept) in [
        ("abc-1._Z", true),
        ("a b", false),
        ("", false),
        ("é", false),
        (&"x".repeat(129), false),
        (&"x".repeat(128), true),
    ] {
        let answer = api
            .request("GET", "/health")
            .header("x-request-id", sent)
            .send()
            .await;
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(id == sent, kept, "{sent}");
        assert!(!id.is_empty() && id.len() <= 128);
    }
}

async fn service_routes(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    assert_eq!(
        api.request("GET", "/").send().await.json()["message"],
        "Welcome to the Todo API"
    );
    for path in ["/health", "/health/live", "/health/ready", "/health/ready?deep=1"] {
        assert_eq!(api.request("GET", path).send().await.status, 200, "{path}");
    }
    for code in errand_http::problem::Code::ALL {
        let answer = api
            .request("GET", &format!("/problems/{}", code.slug()))
            .send()
            .await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains(code.title()), "{}", answer.text());
    }
    problem(
        &api.request("GET", "/problems/no-such").send().await,
        404,
        "not-found",
    );
}

/// Nothing of it concerns the database: once, on SQLite.
#[tokio::test]
async fn a_dribbling_body_is_cut_off() {
    let service = Service::start(Backend::Sqlite).await;
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let answer = raw(&service, head).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("application/problem+json"),
        "{answer}"
    );
}

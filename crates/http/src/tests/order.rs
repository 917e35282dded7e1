//! 401 → 403 → 400/413/415/422 → 404, on every user route.

use actix_web::http::Method;
use actix_web::test::TestRequest;

use super::support::{Mocks, TOKEN, send_one};

/// Method, path below the user, and a body that is fine if the route has one.
const ROUTES: [(Method, &str, Option<&str>); 16] = [
    (Method::GET, "/tasks", None),
    (Method::POST, "/tasks", Some(r#"{"title":"x"}"#)),
    (Method::GET, "/tasks/9", None),
    (Method::PUT, "/tasks/9", Some(r#"{"title":"x"}"#)),
    (Method::PATCH, "/tasks/9", Some(r#"{"title":"x"}"#)),
    (Method::DELETE, "/tasks/9", None),
    (Method::PATCH, "/tasks/9/complete", Some("{}")),
    (Method::GET, "/trash", None),
    (Method::GET, "/changes", None),
    (Method::DELETE, "/trash/9", None),
    (Method::POST, "/trash/9/restore", None),
    (Method::GET, "/sessions", None),
    (Method::DELETE, "/sessions/x", None),
    (
        Method::PUT,
        "/password",
        Some(r#"{"current_password":"a","new_password":"b"}"#),
    ),
    (Method::GET, "/export", None),
    (Method::DELETE, "", Some(r#"{"password":"x"}"#)),
];

fn request(method: &Method, path: &str, body: Option<&str>, json: bool, token: bool) -> TestRequest {
    let mut request = TestRequest::with_uri(path).method(method.clone());
    if let Some(body) = body {
        request = request.set_payload(body.to_owned());
    }
    if json {
        request = request.insert_header(("content-type", "application/json"));
    }
    if token {
        request = request.insert_header(("authorization", format!("Bearer {TOKEN}")));
    }
    request
}

async fn code(request: TestRequest) -> String {
    send_one(Mocks::default().with_task(), request).await.code()
}

#[actix_web::test]
async fn the_earlier_check_wins() {
    for (method, rest, body) in &ROUTES {
        let hint = format!("{method} {rest}");
        let bad = Some("{broken");
        for user in ["1", "2"] {
            let path = format!("/api/{user}{rest}?nonsense=1&%zz");
            assert_eq!(
                code(request(method, &path, bad, false, false)).await,
                "invalid-token",
                "{hint}"
            );
        }
        let path = format!("/api/2{rest}?nonsense=1&%zz");
        assert_eq!(
            code(request(method, &path, bad, false, true)).await,
            "wrong-user",
            "{hint}"
        );
        let path = format!("/api/1{rest}?%zz");
        assert_eq!(
            code(request(method, &path, bad, false, true)).await,
            "malformed-query",
            "{hint}"
        );
        let path = format!("/api/1{rest}?nonsense=1");
        assert_eq!(
            code(request(method, &path, bad, false, true)).await,
            "validation-failed",
            "{hint}"
        );
        if body.is_some() {
            let path = format!("/api/1{rest}");
            let unsupported = code(request(method, &path, bad, false, true)).await;
            assert_eq!(unsupported, "unsupported-media-type", "{hint}");
            assert_eq!(
                code(request(method, &path, bad, true, true)).await,
                "malformed-json",
                "{hint}"
            );
            let wrong = code(request(method, &path, Some("[]"), true, true)).await;
            assert_eq!(wrong, "validation-failed", "{hint}");
        }
    }
}

#[actix_web::test]
async fn an_impossible_task_id_is_looked_at_after_the_body() {
    for id in [
        "9",
        "0",
        "01",
        "-1",
        "abc",
        "9223372036854775808",
        "%00",
        "%ff",
        "%zz",
        "1%2F2",
        "1;x",
    ] {
        for (method, rest, body) in ROUTES.iter().filter(|(_, rest, _)| rest.contains('9')) {
            let path = format!("/api/1{}", rest.replace('9', id));
            let hint = format!("{method} {path}");
            let right = code(request(method, &path, *body, true, true)).await;
            assert_eq!(right, "task-not-found", "{hint}");
            if body.is_some() {
                let faulty = r#"{"title":null,"completed":1}"#;
                let wrong = code(request(method, &path, Some(faulty), true, true)).await;
                assert_eq!(wrong, "validation-failed", "{hint}");
            }
        }
    }
}

#[actix_web::test]
async fn missing_and_impossible_ids_are_the_same_bytes() {
    let mut bodies = Vec::new();
    for id in ["9", "abc", "0"] {
        let path = format!("/api/1/tasks/{id}");
        let request = request(&Method::GET, &path, None, false, true).insert_header(("x-request-id", "r"));
        bodies.push(send_one(Mocks::default().with_task(), request).await.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

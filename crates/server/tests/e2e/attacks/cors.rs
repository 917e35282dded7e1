//! Pages of other origins.

use errand_testbed::Answer;

use super::scene::Scene;
use super::suite::attacks;

attacks! {
    "cors-origins": a_page_from_elsewhere_may_not_read, a_page_without_an_origin_may_not_read,
        an_origin_that_ends_alike_may_not_read, an_origin_that_begins_alike_may_not_read,
        another_port_may_not_read, another_scheme_may_not_read;
    "cors-methods": a_method_that_is_not_listed_is_not_allowed;
    "cors-headers": a_header_that_is_not_listed_is_not_allowed;
}

async fn preflight(scene: &Scene, origin: &str, method: &str, headers: &str) -> Answer {
    let request = scene
        .api
        .request("OPTIONS", "/api/1/tasks")
        .header("origin", origin);
    let request = request.header("access-control-request-method", method);
    request
        .header("access-control-request-headers", headers)
        .send()
        .await
}

/// The answer allows nothing.
fn closed(answer: &Answer) {
    let allows: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| {
            name == "access-control-allow-origin"
                || name == "access-control-allow-methods"
                || name == "access-control-allow-private-network"
        })
        .collect();
    assert!(allows.is_empty(), "{allows:?}");
}

async fn locked_out(scene: &Scene, origin: &str) {
    let person = scene.person().await;
    closed(&preflight(scene, origin, "GET", "authorization").await);
    let request = person
        .request(&scene.api, "GET", "/tasks")
        .header("origin", origin);
    closed(&request.send().await);
    let request = scene.api.request("GET", "/api/auth/me").header("origin", origin);
    closed(&request.send().await);
}

/// An origin of the list, which the others are told apart from, is let in.
const LISTED: &str = "https://todo.example.com";

async fn a_page_from_elsewhere_may_not_read(scene: &Scene) {
    let open = preflight(scene, LISTED, "GET", "authorization").await;
    assert_eq!(open.header("access-control-allow-origin"), Some(LISTED));
    locked_out(scene, "https://evil.example").await;
    locked_out(scene, "*").await;
}

async fn a_page_without_an_origin_may_not_read(scene: &Scene) {
    locked_out(scene, "null").await;
    locked_out(scene, "file://").await;
}

async fn an_origin_that_ends_alike_may_not_read(scene: &Scene) {
    locked_out(scene, "https://eviltodo.example.com").await;
    locked_out(scene, "https://x.todo.example.com").await;
}

async fn an_origin_that_begins_alike_may_not_read(scene: &Scene) {
    locked_out(scene, "https://todo.example.com.evil.example").await;
    locked_out(scene, "https://todo.example.community").await;
}

async fn another_port_may_not_read(scene: &Scene) {
    locked_out(scene, "http://localhost:3001").await;
    locked_out(scene, "https://todo.example.com:8443").await;
}

async fn another_scheme_may_not_read(scene: &Scene) {
    locked_out(scene, "http://todo.example.com").await;
    locked_out(scene, "https://localhost:3000").await;
}

async fn a_method_that_is_not_listed_is_not_allowed(scene: &Scene) {
    for method in ["TRACE", "CONNECT", "FOO"] {
        let answer = preflight(scene, LISTED, method, "authorization").await;
        assert_eq!(answer.status, 400, "{method}");
    }
}

async fn a_header_that_is_not_listed_is_not_allowed(scene: &Scene) {
    for header in ["x-user-id", "cookie", "x-http-method-override"] {
        let answer = preflight(scene, LISTED, "GET", header).await;
        assert_eq!(answer.status, 400, "{header}");
    }
}

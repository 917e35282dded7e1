//! Walks the table: access, methods, slashes and aliases hold for every line of it.

use actix_web::http::Method;
use actix_web::test::TestRequest;

use super::support::{Mocks, TOKEN, send};
use crate::{Access, EndpointInfo, endpoints};

/// A path of this endpoint for this user.
fn paths(endpoint: &EndpointInfo, user: &str) -> Vec<String> {
    let all = endpoint.aliases.iter().chain([&endpoint.path]);
    let filled = all.map(|path| {
        path.replace("{user_id}", user)
            .replace("{session_id}", "0198f3a0-0000-7000-8000-000000000001")
            .replace("{id}", "1")
            .replace("{code}", "not-found")
            .replace("{file}", "reference.js")
    });
    filled
        .flat_map(|path| {
            let slashed = format!("{}/", path.trim_end_matches('/'));
            [path, slashed]
        })
        .collect()
}

fn request(method: &str, path: &str) -> TestRequest {
    TestRequest::with_uri(path).method(method.parse().unwrap())
}

fn bearer(request: TestRequest) -> TestRequest {
    request.insert_header(("authorization", format!("Bearer {TOKEN}")))
}

#[actix_web::test]
async fn the_table_covers_the_contract() {
    let all = endpoints();
    assert_eq!(all.len(), 32);
    let old = ["/auth/signup", "/auth/login", "/auth/logout", "/auth/me"];
    let older = [
        "/api/register",
        "/api/login",
        "/api/token",
        "/api/logout",
        "/api/me",
        "/health",
    ];
    for path in old.iter().chain(&older) {
        assert!(all.iter().any(|e| e.aliases.contains(path)), "{path}");
    }
}

#[actix_web::test]
async fn nobody_gets_in_without_a_token() {
    for endpoint in endpoints() {
        for path in paths(&endpoint, "1") {
            // The ports panic at every call, and a panic is a 500.
            let requests = vec![
                request(&endpoint.method, &path),
                request(&endpoint.method, &path).insert_header(("authorization", "Bearer nonsense")),
            ];
            for answer in send(Mocks::default(), requests).await {
                let refused = answer.status == 401;
                assert_eq!(
                    refused,
                    endpoint.access != Access::Public,
                    "{} {path}: {}",
                    endpoint.method,
                    answer.status
                );
                if refused {
                    assert_eq!(answer.code(), "invalid-token");
                }
            }
        }
    }
}

#[actix_web::test]
async fn other_users_paths_are_closed_before_any_look_up() {
    for endpoint in endpoints() {
        for user in ["2", "01", "abc", "%31%20", "auth"] {
            for path in paths(&endpoint, user) {
                let requests = vec![bearer(request(&endpoint.method, &path))];
                let answer = send(Mocks::default(), requests).await.remove(0);
                if endpoint.access == Access::Owner {
                    assert_eq!(answer.code(), "wrong-user", "{} {path}", endpoint.method);
                } else {
                    assert_ne!(answer.status, 403, "{} {path}", endpoint.method);
                }
            }
        }
    }
}

#[actix_web::test]
async fn another_method_is_405_and_says_which_there_are() {
    let all = endpoints();
    for endpoint in &all {
        for path in paths(endpoint, "1") {
            let known: Vec<_> = all
                .iter()
                .filter(|other| paths(other, "1").contains(&path))
                .map(|other| other.method.as_str())
                .collect();
            let others = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO", "HEAD"];
            let others = others.iter().filter(|method| {
                let asked = if **method == "HEAD" { "GET" } else { method };
                !known.contains(&asked)
            });
            for method in others {
                let answer = send(Mocks::default(), vec![request(method, &path)])
                    .await
                    .remove(0);
                assert_eq!(answer.status, 405, "{method} {path}");
                let allow: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
                assert!(
                    known.iter().all(|method| allow.contains(method)),
                    "{path}: {allow:?}"
                );
                assert_eq!(
                    allow.contains(&"HEAD"),
                    known.contains(&"GET"),
                    "{path}: {allow:?}"
                );
                if *method == "HEAD" {
                    assert!(answer.body.is_empty());
                } else {
                    assert_eq!(answer.code(), "method-not-allowed");
                }
            }
            let options = send(Mocks::default(), vec![request("OPTIONS", &path)])
                .await
                .remove(0);
            assert_eq!(options.status, 204, "{path}");
            assert!(options.header("allow").is_some());
        }
    }
}

#[actix_web::test]
async fn head_is_get_without_a_body() {
    for endpoint in endpoints().iter().filter(|e| e.method == "GET") {
        for path in paths(endpoint, "1") {
            // Authenticated reads fail at the mocked ports, and those answers have to agree as well.
            let requests = [Method::GET, Method::HEAD]
                .map(|method| bearer(TestRequest::with_uri(&path).method(method)))
                .map(|request| request.insert_header(("x-request-id", "same")));
            let [get, head] = <[_; 2]>::try_from(send(Mocks::default(), requests.into()).await).unwrap();
            assert_eq!(get.status, head.status, "{path}");
            let listed = |answer: &super::support::Answer| {
                let mut all: Vec<_> = answer
                    .headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {value:?}"))
                    .collect();
                all.sort();
                all
            };
            assert_eq!(listed(&get), listed(&head), "{path}");
            assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
        }
    }
}

#[actix_web::test]
async fn unknown_paths_are_404_for_everybody() {
    for path in [
        "/api",
        "/api/",
        "/api/1/nonsense",
        "/api/1/tasks/1/2",
        "/api/1/tasks//",
        "//api/1/tasks",
        "/api/1%2Ftasks/x/y",
        "/%00",
        "/%ff",
        "/%zz",
        "/API/1/TASKS",
        "/../etc/passwd",
    ] {
        for request in [TestRequest::with_uri(path), bearer(TestRequest::with_uri(path))] {
            let answer = send(Mocks::default(), vec![request]).await.remove(0);
            assert_eq!(answer.code(), "not-found", "{path}");
        }
    }
}

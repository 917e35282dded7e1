//! Sessions: seeing and ending them, refreshing, and what is still worth something afterwards.

use errand_testbed::{Answer, Api, Person};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Backend, Service, on_all, problem};

on_all!(
    sessions_are_listed_and_ended,
    logout_ends_the_session_at_once,
    ending_all_ends_the_callers_too,
    a_used_refresh_token_comes_back,
    a_stolen_refresh_token_ends_the_session,
    only_well_formed_bearers_are_let_in,
    revocation_reaches_the_other_replica,
    a_body_that_comes_after_the_end_of_the_session_writes_nothing,
);

async fn refresh(api: &Api, token: &str) -> Answer {
    api.request("POST", "/api/auth/refresh")
        .json(&json!({"refresh_token": token}))
        .send()
        .await
}

async fn login(api: &Api, person: &Person, agent: &str) -> Value {
    let body = json!({"email": person.email, "password": person.password});
    let answer = api
        .request("POST", "/api/auth/login")
        .header("user-agent", agent)
        .json(&body)
        .send()
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn me(api: &Api, token: &str) -> Answer {
    api.request("GET", "/api/auth/me").bearer(token).send().await
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}

async fn sessions_are_listed_and_ended(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let phone = login(api, &ann, "phone/1.0").await;
    let sessions = ann.request(api, "GET", "/sessions").send().await.json();
    let sessions = sessions.as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(
        (&sessions[0]["current"], &sessions[1]["current"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(sessions[1]["user_agent"], "phone/1.0");
    for key in ["created_at", "last_used_at", "expires_at"] {
        assert!(sessions[0][key].as_str().unwrap().ends_with('Z'));
    }
    let id = text(&sessions[1], "id");
    let ended = ann
        .request(api, "DELETE", &format!("/sessions/{id}"))
        .send()
        .await;
    assert_eq!(
        (ended.status, ended.json()),
        (200, json!({"message": "Session ended", "id": id}))
    );
    problem(
        &ann.request(api, "DELETE", &format!("/sessions/{id}"))
            .send()
            .await,
        404,
        "session-not-found",
    );
    problem(
        &ann.request(api, "DELETE", "/sessions/nonsense").send().await,
        404,
        "session-not-found",
    );
    problem(
        &me(api, &text(&phone, "access_token")).await,
        401,
        "invalid-token",
    );
    problem(
        &refresh(api, &text(&phone, "refresh_token")).await,
        401,
        "invalid-refresh-token",
    );
    assert_eq!(me(api, &ann.access).await.status, 200);
}

async fn logout_ends_the_session_at_once(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let other = login(api, &ann, "other").await;
    let out = api
        .request("POST", "/api/auth/logout")
        .bearer(&ann.access)
        .send()
        .await;
    assert_eq!(
        (out.status, out.json()),
        (200, json!({"message": "Logout successful"}))
    );
    let refused = me(api, &ann.access).await;
    problem(&refused, 401, "invalid-token");
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer realm=\"errand\", error=\"invalid_token\"")
    );
    problem(&refresh(api, &ann.refresh).await, 401, "invalid-refresh-token");
    assert_eq!(me(api, &text(&other, "access_token")).await.status, 200);
}

async fn ending_all_ends_the_callers_too(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let (ann, bob) = (
        Person::register(api, "ann").await,
        Person::register(api, "bob").await,
    );
    let other = login(api, &ann, "other").await;
    let all = ann.request(api, "DELETE", "/sessions").send().await;
    assert_eq!(
        (all.status, all.json()),
        (200, json!({"message": "All sessions ended"}))
    );
    for token in [&ann.access, &text(&other, "access_token")] {
        problem(&me(api, token).await, 401, "invalid-token");
    }
    assert_eq!(me(api, &bob.access).await.status, 200);
}

async fn a_used_refresh_token_comes_back(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let first = refresh(api, &ann.refresh).await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.header("cache-control"), Some("no-store"));
    // The answer was lost: the same successor again.
    let again = refresh(api, &ann.refresh).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(first.json()["refresh_token"], again.json()["refresh_token"]);
    let second = refresh(api, &text(&first.json(), "refresh_token")).await;
    assert_eq!(second.status, 200);
    assert_ne!(second.json()["refresh_token"], first.json()["refresh_token"]);
    for token in [
        &ann.access,
        &text(&first.json(), "access_token"),
        &text(&second.json(), "access_token"),
    ] {
        assert_eq!(me(api, token).await.status, 200);
    }
}

async fn a_stolen_refresh_token_ends_the_session(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let other = login(api, &ann, "other").await;
    let first = text(&refresh(api, &ann.refresh).await.json(), "refresh_token");
    let second = refresh(api, &first).await.json();
    // A grandparent is never forgiven, whatever the clock says.
    problem(&refresh(api, &ann.refresh).await, 401, "invalid-refresh-token");
    problem(
        &refresh(api, &text(&second, "refresh_token")).await,
        401,
        "invalid-refresh-token",
    );
    problem(
        &me(api, &text(&second, "access_token")).await,
        401,
        "invalid-token",
    );
    assert_eq!(
        me(api, &text(&other, "access_token")).await.status,
        200,
        "another session suffers"
    );
    assert!(service.errand.log().contains("refresh-token-reused"));
}

async fn only_well_formed_bearers_are_let_in(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let none = api.request("GET", "/api/auth/me").send().await;
    problem(&none, 401, "invalid-token");
    assert_eq!(none.header("www-authenticate"), Some("Bearer realm=\"errand\""));
    let token = &ann.access;
    let (head, _) = token.rsplit_once('.').unwrap();
    for header in [
        "Bearer".to_owned(),
        format!("Bearer  {token}"),
        format!("Basic {token}"),
        format!("Bearer {token} x"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {head}."),
        format!("Bearer {token}="),
        format!("Bearer {}", ann.refresh),
        format!("Bearer {}", "x".repeat(5000)),
    ] {
        let answer = api
            .request("GET", "/api/auth/me")
            .header("authorization", &header)
            .send()
            .await;
        assert_eq!(answer.status, 401, "{header}");
    }
    let twice = api
        .request("GET", "/api/auth/me")
        .bearer(token)
        .bearer(token)
        .send()
        .await;
    assert_eq!(twice.status, 401);
    for lower in ["bearer", "BEARER"] {
        let answer = api
            .request("GET", "/api/auth/me")
            .header("authorization", &format!("{lower} {token}"));
        assert_eq!(answer.send().await.status, 200, "{lower}");
    }
    problem(&refresh(api, token).await, 401, "invalid-refresh-token");
    problem(&refresh(api, "").await, 401, "invalid-refresh-token");
}

async fn revocation_reaches_the_other_replica(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let (_errand, there) = service.replica().await;
    assert_eq!(me(&there, &ann.access).await.status, 200);
    service
        .api
        .request("POST", "/api/auth/logout")
        .bearer(&ann.access)
        .send()
        .await;
    problem(&me(&service.api, &ann.access).await, 401, "invalid-token");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    problem(&me(&there, &ann.access).await, 401, "invalid-token");
}

/// The head of a request is admitted, the session ends, and only then the body comes.
async fn a_body_that_comes_after_the_end_of_the_session_writes_nothing(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let other = login(&service.api, &ann, "other").await;
    let body = "{\"title\":\"too late\"}";
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        ann.path("/tasks"),
        ann.access,
        body.len()
    );
    let mut stream = TcpStream::connect(service.errand.base_url().replace("http://", ""))
        .await
        .unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // Until the head has been looked at.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    service
        .api
        .request("POST", "/api/auth/logout")
        .bearer(&ann.access)
        .send()
        .await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let token = text(&other, "access_token");
    let tasks = service
        .api
        .request("GET", &ann.path("/tasks"))
        .bearer(&token)
        .send()
        .await;
    assert_eq!(tasks.text(), "[]");
}

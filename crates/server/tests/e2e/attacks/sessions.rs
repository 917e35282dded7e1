//! Sessions that ended, and sessions of others.

use errand_testbed::Person;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::forgery::Forgery;
use super::scene::{Scene, text};
use super::suite::attacks;
use crate::support::{at_once, essence, problem};

attacks! {
    "guard-ended": no_access_after_logout, no_access_after_all_sessions_were_ended,
        no_access_after_the_session_was_ended_from_elsewhere, no_access_after_a_change_of_password,
        no_access_after_the_account_was_deleted, no_access_after_a_used_refresh_token,
        no_token_survives_a_refresh_against_a_logout;
    "still-admitted": a_task_that_comes_after_the_logout_is_not_made,
        a_password_that_comes_after_the_logout_is_not_changed;
    "tenant-in-deletes": anothers_session_cannot_be_ended;
    "tenant-in-scope": anothers_sessions_are_not_listed;
    "session-id-spelling": a_session_in_another_spelling_is_not_ended;
    "agent-controls": a_clients_name_cannot_steer_a_terminal;
    "agent-length": a_clients_name_is_cut;
    "http-parser": a_clients_name_with_a_line_break_is_refused;
}

fn session_of(token: &str) -> String {
    let claims = Forgery::of_token(token).claims();
    claims["sid"].as_str().unwrap().to_owned()
}

async fn logout(scene: &Scene, token: &str) {
    let request = scene.api.request("POST", "/api/auth/logout");
    assert_eq!(request.bearer(token).send().await.status, 200);
}

/// Nothing is shown and nothing done any more.
async fn is_out(scene: &Scene, person: &Person, token: &str) {
    scene.refuses(token).await;
    for (method, rest) in [
        ("GET", "/tasks"),
        ("GET", "/export"),
        ("GET", "/sessions"),
        ("POST", "/tasks"),
    ] {
        let request = scene.api.request(method, &person.path(rest)).bearer(token);
        let answer = request.json(&json!({"title": "too late"})).send().await;
        problem(&answer, 401, "invalid-token");
    }
}

async fn no_access_after_logout(scene: &Scene) {
    let person = scene.person().await;
    let other = scene.login(&person.email, &person.password).await;
    logout(scene, &person.access).await;
    is_out(scene, &person, &person.access).await;
    assert_eq!(scene.me(&text(&other, "access_token")).await.status, 200);
}

async fn no_access_after_all_sessions_were_ended(scene: &Scene) {
    let person = scene.person().await;
    let other = scene.login(&person.email, &person.password).await;
    let ended = person.request(&scene.api, "DELETE", "/sessions").send().await;
    assert_eq!(ended.status, 200);
    is_out(scene, &person, &person.access).await;
    is_out(scene, &person, &text(&other, "access_token")).await;
}

async fn no_access_after_the_session_was_ended_from_elsewhere(scene: &Scene) {
    let person = scene.person().await;
    let lost = text(
        &scene.login(&person.email, &person.password).await,
        "access_token",
    );
    let path = format!("/sessions/{}", session_of(&lost));
    let ended = person.request(&scene.api, "DELETE", &path).send().await;
    assert_eq!(ended.status, 200);
    is_out(scene, &person, &lost).await;
}

async fn no_access_after_a_change_of_password(scene: &Scene) {
    let person = scene.person().await;
    let thief = scene.login(&person.email, &person.password).await;
    let body = json!({"current_password": person.password, "new_password": scene.password()});
    let changed = person
        .request(&scene.api, "PUT", "/password")
        .json(&body)
        .send()
        .await;
    assert_eq!(changed.status, 200);
    is_out(scene, &person, &text(&thief, "access_token")).await;
    is_out(scene, &person, &person.access).await;
}

async fn no_access_after_the_account_was_deleted(scene: &Scene) {
    let person = scene.person().await;
    let body = json!({"password": person.password});
    let deleted = person.request(&scene.api, "DELETE", "").json(&body).send().await;
    assert_eq!(deleted.status, 200);
    is_out(scene, &person, &person.access).await;
}

async fn no_access_after_a_used_refresh_token(scene: &Scene) {
    let person = scene.person().await;
    let first = scene.refresh(&person.refresh).await;
    let second = scene.refresh(&text(&first, "refresh_token")).await;
    assert_eq!(scene.refresh(&person.refresh).await.status, 401);
    for token in [&text(&first, "access_token"), &text(&second, "access_token")] {
        is_out(scene, &person, token).await;
    }
}

async fn no_token_survives_a_refresh_against_a_logout(scene: &Scene) {
    for _ in 0..10 {
        let person = scene.person().await;
        let answers = at_once(2, |n| {
            let (api, person) = (scene.api.clone(), person.clone());
            async move {
                let request = if n == 0 {
                    let body = json!({"refresh_token": person.refresh});
                    api.request("POST", "/api/auth/refresh").json(&body)
                } else {
                    api.request("POST", "/api/auth/logout").bearer(&person.access)
                };
                request.send().await
            }
        })
        .await;
        assert_eq!(answers[1].status, 200);
        scene.refuses(&person.access).await;
        if answers[0].status == 200 {
            scene.refuses(&text(&answers[0], "access_token")).await;
            let again = scene.refresh(&text(&answers[0], "refresh_token")).await;
            problem(&again, 401, "invalid-refresh-token");
        }
    }
}

/// The head is admitted, the session ends, and only then the body comes.
async fn late(scene: &Scene, person: &Person, method: &str, rest: &str, body: &str) {
    let head = format!(
        "{method} {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        person.path(rest),
        person.access,
        body.len()
    );
    let mut stream = scene.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    logout(scene, &person.access).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let answer = scene.rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

async fn a_task_that_comes_after_the_logout_is_not_made(scene: &Scene) {
    let person = scene.person().await;
    late(scene, &person, "POST", "/tasks", "{\"title\":\"too late\"}").await;
    let login = scene.login(&person.email, &person.password).await;
    let request = scene.api.request("GET", &person.path("/tasks"));
    let tasks = request.bearer(&text(&login, "access_token")).send().await;
    assert_eq!(tasks.text(), "[]");
}

async fn a_password_that_comes_after_the_logout_is_not_changed(scene: &Scene) {
    let person = scene.person().await;
    let body = json!({"current_password": person.password, "new_password": scene.password()});
    late(scene, &person, "PUT", "/password", &body.to_string()).await;
    assert_eq!(scene.login(&person.email, &person.password).await.status, 200);
}

async fn anothers_session_cannot_be_ended(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let mut answers = Vec::new();
    for session in [
        session_of(&victim.access),
        "01985a3c-7d10-7000-8000-00000000abcd".to_owned(),
    ] {
        let request = attacker.request(&scene.api, "DELETE", &format!("/sessions/{session}"));
        let answer = request.header("x-request-id", "same").send().await;
        problem(&answer, 404, "session-not-found");
        answers.push(essence(&answer));
    }
    assert_eq!(answers[0], answers[1], "a foreign session shows");
    assert_eq!(scene.me(&victim.access).await.status, 200);
    assert_eq!(scene.refresh(&victim.refresh).await.status, 200);
}

async fn anothers_sessions_are_not_listed(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let list = attacker.request(&scene.api, "GET", "/sessions").send().await;
    let sessions = list.json();
    let ids: Vec<_> = sessions.as_array().unwrap().iter().map(|s| &s["id"]).collect();
    assert_eq!(ids, [&json!(session_of(&attacker.access))]);
    assert!(!list.text().contains(&session_of(&victim.access)));
}

async fn a_session_in_another_spelling_is_not_ended(scene: &Scene) {
    let person = scene.person().await;
    let id = session_of(&person.access);
    for other in [id.to_uppercase(), id.replace('-', ""), format!("%7B{id}%7D")] {
        let request = person.request(&scene.api, "DELETE", &format!("/sessions/{other}"));
        problem(&request.send().await, 404, "session-not-found");
    }
    assert_eq!(scene.me(&person.access).await.status, 200);
}

/// Signs in as a client of this name and gives what is kept of it.
async fn kept(scene: &Scene, agent: &[u8]) -> String {
    let person = scene.person().await;
    let body = json!({"email": person.email, "password": person.password});
    let request = scene.api.request("POST", "/api/auth/login").json(&body);
    assert_eq!(request.header_bytes("user-agent", agent).send().await.status, 200);
    let sessions = person.request(&scene.api, "GET", "/sessions").send().await.json();
    sessions[1]["user_agent"].as_str().unwrap().to_owned()
}

/// U+009B begins a command as ESC and a bracket do, and a header may hold it.
async fn a_clients_name_cannot_steer_a_terminal(scene: &Scene) {
    let kept = kept(scene, "evil\u{9b}31m\tclient\u{85}".as_bytes()).await;
    assert_eq!(kept, "evil31mclient");
}

async fn a_clients_name_is_cut(scene: &Scene) {
    assert_eq!(kept(scene, &[b'x'; 8000]).await.len(), 200);
}

async fn a_clients_name_with_a_line_break_is_refused(scene: &Scene) {
    for agent in ["a\r\nX-User-Id: 1", "a\u{0}b", "\u{1b}[31mred"] {
        let request =
            format!("GET /health HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n");
        let answer = scene.raw(request).await;
        // The line break makes a header of its own, which nobody looks at.
        let expected = if agent.contains('\r') {
            "HTTP/1.1 200"
        } else {
            "HTTP/1.1 400"
        };
        assert!(answer.starts_with(expected), "{agent:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1);
    }
}

//! Accounts that were disabled, and what their users can read of what happened.

use std::time::Duration;

use errand_testbed::Person;
use serde_json::Value;

use super::scene::{Scene, text};
use super::suite::attacks;
use crate::support::{essence, problem};

attacks! {
    "disabled-sign-in": a_disabled_account_is_not_signed_in_to;
    "disabled-ends": a_disabled_account_does_nothing_any_more;
    "disabled-refresh": a_disabled_account_is_not_refreshed;
    "event-noted": a_guess_is_told_to_the_user;
    "event-classes": guesses_do_not_wash_away_what_happened;
    "tenant-in-scope": anothers_events_are_not_shown;
}

/// What a revocation may take.
const REACH: Duration = Duration::from_secs(1);

fn disable(scene: &Scene, person: &Person) {
    let output = scene.service.command(&["user", "disable", &person.email], "");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn a_disabled_account_is_not_signed_in_to(scene: &Scene) {
    let (disabled, other) = (scene.person().await, scene.person().await);
    disable(scene, &disabled);
    let mut answers = Vec::new();
    for (email, password) in [
        (&disabled.email, &disabled.password),
        (&other.email, &disabled.email),
    ] {
        let body = serde_json::json!({"email": email, "password": password});
        let request = scene.api.request("POST", "/api/auth/login");
        let answer = request.header("x-request-id", "same").json(&body).send().await;
        problem(&answer, 401, "bad-credentials");
        answers.push(essence(&answer));
    }
    assert_eq!(answers[0], answers[1]);
}

async fn a_disabled_account_does_nothing_any_more(scene: &Scene) {
    let person = scene.person().await;
    assert_eq!(scene.me(&person.access).await.status, 200);
    disable(scene, &person);
    tokio::time::sleep(REACH).await;
    scene.refuses(&person.access).await;
}

async fn a_disabled_account_is_not_refreshed(scene: &Scene) {
    let person = scene.person().await;
    disable(scene, &person);
    problem(
        &scene.refresh(&person.refresh).await,
        401,
        "invalid-refresh-token",
    );
}

async fn events(scene: &Scene, person: &Person) -> Vec<Value> {
    let answer = person.request(&scene.api, "GET", "/events").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().clone()
}

async fn a_guess_is_told_to_the_user(scene: &Scene) {
    let person = scene.person().await;
    scene
        .login_from("198.51.100.77", &person.email, "a wrong guess")
        .await;
    for _ in 0..100 {
        let told = events(scene, &person).await;
        if told[0]["kind"] == "sign-in-failed" {
            assert_eq!(told[0]["address"], "198.51.100.77");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing is told");
}

async fn guesses_do_not_wash_away_what_happened(scene: &Scene) {
    let person = scene.person().await;
    for n in 0..105 {
        let address = format!("203.0.113.{n}");
        scene.login_from(&address, &person.email, "a wrong guess").await;
    }
    // The last ones may still be on their way.
    tokio::time::sleep(REACH).await;
    let told = events(scene, &person).await;
    assert_eq!(told.len(), 101, "a hundred guesses and the registration");
    assert_eq!(told[100]["kind"], "registered");
}

async fn anothers_events_are_not_shown(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let victims = events(scene, &victim).await;
    let shown = events(scene, &attacker).await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    let ids: Vec<_> = victims.iter().map(|event| &event["id"]).collect();
    assert!(shown.iter().all(|event| !ids.contains(&&event["id"])));
    let path = victim.path("/events");
    let answer = scene
        .api
        .request("GET", &path)
        .bearer(&attacker.access)
        .send()
        .await;
    problem(&answer, 403, "wrong-user");
    assert!(!text(&answer, "detail").is_empty());
}

//! Refresh tokens: stolen, used again, altered, revoked.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use errand_testbed::{Answer, Person};
use serde_json::json;

use super::forgery::Forgery;
use super::scene::{Scene, invalid, text};
use super::suite::attacks;
use crate::support::{at_once, problem};

attacks! {
    "reuse-ends": a_used_token_ends_the_session, a_grandparent_within_the_grace_ends_the_session,
        a_used_token_ends_the_session_by_the_form_too;
    "refresh-grace": a_used_token_after_the_grace_ends_the_session;
    "refresh-successor": parallel_uses_have_one_successor;
    "refresh-form": what_is_no_token_is_refused, an_access_token_is_no_refresh_token, sql_in_a_token_is_refused;
    "refresh-secret": a_token_in_other_letters_is_refused;
    "refresh-family": a_guessed_token_does_not_end_the_session;
    "tenant-in-scope": a_token_with_another_user_in_it_is_nobodys, a_strangers_bearer_beside_it_changes_nothing;
    "session-rows": no_refresh_after_logout, no_refresh_after_all_sessions_were_ended,
        no_refresh_after_the_session_was_ended_from_elsewhere, no_refresh_after_a_change_of_password;
    "session-limit": the_51st_session_ends_the_first;
    "query-known": a_refresh_token_in_the_address_is_refused;
    "body-text": a_refresh_token_of_another_type_is_refused;
    "body-size": a_megabyte_is_no_refresh_token;
}

/// Uses a token and gives its successor.
async fn next(scene: &Scene, token: &str) -> Answer {
    let answer = scene.refresh(token).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

async fn refused(scene: &Scene, token: &str) {
    problem(&scene.refresh(token).await, 401, "invalid-refresh-token");
}

/// Somebody who refreshed twice, and what was granted then.
async fn refreshed(scene: &Scene) -> (Person, Answer) {
    let victim = scene.person().await;
    let first = next(scene, &victim.refresh).await;
    let second = next(scene, &text(&first, "refresh_token")).await;
    (victim, second)
}

/// Neither thief nor victim goes on with this grant.
async fn is_over(scene: &Scene, grant: &Answer) {
    refused(scene, &text(grant, "refresh_token")).await;
    scene.refuses(&text(grant, "access_token")).await;
}

async fn a_used_token_ends_the_session(scene: &Scene) {
    let (victim, newest) = refreshed(scene).await;
    refused(scene, &victim.refresh).await;
    is_over(scene, &newest).await;
}

async fn a_grandparent_within_the_grace_ends_the_session(scene: &Scene) {
    let (victim, second) = refreshed(scene).await;
    let third = next(scene, &text(&second, "refresh_token")).await;
    refused(scene, &victim.refresh).await;
    is_over(scene, &third).await;
}

/// The other door to the same rule.
async fn a_used_token_ends_the_session_by_the_form_too(scene: &Scene) {
    let (victim, newest) = refreshed(scene).await;
    let body = format!("grant_type=refresh_token&refresh_token={}", victim.refresh);
    let request = scene.api.request("POST", "/api/auth/token");
    let request = request.raw(body, "application/x-www-form-urlencoded");
    let told = problem(&request.send().await, 401, "invalid-refresh-token");
    assert_eq!(told["error"], "invalid_grant");
    is_over(scene, &newest).await;
}

async fn a_used_token_after_the_grace_ends_the_session(scene: &Scene) {
    let victim = scene.person().await;
    let grant = next(scene, &victim.refresh).await;
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    refused(scene, &victim.refresh).await;
    is_over(scene, &grant).await;
}

/// A thief who is quick gets no line of tokens of his own.
async fn parallel_uses_have_one_successor(scene: &Scene) {
    let victim = scene.person().await;
    let answers = at_once(10, |_| {
        let request = scene.api.request("POST", "/api/auth/refresh");
        let body = json!({"refresh_token": victim.refresh});
        async move { request.json(&body).send().await }
    })
    .await;
    let mut successors: Vec<_> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 200, "{}", answer.text());
            text(answer, "refresh_token")
        })
        .collect();
    successors.sort();
    successors.dedup();
    assert_eq!(successors.len(), 1, "the line forks");
    next(scene, &successors[0]).await;
}

async fn what_is_no_token_is_refused(scene: &Scene) {
    let victim = scene.person().await;
    let good = &victim.refresh;
    for bad in [
        "",
        "x",
        &good[..95],
        &format!("{good}A"),
        &format!("{good}="),
        &format!(" {good}"),
        &format!("{good}\n"),
        "\u{0}",
    ] {
        refused(scene, bad).await;
    }
    next(scene, good).await;
}

async fn an_access_token_is_no_refresh_token(scene: &Scene) {
    let access = scene.person().await.access;
    refused(scene, &access).await;
}

async fn sql_in_a_token_is_refused(scene: &Scene) {
    refused(scene, "' OR 1=1 --").await;
    refused(scene, "x' UNION SELECT token FROM sessions --").await;
}

async fn a_token_in_other_letters_is_refused(scene: &Scene) {
    let victim = scene.person().await;
    let mut bytes = BASE64.decode(&victim.refresh).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    refused(scene, &BASE64.encode(bytes)).await;
}

/// Ids of users and sessions are no secrets: knowing them must not do harm.
async fn a_guessed_token_does_not_end_the_session(scene: &Scene) {
    let victim = scene.person().await;
    let claims = Forgery::of(&victim).claims();
    let mut bytes = BASE64.decode(&victim.refresh).unwrap();
    let session = u128::from_be_bytes(bytes[8..24].try_into().unwrap());
    assert_eq!(
        claims["sid"].as_str().unwrap().replace('-', ""),
        format!("{session:032x}")
    );
    // The parts behind user and session are what only the client knows.
    bytes[24..].fill(7);
    refused(scene, &BASE64.encode(bytes)).await;
    next(scene, &victim.refresh).await;
    assert_eq!(scene.me(&victim.access).await.status, 200);
}

async fn a_token_with_another_user_in_it_is_nobodys(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let mut bytes = BASE64.decode(&attacker.refresh).unwrap();
    bytes[..8].copy_from_slice(&victim.id.to_be_bytes());
    refused(scene, &BASE64.encode(bytes)).await;
    next(scene, &attacker.refresh).await;
    next(scene, &victim.refresh).await;
}

async fn a_strangers_bearer_beside_it_changes_nothing(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let request = scene.api.request("POST", "/api/auth/refresh");
    let request = request.bearer(&victim.access);
    let answer = request
        .json(&json!({"refresh_token": attacker.refresh}))
        .send()
        .await;
    assert_eq!(text(&answer, "user_id"), attacker.id.to_string());
    let token = text(&answer, "access_token");
    assert_eq!(scene.me(&token).await.json()["id"], attacker.id);
}

fn done(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn no_refresh_after_logout(scene: &Scene) {
    let person = scene.person().await;
    let logout = scene.api.request("POST", "/api/auth/logout");
    done(&logout.bearer(&person.access).send().await);
    refused(scene, &person.refresh).await;
}

async fn no_refresh_after_all_sessions_were_ended(scene: &Scene) {
    let person = scene.person().await;
    let other = scene.login(&person.email, &person.password).await;
    done(&person.request(&scene.api, "DELETE", "/sessions").send().await);
    refused(scene, &person.refresh).await;
    refused(scene, &text(&other, "refresh_token")).await;
}

async fn no_refresh_after_the_session_was_ended_from_elsewhere(scene: &Scene) {
    let person = scene.person().await;
    let lost = scene.login(&person.email, &person.password).await;
    let session = Forgery::of_token(&text(&lost, "access_token")).claims()["sid"].clone();
    let path = format!("/sessions/{}", session.as_str().unwrap());
    done(&person.request(&scene.api, "DELETE", &path).send().await);
    refused(scene, &text(&lost, "refresh_token")).await;
    next(scene, &person.refresh).await;
}

async fn no_refresh_after_a_change_of_password(scene: &Scene) {
    let person = scene.person().await;
    let thief = scene.login(&person.email, &person.password).await;
    let body = json!({"current_password": person.password, "new_password": scene.password()});
    done(
        &person
            .request(&scene.api, "PUT", "/password")
            .json(&body)
            .send()
            .await,
    );
    refused(scene, &text(&thief, "refresh_token")).await;
    refused(scene, &person.refresh).await;
}

async fn the_51st_session_ends_the_first(scene: &Scene) {
    let person = scene.person().await;
    for _ in 0..50 {
        done(&scene.login(&person.email, &person.password).await);
    }
    scene.refuses(&person.access).await;
    refused(scene, &person.refresh).await;
}

async fn a_refresh_token_in_the_address_is_refused(scene: &Scene) {
    let person = scene.person().await;
    let path = format!("/api/auth/refresh?refresh_token={}", person.refresh);
    let request = scene.api.request("POST", &path);
    let answer = request
        .json(&json!({"refresh_token": person.refresh}))
        .send()
        .await;
    invalid(&answer, "refresh_token");
}

async fn a_refresh_token_of_another_type_is_refused(scene: &Scene) {
    let person = scene.person().await;
    for token in [
        json!([person.refresh]),
        json!({"token": person.refresh}),
        json!(1),
    ] {
        let request = scene.api.request("POST", "/api/auth/refresh");
        let answer = request.json(&json!({"refresh_token": token})).send().await;
        invalid(&answer, "#/refresh_token");
    }
}

async fn a_megabyte_is_no_refresh_token(scene: &Scene) {
    let answer = scene.refresh(&"A".repeat(1 << 20)).await;
    problem(&answer, 413, "body-too-large");
}

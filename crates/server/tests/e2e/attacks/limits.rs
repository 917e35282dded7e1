//! What is tried too often, and from where.

use errand_testbed::{Answer, Person};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::scene::{Scene, text};
use super::suite::attacks;
use crate::support::{at_once, problem};

attacks! {
    "limit-account": a_password_is_not_guessed_from_one_network, guesses_at_once_share_the_limit,
        a_password_is_not_guessed_through_the_token_endpoint, the_right_one_after_too_many_is_not_told;
    "limit-fold": another_spelling_is_no_new_name_to_guess_at;
    "limit-network": many_names_are_not_tried_from_one_network;
    "limit-kept": wrong_guesses_are_not_given_back;
    "limit-of-one-network": nobody_is_kept_from_their_account_by_others;
    "limit-confirmation": the_current_password_is_not_guessed_with_a_stolen_token;
    "limit-registration": accounts_are_not_made_by_the_dozen, addresses_are_not_tried_by_the_dozen;
    "limit-refresh": a_session_is_not_refreshed_without_end, a_refresh_is_not_replayed_without_end;
    "limit-refused-refresh": refresh_tokens_are_not_tried_without_end;
    "limit-new-password": passwords_are_not_judged_without_end;
    "network-64": the_addresses_of_a_network_are_one_client;
    "trusted-proxies": an_address_before_that_of_the_proxy_is_not_believed;
    "requests-at-once": nobody_takes_all_the_service_at_once;
    "task-quota": nobody_fills_the_database_with_tasks;
}

fn is_limited(answer: &Answer) {
    problem(answer, 429, "too-many-attempts");
    assert!(answer.header("retry-after").is_some() && answer.header("ratelimit").is_some());
}

/// Wrong guesses until one is refused; how many were looked at.
async fn guess(scene: &Scene, name: &str, address: impl Fn(usize) -> String) -> usize {
    for n in 0..40 {
        let answer = scene.login_from(&address(n), name, "a wrong guess").await;
        if answer.status == 429 {
            is_limited(&answer);
            return n;
        }
        problem(&answer, 401, "bad-credentials");
    }
    panic!("40 guesses were looked at");
}

async fn a_password_is_not_guessed_from_one_network(scene: &Scene) {
    let victim = scene.person().await;
    assert_eq!(guess(scene, &victim.email, |_| "198.51.100.1".into()).await, 10);
}

async fn guesses_at_once_share_the_limit(scene: &Scene) {
    let victim = scene.person().await;
    let mut looked_at = 0;
    // Again and again: only so many passwords are looked at at once.
    for _ in 0..4 {
        let answers = at_once(40, |_| {
            let request = scene.api.request("POST", "/api/auth/login");
            let body = json!({"email": victim.email, "password": "a wrong guess"});
            request
                .header("x-forwarded-for", "198.51.100.2")
                .json(&body)
                .send()
        });
        looked_at += answers.await.iter().filter(|a| a.status == 401).count();
    }
    assert!(looked_at <= 10, "{looked_at} were looked at");
}

async fn a_password_is_not_guessed_through_the_token_endpoint(scene: &Scene) {
    let victim = scene.person().await;
    assert_eq!(guess(scene, &victim.email, |_| "198.51.100.3".into()).await, 10);
    let form = format!(
        "username={}&password=another+guess",
        victim.email.replace('@', "%40")
    );
    for path in ["/api/auth/token", "/api/token"] {
        let request = scene.api.request("POST", path);
        let request = request.header("x-forwarded-for", "198.51.100.3");
        let answer = request.raw(form.clone(), "application/x-www-form-urlencoded");
        is_limited(&answer.send().await);
    }
}

async fn the_right_one_after_too_many_is_not_told(scene: &Scene) {
    let victim = scene.person().await;
    // Fewer than the network may.
    for _ in 0..10 {
        scene
            .login_from("198.51.100.4", &victim.email, "a wrong guess")
            .await;
    }
    is_limited(
        &scene
            .login_from("198.51.100.4", &victim.email, &victim.password)
            .await,
    );
}

async fn another_spelling_is_no_new_name_to_guess_at(scene: &Scene) {
    let victim = scene.person().await;
    guess(scene, &victim.email, |_| "198.51.100.5".into()).await;
    let shouted = victim.email.to_uppercase();
    is_limited(&scene.login_from("198.51.100.5", &shouted, "a wrong guess").await);
}

async fn many_names_are_not_tried_from_one_network(scene: &Scene) {
    let mut looked_at = 0;
    for _ in 0..40 {
        let answer = scene
            .login_from("198.51.100.6", &scene.address(), "a wrong guess")
            .await;
        looked_at += u32::from(answer.status == 401);
    }
    assert!(looked_at < 30, "{looked_at} were looked at");
}

async fn wrong_guesses_are_not_given_back(scene: &Scene) {
    let victim = scene.person().await;
    guess(scene, &victim.email, |_| "198.51.100.7".into()).await;
}

async fn nobody_is_kept_from_their_account_by_others(scene: &Scene) {
    let victim = scene.person().await;
    guess(scene, &victim.email, |_| "198.51.100.8".into()).await;
    let elsewhere = scene
        .login_from("198.51.100.9", &victim.email, &victim.password)
        .await;
    assert_eq!(elsewhere.status, 200, "{}", elsewhere.text());
    assert_eq!(scene.me(&victim.access).await.status, 200);
}

async fn the_current_password_is_not_guessed_with_a_stolen_token(scene: &Scene) {
    let victim = scene.person().await;
    for n in 0..12 {
        let body = json!({"password": format!("wrong guess {n}")});
        let request = victim.request(&scene.api, "DELETE", "").json(&body);
        let answer = request.header("x-forwarded-for", "198.51.100.10").send().await;
        if n < 10 {
            problem(&answer, 403, "wrong-password");
        } else {
            is_limited(&answer);
        }
    }
    assert_eq!(scene.me(&victim.access).await.status, 200);
}

async fn register_from(scene: &Scene, address: &str, email: &str) -> Answer {
    let body = json!({"email": email, "password": scene.password()});
    let request = scene.api.request("POST", "/api/auth/register");
    request
        .header("x-forwarded-for", address)
        .json(&body)
        .send()
        .await
}

async fn accounts_are_not_made_by_the_dozen(scene: &Scene) {
    for n in 0..12 {
        let answer = register_from(scene, "198.51.100.11", &scene.address()).await;
        if n < 8 {
            assert_eq!(answer.status, 201, "{}", answer.text());
        } else {
            is_limited(&answer);
        }
    }
}

async fn addresses_are_not_tried_by_the_dozen(scene: &Scene) {
    let victim = scene.person().await;
    for n in 0..12 {
        let answer = register_from(scene, "198.51.100.12", &victim.email).await;
        if n < 8 {
            problem(&answer, 409, "email-taken");
        } else {
            is_limited(&answer);
        }
    }
}

async fn a_session_is_not_refreshed_without_end(scene: &Scene) {
    let person = scene.person().await;
    let mut token = person.refresh.clone();
    for _ in 0..120 {
        let answer = scene.refresh(&token).await;
        if answer.status == 429 {
            is_limited(&answer);
            assert_eq!(scene.me(&person.access).await.status, 200, "the session lives");
            return;
        }
        token = text(&answer, "refresh_token");
    }
    panic!("120 refreshes");
}

/// All at once: the old token is good for ten seconds only, however slow the machine is.
async fn a_refresh_is_not_replayed_without_end(scene: &Scene) {
    let person = scene.person().await;
    assert_eq!(scene.refresh(&person.refresh).await.status, 200);
    let answers = at_once(80, |_| {
        let request = scene.api.request("POST", "/api/auth/refresh");
        request.json(&json!({"refresh_token": person.refresh})).send()
    });
    let statuses: Vec<_> = answers.await.iter().map(|answer| answer.status).collect();
    let count = |status| statuses.iter().filter(|s| **s == status).count();
    assert_eq!(count(200) + count(429), 80, "{statuses:?}");
    assert!(count(429) > 0 && count(200) > 0, "{statuses:?}");
    assert_eq!(scene.me(&person.access).await.status, 200, "the session lives");
}

async fn refresh_tokens_are_not_tried_without_end(scene: &Scene) {
    let mut refused = 0;
    for _ in 0..90 {
        let request = scene.api.request("POST", "/api/auth/refresh");
        let request = request.header("x-forwarded-for", "198.51.100.13");
        let answer = request
            .json(&json!({"refresh_token": "A".repeat(96)}))
            .send()
            .await;
        refused += u32::from(answer.status == 429);
    }
    assert!(refused > 0);
}

/// Judging how easily a password is guessed is work that anybody could ask for.
async fn passwords_are_not_judged_without_end(scene: &Scene) {
    let mut judged = 0;
    for _ in 0..60 {
        let body = json!({"email": scene.address(), "password": "password1"});
        let request = scene.api.request("POST", "/api/auth/register");
        let request = request.header("x-forwarded-for", "198.51.100.15");
        let answer = request.json(&body).send().await;
        judged += u32::from(answer.status == 422);
    }
    assert!(judged < 45, "{judged} were judged");
}

async fn the_addresses_of_a_network_are_one_client(scene: &Scene) {
    let victim = scene.person().await;
    let looked_at = guess(scene, &victim.email, |n| format!("2001:db8:77:1::{n:x}")).await;
    assert_eq!(looked_at, 10);
}

/// The proxy adds whom it was asked by; what stands before that the client wrote.
async fn an_address_before_that_of_the_proxy_is_not_believed(scene: &Scene) {
    let victim = scene.person().await;
    let looked_at = guess(scene, &victim.email, |n| format!("192.0.2.{n}, 198.51.100.14")).await;
    assert_eq!(looked_at, 10);
}

/// Requests whose bodies do not come.
async fn nobody_takes_all_the_service_at_once(scene: &Scene) {
    let attacker = scene.person().await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 20\r\n\r\n",
        attacker.path("/tasks"),
        attacker.access
    );
    let mut open = Vec::new();
    // Some more than may be, because who asks below is under way for a moment too.
    for _ in 0..120 {
        let mut stream = scene.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        open.push(stream);
    }
    // Until all are under way; they give up after ten seconds.
    for _ in 0..400 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let answer = attacker.request(&scene.api, "GET", "/tasks/1").send().await;
        if answer.status == 429 {
            problem(&answer, 429, "too-many-requests");
            let other: Person = scene.person().await;
            assert_eq!(scene.me(&other.access).await.status, 200);
            return;
        }
    }
    panic!("more than a hundred at once");
}

async fn nobody_fills_the_database_with_tasks(scene: &Scene) {
    let attacker = scene.person().await;
    for _ in 0..400 {
        scene.task(&attacker, json!({"title": "one more"})).await;
    }
    let request = attacker.request(&scene.api, "POST", "/tasks");
    let answer = request.json(&json!({"title": "one too many"})).send().await;
    problem(&answer, 422, "quota-exceeded");
}

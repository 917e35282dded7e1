//! Limits: what is tried too often is refused, and nobody else is kept out.

use errand_testbed::{Answer, Api, Person};
use serde_json::{Value, json};

use crate::support::{Backend, Service, on_all, problem};

on_all!(
    wrong_passwords_are_limited_and_stay_so,
    a_victim_signs_in_from_elsewhere,
    one_network_cannot_try_many_names,
    registrations_are_limited,
    a_made_up_address_changes_nothing,
    the_current_password_cannot_be_guessed_either,
    a_session_cannot_be_refreshed_without_end,
    refused_refresh_tokens_are_limited,
    unknown_names_are_limited_like_known_ones,
);

/// A service that counts its tests' address, and believes what they say of another.
async fn limited(backend: Backend) -> Service {
    let none = ("ERRAND__LIMITS__EXEMPT_NETWORKS", String::new());
    let proxy = ("ERRAND__SERVER__TRUSTED_PROXIES", "127.0.0.1".to_owned());
    Service::start_with(backend, &[none, proxy]).await
}

async fn post(api: &Api, path: &str, body: &Value, address: &str) -> Answer {
    api.request("POST", path)
        .header("x-forwarded-for", address)
        .json(body)
        .send()
        .await
}

async fn sign_in(api: &Api, name: &str, password: &str, address: &str) -> Answer {
    let body = json!({"email": name, "password": password});
    post(api, "/api/auth/login", &body, address).await
}

/// Signs in wrongly so often that the next try is refused.
async fn use_up(api: &Api, name: &str, address: &str) {
    for _ in 0..10 {
        problem(
            &sign_in(api, name, "a wrong guess", address).await,
            401,
            "bad-credentials",
        );
    }
}

fn too_many(answer: &Answer, policy: &str) {
    problem(answer, 429, "too-many-attempts");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    let told = format!("\"{policy}\";r=0;t={wait}");
    assert_eq!(answer.header("ratelimit"), Some(told.as_str()));
    let named = format!("\"{policy}\";q=");
    assert!(answer.header("ratelimit-policy").unwrap().starts_with(&named));
    assert!(wait > 0);
}

async fn wrong_passwords_are_limited_and_stay_so(backend: Backend) {
    let mut service = limited(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    use_up(&service.api, &ann.email, "192.0.2.1").await;
    let right = sign_in(&service.api, &ann.email, &ann.password, "192.0.2.1").await;
    too_many(&right, "sign-in-account");
    // Another letter case is the same account, and the other login paths are the same way in.
    let shouted = ann.email.to_uppercase();
    too_many(
        &sign_in(&service.api, &shouted, &ann.password, "192.0.2.1").await,
        "sign-in-account",
    );
    let form = format!(
        "grant_type=password&username={}&password=x",
        ann.email.replace('@', "%40")
    );
    let token = service
        .api
        .request("POST", "/api/token")
        .header("x-forwarded-for", "192.0.2.1")
        .raw(form, "application/x-www-form-urlencoded");
    let token = token.send().await;
    too_many(&token, "sign-in-account");
    let (_other, there) = service.replica().await;
    too_many(
        &sign_in(&there, &ann.email, &ann.password, "192.0.2.1").await,
        "sign-in-account",
    );
    service.crash_and_restart().await;
    too_many(
        &sign_in(&service.api, &ann.email, &ann.password, "192.0.2.1").await,
        "sign-in-account",
    );
    // Sessions that live notice nothing.
    let tasks = ann.request(&service.api, "GET", "/tasks").send().await;
    assert_eq!(tasks.status, 200);
}

async fn a_victim_signs_in_from_elsewhere(backend: Backend) {
    let service = limited(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let mut refused = 0;
    for n in 0..1000 {
        let guess = format!("wrong guess {n}");
        let answer = sign_in(&service.api, &ann.email, &guess, "2001:db8:1:2::1").await;
        refused += u32::from(answer.status == 429);
        assert!(answer.status == 401 || answer.status == 429, "{}", answer.text());
    }
    assert!(refused >= 985, "only {refused} were refused");
    let elsewhere = sign_in(&service.api, &ann.email, &ann.password, "2001:db8:1:3::1").await;
    assert_eq!(elsewhere.status, 200, "{}", elsewhere.text());
    // The same /64 is the same client.
    let neighbour = sign_in(&service.api, &ann.email, &ann.password, "2001:db8:1:2:ffff::9").await;
    too_many(&neighbour, "sign-in-account");
}

async fn one_network_cannot_try_many_names(backend: Backend) {
    let service = limited(backend).await;
    let mut statuses = Vec::new();
    for n in 0..24 {
        let name = format!("nobody{n}@example.com");
        let answer = sign_in(&service.api, &name, "a wrong guess", "192.0.2.1").await;
        statuses.push(answer.status);
        if answer.status == 429 {
            too_many(&answer, "sign-in-network");
        }
    }
    let wrong = statuses.iter().filter(|status| **status == 401).count();
    assert!((20..=22).contains(&wrong), "{statuses:?}");
    let ann = Person::register(&service.api, "ann").await;
    let elsewhere = sign_in(&service.api, &ann.email, &ann.password, "192.0.2.2").await;
    assert_eq!(elsewhere.status, 200);
}

async fn registrations_are_limited(backend: Backend) {
    let service = limited(backend).await;
    let register = async |n: u32, address: &str| {
        let body = json!({"email": format!("user{n}@example.com"), "password": "violet tandem bridge"});
        post(&service.api, "/api/auth/register", &body, address).await
    };
    for n in 0..8 {
        assert_eq!(register(n, "192.0.2.1").await.status, 201);
    }
    too_many(&register(8, "192.0.2.1").await, "registration");
    // Finding out who is registered is as limited.
    too_many(&register(0, "192.0.2.1").await, "registration");
    assert_eq!(register(9, "192.0.2.2").await.status, 201);
    let nothing = sign_in(
        &service.api,
        "user8@example.com",
        "violet tandem bridge",
        "192.0.2.3",
    )
    .await;
    problem(&nothing, 401, "bad-credentials");
}

/// Without a configured proxy nobody is believed.
async fn a_made_up_address_changes_nothing(backend: Backend) {
    let none = ("ERRAND__LIMITS__EXEMPT_NETWORKS", String::new());
    let service = Service::start_with(backend, &[none]).await;
    for n in 0..10 {
        let address = format!("192.0.2.{n}");
        let answer = sign_in(&service.api, "ann@example.com", "a wrong guess", &address).await;
        problem(&answer, 401, "bad-credentials");
    }
    let answer = sign_in(&service.api, "ann@example.com", "a wrong guess", "192.0.2.99").await;
    too_many(&answer, "sign-in-account");
}

async fn the_current_password_cannot_be_guessed_either(backend: Backend) {
    let service = limited(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let guess = async |method: &str, path: &str, body: Value| {
        ann.request(&service.api, method, path).json(&body).send().await
    };
    for _ in 0..5 {
        let change = json!({"current_password": "wrong", "new_password": "another violet tandem"});
        problem(&guess("PUT", "/password", change).await, 403, "wrong-password");
        let leave = json!({"password": "wrong"});
        problem(&guess("DELETE", "", leave).await, 403, "wrong-password");
    }
    let leave = json!({"password": ann.password});
    too_many(&guess("DELETE", "", leave).await, "confirmation");
    let tasks = ann.request(&service.api, "GET", "/tasks").send().await;
    assert_eq!(tasks.status, 200, "the account is there");
}

async fn a_session_cannot_be_refreshed_without_end(backend: Backend) {
    let service = limited(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let mut token = ann.refresh.clone();
    let mut refreshed = 0;
    let refused = loop {
        let body = json!({"refresh_token": token});
        let answer = post(&service.api, "/api/auth/refresh", &body, "192.0.2.1").await;
        if answer.status != 200 {
            break answer;
        }
        refreshed += 1;
        assert!(refreshed < 120, "no limit");
        answer.json()["refresh_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut token);
    };
    too_many(&refused, "refresh");
    assert!(refreshed >= 60, "{refreshed}");
    // The token is what it was: refused once more, and the session lives.
    let body = json!({"refresh_token": token});
    too_many(
        &post(&service.api, "/api/auth/refresh", &body, "192.0.2.2").await,
        "refresh",
    );
    assert_eq!(
        ann.request(&service.api, "GET", "/tasks").send().await.status,
        200
    );
}

async fn refused_refresh_tokens_are_limited(backend: Backend) {
    let service = limited(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let mut answers = Vec::new();
    for _ in 0..80 {
        let body = json!({"refresh_token": "A".repeat(96)});
        answers.push(post(&service.api, "/api/auth/refresh", &body, "192.0.2.1").await);
    }
    problem(&answers[0], 401, "invalid-refresh-token");
    too_many(
        answers.iter().find(|a| a.status == 429).unwrap(),
        "refused-refresh",
    );
    let body = json!({"refresh_token": ann.refresh});
    let elsewhere = post(&service.api, "/api/auth/refresh", &body, "192.0.2.2").await;
    assert_eq!(elsewhere.status, 200);
}

/// Which name is an account's does not show by the limit.
async fn unknown_names_are_limited_like_known_ones(backend: Backend) {
    let service = limited(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let mut seen = Vec::new();
    for (name, address) in [
        (ann.email.as_str(), "192.0.2.1"),
        ("nobody@example.com", "192.0.2.2"),
        ("not a name at all", "192.0.2.3"),
    ] {
        use_up(&service.api, name, address).await;
        let refused = sign_in(&service.api, name, "a wrong guess", address).await;
        too_many(&refused, "sign-in-account");
        seen.push(refused.json()["code"].clone());
    }
    assert_eq!(seen, vec![json!("too-many-attempts"); 3]);
}

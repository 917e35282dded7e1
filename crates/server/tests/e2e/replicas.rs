//! Two replicas on one database.

use std::time::Duration;

use errand_testbed::{Api, Person};
use serde_json::{Value, json};

use crate::support::{Backend, SIGNING_KEY, Service, at_once, on_all, problem};

on_all!(every_end_of_a_session_reaches_the_other_replica);

/// What a revocation may take to reach another replica.
const REACH: Duration = Duration::from_secs(1);

async fn login(api: &Api, person: &Person) -> Value {
    let body = json!({"email": person.email, "password": person.password});
    let answer = api.request("POST", "/api/auth/login").json(&body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}

async fn me(api: &Api, token: &str) -> u16 {
    let answer = api.request("GET", "/api/auth/me").bearer(token).send().await;
    answer.status
}

async fn refresh(api: &Api, token: &str) -> errand_testbed::Answer {
    let body = json!({"refresh_token": token});
    api.request("POST", "/api/auth/refresh").json(&body).send().await
}

/// Logout, ending one or all, another password, reuse, disabling, setting a password, deleting.
async fn every_end_of_a_session_reaches_the_other_replica(backend: Backend) {
    let service = Service::start(backend).await;
    let here = &service.api;
    let (_there, there) = service.replica().await;
    for kind in [
        "logout",
        "end",
        "end-all",
        "password",
        "reuse",
        "disable",
        "set-password",
        "delete",
        "delete-by-admin",
    ] {
        let person = Person::register(here, kind).await;
        let grant = login(here, &person).await;
        let (token, sid) = (text(&grant, "access_token"), text(&grant, "refresh_token"));
        assert_eq!((me(here, &token).await, me(&there, &token).await), (200, 200));
        let act = |method: &str, rest: &str| person.request(here, method, rest);
        let mut at_once_here = true;
        match kind {
            "logout" => {
                here.request("POST", "/api/auth/logout")
                    .bearer(&token)
                    .send()
                    .await;
            }
            "end" => {
                let sessions = act("GET", "/sessions").send().await.json();
                let id = text(&sessions[1], "id");
                act("DELETE", &format!("/sessions/{id}")).send().await;
            }
            "end-all" => {
                act("DELETE", "/sessions").send().await;
            }
            "password" => {
                let body =
                    json!({"current_password": person.password, "new_password": "another violet tandem"});
                act("PUT", "/password").json(&body).send().await;
            }
            "reuse" => {
                let next = text(&refresh(here, &sid).await.json(), "refresh_token");
                refresh(here, &next).await;
                assert_eq!(refresh(here, &sid).await.status, 401);
            }
            "delete" => {
                let body = json!({"password": person.password});
                act("DELETE", "").json(&body).send().await;
            }
            _ => {
                at_once_here = false;
                let email = person.email.as_str();
                let (arguments, input): (&[&str], _) = match kind {
                    "disable" => (&["user", "disable", email], ""),
                    "set-password" => (&["user", "set-password", email], "another violet tandem"),
                    _ => (&["user", "delete", email, "--yes"], ""),
                };
                let output = service.command(arguments, input);
                assert!(
                    output.status.success(),
                    "{}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
        if at_once_here {
            assert_eq!(me(here, &token).await, 401, "{kind}, where it was done");
        }
        tokio::time::sleep(REACH).await;
        assert_eq!(me(here, &token).await, 401, "{kind}, here");
        assert_eq!(me(&there, &token).await, 401, "{kind}, on the other replica");
        assert_eq!(
            refresh(&there, &sid).await.status,
            401,
            "{kind}, the refresh token"
        );
    }
}

/// Whoever wins, nothing that the refresh gave works once the logout has been answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_against_logout_leaves_no_living_token() {
    const ROUNDS: usize = 1_000;
    let service = Service::start(Backend::Postgres).await;
    let here = &service.api;
    let (_errand, there) = service.replica().await;
    let ann = Person::register(here, "ann").await;
    let mut won = [0, 0];
    let mut leftovers = Vec::new();
    for round in 0..ROUNDS {
        let grant = login(here, &ann).await;
        let (access, token) = (text(&grant, "access_token"), text(&grant, "refresh_token"));
        let answers = at_once(2, |n| {
            let (here, there) = (here.clone(), there.clone());
            let (access, token) = (access.clone(), token.clone());
            async move {
                // Each side in turn on either replica.
                let (a, b) = if round % 2 == 0 {
                    (here, there)
                } else {
                    (there, here)
                };
                if n == 0 {
                    refresh(&a, &token).await
                } else {
                    b.request("POST", "/api/auth/logout").bearer(&access).send().await
                }
            }
        })
        .await;
        assert_eq!(answers[1].status, 200, "{}", answers[1].text());
        if answers[0].status == 200 {
            won[0] += 1;
            let grant = answers[0].json();
            // The refresh token is dead at once and everywhere.
            assert_eq!(
                refresh(here, &text(&grant, "refresh_token")).await.status,
                401,
                "round {round}"
            );
            leftovers.push(text(&grant, "access_token"));
        } else {
            won[1] += 1;
            problem(&answers[0], 401, "invalid-refresh-token");
        }
        leftovers.push(access);
    }
    println!(
        "the refresh came first {} times, the logout {} times",
        won[0], won[1]
    );
    tokio::time::sleep(REACH).await;
    for token in leftovers {
        assert_eq!((me(here, &token).await, me(&there, &token).await), (401, 401));
    }
}

/// The steps of an operator: both replicas learn the new key, both sign with it, both forget the old one. A
/// client that asks without pause, and turns to the other replica while one restarts, never sees a 401.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "tests may spawn")]
async fn keys_roll_without_a_401() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

    const NEW_KEY: &str = "Zt4nB8xQ2mKv7RwJ5hPd9LsYc3FgEa6U";
    let mut service = Service::start(Backend::Postgres).await;
    let ann = Person::register(&service.api, "ann").await;
    let old_token = ann.access.clone();
    let (second, _) = service.replica().await;
    let apis = Arc::new(std::sync::Mutex::new([
        service.api.clone(),
        Api::new(second.base_url()),
    ]));
    // The service's own process is the first replica.
    let mut replicas = [None, Some(second)];
    let (stop, asked, refused) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = (0..8)
        .map(|n| {
            let (apis, stop, asked, refused) = (apis.clone(), stop.clone(), asked.clone(), refused.clone());
            let person = ann.clone();
            tokio::spawn(async move {
                let mut person = person;
                let mut turn = n;
                while !stop.load(SeqCst) {
                    turn += 1;
                    let api = apis.lock().unwrap()[turn % 2].clone();
                    let Ok(answer) = person.request(&api, "GET", "/tasks").try_send().await else {
                        continue; // this replica restarts
                    };
                    asked.fetch_add(1, SeqCst);
                    if answer.status == 401 {
                        refused.fetch_add(1, SeqCst);
                    }
                    if turn % 50 == 0 && n == 0 {
                        let body = json!({"refresh_token": person.refresh});
                        let fresh = api
                            .request("POST", "/api/auth/refresh")
                            .json(&body)
                            .try_send()
                            .await;
                        if let Ok(fresh) = fresh
                            && fresh.status == 200
                        {
                            person.access = text(&fresh.json(), "access_token");
                            person.refresh = text(&fresh.json(), "refresh_token");
                        }
                    }
                }
            })
        })
        .collect();
    for (sign, verify) in [(SIGNING_KEY, NEW_KEY), (NEW_KEY, SIGNING_KEY)] {
        for (n, replica) in replicas.iter_mut().enumerate() {
            let running = replica.as_mut().unwrap_or(&mut service.errand);
            running.terminate();
            running.wait().await;
            service.set("JWT_SECRET", sign);
            service.set("ERRAND__AUTH__JWT_VERIFY_SECRETS", verify);
            let (errand, api) = service.replica().await;
            *replica = Some(errand);
            apis.lock().unwrap()[n] = api;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    stop.store(true, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    assert!(asked.load(SeqCst) > 100, "{} requests", asked.load(SeqCst));
    assert_eq!(refused.load(SeqCst), 0);
    // Once the old key is taken out, its tokens are refused at once.
    service.set("ERRAND__AUTH__JWT_VERIFY_SECRETS", "");
    let (_last, api) = service.replica().await;
    assert_eq!(me(&api, &old_token).await, 401);
}

//! Many at once: exactly one may win, or all must count.

use std::collections::HashSet;

use errand_testbed::Person;
use serde_json::json;

use crate::support::{Backend, Service, at_once, create, list, on_all};

on_all!(
    one_registration_wins,
    one_line_of_refresh_tokens_lives,
    every_toggle_counts,
    every_change_counts
);

async fn one_registration_wins(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let answers = at_once(50, |n| {
        let email: String = "ann@example.com"
            .chars()
            .enumerate()
            .map(|(i, c)| {
                if (n >> (i % 6)) & 1 == 1 {
                    c.to_ascii_uppercase()
                } else {
                    c
                }
            })
            .collect();
        let request = api
            .request("POST", "/api/auth/register")
            .json(&json!({"email": email, "password": "violet tandem bridge"}));
        async move { request.send().await.status }
    })
    .await;
    assert_eq!(answers.iter().filter(|s| **s == 201).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|s| **s == 409).count(), 49, "{answers:?}");
}

async fn one_line_of_refresh_tokens_lives(backend: Backend) {
    let service = Service::start(backend).await;
    let (_other, there) = service.replica().await;
    for round in 0..5 {
        let ann = Person::register(&service.api, &format!("ann{round}")).await;
        let answers = at_once(50, |n| {
            let api = if n % 2 == 0 { &service.api } else { &there };
            let request = api
                .request("POST", "/api/auth/refresh")
                .json(&json!({"refresh_token": ann.refresh}));
            async move { request.send().await }
        })
        .await;
        let mut successors = HashSet::new();
        for answer in &answers {
            assert_eq!(answer.status, 200, "{}", answer.text());
            successors.insert(answer.json()["refresh_token"].as_str().unwrap().to_owned());
        }
        assert_eq!(successors.len(), 1, "more than one line");
        let sessions = ann.request(&service.api, "GET", "/sessions").send().await.json();
        assert_eq!(sessions.as_array().unwrap().len(), 1);
    }
}

async fn every_toggle_counts(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    create(&service.api, &ann, json!({"title": "a"})).await;
    for round in 1..=5 {
        let answers = at_once(50, |_| {
            let request = ann.request(&service.api, "PATCH", "/tasks/1/complete");
            async move { request.send().await }
        })
        .await;
        let mut versions: Vec<_> = answers
            .iter()
            .map(|answer| {
                assert_eq!(answer.status, 200, "{}", answer.text());
                answer.json()["version"].as_i64().unwrap()
            })
            .collect();
        versions.sort_unstable();
        let first = (round - 1) * 50 + 2;
        assert_eq!(
            versions,
            (first..first + 50).collect::<Vec<_>>(),
            "a toggle was lost"
        );
        let task = &list(&service.api, &ann, "").await[0];
        assert_eq!(
            (&task["completed"], &task["version"]),
            (&json!(false), &json!(round * 50 + 1))
        );
    }
}

async fn every_change_counts(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    create(&service.api, &ann, json!({"title": "a"})).await;
    let answers = at_once(60, |n| {
        let change = match n % 3 {
            0 => json!({"description": format!("d{n}")}),
            1 => json!({"tags": [format!("t{n}")]}),
            _ => json!({"title": format!("made {n}")}),
        };
        let request = match n % 3 {
            2 => ann.request(&service.api, "POST", "/tasks").json(&change),
            _ => ann.request(&service.api, "PUT", "/tasks/1").json(&change),
        };
        async move { request.send().await.status }
    })
    .await;
    assert!(answers.iter().all(|s| *s == 200 || *s == 201), "{answers:?}");
    let tasks = list(&service.api, &ann, "?order=asc").await;
    let ids: HashSet<_> = tasks.iter().map(|t| t["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (1..=21).collect::<HashSet<_>>());
    assert_eq!(tasks.iter().find(|t| t["id"] == 1).unwrap()["version"], 41);
}

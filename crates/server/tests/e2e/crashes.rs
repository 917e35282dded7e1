//! `kill -9` in the middle of writes: everything acknowledged is there afterwards.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use errand_testbed::Person;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Backend, Service, all_pages, on_all};

on_all!(what_was_acknowledged_survives_twenty_crashes);

async fn what_was_acknowledged_survives_twenty_crashes(backend: Backend) {
    let mut service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let acknowledged = Arc::new(Mutex::new(HashSet::new()));
    for round in 0..20_u64 {
        let before = acknowledged.lock().unwrap().len();
        let mut writers = JoinSet::new();
        for writer in 0..8 {
            let (api, ann, acknowledged) = (service.api.clone(), ann.clone(), acknowledged.clone());
            writers.spawn(async move {
                for n in 0.. {
                    let title = format!("r{round} w{writer} n{n}");
                    let request = ann.request(&api, "POST", "/tasks").json(&json!({"title": title}));
                    match request.try_send().await {
                        Ok(answer) if answer.status == 201 => {
                            acknowledged
                                .lock()
                                .unwrap()
                                .insert((answer.json()["id"].as_i64().unwrap(), title));
                        }
                        Ok(answer) => panic!("{}", answer.text()),
                        Err(_) => return,
                    }
                }
            });
        }
        // In the middle of writes, however fast they are here.
        for _ in 0..2000 {
            if acknowledged.lock().unwrap().len() >= before + 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(round * 37 % 140)).await;
        service.crash_and_restart().await;
        while let Some(done) = writers.join_next().await {
            done.unwrap();
        }
    }
    let tasks = all_pages(&service.api, &ann, "?limit=1000").await;
    let there: HashSet<_> = tasks
        .iter()
        .map(|t| (t["id"].as_i64().unwrap(), t["title"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(there.len(), tasks.len(), "an id was given twice");
    let acknowledged = acknowledged.lock().unwrap();
    assert!(
        acknowledged.len() >= 100,
        "only {} writes were acknowledged",
        acknowledged.len()
    );
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged writes are lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    let titles: HashSet<_> = there.iter().map(|(_, title)| title).collect();
    assert_eq!(titles.len(), there.len(), "a write was doubled");
}

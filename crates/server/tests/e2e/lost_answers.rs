//! `Idempotency-Key` where it is for: answers that were lost on the way, and with a crash.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use errand_testbed::{Api, Person, Proxy};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::idempotency::{keyed, post, replayed, toggle};
use crate::support::{Backend, Service, all_pages, create, list, on_all};
use crate::tasks::ann;

on_all!(
    a_toggle_whose_answer_was_lost_is_not_flipped_back,
    a_crash_between_commit_and_answer_doubles_nothing,
);

/// Where a service listens.
fn address(service: &Service) -> SocketAddr {
    let url = service.errand.base_url();
    url.trim_start_matches("http://").parse().unwrap()
}

fn through(proxy: &Proxy) -> Api {
    Api::new(format!("http://{}", proxy.addr()))
}

#[derive(Default)]
struct Memory {
    /// By key: what was acknowledged.
    told: Vec<(String, Value)>,
    /// Keys of requests whose end is unknown.
    open: Vec<String>,
}

/// Makes tasks until the connection breaks.
async fn write(api: Api, ann: Person, name: String, memory: Arc<Mutex<Memory>>) {
    for n in 0.. {
        let key = format!("{name}-{n}");
        let request = keyed(&api, &ann, "POST", "/tasks", &key).json(&json!({"title": key}));
        match request.try_send().await {
            Ok(answer) if answer.status == 201 => {
                assert!(!replayed(&answer, 201));
                memory.lock().unwrap().told.push((key, answer.json()));
            }
            Ok(answer) => panic!("{}", answer.text()),
            Err(_) => {
                memory.lock().unwrap().open.push(key);
                return;
            }
        }
    }
}

async fn a_toggle_whose_answer_was_lost_is_not_flipped_back(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let made = create(
        api,
        &ann,
        json!({"title": "a", "due_date": "2026-03-01", "recurrence": "daily"}),
    )
    .await;
    let proxy = Proxy::start(address(&service)).await;
    proxy.set_delay(Duration::from_millis(700));
    let slow = through(&proxy);
    let mut version = made["version"].as_i64().unwrap();
    let mut lost = 0;
    for round in 0..20 {
        let key = format!("toggle {round}").replace(' ', "-");
        let before = list(api, &ann, "?status=all&order=asc&limit=1").await.remove(0);
        let request = keyed(&slow, &ann, "PATCH", "/tasks/1/complete", &key);
        let flipped = async {
            loop {
                let now = ann.request(api, "GET", "/tasks/1").send().await.json();
                if now["version"] != before["version"] {
                    break;
                }
            }
            proxy.cut_all();
        };
        let (answer, ()) = tokio::join!(request.try_send(), flipped);
        lost += usize::from(answer.is_err());
        version += 1;
        for _ in 0..2 {
            let again = toggle(api, &ann, 1, &key).await;
            assert!(replayed(&again, 200));
            let task = again.json();
            assert_ne!(task["completed"], before["completed"]);
            assert_eq!(task["version"], version, "flipped back");
            let now = ann.request(api, "GET", "/tasks/1").send().await;
            assert_eq!(now.json(), task);
        }
        let open = list(api, &ann, "?status=pending").await;
        assert_eq!(open.len(), 1, "{open:?}");
        if lost >= 3 {
            return;
        }
    }
    panic!("only {lost} answers were lost");
}

async fn a_crash_between_commit_and_answer_doubles_nothing(backend: Backend) {
    const ROUNDS: u64 = 20;
    let mut service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let memory = Arc::new(Mutex::new(Memory::default()));
    let mut known = 0;
    for round in 0..ROUNDS {
        // So long each answer is on its way, and lost with it.
        let proxy = Proxy::start(address(&service)).await;
        proxy.set_delay(Duration::from_millis(round % 4 * 10));
        let mut writers = JoinSet::new();
        let before = memory.lock().unwrap().told.len();
        for writer in 0..6 {
            let name = format!("r{round}w{writer}");
            writers.spawn(write(through(&proxy), ann.clone(), name, memory.clone()));
        }
        for _ in 0..2000 {
            if memory.lock().unwrap().told.len() >= before + 6 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(round * 37 % 90)).await;
        service.errand.kill_9();
        proxy.cut_all();
        while let Some(done) = writers.join_next().await {
            done.unwrap();
        }
        // What is dead cannot be killed once more, but started.
        service.crash_and_restart().await;
        let open = std::mem::take(&mut memory.lock().unwrap().open);
        assert_eq!(open.len(), 6);
        for key in open {
            let body = json!({"title": key});
            let first = post(&service.api, &ann, &key, &body).await;
            known += usize::from(replayed(&first, 201));
            let second = post(&service.api, &ann, &key, &body).await;
            assert!(replayed(&second, 201));
            assert_eq!(first.body, second.body);
            memory.lock().unwrap().told.push((key, first.json()));
        }
    }
    println!("{known} of {} were done, and their answers lost", ROUNDS * 6);
    assert!(known > 0, "no crash came between commit and answer");
    let mut there: Vec<_> = all_pages(&service.api, &ann, "?limit=1000").await;
    let told = std::mem::take(&mut memory.lock().unwrap().told);
    let mut told: Vec<_> = told
        .into_iter()
        .map(|(key, task)| {
            assert_eq!(task["title"], key.as_str());
            task
        })
        .collect();
    for tasks in [&mut there, &mut told] {
        tasks.sort_by_key(|task| task["id"].as_i64());
    }
    assert_eq!(there, told, "lost or doubled");
}

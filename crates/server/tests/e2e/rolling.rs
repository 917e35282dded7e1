//! Replicas that restart one after the other behind a balancer: nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use errand_testbed::{Api, Errand, Person};
use serde_json::json;
use tokio::sync::RwLock;
use tokio::task::JoinSet;

use crate::support::{Backend, Service, all_pages};

const CLIENTS: usize = 8;
const RESTARTS: usize = 10;

/// What a balancer knows of a replica.
struct Backing {
    api: Api,
    up: bool,
}

/// Sends requests to replicas that are up, by what their readiness said; goes to the next one only if a
/// connection is refused, because nothing else shows that nothing was done.
#[derive(Clone)]
struct Balancer {
    replicas: Arc<RwLock<Vec<Backing>>>,
    turn: Arc<AtomicUsize>,
}

impl Balancer {
    async fn check(&self) {
        for n in 0..2 {
            let api = self.replicas.read().await[n].api.clone();
            let answer = api.request("GET", "/health/ready").try_send().await;
            let up = answer.is_ok_and(|answer| answer.status == 200);
            let mut replicas = self.replicas.write().await;
            // It may have been replaced meanwhile.
            if replicas[n].api.base_url() == api.base_url() {
                replicas[n].up = up;
            }
        }
    }

    /// The status, or how the request failed.
    async fn send(&self, person: &Person, method: &str, body: Option<&str>) -> Result<u16, String> {
        let turn = self.turn.fetch_add(1, SeqCst);
        let mut last = "no replica is up".to_owned();
        for n in [turn % 2, (turn + 1) % 2] {
            let api = {
                let replicas = self.replicas.read().await;
                if !replicas[n].up {
                    continue;
                }
                replicas[n].api.clone()
            };
            let mut request = person.request(&api, method, "/tasks");
            if let Some(title) = body {
                request = request.json(&json!({"title": title}));
            }
            match request.try_send().await {
                Ok(answer) => return Ok(answer.status),
                Err(error) if error.is_connect() => last = format!("{error:?}"),
                Err(error) => return Err(format!("{error:?}")),
            }
        }
        Err(last)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_restart_ten_times_without_a_failed_request() {
    let service = Service::start(Backend::Postgres).await;
    let (second, second_api) = service.replica().await;
    let ann = Person::register(&service.api, "ann").await;
    let balancer = Balancer {
        replicas: Arc::new(RwLock::new(
            [service.api.clone(), second_api]
                .into_iter()
                .map(|api| Backing { api, up: true })
                .collect(),
        )),
        turn: Arc::default(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (balancer, ann, stop) = (balancer.clone(), ann.clone(), stop.clone());
        clients.spawn(async move {
            let (mut made, mut failed) = (0, Vec::new());
            for n in 0.. {
                if stop.load(SeqCst) {
                    break;
                }
                let title = format!("c{client} n{n}");
                let (method, body, right) = if n % 5 == 0 {
                    ("POST", Some(title.as_str()), 201)
                } else {
                    ("GET", None, 200)
                };
                match balancer.send(&ann, method, body).await {
                    Ok(status) if status == right => made += usize::from(n % 5 == 0),
                    other => failed.push(format!("{method}: {other:?}")),
                }
            }
            (made, failed)
        });
    }
    let checks = {
        let (balancer, stop) = (balancer.clone(), stop.clone());
        async move {
            while !stop.load(SeqCst) {
                balancer.check().await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let restarts = async {
        let mut running: Vec<Option<Errand>> = vec![None, Some(second)];
        let mut first = Some(service);
        for n in 0..RESTARTS {
            let which = n % 2;
            // The first replica is the service's own until it goes.
            let service = first.as_mut().unwrap();
            let old = running[which].as_mut().unwrap_or(&mut service.errand);
            old.terminate();
            assert!(old.wait().await.success(), "{}", old.log());
            let (errand, api) = service.replica().await;
            running[which] = Some(errand);
            balancer.replicas.write().await[which] = Backing { api, up: true };
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        stop.store(true, SeqCst);
        (first, running)
    };
    let ((), (_service, _running)) = tokio::join!(checks, restarts);
    let (mut made, mut failed) = (0, Vec::new());
    for (its, failures) in clients.join_all().await {
        made += its;
        failed.extend(failures);
    }
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed.first());
    assert!(made > 100, "{made} creations");
    let api = balancer.replicas.read().await[0].api.clone();
    assert_eq!(all_pages(&api, &ann, "?limit=1000").await.len(), made);
}

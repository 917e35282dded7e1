//! Paging by cursor while somebody else writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use errand_testbed::Person;
use serde_json::json;

use crate::support::{Backend, Service, all_pages, create, on_all, pluck};

on_all!(every_task_that_exists_throughout_is_seen_once);

#[expect(clippy::disallowed_methods, reason = "tests may spawn")]
async fn every_task_that_exists_throughout_is_seen_once(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let priorities = ["Low", "Medium", "High"];
    for n in 0..120 {
        let due = format!("2026-12-{:02}", n % 28 + 1);
        create(
            &service.api,
            &ann,
            json!({"title": format!("keep {}", n % 10), "priority": priorities[n % 3], "due_date": due}),
        )
        .await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writes = Arc::new(AtomicUsize::new(0));
    let writer = tokio::spawn({
        let (api, ann, stop, writes) = (service.api.clone(), ann.clone(), stop.clone(), writes.clone());
        async move {
            let mut n: usize = 7;
            while !stop.load(Ordering::Relaxed) {
                n = n.wrapping_mul(1_103_515_245).wrapping_add(12_345) % 1_000_003;
                let id = n % 120 + 1;
                // Moves a kept task through every order, makes one, and deletes one that was made before.
                let change = json!({"title": format!("keep {}", n % 13), "priority": priorities[n % 3],
                    "due_date": if n.is_multiple_of(5) { json!(null) } else { json!(format!("2027-01-{:02}", n % 28 + 1)) }});
                assert_eq!(
                    ann.request(&api, "PUT", &format!("/tasks/{id}"))
                        .json(&change)
                        .send()
                        .await
                        .status,
                    200
                );
                let made = create(&api, &ann, json!({"title": format!("made {n}")})).await["id"].clone();
                if n.is_multiple_of(2) {
                    assert_eq!(
                        ann.request(&api, "DELETE", &format!("/tasks/{made}"))
                            .send()
                            .await
                            .status,
                        200
                    );
                }
                writes.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    for sort in ["created_at", "updated_at", "title", "due_date", "priority"] {
        for order in ["asc", "desc"] {
            for limit in [7, 50] {
                let seen = all_pages(
                    &service.api,
                    &ann,
                    &format!("?limit={limit}&sort={sort}&order={order}"),
                )
                .await;
                let mut ids: Vec<_> = pluck(&seen, "id").iter().map(|id| id.as_i64().unwrap()).collect();
                ids.sort_unstable();
                let whole = ids.len();
                ids.dedup();
                assert_eq!(ids.len(), whole, "{sort} {order} {limit}: a task came twice");
                let kept = ids.iter().filter(|id| **id <= 120).count();
                assert_eq!(kept, 120, "{sort} {order} {limit}: a task was missed");
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    assert!(
        writes.load(Ordering::Relaxed) > 20,
        "the writer did not get to write"
    );
}

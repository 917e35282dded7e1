//! Lists: filters, search, order, pages, and what is wrong with a query.

use errand_testbed::Person;
use serde_json::{Value, json};

use crate::support::{Backend, Service, all_pages, create, list, next_link, on_all, pluck, problem};
use crate::tasks::ann;

on_all!(
    lists_filter,
    lists_search_literally_and_in_unicode,
    lists_sort,
    lists_page,
    bad_parameters_are_named,
);

async fn fixtures(service: &Service, ann: &Person) {
    for body in [
        json!({"title": "Banana", "priority": "Low", "tags": "work,home", "due_date": "2026-12-03"}),
        json!({"title": "äpfel", "priority": "High", "tags": "homework", "due_date": "2026-12-01T12:00:00Z", "completed": true}),
        json!({"title": "apple", "description": "100% Straße_x", "due_date": "2026-12-01"}),
        json!({"title": "Zebra", "priority": "High", "tags": ["Work"], "completed": true}),
        json!({"title": "APPLE pie", "description": "nothing"}),
    ] {
        create(&service.api, ann, body).await;
    }
}

async fn titles(service: &Service, ann: &Person, query: &str) -> Vec<Value> {
    pluck(&list(&service.api, ann, query).await, "title")
}

async fn lists_filter(backend: Backend) {
    let (service, ann) = ann(backend).await;
    fixtures(&service, &ann).await;
    for (query, expected) in [
        ("", vec!["APPLE pie", "Zebra", "apple", "äpfel", "Banana"]),
        (
            "?status=all",
            vec!["APPLE pie", "Zebra", "apple", "äpfel", "Banana"],
        ),
        ("?status=pending", vec!["APPLE pie", "apple", "Banana"]),
        ("?status=completed&completed=true", vec!["Zebra", "äpfel"]),
        ("?completed=false", vec!["APPLE pie", "apple", "Banana"]),
        ("?priority=High,low", vec!["Zebra", "äpfel", "Banana"]),
        ("?priority=medium", vec!["APPLE pie", "apple"]),
        ("?tag=WORK", vec!["Zebra", "Banana"]),
        ("?tag=home,homework", vec!["äpfel", "Banana"]),
        ("?tag=wor", vec![]),
        ("?due_before=2026-12-03", vec!["apple", "äpfel"]),
        ("?due_before=2026-12-01T12:00:00Z", vec!["apple"]),
        ("?due_after=2026-12-01", vec!["Banana"]),
        ("?due_after=2026-12-01T00:00:00Z", vec!["äpfel", "Banana"]),
        (
            "?due_after=2026-11-30&due_before=2026-12-02&status=completed",
            vec!["äpfel"],
        ),
    ] {
        assert_eq!(titles(&service, &ann, query).await, expected, "{query}");
    }
}

async fn lists_search_literally_and_in_unicode(backend: Backend) {
    let (service, ann) = ann(backend).await;
    fixtures(&service, &ann).await;
    for (query, expected) in [
        ("?q=apple", vec!["APPLE pie", "apple"]),
        ("?search=PIE%20apple", vec!["APPLE pie"]),
        ("?q=%C3%84PFEL", vec!["äpfel"]),
        ("?q=STRASSE", vec!["apple"]),
        ("?q=100%25", vec!["apple"]),
        ("?q=_", vec!["apple"]),
        ("?q=%25", vec!["apple"]),
        ("?q=%5C", vec![]),
        ("?q='", vec![]),
        ("?q=apple+nothing", vec!["APPLE pie"]),
        ("?q=e_x%20pp", vec!["apple"]),
        ("?q=", vec!["APPLE pie", "Zebra", "apple", "äpfel", "Banana"]),
    ] {
        assert_eq!(titles(&service, &ann, query).await, expected, "{query}");
    }
}

async fn lists_sort(backend: Backend) {
    let (service, ann) = ann(backend).await;
    fixtures(&service, &ann).await;
    for (query, expected) in [
        (
            "?sort=title",
            vec!["apple", "APPLE pie", "Banana", "Zebra", "äpfel"],
        ),
        (
            "?sort_by=title&order=desc",
            vec!["äpfel", "Zebra", "Banana", "APPLE pie", "apple"],
        ),
        (
            "?sort=due_date",
            vec!["apple", "äpfel", "Banana", "Zebra", "APPLE pie"],
        ),
        (
            "?sort=due_date&order=desc",
            vec!["Banana", "äpfel", "apple", "APPLE pie", "Zebra"],
        ),
        (
            "?sort=priority",
            vec!["Zebra", "äpfel", "APPLE pie", "apple", "Banana"],
        ),
        (
            "?sort=priority&order=asc",
            vec!["Banana", "apple", "APPLE pie", "äpfel", "Zebra"],
        ),
        (
            "?sort=created&order=asc",
            vec!["Banana", "äpfel", "apple", "Zebra", "APPLE pie"],
        ),
    ] {
        assert_eq!(titles(&service, &ann, query).await, expected, "{query}");
    }
    ann.request(&service.api, "PUT", "/tasks/1")
        .json(&json!({"description": "moved"}))
        .send()
        .await;
    assert_eq!(titles(&service, &ann, "?sort=updated").await[0], "Banana");
}

async fn lists_page(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    for n in 0..25 {
        create(
            api,
            &ann,
            json!({"title": format!("task {}", n % 4), "priority": if n % 2 == 0 { "Low" } else { "High" }}),
        )
        .await;
    }
    for sort in [
        "",
        "&sort=title",
        "&sort=priority&order=asc",
        "&sort=updated_at",
        "&sort=due_date",
        "&order=asc",
    ] {
        let whole = list(api, &ann, &format!("?limit=1000{sort}")).await;
        for limit in [1, 7, 25, 26] {
            let paged = all_pages(api, &ann, &format!("?limit={limit}{sort}")).await;
            assert_eq!(pluck(&paged, "id"), pluck(&whole, "id"), "limit {limit} {sort}");
        }
        let offset = list(api, &ann, &format!("?limit=5&offset=10{sort}")).await;
        assert_eq!(offset, whole[10..15], "{sort}");
    }
    let page = ann
        .request(api, "GET", "/tasks?limit=10&count=true&priority=High")
        .send()
        .await;
    assert_eq!(page.header("x-total-count"), Some("12"));
    let next = next_link(&page).unwrap();
    assert!(
        next.starts_with("/api/1/tasks?") && next.contains("priority=High"),
        "{next}"
    );
    let follow =
        async |path: &str, person: &Person| api.request("GET", path).bearer(&person.access).send().await;
    assert_eq!(follow(&next, &ann).await.json().as_array().unwrap().len(), 2);
    let none = ann.request(api, "GET", "/tasks?limit=25").send().await;
    assert_eq!((none.header("x-total-count"), none.header("link")), (None, None));

    // A cursor is bound to its user, filters and order.
    let cursor = next
        .split("cursor=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .to_owned();
    let bob = Person::register(api, "bob").await;
    let flipped = format!(
        "{}{}",
        if cursor.starts_with('A') { 'B' } else { 'A' },
        &cursor[1..]
    );
    for (person, query) in [
        (&bob, format!("?priority=High&cursor={cursor}")),
        (&ann, format!("?cursor={cursor}")),
        (&ann, format!("?priority=High&order=asc&cursor={cursor}")),
        (&ann, format!("?priority=High&cursor={flipped}")),
        (&ann, "?cursor=nonsense".to_owned()),
        (&ann, format!("?priority=High&cursor={cursor}&offset=1")),
    ] {
        let answer = follow(&person.path(&format!("/tasks{query}")), person).await;
        let told = problem(&answer, 422, "validation-failed");
        assert!(
            ["cursor", "offset"].contains(&told["errors"][0]["parameter"].as_str().unwrap()),
            "{told}"
        );
    }
}

async fn bad_parameters_are_named(backend: Backend) {
    let (service, ann) = ann(backend).await;
    for (query, parameter) in [
        ("?user_id=2", "user_id"),
        ("?filter[user_id]=2", "filter[user_id]"),
        ("?status=done", "status"),
        ("?status=pending&status=pending", "status"),
        ("?status=pending&completed=true", "completed"),
        ("?completed=1", "completed"),
        ("?priority=urgent", "priority"),
        ("?priority=High,,Low", "priority"),
        ("?sort=user_id", "sort"),
        ("?sort=title;drop", "sort"),
        ("?sort=title&sort_by=title", "sort_by"),
        ("?q=a&search=a", "search"),
        ("?order=up", "order"),
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=1e2", "limit"),
        ("?limit=18446744073709551616", "limit"),
        ("?limit=%2B5", "limit"),
        ("?offset=100001", "offset"),
        ("?offset=-1", "offset"),
        ("?due_before=soon", "due_before"),
        ("?due_after=2026-02-30", "due_after"),
        ("?count=yes", "count"),
        ("?q=a%00b", "q"),
    ] {
        let answer = ann
            .request(&service.api, "GET", &format!("/tasks{query}"))
            .send()
            .await;
        let told = problem(&answer, 422, "validation-failed");
        assert_eq!(told["errors"][0]["parameter"], parameter, "{query}: {told}");
    }
    let long = format!("/tasks?q={}", "x".repeat(201));
    problem(
        &ann.request(&service.api, "GET", &long).send().await,
        422,
        "validation-failed",
    );
    for (method, path) in [
        ("GET", "/tasks/1?x=1"),
        ("POST", "/tasks?x=1"),
        ("GET", "/sessions?x=1"),
    ] {
        let answer = ann
            .request(&service.api, method, path)
            .json(&json!({"title": "a"}))
            .send()
            .await;
        assert_eq!(
            problem(&answer, 422, "validation-failed")["errors"][0]["parameter"],
            "x"
        );
    }
}

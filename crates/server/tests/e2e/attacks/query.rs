//! Query parameters and cursors.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use errand_testbed::{Answer, Person};
use serde_json::{Value, json};

use super::scene::{Scene, invalid};
use super::suite::attacks;
use crate::support::{create, list, next_link, pluck, problem};

attacks! {
    "query-known": a_user_in_the_query_is_refused, a_filter_on_a_column_is_refused,
        a_choice_of_columns_is_refused, a_parameter_where_there_is_none_is_refused;
    "query-once": a_parameter_given_twice_is_refused;
    "query-words": a_sort_by_the_owner_is_refused, sql_in_the_sort_is_refused, sql_in_the_order_is_refused,
        an_unknown_status_is_refused, a_count_of_one_is_refused;
    "query-range": a_limit_of_zero_is_refused, a_limit_of_a_million_is_refused, a_limit_with_a_plus_is_refused,
        an_endless_offset_is_refused;
    "url-decoding": bytes_that_are_no_utf8_in_a_query_are_refused, overlong_utf8_in_a_query_is_refused,
        a_broken_escape_in_a_query_is_refused;
    "query-shown": the_name_of_an_unknown_parameter_is_not_echoed_whole;
    "faults-told": thousands_of_faults_are_not_all_told;
    "search-literal": a_percent_sign_finds_itself_only, an_underscore_finds_itself_only,
        a_percent_sign_is_no_tag;
    "search-length": an_endless_search_is_refused;
    "sql": sql_in_a_search_finds_itself_only, operators_of_a_search_engine_find_themselves_only,
        sql_in_a_due_date_is_refused;
    "text-controls": nul_in_a_search_is_refused;
    "priority-words": an_unknown_priority_is_not_looked_for;
    "cursor-check": a_cursor_with_a_flipped_bit_is_refused, a_cursor_of_another_order_is_refused,
        a_cursor_of_another_search_is_refused;
    "cursor-decoding": what_is_no_cursor_is_refused;
    "cursor-or-offset": a_cursor_with_an_offset_is_refused;
}

/// The order of a list as its cursors have it: the key and whether it goes down.
pub type Order = [u8; 2];
pub const BY_TITLE: Order = [2, 0];

/// A cursor to the same place, for another user, with a check that is right.
pub fn forged_cursor(cursor: &str, user: i64, order: Order) -> String {
    let mut bytes = BASE64.decode(cursor).unwrap();
    bytes.truncate(bytes.len() - 8);
    let mut hash = Context::new(&SHA256);
    let mut part = |bytes: &[u8]| {
        hash.update(&bytes.len().to_be_bytes());
        hash.update(bytes);
    };
    part(&bytes);
    part(&user.to_be_bytes());
    part(&order);
    // No filter: neither completion, priorities, tags, words, nor bounds.
    part(&[]);
    for _ in 0..3 {
        part(&0_usize.to_be_bytes());
    }
    part(&[]);
    part(&[]);
    bytes.extend(&hash.finish().as_ref()[..8]);
    BASE64.encode(bytes)
}

async fn asked(scene: &Scene, person: &Person, query: &str) -> Answer {
    let request = person.request(&scene.api, "GET", &format!("/tasks?{query}"));
    request.send().await
}

async fn refused(scene: &Scene, query: &str, parameter: &str) {
    let person = scene.person().await;
    invalid(&asked(scene, &person, query).await, parameter);
}

async fn a_user_in_the_query_is_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    for name in ["user_id", "owner", "owner_id"] {
        let answer = asked(scene, &attacker, &format!("{name}={}", victim.id)).await;
        invalid(&answer, name);
    }
}

async fn a_filter_on_a_column_is_refused(scene: &Scene) {
    refused(scene, "filter[user_id]=2", "filter[user_id]").await;
    refused(scene, "title__startswith=a", "title__startswith").await;
    refused(scene, "user_id[$gt]=0", "user_id[$gt]").await;
}

async fn a_choice_of_columns_is_refused(scene: &Scene) {
    refused(scene, "fields=password_hash", "fields").await;
    refused(scene, "include=user.password_hash", "include").await;
}

async fn a_parameter_where_there_is_none_is_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    for path in [
        "/api/auth/me".to_owned(),
        attacker.path("/export"),
        attacker.path("/tasks/1"),
    ] {
        let request = scene.api.request("GET", &format!("{path}?user_id={}", victim.id));
        let answer = request.bearer(&attacker.access).send().await;
        invalid(&answer, "user_id");
    }
}

async fn a_parameter_given_twice_is_refused(scene: &Scene) {
    refused(scene, "limit=1&limit=1000", "limit").await;
    refused(scene, "status=pending&status=all", "status").await;
}

async fn a_sort_by_the_owner_is_refused(scene: &Scene) {
    for key in ["user_id", "password_hash", "id", "change_seq"] {
        refused(scene, &format!("sort={key}"), "sort").await;
    }
}

async fn sql_in_the_sort_is_refused(scene: &Scene) {
    refused(scene, "sort=title;drop+table+tasks", "sort").await;
    refused(
        scene,
        "sort_by=(select+password_hash+from+users+limit+1)",
        "sort_by",
    )
    .await;
}

async fn sql_in_the_order_is_refused(scene: &Scene) {
    refused(scene, "order=asc,(select+1)", "order").await;
    refused(scene, "order=desc--", "order").await;
}

async fn an_unknown_status_is_refused(scene: &Scene) {
    refused(scene, "status=deleted", "status").await;
    refused(scene, "status=%27%20or%20%271%27=%271", "status").await;
}

async fn a_count_of_one_is_refused(scene: &Scene) {
    refused(scene, "count=1", "count").await;
    refused(scene, "completed=yes", "completed").await;
}

async fn a_limit_of_zero_is_refused(scene: &Scene) {
    refused(scene, "limit=0", "limit").await;
}

async fn a_limit_of_a_million_is_refused(scene: &Scene) {
    refused(scene, "limit=1001", "limit").await;
    refused(scene, "limit=1000000", "limit").await;
}

async fn a_limit_with_a_plus_is_refused(scene: &Scene) {
    refused(scene, "limit=%2B5", "limit").await;
}

async fn an_endless_offset_is_refused(scene: &Scene) {
    refused(scene, "offset=4294967295", "offset").await;
    refused(scene, "offset=100001", "offset").await;
}

async fn malformed(scene: &Scene, query: &str) {
    let person = scene.person().await;
    problem(&asked(scene, &person, query).await, 400, "malformed-query");
}

async fn bytes_that_are_no_utf8_in_a_query_are_refused(scene: &Scene) {
    malformed(scene, "q=%ff").await;
    malformed(scene, "tag=%ed%a0%80").await;
}

async fn overlong_utf8_in_a_query_is_refused(scene: &Scene) {
    malformed(scene, "q=%c0%af").await;
}

async fn a_broken_escape_in_a_query_is_refused(scene: &Scene) {
    malformed(scene, "q=%zz").await;
    malformed(scene, "q=%").await;
}

async fn the_name_of_an_unknown_parameter_is_not_echoed_whole(scene: &Scene) {
    let person = scene.person().await;
    let answer = asked(scene, &person, &format!("{}=1", "n".repeat(5000))).await;
    problem(&answer, 422, "validation-failed");
    assert!(answer.body.len() < 2000, "{} bytes", answer.body.len());
}

async fn thousands_of_faults_are_not_all_told(scene: &Scene) {
    let person = scene.person().await;
    let answer = asked(scene, &person, &"x&".repeat(4000)).await;
    let told = problem(&answer, 422, "validation-failed");
    assert!(told["errors"].as_array().unwrap().len() <= 250);
    assert!(told["detail"].as_str().unwrap().len() < 5000);
}

/// Of two tasks the search finds the one that has the text, as it stands.
async fn finds(scene: &Scene, query: &str, title: &str) {
    let person = scene.person().await;
    for title in [title, "something else"] {
        create(&scene.api, &person, json!({"title": title})).await;
    }
    let found = list(&scene.api, &person, &format!("?q={query}")).await;
    assert_eq!(pluck(&found, "title"), [json!(title)], "{query}");
}

async fn a_percent_sign_finds_itself_only(scene: &Scene) {
    finds(scene, "%25", "100 % sure").await;
    finds(scene, "s%25e", "s%e").await;
}

async fn an_underscore_finds_itself_only(scene: &Scene) {
    finds(scene, "_", "snake_case").await;
    finds(scene, "someth_ng", "someth_ng").await;
}

async fn a_percent_sign_is_no_tag(scene: &Scene) {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "a", "tags": ["work"]})).await;
    for tag in ["%25", "w_rk", "wor%25"] {
        let found = list(&scene.api, &person, &format!("?tag={tag}")).await;
        assert!(found.is_empty(), "{tag}: {found:?}");
    }
}

async fn an_endless_search_is_refused(scene: &Scene) {
    refused(scene, &format!("q={}", "x".repeat(201)), "q").await;
}

async fn sql_in_a_search_finds_itself_only(scene: &Scene) {
    finds(scene, "'/**/or/**/1=1--", "a '/**/or/**/1=1-- b").await;
    finds(scene, "%5C%27%22", "a \\'\" b").await;
}

async fn operators_of_a_search_engine_find_themselves_only(scene: &Scene) {
    finds(scene, "*", "a * b").await;
    finds(scene, "%22a%22:*%26!b", "\"a\":*&!b").await;
}

async fn sql_in_a_due_date_is_refused(scene: &Scene) {
    refused(scene, "due_before=2026-01-01'--", "due_before").await;
    refused(scene, "due_after=now()", "due_after").await;
}

async fn nul_in_a_search_is_refused(scene: &Scene) {
    refused(scene, "q=%00", "q").await;
    refused(scene, "tag=a%00b", "tag").await;
}

async fn an_unknown_priority_is_not_looked_for(scene: &Scene) {
    refused(scene, "priority=urgent", "priority").await;
    refused(scene, "priority=2", "priority").await;
}

/// Somebody with three tasks, and the cursor of the first page.
async fn paged(scene: &Scene, query: &str) -> (Person, String) {
    let person = scene.person().await;
    for n in 0..3 {
        create(&scene.api, &person, json!({"title": format!("task {n}")})).await;
    }
    let page = asked(scene, &person, &format!("{query}&limit=1")).await;
    let next = next_link(&page).unwrap();
    let (_, cursor) = next.split_once("cursor=").unwrap();
    let cursor = cursor.to_owned();
    let good = asked(scene, &person, &format!("{query}&limit=1&cursor={cursor}")).await;
    assert_eq!(good.status, 200, "{}", good.text());
    (person, cursor)
}

async fn a_cursor_with_a_flipped_bit_is_refused(scene: &Scene) {
    let (person, cursor) = paged(scene, "sort=created_at").await;
    let bytes = BASE64.decode(cursor).unwrap();
    // In the place, in the id, in the check.
    for at in [9, 17, bytes.len() - 1] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let query = format!("limit=1&cursor={}", BASE64.encode(flipped));
        invalid(&asked(scene, &person, &query).await, "cursor");
    }
}

async fn a_cursor_of_another_order_is_refused(scene: &Scene) {
    let (person, cursor) = paged(scene, "sort=created_at").await;
    for other in ["sort=title", "order=asc"] {
        let query = format!("{other}&limit=1&cursor={cursor}");
        invalid(&asked(scene, &person, &query).await, "cursor");
    }
}

async fn a_cursor_of_another_search_is_refused(scene: &Scene) {
    let (person, cursor) = paged(scene, "q=task").await;
    for other in ["q=other", "q=", "q=task&status=pending"] {
        let query = format!("{other}&limit=1&cursor={cursor}");
        invalid(&asked(scene, &person, &query).await, "cursor");
    }
}

async fn what_is_no_cursor_is_refused(scene: &Scene) {
    let short = BASE64.encode([1; 7]);
    let foreign = BASE64.encode(Value::from(1).to_string());
    for cursor in [
        "",
        "x",
        "%3D%3D",
        "'or+1=1--",
        &short,
        &foreign,
        &"A".repeat(5000),
    ] {
        refused(scene, &format!("cursor={cursor}"), "cursor").await;
    }
}

async fn a_cursor_with_an_offset_is_refused(scene: &Scene) {
    let (person, cursor) = paged(scene, "sort=created_at").await;
    let query = format!("limit=1&offset=2&cursor={cursor}");
    invalid(&asked(scene, &person, &query).await, "offset");
}

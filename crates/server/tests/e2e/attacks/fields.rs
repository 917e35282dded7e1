//! Fields of another type, too long, too many, or with more in them than text.

use serde_json::{Value, json};

use super::scene::{Scene, invalid};
use super::suite::attacks;
use crate::support::{create, list};

attacks! {
    "body-text": a_title_of_another_type_is_refused;
    "body-null": a_title_of_null_is_refused;
    "body-flag": a_word_is_no_flag, a_number_is_no_flag;
    "body-tags": numbers_are_no_tags;
    "text-controls": nul_in_a_title_is_refused, nul_in_a_description_is_refused, nul_in_a_tag_is_refused,
        an_escape_character_is_refused, a_c1_control_is_refused;
    "text-min": a_title_of_blanks_is_refused;
    "text-max": an_endless_title_is_refused, an_endless_description_is_refused, an_endless_tag_is_refused;
    "tags-max": too_many_tags_are_refused, too_many_tags_in_one_text_are_refused;
    "priority-words": an_unknown_priority_is_refused;
    "due-years": a_year_without_end_is_refused, the_year_nought_is_refused;
    "due-exact": a_date_that_is_none_is_refused;
    "sql": sql_in_a_title_is_kept_as_text, sql_in_a_description_is_kept_as_text, sql_in_a_tag_is_kept_as_text;
}

/// Refused for what stands at this place, and no task is made.
async fn faulty(scene: &Scene, body: Value, place: &str) {
    let person = scene.person().await;
    let answer = person
        .request(&scene.api, "POST", "/tasks")
        .json(&body)
        .send()
        .await;
    invalid(&answer, place);
    assert!(list(&scene.api, &person, "").await.is_empty());
}

async fn a_title_of_another_type_is_refused(scene: &Scene) {
    for title in [json!(1), json!(["a"]), json!({"a": 1}), json!(true)] {
        faulty(scene, json!({"title": title}), "#/title").await;
    }
    faulty(
        scene,
        json!({"title": "a", "description": {"html": "x"}}),
        "#/description",
    )
    .await;
}

async fn a_title_of_null_is_refused(scene: &Scene) {
    faulty(scene, json!({"title": null}), "#/title").await;
}

async fn a_word_is_no_flag(scene: &Scene) {
    for word in ["true", "false", "", "yes"] {
        faulty(scene, json!({"title": "a", "completed": word}), "#/completed").await;
    }
}

async fn a_number_is_no_flag(scene: &Scene) {
    for value in [json!(1), json!(0), json!([true]), Value::Null] {
        faulty(scene, json!({"title": "a", "completed": value}), "#/completed").await;
    }
}

async fn numbers_are_no_tags(scene: &Scene) {
    faulty(scene, json!({"title": "a", "tags": ["b", 1]}), "#/tags/1").await;
    faulty(scene, json!({"title": "a", "tags": ["b", ["c"]]}), "#/tags/1").await;
}

async fn nul_in_a_title_is_refused(scene: &Scene) {
    faulty(scene, json!({"title": "a\u{0}b"}), "#/title").await;
}

async fn nul_in_a_description_is_refused(scene: &Scene) {
    faulty(
        scene,
        json!({"title": "a", "description": "b\u{0}"}),
        "#/description",
    )
    .await;
}

async fn nul_in_a_tag_is_refused(scene: &Scene) {
    faulty(scene, json!({"title": "a", "tags": ["b\u{0}c"]}), "#/tags/0").await;
}

async fn an_escape_character_is_refused(scene: &Scene) {
    faulty(scene, json!({"title": "\u{1b}[2Jgone"}), "#/title").await;
    faulty(scene, json!({"title": "a\u{7f}"}), "#/title").await;
}

async fn a_c1_control_is_refused(scene: &Scene) {
    faulty(scene, json!({"title": "a\u{9b}31mb"}), "#/title").await;
}

async fn a_title_of_blanks_is_refused(scene: &Scene) {
    for title in ["", " ", "\t\r\n", "\u{a0}\u{2003}"] {
        faulty(scene, json!({"title": title}), "#/title").await;
    }
}

async fn an_endless_title_is_refused(scene: &Scene) {
    faulty(scene, json!({"title": "x".repeat(201)}), "#/title").await;
    faulty(scene, json!({"title": "\u{1f9e8}".repeat(201)}), "#/title").await;
}

async fn an_endless_description_is_refused(scene: &Scene) {
    let body = json!({"title": "a", "description": "x".repeat(10_001)});
    faulty(scene, body, "#/description").await;
}

async fn an_endless_tag_is_refused(scene: &Scene) {
    faulty(scene, json!({"title": "a", "tags": ["x".repeat(51)]}), "#/tags/0").await;
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("tag{n}")).collect()
}

async fn too_many_tags_are_refused(scene: &Scene) {
    faulty(scene, json!({"title": "a", "tags": numbered(21)}), "#/tags").await;
}

async fn too_many_tags_in_one_text_are_refused(scene: &Scene) {
    let body = json!({"title": "a", "tags": numbered(21).join(",")});
    faulty(scene, body, "#/tags").await;
}

async fn an_unknown_priority_is_refused(scene: &Scene) {
    for priority in ["urgent", "", "1", "High; DROP TABLE tasks"] {
        faulty(scene, json!({"title": "a", "priority": priority}), "#/priority").await;
    }
}

async fn a_year_without_end_is_refused(scene: &Scene) {
    for due in [
        "+262142-12-31T00:00:00",
        "+10000-01-01T00:00:00",
        "-0001-01-01T00:00:00",
    ] {
        faulty(scene, json!({"title": "a", "due_date": due}), "#/due_date").await;
    }
}

async fn the_year_nought_is_refused(scene: &Scene) {
    faulty(
        scene,
        json!({"title": "a", "due_date": "0000-12-31T00:00:00Z"}),
        "#/due_date",
    )
    .await;
}

async fn a_date_that_is_none_is_refused(scene: &Scene) {
    for due in ["2026-1-1", " 2026-01-01", "2026-01- 1"] {
        faulty(scene, json!({"title": "a", "due_date": due}), "#/due_date").await;
    }
}

const SQL: [&str; 3] = [
    "'); DROP TABLE tasks; --",
    "x' || (SELECT password_hash FROM users LIMIT 1) || '",
    "$1 ? ?1 :a @b \\' \"",
];

async fn kept(scene: &Scene, field: &str, value: impl Fn(&str) -> Value) {
    let person = scene.person().await;
    for sql in SQL {
        let mut body = json!({"title": "a"});
        body[field] = value(sql);
        let made = create(&scene.api, &person, body).await;
        assert_eq!(made[field], value(sql));
        let path = format!("/tasks/{}", made["id"]);
        let again = person.request(&scene.api, "GET", &path).send().await.json();
        assert_eq!(again[field], value(sql));
    }
    assert_eq!(list(&scene.api, &person, "").await.len(), 3);
}

async fn sql_in_a_title_is_kept_as_text(scene: &Scene) {
    kept(scene, "title", |sql| json!(sql)).await;
}

async fn sql_in_a_description_is_kept_as_text(scene: &Scene) {
    kept(scene, "description", |sql| json!(sql)).await;
}

async fn sql_in_a_tag_is_kept_as_text(scene: &Scene) {
    kept(scene, "tags", |sql| json!([&sql[..sql.len().min(50)]])).await;
}

//! Which tasks a list shows.

use errand_domain::query::{TaskFilter, TaskQuery};
use errand_domain::task::{Completion, Due, NewTask, Priority, TaskChange};
use errand_domain::text::fold;

use crate::fixtures::{
    at, change, create, create_titled, description, due, filtered, ids, page, register, shown, sorted, sorts,
    tags, task, time, words,
};
use crate::harness::Stores;

const NONE: [i64; 0] = [];

/// A filter of tags, folded as a service does it.
fn tagged(labels: &[&str]) -> TaskFilter {
    TaskFilter {
        tag_keys: labels.iter().map(|label| fold(label)).collect(),
        ..TaskFilter::default()
    }
}

/// Done, open, or both; by what they are now.
pub async fn completion_filters(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for completed in [false, true, false, true] {
        let new = NewTask {
            completed,
            ..task("a")
        };
        create(&stores, ann.id(), &new, at(1)).await;
    }
    let by = |completed| TaskFilter {
        completed,
        ..TaskFilter::default()
    };
    assert_eq!(shown(&stores, ann.id(), by(None)).await, [1, 2, 3, 4]);
    assert_eq!(shown(&stores, ann.id(), by(Some(true))).await, [2, 4]);
    assert_eq!(shown(&stores, ann.id(), by(Some(false))).await, [1, 3]);
    for id in [1, 2] {
        let toggle = TaskChange::completing(Completion::Toggle);
        change(&stores, ann.id(), errand_domain::TaskId(id), &toggle, at(2)).await;
    }
    assert_eq!(shown(&stores, ann.id(), by(Some(true))).await, [1, 4]);
}

/// Any of the priorities.
pub async fn priority_filters(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for priority in [Priority::High, Priority::Low, Priority::Medium, Priority::Low] {
        create(
            &stores,
            ann.id(),
            &NewTask {
                priority,
                ..task("a")
            },
            at(1),
        )
        .await;
    }
    let by = |priorities: &[Priority]| TaskFilter {
        priorities: priorities.to_vec(),
        ..TaskFilter::default()
    };
    assert_eq!(shown(&stores, ann.id(), by(&[Priority::Low])).await, [2, 4]);
    assert_eq!(shown(&stores, ann.id(), by(&[Priority::Medium])).await, [3]);
    assert_eq!(
        shown(&stores, ann.id(), by(&[Priority::High, Priority::Medium])).await,
        [1, 3]
    );
    assert_eq!(shown(&stores, ann.id(), by(&Priority::ALL)).await, [1, 2, 3, 4]);
    let twice = by(&[Priority::High, Priority::High]);
    assert_eq!(shown(&stores, ann.id(), twice).await, [1]);
}

/// Any of the tags, in any letter case, and whole ones only.
pub async fn tag_filters_match_whole_tags_in_any_case(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let labels = [
        vec!["work"],
        vec!["homework", "workshop"],
        vec!["Work", "home"],
        vec!["Straße"],
        vec![],
        vec!["wo", "rk"],
        vec!["work home"],
    ];
    for labels in labels {
        let new = NewTask {
            tags: tags(labels),
            ..task("work home")
        };
        create(&stores, ann.id(), &new, at(1)).await;
    }
    assert_eq!(shown(&stores, ann.id(), tagged(&["work"])).await, [1, 3]);
    assert_eq!(shown(&stores, ann.id(), tagged(&["WORK"])).await, [1, 3]);
    assert_eq!(shown(&stores, ann.id(), tagged(&["home"])).await, [3]);
    assert_eq!(
        shown(&stores, ann.id(), tagged(&["STRASSE", "homework"])).await,
        [2, 4]
    );
    assert_eq!(
        shown(&stores, ann.id(), tagged(&["work", "home"])).await,
        [1, 3],
        "any of them, each task once"
    );
    for absent in ["wor", "ork", "w%", "wor_", "", "work,home", "k home"] {
        assert_eq!(
            shown(&stores, ann.id(), tagged(&[absent])).await,
            NONE,
            "{absent:?}"
        );
    }
    let untagged = TaskChange {
        tags: Some(tags(["rest"])),
        ..TaskChange::default()
    };
    change(&stores, ann.id(), errand_domain::TaskId(1), &untagged, at(2)).await;
    assert_eq!(
        shown(&stores, ann.id(), tagged(&["work"])).await,
        [3],
        "the tags as they are now"
    );
}

/// A tag is found whatever characters it has.
pub async fn tags_of_any_character_are_found(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let labels = [
        "\"",
        "\\",
        "'",
        "%",
        "_",
        "[",
        "]",
        "\"a",
        "a\"",
        "[\"a\"]",
        "\\u0061",
        "É",
        "\u{1f600}",
        "a\tb",
        "|",
        ";",
    ];
    for label in labels {
        let new = NewTask {
            tags: tags([label, "common"]),
            ..task("a")
        };
        create(&stores, ann.id(), &new, at(1)).await;
    }
    for (n, label) in (1..).zip(labels) {
        assert_eq!(shown(&stores, ann.id(), tagged(&[label])).await, [n], "{label:?}");
    }
    assert_eq!(shown(&stores, ann.id(), tagged(&["a"])).await, NONE);
}

/// Before and after exclude the bound itself; tasks without a due date are neither.
pub async fn due_bounds_are_exclusive(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for text in [
        "2026-05-01",
        "2026-05-01T00:00:00Z",
        "2026-05-01T00:00:00.000001Z",
        "2026-04-30T23:59:59.999999Z",
        "2026-05-01T23:59:59.999999Z",
        "2026-05-02",
        "0001-01-01",
        "9999-12-31T23:59:59.999999Z",
    ] {
        let new = NewTask {
            due: due(text),
            ..task(text)
        };
        create(&stores, ann.id(), &new, at(1)).await;
    }
    create_titled(&stores, ann.id(), "no due date").await;
    let day = due("2026-05-01").unwrap();
    let before = |bound| TaskFilter {
        due_before: Some(bound),
        ..TaskFilter::default()
    };
    let after = |bound| TaskFilter {
        due_after: Some(bound),
        ..TaskFilter::default()
    };
    let midnight = TaskFilter::before(day);
    assert_eq!(shown(&stores, ann.id(), before(midnight)).await, [4, 7]);
    assert_eq!(shown(&stores, ann.id(), after(midnight)).await, [3, 5, 6, 8]);
    assert_eq!(
        shown(&stores, ann.id(), after(TaskFilter::after(day))).await,
        [6, 8]
    );
    let instant = time("2026-05-01T00:00:00.000001Z");
    assert_eq!(shown(&stores, ann.id(), before(instant)).await, [1, 2, 4, 7]);
    assert_eq!(shown(&stores, ann.id(), after(instant)).await, [5, 6, 8]);
    let between = TaskFilter {
        due_before: Some(Due::position(due("2026-05-02").unwrap())),
        due_after: Some(time("2026-04-30T23:59:59.999999Z")),
        ..TaskFilter::default()
    };
    assert_eq!(shown(&stores, ann.id(), between).await, [1, 2, 3, 5]);
    let (first, last) = (time("0001-01-01T00:00:00Z"), time("9999-12-31T23:59:59.999999Z"));
    assert_eq!(shown(&stores, ann.id(), before(first)).await, NONE);
    assert_eq!(shown(&stores, ann.id(), after(last)).await, NONE);
    assert_eq!(
        shown(&stores, ann.id(), after(first)).await,
        [1, 2, 3, 4, 5, 6, 8]
    );
}

/// `%`, `_`, `\` and quotes in a search mean themselves.
pub async fn search_takes_every_character_literally(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let titles = [
        "100%",
        "100 percent",
        "a_b",
        "axb",
        "back\\slash",
        "O'Neil",
        "say \"hi\"",
        "[x]*?",
        "plain",
    ];
    for text in titles {
        create_titled(&stores, ann.id(), text).await;
    }
    for (search, expected) in [
        ("%", vec![1]),
        ("100%", vec![1]),
        ("1%0", vec![]),
        ("%%", vec![]),
        ("_", vec![3]),
        ("a_b", vec![3]),
        ("\\", vec![5]),
        ("\\%", vec![]),
        ("\\_", vec![]),
        ("k\\s", vec![5]),
        ("'", vec![6]),
        ("o'neil", vec![6]),
        ("''", vec![]),
        ("\"hi\"", vec![7]),
        ("[x]", vec![8]),
        ("*", vec![8]),
        ("?", vec![8]),
        ("$1", vec![]),
        (".*", vec![]),
        ("^plain$", vec![]),
        ("in", vec![9]),
    ] {
        assert_eq!(
            shown(&stores, ann.id(), words(search)).await,
            expected,
            "{search:?}"
        );
    }
}

/// A search knows no letter case, in no script.
pub async fn search_ignores_letter_case_of_every_script(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let both = NewTask {
        description: description("ÖÄÜ über STRASSE"),
        ..task("Émile ΟΔΟΣ")
    };
    create(&stores, ann.id(), &both, at(1)).await;
    create_titled(&stores, ann.id(), "Emile uber").await;
    for (search, expected) in [
        ("émile", vec![1]),
        ("ÉMILE", vec![1]),
        ("emile", vec![2]),
        ("οδος", vec![1]),
        ("οδοσ", vec![1]),
        ("öäü", vec![1]),
        ("ÜBER", vec![1]),
        ("Straße", vec![1]),
        ("uBEr", vec![2]),
    ] {
        assert_eq!(
            shown(&stores, ann.id(), words(search)).await,
            expected,
            "{search:?}"
        );
    }
}

/// Every word must occur, each of them in title or description, in any order, within a word too.
pub async fn every_word_is_searched_in_title_and_description(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for (text, more) in [
        ("buy milk", Some("two litres")),
        ("buy bread", Some("and milk")),
        ("milk", None),
        ("foo", Some("bar")),
        ("empty", Some("")),
    ] {
        let new = NewTask {
            description: more.and_then(description),
            ..task(text)
        };
        create(&stores, ann.id(), &new, at(1)).await;
    }
    for (search, expected) in [
        ("milk", vec![1, 2, 3]),
        ("litres", vec![1]),
        ("litres buy", vec![1]),
        ("milk bread", vec![2]),
        ("buy milk litres", vec![1]),
        ("buy nothing", vec![]),
        ("itre", vec![1]),
        ("foobar", vec![]),
        ("milk milk", vec![1, 2, 3]),
        ("", vec![1, 2, 3, 4, 5]),
    ] {
        assert_eq!(
            shown(&stores, ann.id(), words(search)).await,
            expected,
            "{search:?}"
        );
    }
    let change_of_words = TaskChange {
        description: Some(None),
        ..crate::fixtures::retitled("cheese")
    };
    change(
        &stores,
        ann.id(),
        errand_domain::TaskId(1),
        &change_of_words,
        at(2),
    )
    .await;
    assert_eq!(shown(&stores, ann.id(), words("milk")).await, [2, 3]);
    assert_eq!(shown(&stores, ann.id(), words("cheese")).await, [1]);
    assert_eq!(shown(&stores, ann.id(), words("litres")).await, NONE);
}

/// A word at the end of the longest description is found.
pub async fn search_reads_to_the_end(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let long = NewTask {
        description: description(&format!("{}Nadel", "ß ".repeat(4997))),
        ..task("haystack")
    };
    create(&stores, ann.id(), &long, at(1)).await;
    assert_eq!(shown(&stores, ann.id(), words("NADEL")).await, [1]);
    assert_eq!(shown(&stores, ann.id(), words("ß nadel hay")).await, [1]);
}

/// Conditions hold all at once, in every order, and the count knows them too.
pub async fn filters_combine(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let mut made = Vec::new();
    for n in 0..48_usize {
        let new = NewTask {
            description: ["bread", "Brot"]
                .get(n / 2 % 3)
                .and_then(|text| description(text)),
            priority: Priority::ALL[n % 3],
            due: [None, due("2026-05-01"), due("2026-06-01T10:00:00Z")][n / 3 % 3],
            tags: tags([["work", "Home"][n % 2], "all"]),
            completed: n % 5 == 0,
            ..task(["Milk", "bread and milk"][n / 4 % 2])
        };
        made.push(create(&stores, ann.id(), &new, at(n as u64 / 4)).await);
    }
    let full = TaskFilter {
        completed: Some(false),
        priorities: vec![Priority::Low, Priority::High],
        tag_keys: vec!["home".to_owned(), "none".to_owned()],
        words: words("MILK bread").words,
        due_before: Some(time("2026-05-02T00:00:00Z")),
        due_after: Some(time("2026-04-30T00:00:00Z")),
    };
    for mask in 0..64 {
        let with = |bit: u32| mask & (1 << bit) != 0;
        let filter = TaskFilter {
            completed: full.completed.filter(|_| with(0)),
            priorities: if with(1) { full.priorities.clone() } else { vec![] },
            tag_keys: if with(2) { full.tag_keys.clone() } else { vec![] },
            words: if with(3) { full.words.clone() } else { vec![] },
            due_before: full.due_before.filter(|_| with(4)),
            due_after: full.due_after.filter(|_| with(5)),
        };
        let expected: Vec<_> = made.iter().filter(|t| filter.matches(t)).cloned().collect();
        assert!(!expected.is_empty(), "the case shows nothing for {filter:?}");
        let query = TaskQuery {
            count: true,
            ..filtered(filter.clone())
        };
        let listed = page(&stores, ann.id(), &query).await;
        assert_eq!(ids(&listed.tasks), ids(&expected), "{filter:?}");
        assert_eq!(listed.total, Some(expected.len() as u64), "{filter:?}");
    }
    for sort in sorts() {
        let mut expected: Vec<_> = made.iter().filter(|t| full.matches(t)).cloned().collect();
        expected.sort_by(|a, b| sort.compare(a, b));
        let query = TaskQuery {
            filter: full.clone(),
            ..sorted(sort)
        };
        assert_eq!(page(&stores, ann.id(), &query).await.tasks, expected, "{sort:?}");
    }
}

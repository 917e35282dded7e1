//! Tasks: making, finding and deleting them.

use errand_domain::query::TaskFilter;
use errand_domain::task::{Completion, Priority, Task, TaskChange};
use errand_domain::task::{
    DESCRIPTION_MAX_CHARS, Description, NewTask, TAG_MAX_CHARS, TAGS_MAX, TITLE_MAX_CHARS,
};
use errand_domain::{TaskId, UserId};

use errand_application::ports::Created;

use crate::fixtures::{
    UNLIMITED, at, change, create, create_titled, description, due, export, find, ids, micros, page,
    register, retitled, rich_task, shown, sorted, sorts, tags, task,
};
use crate::harness::Stores;

/// Texts that have hurt databases.
const TEXTS: [&str; 14] = [
    "O'Neil; DROP TABLE tasks; --",
    "\"quoted\" \\back\\slash\\",
    "100% _under_ ?1 $1 :name {json: [1]}",
    "tab\tline\nfeed\r\nreturn",
    "Ünïcödé ÅÄÖ ß ẞ ﬀ ı İ",
    "composed é and decomposed e\u{301}",
    "مرحبا בעולם \u{202e}right to left",
    "👩\u{200d}👩\u{200d}👧\u{200d}👦 🏳\u{fe0f}\u{200d}🌈 \u{1f600}",
    "\u{10ffff} \u{fffd} \u{feff}bom \u{ff41}",
    "漢字 かな 한글 \u{20000}",
    "\u{a0}no-break\u{a0}within",
    "null NULL None undefined 0 false",
    "<b>&amp;</b> %00 \\u0000 \\x00",
    "trailing \\",
];

/// The task that a new one is to become.
fn expected(owner: UserId, id: i64, new: &NewTask, seconds: u64) -> Task {
    Task::new(owner, TaskId(id), new.clone(), at(seconds))
}

/// A new task has all that was sent, version 1 and the time of its creation, and is found so again.
pub async fn a_new_task_comes_back_with_every_field(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let new = [
        task("plain"),
        rich_task("rich"),
        NewTask {
            priority: Priority::Low,
            due: due("2026-12-01T10:00:00.123456+02:00"),
            ..task("low")
        },
    ];
    for (n, new) in (1_i64..).zip(new) {
        let seconds = 10 + n.unsigned_abs();
        let made = create(&stores, ann.id(), &new, at(seconds)).await;
        assert_eq!(made, expected(ann.id(), n, &new, seconds));
        assert_eq!(made.completed_at, new.completed.then_some(at(seconds)));
        assert_eq!(find(&stores, ann.id(), made.id).await, Some(made.clone()));
        let listed = page(&stores, ann.id(), &sorted(sorts()[0])).await.tasks;
        assert_eq!(listed.last(), Some(&made));
    }
}

/// The longest legal values fit.
pub async fn the_longest_values_fit(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for unit in ["x", "é", "密", "😀", "ß", "\u{1e9e}"] {
        let labels: Vec<String> = (0..TAGS_MAX)
            .map(|n| format!("{n:02}{}", unit.repeat(TAG_MAX_CHARS - 2)))
            .collect();
        let new = NewTask {
            title: crate::fixtures::title(&unit.repeat(TITLE_MAX_CHARS)),
            description: description(&unit.repeat(DESCRIPTION_MAX_CHARS)),
            tags: tags(labels.iter().map(String::as_str)),
            ..rich_task("x")
        };
        let made = create(&stores, ann.id(), &new, at(1)).await;
        assert_eq!(
            Some(&made),
            find(&stores, ann.id(), made.id).await.as_ref(),
            "{unit}"
        );
        assert_eq!(made, expected(ann.id(), made.id.0, &new, 1), "{unit}");
    }
}

/// Texts come back byte for byte in every field that holds text, after a creation and after a change.
pub async fn texts_come_back_byte_for_byte(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for text in TEXTS {
        let label: String = text.replace(',', ".").chars().take(TAG_MAX_CHARS).collect();
        let new = NewTask {
            description: description(&format!("  {text}\n")),
            tags: tags([label.as_str(), "last"]),
            ..task(text)
        };
        let made = create(&stores, ann.id(), &new, at(1)).await;
        let found = find(&stores, ann.id(), made.id).await.unwrap();
        assert_eq!(found, expected(ann.id(), made.id.0, &new, 1));

        let plain = create_titled(&stores, ann.id(), "plain").await;
        let rewritten = TaskChange {
            title: Some(new.title.clone()),
            description: Some(new.description.clone()),
            tags: Some(new.tags.clone()),
            ..TaskChange::default()
        };
        change(&stores, ann.id(), plain.id, &rewritten, at(2)).await;
        let found = find(&stores, ann.id(), plain.id).await.unwrap();
        assert_eq!(
            (found.title, found.description, found.tags),
            (new.title, new.description, new.tags)
        );
    }
}

/// A day comes back as that day and a time as that time, also where the two are the same moment.
pub async fn due_dates_come_back_as_the_same_kind(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let dates = [
        "0001-01-01",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000001Z",
        "0099-12-31",
        "1582-10-10",
        "1899-12-31T23:59:59.999999Z",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01",
        "2024-02-29",
        "2026-12-01",
        "2026-12-01T00:00:00Z",
        "2026-12-01T10:00:00.123456Z",
        "2038-01-19T03:14:08Z",
        "9999-12-31",
        "9999-12-31T23:59:59.999999Z",
    ];
    for text in dates {
        let new = NewTask {
            due: due(text),
            ..task(text)
        };
        let made = create(&stores, ann.id(), &new, at(1)).await;
        let plain = create_titled(&stores, ann.id(), "plain").await;
        let dated = TaskChange {
            due: Some(due(text)),
            ..TaskChange::default()
        };
        change(&stores, ann.id(), plain.id, &dated, at(2)).await;
        for id in [made.id, plain.id] {
            let found = find(&stores, ann.id(), id).await.unwrap();
            assert_eq!(
                (found.due, found.due.map(|d| d.to_string())),
                (due(text), Some(text.to_owned()))
            );
        }
    }
}

/// A description that is empty is not the same as none.
pub async fn an_empty_description_is_not_none(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let empty = NewTask {
        description: description(""),
        ..task("empty")
    };
    let made = create(&stores, ann.id(), &empty, at(1)).await;
    let found = find(&stores, ann.id(), made.id).await.unwrap();
    assert_eq!(found.description.as_ref().map(Description::as_str), Some(""));
    let none = TaskChange {
        description: Some(None),
        ..TaskChange::default()
    };
    let changed = change(&stores, ann.id(), made.id, &none, at(2)).await;
    assert_eq!(
        (changed.description, changed.version),
        (None, 2),
        "it is a change"
    );
}

/// Tags keep their order and their spelling.
pub async fn tags_keep_order_and_spelling(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for labels in [
        vec![],
        vec!["zeta", "Alpha", "mike"],
        vec!["ß", "a b", "\"q\"", "[x]", "{y}", "\\", "'", "null"],
        vec!["É", "e"],
    ] {
        let new = NewTask {
            tags: tags(labels.clone()),
            ..task("tagged")
        };
        let made = create(&stores, ann.id(), &new, at(1)).await;
        let found = find(&stores, ann.id(), made.id).await.unwrap();
        assert_eq!(found.tags.as_slice(), labels);
    }
}

/// Every owner's tasks are numbered from 1, whatever others do.
pub async fn ids_count_from_one_for_each_owner(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    for (owner, id) in [(&ann, 1), (&ann, 2), (&bob, 1), (&ann, 3), (&bob, 2)] {
        let made = create_titled(&stores, owner.id(), "a").await;
        assert_eq!((made.owner, made.id), (owner.id(), TaskId(id)));
    }
}

/// The id of a deleted task is never another's, not even that of the last one made.
pub async fn a_task_id_is_never_given_twice(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for id in 1..5 {
        let made = create_titled(&stores, ann.id(), "a").await;
        assert_eq!(made.id, TaskId(id));
        assert!(stores.tasks.delete(ann.id(), made.id, at(1)).await.unwrap());
    }
}

/// A repeated key gives the first call's task, as it is now, and makes no other.
pub async fn a_repeated_key_gives_the_same_task_as_it_is_now(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let create = async |key: &str, new: &NewTask, seconds: u64| {
        let made = stores
            .tasks
            .create(ann.id(), key, new, UNLIMITED, at(seconds))
            .await;
        made.unwrap().task().expect("the task is there")
    };
    let made = create("key", &task("first"), 1).await;
    assert_eq!(create("key", &task("first"), 1).await, made);
    assert_eq!(create("key", &rich_task("another body"), 9).await, made);
    let changed = change(&stores, ann.id(), made.id, &retitled("changed"), at(10)).await;
    assert_eq!(create("key", &task("first"), 11).await, changed);
    assert_eq!(shown(&stores, ann.id(), TaskFilter::default()).await, [1]);
    let next = create("another key", &task("second"), 12).await;
    assert_eq!(next.id, TaskId(2), "a repetition uses no id up");
}

/// The key of a deleted task makes nothing and gives nothing.
pub async fn the_key_of_a_deleted_task_gives_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let made = stores
        .tasks
        .create(ann.id(), "key", &task("a"), UNLIMITED, at(1))
        .await;
    let made = made.unwrap().task().unwrap();
    assert!(stores.tasks.delete(ann.id(), made.id, at(2)).await.unwrap());
    for _ in 0..2 {
        let again = stores
            .tasks
            .create(ann.id(), "key", &task("a"), UNLIMITED, at(3))
            .await;
        assert_eq!(again.unwrap(), Created::Gone);
    }
    assert_eq!(export(&stores, ann.id(), at(4)).await.tasks, []);
}

/// Keys belong to their owner, and every text is another one.
pub async fn creation_keys_belong_to_their_owner(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    let long = "k".repeat(255);
    let keys = ["key", "KEY", "key ", "k%y", "k_y", "'", "\"\\", long.as_str()];
    for (n, key) in (1..).zip(keys) {
        for owner in [ann.id(), bob.id()] {
            let made = stores
                .tasks
                .create(owner, key, &task("a"), UNLIMITED, at(1))
                .await;
            assert_eq!(
                made.unwrap().task().map(|t| (t.owner, t.id)),
                Some((owner, TaskId(n))),
                "{key:?}"
            );
        }
    }
}

/// What was never made is `None` and `false`.
pub async fn absent_tasks_are_absent(stores: Stores) {
    let ann = register(&stores, "ann").await;
    create_titled(&stores, ann.id(), "a").await;
    let before = export(&stores, ann.id(), at(1)).await;
    for id in [TaskId(2), TaskId(0), TaskId(-1), TaskId(i64::MAX)] {
        assert_eq!(find(&stores, ann.id(), id).await, None);
        let changed = stores.tasks.change(ann.id(), id, &retitled("x"), at(1)).await;
        assert_eq!(changed.unwrap(), None);
        assert!(!stores.tasks.delete(ann.id(), id, at(1)).await.unwrap());
    }
    assert_eq!(export(&stores, ann.id(), at(1)).await, before);
    let nobody = UserId(i64::MAX);
    let made = stores
        .tasks
        .create(nobody, "key", &task("a"), UNLIMITED, at(1))
        .await;
    assert_eq!(made.unwrap(), Created::Gone, "no account, no task");
    let counted = errand_domain::query::TaskQuery {
        count: true,
        ..sorted(sorts()[0])
    };
    let page = page(&stores, nobody, &counted).await;
    assert_eq!((page.tasks, page.next, page.total), (vec![], None, Some(0)));
}

/// A deleted task is found, changed, completed, listed and deleted no more; the others stay.
pub async fn a_deleted_task_is_absent_everywhere(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let gone = create(&stores, ann.id(), &rich_task("gone"), at(1)).await;
    let stays = create(&stores, ann.id(), &rich_task("stays"), at(1)).await;
    assert!(stores.tasks.delete(ann.id(), gone.id, at(2)).await.unwrap());
    assert_eq!(find(&stores, ann.id(), gone.id).await, None);
    for change in [
        retitled("back again"),
        TaskChange::completing(Completion::Toggle),
        TaskChange::completing(Completion::Set(true)),
        TaskChange::default(),
    ] {
        let changed = stores.tasks.change(ann.id(), gone.id, &change, at(3)).await;
        assert_eq!(changed.unwrap(), None, "{change:?}");
        assert_eq!(find(&stores, ann.id(), gone.id).await, None, "{change:?}");
    }
    assert!(!stores.tasks.delete(ann.id(), gone.id, at(4)).await.unwrap());
    for sort in sorts() {
        let query = errand_domain::query::TaskQuery {
            count: true,
            ..sorted(sort)
        };
        let page = page(&stores, ann.id(), &query).await;
        assert_eq!(
            (ids(&page.tasks), page.total),
            (vec![stays.id.0], Some(1)),
            "{sort:?}"
        );
    }
    assert_eq!(find(&stores, ann.id(), stays.id).await, Some(stays));
}

/// What a deleted task held is kept as it was, with the time of the first deletion.
pub async fn a_deleted_task_is_kept_as_it_was(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let made = create(&stores, ann.id(), &rich_task("a"), at(1)).await;
    let last = change(&stores, ann.id(), made.id, &retitled("b"), at(2)).await;
    let deleted_at = at(3).plus(micros(250_001));
    assert!(stores.tasks.delete(ann.id(), made.id, deleted_at).await.unwrap());
    assert!(!stores.tasks.delete(ann.id(), made.id, at(9)).await.unwrap());
    let late = stores
        .tasks
        .change(ann.id(), made.id, &retitled("c"), at(9))
        .await;
    assert_eq!(late.unwrap(), None);
    let export = export(&stores, ann.id(), at(9)).await;
    assert_eq!(export.tasks, []);
    let kept: Vec<_> = export
        .deleted
        .into_iter()
        .map(|d| (d.task, d.deleted_at))
        .collect();
    assert_eq!(kept, [(last, deleted_at)]);
}

/// Who has as many as may be makes no more, gets repeated keys answered, and may again after a deletion.
pub async fn a_full_owner_makes_no_task(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    let new = task("a");
    let create = async |owner, key: &str, most| {
        let made = stores.tasks.create(owner, key, &new, most, at(1)).await;
        made.unwrap()
    };
    for key in ["1", "2", "3"] {
        assert!(matches!(create(ann.id(), key, 3).await, Created::Task(_)));
    }
    assert_eq!(create(ann.id(), "4", 3).await, Created::Full);
    assert!(matches!(create(ann.id(), "2", 3).await, Created::Task(made) if made.id == TaskId(2)));
    assert!(matches!(create(bob.id(), "4", 3).await, Created::Task(_)));
    assert!(stores.tasks.delete(ann.id(), TaskId(1), at(2)).await.unwrap());
    assert!(matches!(create(ann.id(), "4", 3).await, Created::Task(_)));
    assert_eq!(create(ann.id(), "5", 3).await, Created::Full);
    assert!(
        matches!(create(ann.id(), "5", 4).await, Created::Task(_)),
        "the quota grew"
    );
    assert_eq!(
        create(ann.id(), "1", 9).await,
        Created::Gone,
        "its task was deleted"
    );
}

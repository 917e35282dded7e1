//! Changes of tasks.

use errand_domain::TaskId;
use errand_domain::task::{Completion, Priority, RecurrenceFrom, Task, TaskChange};

use crate::calendar::DailyCalendar;
use crate::fixtures::{
    Person, at, change, create, create_titled, description, due, export, find, micros, register, retitled,
    rich_task, tags, task, title, zone,
};
use crate::harness::Stores;

/// One change for each field, each of which moves something on a [`rich_task`].
fn single_changes() -> Vec<(&'static str, TaskChange)> {
    let nothing = TaskChange::default;
    vec![
        ("title", retitled("another")),
        (
            "description",
            TaskChange {
                description: Some(description("another")),
                ..nothing()
            },
        ),
        (
            "no description",
            TaskChange {
                description: Some(None),
                ..nothing()
            },
        ),
        (
            "priority",
            TaskChange {
                priority: Some(Priority::Low),
                ..nothing()
            },
        ),
        (
            "due date",
            TaskChange {
                due: Some(due("2026-12-02T08:00:00.000001Z")),
                ..nothing()
            },
        ),
        (
            "a day becomes its midnight",
            TaskChange {
                due: Some(due("2026-12-01T00:00:00Z")),
                ..nothing()
            },
        ),
        (
            "no due date",
            TaskChange {
                due: Some(None),
                ..nothing()
            },
        ),
        (
            "tags",
            TaskChange {
                tags: Some(tags(["new"])),
                ..nothing()
            },
        ),
        (
            "tags in another order",
            TaskChange {
                tags: Some(tags(["home", "Shop"])),
                ..nothing()
            },
        ),
        (
            "tags in another case",
            TaskChange {
                tags: Some(tags(["shop", "home"])),
                ..nothing()
            },
        ),
        (
            "no tags",
            TaskChange {
                tags: Some(tags([])),
                ..nothing()
            },
        ),
        ("title in another case", retitled("RICH")),
        ("reopened", TaskChange::completing(Completion::Set(false))),
        ("toggled", TaskChange::completing(Completion::Toggle)),
    ]
}

/// Changes a task in the store and by its specification, and holds one against the other.
async fn both(stores: &Stores, ann: &Person, task: &Task, wanted: &TaskChange, seconds: u64) -> Task {
    let mut expected = task.clone();
    let applied = expected.apply(wanted, at(seconds), &DailyCalendar, |_| unreachable!());
    assert_eq!(applied.unwrap().successor, None, "no series is concerned");
    let changed = change(stores, ann.id(), task.id, wanted, at(seconds)).await;
    assert_eq!(changed, expected, "{wanted:?}");
    assert_eq!(
        find(stores, ann.id(), task.id).await,
        Some(expected),
        "{wanted:?}"
    );
    changed
}

/// A change of one field changes that field, version and time, and nothing else.
pub async fn every_field_changes_alone(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for (what, wanted) in single_changes() {
        let made = create(&stores, ann.id(), &rich_task("rich"), at(1)).await;
        let other = create(&stores, ann.id(), &rich_task("rich"), at(1)).await;
        let changed = both(&stores, &ann, &made, &wanted, 2).await;
        assert_eq!((changed.version, changed.updated_at), (2, at(2)), "{what}");
        assert_eq!(changed.created_at, at(1), "{what}");
        assert_eq!(
            find(&stores, ann.id(), other.id).await,
            Some(other),
            "{what}: only this task"
        );
    }
}

/// All fields at once are one change.
pub async fn all_fields_change_at_once(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let made = create_titled(&stores, ann.id(), "plain").await;
    let everything = TaskChange {
        title: Some(title("everything")),
        description: Some(description("new")),
        priority: Some(Priority::High),
        due: Some(due("9999-12-31")),
        time_zone: Some(Some(zone("UTC"))),
        tags: Some(tags(["x", "y"])),
        rule: Some(None),
        recurrence_from: Some(RecurrenceFrom::Completion),
        completion: Some(Completion::Set(true)),
    };
    let changed = both(&stores, &ann, &made, &everything, 5).await;
    assert_eq!((changed.version, changed.completed_at), (2, Some(at(5))));
    let nothing = TaskChange {
        title: Some(title("nothing")),
        description: Some(None),
        priority: Some(Priority::Low),
        due: Some(None),
        time_zone: Some(None),
        tags: Some(tags([])),
        rule: Some(None),
        recurrence_from: Some(RecurrenceFrom::Due),
        completion: Some(Completion::Toggle),
    };
    let changed = both(&stores, &ann, &changed, &nothing, 6).await;
    assert_eq!((changed.version, changed.completed_at), (3, None));
}

/// What already is as it is to be counts as nothing: version and time stay.
pub async fn a_change_to_the_same_values_moves_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let rich = create(&stores, ann.id(), &rich_task("rich"), at(1)).await;
    let plain = create(&stores, ann.id(), &task("plain"), at(1)).await;
    for made in [rich, plain] {
        let same = TaskChange {
            title: Some(made.title.clone()),
            description: Some(made.description.clone()),
            priority: Some(made.priority),
            due: Some(made.due),
            time_zone: Some(made.time_zone.clone()),
            rule: Some(None),
            recurrence_from: None,
            tags: Some(made.tags.clone()),
            completion: Some(Completion::Set(made.is_completed())),
        };
        let tags_alone = TaskChange {
            tags: Some(made.tags.clone()),
            ..TaskChange::default()
        };
        for wanted in [same, tags_alone, TaskChange::default()] {
            let changed = change(&stores, ann.id(), made.id, &wanted, at(50)).await;
            assert_eq!(changed, made, "{wanted:?}");
            assert_eq!(find(&stores, ann.id(), made.id).await, Some(made.clone()));
        }
        let mixed = TaskChange {
            title: Some(title("other")),
            priority: Some(made.priority),
            completion: Some(Completion::Set(made.is_completed())),
            ..TaskChange::default()
        };
        let changed = both(&stores, &ann, &made, &mixed, 60).await;
        assert_eq!((changed.version, changed.completed_at), (2, made.completed_at));
    }
}

/// A task that is done stays done since the first time.
pub async fn completing_again_keeps_the_first_time(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let made = create_titled(&stores, ann.id(), "a").await;
    let done = TaskChange::completing(Completion::Set(true));
    let first = both(&stores, &ann, &made, &done, 5).await;
    assert_eq!((first.completed_at, first.version), (Some(at(5)), 2));
    assert_eq!(both(&stores, &ann, &first, &done, 6).await, first);
    let renamed = both(&stores, &ann, &first, &retitled("b"), 7).await;
    assert_eq!((renamed.completed_at, renamed.version), (Some(at(5)), 3));
    let done_and_renamed = TaskChange {
        completion: Some(Completion::Set(true)),
        ..retitled("c")
    };
    let again = both(&stores, &ann, &renamed, &done_and_renamed, 8).await;
    assert_eq!((again.completed_at, again.version), (Some(at(5)), 4));
}

/// Toggling goes to and fro, each time a change, done since the latest time.
pub async fn toggling_goes_to_and_fro(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let mut current = create_titled(&stores, ann.id(), "a").await;
    let toggle = TaskChange::completing(Completion::Toggle);
    for seconds in 1..6 {
        current = both(&stores, &ann, &current, &toggle, seconds).await;
        let done = (seconds % 2 == 1).then_some(at(seconds));
        assert_eq!(
            (current.completed_at, current.version),
            (done, 1 + seconds.cast_signed())
        );
    }
    let open = create_titled(&stores, ann.id(), "b").await;
    let reopened = TaskChange::completing(Completion::Set(false));
    assert_eq!(both(&stores, &ann, &open, &reopened, 9).await, open);
}

/// `updated_at` moves on with every change, even if the clock stands still or has gone back.
pub async fn updated_at_never_goes_back(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let mut current = create(&stores, ann.id(), &task("0"), at(100)).await;
    for (n, seconds) in [100, 100, 50, 0, 100, 101].into_iter().enumerate() {
        let before = current.updated_at;
        current = both(&stores, &ann, &current, &retitled(&format!("t{n}")), seconds).await;
        assert!(current.updated_at > before, "change {n}");
    }
    assert_eq!(current.updated_at, at(101));
    let back = change(&stores, ann.id(), current.id, &retitled("back"), at(0)).await;
    assert_eq!(back.updated_at, at(101).plus(micros(1)));
}

/// Versions count every change by one.
pub async fn versions_count_the_changes(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let made = create_titled(&stores, ann.id(), "0").await;
    for n in 1..8 {
        let wanted = retitled(&format!("title {n}"));
        let changed = change(&stores, ann.id(), made.id, &wanted, at(n)).await;
        assert_eq!(changed.version, 1 + n.cast_signed());
        let found = find(&stores, ann.id(), made.id).await.unwrap();
        assert_eq!(found.version, changed.version, "stored, not only said");
    }
}

/// A change of one task leaves the owner's other tasks and the trash alone.
pub async fn a_change_touches_no_other_task(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for n in 0..5 {
        create(&stores, ann.id(), &rich_task(&n.to_string()), at(n)).await;
    }
    assert!(stores.tasks.delete(ann.id(), TaskId(5), at(9)).await.unwrap());
    let mut expected = export(&stores, ann.id(), at(10)).await;
    expected.tasks[1] = change(&stores, ann.id(), TaskId(2), &retitled("x"), at(10)).await;
    assert_eq!(export(&stores, ann.id(), at(10)).await, expected);
}

//! Tasks that repeat.

use errand_application::ports::Written;
use errand_domain::task::{Completion, Expected, HandedOn, Priority, Recurrence, Task, TaskChange};
use errand_domain::{TaskId, UserId};

use crate::fixtures::{
    UNLIMITED, at, change, create, due, export, find, register, repeating, retitled, rule,
};
use crate::harness::Stores;

fn set(completed: bool) -> TaskChange {
    TaskChange::completing(Completion::Set(completed))
}

async fn tasks(stores: &Stores, owner: UserId) -> Vec<Task> {
    export(stores, owner, at(1000)).await.tasks
}

async fn attempt(
    stores: &Stores,
    owner: UserId,
    id: TaskId,
    wanted: &TaskChange,
    most: u32,
) -> Written<Task> {
    let tasks = &stores.tasks;
    let written = tasks
        .change_if(owner, id, &Expected::Any, wanted, most, at(50))
        .await;
    written.unwrap()
}

/// A recurrence comes back with everything that belongs to it.
pub async fn a_recurrence_comes_back(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let new = repeating("a", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=7", "2026-03-01T02:30:00Z");
    let made = create(&stores, ann, &new, at(1)).await;
    assert_eq!(made, Task::new(ann, TaskId(1), new, at(1)));
    assert_eq!(find(&stores, ann, made.id).await, Some(made));
}

/// A task that repeats and is completed has one successor, which has the recurrence, and everything else that is
/// not of the task's own history.
pub async fn completing_makes_one_successor(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let time = repeating("a", "FREQ=DAILY;INTERVAL=2;COUNT=3", "2026-03-01T02:30:00Z");
    for (round, new) in [repeating("a", "daily", "2026-02-28"), time]
        .into_iter()
        .enumerate()
    {
        let made = create(&stores, ann, &new, at(1)).await;
        let done = change(&stores, ann, made.id, &set(true), at(2)).await;
        assert_eq!(
            (done.completed_at, done.version, &done.recurrence),
            (Some(at(2)), 2, &None)
        );
        let id = TaskId(made.id.0 + 1);
        let given = HandedOn {
            recurrence: made.recurrence.clone().unwrap(),
            successor: Some(id),
        };
        assert_eq!(done.handed_on, Some(given));
        let successor = find(&stores, ann, id).await.unwrap();
        let follows = due(["2026-03-01", "2026-03-03T02:30:00Z"][round]);
        let expected = Task {
            id,
            due: follows,
            recurrence: made.recurrence.clone().map(|recurrence| Recurrence {
                rule: recurrence.rule.following().unwrap(),
                // What the calendar says comes back as well.
                meant: follows
                    .filter(|due| !due.is_date())
                    .map(|due| due.position().as_chrono().naive_utc()),
                ..recurrence
            }),
            created_at: at(2),
            updated_at: at(2),
            ..made.clone()
        };
        assert_eq!(successor, expected);
        // Completed once more, in every way: nothing moves.
        for again in [
            set(true),
            TaskChange {
                rule: Some(Some(rule("daily"))),
                ..set(true)
            },
        ] {
            if round == 0 {
                assert_eq!(change(&stores, ann, made.id, &again, at(9)).await, done);
            }
        }
        assert_eq!(tasks(&stores, ann).await.len(), 2 * (round + 1));
    }
}

/// Where `COUNT` is used up nothing follows, and undoing gives the recurrence back all the same.
pub async fn the_last_of_a_series_has_no_successor(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = create(
        &stores,
        ann,
        &repeating("a", "FREQ=DAILY;COUNT=1", "2026-02-28"),
        at(1),
    )
    .await;
    let done = change(&stores, ann, made.id, &set(true), at(2)).await;
    assert_eq!(tasks(&stores, ann).await, std::slice::from_ref(&done));
    let undone = change(&stores, ann, made.id, &set(false), at(3)).await;
    let expected = Task {
        version: 3,
        updated_at: at(3),
        ..made
    };
    assert_eq!(undone, expected);
    assert_eq!(tasks(&stores, ann).await, [expected]);
}

/// Undoing a completion takes the successor back, for good: it is in no trash, and its id is not given again.
pub async fn undoing_takes_back_what_nobody_touched(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = create(&stores, ann, &repeating("a", "daily", "2026-02-28"), at(1)).await;
    for round in 0..3 {
        let (done, undone) = (at(2 + round), at(3 + round));
        change(&stores, ann, made.id, &set(true), done).await;
        let open = change(
            &stores,
            ann,
            made.id,
            &TaskChange::completing(Completion::Toggle),
            undone,
        )
        .await;
        assert_eq!((&open.recurrence, &open.handed_on), (&made.recurrence, &None));
        let held = export(&stores, ann, at(100)).await;
        assert_eq!((held.tasks, held.deleted), (vec![open], vec![]));
    }
    change(&stores, ann, made.id, &set(true), at(9)).await;
    let all = tasks(&stores, ann).await;
    let open: Vec<_> = all.iter().filter(|task| !task.is_completed()).collect();
    assert_eq!(open.len(), 1, "one open task in the series");
    assert_eq!(open[0].id, TaskId(5));
}

/// A successor that was changed, deleted or taken out of the trash has the series for its own.
pub async fn a_successor_that_was_touched_stays(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for touch in 0..3 {
        let made = create(&stores, ann, &repeating("a", "daily", "2026-02-28"), at(1)).await;
        change(&stores, ann, made.id, &set(true), at(2)).await;
        let next = TaskId(made.id.0 + 1);
        if touch == 0 {
            change(&stores, ann, next, &retitled("b"), at(3)).await;
        } else {
            assert!(stores.tasks.delete(ann, next, at(3)).await.unwrap());
        }
        if touch == 2 {
            stores.tasks.restore(ann, next, UNLIMITED, at(4)).await.unwrap();
        }
        let touched = find(&stores, ann, next).await;
        assert_eq!(touched.is_some(), touch != 1);
        let undone = change(&stores, ann, made.id, &set(false), at(5)).await;
        assert_eq!((&undone.recurrence, undone.version), (&None, 3), "{touch}");
        assert_eq!(find(&stores, ann, next).await, touched);
        // The rule that it had is sent with it, again and again.
        let before = TaskChange {
            rule: Some(Some(rule("daily"))),
            ..set(false)
        };
        for seconds in 6..8 {
            let sent = change(&stores, ann, made.id, &before, at(seconds)).await;
            // Only where nobody has the series any more it can begin anew.
            assert_eq!(sent.recurrence.is_some(), touch == 1);
            assert_eq!(sent == undone, touch != 1);
        }
    }
}

/// Of a task that repeats the fields must fit together; if they would not, nothing is done.
pub async fn a_recurrence_that_does_not_fit_is_refused(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let until = "FREQ=DAILY;UNTIL=20270101";
    let made = create(&stores, ann, &repeating("a", until, "2026-02-28"), at(1)).await;
    let plain = create(&stores, ann, &crate::fixtures::task("b"), at(1)).await;
    let rule_alone = TaskChange {
        rule: Some(Some(rule("daily"))),
        ..TaskChange::default()
    };
    for (id, wanted, code) in [
        (
            made.id,
            TaskChange {
                due: Some(None),
                ..retitled("x")
            },
            "needs-due-date",
        ),
        (
            made.id,
            TaskChange {
                due: Some(due("2026-02-28T01:00:00Z")),
                ..retitled("x")
            },
            "invalid-recurrence",
        ),
        (plain.id, rule_alone.clone(), "needs-due-date"),
    ] {
        match attempt(&stores, ann, id, &wanted, UNLIMITED).await {
            Written::Invalid(faults) => {
                assert_eq!((&*faults[0].field, faults[0].fault.code), ("recurrence", code));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tasks(&stores, ann).await, [made.clone(), plain.clone()]);
    // Together they fit, and a series can be ended and moved.
    let begun = TaskChange {
        due: Some(due("2026-05-01")),
        ..rule_alone.clone()
    };
    let begun = change(&stores, ann, plain.id, &begun, at(2)).await;
    assert_eq!(begun.recurrence.unwrap().rule, rule("daily"));
    let moved = TaskChange {
        due: Some(due("2026-05-02")),
        priority: Some(Priority::Low),
        ..TaskChange::default()
    };
    assert_eq!(
        change(&stores, ann, made.id, &moved, at(3)).await.due,
        due("2026-05-02")
    );
    let ended = TaskChange {
        rule: Some(None),
        due: Some(None),
        ..TaskChange::default()
    };
    let ended = change(&stores, ann, made.id, &ended, at(4)).await;
    assert_eq!((ended.recurrence, ended.due), (None, None));
    let done = change(&stores, ann, made.id, &set(true), at(5)).await;
    assert_eq!((done.handed_on, tasks(&stores, ann).await.len()), (None, 2));
    // What is done does not begin to repeat.
    match attempt(&stores, ann, made.id, &rule_alone, UNLIMITED).await {
        Written::Invalid(faults) => assert_eq!(faults[0].fault.code, "task-is-completed"),
        other => panic!("{other:?}"),
    }
}

/// A successor counts like any task: who has enough completes nothing that repeats.
pub async fn a_full_owner_completes_no_series(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = create(&stores, ann, &repeating("a", "daily", "2026-02-28"), at(1)).await;
    let plain = create(&stores, ann, &crate::fixtures::task("b"), at(1)).await;
    assert_eq!(attempt(&stores, ann, made.id, &set(true), 2).await, Written::Full);
    assert_eq!(find(&stores, ann, made.id).await, Some(made.clone()));
    let done = attempt(&stores, ann, plain.id, &set(true), 2).await;
    assert!(
        done.done().unwrap().is_completed(),
        "what does not repeat needs no room"
    );
    assert!(
        attempt(&stores, ann, made.id, &set(true), 3)
            .await
            .done()
            .is_some()
    );
}

/// A version that is expected counts for series as for others.
pub async fn a_series_goes_on_for_the_right_version_alone(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = create(&stores, ann, &repeating("a", "daily", "2026-02-28"), at(1)).await;
    let tasks = &stores.tasks;
    for (versions, done) in [
        (vec![2], false),
        (vec![], false),
        (vec![7, 1], true),
        (vec![1], false),
    ] {
        let expected = Expected::OneOf(versions);
        let written = tasks
            .change_if(ann, made.id, &expected, &set(true), UNLIMITED, at(2))
            .await;
        let written = written.unwrap();
        assert_eq!(matches!(written, Written::Done(_)), done, "{expected:?}");
        assert!(done || written == Written::Stale);
    }
    let gone = tasks
        .change_if(ann, TaskId(99), &Expected::Any, &set(true), UNLIMITED, at(2))
        .await;
    assert_eq!(gone.unwrap(), Written::Absent);
}

//! What may happen, with few different values, so that things meet.

use std::time::Duration;

use errand_domain::TaskId;
use errand_domain::query::{Sort, TaskFilter};
use errand_domain::task::{
    Completion, Expected, NewTask, Operation, Priority, Recurrence, RecurrenceFrom, Rule, TaskChange,
    TimeZone,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use crate::fixtures::{description, due, rule, sorts, tags, task, time, title, words, zone};

/// The most steps of a history; half as many on average.
const STEPS: usize = 80;

/// So few that a history meets the quotas.
pub(super) const MOST_TASKS: u32 = 6;
pub(super) const MOST_SESSIONS: usize = 4;

/// Time passes, then something happens.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) wait: Duration,
    pub(super) event: Event,
}

/// One call of a port. Small numbers choose among what is there; most of them also reach what is not.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Register {
        address: usize,
        name: usize,
        hash: usize,
    },
    Credentials {
        name: usize,
    },
    Account {
        who: usize,
    },
    ChangePassword {
        who: usize,
        expected: usize,
        new: usize,
    },
    RenewHash {
        who: usize,
        expected: usize,
        new: usize,
    },
    DeleteAccount {
        who: usize,
    },
    Export {
        who: usize,
    },
    Disable {
        who: usize,
    },
    Enable {
        who: usize,
    },
    Start {
        who: usize,
    },
    Rotate {
        session: usize,
        age: usize,
        foreign_family: bool,
        /// Who else presents it.
        stranger: Option<usize>,
    },
    Sessions {
        who: usize,
    },
    End {
        who: usize,
        session: usize,
    },
    EndAll {
        who: usize,
    },
    Ended,
    Create {
        who: usize,
        key: usize,
        task: NewTask,
        late: bool,
    },
    Find {
        who: usize,
        task: i64,
    },
    Page {
        who: usize,
        query: Query,
    },
    NextPage {
        who: Option<usize>,
        place: usize,
    },
    Change {
        who: usize,
        task: i64,
        expected: Expected,
        change: TaskChange,
        late: bool,
    },
    Delete {
        who: usize,
        task: i64,
        expected: Expected,
    },
    Work {
        who: usize,
        /// Of the request; it asks for what its operations say.
        key: Option<usize>,
        operations: Vec<Operation>,
    },
    /// So many pages of the changes.
    Follow {
        who: usize,
        limit: u32,
        pages: usize,
    },
    Trash {
        who: usize,
        limit: u32,
    },
    Restore {
        who: usize,
        task: i64,
    },
    Erase {
        who: usize,
        task: i64,
    },
    Purge {
        who: usize,
    },
}

/// The first page of a list.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) filter: TaskFilter,
    pub(super) sort: Sort,
    pub(super) offset: u32,
    pub(super) limit: u32,
    pub(super) count: bool,
}

/// Addresses; some are the same in another letter case.
pub(super) const ADDRESSES: [&str; 5] = ["ann@x.io", "ANN@x.io", "É@x.io", "é@x.io", "bob@x.io"];
/// User names; some are the same in another letter case.
pub(super) const NAMES: [&str; 4] = ["ann", "Ann", "bob", "cyd"];

/// Histories of a few users. Two are there from the beginning.
pub(super) fn histories() -> impl Strategy<Value = Vec<Step>> {
    let first = |address, name| Step {
        wait: Duration::ZERO,
        event: Event::Register {
            address,
            name,
            hash: 0,
        },
    };
    vec(step(), 1..=STEPS - 2).prop_map(move |steps| {
        let beginning = [first(0, 0), first(4, 2)];
        beginning.into_iter().chain(steps).collect()
    })
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        12 => Just(Duration::ZERO),
        6 => Just(Duration::from_micros(1)),
        6 => Just(Duration::from_secs(1)),
        2 => Just(Duration::from_secs(10)),
        1 => Just(Duration::from_hours(2)),
        1 => Just(Duration::from_hours(13 * 24)),
    ];
    (wait, event()).prop_map(|(wait, event)| Step { wait, event })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![2 => account_event(), 3 => session_event(), 8 => task_event()]
}

/// Mostly the two from the beginning.
fn who() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0_usize), 4 => Just(1), 1 => 2..5_usize]
}

fn account_event() -> impl Strategy<Value = Event> {
    let hash = || 0..2_usize;
    prop_oneof![
        5 => (0..ADDRESSES.len(), 0..NAMES.len(), hash())
            .prop_map(|(address, name, hash)| Event::Register { address, name, hash }),
        1 => (0..ADDRESSES.len() + NAMES.len()).prop_map(|name| Event::Credentials { name }),
        2 => who().prop_map(|who| Event::Account { who }),
        3 => (who(), hash(), hash())
            .prop_map(|(who, expected, new)| Event::ChangePassword { who, expected, new }),
        2 => (who(), hash(), hash()).prop_map(|(who, expected, new)| Event::RenewHash { who, expected, new }),
        2 => who().prop_map(|who| Event::DeleteAccount { who }),
        3 => who().prop_map(|who| Event::Export { who }),
        1 => who().prop_map(|who| Event::Disable { who }),
        3 => who().prop_map(|who| Event::Enable { who }),
    ]
}

fn session_event() -> impl Strategy<Value = Event> {
    let session = || 0..6_usize;
    // Mostly the current token or the one before.
    let age = prop_oneof![4 => Just(0_usize), 3 => Just(1), 1 => 2..4_usize];
    let foreign = prop_oneof![9 => Just(false), 1 => Just(true)];
    let rotate = (session(), age, foreign, option::weighted(0.15, who())).prop_map(
        |(session, age, foreign_family, stranger)| Event::Rotate {
            session,
            age,
            foreign_family,
            stranger,
        },
    );
    prop_oneof![
        2 => who().prop_map(|who| Event::Start { who }),
        5 => rotate,
        2 => who().prop_map(|who| Event::Sessions { who }),
        1 => (who(), session()).prop_map(|(who, session)| Event::End { who, session }),
        1 => who().prop_map(|who| Event::EndAll { who }),
        2 => Just(Event::Ended),
    ]
}

fn task_event() -> impl Strategy<Value = Event> {
    let id = || prop_oneof![8 => 1..4_i64, 2 => 4..7_i64, 1 => Just(99)];
    let create = (who(), 0..8_usize, new_task(), any::<bool>())
        .prop_map(|(who, key, task, late)| Event::Create { who, key, task, late });
    let change = (who(), id(), expected(), task_change(), any::<bool>()).prop_map(
        |(who, task, expected, change, late)| Event::Change {
            who,
            task,
            expected,
            change,
            late,
        },
    );
    let delete =
        (who(), id(), expected()).prop_map(|(who, task, expected)| Event::Delete { who, task, expected });
    prop_oneof![
        6 => create,
        2 => (who(), id()).prop_map(|(who, task)| Event::Find { who, task }),
        5 => (who(), query()).prop_map(|(who, query)| Event::Page { who, query }),
        4 => (option::weighted(0.1, who()), 0..3_usize)
            .prop_map(|(who, place)| Event::NextPage { who, place }),
        8 => change,
        3 => (who(), option::of(0..3_usize), operations())
            .prop_map(|(who, key, operations)| Event::Work { who, key, operations }),
        3 => delete,
        2 => (who(), 1..4_u32, 1..5_usize)
            .prop_map(|(who, limit, pages)| Event::Follow { who, limit, pages }),
        1 => (who(), 1..4_u32).prop_map(|(who, limit)| Event::Trash { who, limit }),
        2 => (who(), id()).prop_map(|(who, task)| Event::Restore { who, task }),
        1 => (who(), id()).prop_map(|(who, task)| Event::Erase { who, task }),
        1 => who().prop_map(|who| Event::Purge { who }),
    ]
}

/// Mostly anything, sometimes a version that may be right.
fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![
        6 => Just(Expected::Any),
        4 => vec(1..4_i64, 0..3).prop_map(Expected::OneOf),
    ]
}

fn new_task() -> impl Strategy<Value = NewTask> {
    (
        titles(),
        descriptions(),
        select(&Priority::ALL),
        dues(),
        labels(),
        any::<bool>(),
        repetition(),
    )
        .prop_map(|(text, more, priority, by, labels, completed, repetition)| {
            let due = by.and_then(due);
            // What the services let through.
            let repeats = due.is_some() && !completed;
            let (rule, from, time_zone) = repetition;
            NewTask {
                description: more.and_then(description),
                priority,
                due,
                time_zone,
                tags: tags(labels),
                recurrence: rule.filter(|_| repeats).map(|rule| Recurrence::new(rule, from)),
                completed,
                ..task(text)
            }
        })
}

fn repetition() -> impl Strategy<Value = (Option<Rule>, RecurrenceFrom, Option<TimeZone>)> {
    (rules(), counted_from(), option::of(Just("UTC").prop_map(zone)))
}

fn rules() -> impl Strategy<Value = Option<Rule>> {
    let texts = ["daily", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;COUNT=2"];
    option::of(select(texts.map(rule).to_vec()))
}

fn counted_from() -> impl Strategy<Value = RecurrenceFrom> {
    select(vec![RecurrenceFrom::Due, RecurrenceFrom::Completion])
}

fn task_change() -> impl Strategy<Value = TaskChange> {
    let some = 0.3;
    let completion = select(vec![
        Completion::Toggle,
        Completion::Set(true),
        Completion::Set(false),
    ]);
    (
        option::weighted(some, titles()),
        option::weighted(some, descriptions()),
        option::weighted(some, select(&Priority::ALL)),
        option::weighted(some, dues()),
        option::weighted(some, labels()),
        option::weighted(some, completion),
        (
            option::weighted(0.2, rules()),
            option::weighted(0.1, repetition()),
        ),
    )
        .prop_map(
            |(text, more, priority, by, labels, completion, (rule, other))| TaskChange {
                title: text.map(title),
                description: more.map(|text| text.and_then(description)),
                priority,
                due: by.map(|text| text.and_then(due)),
                time_zone: other.as_ref().map(|(_, _, zone)| zone.clone()),
                tags: labels.map(tags),
                rule,
                recurrence_from: other.map(|(_, from, _)| from),
                completion,
            },
        )
}

pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let id = || prop_oneof![8 => 1..5_i64, 1 => 5..9_i64];
    let operation = prop_oneof![
        3 => new_task().prop_map(Operation::Create),
        6 => (id(), expected(), task_change())
            .prop_map(|(id, expected, change)| Operation::Change(TaskId(id), expected, change)),
        2 => (id(), expected()).prop_map(|(id, expected)| Operation::Delete(TaskId(id), expected)),
    ];
    vec(operation, 0..4)
}

fn query() -> impl Strategy<Value = Query> {
    let offset = prop_oneof![5 => Just(0_u32), 1 => 1..4_u32];
    (filter(), select(sorts()), offset, 1..4_u32, any::<bool>()).prop_map(
        |(filter, sort, offset, limit, count)| Query {
            filter,
            sort,
            offset,
            limit,
            count,
        },
    )
}

fn filter() -> impl Strategy<Value = TaskFilter> {
    let bound = || select(vec!["2026-05-01T00:00:00Z", "2026-05-01T00:00:00.000001Z"]);
    let set = 0.12;
    (
        option::weighted(set, any::<bool>()),
        option::weighted(set, vec(select(&Priority::ALL), 1..3)),
        option::weighted(set, select(vec![&["a"][..], &["a", "b"], &["ß"]])),
        option::weighted(set, select(vec!["a", "SS", "%", "_", "x a"])),
        option::weighted(set, bound()),
        option::weighted(set, bound()),
    )
        .prop_map(
            |(completed, priorities, labels, search, before, after)| TaskFilter {
                completed,
                priorities: priorities.unwrap_or_default(),
                tag_keys: labels
                    .map(|l| tags(l.iter().copied()).keys().collect())
                    .unwrap_or_default(),
                words: search.map(|text| words(text).words).unwrap_or_default(),
                due_before: before.map(time),
                due_after: after.map(time),
            },
        )
}

fn titles() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "A", "b", "ß", "SS x", "100%", "a_b", "😀", "\u{ff41}"])
}

fn descriptions() -> impl Strategy<Value = Option<&'static str>> {
    select(vec![None, Some(""), Some("x"), Some("A ss"), Some("50% _")])
}

fn dues() -> impl Strategy<Value = Option<&'static str>> {
    select(vec![
        None,
        Some("2026-05-01"),
        Some("2026-05-01T00:00:00Z"),
        Some("2026-05-01T00:00:00.000001Z"),
        Some("0001-01-01"),
        Some("9999-12-31T23:59:59.999999Z"),
    ])
}

fn labels() -> impl Strategy<Value = Vec<&'static str>> {
    select(vec![
        vec![],
        vec!["a"],
        vec!["B", "a"],
        vec!["ab"],
        vec!["ẞ", "%"],
    ])
}

//! Pages: order, limits, counts, and following them while nothing is written.

use errand_domain::query::{OFFSET_MAX, PAGE_MAX, PageStart, Sort, SortKey, TaskFilter, TaskQuery};
use errand_domain::task::{NewTask, Priority, Task};
use errand_domain::{Timestamp, UserId};

use crate::fixtures::{
    at, change, create, create_titled, due, filtered, follow, ids, micros, page, register, retitled, seed,
    shown, sorted, sorts, tags, task,
};
use crate::harness::Stores;

/// Two dozen tasks with few different values, so that every order has many ties.
async fn mixture(stores: &Stores, owner: UserId) -> Vec<Task> {
    let titles = ["milk", "Milk", "Äpfel", "zebra", "straße", "STRASSE", "10", "9"];
    let dues = [
        None,
        due("2026-05-01"),
        due("2026-05-01T00:00:00Z"),
        due("2026-04-30T23:59:59.999999Z"),
        None,
    ];
    let mut made = Vec::new();
    for n in 0..24 {
        let new = NewTask {
            priority: Priority::ALL[n * 7 % 3],
            due: dues[n * 3 % 5],
            tags: tags([["a", "b"][n % 2]]),
            completed: n % 4 == 0,
            ..task(titles[n * 5 % 8])
        };
        made.push(create(stores, owner, &new, at(10 - n as u64 % 3)).await);
    }
    for n in [3, 11, 17, 5] {
        let wanted = retitled(titles[n % 8]);
        made[n] = change(stores, owner, made[n].id, &wanted, at(20 + n as u64 % 2)).await;
    }
    made
}

/// The ids in the order that the domain gives them.
fn in_order(tasks: &[Task], sort: Sort) -> Vec<i64> {
    let mut tasks = tasks.to_vec();
    tasks.sort_by(|a, b| sort.compare(a, b));
    ids(&tasks)
}

/// Every order by every key in either direction is the one that the domain says.
pub async fn every_order_is_the_domains(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let made = mixture(&stores, ann.id()).await;
    for sort in sorts() {
        let listed = page(&stores, ann.id(), &sorted(sort)).await;
        assert_eq!(ids(&listed.tasks), in_order(&made, sort), "{sort:?}");
        assert_eq!((listed.next, listed.total), (None, None), "{sort:?}");
        for task in &listed.tasks {
            assert!(made.contains(task), "{sort:?} shows another {task:?}");
        }
    }
}

/// What is equal by the key goes by id, in the same direction.
pub async fn equal_keys_go_by_id(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for _ in 0..12 {
        create_titled(&stores, ann.id(), "same").await;
    }
    for sort in sorts() {
        let mut expected: Vec<i64> = (1..=12).collect();
        if sort.descending {
            expected.reverse();
        }
        let listed = page(&stores, ann.id(), &sorted(sort)).await.tasks;
        assert_eq!(ids(&listed), expected, "{sort:?}");
    }
}

/// Time stamps order to the microsecond.
pub async fn time_stamps_order_to_the_microsecond(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for offset in [5, 1, 999_999, 3, 1_000_000] {
        create(&stores, ann.id(), &task("a"), at(1).plus(micros(offset))).await;
    }
    for key in [SortKey::CreatedAt, SortKey::UpdatedAt] {
        let listed = page(
            &stores,
            ann.id(),
            &sorted(Sort {
                key,
                descending: false,
            }),
        )
        .await;
        assert_eq!(ids(&listed.tasks), [2, 4, 1, 3, 5], "{key:?}");
    }
}

/// Tasks without a due date come last in either direction; days stand at their midnight, years as numbers.
pub async fn tasks_without_a_due_date_come_last_either_way(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let dues = [
        None,
        due("9999-12-31"),
        due("0001-01-01"),
        None,
        due("2026-12-01T00:00:00.000001Z"),
        due("2026-12-01"),
        due("2026-11-30T23:59:59.999999Z"),
        due("0099-01-01"),
    ];
    for due in dues {
        create(&stores, ann.id(), &NewTask { due, ..task("a") }, at(1)).await;
    }
    for (descending, expected) in [
        (false, [3, 8, 7, 6, 5, 2, 1, 4]),
        (true, [2, 5, 6, 7, 8, 3, 4, 1]),
    ] {
        let sort = Sort {
            key: SortKey::DueDate,
            descending,
        };
        assert_eq!(ids(&page(&stores, ann.id(), &sorted(sort)).await.tasks), expected);
    }
}

/// Titles compare by their folded form, code point by code point, beyond U+FFFF too.
pub async fn titles_compare_folded_by_code_point(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let in_order = [
        "!",
        "10",
        "9",
        "_a",
        "a b",
        "A-B",
        "ab",
        "Straße", // strasse
        "STRASSEN",
        "strassf",
        "zebra",
        "Äpfel",
        "\u{ff5e}", // U+FF5E comes before…
        "\u{fffd}",
        "\u{10000}", // …what UTF-16 writes with surrogates
        "😀",
    ];
    for text in in_order.iter().rev() {
        create_titled(&stores, ann.id(), text).await;
    }
    for descending in [false, true] {
        let sort = Sort {
            key: SortKey::Title,
            descending,
        };
        let listed = page(&stores, ann.id(), &sorted(sort)).await.tasks;
        let mut titles: Vec<_> = listed.iter().map(|t| t.title.as_str()).collect();
        if descending {
            titles.reverse();
        }
        assert_eq!(titles, in_order);
    }
}

/// A long title counts to its last character.
pub async fn titles_compare_to_the_last_character(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let head = "é".repeat(199);
    for last in ["c", "a", "B"] {
        create_titled(&stores, ann.id(), &format!("{head}{last}")).await;
    }
    let sort = Sort {
        key: SortKey::Title,
        descending: false,
    };
    assert_eq!(
        ids(&page(&stores, ann.id(), &sorted(sort)).await.tasks),
        [2, 3, 1]
    );
}

/// Pages of one, two or three, followed to the end, are the one big page.
pub async fn small_pages_add_up_to_the_big_one(stores: Stores) {
    let ann = register(&stores, "ann").await;
    mixture(&stores, ann.id()).await;
    let filter = TaskFilter {
        completed: Some(false),
        ..TaskFilter::default()
    };
    for sort in sorts() {
        for filter in [&filter, &TaskFilter::default()] {
            let query = TaskQuery {
                filter: filter.clone(),
                ..sorted(sort)
            };
            let all = page(&stores, ann.id(), &query).await.tasks;
            for limit in [1, 2, 3, 23, 24] {
                let small = follow(
                    &stores,
                    ann.id(),
                    &TaskQuery {
                        limit,
                        ..query.clone()
                    },
                )
                .await;
                assert_eq!(small, all, "{sort:?}, {limit} a page");
            }
        }
    }
}

/// `next` is `None` on the last page, full or not, and on no other.
pub async fn next_is_none_exactly_at_the_end(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for sort in sorts() {
        let empty = page(&stores, UserId(i64::MAX), &sorted(sort)).await;
        assert_eq!((empty.tasks, empty.next), (vec![], None), "{sort:?}");
    }
    for _ in 0..6 {
        create_titled(&stores, ann.id(), "a").await;
    }
    for sort in sorts() {
        for limit in 1..8 {
            let mut query = TaskQuery {
                limit,
                ..sorted(sort)
            };
            let mut seen = 0;
            loop {
                let page = page(&stores, ann.id(), &query).await;
                seen += page.tasks.len();
                assert_eq!(
                    page.next.is_none(),
                    seen == 6,
                    "{sort:?}, {limit} a page, {seen} seen"
                );
                assert_eq!(page.tasks.len() < limit as usize, seen == 6 && 6 % limit != 0);
                let Some(next) = page.next else { break };
                query.start = next;
            }
        }
    }
}

/// In the order of creation the next page begins behind the last task; in any other, in the walk of the seed.
pub async fn the_next_page_is_named_by_its_order(stores: Stores) {
    let ann = register(&stores, "ann").await;
    mixture(&stores, ann.id()).await;
    for sort in sorts() {
        let (query, seed) = (
            TaskQuery {
                limit: 5,
                ..sorted(sort)
            },
            seed(at(60)),
        );
        let answer = stores.tasks.page(ann.id(), &query, seed).await.unwrap().unwrap();
        let last = answer.tasks.last().unwrap();
        match answer.next {
            Some(PageStart::After { created_at, id }) => {
                assert_eq!(
                    (sort.key, created_at, id),
                    (SortKey::CreatedAt, last.created_at, last.id)
                );
            }
            Some(PageStart::Walk { id, .. }) => {
                assert_eq!(id, seed.id, "{sort:?}");
                assert_ne!(sort.key, SortKey::CreatedAt);
            }
            other => panic!("{sort:?}: {other:?}"),
        }
    }
}

/// An offset skips so many tasks, in every order, and the pages go on from there.
pub async fn an_offset_skips_so_many(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let made = mixture(&stores, ann.id()).await;
    for sort in sorts() {
        let all = in_order(&made, sort);
        for offset in [1, 2, 10, 23, 24, 25, OFFSET_MAX] {
            let query = TaskQuery {
                start: PageStart::Offset(offset),
                limit: 4,
                ..sorted(sort)
            };
            let rest = ids(&follow(&stores, ann.id(), &query).await);
            assert_eq!(
                rest,
                all[all.len().min(offset as usize)..],
                "{sort:?} from {offset}"
            );
        }
    }
}

/// The count is of all that the filter lets through, on every page, and only if asked for.
pub async fn the_count_is_of_all_that_match(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let bob = register(&stores, "bob").await;
    let made = mixture(&stores, ann.id()).await;
    mixture(&stores, bob.id()).await;
    let filter = TaskFilter {
        priorities: vec![Priority::High],
        ..TaskFilter::default()
    };
    let matching = made.iter().filter(|t| filter.matches(t)).count() as u64;
    for sort in sorts() {
        for (filter, total) in [(TaskFilter::default(), 24), (filter.clone(), matching)] {
            let mut query = TaskQuery {
                filter,
                limit: 3,
                count: true,
                ..sorted(sort)
            };
            for start in [
                PageStart::Offset(0),
                PageStart::Offset(2),
                PageStart::Offset(OFFSET_MAX),
            ] {
                query.start = start;
                let first = page(&stores, ann.id(), &query).await;
                assert_eq!(first.total, Some(total), "{sort:?} {start:?}");
                let Some(next) = first.next else { continue };
                query.start = next;
                assert_eq!(
                    page(&stores, ann.id(), &query).await.total,
                    Some(total),
                    "{sort:?} {next:?}"
                );
            }
            query.count = false;
            query.start = PageStart::Offset(0);
            assert_eq!(page(&stores, ann.id(), &query).await.total, None);
        }
    }
}

/// A page may be as large as the largest limit, and a walk longer than a page.
pub async fn the_largest_page_holds_all(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let count = 300;
    for n in 0..count {
        create(&stores, ann.id(), &task(&format!("{:03}", n * 7 % count)), at(n)).await;
    }
    for sort in sorts() {
        let all = page(&stores, ann.id(), &sorted(sort)).await;
        assert_eq!((all.tasks.len() as u64, all.next), (count, None), "{sort:?}");
        let limited = TaskQuery {
            limit: 299,
            ..sorted(sort)
        };
        assert_eq!(follow(&stores, ann.id(), &limited).await, all.tasks, "{sort:?}");
    }
    assert_eq!(sorted(sorts()[0]).limit, PAGE_MAX);
}

/// A place in the order of creation needs no task there: the one that it was named by may be gone.
pub async fn a_place_needs_no_task_to_stand_on(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for seconds in [1, 1, 2, 3] {
        create(&stores, ann.id(), &task("a"), at(seconds)).await;
    }
    let from = async |created_at: Timestamp, id: i64| {
        let query = TaskQuery {
            start: PageStart::After {
                created_at,
                id: errand_domain::TaskId(id),
            },
            ..filtered(TaskFilter::default())
        };
        ids(&page(&stores, ann.id(), &query).await.tasks)
    };
    assert_eq!(from(at(1), 1).await, [2, 3, 4]);
    assert_eq!(from(at(1), 99).await, [3, 4]);
    assert_eq!(from(at(2), 0).await, [3, 4]);
    assert_eq!(from(at(0), 99).await, [1, 2, 3, 4]);
    assert_eq!(from(at(9), 0).await, Vec::<i64>::new());
    assert_eq!(
        shown(&stores, ann.id(), TaskFilter::default()).await,
        [1, 2, 3, 4]
    );
}

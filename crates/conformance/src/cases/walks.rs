//! Following pages to the end while others write.

use std::collections::BTreeSet;
use std::time::Duration;

use errand_domain::query::{PageStart, Sort, SortKey, TaskFilter, TaskQuery};
use errand_domain::task::{Completion, NewTask, Priority, Task, TaskChange};
use errand_domain::{TaskId, UserId};

use crate::fixtures::{
    at, change, create, create_titled, description, due, find, follow, ids, micros, page, register, retitled,
    seed, sorted, sorts, task, uuid,
};
use crate::harness::Stores;

/// Orders that move under a reader's feet.
fn walking_sorts() -> Vec<Sort> {
    sorts()
        .into_iter()
        .filter(|s| s.key != SortKey::CreatedAt)
        .collect()
}

/// Changes whatever a task could be sorted by, to the front or to the end of every order.
fn moving(to_the_end: bool) -> TaskChange {
    TaskChange {
        title: Some(crate::fixtures::title(if to_the_end { "zzz" } else { "!" })),
        description: Some(description("moved")),
        priority: Some(if to_the_end { Priority::High } else { Priority::Low }),
        due: Some(due(if to_the_end { "9999-12-31" } else { "0001-01-01" })),
        ..TaskChange::default()
    }
}

/// A new task that stands at the front or the end of every order.
fn arriving(to_the_end: bool) -> NewTask {
    let change = moving(to_the_end);
    NewTask {
        title: change.title.unwrap(),
        description: None,
        priority: change.priority.unwrap(),
        due: change.due.unwrap(),
        ..task("unused")
    }
}

/// What a reader saw and what must hold of it.
struct Reader {
    seen: Vec<Task>,
    /// The tasks that were there from the beginning and still are.
    throughout: BTreeSet<TaskId>,
    /// The tasks that were deleted before they were seen.
    too_late: BTreeSet<TaskId>,
}

impl Reader {
    /// Writes everything between two pages that could make a list skip or repeat something.
    async fn disturb(&mut self, stores: &Stores, owner: UserId, step: u64) {
        let seen: BTreeSet<_> = self.seen.iter().map(|t| t.id).collect();
        let behind: Vec<_> = self.throughout.intersection(&seen).copied().collect();
        let ahead: Vec<_> = self.throughout.difference(&seen).copied().collect();
        let now = 1000 + 10 * step;
        for to_the_end in [true, false] {
            create(stores, owner, &arriving(to_the_end), at(now)).await;
            for id in behind.iter().rev().take(2).chain(ahead.iter().take(2)) {
                change(stores, owner, *id, &moving(to_the_end), at(now)).await;
            }
        }
        // Of those ahead the first to come moves to the end and the last to the front.
        for (id, to_the_end) in [(ahead.first(), true), (ahead.last(), false)] {
            if let Some(id) = id {
                change(stores, owner, *id, &moving(to_the_end), at(now + 1)).await;
            }
        }
        if step.is_multiple_of(2) {
            for id in [behind.first(), ahead.get(1)].into_iter().flatten() {
                assert!(stores.tasks.delete(owner, *id, at(now + 2)).await.unwrap());
                self.throughout.remove(id);
                if !seen.contains(id) {
                    self.too_late.insert(*id);
                }
            }
        }
    }
}

/// In every order a reader sees each task that is there throughout exactly once, as it is when its page comes,
/// whatever is made, changed and deleted between the pages.
pub async fn paging_while_writing_shows_every_task_exactly_once(stores: Stores) {
    for (n, sort) in sorts().into_iter().enumerate() {
        let owner = register(&stores, &format!("user{n}")).await.id();
        let mut reader = Reader {
            seen: Vec::new(),
            throughout: BTreeSet::new(),
            too_late: BTreeSet::new(),
        };
        for n in 0..14_usize {
            let new = NewTask {
                priority: Priority::ALL[n % 3],
                due: [None, due("2026-05-01"), due("2026-06-01T10:00:00Z")][n / 2 % 3],
                ..task(["m", "k", "M", "q"][n % 4])
            };
            let made = create(&stores, owner, &new, at(n as u64 / 3)).await;
            reader.throughout.insert(made.id);
        }
        let mut query = TaskQuery {
            limit: 3,
            ..sorted(sort)
        };
        for step in 0..100 {
            let page = page(&stores, owner, &query).await;
            for task in &page.tasks {
                let now = find(&stores, owner, task.id).await;
                assert_eq!(now.as_ref(), Some(task), "{sort:?}: as it is now");
            }
            reader.seen.extend(page.tasks);
            let Some(next) = page.next else { break };
            query.start = next;
            reader.disturb(&stores, owner, step).await;
        }
        let seen = ids(&reader.seen);
        let once: BTreeSet<_> = reader.seen.iter().map(|t| t.id).collect();
        assert_eq!(
            once.len(),
            seen.len(),
            "{sort:?}: something came twice in {seen:?}"
        );
        let missed: Vec<_> = reader.throughout.difference(&once).collect();
        assert!(missed.is_empty(), "{sort:?}: {missed:?} missed in {seen:?}");
        let ghosts: Vec<_> = reader.too_late.intersection(&once).collect();
        assert!(ghosts.is_empty(), "{sort:?}: {ghosts:?} were deleted before");
    }
}

/// A task that stops matching is shown no more; one that matches throughout is, wherever it moves.
pub async fn later_pages_show_only_what_matches_now(stores: Stores) {
    for (n, sort) in sorts().into_iter().enumerate() {
        let owner = register(&stores, &format!("user{n}")).await.id();
        for _ in 0..8 {
            create_titled(&stores, owner, "same").await;
        }
        let filter = TaskFilter {
            completed: Some(false),
            ..TaskFilter::default()
        };
        let mut query = TaskQuery {
            filter,
            limit: 2,
            count: true,
            ..sorted(sort)
        };
        let first = page(&stores, owner, &query).await;
        let expected = if sort.descending { [8, 7] } else { [1, 2] };
        assert_eq!(
            (ids(&first.tasks), first.total),
            (expected.to_vec(), Some(8)),
            "{sort:?}"
        );
        let done = TaskChange::completing(Completion::Set(true));
        for id in [3, 6] {
            change(&stores, owner, TaskId(id), &done, at(10)).await;
        }
        for id in [4, 5] {
            change(&stores, owner, TaskId(id), &moving(sort.descending), at(11)).await;
        }
        query.start = first.next.unwrap();
        let second = page(&stores, owner, &query).await;
        assert_eq!(second.total, Some(6), "{sort:?}: as of now");
        query.start = second.next.unwrap();
        let rest = [second.tasks, follow(&stores, owner, &query).await].concat();
        let expected = if sort.descending {
            [5, 4, 2, 1]
        } else {
            [4, 5, 7, 8]
        };
        assert_eq!(ids(&rest), expected, "{sort:?}");
    }
}

/// Pages of a walk are filled to the limit although some of its tasks are gone.
pub async fn a_walk_fills_its_pages(stores: Stores) {
    for (n, sort) in walking_sorts().into_iter().enumerate() {
        let owner = register(&stores, &format!("user{n}")).await.id();
        for _ in 0..9 {
            create_titled(&stores, owner, "same").await;
        }
        let mut query = TaskQuery {
            limit: 2,
            ..sorted(sort)
        };
        let first = page(&stores, owner, &query).await;
        for id in [3, 5, 7] {
            assert!(stores.tasks.delete(owner, TaskId(id), at(9)).await.unwrap());
        }
        let mut pages = vec![ids(&first.tasks)];
        query.start = first.next.unwrap();
        loop {
            let page = page(&stores, owner, &query).await;
            pages.push(ids(&page.tasks));
            let Some(next) = page.next else { break };
            query.start = next;
        }
        let expected = if sort.descending {
            [[9, 8], [6, 4], [2, 1]]
        } else {
            [[1, 2], [4, 6], [8, 9]]
        };
        assert_eq!(pages, expected, "{sort:?}");
    }
}

/// If all that was to come is gone, the page before it is the last.
pub async fn a_walk_ends_where_nothing_is_left(stores: Stores) {
    for (n, sort) in sorts().into_iter().enumerate() {
        let owner = register(&stores, &format!("user{n}")).await.id();
        for _ in 0..6 {
            create_titled(&stores, owner, "same").await;
        }
        let mut query = TaskQuery {
            limit: 2,
            ..sorted(sort)
        };
        let first = page(&stores, owner, &query).await;
        let last = if sort.descending { [1, 2] } else { [5, 6] };
        for id in last {
            assert!(stores.tasks.delete(owner, TaskId(id), at(9)).await.unwrap());
        }
        query.start = first.next.unwrap();
        let second = page(&stores, owner, &query).await;
        let expected = if sort.descending { [4, 3] } else { [3, 4] };
        assert_eq!(
            (ids(&second.tasks), second.next),
            (expected.to_vec(), None),
            "{sort:?}"
        );
        for id in [3, 4] {
            assert!(stores.tasks.delete(owner, TaskId(id), at(9)).await.unwrap());
        }
        let empty = page(&stores, owner, &query).await;
        assert_eq!((empty.tasks, empty.next), (vec![], None), "{sort:?}");
    }
}

/// The same page of a walk can be asked for again, and gives the same tasks.
pub async fn a_page_of_a_walk_can_be_read_again(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for n in 0..7 {
        create_titled(&stores, ann.id(), &format!("{}", 7 - n)).await;
    }
    for sort in walking_sorts() {
        let mut query = TaskQuery {
            limit: 3,
            ..sorted(sort)
        };
        query.start = page(&stores, ann.id(), &query).await.next.unwrap();
        let second = page(&stores, ann.id(), &query).await;
        create_titled(&stores, ann.id(), "0").await;
        let again = page(&stores, ann.id(), &query).await;
        assert_eq!((again.tasks, again.next), (second.tasks, second.next), "{sort:?}");
    }
}

/// Walks do not get in each other's way.
pub async fn walks_are_independent(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for n in 0..10 {
        create(&stores, ann.id(), &task(&format!("{}", n * 3 % 10)), at(n)).await;
    }
    let mut readers = Vec::new();
    for sort in walking_sorts() {
        let whole = page(&stores, ann.id(), &sorted(sort)).await.tasks;
        let query = TaskQuery {
            limit: 3,
            ..sorted(sort)
        };
        let first = page(&stores, ann.id(), &query).await;
        let start = first.next.unwrap();
        readers.push((TaskQuery { start, ..query }, ids(&first.tasks), ids(&whole)));
    }
    for (query, mut seen, whole) in readers {
        seen.extend(ids(&follow(&stores, ann.id(), &query).await));
        assert_eq!(seen, whole, "{:?}", query.sort);
    }
}

/// A walk is remembered for an hour, also while others are begun.
pub async fn a_walk_is_kept_for_an_hour(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for _ in 0..5 {
        create_titled(&stores, ann.id(), "same").await;
    }
    for sort in walking_sorts() {
        let query = TaskQuery {
            limit: 2,
            ..sorted(sort)
        };
        let begun = stores.tasks.page(ann.id(), &query, seed(at(100))).await;
        let next = begun.unwrap().unwrap().next.unwrap();
        let last = at(100).plus(Duration::from_hours(1)).minus(micros(1));
        for now in [at(101), at(2000), last] {
            let other = stores.tasks.page(ann.id(), &query, seed(now)).await;
            assert!(other.unwrap().is_some());
            let query = TaskQuery {
                start: next,
                ..query.clone()
            };
            let page = stores.tasks.page(ann.id(), &query, seed(now)).await.unwrap();
            let page = page.expect("within the hour");
            let expected = if sort.descending { [3, 2] } else { [3, 4] };
            assert_eq!(ids(&page.tasks), expected, "{sort:?}");
        }
    }
}

/// A walk that was never begun is not known.
pub async fn an_unknown_walk_is_none(stores: Stores) {
    let ann = register(&stores, "ann").await;
    create_titled(&stores, ann.id(), "a").await;
    for sort in walking_sorts() {
        for offset in [0, 1, u32::MAX] {
            let query = TaskQuery {
                start: PageStart::Walk {
                    id: uuid(u64::MAX >> 2),
                    offset,
                },
                count: true,
                ..sorted(sort)
            };
            let page = stores.tasks.page(ann.id(), &query, seed(at(1))).await.unwrap();
            assert_eq!(page, None, "{sort:?}");
        }
    }
}

/// A reader in the order of creation meets tasks that were made in front of it, and none twice.
pub async fn a_reader_by_creation_meets_the_new_ones_ahead(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for n in 0..4 {
        create(&stores, ann.id(), &task("a"), at(n)).await;
    }
    let mut query = TaskQuery {
        limit: 2,
        ..sorted(Sort {
            key: SortKey::CreatedAt,
            descending: false,
        })
    };
    query.start = page(&stores, ann.id(), &query).await.next.unwrap();
    change(&stores, ann.id(), TaskId(1), &retitled("b"), at(9)).await;
    create(&stores, ann.id(), &task("a"), at(9)).await;
    assert_eq!(ids(&follow(&stores, ann.id(), &query).await), [3, 4, 5]);
}

//! The `ETag` of a list: the owner's change counter, and a digest of what was asked for.
//!
//! `"counter-digest"`, and behind that the half hour in which the page was made if its `Link` leads to a
//! remembered walk: a walk is forgotten after an hour, and a client whose list never changes must not hold on to
//! a link that leads nowhere.

use std::time::Duration;

use errand_domain::query::{PageStart, TaskPage, TaskQuery};
use errand_domain::{Timestamp, UserId};

use crate::conditions::Condition;
use crate::cursor::List;

/// Half of the time for which a walk is kept at least.
const PERIOD: Duration = Duration::from_mins(30);

/// Makes and recognises the tags of one page of a list.
pub(super) struct Validator {
    digest: String,
    period: i64,
}

impl Validator {
    pub(super) fn new(owner: UserId, query: &TaskQuery, now: Timestamp) -> Self {
        let list = List {
            owner,
            sort: query.sort,
            filter: &query.filter,
        };
        let period = i64::try_from(PERIOD.as_micros()).unwrap_or(i64::MAX);
        Self {
            digest: list.digest(query.start, query.limit, query.count),
            period: now.micros().div_euclid(period),
        }
    }

    /// The tag of a page, without quotes.
    pub(super) fn of(&self, page: &TaskPage) -> String {
        match page.next {
            Some(PageStart::Walk { .. }) => self.passing(page.changes),
            _ => self.lasting(page.changes),
        }
    }

    /// Whether the client may have this page, so that asking for the counter is worth it.
    pub(super) fn may_be_known(&self, condition: &Condition) -> bool {
        condition.has(|tag| tag.split('-').nth(1) == Some(&self.digest))
    }

    /// The tag that the client has and that is still right.
    pub(super) fn known(&self, condition: &Condition, changes: i64) -> Option<String> {
        let tags = [self.lasting(changes), self.passing(changes)];
        tags.into_iter().find(|tag| condition.knows(tag))
    }

    fn lasting(&self, changes: i64) -> String {
        format!("{changes}-{}", self.digest)
    }

    fn passing(&self, changes: i64) -> String {
        format!("{changes}-{}-{}", self.digest, self.period)
    }
}

#[cfg(test)]
mod tests {
    use errand_domain::query::{Sort, SortKey, TaskFilter};
    use uuid::Uuid;

    use super::*;

    fn query() -> TaskQuery {
        TaskQuery {
            filter: TaskFilter::default(),
            sort: Sort::default(),
            start: PageStart::Offset(0),
            limit: 10,
            count: false,
        }
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-23T07:00:00Z").unwrap()
    }

    fn page(next: Option<PageStart>) -> TaskPage {
        TaskPage {
            tasks: Vec::new(),
            next,
            total: None,
            changes: 7,
        }
    }

    fn having(tag: &str) -> Condition {
        let request = actix_web::test::TestRequest::default()
            .insert_header(("if-none-match", format!("\"{tag}\"")))
            .to_http_request();
        crate::conditions::if_none_match(&request).unwrap().unwrap()
    }

    #[test]
    fn the_same_is_known_until_the_counter_moves() {
        let validator = Validator::new(UserId(1), &query(), now());
        let tag = validator.of(&page(None));
        assert!(tag.starts_with("7-") && tag.len() == 2 + 16, "{tag}");
        assert!(validator.may_be_known(&having(&tag)));
        assert_eq!(validator.known(&having(&tag), 7), Some(tag.clone()));
        assert_eq!(validator.known(&having(&tag), 8), None);
        for other in ["7", "7-", "x", "7-0123456789abcdef"] {
            assert!(!validator.may_be_known(&having(other)), "{other}");
        }
        assert_eq!(validator.known(&Condition::Any, 7), Some(tag));
    }

    #[test]
    fn whatever_is_asked_otherwise_is_another_page() {
        let other = |change: fn(&mut TaskQuery)| {
            let mut query = query();
            change(&mut query);
            Validator::new(UserId(1), &query, now()).digest
        };
        let digests = [
            other(|_| {}),
            other(|q| q.limit = 11),
            other(|q| q.count = true),
            other(|q| q.start = PageStart::Offset(10)),
            other(|q| {
                q.start = PageStart::Walk {
                    id: Uuid::nil(),
                    offset: 10,
                };
            }),
            other(|q| q.sort.descending = false),
            other(|q| q.sort.key = SortKey::Title),
            other(|q| q.filter.completed = Some(true)),
            Validator::new(UserId(2), &query(), now()).digest,
        ];
        let distinct: std::collections::HashSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }

    #[test]
    fn a_page_that_leads_to_a_walk_is_known_for_less_than_the_walk() {
        let walk = PageStart::Walk {
            id: Uuid::nil(),
            offset: 10,
        };
        let at = |minutes| Validator::new(UserId(1), &query(), now().plus(Duration::from_mins(minutes)));
        let tag = having(&at(0).of(&page(Some(walk))));
        assert!(at(0).known(&tag, 7).is_some() && at(29).known(&tag, 7).is_some());
        assert!(
            at(31).known(&tag, 7).is_none(),
            "a walk may be gone after an hour"
        );
        let lasting = having(&at(0).of(&page(None)));
        assert!(at(3000).known(&lasting, 7).is_some());
    }
}

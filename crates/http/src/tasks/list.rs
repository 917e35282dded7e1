//! The parameters of the list of tasks.

use errand_domain::query::{OFFSET_MAX, PAGE_MAX, PageStart, Sort, SortKey, TaskFilter, TaskQuery};
use errand_domain::task::{Due, Priority};
use errand_domain::{Fault, UserId};
use url::form_urlencoded::Serializer;

use crate::cursor::List;
use crate::fields::tags_in;
use crate::problem::{Invalid, Problem};
use crate::query::Query;

/// Every parameter, old names included.
pub(crate) const PARAMETERS: &[&str] = &[
    "status",
    "completed",
    "priority",
    "tag",
    "q",
    "search",
    "due_before",
    "due_after",
    "sort",
    "sort_by",
    "order",
    "limit",
    "cursor",
    "offset",
    "count",
];

const SORT_KEYS: &[(&str, SortKey)] = &[
    ("created_at", SortKey::CreatedAt),
    ("updated_at", SortKey::UpdatedAt),
    ("title", SortKey::Title),
    ("due_date", SortKey::DueDate),
    ("priority", SortKey::Priority),
    ("created", SortKey::CreatedAt),
    ("updated", SortKey::UpdatedAt),
];

/// Reads values and collects everything that is wrong with them.
pub(super) struct Reader<'a> {
    query: &'a Query,
    faults: Vec<Invalid>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(query: &'a Query) -> Self {
        Self {
            query,
            faults: Vec::new(),
        }
    }

    /// Fails with all faults, if there are any.
    pub(super) fn finish(self) -> Result<(), Problem> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.faults))
        }
    }

    pub(super) fn value<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        let parsed = parse(self.query.get(name)?);
        parsed.map_err(|fault| self.fault(name, fault)).ok()
    }

    /// A parameter that has an old name; giving both is a fault.
    fn renamed<T>(
        &mut self,
        name: &str,
        old: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        if self.query.get(old).is_none() {
            return self.value(name, parse);
        }
        if self.query.get(name).is_some() {
            let detail = format!("is the old name of {name}; give only one of them");
            self.fault(old, Fault::new("contradiction", detail));
        }
        self.value(old, parse)
    }

    /// One of a few words.
    fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        self.value(name, |text| word(text, words))
    }

    pub(super) fn number(&mut self, name: &str, min: u32, max: u32) -> Option<u32> {
        self.value(name, |text| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let number = text.parse().ok().filter(|n| digits && (min..=max).contains(n));
            number.ok_or_else(|| {
                Fault::new(
                    "out-of-range",
                    format!("must be a whole number from {min} to {max}"),
                )
            })
        })
    }

    fn fault(&mut self, name: &str, fault: Fault) {
        self.faults.push(Invalid::parameter(name, fault));
    }
}

fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Fault> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Fault::new("unknown-value", format!("must be one of {}", words.join(", ")))
    })
}

/// The query that the parameters ask for.
pub(super) fn read(query: &Query, owner: UserId) -> Result<TaskQuery, Problem> {
    let mut reader = Reader::new(query);
    let filter = filter(&mut reader);
    let sort = sort(&mut reader);
    let limit = reader.number("limit", 1, PAGE_MAX).unwrap_or(PAGE_MAX);
    let offset = reader.number("offset", 0, OFFSET_MAX);
    let count = reader.word("count", &[("true", true), ("false", false)]);
    let list = List {
        owner,
        sort,
        filter: &filter,
    };
    // A cursor is for a list: if the list is not clear, nothing can be said of it.
    let cursor = if reader.faults.is_empty() {
        reader.value("cursor", |text| {
            list.decode(text)
                .ok_or_else(|| Fault::new("invalid-cursor", "does not belong to this list"))
        })
    } else {
        None
    };
    if query.get("cursor").is_some() && query.get("offset").is_some() {
        let detail = "cannot be combined with cursor";
        reader.fault("offset", Fault::new("contradiction", detail));
    }
    reader.finish()?;
    Ok(TaskQuery {
        filter,
        sort,
        start: cursor.unwrap_or(PageStart::Offset(offset.unwrap_or_default())),
        limit,
        count: count.unwrap_or_default(),
    })
}

fn filter(reader: &mut Reader<'_>) -> TaskFilter {
    let status = [("all", None), ("pending", Some(false)), ("completed", Some(true))];
    let status = reader.word("status", &status).flatten();
    let completed = reader.word("completed", &[("true", true), ("false", false)]);
    if status.zip(completed).is_some_and(|(a, b)| a != b) {
        let detail = "contradicts status";
        reader.fault("completed", Fault::new("contradiction", detail));
    }
    let bound = |text: &str| Due::parse(text);
    TaskFilter {
        completed: completed.or(status),
        priorities: reader.value("priority", priorities).unwrap_or_default(),
        tag_keys: reader.value("tag", tag_keys).unwrap_or_default(),
        words: reader
            .renamed("q", "search", TaskFilter::words)
            .unwrap_or_default(),
        due_before: reader.value("due_before", bound).map(TaskFilter::before),
        due_after: reader.value("due_after", bound).map(TaskFilter::after),
    }
}

/// Sorted and without repetitions, so that the same list has the same cursor.
fn priorities(text: &str) -> Result<Vec<Priority>, Fault> {
    let parsed = text.split(',').map(|piece| Priority::parse(piece.trim()));
    let mut priorities = parsed.collect::<Result<Vec<_>, _>>().map_err(|_| {
        Fault::new(
            "unknown-value",
            "must be one or more of Low, Medium, High with commas between",
        )
    })?;
    priorities.sort_unstable();
    priorities.dedup();
    Ok(priorities)
}

fn tag_keys(text: &str) -> Result<Vec<String>, Fault> {
    let tags = tags_in(text).map_err(|faults| {
        let first = faults.into_iter().next();
        first.map_or_else(empty_tags, |fault| fault.fault)
    })?;
    let mut keys: Vec<_> = tags.keys().collect();
    if keys.is_empty() {
        return Err(empty_tags());
    }
    keys.sort_unstable();
    Ok(keys)
}

fn empty_tags() -> Fault {
    Fault::new("too-short", "must be one or more tags with commas between")
}

fn sort(reader: &mut Reader<'_>) -> Sort {
    let key = reader.renamed("sort", "sort_by", |text| word(text, SORT_KEYS));
    let key = key.unwrap_or_default();
    let descending = reader.word("order", &[("asc", false), ("desc", true)]);
    let usually = !matches!(key, SortKey::Title | SortKey::DueDate);
    Sort {
        key,
        descending: descending.unwrap_or(usually),
    }
}

/// The `Link` to the next page: the same parameters, with the cursor in place of where this page began.
pub(super) fn next_link(
    query: &Query,
    owner: UserId,
    wanted: &TaskQuery,
    next: Option<PageStart>,
) -> Option<String> {
    let list = List {
        owner,
        sort: wanted.sort,
        filter: &wanted.filter,
    };
    let cursor = list.encode(next?)?;
    let kept = query.0.iter();
    let kept = kept.filter(|(name, _)| name != "cursor" && name != "offset");
    let parameters = Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("cursor", &cursor)
        .finish();
    Some(format!("</api/{owner}/tasks?{parameters}>; rel=\"next\""))
}

#[cfg(test)]
mod tests {
    use errand_domain::{TaskId, Timestamp};

    use super::*;

    fn parse(raw: &str) -> Result<TaskQuery, String> {
        let query = Query::parse(raw, PARAMETERS).map_err(|p| p.to_string())?;
        read(&query, UserId(1)).map_err(|p| p.to_string())
    }

    #[test]
    fn nothing_asked_is_the_newest_thousand() {
        let query = parse("").unwrap();
        assert_eq!((query.limit, query.count), (1000, false));
        assert_eq!((query.sort, query.start), (Sort::default(), PageStart::Offset(0)));
        assert_eq!(query.filter, TaskFilter::default());
        assert_eq!(
            parse("q=&status=all&search")
                .unwrap_err()
                .matches("old name")
                .count(),
            1
        );
        assert_eq!(parse("q=&status=all").unwrap(), query);
    }

    #[test]
    fn everything_asked() {
        let query = parse(
            "status=pending&completed=false&priority=high,LOW,high&tag=B,%20a&search=x%20Y\
             &due_before=2026-12-01&due_after=2026-01-01T00:00:00%2B02:00&sort_by=title&order=desc\
             &limit=5&offset=100000&count=true",
        )
        .unwrap();
        let filter = query.filter;
        assert_eq!(filter.completed, Some(false));
        assert_eq!(filter.priorities, [Priority::Low, Priority::High]);
        assert_eq!(
            (filter.tag_keys, filter.words),
            (strings(["a", "b"]), strings(["x", "y"]))
        );
        assert_eq!(filter.due_before, Timestamp::parse("2026-12-01T00:00:00Z"));
        assert_eq!(filter.due_after, Timestamp::parse("2025-12-31T22:00:00Z"));
        assert_eq!((query.sort.key, query.sort.descending), (SortKey::Title, true));
        assert_eq!(
            (query.limit, query.start, query.count),
            (5, PageStart::Offset(100_000), true)
        );
    }

    fn strings<const N: usize>(items: [&str; N]) -> Vec<String> {
        items.map(str::to_owned).to_vec()
    }

    #[test]
    fn orders_have_their_usual_direction() {
        for (raw, key, descending) in [
            ("sort=created", SortKey::CreatedAt, true),
            ("sort=updated", SortKey::UpdatedAt, true),
            ("sort=updated_at", SortKey::UpdatedAt, true),
            ("sort=title", SortKey::Title, false),
            ("sort=due_date", SortKey::DueDate, false),
            ("sort=priority", SortKey::Priority, true),
            ("sort=priority&order=asc", SortKey::Priority, false),
            ("sort=title&order=desc", SortKey::Title, true),
        ] {
            assert_eq!(parse(raw).unwrap().sort, Sort { key, descending }, "{raw}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        for (raw, told) in [
            ("status=done", "status must be one of all, pending, completed"),
            ("status=pending&completed=true", "completed contradicts status"),
            ("completed=1", "completed must be one of true, false"),
            (
                "priority=",
                "priority must be one or more of Low, Medium, High with commas between",
            ),
            ("priority=High,urgent", "priority must be one or more of"),
            ("tag=", "tag must be one or more tags with commas between"),
            ("tag=%00", "tag must not contain control characters"),
            ("q=%00", "q must not contain control characters"),
            (
                "due_before=tomorrow",
                "due_before must be a date YYYY-MM-DD or an RFC 3339 date-time",
            ),
            ("due_after=2024-02-30", "due_after must be a date"),
            (
                "sort=user_id",
                "sort must be one of created_at, updated_at, title, due_date, priority",
            ),
            (
                "sort=title&sort_by=title",
                "sort_by is the old name of sort; give only one of them",
            ),
            ("order=ASC", "order must be one of asc, desc"),
            ("limit=0", "limit must be a whole number from 1 to 1000"),
            ("limit=1001", "limit must be"),
            ("limit=%2B5", "limit must be"),
            ("limit=1e2", "limit must be"),
            ("limit=18446744073709551616", "limit must be"),
            ("offset=100001", "offset must be a whole number from 0 to 100000"),
            ("offset=-1", "offset must be"),
            ("count=yes", "count must be one of true, false"),
            ("cursor=abc", "cursor does not belong to this list"),
            ("cursor=", "cursor does not belong to this list"),
            ("limit=1&limit=2", "limit must be given only once"),
            (
                "user_id=2",
                "user_id is not a known parameter; allowed are status, ",
            ),
        ] {
            let error = parse(raw).unwrap_err();
            assert!(
                error.starts_with(&format!("validation-failed: {told}")),
                "{raw}: {error}"
            );
        }
        let both = parse("limit=0&order=x").unwrap_err();
        assert!(
            both.contains("limit must") && both.contains("order must"),
            "{both}"
        );
    }

    #[test]
    fn the_link_leads_on_with_the_same_parameters() {
        let raw = "q=caf%C3%A9+au&offset=20&limit=10";
        let query = Query::parse(raw, PARAMETERS).unwrap();
        let wanted = read(&query, UserId(1)).unwrap();
        let created_at = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let next = PageStart::After {
            created_at,
            id: TaskId(9),
        };
        let link = next_link(&query, UserId(1), &wanted, Some(next)).unwrap();
        let start = "</api/1/tasks?q=caf%C3%A9+au&limit=10&cursor=";
        assert!(link.starts_with(start), "{link}");
        let cursor = link.strip_prefix(start).unwrap();
        let cursor = cursor.strip_suffix(">; rel=\"next\"").unwrap();
        let follow = |rest: &str| parse(&format!("{rest}&cursor={cursor}"));
        assert_eq!(follow("q=caf%C3%A9+au&limit=10").unwrap().start, next);
        assert_eq!(follow("q=AU+caf%C3%A9&limit=7&count=true").unwrap().start, next);
        for other in [
            "q=x",
            "limit=10",
            "q=caf%C3%A9+au&sort=title",
            "q=caf%C3%A9+au&offset=0",
        ] {
            assert!(follow(other).is_err(), "{other}");
        }
        assert_eq!(next_link(&query, UserId(1), &wanted, None), None);
    }
}

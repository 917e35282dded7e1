//! Cursors: where the next page begins, opaque to clients.
//!
//! `version (1) | kind (1) | position (16 or 20) | check (8)`, base64url. The check is cut from a SHA-256 over
//! position, user, order and filter, so that a cursor fits nothing but the list that it came from. It is no
//! secret: whoever forges one finds only their own tasks, in another order.

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use errand_domain::changes::ChangesPlace;
use errand_domain::query::{PageStart, Sort, SortKey, TaskFilter};
use errand_domain::trash::TrashPlace;
use errand_domain::{TaskId, Timestamp, UserId};
use uuid::Uuid;

const VERSION: u8 = 1;
const AFTER: u8 = 1;
const WALK: u8 = 2;
const TRASH: u8 = 3;
const CHANGES: u8 = 4;
/// No version of a cursor.
const PAGE: u8 = 0;

/// The list that a cursor belongs to.
pub(crate) struct List<'a> {
    pub(crate) owner: UserId,
    pub(crate) sort: Sort,
    pub(crate) filter: &'a TaskFilter,
}

impl List<'_> {
    /// The cursor of a position; `None` for an offset, which needs none.
    pub(crate) fn encode(&self, start: PageStart) -> Option<String> {
        let mut bytes = vec![VERSION];
        match start {
            PageStart::Offset(_) => return None,
            PageStart::After { created_at, id } => {
                bytes.push(AFTER);
                bytes.extend(created_at.micros().to_be_bytes());
                bytes.extend(id.0.to_be_bytes());
            }
            PageStart::Walk { id, offset } => {
                bytes.push(WALK);
                bytes.extend(id.as_bytes());
                bytes.extend(offset.to_be_bytes());
            }
        }
        let check = self.check(&bytes);
        bytes.extend(check);
        Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position of a cursor; `None` unless it was made for this list.
    pub(crate) fn decode(&self, cursor: &str) -> Option<PageStart> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (position, check) = bytes.split_last_chunk::<8>()?;
        if self.check(position) != *check {
            return None;
        }
        let ([version, kind], fields) = position.split_first_chunk::<2>()?;
        match (*version, *kind) {
            (VERSION, AFTER) => {
                let (micros, id) = fields.split_first_chunk::<8>()?;
                Some(PageStart::After {
                    created_at: Timestamp::from_micros(i64::from_be_bytes(*micros))?,
                    id: TaskId(i64::from_be_bytes(id.try_into().ok()?)),
                })
            }
            (VERSION, WALK) => {
                let (id, offset) = fields.split_first_chunk::<16>()?;
                Some(PageStart::Walk {
                    id: Uuid::from_bytes(*id),
                    offset: u32::from_be_bytes(offset.try_into().ok()?),
                })
            }
            _ => None,
        }
    }

    /// What tells this page from every other, and the shape in which this version of errand sends it.
    pub(crate) fn digest(&self, start: PageStart, limit: u32, count: bool) -> String {
        let mut bytes = vec![PAGE];
        match start {
            PageStart::Offset(offset) => bytes.extend(offset.to_be_bytes()),
            // The cursor is of one length and holds everything.
            start => bytes.extend(self.encode(start).unwrap_or_default().as_bytes()),
        }
        bytes.extend(limit.to_be_bytes());
        bytes.push(u8::from(count));
        bytes.extend(env!("CARGO_PKG_VERSION").as_bytes());
        format!("{:016x}", u64::from_be_bytes(self.check(&bytes)))
    }

    fn check(&self, position: &[u8]) -> [u8; 8] {
        // Destructured, so that a new condition cannot be forgotten.
        let TaskFilter {
            completed,
            priorities,
            tag_keys,
            words,
            due_before,
            due_after,
        } = self.filter;
        let mut hash = Hash(digest::Context::new(&digest::SHA256));
        hash.part(position);
        hash.part(&self.owner.0.to_be_bytes());
        hash.part(&[sort_key(self.sort.key), u8::from(self.sort.descending)]);
        hash.option(completed.map(i64::from));
        hash.list(priorities.iter().map(|p| p.as_str()));
        hash.list(tag_keys.iter().map(String::as_str));
        hash.list(words.iter().map(String::as_str));
        hash.option(due_before.map(Timestamp::micros));
        hash.option(due_after.map(Timestamp::micros));
        hash.short()
    }
}

/// The cursor of a place in the trash.
pub(crate) fn encode_trash(owner: UserId, place: TrashPlace) -> String {
    let mut bytes = vec![VERSION, TRASH];
    bytes.extend(place.deleted_at.micros().to_be_bytes());
    bytes.extend(place.id.0.to_be_bytes());
    let check = check_owned(owner, &bytes);
    bytes.extend(check);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The place of a cursor; `None` unless it was made for this owner's trash.
pub(crate) fn decode_trash(owner: UserId, cursor: &str) -> Option<TrashPlace> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (position, check) = bytes.split_last_chunk::<8>()?;
    let fields = position.strip_prefix(&[VERSION, TRASH])?;
    if check_owned(owner, position) != *check {
        return None;
    }
    let (micros, id) = fields.split_first_chunk::<8>()?;
    Some(TrashPlace {
        deleted_at: Timestamp::from_micros(i64::from_be_bytes(*micros))?,
        id: TaskId(i64::from_be_bytes(id.try_into().ok()?)),
    })
}

/// The cursor of a place among the changes.
pub(crate) fn encode_changes(owner: UserId, place: ChangesPlace) -> String {
    let mut bytes = vec![VERSION, CHANGES];
    bytes.extend(place.seq.to_be_bytes());
    bytes.extend(place.base.to_be_bytes());
    let check = check_owned(owner, &bytes);
    bytes.extend(check);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The place of a cursor; `None` unless it was made for this owner's changes.
pub(crate) fn decode_changes(owner: UserId, cursor: &str) -> Option<ChangesPlace> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (position, check) = bytes.split_last_chunk::<8>()?;
    let fields = position.strip_prefix(&[VERSION, CHANGES])?;
    if check_owned(owner, position) != *check {
        return None;
    }
    let (seq, base) = fields.split_first_chunk::<8>()?;
    Some(ChangesPlace {
        seq: i64::from_be_bytes(*seq),
        base: i64::from_be_bytes(base.try_into().ok()?),
    })
}

/// What fits one owner, whatever they ask for.
fn check_owned(owner: UserId, position: &[u8]) -> [u8; 8] {
    let mut hash = Hash(digest::Context::new(&digest::SHA256));
    hash.part(position);
    hash.part(&owner.0.to_be_bytes());
    hash.short()
}

fn sort_key(key: SortKey) -> u8 {
    match key {
        SortKey::CreatedAt => 0,
        SortKey::UpdatedAt => 1,
        SortKey::Title => 2,
        SortKey::DueDate => 3,
        SortKey::Priority => 4,
    }
}

/// A hash of parts that cannot run into each other.
struct Hash(digest::Context);

impl Hash {
    /// The beginning of what came out.
    fn short(self) -> [u8; 8] {
        let digest = self.0.finish();
        let mut check = [0; 8];
        check.copy_from_slice(digest.as_ref().split_at(8).0);
        check
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&bytes.len().to_be_bytes());
        self.0.update(bytes);
    }

    fn option(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.part(&value.to_be_bytes()),
            None => self.part(&[]),
        }
    }

    fn list<'a>(&mut self, items: impl ExactSizeIterator<Item = &'a str>) {
        self.part(&items.len().to_be_bytes());
        for item in items {
            self.part(item.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use errand_domain::task::Priority;

    use super::*;

    fn positions() -> [PageStart; 2] {
        let created_at = Timestamp::parse("2026-11-23T07:00:26.000001Z").unwrap();
        let id = TaskId(i64::MAX);
        [
            PageStart::After { created_at, id },
            PageStart::Walk {
                id: Uuid::from_u128(7),
                offset: 4711,
            },
        ]
    }

    fn list(filter: &TaskFilter) -> List<'_> {
        List {
            owner: UserId(1),
            sort: Sort::default(),
            filter,
        }
    }

    #[test]
    fn round_trip() {
        let filter = TaskFilter::default();
        for position in positions() {
            let cursor = list(&filter).encode(position).unwrap();
            assert_eq!(list(&filter).decode(&cursor), Some(position));
        }
        assert_eq!(list(&filter).encode(PageStart::Offset(3)), None);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let filter = TaskFilter::default();
        for position in positions() {
            let cursor = list(&filter).encode(position).unwrap();
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(&cursor).unwrap();
            for bit in 0..bytes.len() * 8 {
                let mut other = bytes.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                let other = BASE64_URL_SAFE_NO_PAD.encode(other);
                assert_eq!(list(&filter).decode(&other), None, "{bit}");
            }
            for end in 0..cursor.len() {
                assert_eq!(list(&filter).decode(&cursor[..end]), None, "{end}");
            }
            for other in [format!("{cursor}A"), format!("{cursor}="), format!(" {cursor}")] {
                assert_eq!(list(&filter).decode(&other), None, "{other}");
            }
        }
    }

    #[test]
    fn a_place_in_the_trash_fits_only_its_owners() {
        let place = TrashPlace {
            deleted_at: Timestamp::parse("2026-11-23T07:00:26.000001Z").unwrap(),
            id: TaskId(i64::MAX),
        };
        let cursor = encode_trash(UserId(1), place);
        assert_eq!(decode_trash(UserId(1), &cursor), Some(place));
        assert_eq!(decode_trash(UserId(2), &cursor), None);
        let filter = TaskFilter::default();
        assert_eq!(list(&filter).decode(&cursor), None);
        let of_a_list = list(&filter).encode(positions()[0]).unwrap();
        assert_eq!(decode_trash(UserId(1), &of_a_list), None);
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let other = BASE64_URL_SAFE_NO_PAD.encode(other);
            assert_eq!(decode_trash(UserId(1), &other), None, "{bit}");
        }
    }

    #[test]
    fn a_place_among_the_changes_fits_only_its_owners() {
        let place = ChangesPlace {
            seq: i64::MAX,
            base: 4711,
        };
        let cursor = encode_changes(UserId(1), place);
        assert_eq!(decode_changes(UserId(1), &cursor), Some(place));
        assert_eq!(decode_changes(UserId(2), &cursor), None);
        assert_eq!(decode_trash(UserId(1), &cursor), None);
        let filter = TaskFilter::default();
        assert_eq!(list(&filter).decode(&cursor), None);
        let in_the_trash = TrashPlace {
            deleted_at: Timestamp::parse("2026-11-23T07:00:26Z").unwrap(),
            id: TaskId(1),
        };
        for other in [
            list(&filter).encode(positions()[0]).unwrap(),
            encode_trash(UserId(1), in_the_trash),
            format!("{cursor}A"),
            cursor[1..].to_owned(),
            String::new(),
        ] {
            assert_eq!(decode_changes(UserId(1), &other), None, "{other}");
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let other = BASE64_URL_SAFE_NO_PAD.encode(other);
            assert_eq!(decode_changes(UserId(1), &other), None, "{bit}");
        }
    }

    #[test]
    fn a_cursor_fits_only_its_own_list() {
        let filter = TaskFilter::default();
        let time = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let others = [
            TaskFilter {
                completed: Some(false),
                ..filter.clone()
            },
            TaskFilter {
                priorities: vec![Priority::High],
                ..filter.clone()
            },
            TaskFilter {
                tag_keys: vec!["a".into()],
                ..filter.clone()
            },
            TaskFilter {
                words: vec!["a".into()],
                ..filter.clone()
            },
            TaskFilter {
                due_before: Some(time),
                ..filter.clone()
            },
            TaskFilter {
                due_after: Some(time),
                ..filter.clone()
            },
        ];
        let position = positions()[0];
        let mut cursors: Vec<_> = others
            .iter()
            .chain([&filter])
            .map(|f| list(f).encode(position).unwrap())
            .collect();
        for (owner, key, descending) in [
            (2, SortKey::CreatedAt, true),
            (1, SortKey::Title, true),
            (1, SortKey::CreatedAt, false),
        ] {
            let sort = Sort { key, descending };
            let list = List {
                owner: UserId(owner),
                sort,
                filter: &filter,
            };
            cursors.push(list.encode(position).unwrap());
        }
        let distinct: std::collections::HashSet<_> = cursors.iter().collect();
        assert_eq!(distinct.len(), cursors.len());
        let accepted = cursors.iter().filter(|c| list(&filter).decode(c).is_some());
        assert_eq!(accepted.count(), 1);
    }
}

//! The content hash of a row: SHA-256 over what it holds, whatever its id is and whichever database it is in. Every
//! text stands behind its length, so that no two rows say the same.

use aws_lc_rs::digest::{Context, SHA256};
use errand_domain::Timestamp;
use errand_domain::account::{Email, PasswordHash, Username};
use errand_domain::session::Digest;
use errand_domain::task::{Description, Due, Priority, Recurrence, Tags, Task, TimeZone};

pub(crate) struct Hasher(Context);

impl Hasher {
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.0.update(&text.len().to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.0.update(&[u8::from(text.is_some())]);
        self.text(text.unwrap_or_default());
    }

    fn time(&mut self, at: Option<Timestamp>) {
        self.0.update(&[u8::from(at.is_some())]);
        self.0.update(&at.map_or(0, Timestamp::micros).to_be_bytes());
    }

    pub fn end(self) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        Digest(bytes)
    }
}

/// Of an account, but for its password.
pub(crate) fn user(
    username: &Username,
    email: &Email,
    created_at: Timestamp,
    updated_at: Timestamp,
) -> Digest {
    let mut hasher = Hasher::new();
    hasher.text(username.as_str());
    hasher.text(email.as_str());
    hasher.time(Some(created_at));
    hasher.time(Some(updated_at));
    hasher.end()
}

/// Of a stored password: a digest of what is a salted hash already tells nothing.
pub(crate) fn password(stored: &PasswordHash) -> Digest {
    let mut hasher = Hasher::new();
    hasher.text(stored.as_str());
    hasher.end()
}

/// Of an address, however it is written.
pub(crate) fn email(email: &Email) -> Digest {
    let mut hasher = Hasher::new();
    hasher.text(&email.key());
    hasher.end()
}

/// What is hashed of a task.
pub(crate) struct Content<'a> {
    pub title: &'a str,
    pub description: Option<&'a Description>,
    pub priority: Priority,
    pub due: Option<Due>,
    pub time_zone: Option<&'a TimeZone>,
    pub tags: &'a Tags,
    pub recurrence: Option<&'a Recurrence>,
    pub completed_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl<'a> From<&'a Task> for Content<'a> {
    fn from(task: &'a Task) -> Self {
        Self {
            title: task.title.as_str(),
            description: task.description.as_ref(),
            priority: task.priority,
            due: task.due,
            time_zone: task.time_zone.as_ref(),
            tags: &task.tags,
            recurrence: task.recurrence.as_ref(),
            completed_at: task.completed_at,
            created_at: task.created_at,
            updated_at: task.updated_at,
        }
    }
}

pub(crate) fn task(content: &Content<'_>) -> Digest {
    let mut hasher = Hasher::new();
    hasher.text(content.title);
    hasher.maybe(content.description.map(Description::as_str));
    hasher.raw(&content.priority.rank().to_be_bytes());
    hasher.time(content.due.map(Due::position));
    hasher.raw(&[u8::from(content.due.is_some_and(Due::is_date))]);
    hasher.maybe(content.time_zone.map(TimeZone::as_str));
    hasher.raw(&content.tags.as_slice().len().to_be_bytes());
    for tag in content.tags.as_slice() {
        hasher.text(tag);
    }
    let rule = content.recurrence.map(|recurrence| recurrence.rule.to_string());
    hasher.maybe(rule.as_deref());
    hasher.maybe(content.recurrence.map(|recurrence| recurrence.from.as_str()));
    let meant = content.recurrence.and_then(|recurrence| recurrence.meant);
    hasher.maybe(meant.map(|meant| meant.to_string()).as_deref());
    hasher.time(content.completed_at);
    hasher.time(Some(content.created_at));
    hasher.time(Some(content.updated_at));
    hasher.end()
}

pub(crate) fn hex(digest: &Digest) -> String {
    let digits = digest.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

//! Identifiers. Each kind is a type of its own, so that none fits where another belongs.

use std::fmt;

use uuid::Uuid;

/// A user, and with it a tenant: everything that errand stores belongs to exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

/// A task **of one user**: the numbers of different users are independent, so that a gap in one's own ids
/// says nothing about others. Always used together with a [`UserId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub i64);

/// A login session (`UUIDv7`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub Uuid);

impl UserId {
    /// The id behind a token's `sub`: digits of a positive 64-bit integer in their shortest form.
    pub fn parse(text: &str) -> Option<Self> {
        positive(text).map(Self)
    }
}

impl TaskId {
    /// The id in a path segment: digits of a positive 64-bit integer in their shortest form.
    pub fn parse(text: &str) -> Option<Self> {
        positive(text).map(Self)
    }
}

impl SessionId {
    /// The id in a path segment or a claim: lower-case, hyphenated, nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok()?;
        (id.as_hyphenated().to_string() == text).then_some(Self(id))
    }
}

fn positive(text: &str) -> Option<i64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| canonical)
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        assert_eq!(TaskId::parse("9223372036854775807"), Some(TaskId(i64::MAX)));
        for bad in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            " 1",
            "1.0",
            "1e2",
            "٣",
            "9223372036854775808",
            "x",
        ] {
            assert_eq!(TaskId::parse(bad), None, "{bad}");
        }
        let id = "0198f3a0-0000-7000-8000-000000000001";
        assert_eq!(SessionId::parse(id).map(|s| s.to_string()).as_deref(), Some(id));
        for bad in [
            id.replace('-', ""),
            id.to_uppercase(),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
        ] {
            assert_eq!(
                SessionId::parse(&bad).map(|_| ()),
                if bad == id { Some(()) } else { None },
                "{bad}"
            );
        }
    }
}

//! By when a task is to be done.

use chrono::NaiveDate;

use crate::fault::Fault;
use crate::time::{Timestamp, parse_date};

/// A day or a point in time. The two never turn into each other: a day sent is the day that comes back,
/// in whatever zone the reader sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// A day of the calendar, in no zone.
    Date(NaiveDate),
    /// A point in time.
    DateTime(Timestamp),
}

impl Due {
    /// Reads `YYYY-MM-DD`, or an RFC 3339 date-time (without an offset: UTC). Years 1 to 9999.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let date = parse_date(text).map(Self::Date);
        date.or_else(|| Timestamp::parse(text).map(Self::DateTime))
            .ok_or_else(|| {
                Fault::new(
                    "invalid-date",
                    "must be a date YYYY-MM-DD or an RFC 3339 date-time",
                )
            })
    }

    /// Where it stands when tasks are sorted or bounded by due date: a day counts as its midnight, UTC.
    pub fn position(self) -> Timestamp {
        match self {
            Self::Date(day) => Timestamp::midnight(day),
            Self::DateTime(time) => time,
        }
    }

    /// Whether it is a day without a time.
    pub fn is_date(self) -> bool {
        matches!(self, Self::Date(_))
    }

    /// From the stored pair of position and kind.
    pub fn from_position(position: Timestamp, is_date: bool) -> Self {
        if is_date {
            Self::Date(position.as_chrono().date_naive())
        } else {
            Self::DateTime(position)
        }
    }
}

impl std::fmt::Display for Due {
    /// As it is sent: `2026-12-01` or `2026-12-01T10:00:00Z`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Date(day) => write!(f, "{}", day.format("%Y-%m-%d")),
            Self::DateTime(time) => f.write_str(&time.to_short_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_the_same_kind() {
        for (sent, back) in [
            ("2026-12-01", "2026-12-01"),
            ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("2026-12-01T01:30:00+02:00", "2026-11-30T23:30:00Z"),
            ("2026-12-01T10:00:00", "2026-12-01T10:00:00Z"),
            ("0001-01-01", "0001-01-01"),
            ("9999-12-31", "9999-12-31"),
        ] {
            let due = Due::parse(sent).unwrap();
            assert_eq!(due.to_string(), back);
            assert_eq!(Due::from_position(due.position(), due.is_date()), due);
        }
        for bad in [
            "2024-02-30",
            "tomorrow",
            "",
            "1764547200",
            "2026-12-01T10:00:00+02",
        ] {
            assert!(Due::parse(bad).is_err(), "{bad}");
        }
    }
}

//! Points in time and calendar days.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone, Utc};

/// A point in time, UTC, whole microseconds: what both databases keep without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Cuts a chrono time to whole microseconds.
    pub fn new(time: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time))
    }

    /// Microseconds since 1970; `None` outside chrono's range.
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// Whole seconds since 1970, as `iat` and `exp` of a token want them (RFC 7519 section 2).
    pub fn seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The chrono value.
    pub fn as_chrono(self) -> DateTime<Utc> {
        self.0
    }

    /// Midnight UTC at the start of a day.
    pub fn midnight(day: NaiveDate) -> Self {
        Self(Utc.from_utc_datetime(&day.and_time(chrono::NaiveTime::MIN)))
    }

    /// Later by a duration; stays put at the end of representable time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let moved = TimeDelta::from_std(duration)
            .ok()
            .and_then(|d| self.0.checked_add_signed(d));
        moved.map_or(self, Self::new)
    }

    /// Earlier by a duration; stays put at the start of representable time.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let moved = TimeDelta::from_std(duration)
            .ok()
            .and_then(|d| self.0.checked_sub_signed(d));
        moved.map_or(self, Self::new)
    }

    /// How long since `earlier`; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        (self.0 - earlier.0).to_std().unwrap_or_default()
    }

    /// The next time stamp of something stamped `before`: never earlier, and later even if the clock stood
    /// still or went back, so that "changed" always shows.
    #[must_use]
    pub fn following(self, before: Self) -> Self {
        self.max(before.plus(Duration::from_micros(1)))
    }

    /// Reads RFC 3339 (with offset or `Z`), or the same without an offset as UTC. Years 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let time = match DateTime::parse_from_rfc3339(text) {
            Ok(time) => time.with_timezone(&Utc),
            Err(_) => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M"))
                .ok()?
                .and_utc(),
        };
        let plain = text.get(..5).is_some_and(is_year) && time.timestamp_subsec_nanos() < 1_000_000_000;
        (plain && (1..=9999).contains(&time.year())).then(|| Self::new(time))
    }

    /// RFC 3339 with as many fraction digits as needed: `2026-12-01T10:00:00Z`.
    pub fn to_short_string(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, always six fraction digits: `2026-11-23T07:00:26.000001Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// Reads `YYYY-MM-DD`, years 1 to 9999, and nothing else.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let shape = text.len() == 10 && text.get(..5).is_some_and(is_year);
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|_| shape)?;
    // chrono takes blanks and short numbers; the round trip refuses them.
    (day.year() >= 1 && day.format("%Y-%m-%d").to_string() == text).then_some(day)
}

fn is_year(head: &str) -> bool {
    head.len() == 5 && head.ends_with('-') && head.bytes().take(4).all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_offsets_and_keeps_microseconds() {
        let t = Timestamp::parse("2026-12-01T10:00:00.1234567+02:00").unwrap();
        assert_eq!(t.to_string(), "2026-12-01T08:00:00.123456Z");
        assert_eq!(
            Timestamp::parse("2026-12-01T10:00:00Z")
                .unwrap()
                .to_short_string(),
            "2026-12-01T10:00:00Z"
        );
        assert_eq!(
            Timestamp::parse("2026-12-01T10:00"),
            Timestamp::parse("2026-12-01T10:00:00Z")
        );
    }

    #[test]
    fn refuses_what_is_no_time() {
        for bad in [
            "",
            "2026-12-01",
            "2026-02-30T00:00:00Z",
            "2026-12-01T24:00:00Z",
            "2026-12-01T10:00:60Z",
            "0000-01-01T00:00:00Z",
            "+12026-01-01T00:00:00Z",
            "1764547200",
            "9999-12-31T23:59:59-01:00",
            "2026-12-01 10:00:00",
            "2026-12-01T10:00:00+25:00",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_have_one_spelling() {
        assert!(parse_date("2024-02-29").is_some());
        for bad in [
            "2023-02-29",
            "2024-2-9",
            "0000-01-01",
            " 024-01-01",
            "2024-01-1 ",
            "+2024-01-1",
            "20240101",
        ] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_change_always_shows() {
        let t = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        assert!(t.following(t) > t);
        assert!(t.following(t.plus(Duration::from_secs(9))) > t.plus(Duration::from_secs(9)));
        assert_eq!(
            t.plus(Duration::from_secs(9)).following(t),
            t.plus(Duration::from_secs(9))
        );
    }
}

use std::fmt;

use crate::fault::Fault;

/// The most characters of a zone's name; the longest of the database has 32.
pub const TIME_ZONE_MAX_CHARS: usize = 64;

/// The name of a time zone as the IANA database writes it: `Europe/Berlin`. Whether there is such a zone only
/// the database can tell, which is behind [`Recurrences`](super::Recurrences).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimeZone(String);

impl TimeZone {
    /// Checks the shape.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
        let name = (1..=TIME_ZONE_MAX_CHARS).contains(&text.len()) && text.chars().all(plain);
        name.then(|| Self(text.to_owned())).ok_or_else(Self::unknown)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is wrong with a name that no zone has.
    pub fn unknown() -> Fault {
        Fault::new(
            "unknown-time-zone",
            "must be the name of a time zone, such as Europe/Berlin",
        )
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_shape() {
        for good in [
            "Europe/Berlin",
            "UTC",
            "Etc/GMT+3",
            "America/Port-au-Prince",
            "America/North_Dakota/Center",
        ] {
            assert_eq!(TimeZone::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            " UTC",
            "Europe/Köln",
            "../etc/passwd",
            "a\0b",
            &"x".repeat(65),
        ] {
            assert_eq!(
                TimeZone::parse(bad).unwrap_err().code,
                "unknown-time-zone",
                "{bad}"
            );
        }
    }
}

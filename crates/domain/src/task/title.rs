//! The texts of a task.

use crate::fault::Fault;
use crate::text::{check_controls, check_length, fold};

/// The most characters of a title.
pub const TITLE_MAX_CHARS: usize = 200;
/// The most characters of a description.
pub const DESCRIPTION_MAX_CHARS: usize = 10_000;

/// 1 to 200 characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// Trims (Unicode white space) and checks.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let trimmed = text.trim();
        check_controls(trimmed)?;
        check_length(trimmed, 1, TITLE_MAX_CHARS)?;
        Ok(Self(trimmed.to_owned()))
    }

    /// In place of one that was erased.
    pub(super) fn erased() -> Self {
        Self("erased".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form for comparing and searching.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// Up to 10,000 characters, kept byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// Checks.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        check_controls(text)?;
        check_length(text, 0, DESCRIPTION_MAX_CHARS)?;
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form for searching.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        assert_eq!(Title::parse("  a\tb \u{3000}").unwrap().as_str(), "a\tb");
        assert!(Title::parse(&"😀".repeat(200)).is_ok());
        let code = |t: &str| Title::parse(t).unwrap_err().code;
        assert_eq!(
            (code(""), code(" \n "), code(&"x".repeat(201)), code("a\0b")),
            ("too-short", "too-short", "too-long", "control-character")
        );
    }

    #[test]
    fn descriptions_are_not_trimmed() {
        assert_eq!(Description::parse("  x\n").unwrap().as_str(), "  x\n");
        assert!(Description::parse("").is_ok());
        assert!(Description::parse(&"é".repeat(10_001)).is_err());
    }
}

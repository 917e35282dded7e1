//! How urgent a task is.

use crate::fault::Fault;

/// Three levels; they order from low to high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Can wait.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Cannot wait.
    High,
}

impl Priority {
    /// All levels, lowest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// Reads a level in any letter case.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let found = Self::ALL
            .into_iter()
            .find(|p| p.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| Fault::new("unknown-value", "must be one of Low, Medium, High"))
    }

    /// As it is sent: `Low`, `Medium`, `High`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }

    /// As it is stored: 0 to 2, in order.
    pub fn rank(self) -> i16 {
        match self {
            Self::Low => 0,
            Self::Medium => 1,
            Self::High => 2,
        }
    }

    /// The level of a stored rank.
    pub fn from_rank(rank: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.rank() == rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_letter_case() {
        assert_eq!(Priority::parse("hIGH"), Ok(Priority::High));
        assert!(Priority::parse("urgent").is_err());
        for p in Priority::ALL {
            assert_eq!(Priority::from_rank(p.rank()), Some(p));
        }
        assert!(Priority::Low < Priority::Medium && Priority::Medium < Priority::High);
    }
}

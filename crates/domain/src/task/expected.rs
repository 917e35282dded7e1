//! What a writer expects of the task that is written.

/// For which versions of a task a write is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Expected {
    /// Whichever there is.
    #[default]
    Any,
    /// One of these.
    OneOf(Vec<i64>),
}

impl Expected {
    /// Whether it is meant for this version.
    pub fn admits(&self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_admitted() {
        assert!(Expected::default().admits(1));
        assert!(Expected::OneOf(vec![3, 1]).admits(1));
        assert!(!Expected::OneOf(vec![3, 1]).admits(2));
        assert!(!Expected::OneOf(Vec::new()).admits(1));
    }
}

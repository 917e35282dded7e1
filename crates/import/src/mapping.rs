//! Which tables and columns hold what.

/// Which tables and columns of a source hold what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {}

/// What is wrong with a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MappingError(String);

impl Mapping {
    /// Reads a mapping file.
    pub fn parse(toml: &str) -> Result<Self, MappingError> {
        let _ = toml;
        Err(MappingError(String::new()))
    }

    /// As a mapping file.
    pub fn to_toml(&self) -> String {
        String::new()
    }
}

//! Why a source cannot be read.

/// Why a source cannot be read, in one line and without secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
}

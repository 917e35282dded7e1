//! Reading real databases of other applications, and hostile ones.

#![expect(clippy::unwrap_used, reason = "test code: a failed expectation is the point")]

mod fixtures;
mod hostile;
mod mappings;
mod postgres;
mod sqlite_files;
mod support;

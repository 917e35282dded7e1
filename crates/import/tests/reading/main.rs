//! Reading real databases of other applications, and hostile ones.

mod fixtures;
mod hostile;
mod mappings;
mod postgres;
mod sqlite_files;
mod support;

//! The tables as sea-orm sees them. Rows never leave this crate.

pub mod hidden;
pub mod imported_tasks;
pub mod imported_users;
pub mod security_events;
pub mod sessions;
pub mod task_counters;
pub mod task_walks;
pub mod tasks;
pub mod users;

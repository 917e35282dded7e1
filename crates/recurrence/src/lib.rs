//! Adapter: recurrence rules (rrule) and time zones (chrono-tz).
//!
//! **What this crate is.** What the domain's [`Recurrences`] says: pure functions over the calendar and
//! the time zone database that is built in.
//!
//! **What it must never know.** HTTP, SQL, the time of the server, and its zone. `cargo xtask layering` holds
//! this, and `tests/calendar/zones.rs` runs it under several zones.
//!
//! **Where to start.** `series.rs` for what follows what, `days.rs` for what is asked of the library and why,
//! `wall.rs` for clocks that jump.
//!
//! **How to extend it.** What a rule may hold is the domain's business (`task/recurrence`). A new part of it is
//! one more line in `days.rs` and a new file of cases from `tests/data/make.py`.
//!
//! [`Recurrences`]: errand_domain::task::Recurrences

mod days;
mod series;
mod wall;

pub use series::CalendarRecurrences;

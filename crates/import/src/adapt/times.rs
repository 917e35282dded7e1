//! Points in time and due dates, as applications store them.

use chrono::{DateTime, Datelike};
use errand_domain::Timestamp;
use errand_domain::task::Due;
use errand_domain::time::parse_date;

use crate::cell::Cell;

/// Reads a point in time: text with `T` or a blank, with or without fraction and zone (without: UTC), a day, or a
/// number since 1970 in seconds, milliseconds, microseconds or nanoseconds, by its size. Fails with the text.
pub fn time(cell: &Cell) -> Result<Option<Timestamp>, String> {
    let Some(text) = cell.text().map(|text| text.body) else {
        return Ok(None);
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    let read = match cell {
        Cell::Integer(number) => epoch(*number),
        Cell::Real(number) => real(*number),
        _ => written(trimmed),
    };
    let day = || parse_date(trimmed).map(Timestamp::midnight);
    read.or_else(day).map(Some).ok_or(text)
}

/// Reads a due date: a day stays a day. Fails with the text.
pub fn due(cell: &Cell) -> Result<Option<Due>, String> {
    if let Some(text) = cell.text()
        && let Some(day) = parse_date(text.body.trim())
    {
        return Ok(Some(Due::Date(day)));
    }
    Ok(time(cell)?.map(Due::DateTime))
}

fn written(text: &str) -> Option<Timestamp> {
    if text.len() >= 9 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().and_then(epoch);
    }
    // `2026-02-07 10:30:00`, as SQLAlchemy and PostgreSQL write it.
    let mut text = text.strip_suffix(" UTC").unwrap_or(text).to_owned();
    if text.get(10..11) == Some(" ") {
        text.replace_range(10..11, "T");
    }
    let text = text.replacen(" +", "+", 1);
    let short_zone = || {
        let read = DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%#z").ok()?;
        in_range(Timestamp::new(read.to_utc()))
    };
    Timestamp::parse(&text).or_else(short_zone)
}

fn epoch(number: i64) -> Option<Timestamp> {
    let micros = match number.unsigned_abs() {
        0..100_000_000_000 => number.checked_mul(1_000_000)?,
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000)?,
        100_000_000_000_000..100_000_000_000_000_000 => number,
        _ => number / 1_000,
    };
    Timestamp::from_micros(micros).and_then(in_range)
}

fn real(number: f64) -> Option<Timestamp> {
    let factor = if number.abs() < 1e11 { 1e6 } else { 1e3 };
    let micros = number * factor;
    // Far beyond the year 9999.
    if !micros.is_finite() || micros.abs() > 1e18 {
        return None;
    }
    let whole = format!("{micros:.0}").parse().ok()?;
    Timestamp::from_micros(whole).and_then(in_range)
}

fn in_range(time: Timestamp) -> Option<Timestamp> {
    (1..=9999).contains(&time.as_chrono().year()).then_some(time)
}

//! Between points in time and what the clock on a wall shows.

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, Offset, TimeZone as _, Utc};
use chrono_tz::{GapInfo, Tz};
use errand_domain::Timestamp;
use errand_domain::task::TimeZone;

/// The zone of that name; UTC without a name.
pub fn zone(name: Option<&TimeZone>) -> Option<Tz> {
    name.map_or(Some(Tz::UTC), |name| name.as_str().parse().ok())
}

/// What the clock shows.
pub fn wall(zone: Tz, time: Timestamp) -> NaiveDateTime {
    time.as_chrono().with_timezone(&zone).naive_local()
}

/// When the clock shows it: the first time if twice; if never, later by as much as the clock skips. `None`
/// outside the years 1 to 9999.
pub fn instant(zone: Tz, wall: NaiveDateTime) -> Option<Timestamp> {
    let time: DateTime<Utc> = if let Some(shown) = zone.from_local_datetime(&wall).earliest() {
        shown.with_timezone(&Utc)
    } else {
        // By the clock as it went before: what that clock would have shown is later on the new one.
        let (_, before) = GapInfo::new(&wall, &zone)?.begin?;
        let behind = Duration::seconds(before.fix().local_minus_utc().into());
        wall.checked_sub_signed(behind)?.and_utc()
    };
    (1..=9999).contains(&time.year()).then(|| Timestamp::new(time))
}

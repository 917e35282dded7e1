//! What follows what.

use chrono::NaiveDate;
use errand_domain::task::Recurrences;
use errand_domain::task::{Due, End, Next, RecurrenceFrom, Series, TimeZone};
use errand_domain::{Fault, FieldFault, Timestamp};

use crate::days::{self, Missing};
use crate::wall::{instant, wall, zone};

/// The Gregorian calendar and the time zones of the IANA database that is built in.
#[derive(Debug, Clone, Copy, Default)]
pub struct CalendarRecurrences;

impl Recurrences for CalendarRecurrences {
    fn knows(&self, name: &TimeZone) -> bool {
        zone(Some(name)).is_some()
    }

    fn check(&self, series: &Series) -> Result<(), Vec<FieldFault>> {
        let mut faults = Vec::new();
        if zone(series.zone.as_ref()).is_none() {
            faults.push(FieldFault::new("time_zone", TimeZone::unknown()));
        }
        if let Err(fault) = series.rule.fits(Some(series.due)) {
            faults.push(FieldFault::new("recurrence", fault));
        }
        let again = days::after(&series.rule, Place::of(series).day, Missing::Skip).next();
        if again.is_none() {
            let fault = Fault::new("never-occurs", "must occur again within 100 years after due_date");
            faults.push(FieldFault::new("recurrence", fault));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn next(&self, series: &Series, completed_at: Timestamp) -> Option<Next> {
        let rule = series.rule.following()?;
        let place = Place::of(series);
        let named = series.rule.names_days();
        let (start, behind, missing) = match series.from {
            RecurrenceFrom::Due => (place.day, place.day, Missing::Skip),
            RecurrenceFrom::Completion => {
                let day = wall(place.zone, completed_at).date();
                (day, if named { day.max(place.day) } else { day }, Missing::Last)
            }
        };
        // Where the clock skips a whole day, two days are the same point in time.
        let may_stay = series.from == RecurrenceFrom::Completion && !named;
        let (due, meant) = days::after(&series.rule, start, missing)
            .skip_while(|day| *day <= behind)
            .map_while(|day| place.on(day))
            .find(|(due, _)| may_stay || *due != series.due)?;
        let over = match rule.end() {
            End::Until(until) => due.position() > until.position(),
            End::Never | End::Count(_) => false,
        };
        (!over).then_some(Next { due, rule, meant })
    }
}

/// Where a series stands: on which day, at what time, by which clock.
struct Place {
    day: NaiveDate,
    time: Option<chrono::NaiveTime>,
    zone: chrono_tz::Tz,
}

impl Place {
    fn of(series: &Series) -> Self {
        let zone = zone(series.zone.as_ref()).unwrap_or(chrono_tz::Tz::UTC);
        match series.due {
            Due::Date(day) => Self {
                day,
                time: None,
                zone,
            },
            Due::DateTime(due) => {
                let meant = series.meant.filter(|meant| instant(zone, *meant) == Some(due));
                let wall = meant.unwrap_or_else(|| wall(zone, due));
                Self {
                    day: wall.date(),
                    time: Some(wall.time()),
                    zone,
                }
            }
        }
    }

    /// The due date on another day, and the time that it means if it is not that.
    fn on(&self, day: NaiveDate) -> Option<(Due, Option<chrono::NaiveDateTime>)> {
        let Some(time) = self.time else {
            return Some((Due::Date(day), None));
        };
        let meant = day.and_time(time);
        let due = instant(self.zone, meant)?;
        let skipped = wall(self.zone, due) != meant;
        Some((Due::DateTime(due), skipped.then_some(meant)))
    }
}

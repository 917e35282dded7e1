//! A calendar for stores under test.

use std::time::Duration;

use errand_domain::task::{Due, End, Next, Recurrences, Series, TimeZone};
use errand_domain::{FieldFault, Timestamp};

/// Whatever the rule, as many days on as its `INTERVAL`. A store must not care; adapter and model are to be given
/// the same calendar. UTC is the only zone.
#[derive(Debug, Clone, Copy, Default)]
pub struct DailyCalendar;

impl Recurrences for DailyCalendar {
    fn knows(&self, zone: &TimeZone) -> bool {
        zone.as_str() == "UTC"
    }

    fn check(&self, series: &Series) -> Result<(), Vec<FieldFault>> {
        if !series.zone.iter().all(|zone| self.knows(zone)) {
            return Err(vec![FieldFault::new("time_zone", TimeZone::unknown())]);
        }
        let fits = series.rule.fits(Some(series.due));
        fits.map_err(|fault| vec![FieldFault::new("recurrence", fault)])
    }

    fn next(&self, series: &Series, _: Timestamp) -> Option<Next> {
        let days = Duration::from_hours(24) * u32::from(series.rule.interval());
        let position = series.due.position().plus(days);
        let last = Timestamp::parse("9999-12-31T23:59:59.999999Z");
        if last.is_some_and(|last| position > last) {
            return None;
        }
        let rule = series.rule.following()?;
        if let End::Until(until) = rule.end()
            && position > until.position()
        {
            return None;
        }
        let due = Due::from_position(position, series.due.is_date());
        Some(Next {
            due,
            rule,
            // Something to be kept, for no reason.
            meant: (!due.is_date()).then(|| position.as_chrono().naive_utc()),
        })
    }
}

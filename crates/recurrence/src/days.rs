//! On which days a rule occurs, by the library `rrule`.
//!
//! The library is asked for days only, at midnight UTC, and never told of `COUNT` and `UNTIL`: it would read
//! dates in the zone of the server, move skipped times its own way and not count a start outside the rule. Nor of
//! `BYWEEKNO`: 1 January 2011 is in its week 53 of 2010, which had 52.
//!
//! It has no bound in time either: it looks for a 30 February until the year 10,000, for up to 110 ms. So each
//! series is moved ahead to begin at most 499 years before that end, and what it finds is moved back: the calendar
//! repeats every 400 years to the day of the week. And it gets only the lists that some day fits soon; the days
//! are held against the others here, for 100 years and no longer. `BYSETPOS` alone needs all lists there.

use chrono::{Datelike, Duration, Month, NaiveDate, NaiveTime, TimeZone as _, Weekday};
use errand_domain::task::{Frequency, Rule};
use rrule::{NWeekday, RRule, RRuleSet, Tz, Unvalidated};

/// How far ahead the next day is looked for. 29 February on a certain day of the week may be 40 years off.
const HORIZON_YEARS: i32 = 100;
/// After which the calendar is the same again.
const CYCLE_YEARS: i32 = 400;
const CYCLE_DAYS: i64 = 146_097;
/// The latest year to begin in: the horizon before the year in which the library ends its search.
const LATEST_START: i32 = 10_000 - HORIZON_YEARS;
const LAST_YEAR: i32 = 9_999;

/// What happens to a rule that names no days and began on one that a month does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The month is passed over, as RFC 5545 wants it.
    Skip,
    /// The month has it on its last day.
    Last,
}

/// The days of the rule after `start`, on which the series begins, in order.
pub fn after(rule: &Rule, start: NaiveDate, missing: Missing) -> impl Iterator<Item = NaiveDate> {
    let by_date = matches!(rule.frequency(), Frequency::Monthly | Frequency::Yearly);
    let last = missing == Missing::Last && by_date && !rule.names_days() && rule.positions().is_empty();
    // Step by month and pick the days: by day the library would look at each.
    let by_month =
        rule.frequency() == Frequency::Daily && !(rule.months().is_empty() && rule.month_days().is_empty());
    let step = if by_month { i64::from(rule.interval()) } else { 1 };
    let until = (start.year() + HORIZON_YEARS).min(LAST_YEAR);
    let lists = Lists::new(rule, start, last);
    let mut days = expand(lists.plan(rule, by_month), begin(rule, start))
        .into_iter()
        .flatten()
        .skip_while(move |day| *day <= start)
        .take_while(move |day| day.year() <= until)
        .filter(move |day| (*day - start).num_days() % step == 0 && lists.hold(*day))
        .peekable();
    let month = |day: NaiveDate| (day.year(), day.month());
    std::iter::from_fn(move || {
        let mut day = days.next()?;
        while last && let Some(later) = days.next_if(|later| month(*later) == month(day)) {
            day = later;
        }
        Some(day)
    })
}

/// Where the library begins. With its week, or `BYSETPOS` would count what is left of the first one only.
fn begin(rule: &Rule, start: NaiveDate) -> NaiveDate {
    let into_week = start.weekday().days_since(rule.week_start());
    match rule.frequency() {
        Frequency::Weekly => start - Duration::days(into_week.into()),
        _ => start,
    }
}

/// The lists of a rule with its day written out, which is otherwise that of the start.
struct Lists {
    months: Vec<Month>,
    weeks: Vec<i16>,
    year_days: Vec<i16>,
    month_days: Vec<i16>,
    weekdays: Vec<NWeekday>,
    week_start: Weekday,
}

impl Lists {
    /// `last`: a month without the day of the start is to have those before it as well.
    fn new(rule: &Rule, start: NaiveDate, last: bool) -> Self {
        let frequency = rule.frequency();
        let yearly = frequency == Frequency::Yearly;
        let mut months = rule.months().to_vec();
        let mut month_days = rule.month_days().to_vec();
        let days = rule.days().iter();
        let mut weekdays: Vec<_> = days.map(|day| NWeekday::new(day.number, day.weekday)).collect();
        if yearly && months.is_empty() && !rule.names_days() {
            months.push(signed(start.month()));
        }
        if (yearly || frequency == Frequency::Monthly) && !rule.names_days() {
            let day = signed(start.day());
            month_days.extend(if last { day.min(28)..=day } else { day..=day });
        }
        // A week, by its number or as a step, has the day of the week of the start.
        let week_alone = !rule.weeks().is_empty() && month_days.is_empty() && rule.year_days().is_empty();
        if weekdays.is_empty() && (week_alone || frequency == Frequency::Weekly) {
            weekdays.push(NWeekday::Every(start.weekday()));
        }
        let month = |n: &i16| Month::try_from(u8::try_from(*n).ok()?).ok();
        // By month the library would take the day of the start.
        if frequency == Frequency::Daily && !months.is_empty() && weekdays.is_empty() && month_days.is_empty()
        {
            month_days.extend(1..=31);
        }
        Self {
            months: months.iter().filter_map(month).collect(),
            weeks: rule.weeks().to_vec(),
            year_days: rule.year_days().to_vec(),
            month_days,
            weekdays,
            week_start: rule.week_start(),
        }
    }

    /// What the library is asked for.
    fn plan(&self, rule: &Rule, by_month: bool) -> RRule<Unvalidated> {
        let (frequency, interval) = match rule.frequency() {
            Frequency::Daily if by_month => (rrule::Frequency::Monthly, 1),
            Frequency::Daily => (rrule::Frequency::Daily, rule.interval()),
            Frequency::Weekly => (rrule::Frequency::Weekly, rule.interval()),
            Frequency::Monthly => (rrule::Frequency::Monthly, rule.interval()),
            Frequency::Yearly => (rrule::Frequency::Yearly, rule.interval()),
        };
        // A day has one place at most, which is the first and the last.
        let places = rule.frequency() != Frequency::Daily && !rule.positions().is_empty();
        // Days of the week go with either of the others sooner or later, unless they have numbers.
        let numbered = rule.days().iter().any(|day| day.number.is_some());
        let year_days = places || !numbered;
        let month_days = places || year_days && self.year_days.is_empty();
        let or_none = |part: &[i16], wanted: bool| if wanted { part.to_vec() } else { Vec::new() };
        let small = |n: i16| i8::try_from(n).ok();
        RRule::new(frequency)
            .interval(interval)
            .week_start(self.week_start)
            .by_month(&self.months)
            .by_weekday(self.weekdays.clone())
            .by_year_day(or_none(&self.year_days, year_days))
            .by_month_day(
                or_none(&self.month_days, month_days)
                    .into_iter()
                    .filter_map(small)
                    .collect(),
            )
            .by_set_pos(
                or_none(rule.positions(), places)
                    .into_iter()
                    .map(i32::from)
                    .collect(),
            )
    }

    /// Whether the lists that count days and weeks have the day.
    fn hold(&self, day: NaiveDate) -> bool {
        let year = |day: NaiveDate| if day.leap_year() { 366 } else { 365 };
        // A week belongs to the year of its middle, and is there the one in so many.
        let into_week = day.weekday().days_since(self.week_start);
        let middle = day + Duration::days(3 - i64::from(into_week));
        let back = year(middle) + 1 - middle.ordinal();
        has(
            &self.month_days,
            day.day(),
            u32::from(day.num_days_in_month()) + 1 - day.day(),
        ) && has(&self.year_days, day.ordinal(), year(day) + 1 - day.ordinal())
            && has(&self.weeks, middle.ordinal().div_ceil(7), back.div_ceil(7))
    }
}

/// Whether a list, if it says something, has the place from the front or from the back.
fn has(list: &[i16], front: u32, back: u32) -> bool {
    list.is_empty() || list.contains(&signed(front)) || list.contains(&-signed(back))
}

/// At most 366.
fn signed(number: u32) -> i16 {
    i16::try_from(number).unwrap_or_default()
}

/// The days from `begin` on; nothing if the library refuses the rule, which the domain has checked.
fn expand(plan: RRule<Unvalidated>, begin: NaiveDate) -> Option<impl Iterator<Item = NaiveDate>> {
    let cycles = (LATEST_START - begin.year()).div_euclid(CYCLE_YEARS);
    let ahead = Duration::days(CYCLE_DAYS * i64::from(cycles));
    let start = Tz::UTC.from_utc_datetime(&begin.checked_add_signed(ahead)?.and_time(NaiveTime::MIN));
    let set = RRuleSet::new(start).rrule(plan.validate(start).ok()?).limit();
    let days = set.into_iter().map(move |time| time.date_naive() - ahead);
    Some(days)
}

//! How a rule is read.

use std::ops::RangeInclusive;

use chrono::{NaiveDateTime, Weekday};

use super::Due;
use super::rule::{
    COUNT_MAX, Day, End, Frequency, INTERVAL_MAX, LIST_MAX, RULE_MAX_CHARS, Rule, WEEKDAYS_MAX, short,
};
use crate::fault::Fault;
use crate::text::check_length;
use crate::time::{Timestamp, parse_date};

const WEEK: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

impl Rule {
    /// Reads `daily`, `weekly`, `monthly`, `yearly` or an RRULE of RFC 5545, with or without `RRULE:` before
    /// it, in any letter case.
    ///
    /// Refused is what the RFC forbids, and of what it allows: steps of less than a day and times of day
    /// (the due date has the time), a `BYDAY` with numbers before some days only or back to -5 within a month
    /// or -53 within a year, `BYSETPOS` with `BYWEEKNO` (whose year is a week's?), parts of other standards, and more than the bounds of this module.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        check_length(text, 1, RULE_MAX_CHARS)?;
        let text = text.to_ascii_uppercase();
        let word = Frequency::ALL.into_iter().find(|f| f.as_str() == text);
        let rule = match word {
            Some(frequency) => Self::plain(frequency),
            None => read(text.strip_prefix("RRULE:").unwrap_or(&text))?,
        };
        check(&rule)?;
        Ok(rule)
    }

    fn plain(frequency: Frequency) -> Self {
        Self {
            frequency,
            interval: 1,
            lists: Box::default(),
            week_start: Weekday::Mon,
            end: End::Never,
        }
    }
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new("invalid-recurrence", detail)
}

fn unsupported(detail: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new("unsupported-recurrence", detail)
}

fn read(text: &str) -> Result<Rule, Fault> {
    let mut rule = Rule::plain(Frequency::Daily);
    let mut seen: Vec<&str> = Vec::new();
    for part in text.split(';') {
        let (name, value) = part.split_once('=').ok_or_else(|| {
            invalid("must be daily, weekly, monthly, yearly or an RRULE such as FREQ=WEEKLY;BYDAY=MO")
        })?;
        if seen.contains(&name) {
            return Err(invalid("must have each part once"));
        }
        seen.push(name);
        match name {
            "FREQ" => rule.frequency = frequency(value)?,
            "INTERVAL" => rule.interval = number("INTERVAL", value, INTERVAL_MAX)?,
            "COUNT" => rule.end = ending(&rule, End::Count(number("COUNT", value, COUNT_MAX)?))?,
            "UNTIL" => rule.end = ending(&rule, End::Until(until(value)?))?,
            "WKST" => {
                rule.week_start =
                    weekday(value).ok_or_else(|| invalid("must have a day as WKST: WKST=SU"))?;
            }
            "BYMONTH" => rule.lists.months = numbers("BYMONTH", value, &(1..=12))?,
            "BYWEEKNO" => rule.lists.weeks = numbers("BYWEEKNO", value, &(-53..=53))?,
            "BYYEARDAY" => rule.lists.year_days = numbers("BYYEARDAY", value, &(-366..=366))?,
            "BYMONTHDAY" => rule.lists.month_days = numbers("BYMONTHDAY", value, &(-31..=31))?,
            "BYSETPOS" => rule.lists.positions = numbers("BYSETPOS", value, &(-366..=366))?,
            "BYDAY" => rule.lists.days = days(value)?,
            "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
                return Err(unsupported(
                    "must not have BYHOUR, BYMINUTE or BYSECOND: due_date has the time of day",
                ));
            }
            _ => return Err(unsupported("must have no parts but those of RFC 5545")),
        }
    }
    if seen.contains(&"FREQ") {
        Ok(rule)
    } else {
        Err(invalid("must have FREQ"))
    }
}

fn frequency(value: &str) -> Result<Frequency, Fault> {
    if let Some(frequency) = Frequency::ALL.into_iter().find(|f| f.as_str() == value) {
        return Ok(frequency);
    }
    Err(if matches!(value, "SECONDLY" | "MINUTELY" | "HOURLY") {
        unsupported("must not repeat more often than daily")
    } else {
        invalid("must have DAILY, WEEKLY, MONTHLY or YEARLY as FREQ")
    })
}

/// Digits only: no sign, no blank.
fn digits(value: &str) -> Option<u16> {
    let plain = (1..=5).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|_| plain)
}

fn number(name: &str, value: &str, max: u16) -> Result<u16, Fault> {
    digits(value)
        .filter(|n| (1..=max).contains(n))
        .ok_or_else(|| invalid(format!("must have a {name} from 1 to {max}")))
}

/// A number that may have a sign; never 0.
fn signed(value: &str) -> Option<i16> {
    let (sign, rest) = match value.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, value.strip_prefix('+').unwrap_or(value)),
    };
    let number = i16::try_from(digits(rest)?).ok()?;
    (number != 0).then_some(sign * number)
}

fn numbers(name: &str, value: &str, range: &RangeInclusive<i16>) -> Result<Vec<i16>, Fault> {
    let mut numbers = value
        .split(',')
        .map(|item| signed(item).filter(|n| range.contains(n)))
        .collect::<Option<Vec<i16>>>()
        .ok_or_else(|| {
            let end = range.end();
            let back = if *range.start() < 0 {
                format!(" or -1 to -{end}")
            } else {
                String::new()
            };
            invalid(format!("must have numbers from 1 to {end}{back} as {name}"))
        })?;
    numbers.sort_unstable();
    numbers.dedup();
    few(name, &numbers, LIST_MAX)?;
    Ok(numbers)
}

fn few<T>(name: &str, list: &[T], max: usize) -> Result<(), Fault> {
    if list.len() > max {
        return Err(unsupported(format!("must have at most {max} values of {name}")));
    }
    Ok(())
}

fn weekday(value: &str) -> Option<Weekday> {
    WEEK.into_iter().find(|weekday| short(*weekday) == value)
}

fn day(item: &str) -> Option<Day> {
    let (number, name) = item.split_at_checked(item.len().checked_sub(2)?)?;
    let number = if number.is_empty() {
        None
    } else {
        Some(signed(number).filter(|n| n.abs() <= 53)?)
    };
    weekday(name).map(|weekday| Day { number, weekday })
}

fn days(value: &str) -> Result<Vec<Day>, Fault> {
    let mut days = value
        .split(',')
        .map(day)
        .collect::<Option<Vec<Day>>>()
        .ok_or_else(|| invalid("must have days such as MO, 1MO or -1FR as BYDAY"))?;
    days.sort_unstable_by_key(|day| (day.number, day.weekday.num_days_from_monday()));
    days.dedup();
    few("BYDAY", &days, WEEKDAYS_MAX)?;
    Ok(days)
}

fn until(value: &str) -> Result<Due, Fault> {
    let fault = || invalid("must have UNTIL as 20261231 or, in UTC, 20261231T235959Z");
    let dashed = |text: &str| {
        let (year, rest) = text.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        parse_date(&format!("{year}-{month}-{day}"))
    };
    let Some((date, time)) = value.split_once('T') else {
        return dashed(value).map(Due::Date).ok_or_else(fault);
    };
    let date = dashed(date).ok_or_else(fault)?;
    let clock = time.strip_suffix('Z').ok_or_else(fault)?;
    let plain = clock.len() == 6 && clock.bytes().all(|b| b.is_ascii_digit());
    let time = NaiveDateTime::parse_from_str(&format!("{date} {clock}"), "%Y-%m-%d %H%M%S")
        .ok()
        .filter(|_| plain);
    let time = time.ok_or_else(fault)?.and_utc();
    // chrono takes a second 60 and hides it in the fraction.
    if time.timestamp_subsec_nanos() != 0 {
        return Err(fault());
    }
    Ok(Due::DateTime(Timestamp::new(time)))
}

fn ending(rule: &Rule, end: End) -> Result<End, Fault> {
    match rule.end {
        End::Never => Ok(end),
        _ => Err(invalid("must not have both COUNT and UNTIL")),
    }
}

/// Which parts go together (RFC 5545 section 3.3.10), and which ask for what no step holds.
fn check(rule: &Rule) -> Result<(), Fault> {
    let frequency = rule.frequency;
    let yearly = frequency == Frequency::Yearly;
    let numbered: Vec<i16> = rule.lists.days.iter().filter_map(|day| day.number).collect();
    let within_months = frequency == Frequency::Monthly || !rule.lists.months.is_empty();
    let farthest = if within_months { 5 } else { 53 };
    let most = largest_step(rule, numbered.is_empty());
    let too_far = rule
        .lists
        .positions
        .iter()
        .all(|position| usize::from(position.unsigned_abs()) > most);
    let wrong = [
        (
            !rule.lists.weeks.is_empty() && !yearly,
            "must not have BYWEEKNO unless yearly",
        ),
        (
            !rule.lists.year_days.is_empty() && !yearly,
            "must not have BYYEARDAY unless yearly",
        ),
        (
            !rule.lists.month_days.is_empty() && frequency == Frequency::Weekly,
            "must not have BYMONTHDAY if weekly",
        ),
        (
            !numbered.is_empty() && matches!(frequency, Frequency::Daily | Frequency::Weekly),
            "must not have numbers in BYDAY unless monthly or yearly",
        ),
        (
            !numbered.is_empty() && !rule.lists.weeks.is_empty(),
            "must not have numbers in BYDAY together with BYWEEKNO",
        ),
        (
            numbered.iter().any(|n| n.abs() > farthest),
            "must not count BYDAY beyond 5 within a month",
        ),
        (
            !rule.lists.positions.is_empty() && rule.lists.months.is_empty() && !rule.names_days(),
            "must not have BYSETPOS without another BY part",
        ),
        (
            !rule.lists.positions.is_empty() && too_far,
            "must not have a BYSETPOS beyond what one step can hold",
        ),
    ];
    if let Some((_, detail)) = wrong.into_iter().find(|(wrong, _)| *wrong) {
        return Err(invalid(detail));
    }
    // The fifth last is the first or none: the expansion does not know it.
    if numbered.contains(&-farthest) {
        return Err(unsupported(format!("must not count BYDAY back to -{farthest}")));
    }
    if !rule.lists.positions.is_empty() && !rule.lists.weeks.is_empty() {
        return Err(unsupported("must not have BYSETPOS together with BYWEEKNO"));
    }
    if !numbered.is_empty() && numbered.len() < rule.lists.days.len() {
        return Err(unsupported(
            "must have a number before each day of BYDAY or before none",
        ));
    }
    Ok(())
}

/// No more days than this can be in one step.
fn largest_step(rule: &Rule, every_weekday: bool) -> usize {
    let (days, dates) = (rule.lists.days.len(), rule.lists.month_days.len());
    let months = if rule.lists.months.is_empty() {
        12
    } else {
        rule.lists.months.len()
    };
    let (weeks_in, months_in) = match rule.frequency {
        Frequency::Daily => return 1,
        Frequency::Weekly => return days.max(1),
        Frequency::Monthly => (5, 1),
        Frequency::Yearly => (53, months),
    };
    let by_days = match days {
        0 => 366,
        // By number there is one of each month, or of the year.
        days if !every_weekday => days * months_in,
        days => days * weeks_in,
    };
    let by_dates = if dates == 0 {
        31 * months_in
    } else {
        dates * months_in
    };
    let by_year = if rule.lists.year_days.is_empty() {
        366
    } else {
        rule.lists.year_days.len()
    };
    by_days.min(by_dates).min(by_year)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(text: &str) -> String {
        Rule::parse(text)
            .unwrap_or_else(|f| panic!("{text}: {f}"))
            .to_string()
    }

    fn code(text: &str) -> &'static str {
        let fault = Rule::parse(text).expect_err(text);
        fault.code
    }

    #[test]
    fn every_spelling_comes_back_as_one() {
        for (sent, canonical) in [
            ("daily", "FREQ=DAILY"),
            ("Weekly", "FREQ=WEEKLY"),
            (" MONTHLY\n", "FREQ=MONTHLY"),
            ("yearly", "FREQ=YEARLY"),
            ("RRULE:FREQ=WEEKLY;INTERVAL=1;WKST=MO", "FREQ=WEEKLY"),
            ("freq=weekly;byday=su,mo,we,mo", "FREQ=WEEKLY;BYDAY=MO,WE,SU"),
            ("BYDAY=+1MO,-1FR;FREQ=MONTHLY", "FREQ=MONTHLY;BYDAY=-1FR,1MO"),
            (
                "FREQ=MONTHLY;COUNT=05;BYMONTHDAY=31,-1,01;INTERVAL=002",
                "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=-1,1,31;COUNT=5",
            ),
            (
                "FREQ=YEARLY;UNTIL=20301231;WKST=SU;BYDAY=TU;BYWEEKNO=20,-1;BYMONTH=12,5",
                "FREQ=YEARLY;BYMONTH=5,12;BYWEEKNO=-1,20;BYDAY=TU;WKST=SU;UNTIL=20301231",
            ),
            (
                "FREQ=DAILY;UNTIL=20301231T235959Z",
                "FREQ=DAILY;UNTIL=20301231T235959Z",
            ),
            (
                "FREQ=YEARLY;BYYEARDAY=366,-366;BYSETPOS=-1",
                "FREQ=YEARLY;BYYEARDAY=-366,366;BYSETPOS=-1",
            ),
            ("FREQ=YEARLY;BYDAY=53MO", "FREQ=YEARLY;BYDAY=53MO"),
        ] {
            assert_eq!(back(sent), canonical);
            assert_eq!(back(canonical), canonical);
        }
    }

    #[test]
    fn what_the_rfc_forbids_is_refused() {
        for bad in [
            "fortnightly",
            "FREQ",
            "FREQ=",
            "FREQ=SOMETIMES",
            "INTERVAL=2",
            "FREQ=DAILY;",
            ";FREQ=DAILY",
            "FREQ=DAILY;FREQ=DAILY",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;INTERVAL=-1",
            "FREQ=DAILY;INTERVAL=1000",
            "FREQ=DAILY;INTERVAL=+1",
            "FREQ=DAILY;INTERVAL=99999999999999999999",
            "FREQ=DAILY;COUNT=0",
            "FREQ=DAILY;COUNT=10000",
            "FREQ=DAILY;COUNT=",
            "FREQ=DAILY;COUNT=3;UNTIL=20301231",
            "FREQ=DAILY;UNTIL=20301231T235959",
            "FREQ=DAILY;UNTIL=20300230",
            "FREQ=DAILY;UNTIL=20301231T235960Z",
            "FREQ=DAILY;UNTIL=20301231T240000Z",
            "FREQ=DAILY;UNTIL=20301231T 10000Z",
            "FREQ=DAILY;UNTIL=2030-12-31",
            "FREQ=DAILY;UNTIL=00001231",
            "FREQ=DAILY;UNTIL=T",
            "FREQ=DAILY;UNTIL=é2030123",
            "FREQ=WEEKLY;WKST=1MO",
            "FREQ=WEEKLY;BYDAY=",
            "FREQ=WEEKLY;BYDAY=MO,",
            "FREQ=WEEKLY;BYDAY=M",
            "FREQ=WEEKLY;BYDAY=+MO",
            "FREQ=WEEKLY;BYDAY=XX",
            "FREQ=WEEKLY;BYDAY=éé",
            "FREQ=MONTHLY;BYDAY=0MO",
            "FREQ=MONTHLY;BYDAY=6MO",
            "FREQ=YEARLY;BYDAY=54MO",
            "FREQ=YEARLY;BYMONTH=5;BYDAY=6MO",
            "FREQ=MONTHLY;BYMONTH=0",
            "FREQ=MONTHLY;BYMONTH=-1",
            "FREQ=MONTHLY;BYMONTH=13",
            "FREQ=MONTHLY;BYMONTHDAY=0",
            "FREQ=MONTHLY;BYMONTHDAY=-32",
            "FREQ=MONTHLY;BYMONTHDAY=--1",
            "FREQ=YEARLY;BYYEARDAY=367",
            "FREQ=YEARLY;BYWEEKNO=54;BYDAY=MO",
            "FREQ=MONTHLY;BYWEEKNO=5",
            "FREQ=MONTHLY;BYYEARDAY=5",
            "FREQ=WEEKLY;BYMONTHDAY=5",
            "FREQ=WEEKLY;BYDAY=1MO",
            "FREQ=DAILY;BYDAY=1MO",
            "FREQ=YEARLY;BYWEEKNO=5;BYDAY=1MO",
            "FREQ=MONTHLY;BYSETPOS=1",
            "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0",
            "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
            "FREQ=MONTHLY;BYMONTHDAY=1,2;BYSETPOS=3",
            "FREQ=YEARLY;BYMONTHDAY=1;BYSETPOS=13",
            "FREQ=YEARLY;BYMONTH=2;BYDAY=1MO,2MO;BYSETPOS=-3",
            "FREQ=YEARLY;BYYEARDAY=1,2,3;BYSETPOS=4",
            "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=3",
            "FREQ=DAILY;BYDAY=MO;BYSETPOS=2",
        ] {
            assert_eq!(code(bad), "invalid-recurrence", "{bad}");
        }
    }

    #[test]
    fn what_no_chore_needs_is_refused_and_said() {
        let many: Vec<String> = (1..=32).map(|n| n.to_string()).collect();
        for bad in [
            "FREQ=HOURLY",
            "FREQ=MINUTELY;INTERVAL=1440",
            "freq=secondly;bymonth=2",
            "FREQ=DAILY;BYHOUR=9",
            "FREQ=DAILY;BYMINUTE=0",
            "FREQ=DAILY;BYSECOND=0",
            "FREQ=DAILY;X-PART=1",
            "FREQ=YEARLY;BYEASTER=0",
            "RSCALE=GREGORIAN;FREQ=DAILY",
            "FREQ=DAILY;SKIP=FORWARD",
            "FREQ=MONTHLY;BYDAY=MO,1TU",
            "FREQ=MONTHLY;BYDAY=-5MO",
            "FREQ=YEARLY;BYDAY=-53MO",
            "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO;BYSETPOS=1",
            "FREQ=YEARLY;BYMONTH=5;BYDAY=-5MO",
            &format!("FREQ=YEARLY;BYYEARDAY={}", many.join(",")),
            "FREQ=MONTHLY;BYDAY=1MO,2MO,3MO,4MO,5MO,1TU,2TU,3TU,4TU,5TU,1WE",
        ] {
            assert_eq!(code(bad), "unsupported-recurrence", "{bad}");
        }
        assert_eq!(code(""), "too-short");
        assert_eq!(code(&format!("FREQ=DAILY;{}", "X".repeat(255))), "too-long");
        assert_eq!(
            code("FREQ=DAILY\r\nDTSTART:20200101"),
            "invalid-recurrence",
            "one line"
        );
    }

    #[test]
    fn count_goes_down_and_until_stays() {
        let rule = Rule::parse("FREQ=DAILY;COUNT=2").unwrap();
        let last = rule.following().unwrap();
        assert_eq!(last.to_string(), "FREQ=DAILY;COUNT=1");
        assert_eq!(last.following(), None);
        let rule = Rule::parse("FREQ=DAILY;UNTIL=20301231").unwrap();
        assert_eq!(rule.following(), Some(rule));
    }

    #[test]
    fn until_is_of_the_kind_of_the_due_date() {
        let (day, time) = ("2030-01-01", "2030-01-01T10:00:00Z");
        for (rule, due, code) in [
            ("daily", Some(day), None),
            ("daily", Some(time), None),
            ("daily", None, Some("needs-due-date")),
            ("FREQ=DAILY;UNTIL=20301231", Some(day), None),
            (
                "FREQ=DAILY;UNTIL=20301231",
                Some(time),
                Some("invalid-recurrence"),
            ),
            ("FREQ=DAILY;UNTIL=20301231T000000Z", Some(time), None),
            (
                "FREQ=DAILY;UNTIL=20301231T000000Z",
                Some(day),
                Some("invalid-recurrence"),
            ),
        ] {
            let due = due.map(|text| Due::parse(text).unwrap());
            let fault = Rule::parse(rule).unwrap().fits(due).err();
            assert_eq!(fault.map(|fault| fault.code), code, "{rule} {due:?}");
        }
    }

    /// Pieces of rules put together at random: whatever is taken is the same when it comes back.
    #[test]
    fn no_text_makes_it_stumble() {
        let pieces = [
            "FREQ=",
            "DAILY",
            "WEEKLY",
            "MONTHLY",
            "YEARLY",
            ";",
            "=",
            ",",
            "BYDAY=",
            "BYMONTH=",
            "BYSETPOS=",
            "BYMONTHDAY=",
            "BYYEARDAY=",
            "BYWEEKNO=",
            "UNTIL=",
            "COUNT=",
            "INTERVAL=",
            "WKST=",
            "MO",
            "1",
            "-",
            "+",
            "20301231",
            "T000000Z",
            "é",
            "\0",
            "FREQ=MONTHLY;",
            "BYDAY=1MO,-1FR;",
            "BYMONTH=2;",
            "BYSETPOS=1;",
            "COUNT=9",
        ];
        let mut state = 5_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut taken = 0;
        for _ in 0..200_000 {
            let text: String = (0..=draw(6)).map(|_| pieces[draw(pieces.len())]).collect();
            if let Ok(rule) = Rule::parse(&text) {
                taken += 1;
                assert_eq!(Rule::parse(&rule.to_string()).as_ref(), Ok(&rule), "{text}");
                assert!(rule.to_string().len() <= text.len().max("FREQ=MONTHLY".len()));
            }
        }
        assert!(taken > 1_000, "{taken}");
    }
}

//! Rules that are made to hurt.

use std::time::Duration;

use errand_domain::task::Recurrences;
use errand_domain::task::{Due, RecurrenceFrom, Rule, Series};
use errand_domain::{Fault, Timestamp};
use errand_recurrence::CalendarRecurrences;
use rustix::time::{ClockId, clock_gettime};

/// 5 ms in a release build, which this is not.
const BOUND: Duration = Duration::from_millis(200);

/// Never, or so rarely that whoever looks for it looks long.
const NEVER: [&str; 16] = [
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30,31",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
    "FREQ=DAILY;INTERVAL=994;BYDAY=TU;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12",
    "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=15",
    "FREQ=MONTHLY;BYDAY=1MO,2MO,3MO,4MO,1TU,2TU,3TU,4TU,1WE,2WE;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=31,-31;BYMONTH=2",
    "FREQ=MONTHLY;BYDAY=1MO,2MO,3MO,4MO,1TU,2TU,3TU,4TU,1WE,2WE;BYMONTHDAY=29,30,31;BYSETPOS=3",
    "FREQ=YEARLY;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15;BYDAY=-1MO,-2MO;BYSETPOS=1",
    "FREQ=YEARLY;BYYEARDAY=20,21,22,23,24,25,26,27,28,29;BYMONTHDAY=1,2,3,4,5,6,7,8,9;BYSETPOS=-1",
    "FREQ=YEARLY;BYDAY=11MO,12MO,13MO,14MO,15MO,16MO,17MO,18MO,19MO,20MO;BYYEARDAY=1,2,3,4,5,6,7",
    "FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1;BYDAY=MO,TU,WE,TH,FR,SA,SU",
    "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=2,3,4,5,6,7,8,9,10,11",
    "FREQ=YEARLY;INTERVAL=999",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;BYMONTH=3",
];

/// The years at both ends of what the search may cost.
const DUES: [&str; 4] = ["2027-02-01", "2301-02-01", "2300-02-01", "9899-02-01"];

fn series(rule: &str, due: &str) -> Result<Series, Fault> {
    Ok(Series {
        rule: Rule::parse(rule)?,
        from: RecurrenceFrom::Due,
        due: Due::parse(due)?,
        meant: None,
        zone: None,
    })
}

/// How long the processor worked for it: how long others had the processor says nothing.
fn took(series: &Series) -> Duration {
    let clock = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let begun = clock();
    let _ = CalendarRecurrences.check(series);
    clock().saturating_sub(begun)
}

#[test]
fn what_never_occurs_is_refused_and_soon() {
    let mut longest = (Duration::ZERO, "");
    for rule in NEVER {
        for due in DUES {
            let series = series(rule, due).unwrap_or_else(|fault| panic!("{rule}: {fault}"));
            let faults = CalendarRecurrences.check(&series).expect_err(rule);
            let next = CalendarRecurrences.next(&series, series.due.position());
            assert_eq!(faults[0].fault.code, "never-occurs", "{rule}");
            assert_eq!(next, None, "{rule}");
            longest = longest.max((took(&series), rule));
        }
    }
    assert!(longest.0 < BOUND, "{longest:?}");
    println!("the longest took {longest:?}");
}

#[test]
fn a_rule_of_the_wrong_kind_is_refused_with_the_field() {
    let series = series("FREQ=DAILY;UNTIL=20301231T000000Z", "2026-01-01").unwrap();
    let faults = CalendarRecurrences.check(&series).unwrap_err();
    let found: Vec<_> = faults.iter().map(|f| (f.field.as_ref(), f.fault.code)).collect();
    assert_eq!(found, [("recurrence", "invalid-recurrence")]);
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % below
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let at = self.below(of.len() as u64);
        of.iter()
            .cycle()
            .nth(at.try_into().unwrap_or_default())
            .unwrap_or(&"")
    }

    fn list(&mut self, name: &str, max: u64, back: bool) -> String {
        let count = 1 + self.below(12);
        let numbers = (0..count).map(|_| {
            let sign = if back && self.below(2) == 0 { "-" } else { "" };
            format!("{sign}{}", 1 + self.below(max))
        });
        format!("{name}={}", numbers.collect::<Vec<_>>().join(","))
    }

    /// Parts put together without regard to sense.
    fn rule(&mut self) -> String {
        let frequency = self.one(&["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]);
        let mut parts = vec![format!("FREQ={frequency}")];
        let days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
        if self.below(2) == 0 {
            parts.push(format!("INTERVAL={}", 1 + self.below(999)));
        }
        for (name, max, back) in [
            ("BYMONTH", 12, false),
            ("BYMONTHDAY", 31, true),
            ("BYYEARDAY", 366, true),
            ("BYWEEKNO", 53, true),
            ("BYSETPOS", 20, true),
        ] {
            if self.below(3) == 0 {
                parts.push(self.list(name, max, back));
            }
        }
        if self.below(2) == 0 {
            let numbered = self.below(2) == 0;
            let count = 1 + self.below(7);
            let chosen = (0..count).map(|_| {
                let number = if numbered {
                    self.one(&["1", "2", "5", "-1", "-4", "40"])
                } else {
                    ""
                };
                format!("{number}{}", self.one(&days))
            });
            parts.push(format!("BYDAY={}", chosen.collect::<Vec<_>>().join(",")));
        }
        parts.push(format!("WKST={}", self.one(&days)));
        parts.join(";")
    }
}

/// Nothing stumbles, nothing takes long, what comes is later, and what passed `check` goes on.
#[test]
fn whatever_is_taken_is_answered() {
    let mut dice = Dice(11);
    let (mut taken, mut longest) = (0, (Duration::ZERO, String::new()));
    for _ in 0..10_000 {
        let rule = dice.rule();
        let day = Timestamp::from_micros(
            (i64::try_from(dice.below(2_900_000)).unwrap() - 700_000) * 86_400_000_000,
        );
        let due = Due::Date(day.unwrap().as_chrono().date_naive());
        let Ok(mut series) = series(&rule, &due.to_string()) else {
            continue;
        };
        taken += 1;
        let checked = CalendarRecurrences.check(&series);
        longest = longest.max((took(&series), format!("{rule} from {due}")));
        let next = CalendarRecurrences.next(&series, due.position());
        assert_eq!(checked.is_ok(), next.is_some(), "{rule} from {due}");
        if let Some(next) = next {
            assert!(next.due.position() > due.position(), "{rule} from {due}");
            assert_eq!(next.rule, series.rule);
        }
        series.from = RecurrenceFrom::Completion;
        let done = due.position();
        if let Some(next) = CalendarRecurrences.next(&series, done) {
            assert!(next.due.position() > done, "{rule} done {due}");
        }
    }
    assert!(taken > 1_000, "{taken}");
    assert!(longest.0 < BOUND, "{longest:?}");
    println!("{taken} rules, the longest check took {longest:?}");
}

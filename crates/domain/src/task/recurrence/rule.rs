//! The rule itself: what it holds and how it is written.

use std::fmt;

use chrono::Weekday;

use super::Due;
use crate::fault::Fault;

/// The most characters of a rule.
pub const RULE_MAX_CHARS: usize = 255;
/// The greatest `INTERVAL`.
pub const INTERVAL_MAX: u16 = 999;
/// The greatest `COUNT`.
pub const COUNT_MAX: u16 = 9_999;
/// The most different values of one list, `BYDAY` aside.
pub const LIST_MAX: usize = 31;
/// The most different values of `BYDAY`; each costs time where a search finds nothing.
pub const WEEKDAYS_MAX: usize = 10;

/// What a rule steps by. RFC 5545 has shorter steps as well; no chore has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    /// Day by day.
    Daily,
    /// Week by week.
    Weekly,
    /// Month by month.
    Monthly,
    /// Year by year.
    Yearly,
}

impl Frequency {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    /// As a rule writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
            Self::Yearly => "YEARLY",
        }
    }
}

/// A day of the week, every one or a certain one of the month or year: `MO`, `1MO`, `-1FR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Which one, from the front or (negative) from the back; `None` is every one.
    pub number: Option<i16>,
    /// The day.
    pub weekday: Weekday,
}

/// When a series is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Never.
    Never,
    /// After so many, the open one among them.
    Count(u16),
    /// After this day or point in time, which may be the last occurrence.
    Until(Due),
}

/// The `BY` parts. Apart, so that a rule, and every task that may have one, is small.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lists {
    pub(super) months: Vec<i16>,
    pub(super) weeks: Vec<i16>,
    pub(super) year_days: Vec<i16>,
    pub(super) month_days: Vec<i16>,
    pub(super) days: Vec<Day>,
    pub(super) positions: Vec<i16>,
}

/// A recurrence rule of RFC 5545 section 3.3.10 without times of day, checked and in one spelling: equal rules
/// are equal texts. [`Rule::parse`] says what is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(super) frequency: Frequency,
    pub(super) interval: u16,
    pub(super) lists: Box<Lists>,
    pub(super) week_start: Weekday,
    pub(super) end: End,
}

impl Rule {
    /// What it steps by.
    pub fn frequency(&self) -> Frequency {
        self.frequency
    }

    /// Every how many steps, from 1.
    pub fn interval(&self) -> u16 {
        self.interval
    }

    /// `BYMONTH`, 1 to 12.
    pub fn months(&self) -> &[i16] {
        &self.lists.months
    }

    /// `BYWEEKNO`, 1 to 53 and back.
    pub fn weeks(&self) -> &[i16] {
        &self.lists.weeks
    }

    /// `BYYEARDAY`, 1 to 366 and back.
    pub fn year_days(&self) -> &[i16] {
        &self.lists.year_days
    }

    /// `BYMONTHDAY`, 1 to 31 and back.
    pub fn month_days(&self) -> &[i16] {
        &self.lists.month_days
    }

    /// `BYDAY`: all with a number or all without.
    pub fn days(&self) -> &[Day] {
        &self.lists.days
    }

    /// `BYSETPOS`.
    pub fn positions(&self) -> &[i16] {
        &self.lists.positions
    }

    /// `WKST`.
    pub fn week_start(&self) -> Weekday {
        self.week_start
    }

    /// `COUNT` or `UNTIL`.
    pub fn end(&self) -> End {
        self.end
    }

    /// Whether it says itself on which days; otherwise the day is the one that the series began on.
    pub fn names_days(&self) -> bool {
        !(self.lists.weeks.is_empty()
            && self.lists.year_days.is_empty()
            && self.lists.month_days.is_empty()
            && self.lists.days.is_empty())
    }

    /// Whether a task that is due then may have it: there must be a due date, and `UNTIL` must be of its kind.
    pub fn fits(&self, due: Option<Due>) -> Result<(), Fault> {
        let due = due.ok_or_else(|| Fault::new("needs-due-date", "needs a due_date"))?;
        match self.end {
            End::Until(until) if until.is_date() != due.is_date() => Err(Fault::new(
                "invalid-recurrence",
                if due.is_date() {
                    "must have a date as UNTIL, as due_date is one: UNTIL=20261231"
                } else {
                    "must have a UTC date-time as UNTIL, as due_date has a time: UNTIL=20261231T235959Z"
                },
            )),
            _ => Ok(()),
        }
    }

    /// The rule of the one that follows, `None` if this is the last. `UNTIL` is held against dates elsewhere.
    pub fn following(&self) -> Option<Self> {
        let end = match self.end {
            End::Count(left) => End::Count(left.checked_sub(1).filter(|left| *left > 0)?),
            end => end,
        };
        Some(Self { end, ..self.clone() })
    }
}

impl fmt::Display for Rule {
    /// `FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR;COUNT=10`: parts in a fixed order, lists sorted, nothing that goes
    /// without saying.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FREQ={}", self.frequency.as_str())?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        list(f, "BYMONTH", &self.lists.months)?;
        list(f, "BYWEEKNO", &self.lists.weeks)?;
        list(f, "BYYEARDAY", &self.lists.year_days)?;
        list(f, "BYMONTHDAY", &self.lists.month_days)?;
        list(f, "BYDAY", &self.lists.days)?;
        list(f, "BYSETPOS", &self.lists.positions)?;
        if self.week_start != Weekday::Mon {
            write!(f, ";WKST={}", short(self.week_start))?;
        }
        match self.end {
            End::Never => Ok(()),
            End::Count(count) => write!(f, ";COUNT={count}"),
            End::Until(Due::Date(day)) => write!(f, ";UNTIL={}", day.format("%Y%m%d")),
            End::Until(Due::DateTime(time)) => {
                write!(f, ";UNTIL={}", time.as_chrono().format("%Y%m%dT%H%M%SZ"))
            }
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, values: &[T]) -> fmt::Result {
    for (index, value) in values.iter().enumerate() {
        if index == 0 {
            write!(f, ";{name}={value}")?;
        } else {
            write!(f, ",{value}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(number) = self.number {
            write!(f, "{number}")?;
        }
        f.write_str(short(self.weekday))
    }
}

/// A day of the week as a rule writes it.
pub(super) fn short(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Mon => "MO",
        Weekday::Tue => "TU",
        Weekday::Wed => "WE",
        Weekday::Thu => "TH",
        Weekday::Fri => "FR",
        Weekday::Sat => "SA",
        Weekday::Sun => "SU",
    }
}

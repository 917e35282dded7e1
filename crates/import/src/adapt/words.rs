//! Words that applications use for what errand has another word for.

use errand_domain::task::{Priority, Rule};

/// Whether a cell says that a task is done; `None` if it says nothing that is known.
pub fn is_done(text: &str) -> Option<bool> {
    match word(text).as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" | "done" | "complete" | "completed" | "finished"
        | "closed" => Some(true),
        "" | "0" | "false" | "f" | "no" | "n" | "off" | "open" | "pending" | "todo" | "to do"
        | "incomplete" | "uncompleted" | "not completed" | "active" | "new" | "in progress"
        | "inprogress" | "doing" | "started" | "not started" | "notstarted" | "backlog" => Some(false),
        _ => None,
    }
}

/// The nearest level of a priority that errand does not have. Of numbers, the greater is the more urgent.
pub fn nearest(text: &str) -> Option<Priority> {
    match word(text).as_str() {
        "h" | "urgent" | "critical" | "highest" | "very high" | "important" | "asap" => Some(Priority::High),
        "m" | "med" | "normal" | "default" | "none" | "moderate" | "2" => Some(Priority::Medium),
        "l" | "lowest" | "very low" | "minor" | "trivial" | "0" | "1" => Some(Priority::Low),
        number => number.parse::<u32>().ok().map(|_| Priority::High),
    }
}

/// Whether a cell says that a task does not repeat.
pub fn is_once(text: &str) -> bool {
    let word = word(text);
    matches!(
        word.as_str(),
        "" | "none" | "null" | "never" | "no" | "once" | "false" | "0" | "no repeat" | "does not repeat"
    )
}

/// A rule, in errand's words or in others for the same.
pub fn rule(text: &str) -> Option<Rule> {
    let word = word(text);
    let said = match word.as_str() {
        "day" | "every day" | "everyday" => "daily",
        "week" | "every week" => "weekly",
        "month" | "every month" => "monthly",
        "year" | "every year" | "annually" | "annual" => "yearly",
        "biweekly" | "bi weekly" | "fortnightly" | "every 2 weeks" | "every two weeks" => {
            "FREQ=WEEKLY;INTERVAL=2"
        }
        "weekdays" | "weekday" | "every weekday" => "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        "quarterly" => "FREQ=MONTHLY;INTERVAL=3",
        _ => return Rule::parse(text).or_else(|_| Rule::parse(&word)).ok(),
    };
    Rule::parse(said).ok()
}

/// Lower case, blanks between words; of `Priority.HIGH`, as Python prints a member of an enum, the member.
pub fn word(text: &str) -> String {
    let text = text.trim().rsplit('.').next().unwrap_or_default();
    text.to_lowercase().replace(['_', '-'], " ")
}

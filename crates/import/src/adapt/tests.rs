//! What becomes of cells.

mod users;

use std::sync::Arc;

use chrono::NaiveDateTime;
use errand_domain::task::{Next, Recurrences, Series, TimeZone};
use errand_domain::{FieldFault, Timestamp};

use self::users::user;
use super::Adapter;
use crate::cell::{Cell, Text};
use crate::incoming::{Adapted, Finding, IncomingPassword, IncomingTask, NoPassword, Rule, SourceKey};
use crate::mapping::Mapping;

/// Knows one zone and refuses what comes every ninth year.
struct Calendar;

impl Recurrences for Calendar {
    fn knows(&self, zone: &TimeZone) -> bool {
        zone.as_str() == "Europe/Berlin"
    }

    fn check(&self, series: &Series) -> Result<(), Vec<FieldFault>> {
        if series.rule.interval() == 9 {
            let fault = errand_domain::Fault::new("never-occurs", "never occurs");
            return Err(vec![FieldFault::new("recurrence", fault)]);
        }
        Ok(())
    }

    fn next(&self, _: &Series, _: Timestamp) -> Option<Next> {
        let _: Option<NaiveDateTime> = None;
        None
    }
}

fn adapter(table: &str, fields: &[(&'static str, Cell)]) -> (Adapter, Vec<Cell>) {
    // In the order of the section, whatever order a test has them in.
    let all = [
        "key",
        "email",
        "username",
        "password",
        "active",
        "disabled",
        "owner",
        "title",
        "description",
        "completed",
        "completed_at",
        "priority",
        "due",
        "time_zone",
        "tags",
        "recurrence",
        "deleted",
        "created_at",
        "updated_at",
    ];
    let mut text = format!("[{table}]\ntable = \"rows\"\n");
    let mut cells = Vec::new();
    for name in all {
        if let Some((_, cell)) = fields.iter().find(|(field, _)| *field == name) {
            for part in [name, " = \"", name, "\"\n"] {
                text.push_str(part);
            }
            cells.push(cell.clone());
        }
    }
    let text = text + "[priorities]\nasap = \"Low\"\n";
    (
        Adapter::new(&Mapping::parse(&text).unwrap(), Arc::new(Calendar)),
        cells,
    )
}

fn text(text: &str) -> Cell {
    Cell::Text(Text {
        body: text.to_owned(),
        ..Text::default()
    })
}

fn task_of(fields: &[(&'static str, Cell)]) -> Adapted<IncomingTask> {
    let mut row = vec![
        ("key", Cell::Integer(5)),
        ("owner", Cell::Integer(1)),
        ("title", text("title")),
    ];
    row.retain(|(name, _)| fields.iter().all(|(field, _)| field != name));
    row.extend(fields.iter().cloned());
    let (adapter, cells) = adapter("tasks", &row);
    adapter.task(Some(SourceKey("1".to_owned())), cells)
}

fn task(fields: &[(&'static str, Cell)]) -> (IncomingTask, Vec<Finding>) {
    match task_of(fields) {
        Adapted::Imported { value, findings, .. } => (value, findings),
        outside @ Adapted::Quarantined { .. } => panic!("{outside:?}"),
    }
}

fn outside(fields: &[(&'static str, Cell)]) -> (Finding, serde_json::Value) {
    match task_of(fields) {
        Adapted::Quarantined { why, row, .. } => (why, row),
        inside @ Adapted::Imported { .. } => panic!("{inside:?}"),
    }
}

/// That somebody has no password is of no matter to most tests.
fn rules(findings: &[Finding]) -> Vec<Rule> {
    let rules = findings.iter().map(|finding| finding.rule);
    rules.filter(|rule| *rule != Rule::PasswordUnusable).collect()
}

#[test]
fn points_in_time() {
    for (cell, read) in [
        (
            text("2026-02-07 10:30:00.123456"),
            Some("2026-02-07T10:30:00.123456Z"),
        ),
        (text("2026-02-07 10:30:00"), Some("2026-02-07T10:30:00Z")),
        (text("2026-02-07T10:30:00"), Some("2026-02-07T10:30:00Z")),
        (text("2026-02-07T10:30"), Some("2026-02-07T10:30:00Z")),
        (text(" 2026-02-07T10:30:00.5Z "), Some("2026-02-07T10:30:00.500Z")),
        (text("2026-02-07T10:30:00+02:00"), Some("2026-02-07T08:30:00Z")),
        (text("2026-02-07 10:30:00+00"), Some("2026-02-07T10:30:00Z")),
        (
            text("2026-02-07 10:30:00.25-0330"),
            Some("2026-02-07T14:00:00.250Z"),
        ),
        (text("2026-02-07 10:30:00 +0100"), Some("2026-02-07T09:30:00Z")),
        (text("2026-02-07 10:30:00 UTC"), Some("2026-02-07T10:30:00Z")),
        (text("2026-02-07"), Some("2026-02-07T00:00:00Z")),
        (text("1770460200"), Some("2026-02-07T10:30:00Z")),
        (Cell::Integer(1_770_460_200), Some("2026-02-07T10:30:00Z")),
        (Cell::Integer(1_770_460_200_123), Some("2026-02-07T10:30:00.123Z")),
        (
            Cell::Integer(1_770_460_200_123_456),
            Some("2026-02-07T10:30:00.123456Z"),
        ),
        (
            Cell::Integer(1_770_460_200_123_456_789),
            Some("2026-02-07T10:30:00.123456Z"),
        ),
        (Cell::Integer(0), Some("1970-01-01T00:00:00Z")),
        (Cell::Real(1_770_460_200.5), Some("2026-02-07T10:30:00.500Z")),
        (Cell::Real(1_770_460_200_123.0), Some("2026-02-07T10:30:00.123Z")),
        (Cell::Null, None),
        (text("  "), None),
    ] {
        let (task, findings) = task(&[("created_at", cell.clone())]);
        let read = read.unwrap_or("1970-01-01T00:00:00Z");
        assert_eq!(task.created_at.to_short_string(), read, "{cell:?}");
        assert_eq!(
            (task.updated_at, findings),
            (task.created_at, Vec::new()),
            "{cell:?}"
        );
    }
    for cell in [
        text("yesterday"),
        text("2026-02-30 10:00:00"),
        text("0000-00-00 00:00:00"),
        text("12026-02-07 10:00:00"),
        text("99999999999999999999"),
        Cell::Real(f64::NAN),
        Cell::Real(f64::INFINITY),
        Cell::Integer(-99_999_999_999),
        Cell::Real(1e300),
        Cell::Blob(vec![0, 255]),
    ] {
        let changed = ("updated_at", text("2026-02-07"));
        let (task, findings) = task(&[("created_at", cell.clone()), changed]);
        assert_eq!(rules(&findings), [Rule::TimeUnknown], "{cell:?}");
        assert_eq!(task.created_at.to_short_string(), "2026-02-07T00:00:00Z");
    }
}

#[test]
fn due_dates() {
    for (cell, read) in [
        (text("2026-02-15"), Some("2026-02-15")),
        (text(" 2026-02-15\n"), Some("2026-02-15")),
        (text("2026-02-15T08:00:00+02:00"), Some("2026-02-15T06:00:00Z")),
        (text("2026-02-15 08:00:00.000000"), Some("2026-02-15T08:00:00Z")),
        (Cell::Integer(1_771_113_600_000), Some("2026-02-15T00:00:00Z")),
        (text(""), None),
        (Cell::Null, None),
    ] {
        let (task, findings) = task(&[("due", cell.clone())]);
        assert_eq!(task.due.map(|due| due.to_string()).as_deref(), read, "{cell:?}");
        assert_eq!(findings, []);
    }
    for garbage in ["tomorrow", "15/02/2026", "2026-2-5", "2026-13-01"] {
        let (task, findings) = task(&[("due", text(garbage))]);
        assert_eq!((task.due, findings.len()), (None, 1));
        let finding = &findings[0];
        assert_eq!((finding.rule, finding.was.as_str()), (Rule::DueUnknown, garbage));
        assert_eq!(
            (finding.table.as_str(), finding.column.as_deref()),
            ("rows", Some("due"))
        );
        assert_eq!(finding.key.0, "5");
    }
    // Only the finding would keep it, and it does not keep so much.
    let (why, row) = outside(&[("due", text(&"x".repeat(2_001)))]);
    assert_eq!(
        (why.rule, row["due"].as_str().unwrap().len()),
        (Rule::TooLong, 2_001)
    );
}

#[test]
fn priorities() {
    for (cell, level, rule) in [
        (text("HIGH"), "High", None),
        (text("Medium"), "Medium", None),
        (text(" low "), "Low", None),
        (text("Priority.LOW"), "Low", None),
        (Cell::Null, "Medium", None),
        (text(""), "Medium", None),
        (text("ASAP"), "Low", None),
        (text("Urgent"), "High", Some(Rule::PriorityAdapted)),
        (text("very_high"), "High", Some(Rule::PriorityAdapted)),
        (text("normal"), "Medium", Some(Rule::PriorityAdapted)),
        (Cell::Integer(1), "Low", Some(Rule::PriorityAdapted)),
        (Cell::Integer(2), "Medium", Some(Rule::PriorityAdapted)),
        (text("3"), "High", Some(Rule::PriorityAdapted)),
        (Cell::Integer(-1), "Medium", Some(Rule::PriorityUnknown)),
        (text("purple"), "Medium", Some(Rule::PriorityUnknown)),
    ] {
        let (task, findings) = task(&[("priority", cell.clone())]);
        assert_eq!(task.priority.as_str(), level, "{cell:?}");
        assert_eq!(rules(&findings), Vec::from_iter(rule), "{cell:?}");
    }
}

#[test]
fn completions() {
    for (cell, done, unknown) in [
        (Cell::Integer(1), true, false),
        (Cell::Integer(0), false, false),
        (Cell::Real(1.0), true, false),
        (Cell::Null, false, false),
        (text("true"), true, false),
        (text("COMPLETE"), true, false),
        (text("TaskStatus.DONE"), true, false),
        (text("in_progress"), false, false),
        (text("f"), false, false),
        (text("maybe"), false, true),
        (Cell::Integer(2), false, true),
    ] {
        let (task, findings) = task(&[("completed", cell.clone()), ("updated_at", text("2026-02-08"))]);
        assert_eq!(task.completed_at, done.then_some(task.updated_at), "{cell:?}");
        assert_eq!(!findings.is_empty(), unknown, "{cell:?}");
    }
    let at = ("completed_at", text("2026-02-09"));
    let (done, _) = task(&[at.clone(), ("completed", Cell::Integer(1))]);
    assert_eq!(
        done.completed_at.unwrap().to_short_string(),
        "2026-02-09T00:00:00Z"
    );
    assert_eq!(task(std::slice::from_ref(&at)).0.completed_at, done.completed_at);
    assert_eq!(task(&[at, ("completed", Cell::Integer(0))]).0.completed_at, None);
}

#[test]
fn titles_and_descriptions() {
    let long = "é".repeat(201);
    let (task, findings) = task(&[("title", text(&long)), ("description", text("more"))]);
    assert_eq!(task.title.as_str(), format!("{}…", "é".repeat(199)));
    assert_eq!(task.description.unwrap().as_str(), format!("{long}\n\nmore"));
    assert_eq!(rules(&findings), [Rule::TitleShortened]);

    let fits = self::task(&[("title", text(&"é".repeat(200)))]);
    assert_eq!((fits.0.title.as_str().chars().count(), fits.1), (200, Vec::new()));

    for (title, description) in [
        ("x".repeat(10_001), String::new()),
        ("x".repeat(201), "y".repeat(9_800)),
        ("x".to_owned(), "y".repeat(10_001)),
    ] {
        let (why, row) = outside(&[("title", text(&title)), ("description", text(&description))]);
        assert_eq!(why.rule, Rule::TooLong);
        assert_eq!(
            (row["title"].as_str(), row["description"].as_str()),
            (Some(&*title), Some(&*description))
        );
    }

    let (task, findings) = self::task(&[("title", Cell::Null)]);
    assert_eq!(
        (task.title.as_str(), rules(&findings)),
        ("Untitled", vec![Rule::TitleEmpty])
    );
    let (task, findings) = self::task(&[("title", text("a\0b\u{1b}c\td")), ("description", text("\u{85}"))]);
    assert_eq!(
        (task.title.as_str(), task.description.unwrap().as_str()),
        ("a\u{fffd}b\u{fffd}c\td", "\u{fffd}")
    );
    assert_eq!(rules(&findings), [Rule::ControlCharacters; 2]);
    assert_eq!(self::task(&[("title", Cell::Integer(42))]).0.title.as_str(), "42");
}

#[test]
fn tags() {
    for (cell, read) in [
        (text("home, work ,,HOME"), vec!["home", "work"]),
        (
            text(r#"["home", 1, null, {"id": 3, "name": "x"}]"#),
            vec!["home", "1", "x"],
        ),
        (text("[not json"), vec!["[not json"]),
        (text("[]"), vec![]),
        (text(" "), vec![]),
        (Cell::Null, vec![]),
    ] {
        let (task, findings) = task(&[("tags", cell.clone())]);
        assert_eq!(task.tags.as_slice(), read, "{cell:?}");
        assert_eq!(findings, [], "{cell:?}");
    }
    let (task, findings) = task(&[("tags", text(&format!("{},b\u{1}", "x".repeat(51))))]);
    assert_eq!(task.tags.as_slice(), ["x".repeat(50), "b\u{fffd}".to_owned()]);
    assert_eq!(rules(&findings), [Rule::ControlCharacters, Rule::TagAdapted]);
    let (task, findings) = self::task(&[("tags", text(r#"["\u0000"]"#))]);
    assert_eq!(
        (task.tags.as_slice()[0].as_str(), rules(&findings)),
        ("\u{fffd}", vec![Rule::ControlCharacters])
    );
    let many: Vec<String> = (0..25).map(|n| format!("t{n}")).collect();
    let (task, findings) = self::task(&[("tags", text(&many.join(",")))]);
    assert_eq!(task.tags.as_slice(), &many[..20]);
    assert_eq!(
        (findings[0].rule, findings[0].was.as_str()),
        (Rule::TagsDropped, "t20,t21,t22,t23,t24")
    );
}

#[test]
fn recurrences() {
    let due = ("due", text("2026-02-15"));
    for (said, rule) in [
        ("daily", Some("FREQ=DAILY")),
        ("Weekly", Some("FREQ=WEEKLY")),
        ("MONTHLY", Some("FREQ=MONTHLY")),
        ("Recurrence.YEARLY", Some("FREQ=YEARLY")),
        ("annually", Some("FREQ=YEARLY")),
        ("every two weeks", Some("FREQ=WEEKLY;INTERVAL=2")),
        ("weekdays", Some("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")),
        ("RRULE:FREQ=DAILY;COUNT=3", Some("FREQ=DAILY;COUNT=3")),
        ("NONE", None),
        ("", None),
    ] {
        let (task, findings) = task(&[("recurrence", text(said)), due.clone()]);
        let found = task.recurrence.map(|recurrence| recurrence.rule.to_string());
        assert_eq!((found.as_deref(), findings), (rule, Vec::new()), "{said}");
    }
    for (said, more, rule) in [
        ("full moon", due.clone(), Rule::RecurrenceUnknown),
        ("daily", ("due", Cell::Null), Rule::RecurrenceUnfit),
        ("FREQ=YEARLY;INTERVAL=9", due.clone(), Rule::RecurrenceUnfit),
        ("daily", ("completed", Cell::Integer(1)), Rule::RecurrenceOfDone),
    ] {
        let (task, findings) = task(&[("recurrence", text(said)), more]);
        assert_eq!((task.recurrence, rules(&findings)), (None, vec![rule]), "{said}");
        assert_eq!(findings[0].was, said);
    }
}

#[test]
fn time_zones() {
    let (task, findings) = task(&[("time_zone", text("Europe/Berlin"))]);
    assert_eq!(
        (task.time_zone.unwrap().as_str(), findings),
        ("Europe/Berlin", Vec::new())
    );
    let (task, findings) = self::task(&[("time_zone", text("Mars/Olympus"))]);
    assert_eq!(
        (task.time_zone, rules(&findings)),
        (None, vec![Rule::TimeZoneUnknown])
    );
}

#[test]
fn deleted_rows_stay_outside() {
    for (cell, deleted) in [
        (Cell::Null, false),
        (Cell::Integer(0), false),
        (text("false"), false),
        (Cell::Integer(1), true),
        (text("2026-02-07"), true),
    ] {
        let adapted = task_of(&[("deleted", cell.clone())]);
        match adapted {
            Adapted::Imported { .. } => assert!(!deleted, "{cell:?}"),
            Adapted::Quarantined { why, .. } => {
                assert!(deleted && why.rule == Rule::DeletedAtSource, "{cell:?}");
            }
        }
    }
}

#[test]
fn a_cell_of_which_there_is_more_keeps_the_row_outside() {
    let cut = Cell::Text(Text {
        body: "x".to_owned(),
        is_cut: true,
        is_lossy: false,
    });
    let (why, row) = outside(&[("tags", cut.clone())]);
    assert_eq!((why.rule, row["tags"].as_str()), (Rule::TooLong, Some("x…")));
    // One of a password is no hash.
    let fields = [
        ("key", Cell::Integer(1)),
        ("email", text("a@b.org")),
        ("password", cut),
    ];
    let (mut adapter, cells) = adapter("users", &fields);
    let (found, _) = user(&mut adapter, cells).unwrap();
    assert_eq!(found.password, IncomingPassword::None(NoPassword::NotAHash));
}

#[test]
fn each_rule_has_a_code_of_its_own() {
    for rule in Rule::ALL {
        assert_eq!(serde_json::to_value(rule).unwrap(), rule.code());
        assert_eq!(
            Rule::ALL
                .iter()
                .filter(|other| other.code() == rule.code())
                .count(),
            1
        );
    }
}

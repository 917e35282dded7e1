//! Tasks.

use errand_domain::TaskId;
use errand_domain::task::{
    DESCRIPTION_MAX_CHARS, Description, Due, Priority, Recurrence, RecurrenceFrom, Series, TAG_MAX_CHARS,
    TAGS_MAX, TITLE_MAX_CHARS, Tags, TimeZone, Title,
};
use errand_domain::text::fold;
use serde_json::Value;

use super::row::{Outside, Row};
use super::{Adapter, times, words};
use crate::cell::{Cell, Text};
use crate::incoming::{Adapted, IncomingTask, Rule, SourceKey};

/// Stands where a title was empty.
const UNTITLED: &str = "Untitled";

impl Adapter {
    /// A task of the user with this key; `None` if its owner does not exist.
    pub fn task(&self, owner: Option<SourceKey>, cells: Vec<Cell>) -> Adapted<IncomingTask> {
        let mut row = Row::new(&self.tasks, cells);
        match self.read_task(owner, &mut row) {
            Ok(value) => row.imported(value),
            Err(why) => row.quarantine(why),
        }
    }

    fn read_task(&self, owner: Option<SourceKey>, row: &mut Row<'_>) -> Result<IncomingTask, Outside> {
        let said = row.text("owner").unwrap_or_default().body;
        let owner = owner.ok_or_else(|| row.outside(Some("owner"), Rule::Orphan, &said, "no such user"))?;
        if self.quarantined.contains(&owner) {
            return Err(row.outside(
                Some("owner"),
                Rule::OwnerQuarantined,
                &said,
                "stays outside with its owner",
            ));
        }
        row.check_key()?;
        row.check_deleted()?;
        row.check_sizes()?;
        let (title, description) = texts(row)?;
        let (created_at, updated_at) = row.made_and_changed()?;
        let completed_at = match (is_done(row)?, row.time("completed_at")?) {
            (Some(true), at) => Some(at.unwrap_or(updated_at)),
            (Some(false), _) => None,
            (None, at) => at,
        };
        let priority = self.priority(row)?;
        let due = match times::due(row.cell("due")) {
            Ok(due) => due,
            Err(text) => {
                row.lose("due", Rule::DueUnknown, &text, "no due date")?;
                None
            }
        };
        let time_zone = self.time_zone(row)?;
        let tags = tags(row)?;
        let recurrence = self.recurrence(row, completed_at.is_some(), due, time_zone.as_ref())?;
        Ok(IncomingTask {
            row_hash: row.hash(""),
            key: row.key.clone(),
            owner,
            id: TaskId::parse(&row.key.0),
            title,
            description,
            completed_at,
            priority,
            due,
            tags,
            recurrence,
            time_zone,
            created_at,
            updated_at,
        })
    }

    fn priority(&self, row: &mut Row<'_>) -> Result<Priority, Outside> {
        let text = row.text("priority").unwrap_or_default().body;
        let said = words::word(&text);
        if said.is_empty() {
            return Ok(Priority::default());
        }
        if let Some(level) = self.priorities.get(&text.trim().to_lowercase()) {
            return Ok(*level);
        }
        if let Ok(level) = Priority::parse(&said) {
            return Ok(level);
        }
        let level = words::nearest(&text);
        let rule = level.map_or(Rule::PriorityUnknown, |_| Rule::PriorityAdapted);
        let level = level.unwrap_or_default();
        row.lose("priority", rule, &text, level.as_str())?;
        Ok(level)
    }

    fn time_zone(&self, row: &mut Row<'_>) -> Result<Option<TimeZone>, Outside> {
        let text = row.text("time_zone").unwrap_or_default().body;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let zone = TimeZone::parse(text.trim())
            .ok()
            .filter(|zone| self.calendar.knows(zone));
        if zone.is_none() {
            row.lose("time_zone", Rule::TimeZoneUnknown, &text, "no time zone")?;
        }
        Ok(zone)
    }

    fn recurrence(
        &self,
        row: &mut Row<'_>,
        is_done: bool,
        due: Option<Due>,
        zone: Option<&TimeZone>,
    ) -> Result<Option<Recurrence>, Outside> {
        let text = row.text("recurrence").unwrap_or_default().body;
        if words::is_once(&text) {
            return Ok(None);
        }
        let Some(rule) = words::rule(&text) else {
            row.lose("recurrence", Rule::RecurrenceUnknown, &text, "does not repeat")?;
            return Ok(None);
        };
        if is_done {
            row.lose("recurrence", Rule::RecurrenceOfDone, &text, "does not repeat")?;
            return Ok(None);
        }
        let recurrence = Recurrence::new(rule, RecurrenceFrom::default());
        let fault = match due {
            None => Some("needs a due date".to_owned()),
            Some(due) => {
                let series = Series {
                    rule: recurrence.rule.clone(),
                    from: recurrence.from,
                    due,
                    meant: None,
                    zone: zone.cloned(),
                };
                let faults = self.calendar.check(&series).err().unwrap_or_default();
                faults
                    .into_iter()
                    .next()
                    .map(|fault| fault.fault.detail.into_owned())
            }
        };
        if let Some(fault) = fault {
            row.lose(
                "recurrence",
                Rule::RecurrenceUnfit,
                &text,
                &format!("does not repeat: {fault}"),
            )?;
            return Ok(None);
        }
        Ok(Some(recurrence))
    }
}

/// What a column or the lack of one says: done, open, or nothing.
fn is_done(row: &mut Row<'_>) -> Result<Option<bool>, Outside> {
    if !row.has("completed") {
        return Ok(None);
    }
    let text = row.text("completed").unwrap_or_default().body;
    let done = words::is_done(&text);
    if done.is_none() {
        row.lose("completed", Rule::CompletedUnknown, &text, "open")?;
    }
    Ok(Some(done.unwrap_or_default()))
}

fn texts(row: &mut Row<'_>) -> Result<(Title, Option<Description>), Outside> {
    let title = row.clean("title").unwrap_or_default();
    let mut description = row.clean("description");
    let title = title.trim();
    let is_long = title.chars().nth(TITLE_MAX_CHARS).is_some();
    let short = if is_long {
        let head: String = title.chars().take(TITLE_MAX_CHARS - 1).collect();
        let short = format!("{}…", head.trim_end());
        row.find(
            "title",
            Rule::TitleShortened,
            title,
            "its beginning; the whole of it before the description",
        );
        description = Some(match description.filter(|text| !text.is_empty()) {
            Some(text) => format!("{title}\n\n{text}"),
            None => title.to_owned(),
        });
        short
    } else if title.is_empty() {
        row.find("title", Rule::TitleEmpty, title, UNTITLED);
        UNTITLED.to_owned()
    } else {
        title.to_owned()
    };
    let too_long = |field, text: &str| {
        let now = format!("more than {DESCRIPTION_MAX_CHARS} characters");
        row.outside(Some(field), Rule::TooLong, text, &now)
    };
    let field = if is_long { "title" } else { "description" };
    let title = Title::parse(&short).map_err(|_| too_long("title", title))?;
    let description = description.map(|text| Description::parse(&text).map_err(|_| too_long(field, &text)));
    Ok((title, description.transpose()?))
}

fn tags(row: &mut Row<'_>) -> Result<Tags, Outside> {
    let found: Vec<Text> = row.all("tags").filter_map(Cell::text).collect();
    let mut items: Vec<String> = Vec::new();
    for text in found {
        let text = row.cleaned("tags", &text);
        match list(&text) {
            Some(list) => {
                for item in list {
                    if item.contains(',') {
                        row.lose(
                            "tags",
                            Rule::TagAdapted,
                            &item,
                            "one for each part between commas",
                        )?;
                    }
                    items.extend(item.split(',').map(str::to_owned));
                }
            }
            None => items.extend(text.split(',').map(str::to_owned)),
        }
    }
    let (mut kept, mut keys): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut dropped: Vec<String> = Vec::new();
    for item in items {
        // What a JSON text had escaped.
        let item = row.cleaned(
            "tags",
            &Text {
                body: item.trim().to_owned(),
                ..Text::default()
            },
        );
        let short: String = item.chars().take(TAG_MAX_CHARS).collect();
        let short = short.trim().to_owned();
        if item.chars().nth(TAG_MAX_CHARS).is_some() {
            row.lose("tags", Rule::TagAdapted, &item, &short)?;
        }
        let key = fold(&short);
        if short.is_empty() || keys.contains(&key) {
            continue;
        }
        if kept.len() < TAGS_MAX {
            kept.push(short);
            keys.push(key);
        } else {
            dropped.push(item);
        }
    }
    if !dropped.is_empty() {
        let now = format!("errand keeps {TAGS_MAX} tags of a task");
        row.lose("tags", Rule::TagsDropped, &dropped.join(","), &now)?;
    }
    Tags::from_items(kept.iter().map(String::as_str)).map_err(|_| {
        let said = kept.join(",");
        row.outside(Some("tags"), Rule::TooLong, &said, "errand has no place for it")
    })
}

/// The elements of a JSON array, if it is one; of objects their names.
fn list(text: &str) -> Option<Vec<String>> {
    let array = text
        .trim()
        .starts_with('[')
        .then(|| serde_json::from_str(text).ok())
        .flatten()?;
    let Value::Array(items) = array else { return None };
    let item = |item: Value| match item {
        Value::String(text) => Some(text),
        Value::Null => None,
        Value::Object(fields) => match fields.get("name") {
            Some(Value::String(name)) => Some(name.clone()),
            _ => Some(Value::Object(fields).to_string()),
        },
        other => Some(other.to_string()),
    };
    Some(items.into_iter().filter_map(item).collect())
}

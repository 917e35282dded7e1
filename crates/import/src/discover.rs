//! Finding users and tasks by looking at the names of tables and columns.

use crate::error::SourceError;
use crate::mapping::{
    ACCOUNTS, Field, Mapping, MappingError, Part, SECTIONS, SESSIONS, Section, TAGS, TASK_TAGS, TASKS, USERS,
};
use crate::schema::Table;

/// Fills in what `wanted` does not say.
pub(crate) fn discover(tables: &[Table], wanted: &Mapping) -> Result<Mapping, SourceError> {
    let has = |name: &str| tables.iter().any(|table| table.name == name);
    if has("seaql_migrations") && has("task_counters") {
        return Err(SourceError::IsErrand);
    }
    let mut mapping = Mapping {
        priorities: wanted.priorities.clone(),
        ..Mapping::default()
    };
    for section in SECTIONS {
        let wish = wanted.part(section).cloned().unwrap_or_default();
        let needed = section.name == USERS.name || section.name == TASKS.name;
        if let Some(part) = find(tables, section, &wish, needed)? {
            mapping.parts.insert(section.name, part);
        }
    }
    // An application that keeps its passwords with the users has other things in its accounts.
    if mapping
        .part(&USERS)
        .is_some_and(|users| users.column("password").is_some())
    {
        mapping.parts.remove(ACCOUNTS.name);
    }
    if mapping.part(&TAGS).is_none() || mapping.part(&TASK_TAGS).is_none() {
        mapping.parts.remove(TAGS.name);
        mapping.parts.remove(TASK_TAGS.name);
    }
    Ok(mapping)
}

fn find(tables: &[Table], section: &Section, wish: &Part, needed: bool) -> Result<Option<Part>, SourceError> {
    if let Some(name) = &wish.table {
        if name.is_empty() && !needed {
            return Ok(None);
        }
        let table = tables.iter().find(|table| table.name == *name).ok_or_else(|| {
            MappingError(format!(
                "{}.table: the source has no table {name:?}; it has {}",
                section.name,
                names(tables)
            ))
        })?;
        return Ok(Some(columns(table, section, wish)?));
    }
    let called = |table: &&Table| section.tables.contains(&plain(&table.name).as_str());
    let fits = |table: &&Table| columns(table, section, wish).is_ok();
    let all = || tables.iter().filter(fits);
    let usual = |named: bool| -> Vec<&Table> {
        let mut found: Vec<_> = all().filter(|table| !named || called(table)).collect();
        if found.iter().any(|table| table.usual) {
            found.retain(|table| table.usual);
        }
        found
    };
    let mut found = usual(true);
    // Under a name of its own, if it says by its columns what it is.
    if found.is_empty() && needed {
        found = usual(false);
        found.retain(|table| is_telling(table, section));
    }
    if found.is_empty()
        && let Some(error) = unmet(tables, section, wish)
    {
        return Err(error);
    }
    match found.as_slice() {
        [] if needed => Err(SourceError::NotFound(not_found(tables, section))),
        [] => Ok(None),
        [table] => Ok(Some(columns(table, section, wish)?)),
        several if needed => {
            let first = several.first().map_or("", |table| table.name.as_str());
            let several: Vec<_> = several.iter().map(|table| format!("{:?}", table.name)).collect();
            let (name, names) = (section.name, several.join(" and "));
            Err(SourceError::NotFound(format!(
                "{names} may all hold the {name}; choose one in a mapping file: [{name}] table = {first:?}"
            )))
        }
        _ => Ok(None),
    }
}

/// Which wish for a column keeps a table from being found: by name or, without one of such a name, by its columns it
/// would do but for that.
fn unmet(tables: &[Table], section: &Section, wish: &Part) -> Option<SourceError> {
    let would_do = |table: &&Table| columns(table, section, &Part::default()).is_ok();
    let would: Vec<&Table> = tables.iter().filter(would_do).collect();
    let called = |table: &&&Table| section.tables.contains(&plain(&table.name).as_str());
    let telling = |table: &&&Table| is_telling(table, section);
    let table = would
        .iter()
        .find(|table| table.usual && called(table))
        .or_else(|| would.iter().find(called))
        .or_else(|| would.iter().find(telling));
    if let Some(table) = table {
        return columns(table, section, wish).err();
    }
    let is_nowhere = |name: &str| !name.is_empty() && tables.iter().all(|table| table.column(name).is_none());
    let (field, name) = wish.columns.iter().find(|(_, name)| is_nowhere(name))?;
    let section = section.name;
    Some(
        MappingError(format!(
            "{section}.{field}: no table of the source has a column {name:?}"
        ))
        .into(),
    )
}

/// Whether the columns tell alone: users have a password, tasks something that says whether they are done.
fn is_telling(table: &Table, section: &Section) -> bool {
    let telling = if section.name == USERS.name {
        "password"
    } else {
        "completed"
    };
    let field = section.fields.iter().find(|field| field.name == telling);
    field.is_some_and(|field| by_name(table, field).is_some())
}

/// The columns of a section in a table; fails if one is missing that must be there.
fn columns(table: &Table, section: &Section, wish: &Part) -> Result<Part, SourceError> {
    let mut part = Part {
        table: Some(table.name.clone()),
        ..Part::default()
    };
    for field in section.fields {
        let place = format!("{}.{}", section.name, field.name);
        let column = match wish.columns.get(field.name) {
            Some(none) if none.is_empty() => Some(String::new()),
            Some(name) if table.column(name).is_some() => Some(name.clone()),
            Some(name) => {
                let has: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
                let (table, has) = (&table.name, has.join(", "));
                return Err(MappingError(format!(
                    "{place}: the table {table:?} has no column {name:?}; it has {has}"
                ))
                .into());
            }
            None => by_name(table, field),
        };
        match column {
            Some(name) => {
                part.columns.insert(field.name, name);
            }
            None if field.required => {
                let (table, name) = (&table.name, field.name);
                return Err(MappingError(format!(
                    "{place}: no column of the table {table:?} looks like the {name}; say which it is"
                ))
                .into());
            }
            None => {}
        }
    }
    Ok(part)
}

fn by_name(table: &Table, field: &Field) -> Option<String> {
    let find = |known: &&str| table.columns.iter().find(|column| plain(&column.name) == **known);
    field
        .known
        .iter()
        .find_map(find)
        .map(|column| column.name.clone())
}

fn not_found(tables: &[Table], section: &Section) -> String {
    let required: Vec<_> = section
        .fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name)
        .collect();
    let (name, required) = (section.name, required.join(", "));
    if tables.is_empty() {
        return "the source has no tables".to_owned();
    }
    format!(
        "no table of the source looks like the {name} (with columns for {required}); it has {}; say which it is in a mapping file: [{name}] table = \"…\"",
        names(tables)
    )
}

fn names(tables: &[Table]) -> String {
    let mut names: Vec<_> = tables
        .iter()
        .take(30)
        .map(|table| format!("{:?}", table.name))
        .collect();
    if tables.len() > names.len() {
        names.push("…".to_owned());
    }
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// Lower case, letters and digits only, without a schema: `emailVerified` and `email_verified` are the same.
fn plain(name: &str) -> String {
    let name = name.rsplit('.').next().unwrap_or(name);
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// What of the tables of users and tasks has no place in errand, in sentences for people.
pub(crate) fn notes(tables: &[Table], mapping: &Mapping) -> Vec<String> {
    let mut notes = Vec::new();
    for section in [&USERS, &TASKS] {
        let Some(part) = mapping.part(section) else {
            continue;
        };
        let Some(table) = tables
            .iter()
            .find(|table| Some(&table.name) == part.table.as_ref())
        else {
            continue;
        };
        let taken: Vec<_> = part
            .fields(section)
            .into_iter()
            .map(|(_, column)| column)
            .collect();
        let mut left: Vec<_> = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| !taken.contains(name))
            .collect();
        left.sort_unstable();
        if !left.is_empty() {
            notes.push(format!("not taken over from {}: {}", table.name, left.join(", ")));
        }
        let (name, says) = (&table.name, |field| part.column(field).is_some());
        if !says("created_at") {
            let rows = section.name;
            notes.push(format!(
                "{name} does not say when {rows} were made: they come in as of 1970"
            ));
        }
        if section.name == TASKS.name && !says("completed") && !says("completed_at") {
            notes.push(format!(
                "{name} does not say which tasks are done: all come in open"
            ));
        }
    }
    if let Some(table) = mapping.part(&SESSIONS).and_then(|part| part.table.as_ref()) {
        notes.push(format!(
            "not taken over: the sessions in {table}; everybody signs in again"
        ));
    }
    notes
}

//! Which tables and columns hold what: what is looked for, and the file that says it outright.

use std::collections::BTreeMap;
use std::fmt::Write;

use errand_domain::task::Priority;

/// A column that is looked for.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its key in a mapping file.
    pub name: &'static str,
    /// Whether nothing can be read without it.
    pub required: bool,
    /// What it is called in the wild, in lower case and without underscores, the likeliest first.
    pub known: &'static [&'static str],
}

/// A table that is looked for.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its name in a mapping file.
    pub name: &'static str,
    /// What it is called in the wild, as columns are.
    pub tables: &'static [&'static str],
    /// Its columns.
    pub fields: &'static [Field],
}

const fn required(name: &'static str, known: &'static [&'static str]) -> Field {
    Field {
        name,
        required: true,
        known,
    }
}

const fn optional(name: &'static str, known: &'static [&'static str]) -> Field {
    Field {
        name,
        required: false,
        known,
    }
}

const KEYS: &[&str] = &["id", "uuid", "pk", "userid", "taskid", "todoid", "tagid"];
const CREATED: &[&str] = &[
    "createdat",
    "created",
    "createdon",
    "datecreated",
    "creationdate",
    "datejoined",
    "registeredat",
];
const UPDATED: &[&str] = &[
    "updatedat",
    "updated",
    "updatedon",
    "modifiedat",
    "modified",
    "lastmodified",
    "dateupdated",
];
const DELETED: &[&str] = &["deletedat", "isdeleted", "deleted"];

pub(crate) const USERS: Section = Section {
    name: "users",
    tables: &[
        "user",
        "users",
        "appuser",
        "appusers",
        "authuser",
        "todouser",
        "todousers",
        "usermodel",
        "member",
        "members",
        "person",
        "people",
    ],
    fields: &[
        required("key", KEYS),
        required("email", &["email", "emailaddress", "useremail", "mail"]),
        optional(
            "username",
            &[
                "username",
                "login",
                "handle",
                "nickname",
                "name",
                "displayname",
                "fullname",
            ],
        ),
        optional(
            "password",
            &[
                "hashedpassword",
                "passwordhash",
                "password",
                "passworddigest",
                "pwhash",
                "hash",
            ],
        ),
        optional("active", &["isactive", "active", "enabled", "isenabled"]),
        optional(
            "disabled",
            &["banned", "isbanned", "disabled", "isdisabled", "blocked"],
        ),
        optional("deleted", DELETED),
        optional("created_at", CREATED),
        optional("updated_at", UPDATED),
    ],
};

/// Better Auth keeps passwords here.
pub(crate) const ACCOUNTS: Section = Section {
    name: "accounts",
    tables: &["account", "accounts"],
    fields: &[
        required("user", &["userid"]),
        required("provider", &["providerid"]),
        required("password", &["password"]),
    ],
};

pub(crate) const TASKS: Section = Section {
    name: "tasks",
    tables: &[
        "task",
        "tasks",
        "todo",
        "todos",
        "todoitem",
        "todoitems",
        "todotask",
        "todotasks",
        "item",
        "items",
    ],
    fields: &[
        required("key", KEYS),
        required(
            "owner",
            &[
                "userid",
                "ownerid",
                "owner",
                "user",
                "authorid",
                "creatorid",
                "createdby",
                "useruuid",
            ],
        ),
        required(
            "title",
            &[
                "title", "name", "task", "todo", "text", "content", "summary", "subject",
            ],
        ),
        optional(
            "description",
            &["description", "details", "desc", "notes", "note", "body"],
        ),
        optional(
            "completed",
            &[
                "completed",
                "iscompleted",
                "iscomplete",
                "complete",
                "done",
                "isdone",
                "finished",
                "status",
                "state",
            ],
        ),
        optional(
            "completed_at",
            &["completedat", "completedon", "doneat", "finishedat"],
        ),
        optional("priority", &["priority", "prioritylevel"]),
        optional(
            "due",
            &["duedate", "due", "dueat", "dueon", "deadline", "duedatetime"],
        ),
        optional("time_zone", &["timezone", "tz"]),
        optional("tags", &["tags", "labels"]),
        optional(
            "recurrence",
            &[
                "recursionpattern",
                "recurrencerule",
                "recurrencepattern",
                "recurrence",
                "rrule",
                "repeatrule",
                "repeat",
            ],
        ),
        optional("deleted", DELETED),
        optional("created_at", CREATED),
        optional("updated_at", UPDATED),
    ],
};

pub(crate) const TAGS: Section = Section {
    name: "tags",
    tables: &["tag", "tags", "label", "labels"],
    fields: &[
        required("key", KEYS),
        required("name", &["name", "title", "label", "tag"]),
    ],
};

pub(crate) const TASK_TAGS: Section = Section {
    name: "task_tags",
    tables: &[
        "tasktag",
        "tasktags",
        "tasktaglink",
        "tasktaglinks",
        "tagstasks",
        "taskstags",
        "todotag",
        "todotags",
        "todotaglink",
        "tasklabel",
        "tasklabels",
    ],
    fields: &[
        required("task", &["taskid", "todoid", "task", "todo"]),
        required("tag", &["tagid", "labelid", "tag", "label"]),
    ],
};

pub(crate) const SESSIONS: Section = Section {
    name: "sessions",
    tables: &["session", "sessions", "usersession", "usersessions"],
    fields: &[
        optional("expires_at", &["expiresat", "expires", "expiry"]),
        optional("revoked", &["revoked", "isrevoked"]),
    ],
};

pub(crate) const SECTIONS: [&Section; 6] = [&USERS, &ACCOUNTS, &TASKS, &TAGS, &TASK_TAGS, &SESSIONS];
const PRIORITIES: &str = "priorities";
const TABLE: &str = "table";

/// One table and its columns. A column that is named by an empty text is left out on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    pub table: Option<String>,
    pub columns: BTreeMap<&'static str, String>,
}

impl Part {
    /// The column of a field, if it has one.
    pub fn column(&self, field: &str) -> Option<&str> {
        self.columns
            .get(field)
            .map(String::as_str)
            .filter(|column| !column.is_empty())
    }

    /// The fields that have columns, in the order of the section.
    pub fn fields(&self, section: &Section) -> Vec<(&'static str, &str)> {
        let has = |field: &Field| Some((field.name, self.column(field.name)?));
        section.fields.iter().filter_map(has).collect()
    }
}

/// Which tables and columns of a source hold what.
///
/// As a file it may be short: what it does not say is found by looking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping {
    pub(crate) parts: BTreeMap<&'static str, Part>,
    pub(crate) priorities: BTreeMap<String, Priority>,
}

/// What is wrong with a mapping, with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the mapping: {0}")]
pub struct MappingError(pub(crate) String);

impl Mapping {
    /// Reads a mapping file.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let file: toml::Table = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            MappingError(format!("line {line}: {}", error.message()))
        })?;
        let mut mapping = Self::default();
        for (name, value) in &file {
            if name == PRIORITIES {
                mapping.priorities = priorities(value)?;
                continue;
            }
            let section = SECTIONS
                .into_iter()
                .find(|section| section.name == name)
                .ok_or_else(|| {
                    let names = SECTIONS.map(|section| section.name).join(", ");
                    MappingError(format!("{name}: is not known; known are {names}, {PRIORITIES}"))
                })?;
            mapping.parts.insert(section.name, part(section, value)?);
        }
        Ok(mapping)
    }

    /// As a mapping file.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for section in SECTIONS {
            let Some(part) = self.parts.get(section.name) else {
                continue;
            };
            let lines = part.table.iter().map(|table| (TABLE, table)).chain(
                section
                    .fields
                    .iter()
                    .filter_map(|field| Some((field.name, part.columns.get(field.name)?))),
            );
            push_section(
                &mut text,
                section.name,
                lines.map(|(key, value)| (key, value.as_str())),
            );
        }
        if !self.priorities.is_empty() {
            let lines = self
                .priorities
                .iter()
                .map(|(was, level)| (was.as_str(), level.as_str()));
            push_section(&mut text, PRIORITIES, lines);
        }
        text
    }

    /// The table of a section and its columns.
    pub(crate) fn part(&self, section: &Section) -> Option<&Part> {
        self.parts.get(section.name)
    }
}

fn push_section<'a>(text: &mut String, name: &str, lines: impl Iterator<Item = (&'a str, &'a str)>) {
    let gap = if text.is_empty() { "" } else { "\n" };
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{gap}[{name}]");
    for (key, value) in lines {
        let bare = !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let key = if bare { key.to_owned() } else { quoted(key) };
        let _ = writeln!(text, "{key} = {}", quoted(value));
    }
}

fn texts<'a>(place: &str, value: &'a toml::Value) -> Result<Vec<(&'a str, &'a str)>, MappingError> {
    let table = value
        .as_table()
        .ok_or_else(|| MappingError(format!("{place}: must be a table, [{place}]")))?;
    let text = |(key, value): (&'a String, &'a toml::Value)| {
        let text = value
            .as_str()
            .ok_or_else(|| MappingError(format!("{place}.{key}: must be a text in quotes")))?;
        Ok((key.as_str(), text))
    };
    table.iter().map(text).collect()
}

fn part(section: &Section, value: &toml::Value) -> Result<Part, MappingError> {
    let mut part = Part::default();
    for (key, name) in texts(section.name, value)? {
        let place = format!("{}.{key}", section.name);
        if key == TABLE {
            part.table = Some(name.to_owned());
            continue;
        }
        let field = section
            .fields
            .iter()
            .find(|field| field.name == key)
            .ok_or_else(|| {
                let names: Vec<_> = section.fields.iter().map(|field| field.name).collect();
                MappingError(format!(
                    "{place}: is not known; known are {TABLE}, {}",
                    names.join(", ")
                ))
            })?;
        if field.required && name.is_empty() {
            return Err(MappingError(format!("{place}: cannot be left out")));
        }
        part.columns.insert(field.name, name.to_owned());
    }
    Ok(part)
}

fn priorities(value: &toml::Value) -> Result<BTreeMap<String, Priority>, MappingError> {
    let level = |(was, level): (&str, &str)| {
        let parsed = Priority::parse(level)
            .map_err(|fault| MappingError(format!("{PRIORITIES}.{was}: {}", fault.detail)))?;
        Ok((was.to_lowercase(), parsed))
    };
    texts(PRIORITIES, value)?.into_iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_said() {
        let text = "[users]\ntable = 'my \"users\"'\nemail = \"mail\"\nactive = \"\"\n\n[tasks]\nowner = \"who\"\n\n[priorities]\n1 = \"High\"\n\"very low\" = \"Low\"\n";
        let mapping = Mapping::parse(text).unwrap();
        assert_eq!(mapping.to_toml(), text);
        assert_eq!(Mapping::parse(&mapping.to_toml()).unwrap(), mapping);
        let users = mapping.part(&USERS).unwrap();
        assert_eq!(
            (users.column("email"), users.column("active")),
            (Some("mail"), None)
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, said) in [
            ("[user]\n", "user: is not known; known are users"),
            (
                "[users]\nemial = \"x\"\n",
                "users.emial: is not known; known are table, key, email",
            ),
            ("[users]\nemail = 1\n", "users.email: must be a text"),
            ("[users]\nkey = \"\"\n", "users.key: cannot be left out"),
            ("users = 1\n", "users: must be a table"),
            ("[priorities]\n1 = \"top\"\n", "priorities.1: must be one of"),
            ("\n\n[users\n", "line 3: "),
        ] {
            let error = Mapping::parse(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("the mapping: {said}")),
                "{text:?}: {error}"
            );
        }
    }
}

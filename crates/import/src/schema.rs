//! What tables a source has.

/// A table of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// As it is said to people and in a mapping file: with the schema only if it is not the usual one.
    pub name: String,
    /// As it is said to the database.
    pub quoted: String,
    /// Whether it is where an application's own tables are.
    pub usual: bool,
    /// Its columns in their order.
    pub columns: Vec<Column>,
    /// SQLite: a name by which a row has its number.
    pub row: Option<&'static str>,
}

/// A column of a source's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub name: String,
    /// The declared type, in lower case.
    pub kind: String,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// A name as SQL takes it.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

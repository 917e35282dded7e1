//! What a copy takes along: every table but the record of the steps, with every column. The one place for a new one;
//! a test compares it with the schemas.

/// How a column is kept. What differs between the databases is read into one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `smallint`.
    Small,
    /// `integer`.
    Integer,
    /// `bigint`.
    Big,
    /// 0 or 1 in SQLite.
    Boolean,
    Text,
    Bytes,
    /// 16 bytes in SQLite.
    Uuid,
    /// A moment; text with an offset in SQLite.
    Moment,
    /// A time on no clock in particular; text without an offset in SQLite.
    Local,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    /// The primary key, which gives the order.
    pub key: &'static [&'static str],
    pub columns: &'static [(&'static str, Kind)],
}

use Kind::{Big, Boolean, Bytes, Integer, Local, Moment, Small, Text, Uuid};

/// The table whose ids the database gives, in a column `id`.
pub const USERS: &str = "users";
/// The table with triggers.
pub const TASKS: &str = "tasks";

/// All, each behind those that it refers to.
pub const TABLES: &[Table] = &[
    Table {
        name: USERS,
        key: &["id"],
        columns: &[
            ("id", Big),
            ("username", Text),
            ("username_key", Text),
            ("email", Text),
            ("email_key", Text),
            ("password_hash", Text),
            ("created_at", Moment),
            ("updated_at", Moment),
            ("disabled_at", Moment),
        ],
    },
    Table {
        name: "task_counters",
        key: &["user_id"],
        columns: &[
            ("user_id", Big),
            ("change_counter", Big),
            ("last_task_id", Big),
            ("purged_seq", Big),
        ],
    },
    Table {
        name: "sessions",
        key: &["user_id", "id"],
        columns: &[
            ("user_id", Big),
            ("id", Uuid),
            ("user_agent", Text),
            ("generation", Big),
            ("family", Bytes),
            ("token", Bytes),
            ("previous_token", Bytes),
            ("salt", Bytes),
            ("rotated_at", Moment),
            ("created_at", Moment),
            ("last_used_at", Moment),
            ("expires_at", Moment),
            ("refresh_full_at", Moment),
        ],
    },
    Table {
        name: "ended_sessions",
        key: &["session_id"],
        columns: &[("session_id", Uuid), ("ended_at_micros", Big)],
    },
    Table {
        name: TASKS,
        key: &["user_id", "id"],
        columns: &[
            ("user_id", Big),
            ("id", Big),
            ("creation_key", Text),
            ("title", Text),
            ("title_folded", Text),
            ("description", Text),
            ("description_folded", Text),
            ("priority", Small),
            ("due_at", Moment),
            ("due_is_date", Boolean),
            ("tags", Text),
            ("tag_keys", Text),
            ("completed_at", Moment),
            ("created_at", Moment),
            ("updated_at", Moment),
            ("version", Big),
            ("change_seq", Big),
            ("deleted_at", Moment),
            ("erased_at", Moment),
            ("recurrence", Text),
            ("recurrence_from", Text),
            ("recurrence_meant", Local),
            ("time_zone", Text),
            ("handed_on", Text),
            ("successor_id", Big),
        ],
    },
    Table {
        name: "imports",
        key: &["source"],
        columns: &[
            ("source", Text),
            ("id", Uuid),
            ("run", Big),
            ("finished", Boolean),
            ("turn", Big),
        ],
    },
    Table {
        name: "imported_users",
        key: &["user_id"],
        columns: &[
            ("user_id", Big),
            ("source", Text),
            ("source_key", Text),
            ("run", Big),
            ("content_hash", Bytes),
            ("password_digest", Bytes),
            ("email_digest", Bytes),
            ("created_at", Moment),
            ("followed_run", Big),
        ],
    },
    Table {
        name: "imported_tasks",
        key: &["user_id", "source_key"],
        columns: &[
            ("user_id", Big),
            ("source_key", Text),
            ("task_id", Big),
            ("run", Big),
            ("content_hash", Bytes),
            ("version", Big),
            ("followed_run", Big),
        ],
    },
    // Somebody may be in the middle of a list.
    Table {
        name: "task_walks",
        key: &["user_id", "id"],
        columns: &[
            ("user_id", Big),
            ("id", Uuid),
            ("task_ids", Bytes),
            ("created_at", Moment),
        ],
    },
    Table {
        name: "security_events",
        key: &["user_id", "id"],
        columns: &[
            ("user_id", Big),
            ("id", Uuid),
            ("kind", Text),
            ("is_failure", Boolean),
            ("at", Moment),
            ("address", Text),
            ("user_agent", Text),
            ("session_id", Uuid),
        ],
    },
    Table {
        name: "limits",
        key: &["key"],
        columns: &[
            ("key", Bytes),
            ("full_at_micros", Big),
            ("every_micros", Big),
            ("burst", Big),
            ("allowed", Boolean),
        ],
    },
    Table {
        name: "idempotency_keys",
        key: &["user_id", "key"],
        columns: &[
            ("user_id", Big),
            ("key", Text),
            ("fingerprint", Bytes),
            ("answer", Text),
            ("size", Integer),
            ("created_at", Moment),
        ],
    },
];

impl Table {
    /// The columns with commas, each as `shown`.
    fn list(&self, shown: impl Fn(&str, Kind) -> String) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(name, kind)| shown(name, *kind))
            .collect();
        columns.join(", ")
    }

    /// The names of the columns.
    pub fn names(&self) -> String {
        self.list(|name, _| name.to_owned())
    }

    /// Reads all rows in an order that both databases have, in types that both drivers have.
    pub fn select_from_postgres(&self) -> String {
        let columns = self.list(|name, kind| match kind {
            Small | Integer | Big => format!("{name}::bigint"),
            Boolean => format!("{name}::integer::bigint"),
            Text | Bytes => name.to_owned(),
            Uuid => format!("uuid_send({name})"),
            // An exact number since version 14.
            Moment | Local => format!("(extract(epoch FROM {name}) * 1000000)::bigint"),
        });
        let ordered = |name: &&str| match self.columns.iter().find(|(column, _)| column == name) {
            Some((_, Text)) => format!("{name} COLLATE \"C\""),
            _ => (*name).to_owned(),
        };
        let order: Vec<String> = self.key.iter().map(ordered).collect();
        format!(
            "SELECT {columns} FROM {} ORDER BY {}",
            self.name,
            order.join(", ")
        )
    }

    /// The same.
    pub fn select_from_sqlite(&self) -> String {
        format!(
            "SELECT {} FROM {} ORDER BY {}",
            self.names(),
            self.name,
            self.key.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use errand_application::ports::Clock;
    use errand_domain::Timestamp;
    use sqlx::postgres::PgConnectOptions;
    use sqlx::{Connection, PgConnection, SqliteConnection};

    use super::*;
    use crate::{Database, DatabaseUrl, Settings, steps};

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(0).unwrap()
        }

        fn monotonic(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }
    }

    /// Each table's columns with their types.
    type Columns = BTreeMap<String, BTreeSet<(String, String)>>;

    fn listed(shown: impl Fn(Kind) -> &'static str) -> Columns {
        let columns = |table: &Table| {
            let columns = table.columns.iter();
            columns
                .map(|(name, kind)| ((*name).to_owned(), shown(*kind).to_owned()))
                .collect()
        };
        TABLES
            .iter()
            .map(|table| (table.name.to_owned(), columns(table)))
            .collect()
    }

    fn grouped(rows: Vec<(String, String, String)>) -> Columns {
        let mut tables = Columns::new();
        for (table, column, kind) in rows {
            tables.entry(table).or_default().insert((column, kind));
        }
        tables
    }

    fn keys() -> BTreeMap<String, Vec<String>> {
        let key = |table: &Table| table.key.iter().map(|name| (*name).to_owned()).collect();
        TABLES
            .iter()
            .map(|table| (table.name.to_owned(), key(table)))
            .collect()
    }

    fn in_order(rows: Vec<(String, String)>) -> BTreeMap<String, Vec<String>> {
        let mut keys = BTreeMap::<String, Vec<String>>::new();
        for (table, column) in rows {
            keys.entry(table).or_default().push(column);
        }
        keys
    }

    fn place(name: &str) -> usize {
        TABLES.iter().position(|table| table.name == name).unwrap()
    }

    async fn migrated(settings: &Settings) {
        let database = Database::connect(settings, Arc::new(Stopped)).await.unwrap();
        database.migrate().await.unwrap();
        database.close(std::time::Duration::from_secs(5)).await;
    }

    #[tokio::test]
    async fn every_table_and_column_of_postgres_is_listed() {
        let database = errand_testbed::Postgres::shared().create_database().await;
        let mut settings = Settings::new(DatabaseUrl::parse(&database.url).unwrap());
        settings.ca_file = Some(database.ca_file.clone());
        migrated(&settings).await;
        let options: PgConnectOptions = database.url.parse().unwrap();
        let options = options.ssl_root_cert(&database.ca_file);
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        let columns = sqlx::query_as(
            "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name <> $1",
        );
        let columns = columns.bind(steps::TABLE).fetch_all(&mut conn).await.unwrap();
        let shown = listed(|kind| match kind {
            Small => "smallint",
            Integer => "integer",
            Big => "bigint",
            Boolean => "boolean",
            Text => "text",
            Bytes => "bytea",
            Uuid => "uuid",
            Moment => "timestamp with time zone",
            Local => "timestamp without time zone",
        });
        assert_eq!(grouped(columns), shown);
        let primary = sqlx::query_as(
            "SELECT c.conrelid::regclass::text, a.attname::text FROM pg_constraint c \
             CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k (number, place) \
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number \
             WHERE c.contype = 'p' AND c.connamespace = current_schema()::regnamespace \
             AND c.conrelid <> to_regclass($1) ORDER BY 1, k.place",
        );
        let primary = primary.bind(steps::TABLE).fetch_all(&mut conn).await.unwrap();
        assert_eq!(in_order(primary), keys());
        let references: Vec<(String, String)> = sqlx::query_as(
            "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        assert!(!references.is_empty());
        for (from, to) in references {
            assert!(place(&to) < place(&from), "{from} refers to {to}");
        }
        let given: Vec<(String, String)> = sqlx::query_as(
            "SELECT table_name::text, column_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND (is_identity = 'YES' OR column_default LIKE 'nextval%')",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        assert_eq!(given, [(USERS.to_owned(), "id".to_owned())]);
        let triggers: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        assert_eq!(triggers, [TASKS]);
    }

    #[tokio::test]
    async fn every_table_and_column_of_sqlite_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("errand.db");
        migrated(&Settings::new(DatabaseUrl::sqlite(&path))).await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
                      AND name <> $1";
        let columns =
            format!("SELECT t.name, c.name, c.type FROM ({tables}) AS t JOIN pragma_table_info(t.name) AS c");
        let columns = sqlx::query_as(sqlx::AssertSqlSafe(columns)).bind(steps::TABLE);
        let shown = listed(|kind| match kind {
            Small | Integer | Big | Boolean => "INTEGER",
            Text | Moment | Local => "TEXT",
            Bytes | Uuid => "BLOB",
        });
        assert_eq!(grouped(columns.fetch_all(&mut conn).await.unwrap()), shown);
        let primary = format!(
            "SELECT t.name, c.name FROM ({tables}) AS t JOIN pragma_table_info(t.name) AS c \
             WHERE c.pk > 0 ORDER BY t.name, c.pk"
        );
        let primary = sqlx::query_as(sqlx::AssertSqlSafe(primary)).bind(steps::TABLE);
        assert_eq!(in_order(primary.fetch_all(&mut conn).await.unwrap()), keys());
        let given: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%'")
                .fetch_all(&mut conn)
                .await
                .unwrap();
        assert_eq!(given, [USERS]);
        let triggers: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger'")
                .fetch_all(&mut conn)
                .await
                .unwrap();
        assert_eq!(triggers, [TASKS]);
    }
}

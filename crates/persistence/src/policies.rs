//! The policies of row-level security: a second lock on the tables of users' data.
//!
//! A policy whose meaning changes gets another name: what is there is known by its names, and by whether it goes by
//! the setting at all, so that a start that finds everything in place takes no lock.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Statement};

use crate::fence::{EVERYONE, SETTING};

/// The tables whose rows belong to users, each with the column that says to whom. The one place for a new one.
pub const TABLES: &[(&str, &str)] = &[
    ("users", "id"),
    ("task_counters", "user_id"),
    ("sessions", "user_id"),
    ("tasks", "user_id"),
    ("task_walks", "user_id"),
    ("security_events", "user_id"),
    ("idempotency_keys", "user_id"),
    ("imported_users", "user_id"),
    ("imported_tasks", "user_id"),
];

/// All of errand's begin so.
const PREFIX: &str = "errand_";

/// A policy of a table.
struct Policy {
    name: &'static str,
    /// What follows `CREATE POLICY … ON …`.
    clause: String,
}

/// What a table should have.
fn wanted(table: &str, owner: &str) -> Vec<Policy> {
    // In a subquery: evaluated once a statement, not once a row.
    let own = format!(
        "{owner} = (SELECT nullif(nullif(current_setting('{SETTING}', true), ''), '{EVERYONE}')::bigint)"
    );
    let mut policies = vec![Policy {
        name: "errand_owner",
        clause: format!("FOR ALL USING ({own}) WITH CHECK ({own})"),
    }];
    // Who signs in is looked for by name, who comes in again by the key at the source, what a run brought by its
    // number; who registers is nobody yet. To change or to remove an account it takes its owner's scope.
    let everyone = format!("(SELECT current_setting('{SETTING}', true)) = '{EVERYONE}'");
    if matches!(table, "users" | "imported_users" | "imported_tasks") {
        policies.push(Policy {
            name: "errand_everyone_sees",
            clause: format!("FOR SELECT USING ({everyone})"),
        });
    }
    if table == "users" {
        policies.push(Policy {
            name: "errand_everyone_adds",
            clause: format!("FOR INSERT WITH CHECK ({everyone})"),
        });
    }
    policies
}

/// What a table has, of those in [`TABLES`].
#[derive(Debug, FromQueryResult)]
pub struct State {
    pub name: String,
    /// Policies hold those who do not own the table.
    pub enabled: bool,
    /// They hold its owner too.
    pub forced: bool,
    /// Whether policies hold the role that asks: not a superuser, not one that bypasses them, not a plain owner.
    pub held: bool,
    /// The names of errand's policies, with commas.
    pub policies: Option<String>,
    /// The names of those of them that do not go by the setting, with commas.
    pub hollow: Option<String>,
    /// The names of other policies that let the role that asks see more, with commas.
    pub strange: Option<String>,
}

impl State {
    /// Whether the role that asks is beyond all policies.
    pub fn is_bypassed(&self) -> bool {
        self.enabled && self.forced && !self.held
    }

    /// Held, as far as names and the setting in the policies tell. A later version may have more of them.
    pub fn is_guarded(&self) -> bool {
        self.enabled && self.forced && self.missing().is_empty()
    }

    /// As it should be.
    #[cfg(test)]
    pub fn guarded(name: &str) -> Self {
        Self {
            name: name.into(),
            enabled: true,
            forced: true,
            held: true,
            policies: Some("errand_owner,errand_everyone_adds,errand_everyone_sees".into()),
            hollow: None,
            strange: None,
        }
    }

    fn names(&self) -> Vec<&str> {
        self.policies.iter().flat_map(|names| names.split(',')).collect()
    }

    /// Policies of errand's prefix, no longer or never its own, that do not go by the setting.
    pub fn open(&self) -> Vec<String> {
        let wanted = self.wanted();
        let hollow = self.hollow.iter().flat_map(|names| names.split(','));
        hollow
            .filter(|name| wanted.iter().all(|policy| policy.name != *name))
            .map(str::to_owned)
            .collect()
    }

    fn is_hollow(&self, policy: &str) -> bool {
        self.hollow
            .iter()
            .flat_map(|names| names.split(','))
            .any(|name| name == policy)
    }

    fn wanted(&self) -> Vec<Policy> {
        let table = TABLES.iter().find(|(name, _)| *name == self.name);
        table.map_or_else(Vec::new, |(name, owner)| wanted(name, owner))
    }

    fn missing(&self) -> Vec<Policy> {
        let names = self.names();
        let mut wanted = self.wanted();
        wanted.retain(|policy| !names.contains(&policy.name) || self.is_hollow(policy.name));
        wanted
    }

    /// Errand's of another version.
    fn outdated(&self) -> Vec<&str> {
        let wanted = self.wanted();
        let mut names = self.names();
        names.retain(|name| !wanted.iter().any(|policy| policy.name == *name));
        names
    }
}

/// What asks for the [`State`] of the tables that are there; only reads the catalogue.
pub fn look() -> String {
    let names: Vec<String> = TABLES.iter().map(|(name, _)| format!("('{name}')")).collect();
    format!(
        "SELECT t.name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, \
         row_security_active(c.oid) AS held, \
         (SELECT string_agg(p.polname, ',') FROM pg_policy p \
          WHERE p.polrelid = c.oid AND starts_with(p.polname::text, '{PREFIX}')) AS policies, \
         (SELECT string_agg(p.polname, ',') FROM pg_policy p \
          WHERE p.polrelid = c.oid AND starts_with(p.polname::text, '{PREFIX}') \
          AND EXISTS (SELECT 1 FROM (VALUES (p.polqual), (p.polwithcheck)) AS e (tree) \
          WHERE strpos(pg_get_expr(e.tree, c.oid), '{SETTING}') = 0)) AS hollow, \
         (SELECT string_agg(p.polname, ',') FROM pg_policy p \
          WHERE p.polrelid = c.oid AND p.polpermissive AND NOT starts_with(p.polname::text, '{PREFIX}') \
          AND (0 = ANY (p.polroles) OR EXISTS \
          (SELECT 1 FROM pg_roles r WHERE r.oid = ANY (p.polroles) AND pg_has_role(r.oid, 'MEMBER')))) \
         AS strange \
         FROM (VALUES {}) AS t (name) JOIN pg_class c ON c.oid = to_regclass(t.name)",
        names.join(", ")
    )
}

/// Of the tables that are there; only reads the catalogue.
pub async fn state(conn: &impl ConnectionTrait) -> Result<Vec<State>, DbErr> {
    let sql = look();
    State::find_by_statement(Statement::from_string(DbBackend::Postgres, sql))
        .all(conn)
        .await
}

/// Whether errand was asked to guard these tables. Others may turn row-level security on for reasons of their own.
pub fn are_there(state: &[State]) -> bool {
    state.iter().any(|table| table.policies.is_some())
}

/// Makes what is missing. Who finds nothing missing takes no lock.
pub async fn apply(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    for table in state(tx).await? {
        let name = &table.name;
        let mut todo = Vec::new();
        todo.extend(
            table
                .outdated()
                .iter()
                .map(|old| format!("DROP POLICY \"{}\" ON {name}", old.replace('"', "\"\""))),
        );
        todo.extend(table.missing().iter().flat_map(|new| {
            [
                format!("DROP POLICY IF EXISTS {} ON {name}", new.name),
                format!("CREATE POLICY {} ON {name} {}", new.name, new.clause),
            ]
        }));
        if !table.enabled {
            todo.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
        }
        if !table.forced {
            todo.push(format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY"));
        }
        for sql in todo {
            tx.execute_unprepared(&sql).await?;
        }
    }
    Ok(())
}

/// Lets the owner of the tables through, for migrations that touch everybody's rows; [`apply`] takes it back
/// before the same transaction ends.
pub async fn lift(tx: &DatabaseTransaction, state: &[State]) -> Result<(), DbErr> {
    for table in state.iter().filter(|table| table.forced) {
        let sql = format!("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY", table.name);
        tx.execute_unprepared(&sql).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(policies: &str) -> State {
        State {
            policies: Some(policies.into()),
            ..State::guarded("users")
        }
    }

    #[test]
    fn every_policy_is_known_by_its_prefix() {
        for (table, owner) in TABLES {
            let policies = wanted(table, owner);
            assert!(policies.iter().all(|policy| policy.name.starts_with(PREFIX)));
            assert!(
                policies
                    .iter()
                    .any(|policy| policy.clause.contains(&format!("({owner} = ")))
            );
        }
    }

    #[test]
    fn what_is_missing_and_what_is_of_another_version() {
        assert!(State::guarded("users").is_guarded());
        let lax = State {
            forced: false,
            ..State::guarded("users")
        };
        assert!(!lax.is_guarded());
        let old = state("errand_owner,errand_everyone_sees,errand_before");
        assert!(!old.is_guarded());
        assert!(state("errand_owner,errand_everyone_adds,errand_everyone_sees,errand_after").is_guarded());
        assert_eq!(old.outdated(), ["errand_before"]);
        let missing: Vec<_> = old.missing().iter().map(|policy| policy.name).collect();
        assert_eq!(missing, ["errand_everyone_adds"]);
        let hollow = State {
            hollow: Some("errand_before,errand_owner".into()),
            ..State::guarded("users")
        };
        assert!(!hollow.is_guarded());
        assert_eq!(hollow.missing().len(), 1);
    }

    /// A step that works on everybody's rows, run by the owner of the tables.
    #[tokio::test]
    async fn the_force_is_lifted_and_put_back() {
        let database = errand_testbed::Postgres::shared().create_database().await;
        let options: sqlx::postgres::PgConnectOptions = database.url.parse().unwrap();
        let pool = sqlx::PgPool::connect_lazy_with(options.ssl_root_cert(&database.ca_file));
        let conn = sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
        let tables: Vec<String> = TABLES
            .iter()
            .map(|(name, owner)| {
                format!("CREATE TABLE {name} ({owner} bigint); INSERT INTO {name} VALUES (7);")
            })
            .collect();
        conn.execute_unprepared(&tables.concat()).await.unwrap();
        let tx = sea_orm::TransactionTrait::begin(&conn).await.unwrap();
        let touched = async || {
            let done = tx
                .execute_unprepared("UPDATE tasks SET user_id = 8 WHERE user_id = 7")
                .await;
            let touched = done.unwrap().rows_affected();
            tx.execute_unprepared("UPDATE tasks SET user_id = 7 WHERE user_id = 8")
                .await
                .unwrap();
            touched
        };
        apply(&tx).await.unwrap();
        let guarded = super::state(&tx).await.unwrap();
        assert!(guarded.len() == TABLES.len() && guarded.iter().all(State::is_guarded));
        assert_eq!(touched().await, 0);
        lift(&tx, &guarded).await.unwrap();
        assert_eq!(touched().await, 1);
        apply(&tx).await.unwrap();
        assert_eq!(touched().await, 0);
        assert!(super::state(&tx).await.unwrap().iter().all(State::is_guarded));
    }
}

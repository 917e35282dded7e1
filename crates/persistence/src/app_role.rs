//! The role that errand runs as behind row-level security: one that can use the tables and nothing else.

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Statement, TransactionTrait,
    Value,
};

use crate::error::refusal_of;

/// Postgres cuts longer names.
const LONGEST: usize = 63;

/// The name of a role: `[a-z_][a-z0-9_]{0,62}`, and not one of PostgreSQL's own, which begin with `pg_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRole(String);

/// It is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 63 of a-z, 0-9 and _, and begin neither with a digit nor with pg_")]
pub struct InvalidRole;

impl AppRole {
    /// Takes nothing that would have to be quoted with care.
    pub fn parse(text: &str) -> Result<Self, InvalidRole> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let right = !text.is_empty()
            && text.len() <= LONGEST
            && text.chars().all(allowed)
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && !text.starts_with("pg_");
        right.then(|| Self(text.to_owned())).ok_or(InvalidRole)
    }

    /// As it is.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Why a role cannot be errand's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// SQLite has no roles.
    #[error("--app-role is for PostgreSQL: a SQLite database has no roles and no row-level security")]
    NotPostgres,
    /// The role is missing, and who migrates may not make it.
    #[error(
        "the role {0} is missing, and the role that migrates may not make it: have somebody run \
         CREATE ROLE {0} LOGIN, then try again"
    )]
    Forbidden(String),
    /// It could see or do more than it should.
    #[error("the role {role} cannot be errand's: it {}", .reasons.join(", it "))]
    Mighty {
        /// Its name.
        role: String,
        /// What it is or can.
        reasons: Vec<String>,
    },
    /// The database did not do it; nothing has changed.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// What became of the role.
pub struct Prepared {
    /// It is new.
    pub made: bool,
    /// What somebody else has to order, because who migrates may not.
    pub left: Vec<String>,
}

/// Makes the role if there is none, grants it what it needs and bounds it. The rest of the transaction must not be
/// committed if this fails.
pub async fn prepare(tx: &DatabaseTransaction, role: &AppRole) -> Result<Prepared, RoleError> {
    let made = !is_there(tx, role).await?;
    if made {
        make(tx, role).await?;
    }
    grant(tx, role).await?;
    let left = bound(tx, role).await?;
    // At last, because what everybody may do is known only now.
    let reasons = might(tx, Some(role)).await?;
    if reasons.is_empty() {
        return Ok(Prepared { made, left });
    }
    Err(RoleError::Mighty {
        role: role.0.clone(),
        reasons,
    })
}

fn statement(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

async fn is_there(tx: &DatabaseTransaction, role: &AppRole) -> Result<bool, DbErr> {
    let look = statement("SELECT 1 FROM pg_roles WHERE rolname = $1", [role.name().into()]);
    Ok(tx.query_one_raw(look).await?.is_some())
}

async fn make(tx: &DatabaseTransaction, role: &AppRole) -> Result<(), RoleError> {
    let sql = format!(
        "CREATE ROLE \"{}\" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION",
        role.0
    );
    match tx.execute_unprepared(&sql).await {
        Ok(_) => Ok(()),
        Err(error) if refusal_of(&error).is_some_and(|refusal| refusal.is_of_rights()) => {
            Err(RoleError::Forbidden(role.0.clone()))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(FromQueryResult)]
struct Table {
    /// Ready to stand in a statement.
    quoted: String,
    /// Written by migrations alone.
    is_record: bool,
}

/// The tables of the schema that are errand's: those of the owner of its users.
const ERRAND: &str = "WITH errand AS (SELECT c.oid, c.relowner, c.relname, n.nspname FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') \
     AND c.relowner = (SELECT relowner FROM pg_class WHERE oid = to_regclass('users'))) ";

const TABLES: &str = "SELECT format('%I.%I', nspname, relname) AS quoted, \
     relname = 'seaql_migrations' AS is_record FROM errand ORDER BY relname";

#[derive(FromQueryResult)]
struct Schema {
    quoted: String,
}

/// What the role has on tables beyond this goes.
async fn grant(tx: &DatabaseTransaction, role: &AppRole) -> Result<(), DbErr> {
    let role = format!("\"{}\"", role.0);
    let found = Schema::find_by_statement(statement(
        "SELECT quote_ident(current_schema()) AS quoted WHERE current_schema() IS NOT NULL",
        [],
    ));
    let schema = found
        .one(tx)
        .await?
        .ok_or_else(|| DbErr::Custom("the search path leads to no schema".into()))?
        .quoted;
    let tables = Table::find_by_statement(statement(&format!("{ERRAND}{TABLES}"), []))
        .all(tx)
        .await?;
    let mut todo = vec![format!("GRANT USAGE ON SCHEMA {schema} TO {role}")];
    for Table { quoted, is_record } in tables {
        let rights = if is_record {
            "SELECT"
        } else {
            "SELECT, INSERT, UPDATE, DELETE"
        };
        todo.push(format!("REVOKE ALL ON {quoted} FROM {role}"));
        todo.push(format!("GRANT {rights} ON {quoted} TO {role}"));
    }
    todo.push(format!(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
    ));
    for sql in todo {
        tx.execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// What a role has of its own, such as `{statement_timeout=4s}`.
#[derive(FromQueryResult)]
struct Settings {
    settings: Option<Vec<String>>,
}

/// How long a statement, a wait for a lock and an idle transaction may last: the server ends what nobody waits for
/// any more. A role is the one place for that which poolers honour. What it has already is an operator's choice.
const BOUNDS: [(&str, &str); 3] = [
    ("statement_timeout", "4s"),
    ("lock_timeout", "3s"),
    ("idle_in_transaction_session_timeout", "10s"),
];

/// Sets what is not set; what it may not set it leaves to others.
async fn bound(tx: &DatabaseTransaction, role: &AppRole) -> Result<Vec<String>, DbErr> {
    let found = Settings::find_by_statement(statement(
        "SELECT rolconfig AS settings FROM pg_roles WHERE rolname = $1",
        [role.name().into()],
    ));
    let has = found
        .one(tx)
        .await?
        .and_then(|row| row.settings)
        .unwrap_or_default();
    let mut left = Vec::new();
    for (name, value) in BOUNDS {
        if has.iter().any(|setting| setting.split('=').next() == Some(name)) {
            continue;
        }
        let order = format!("ALTER ROLE \"{}\" SET {name} = '{value}'", role.0);
        let tried = tx.begin().await?;
        match tried.execute_unprepared(&order).await {
            Ok(_) => tried.commit().await?,
            Err(error) if refusal_of(&error).is_some_and(|refusal| refusal.is_of_rights()) => {
                tried.rollback().await?;
                left.push(order);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}

#[derive(FromQueryResult)]
struct Reason {
    reason: String,
}

/// Of the role itself and of those whose rights it has or can take. A superuser is and may everything; once is
/// enough.
const MIGHT: &str = "SELECT v.reason FROM pg_roles r \
     CROSS JOIN LATERAL (SELECT string_agg(m.rolname, ', ' ORDER BY m.rolname) AS mighty FROM pg_roles m \
     WHERE m.oid <> r.oid AND pg_has_role(r.oid, m.oid, 'MEMBER') \
     AND (m.rolsuper OR m.rolbypassrls OR m.rolcreaterole OR m.rolreplication \
     OR EXISTS (SELECT 1 FROM errand e WHERE e.relowner = m.oid) \
     OR has_schema_privilege(m.oid, current_schema(), 'CREATE') \
     OR m.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))) g \
     CROSS JOIN LATERAL (VALUES \
     (r.rolsuper, 'is a superuser'), \
     (NOT r.rolcanlogin, 'cannot log in (NOLOGIN)'), \
     (r.rolbypassrls, 'bypasses row-level security (BYPASSRLS)'), \
     (r.rolcreaterole, 'makes roles (CREATEROLE)'), \
     (r.rolreplication, 'reads everything by replication (REPLICATION)'), \
     (EXISTS (SELECT 1 FROM errand e WHERE e.relowner = r.oid), 'owns tables of errand'), \
     (has_schema_privilege(r.oid, current_schema(), 'CREATE'), 'may create in the schema (if everybody may: \
     REVOKE CREATE ON SCHEMA ' || current_schema() || ' FROM PUBLIC)'), \
     (EXISTS (SELECT 1 FROM errand e \
     WHERE has_table_privilege(r.oid, e.oid, 'TRUNCATE, TRIGGER, REFERENCES')), \
     'may truncate tables, refer to them or put triggers on them'), \
     (g.mighty IS NOT NULL, 'is a member of ' || g.mighty || ', which can more than it should')) \
     AS v (holds, reason) \
     WHERE r.rolname = coalesce($1, current_user) AND v.holds AND (NOT r.rolsuper OR v.reason = 'is a superuser')";

/// What speaks against the role, or against the one that asks.
pub async fn might(conn: &impl ConnectionTrait, role: Option<&AppRole>) -> Result<Vec<String>, DbErr> {
    let sql = format!("{ERRAND}{MIGHT}");
    let found = Reason::find_by_statement(statement(&sql, [role.map(AppRole::name).into()]));
    Ok(found.all(conn).await?.into_iter().map(|row| row.reason).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let longest = "a".repeat(63);
        for right in ["app", "_", "errand_app", "a1", longest.as_str()] {
            assert_eq!(AppRole::parse(right).unwrap().name(), right);
        }
        let too_long = "a".repeat(64);
        for wrong in [
            "",
            "1a",
            "App",
            "a-b",
            "a b",
            "a\"b",
            "é",
            "a;",
            "pg_monitor",
            too_long.as_str(),
        ] {
            assert_eq!(AppRole::parse(wrong), Err(InvalidRole), "{wrong}");
        }
    }
}

//! What a role needs on errand's tables, and what of it it lacks.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

use crate::policies;
use crate::steps;

/// Tables of nobody's in particular.
const COMMON: [&str; 3] = ["ended_sessions", "imports", "limits"];

#[derive(FromQueryResult)]
struct Missing {
    rights: String,
    names: String,
}

/// What the role that asks lacks, such as `UPDATE on sessions, tasks`. Tables that are not there are not missed.
pub async fn missing(conn: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let owned = policies::TABLES.iter().map(|(name, _)| *name);
    let mut names: Vec<String> = owned
        .chain(COMMON)
        .map(|name| format!("('{name}', false)"))
        .collect();
    names.push(format!("('{}', true)", steps::TABLE));
    let missing: Vec<String> = ["SELECT", "INSERT", "UPDATE", "DELETE"]
        .iter()
        .map(|right| {
            format!(
                "CASE WHEN NOT has_table_privilege(c.oid, '{right}') \
                 AND ('{right}' = 'SELECT' OR NOT t.is_record) THEN '{right}' END"
            )
        })
        .collect();
    let sql = format!(
        "SELECT rights, string_agg(name, ', ' ORDER BY name) AS names FROM \
         (SELECT t.name, concat_ws(', ', {}) AS rights FROM (VALUES {}) AS t (name, is_record) \
         JOIN pg_class c ON c.oid = to_regclass(t.name)) AS found \
         WHERE rights <> '' GROUP BY rights ORDER BY names",
        missing.join(", "),
        names.join(", ")
    );
    let found = Missing::find_by_statement(Statement::from_string(DbBackend::Postgres, sql))
        .all(conn)
        .await?;
    Ok(found
        .into_iter()
        .map(|Missing { rights, names }| format!("{rights} on {names}"))
        .collect())
}

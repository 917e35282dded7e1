//! The cases: each a rule of the ports, on a fresh store of its own.
//!
//! A case uses nothing but the ports, says every time itself and never waits. What an adapter does inside is its
//! own affair.

pub mod accounts;
pub mod changes;
pub mod conditions;
pub mod disabled;
pub mod events;
pub mod filters;
pub mod following;
pub mod isolation;
pub mod limits;
pub mod pages;
pub mod passwords;
pub mod races;
pub mod refresh;
pub mod series;
pub mod sessions;
pub mod task_races;
pub mod tasks;
pub mod trash;
pub mod walks;
pub mod work;

use std::pin::Pin;

use crate::harness::Stores;

/// A case that runs.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A case by name.
#[derive(Clone, Copy)]
pub struct Case {
    /// The module that it is in.
    pub group: &'static str,
    /// Its function.
    pub name: &'static str,
    /// Starts it on a store that must be fresh. It panics if the rule does not hold.
    pub run: fn(Stores) -> Running,
}

macro_rules! table {
    ([] $($group:ident { $($case:ident,)+ })+) => {
        vec![$($(Case {
            group: stringify!($group),
            name: stringify!($case),
            run: |stores| Box::pin($group::$case(stores)),
        },)+)+]
    };
}

/// All cases.
pub fn all() -> Vec<Case> {
    crate::for_each_case!(table =>)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names of the public functions of a source file.
    fn written(source: &str) -> impl Iterator<Item = &str> {
        let functions = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub async fn "));
        functions.filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
    }

    #[test]
    fn every_case_is_in_the_list() {
        let sources = [
            ("accounts", include_str!("cases/accounts.rs")),
            ("passwords", include_str!("cases/passwords.rs")),
            ("disabled", include_str!("cases/disabled.rs")),
            ("events", include_str!("cases/events.rs")),
            ("limits", include_str!("cases/limits.rs")),
            ("sessions", include_str!("cases/sessions.rs")),
            ("refresh", include_str!("cases/refresh.rs")),
            ("tasks", include_str!("cases/tasks.rs")),
            ("changes", include_str!("cases/changes.rs")),
            ("conditions", include_str!("cases/conditions.rs")),
            ("series", include_str!("cases/series.rs")),
            ("work", include_str!("cases/work.rs")),
            ("following", include_str!("cases/following.rs")),
            ("trash", include_str!("cases/trash.rs")),
            ("pages", include_str!("cases/pages.rs")),
            ("filters", include_str!("cases/filters.rs")),
            ("walks", include_str!("cases/walks.rs")),
            ("isolation", include_str!("cases/isolation.rs")),
            ("races", include_str!("cases/races.rs")),
            ("task_races", include_str!("cases/task_races.rs")),
        ];
        let written: Vec<_> = sources
            .iter()
            .flat_map(|(group, source)| written(source).map(move |name| (*group, name)))
            .collect();
        let listed: Vec<_> = all().iter().map(|case| (case.group, case.name)).collect();
        assert_eq!(listed, written, "in the order of the sources");
        let names: BTreeSet<_> = listed.iter().map(|(_, name)| name).collect();
        assert_eq!(names.len(), listed.len(), "a name alone says which case it is");
    }

    #[test]
    fn every_file_of_cases_is_looked_at() {
        let modules = include_str!("cases.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub mod "));
        let groups: BTreeSet<_> = all().iter().map(|case| case.group).collect();
        assert_eq!(
            modules
                .map(|name| name.trim_end_matches(';'))
                .collect::<BTreeSet<_>>(),
            groups
        );
    }
}

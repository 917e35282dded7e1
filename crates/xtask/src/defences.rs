//! What takes each defence of `specs/002-defence/attacks.md` out. Those that have a test of their own besides are
//! mutants in `mutants.rs`.

mod accounts;
mod answers;
mod bodies;
mod isolation;
mod limits;
mod query;
mod sessions;
mod start;
mod tokens;

/// A defence by its key in the table. What holds the same attack in several places is taken out of all.
pub struct Defence {
    pub name: &'static str,
    pub changes: &'static [Change],
}

/// One text in the place of another, which must stand in the file exactly once.
#[derive(Clone, Copy)]
pub struct Change {
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

/// Every area's.
pub const ALL: &[&[Defence]] = &[
    accounts::DEFENCES,
    tokens::DEFENCES,
    sessions::DEFENCES,
    isolation::DEFENCES,
    limits::DEFENCES,
    bodies::DEFENCES,
    query::DEFENCES,
    answers::DEFENCES,
    start::DEFENCES,
];

/// `"key" { "file": "from" => "to"; … }` for each. Files are below `crates`.
macro_rules! defences {
    ($($name:literal { $($file:literal: $from:expr => $to:expr;)+ })+) => {
        pub const DEFENCES: &[$crate::defences::Defence] = &[$($crate::defences::Defence {
            name: $name,
            changes: &[$($crate::defences::Change {
                file: concat!("crates/", $file),
                from: $from,
                to: $to,
            }),+],
        }),+];
    };
}
use defences;

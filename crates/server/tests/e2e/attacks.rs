//! Attacks: each does one forbidden thing and shows that it is refused, or that it does no harm.
//!
//! **How to add one.** Write an `async fn name_that_is_a_sentence(scene: &Scene)` in the file of its group and
//! name it in the list at the top of that file, under the defence that it holds. A test prints the line for
//! `specs/002-defence/attacks.md`; a new defence also wants a mutant of its name in `xtask`.
//!
//! **How to add a group.** A file with such a list, its module and one line of [`GROUPS`].

mod access_tokens;
mod answers;
mod bearers;
mod bodies;
mod cors;
mod disabled;
mod fields;
mod forgery;
mod headers;
mod isolation;
mod limits;
mod paths;
mod protocol;
mod query;
mod refresh_tokens;
mod registration;
mod scene;
mod sessions;
mod sign_in;
mod signatures;
mod slow;
mod start;
mod suite;
mod table;

use suite::Group;

/// Every group, in the order of the table.
const GROUPS: &[Group] = &[
    Group("registration", registration::ATTACKS),
    Group("sign_in", sign_in::ATTACKS),
    Group("signatures", signatures::ATTACKS),
    Group("access_tokens", access_tokens::ATTACKS),
    Group("bearers", bearers::ATTACKS),
    Group("refresh_tokens", refresh_tokens::ATTACKS),
    Group("sessions", sessions::ATTACKS),
    Group("limits", limits::ATTACKS),
    Group("disabled", disabled::ATTACKS),
    Group("isolation", isolation::ATTACKS),
    Group("bodies", bodies::ATTACKS),
    Group("fields", fields::ATTACKS),
    Group("query", query::ATTACKS),
    Group("paths", paths::ATTACKS),
    Group("headers", headers::ATTACKS),
    Group("protocol", protocol::ATTACKS),
    Group("cors", cors::ATTACKS),
    Group("slow", slow::ATTACKS),
    Group("start", start::ATTACKS),
    Group("answers", answers::ATTACKS),
];

//! Runs the attacks of a group, one after the other, against one service.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::{answers, scene::Scene};
use crate::support::Backend;

/// No attack waits for longer: a hanging service is a failure too. The longest waits for a slow head's end.
const WITHIN: Duration = Duration::from_mins(3);

/// One attack.
pub struct Attack {
    pub name: &'static str,
    /// What it breaks upon.
    pub defence: &'static str,
    pub run: for<'a> fn(&'a Scene) -> LocalBoxFuture<'a, ()>,
}

/// The name of a file and what it lists.
pub struct Group(pub &'static str, pub &'static [Attack]);

/// Lists the attacks of a file by their defences, and makes one test of them.
macro_rules! attacks {
    ($($defence:literal: $($name:ident),+ $(,)?;)+) => {
        pub const ATTACKS: &[$crate::attacks::suite::Attack] = &[$($($crate::attacks::suite::Attack {
            name: stringify!($name),
            defence: $defence,
            run: |scene| Box::pin($name(scene)),
        },)+)+];

        $crate::support::on_all!(every_attack_fails);

        async fn every_attack_fails(backend: $crate::support::Backend) {
            $crate::attacks::suite::run(backend, ATTACKS).await;
        }
    };
}
pub(super) use attacks;

/// Runs all of them, whatever becomes of the others, and fails with the names of those that got through. In the
/// end everything that was answered and logged is searched for secrets.
pub async fn run(backend: Backend, attacks: &[Attack]) {
    let scene = Scene::start(backend).await;
    let is_last = |attack: &&Attack| answers::IN_THE_END.contains(&attack.name);
    let wanted = wanted();
    let is_wanted = |attack: &&Attack| {
        wanted
            .iter()
            .all(|names| names.split(',').any(|n| n == attack.name))
    };
    let first = attacks.iter().filter(|attack| !is_last(attack)).filter(is_wanted);
    let mut failed = Vec::new();
    for attack in first.chain(answers::ATTACKS.iter().filter(is_last)) {
        let attempt = tokio::time::timeout(WITHIN, (attack.run)(&scene));
        let outcome = AssertUnwindSafe(attempt).catch_unwind().await;
        let reason = match outcome {
            Ok(Ok(())) => {
                println!("attack {} ... ok", attack.name);
                continue;
            }
            Ok(Err(_)) => format!("no end after {WITHIN:?}"),
            Err(panic) => told(panic.as_ref()),
        };
        println!("attack {} ... FAILED\n{reason}", attack.name);
        failed.push(attack.name);
    }
    assert!(failed.is_empty(), "not held: {}", failed.join(", "));
}

/// Only these attacks, if any are named: whoever takes a defence out waits for no others.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own switch is no configuration"
)]
fn wanted() -> Option<String> {
    std::env::var("ERRAND_ATTACKS").ok()
}

fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

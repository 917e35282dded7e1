//! Random histories: sequences of calls that are played on an adapter and on the model side by side. Every
//! answer is compared, and all that is held at the end.
//!
//! Histories come from a fixed seed, so that a red run is red again. One that differs is shortened as far as it
//! still differs.

mod accounts;
mod following;
mod history;
mod people;
mod sessions;
mod tasks;
mod world;

pub(crate) use history::operations;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::Handle;

use crate::harness::{Harness, Stores};
use world::World;

/// How many histories [`conformance!`](crate::conformance!) plays.
pub const HISTORIES: u32 = 80;
/// What [`conformance!`](crate::conformance!) begins with.
pub const SEED: u64 = 0x6572_7261_6e64;
/// How many shorter histories are tried once one differs; each needs a fresh store.
const SHORTENINGS: u32 = 400;

/// Plays so many histories, each on a fresh store. Panics with the shortest history found and the seed if an
/// answer differs from the model's. Blocks; to be called in a runtime with several
/// threads. `ERRAND_HISTORIES` in the environment asks for more.
pub fn random_histories<H: Harness>(histories: u32, seed: u64) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a wish of whoever runs the tests, no setting"
    )]
    let wanted = std::env::var("ERRAND_HISTORIES").ok();
    let wanted = wanted.map_or(histories, |number| {
        number.parse().expect("ERRAND_HISTORIES is a number")
    });
    let histories = histories.max(wanted);
    let found = search(histories, seed, async || {
        let subject = H::fresh().await;
        (subject.stores(), subject)
    });
    if let Err(difference) = found {
        panic!("seed {seed:#x}: {difference}");
    }
}

/// Looks for a history on which the opened stores differ from the model. What `open` gives beside the stores is
/// kept while they are used.
pub(crate) fn search<K>(
    histories: u32,
    seed: u64,
    open: impl AsyncFn() -> (Stores, K),
) -> Result<(), String> {
    let config = Config {
        cases: histories,
        failure_persistence: None,
        max_shrink_iters: SHORTENINGS,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let handle = Handle::current();
    let played = tokio::task::block_in_place(|| {
        TestRunner::new_with_rng(config, random).run(&history::histories(), |history| {
            handle.block_on(async {
                let (stores, _keep) = open().await;
                let mut world = World::new(stores);
                world.play(&history).await.map_err(TestCaseError::fail)
            })
        })
    });
    played.map_err(|difference| difference.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broken::{Broken, Defect};
    use crate::model::Model;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_model_is_like_itself() {
        let found = search(300, SEED + 1, async || (Model::new().stores(), ()));
        assert_eq!(found, Ok(()));
    }

    /// As many histories as an adapter is held against find what needs no special data and no race, without the
    /// cases.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn histories_find_broken_stores() {
        for defect in [
            Defect::FindLeaks,
            Defect::ChangeLeaks,
            Defect::DeleteLeaks,
            Defect::CountLeaks,
            Defect::KeysAreShared,
            Defect::IdsAreShared,
            Defect::RotateLeaks,
            Defect::EndLeaks,
            Defect::ForgetsVersion,
            Defect::CountsNoChange,
            Defect::TimeGoesBack,
            Defect::CompletesAgain,
            Defect::Resurrects,
            Defect::RepeatsCreation,
            Defect::ReusesTaskIds,
            Defect::ForgetsKindOfDue,
            Defect::EmptyIsNone,
            Defect::TiesByAge,
            Defect::PagesByOffset,
            Defect::FullPageHasNext,
            Defect::BoundsAreInclusive,
            Defect::TellsNoDeletion,
            Defect::KeepsFirstPlace,
            Defect::SkipsTheRest,
            Defect::ChangesLeak,
            Defect::FoldsAddressesByAscii,
            Defect::ReportsNameFirst,
            Defect::IgnoresExpectedHash,
            Defect::KeepsSessionsOnPasswordChange,
            Defect::RenewalMovesTime,
            Defect::DeletesAccountSilently,
            Defect::ExportsExpiredSessions,
            Defect::ReuseEndsNothing,
            Defect::ReuseEndsEverything,
            Defect::ForgetsOneEnding,
        ] {
            let found = search(HISTORIES, SEED, async || (Broken::stores(defect), ()));
            assert!(found.is_err(), "{defect:?} went unnoticed");
        }
    }
}

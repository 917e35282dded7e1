//! The pace of refusals: who is refused and asks again at once is not answered faster than others are served.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What each answer waits for every one that waits beside it: some 400 a second in all, however many ask.
const STEP: Duration = Duration::from_micros(2_500);
/// Nobody waits longer.
const LONGEST: Duration = Duration::from_secs(1);

/// Refusals that wait in this process.
static WAITING: AtomicU32 = AtomicU32::new(0);

/// One of them, until it is dropped: a client may go away meanwhile.
struct Waiting;

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Holds a refusal back, the longer the more there are. One alone hardly waits.
pub(crate) async fn refusal() {
    let others = WAITING.fetch_add(1, Ordering::Relaxed);
    let _waiting = Waiting;
    tokio::time::sleep((STEP * (others + 1)).min(LONGEST)).await;
}

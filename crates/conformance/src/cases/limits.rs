//! Limits: buckets that empty and fill.

use std::time::Duration;

use errand_application::ports::Bucket;
use errand_domain::Timestamp;
use errand_domain::limit::{Allowance, Take};

use crate::fixtures::{at, digest, unique};
use crate::harness::Stores;
use crate::parallel::parallel;

const ALLOWANCE: Allowance = Allowance {
    burst: 3,
    every: Duration::from_secs(10),
};

/// A bucket that nobody has used.
fn bucket() -> Bucket {
    Bucket {
        key: digest(b'l', unique()),
        allowance: ALLOWANCE,
    }
}

/// Takes one out of each; says for which there was none, and for how long.
async fn take(stores: &Stores, buckets: &[Bucket], at: Timestamp) -> Vec<Option<Duration>> {
    let takes = stores.limits.take(buckets, at).await.unwrap();
    assert_eq!(takes.len(), buckets.len());
    let waits = takes.into_iter().map(|take| match take {
        Take::Taken { .. } => None,
        Take::Refused { wait, .. } => Some(wait),
    });
    waits.collect()
}

/// The wait for the next try.
const NEXT: Option<Duration> = Some(ALLOWANCE.every);

/// So many at once, then one for each time that passes; the rest of the wait is told to the microsecond.
pub async fn a_bucket_empties_and_fills(stores: Stores) {
    let bucket = bucket();
    let mut kept = None;
    for time in [0, 0, 0, 0, 3, 10, 10, 19, 20, 100, 100, 101, 101, 102] {
        let at = at(time).plus(Duration::from_micros(time));
        let expected = ALLOWANCE.take(kept, at);
        let (Take::Taken { full_at } | Take::Refused { full_at, .. }) = expected;
        kept = Some(full_at);
        assert_eq!(
            stores.limits.take(&[bucket], at).await.unwrap(),
            [expected],
            "{time}"
        );
    }
}

/// One bucket says nothing of another, in one call or in several.
pub async fn buckets_are_independent(stores: Stores) {
    let (one, other) = (bucket(), bucket());
    for _ in 0..3 {
        assert_eq!(take(&stores, &[one], at(0)).await, [None]);
    }
    assert_eq!(take(&stores, &[other, one], at(0)).await, [None, NEXT]);
    assert_eq!(take(&stores, &[one, other], at(0)).await, [NEXT, None]);
    assert_eq!(take(&stores, &[other], at(0)).await, [None]);
    assert_eq!(take(&stores, &[other], at(0)).await, [NEXT]);
}

/// Who is refused by one bucket has used the others.
pub async fn a_refused_bucket_leaves_the_others_taken(stores: Stores) {
    let (full, empty) = (bucket(), bucket());
    for _ in 0..3 {
        take(&stores, &[empty], at(0)).await;
    }
    for _ in 0..3 {
        assert_eq!(take(&stores, &[full, empty], at(0)).await, [None, NEXT]);
    }
    assert_eq!(take(&stores, &[full], at(0)).await, [NEXT]);
}

/// One back, one more.
pub async fn what_is_given_back_can_be_taken_once(stores: Stores) {
    let (bucket, other) = (bucket(), bucket());
    for _ in 0..3 {
        take(&stores, &[bucket, other], at(0)).await;
    }
    stores.limits.give_back(&[bucket]).await.unwrap();
    assert_eq!(take(&stores, &[bucket, other], at(0)).await, [None, NEXT]);
    assert_eq!(take(&stores, &[bucket], at(0)).await, [NEXT]);
}

/// There is never more in a bucket than it holds.
pub async fn giving_back_to_a_full_bucket_changes_nothing(stores: Stores) {
    let bucket = bucket();
    stores.limits.give_back(&[bucket]).await.unwrap();
    take(&stores, &[bucket], at(0)).await;
    for _ in 0..5 {
        stores.limits.give_back(&[bucket]).await.unwrap();
    }
    for _ in 0..3 {
        assert_eq!(take(&stores, &[bucket], at(0)).await, [None]);
    }
    assert_eq!(take(&stores, &[bucket], at(0)).await, [NEXT]);
}

/// Of what was taken at a time that is yet to come, no more is left than of an empty bucket.
pub async fn a_clock_set_back_shuts_nobody_out(stores: Stores) {
    let bucket = bucket();
    take(&stores, &[bucket], at(1_000_000)).await;
    assert_eq!(take(&stores, &[bucket], at(0)).await, [NEXT]);
    assert_eq!(take(&stores, &[bucket], at(10)).await, [None]);
}

/// However many come at once, so many get through as the bucket holds.
pub async fn parallel_attempts_share_a_bucket(stores: Stores) {
    for _ in 0..10 {
        let bucket = bucket();
        let taken = parallel(12, |_| {
            let stores = stores.clone();
            async move { take(&stores, &[bucket], at(0)).await[0].is_none() }
        });
        assert_eq!(taken.await.into_iter().filter(|taken| *taken).count(), 3);
    }
}

/// Those who want the same buckets in another order do not wait for each other for ever.
pub async fn parallel_attempts_on_several_buckets_finish(stores: Stores) {
    for _ in 0..10 {
        let (one, other) = (bucket(), bucket());
        let taken = parallel(12, |n| {
            let stores = stores.clone();
            async move {
                let buckets = if n % 2 == 0 { [one, other] } else { [other, one] };
                let takes = take(&stores, &buckets, at(0)).await;
                takes.into_iter().filter(Option::is_none).count()
            }
        });
        assert_eq!(taken.await.into_iter().sum::<usize>(), 6);
    }
}

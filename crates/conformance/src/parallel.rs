//! Doing things at the same time.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Runs `work(0)` to `work(n - 1)` in tasks of their own that all start together; their results in that order.
/// A panic in one of them is a panic here.
pub async fn parallel<T, F, Fut>(n: usize, work: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(usize) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(n));
    let mut tasks = JoinSet::new();
    for i in 0..n {
        let (start, work) = (start.clone(), work(i));
        tasks.spawn(async move {
            start.wait().await;
            (i, work.await)
        });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(i, _)| *i);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_stand_in_order_and_all_wait_for_the_last() {
        let all = Arc::new(Barrier::new(5));
        let met = parallel(5, |i| {
            let all = all.clone();
            async move {
                all.wait().await;
                i
            }
        });
        assert_eq!(met.await, [0, 1, 2, 3, 4]);
    }
}

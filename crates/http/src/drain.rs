//! The time between the wish to stop and the stop: requests are still answered, and every sign says to go
//! elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use actix_web::HttpRequest;

/// Whether it has begun; shared by all workers.
#[derive(Clone, Default)]
pub(crate) struct Draining(Arc<AtomicBool>);

impl Draining {
    pub(crate) fn begin(&self) {
        self.0.store(true, SeqCst);
    }

    /// Of the server that took a request.
    pub(crate) fn has_begun(request: &HttpRequest) -> bool {
        let draining = request.app_data::<Self>();
        draining.is_some_and(|draining| draining.0.load(SeqCst))
    }
}

//! What every request passes on its way in and out.

mod admit;
mod edge;
mod log;

pub(crate) use admit::admit;
pub(crate) use edge::{RequestId, edge};
pub(crate) use log::RequestLog;

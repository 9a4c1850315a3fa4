//! What gates, receivers and readers of status lists may rely on.

mod feed;
mod streams;
mod surfaces;
pub(crate) mod world;

//! What gates, receivers and readers of status lists may rely on.

mod feed;
pub(crate) mod fixture;
mod streams;
mod surfaces;

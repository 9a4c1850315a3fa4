//! Tells others of changes of status: gates by the feed, receivers by security events, everybody by status lists.
//!
//! | to learn about | read |
//! |---|---|
//! | who signs, and with which keys | [`SignalIssuer`], [`SigningKeys`], [`KeySuccession`] |
//! | what must be configured, and which routes there are | [`Signals`], [`portal_router`], [`device_router`] |
//! | what has to run beside the routes | [`FeedHub::run`], [`acknowledge_loop`], [`deliver`], [`publish_statuses`] |

mod feed;
mod gate_keys;
mod issuer;
mod keys;
pub mod metadata;
mod receipts;
mod receivers;
mod routes;
mod signals;
mod status_list;
mod succession;
mod surfaces;

pub use feed::FeedHub;
pub use issuer::SignalIssuer;
pub use keys::{PublishedKeys, SigningKeys};
pub use receivers::{
    DeliveryMethod, EventPusher, EventReceiver, PushOutcome, UnknownClient, deliver, is_for_good,
};
pub use routes::{device_router, portal_router};
pub use signals::Signals;
pub use status_list::{
    STATUS_LIST_LIFE, STATUS_LIST_TTL, STATUS_LISTS, SignedList, StatusLists, begin_status_lists,
    publish_statuses,
};
pub use succession::{KeyDuty, KeySuccession, KeyTerm, LastKey, NOTICE, SuccessionError};
pub use surfaces::acknowledge_loop;

#[cfg(test)]
mod tests;

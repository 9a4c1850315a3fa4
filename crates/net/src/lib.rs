//! The one place that accepts connections, builds TLS and makes outgoing HTTPS requests.
//!
//! | to learn about | read |
//! |---|---|
//! | how connections are accepted, limited and closed | [`listener`], [`limits`] |
//! | how a request's body is read to its end | [`drain_on_drop`] |
//! | what a listener shows of itself, and what it asks of clients | [`tls`] |
//! | outgoing requests | [`client`] |

mod activity;
pub mod client;
mod connection;
pub mod drain_on_drop;
pub mod limits;
mod linger;
pub mod listener;
pub mod tls;

pub use client::Client;
pub use drain_on_drop::DrainOnDrop;
pub use limits::Limits;
pub use listener::{Accepted, ConnectionHandler, ConnectionService, Listener, Transport, normalized};

//! The one place that accepts connections, builds TLS and makes outgoing HTTPS requests.
//!
//! | to learn about | read |
//! |---|---|
//! | how connections are accepted, limited and closed | [`listener`], [`limits`] |
//! | how a request's body is read to its end | [`drain_on_drop`] |
//! | what a listener shows of itself, and what it asks of clients | [`tls`] |
//! | files that are replaced while the program runs | [`WatchedFiles`] |
//! | how a request is named in answers and logs | [`request_id`] |
//! | outgoing requests | [`client`], and without TLS [`plain_http`] |

mod activity;
mod admission;
pub mod client;
mod connection;
pub mod drain_on_drop;
pub mod limits;
mod linger;
pub mod listener;
pub mod navigation;
pub mod plain_http;
mod request;
pub mod request_id;
mod request_log;
pub mod tls;
mod watched_files;

pub use client::HttpsClient;
pub use drain_on_drop::DrainOnDrop;
pub use limits::Limits;
pub use listener::{
    AcceptedConnection, ConnectionHandler, ConnectionService, Listener, Transport, normalized,
};
pub use request::is_malformed_body;
pub use request_id::{REQUEST_ID, RequestId};
pub use watched_files::WatchedFiles;

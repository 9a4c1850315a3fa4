//! Lingering close, so that the alert that ends a handshake arrives.
//!
//! A client of TLS 1.3 sends its request right behind its certificate. Whoever closes a socket while some of that is
//! unread resets the connection, and a reset takes away what the client has not read yet (RFC 9112 section 9.6 says it of
//! answers). The client is left with a broken connection in place of a reason; a browser would not forget the
//! certificate that was refused. So the rest is read for a moment, and thrown away.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than an alert is on its way to anybody.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most that is read, in bytes.
const LIMIT: u64 = 64 * 1024;

/// Shuts down the sending side, and waits until the client has closed, a second at most.
pub async fn let_arrive(mut stream: TcpStream) {
    let rest = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LIMIT), &mut tokio::io::sink()).await
    };
    let _ = timeout(PATIENCE, rest).await;
}

//! A client that says whatever it likes.

use rustls::ClientConfig;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub struct Raw(Box<dyn Stream>);

impl Raw {
    pub async fn plain(port: u16) -> Self {
        Self(Box::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap()))
    }

    pub async fn secure(port: u16, tls: Arc<ClientConfig>) -> Self {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        Self(Box::new(TlsConnector::from(tls).connect("localhost".try_into().unwrap(), tcp).await.unwrap()))
    }

    /// A connection that was closed meanwhile is told nothing.
    pub async fn say(&mut self, text: &str) {
        let _ = self.0.write_all(text.as_bytes()).await;
        let _ = self.0.flush().await;
    }

    /// What was read when `mark` had come, or the connection had ended.
    pub async fn until(&mut self, mark: &str) -> String {
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains(mark) {
            let mut byte = [0; 4096];
            match self.0.read(&mut byte).await {
                Ok(count @ 1..) => heard.extend_from_slice(&byte[..count]),
                _ => break,
            }
        }
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Waits until the other side hangs up.
    pub async fn end(&mut self) {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
    }
}

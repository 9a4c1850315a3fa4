//! Splits an endless body into lines of bounded length.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A feed that says nothing for this long has lost its other end: a heartbeat is due every second.
const LONGEST_SILENCE: Duration = Duration::from_millis(2500);

/// The longest line, in bytes: a snapshot of two million denials.
pub(crate) const MAX_LINE: usize = 256 * 1024 * 1024;

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinesError {
    #[error("the platform has fallen silent")]
    Silent,
    #[error("the platform closed the feed")]
    Ended,
    #[error("the feed broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("a line is too long or not text")]
    NotALine,
}

pub(crate) struct LineReader {
    body: Incoming,
    buffer: Vec<u8>,
    searched: usize,
    deadline: Instant,
}

impl LineReader {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, buffer: Vec::new(), searched: 0, deadline: Instant::now() + LONGEST_SILENCE }
    }

    /// The next line without its end.
    pub(crate) async fn next(&mut self) -> Result<String, LinesError> {
        loop {
            if let Some(line) = self.take_line() {
                return String::from_utf8(line).map_err(|_| LinesError::NotALine);
            }
            if self.buffer.len() > MAX_LINE {
                return Err(LinesError::NotALine);
            }
            let frame = timeout_at(self.deadline, self.body.frame());
            let frame = frame.await.map_err(|_| LinesError::Silent)?.ok_or(LinesError::Ended)??;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
                self.deadline = Instant::now() + LONGEST_SILENCE;
            }
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n');
        let Some(end) = end.map(|end| self.searched + end) else {
            self.searched = self.buffer.len();
            return None;
        };
        let rest = self.buffer.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.buffer, rest);
        line.pop();
        self.searched = 0;
        Some(line)
    }
}

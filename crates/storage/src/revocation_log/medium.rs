//! Where a log lies: three verbs are all that is asked of a medium.
//!
//! In a bucket a log is a prefix, and each addition an object named by its offset: `append` and `replace` create objects
//! only where there are none (`If-None-Match: *`), and `read_from` lists them and reads from the one that holds the offset.

use std::io::{self, BufRead};

/// A medium that holds one log. Methods wait for the medium; callers that must not are elsewhere.
pub(crate) trait LogMedium: Send + Sync {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// The log from an offset on, with its extent at this moment; nothing when there is no log. An offset at or beyond the
    /// end gives no bytes: it asks for the extent alone, which has to be cheap.
    fn read_from(&self, offset: u64) -> io::Result<Option<LogPart>>;

    /// Writes at the end, which must be where the caller saw it, and returns when a power cut does not undo it. Nothing when
    /// the end has moved, because somebody else wrote. After a failure the log is as before, unless it says otherwise.
    fn append(&self, seen: &LogExtent, bytes: &[u8]) -> Result<Option<LogExtent>, Unwritten>;

    /// Puts a whole log in the place of the one the caller saw, or where there was none: all of it or nothing. Nothing when
    /// what is there is not what the caller saw.
    fn replace(&self, seen: Option<&LogExtent>, bytes: &[u8]) -> io::Result<Option<LogExtent>>;
}

/// How long a log is, and that it is still the same one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogExtent {
    /// What another log at this place would not share.
    pub(crate) identity: [u64; 2],
    /// The length in bytes.
    pub(crate) size: u64,
}

/// A log from an offset on.
pub(crate) struct LogPart {
    pub(crate) extent: LogExtent,
    pub(crate) bytes: Box<dyn BufRead + Send>,
}

/// What a failed addition left.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// Nothing that a reader would count as a line.
    Nothing(io::Error),
    /// Lines that a reader will count.
    Lines(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::Nothing(error)
    }
}

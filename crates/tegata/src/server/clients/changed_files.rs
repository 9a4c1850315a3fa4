//! Files that somebody else replaces while the program runs.

use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;

/// How often a file is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// Enough to notice every writing: also a file put in the place of another at the same moment has another length or
/// time. Nothing where there is no file.
pub type FileStamp = Option<(SystemTime, u64)>;

/// To be taken before the file is read: what is written in between shows as news.
pub fn stamp(file: &Path) -> FileStamp {
    let known = std::fs::metadata(file).ok()?;
    Some((known.modified().ok()?, known.len()))
}

/// Until the file is another one than it was.
pub async fn of(file: &Path, before: FileStamp) {
    while stamp(file) == before {
        sleep(PERIOD).await;
    }
}

//! The gate's copy of the feed on disk, for a restart while the platform is out of reach.
//!
//! | file | holds |
//! |---|---|
//! | `keys.json` | the issuer's JWK Set |
//! | `feed.jws` | the last snapshot, then the events since, one signed line each |
//! | `heartbeat.jws` | the last heartbeat |
//!
//! No order of crashes between the three makes the knowledge look younger than it is: its age comes
//! from the snapshot, or from a heartbeat whose number is exactly that of the last event read.

use std::io;
use std::path::{Path, PathBuf};
use tegata_core::jws::{Jwks, KeySet};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

const KEYS: &str = "keys.json";
const FEED: &str = "feed.jws";
const HEARTBEAT: &str = "heartbeat.jws";

/// Past this many bytes of events a fresh snapshot is due.
const MAX_EVENTS: u64 = 64 * 1024 * 1024;

pub(crate) struct GateStore {
    folder: PathBuf,
    feed: Option<File>,
    events: u64,
}

/// What was read back, not yet believed.
pub(crate) struct StoredState {
    pub(crate) keys: Jwks,
    pub(crate) lines: Vec<String>,
}

impl GateStore {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, feed: None, events: 0 }
    }

    /// Everything there is; a line that a crash cut off is left out.
    pub(crate) async fn read(&self) -> io::Result<StoredState> {
        let keys = serde_json::from_slice(&fs::read(self.folder.join(KEYS)).await?)?;
        let feed = fs::read_to_string(self.folder.join(FEED)).await?;
        let heartbeat = fs::read_to_string(self.folder.join(HEARTBEAT)).await.unwrap_or_default();
        let whole = |text: &str| text.rfind('\n').map(|end| text[..end].to_owned()).unwrap_or_default();
        let lines = [whole(&feed), whole(&heartbeat)];
        let lines = lines.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
        Ok(StoredState { keys, lines })
    }

    /// Starts over with a snapshot.
    pub(crate) async fn snapshot(&mut self, line: &str) -> io::Result<()> {
        self.feed = None;
        self.events = 0;
        let path = self.folder.join(FEED);
        write_atomically(&path, &[line.as_bytes(), b"\n"], DurableFile::Yes).await?;
        self.feed = Some(File::options().append(true).open(path).await?);
        Ok(())
    }

    /// Adds an event. After a failure nothing is added until the next snapshot: no gaps on disk.
    pub(crate) async fn event(&mut self, line: &str) -> io::Result<()> {
        let Some(mut feed) = self.feed.take() else { return Ok(()) };
        feed.write_all(&[line.as_bytes(), b"\n"].concat()).await?;
        feed.flush().await?;
        self.events += line.len() as u64 + 1;
        self.feed = Some(feed);
        Ok(())
    }

    /// Replaces the heartbeat. Not forced to the disk: after a power cut an older one does no harm.
    pub(crate) async fn heartbeat(&mut self, line: &str) -> io::Result<()> {
        write_atomically(&self.folder.join(HEARTBEAT), &[line.as_bytes(), b"\n"], DurableFile::No).await
    }

    /// Whether the events have grown so long that a snapshot would be shorter.
    pub(crate) fn is_due_for_a_snapshot(&self) -> bool {
        self.events > MAX_EVENTS
    }
}

/// Keeps the issuer's keys in a folder.
pub(crate) async fn write_keys(folder: &Path, keys: &KeySet) -> io::Result<()> {
    let json = serde_json::to_vec(&keys.jwks())?;
    write_atomically(&folder.join(KEYS), &[&json], DurableFile::Yes).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DurableFile {
    Yes,
    No,
}

/// A reader finds the old content or the new one, never a part.
async fn write_atomically(path: &Path, parts: &[&[u8]], durable: DurableFile) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside).await?;
    for part in parts {
        file.write_all(part).await?;
    }
    file.flush().await?;
    if durable == DurableFile::Yes {
        file.sync_all().await?;
    }
    fs::rename(&beside, path).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::jws::SigningKey;

    #[tokio::test]
    async fn a_line_cut_off_by_a_crash_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        write_keys(folder.path(), &KeySet::new([key.public().clone()])).await.unwrap();
        let mut store = GateStore::new(folder.path().into());
        store.snapshot("snapshot").await.unwrap();
        store.event("one").await.unwrap();
        store.heartbeat("old").await.unwrap();
        store.heartbeat("new").await.unwrap();
        let read = store.read().await.unwrap();
        assert_eq!(read.lines, ["snapshot", "one", "new"]);
        assert_eq!(read.keys, KeySet::new([key.public().clone()]).jwks());
        let path = folder.path().join(FEED);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, &text[..text.len() - 2]).unwrap();
        assert_eq!(store.read().await.unwrap().lines, ["snapshot", "new"]);
    }
}

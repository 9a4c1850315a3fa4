//! The three verbs, on a file and on a folder of objects that stands for a bucket.

use super::file::LogFile;
use super::medium::{LogExtent, LogMedium, LogPart, Unwritten};
use super::{LogError, RevocationLog};
use crate::hash_chain::next_hash;
use crate::transaction::LedgerShared;
use crate::{Actor, Ledger, LedgerError, Patience};
use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tegata_core::encoding::hex;
use tegata_core::entropy::{Entropy, Seeded};
use tegata_core::{Installation, Timestamp};
use tempfile::TempDir;

/// Objects named by the offset of their first byte, made only where there is none: what a bucket offers.
struct ObjectFolder(PathBuf);

impl ObjectFolder {
    fn objects(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut objects = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(offset) = name.to_str().and_then(|name| name.parse().ok()) {
                objects.push((offset, entry.path()));
            }
        }
        objects.sort();
        Ok(objects)
    }

    fn extent(&self) -> io::Result<Option<LogExtent>> {
        let Some((offset, last)) = self.objects()?.pop() else { return Ok(None) };
        Ok(Some(LogExtent { identity: [0, 0], size: offset + fs::metadata(last)?.len() }))
    }

    /// `If-None-Match: *`
    fn put(&self, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        let path = self.0.join(format!("{offset:020}"));
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(mut object) => object.write_all(bytes).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl LogMedium for ObjectFolder {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn read_from(&self, offset: u64) -> io::Result<Option<LogPart>> {
        let Some(extent) = self.extent()? else { return Ok(None) };
        let mut bytes: Box<dyn Read + Send> = Box::new(io::empty());
        for (begin, path) in self.objects()? {
            let mut object = Vec::new();
            fs::File::open(path)?.read_to_end(&mut object)?;
            let skipped = usize::try_from(offset.saturating_sub(begin)).unwrap_or(usize::MAX);
            let rest = object.split_off(skipped.min(object.len()));
            bytes = Box::new(bytes.chain(io::Cursor::new(rest)));
        }
        Ok(Some(LogPart { extent, bytes: Box::new(BufReader::new(bytes)) }))
    }

    fn append(&self, seen: &LogExtent, bytes: &[u8]) -> Result<Option<LogExtent>, Unwritten> {
        if self.extent()? != Some(*seen) || !self.put(seen.size, bytes)? {
            return Ok(None);
        }
        Ok(Some(LogExtent { size: seen.size + bytes.len() as u64, ..*seen }))
    }

    fn replace(&self, seen: Option<&LogExtent>, bytes: &[u8]) -> io::Result<Option<LogExtent>> {
        if self.extent()?.as_ref() != seen {
            return Ok(None);
        }
        for (_, path) in self.objects()? {
            fs::remove_file(path)?;
        }
        Ok(self.put(0, bytes)?.then_some(LogExtent { identity: [0, 0], size: bytes.len() as u64 }))
    }
}

fn media(disk: &TempDir) -> [Box<dyn LogMedium>; 2] {
    let folder = disk.path().join("objects");
    fs::create_dir(&folder).unwrap();
    [Box::new(LogFile::new(&disk.path().join("revocations.log"))), Box::new(ObjectFolder(folder))]
}

fn read(medium: &dyn LogMedium, from: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    medium.read_from(from).unwrap().unwrap().bytes.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_medium_appends_reads_from_an_offset_and_replaces_what_was_seen() {
    let disk = tempfile::tempdir().unwrap();
    for medium in media(&disk) {
        let place = medium.place();
        assert!(medium.read_from(0).unwrap().is_none(), "{place}: there is none");
        let begun = medium.replace(None, b"one\n").unwrap().expect("a log");
        assert!(medium.replace(None, b"another\n").unwrap().is_none(), "{place}: never over what is there");
        let longer = medium.append(&begun, b"two\n").unwrap().expect("a longer log");
        assert!(medium.append(&begun, b"late\n").unwrap().is_none(), "{place}: somebody else wrote");
        assert_eq!(
            (read(&*medium, 0), read(&*medium, 4)),
            (b"one\ntwo\n".to_vec(), b"two\n".to_vec()),
            "{place}"
        );
        assert_eq!(read(&*medium, 6), b"o\n");
        assert_eq!((read(&*medium, 8), read(&*medium, u64::MAX)), (vec![], vec![]), "{place}");
        assert_eq!(medium.read_from(u64::MAX).unwrap().unwrap().extent, longer, "{place}");
        assert!(medium.replace(Some(&begun), b"short\n").unwrap().is_none(), "{place}: it has moved");
        let short = medium.replace(Some(&longer), b"short\n").unwrap().expect("a replaced log");
        assert_eq!(read(&*medium, 0), b"short\n", "{place}");
        medium.append(&short, b"more\n").unwrap().expect("a log that goes on");
        assert_eq!(read(&*medium, 0), b"short\nmore\n", "{place}");
    }
}

async fn open(url: &str, objects: &Path, entropy: &dyn Entropy) -> Result<Ledger, LedgerError> {
    open_on(url, Box::new(ObjectFolder(objects.to_owned())), entropy).await
}

async fn open_on(
    url: &str,
    medium: Box<dyn LogMedium>,
    entropy: &dyn Entropy,
) -> Result<Ledger, LedgerError> {
    let installation = Installation::parse("tegata.example.jp").unwrap();
    let log = RevocationLog::on(medium, &installation);
    let shared = LedgerShared::with(Some(log));
    let ledger = Ledger::open_sharing(url.into(), Patience::Command, shared).await?;
    let log = ledger.shared.log.clone().expect("a log");
    ledger.join_log(&log, Timestamp::from_seconds(1), entropy).await?;
    Ok(ledger)
}

#[tokio::test]
async fn a_restored_ledger_catches_up_with_a_log_made_of_objects() {
    let disk = tempfile::tempdir().unwrap();
    let objects = disk.path().join("objects");
    fs::create_dir(&objects).unwrap();
    let url = |name: &str| format!("sqlite:{}", disk.path().join(name).display());
    let entropy = Seeded::new(1);
    let (now, operator) = (Timestamp::from_seconds(2), Actor::Operator("test".into()));
    let ledger = open(&url("ledger.db"), &objects, &entropy).await.unwrap();
    for key in [[1; 32], [2; 32]] {
        let mut writing = ledger.begin(now).await.unwrap();
        writing.block_key(&key, "", &operator).await.unwrap();
        writing.commit().await.unwrap();
    }
    assert!(ledger.verify_log().await.unwrap().unwrap().agrees);
    ledger.close().await;
    // A ledger that knows of nothing: a backup from before.
    let restored = open(&url("restored.db"), &objects, &entropy).await.unwrap();
    assert_eq!(restored.blocked_keys().await.unwrap().len(), 2);
    restored.close().await;
    fs::remove_dir_all(&objects).unwrap();
    fs::create_dir(&objects).unwrap();
    let lost = open(&url("ledger.db"), &objects, &entropy).await.map(|_| ());
    assert!(matches!(lost, Err(LedgerError::Log(LogError::Missing(_)))), "{lost:?}");
}

/// A file that takes one line and no more while its disk is full, and gives back nothing.
struct FillingDisk {
    file: LogFile,
    is_full: Arc<AtomicBool>,
}

impl LogMedium for FillingDisk {
    fn place(&self) -> String {
        self.file.place()
    }

    fn read_from(&self, offset: u64) -> io::Result<Option<LogPart>> {
        self.file.read_from(offset)
    }

    fn append(&self, seen: &LogExtent, bytes: &[u8]) -> Result<Option<LogExtent>, Unwritten> {
        if !self.is_full.load(Ordering::Relaxed) {
            return self.file.append(seen, bytes);
        }
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        self.file.append(seen, &bytes[..line])?;
        Err(Unwritten::Lines(io::Error::other("no space left")))
    }

    fn replace(&self, seen: Option<&LogExtent>, bytes: &[u8]) -> io::Result<Option<LogExtent>> {
        self.file.replace(seen, bytes)
    }
}

#[tokio::test]
async fn a_log_is_owed_what_it_did_not_take_of_an_emergency() {
    let disk = tempfile::tempdir().unwrap();
    let (url, entropy) = (format!("sqlite:{}", disk.path().join("ledger.db").display()), Seeded::new(1));
    let is_full = Arc::new(AtomicBool::new(false));
    let medium = FillingDisk { file: LogFile::new(&disk.path().join("log")), is_full: is_full.clone() };
    let ledger = open_on(&url, Box::new(medium), &entropy).await.unwrap();
    let (now, operator) = (Timestamp::from_seconds(2), Actor::Operator("test".into()));
    is_full.store(true, Ordering::Relaxed);
    let mut writing = ledger.begin(now).await.unwrap();
    for key in [[1; 32], [2; 32]] {
        writing.block_key(&key, "", &operator).await.unwrap();
    }
    writing.pending.is_emergency = true;
    writing.commit().await.unwrap();
    let found = async || {
        let report = ledger.verify_log().await.unwrap().unwrap();
        (report.agrees, report.lines, report.owed)
    };
    assert_eq!(found().await, (true, 2, 1), "the line that it took is not owed");
    is_full.store(false, Ordering::Relaxed);
    let mut writing = ledger.begin(now).await.unwrap();
    writing.block_key(&[3; 32], "", &operator).await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(found().await, (true, 4, 0), "the next writer has written it");
    assert_eq!(ledger.blocked_keys().await.unwrap().len(), 3);
    ledger.verify_audit().await.unwrap().expect("an unbroken chain");
}

#[tokio::test]
async fn a_line_of_a_newer_version_is_left_to_that_version() {
    let disk = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("sqlite:{}", disk.path().join(name).display());
    let (file, entropy) = (disk.path().join("log"), Seeded::new(1));
    let ledger = open_on(&url("ledger.db"), Box::new(LogFile::new(&file)), &entropy).await.unwrap();
    let end = ledger.shared.log.as_ref().unwrap().end().unwrap();
    ledger.close().await;
    let text = "{\"record\":\"of_tomorrow\"}";
    let hash = hex(&next_hash(&end.hash, text));
    let line = format!("{},\"hash\":\"{hash}\"}}\n", &text[..text.len() - 1]);
    OpenOptions::new().append(true).open(&file).unwrap().write_all(line.as_bytes()).unwrap();
    let opened = open_on(&url("ledger.db"), Box::new(LogFile::new(&file)), &entropy).await.map(|_| ());
    assert!(matches!(opened, Err(LedgerError::Log(LogError::Newer { line: 2, .. }))), "{opened:?}");
}

//! A log that is a file of this machine, which only grows.

use super::medium::{LogExtent, LogMedium, LogPart, Unwritten};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Read at a time.
const BUFFER: usize = 1 << 16;

pub(crate) struct LogFile {
    path: PathBuf,
}

impl LogMedium for LogFile {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn read_from(&self, offset: u64) -> io::Result<Option<LogPart>> {
        let Some(extent) = self.extent()? else { return Ok(None) };
        if offset >= extent.size {
            return Ok(Some(LogPart { extent, bytes: Box::new(io::empty()) }));
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let bytes = BufReader::with_capacity(BUFFER, file.take(extent.size - offset));
        Ok(Some(LogPart { extent, bytes: Box::new(bytes) }))
    }

    fn append(&self, seen: &LogExtent, bytes: &[u8]) -> Result<Option<LogExtent>, Unwritten> {
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        file.lock()?;
        if LogExtent::of(&file.metadata()?) != *seen {
            return Ok(None);
        }
        if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_data()) {
            return Err(self.take_back(&file, seen, error));
        }
        Ok(Some(LogExtent::of(&file.metadata()?)))
    }

    /// Under another name first, so that nobody ever sees a part of it.
    fn replace(&self, seen: Option<&LogExtent>, bytes: &[u8]) -> io::Result<Option<LogExtent>> {
        let draft = self.path.with_added_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let is_in_place = match seen {
            None => self.link(&draft)?,
            Some(seen) => self.exchange(seen, &draft)?,
        };
        if !is_in_place {
            fs::remove_file(&draft)?;
            return Ok(None);
        }
        sync_folder(&self.path)?;
        Ok(Some(LogExtent::of(&file.metadata()?)))
    }
}

impl LogFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Nothing when there is no log.
    fn extent(&self) -> io::Result<Option<LogExtent>> {
        match fs::metadata(&self.path) {
            Ok(metadata) => Ok(Some(LogExtent::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Never over what is there.
    fn link(&self, draft: &Path) -> io::Result<bool> {
        match fs::hard_link(draft, &self.path) {
            Ok(()) => fs::remove_file(draft).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whoever appends holds the lock of the file that they append to.
    fn exchange(&self, seen: &LogExtent, draft: &Path) -> io::Result<bool> {
        let former = File::open(&self.path)?;
        former.lock()?;
        if self.extent()? != Some(*seen) {
            return Ok(false);
        }
        fs::rename(draft, &self.path).map(|()| true)
    }

    /// Shortens it to what it was. Where that is forbidden (`chattr +a`), a piece of a line does no harm, and whole lines
    /// are there for good.
    fn take_back(&self, file: &File, seen: &LogExtent, error: io::Error) -> Unwritten {
        let shorter = OpenOptions::new().write(true).open(&self.path);
        if shorter.and_then(|shorter| shorter.set_len(seen.size)).is_ok() {
            return Unwritten::Nothing(error);
        }
        let size = file.metadata().map_or(u64::MAX, |metadata| metadata.len());
        match self.read(seen.size, size) {
            Ok(left) if !left.contains(&b'\n') => Unwritten::Nothing(error),
            _ => Unwritten::Lines(error),
        }
    }

    fn read(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(to - from).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl LogExtent {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { identity: [metadata.dev(), metadata.ino()], size: metadata.len() }
    }
}

/// A new name is durable once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

//! The medium: a file that only grows.
//!
//! Another medium has to offer these four: how long it is, what is written from an offset on, a beginning that nobody
//! else has made, and an addition that fails unless the end is still where the writer saw it. In a bucket the last two
//! are objects created under the name of their offset, and only if there is none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How long the log is, and that it is still the same one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogExtent {
    volume: u64,
    inode: u64,
    pub(crate) size: u64,
}

pub(crate) struct LogFile {
    path: PathBuf,
}

impl LogFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Nothing when there is no log.
    pub(crate) fn extent(&self) -> io::Result<Option<LogExtent>> {
        match fs::metadata(&self.path) {
            Ok(metadata) => Ok(Some(LogExtent::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The lines from an offset on, without their ends. What a crash cut off is the last one, or, when somebody went
    /// on writing after it, a line that nobody can read.
    pub(crate) fn lines(&self, from: u64) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>> + use<>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(BufReader::with_capacity(1 << 16, file).split(b'\n'))
    }

    /// The bytes between two offsets.
    pub(crate) fn read(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(to - from).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Begins the log, whole or not at all: under another name first, and never over what is there.
    pub(crate) fn create(&self, bytes: &[u8]) -> io::Result<LogExtent> {
        let draft = self.path.with_added_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::hard_link(&draft, &self.path)?;
        fs::remove_file(&draft)?;
        sync_folder(&self.path)?;
        Ok(LogExtent::of(&file.metadata()?))
    }

    /// Writes at the end, which must be where the caller saw it, and returns when a power cut does not undo it.
    /// Nothing when the end has moved: somebody else wrote. After a failure the file is as it was before, unless it is one
    /// that nobody may shorten.
    pub(crate) fn append(&self, seen: &LogExtent, bytes: &[u8]) -> Result<Option<LogExtent>, Unwritten> {
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

impl LogFile {
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
}

impl LogExtent {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { volume: metadata.dev(), inode: metadata.ino(), size: metadata.len() }
    }
}

/// A new name is durable once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

//! The keys that seal cookies, and the file in which the gates of a product share them.

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::digest::{Context, SHA256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tegata_core::Entropy;
use tegata_core::encoding::{base64url, from_base64url, hex};
use tegata_core::entropy::bytes;
use zeroize::Zeroizing;

/// What each line begins with. The number is the version of the form.
const LINE: &str = "tegata-session-key-1:";

const HEADING: &str = "# The keys that seal the cookies of browsers at a product. The first one seals, all of them open. Copy this file\n\
                       # to every gate of the product. docs/gates.md says how to change keys.\n";

/// More keys than anybody changes at once.
const MOST: usize = 8;

/// The longest file that is read.
const LONGEST: u64 = 16 * 1024;

/// Keys of AES-256-GCM. The first one seals, all of them open.
pub struct SessionKeys(Vec<SessionKey>);

pub(super) struct SessionKey {
    pub(super) id: [u8; 4],
    pub(super) key: LessSafeKey,
}

/// A file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionKeyError {
    /// The operating system says no.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// Somebody else could read it.
    #[error(
        "{0} may be read by others than its owner: `chmod 600 {0}`, and make new keys if others had access"
    )]
    Exposed(PathBuf),
    /// A line that is no key.
    #[error("line {0} is no key: a key is {LINE} and 43 characters, as the gate writes it")]
    Line(usize),
    /// No key at all, or too many.
    #[error("a file of session keys has one to {MOST} keys, each once")]
    Count,
}

impl SessionKeys {
    /// Reads a file, or makes it with a new key where there is none. Of two gates that make it at once, one does and the
    /// other reads.
    ///
    /// # Errors
    /// [`SessionKeyError`].
    pub fn read_or_make(path: &Path, entropy: &dyn Entropy) -> Result<Self, SessionKeyError> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(path, entropy).map_err(|error| SessionKeyError::Io(path.to_owned(), error))?;
            }
            _ => {}
        }
        Self::read(path)
    }

    /// Reads a file that its owner alone may read.
    ///
    /// # Errors
    /// [`SessionKeyError`].
    pub fn read(path: &Path) -> Result<Self, SessionKeyError> {
        let failed = |error| SessionKeyError::Io(path.to_owned(), error);
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            return Err(SessionKeyError::Exposed(path.to_owned()));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text)
    }

    /// From the text of a file.
    ///
    /// # Errors
    /// [`SessionKeyError::Line`] and [`SessionKeyError::Count`].
    pub fn parse(text: &str) -> Result<Self, SessionKeyError> {
        let mut keys: Vec<SessionKey> = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = SessionKey::parse(line).ok_or(SessionKeyError::Line(place + 1))?;
            if keys.len() == MOST || keys.iter().any(|other| other.id == key.id) {
                return Err(SessionKeyError::Count);
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(SessionKeyError::Count) } else { Ok(Self(keys)) }
    }

    /// A new key, as a line of the file.
    pub fn new_line(entropy: &dyn Entropy) -> Zeroizing<String> {
        let key = Zeroizing::new(bytes::<32>(entropy));
        Zeroizing::new(format!("{LINE}{}\n", *Zeroizing::new(base64url(&*key))))
    }

    pub(super) fn first(&self) -> &SessionKey {
        &self.0[0]
    }

    pub(super) fn find(&self, id: [u8; 4]) -> Option<&SessionKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl SessionKey {
    fn parse(line: &str) -> Option<Self> {
        let key = Zeroizing::new(from_base64url(line.strip_prefix(LINE)?)?);
        let mut context = Context::new(&SHA256);
        context.update(LINE.as_bytes());
        context.update(&key);
        let id = *context.finish().as_ref().first_chunk()?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?);
        Some(Self { id, key })
    }
}

/// Writes the file beside its place and links it there, which fails where one is by now.
fn make(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
    let suffix = hex(&bytes::<8>(entropy));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{suffix}"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = file
        .write_all(HEADING.as_bytes())
        .and_then(|()| file.write_all(SessionKeys::new_line(entropy).as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&beside, path));
    fs::remove_file(&beside)?;
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        written => written,
    }
}

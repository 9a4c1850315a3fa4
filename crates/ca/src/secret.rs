//! Secrets that open keys, and the files that hold secrets or keys.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tegata_core::Entropy;
use tegata_core::encoding::base32;
use tegata_core::entropy::bytes;
use zeroize::Zeroizing;

/// The shortest secret accepted, in bytes.
const SHORTEST: usize = 12;

/// The largest private file read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// What opens a sealed key. It is wiped when dropped and never prints itself.
pub struct UnlockSecret(Zeroizing<Vec<u8>>);

/// Why a secret or a private file is refused.
#[derive(Debug, thiserror::Error)]
pub enum UnlockSecretError {
    /// The passphrase has too few bytes to withstand guessing.
    #[error("the passphrase is too short: use at least {SHORTEST} bytes")]
    Short,
    /// OpenSSL would read only a part of it.
    #[error("the passphrase contains a line break or a NUL: put it on one line")]
    NotOneLine,
    /// Nothing that a token would take.
    #[error("this is not a PIN: put it on one line of text")]
    NotAPin,
    /// Others can read the file.
    #[error("{path} may be read by others (mode {mode:04o}): run `chmod 600 {path}`", path = path.display())]
    Exposed {
        /// The path of the file.
        path: PathBuf,
        /// Its permission bits, as `chmod` takes them.
        mode: u32,
    },
    /// Not a regular file, or larger than any key.
    #[error("{path} is not a key file: expected a regular file of at most 64 KiB", path = .0.display())]
    NotAFile(PathBuf),
    /// A private file is never overwritten.
    #[error("{path} exists already: move it away first if a new one is wanted", path = .0.display())]
    Exists(PathBuf),
    /// Reading or writing failed.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
}

impl UnlockSecret {
    /// From what a person typed or the environment carried.
    pub fn passphrase(text: &str) -> Result<Self, UnlockSecretError> {
        Self::checked(Zeroizing::new(text.as_bytes().to_vec()))
    }

    /// From the one line of a key file that only its owner can read.
    pub fn from_file(path: &Path) -> Result<Self, UnlockSecretError> {
        let mut content = read_private_file(path)?;
        while matches!(content.last(), Some(b'\n' | b'\r')) {
            content.pop();
        }
        Self::checked(content)
    }

    /// A new secret of 256 random bits, as text fit for a key file.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let random = Zeroizing::new(bytes::<32>(entropy));
        Self(Zeroizing::new(base32(random.as_slice()).into_bytes()))
    }

    /// The bytes, for the key derivation and for the one key file that keeps them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn checked(bytes: Zeroizing<Vec<u8>>) -> Result<Self, UnlockSecretError> {
        if bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
            return Err(UnlockSecretError::NotOneLine);
        }
        if bytes.len() < SHORTEST { Err(UnlockSecretError::Short) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Debug for UnlockSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Reads a regular file whose mode is 0600 or stricter. The mode is read from the opened file, so that
/// it cannot be exchanged between the look and the reading.
pub fn read_private_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, UnlockSecretError> {
    let failed = |error| UnlockSecretError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(UnlockSecretError::NotAFile(path.to_owned()));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o177 != 0 {
        return Err(UnlockSecretError::Exposed { path: path.to_owned(), mode });
    }
    // Room for all of it at once: a buffer that grows leaves copies of the secret behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(LARGEST).unwrap_or_default() + 1));
    file.take(LARGEST).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

/// Writes a new file of mode 0600. It is on the disk when this returns, and nothing was overwritten.
pub fn write_private_file(path: &Path, content: &[u8]) -> Result<(), UnlockSecretError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => UnlockSecretError::Exists(path.to_owned()),
        _ => UnlockSecretError::Io { path: path.to_owned(), error },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    // The new name is an entry of the folder: without this it may be gone after a power cut.
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use tegata_core::entropy::Seeded;

    #[test]
    fn a_key_file_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.secret");
        let secret = UnlockSecret::generate(&Seeded::new(1));
        write_private_file(&path, secret.as_bytes()).unwrap();
        assert_eq!(UnlockSecret::from_file(&path).unwrap().as_bytes(), secret.as_bytes());
        for mode in [0o640, 0o604, 0o620, 0o602, 0o700] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let message = UnlockSecret::from_file(&path).unwrap_err().to_string();
            assert!(message.contains("chmod 600"), "{mode:o}: {message}");
        }
        set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(UnlockSecret::from_file(&path).is_ok());
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_private_file(&path, b"first").unwrap();
        assert!(matches!(write_private_file(&path, b"second"), Err(UnlockSecretError::Exists(_))));
        assert_eq!(*read_private_file(&path).unwrap(), b"first");
    }

    #[test]
    fn a_secret_is_one_long_enough_line_and_never_printed() {
        assert!(matches!(UnlockSecret::passphrase("short"), Err(UnlockSecretError::Short)));
        assert!(matches!(
            UnlockSecret::passphrase("two lines\nof words"),
            Err(UnlockSecretError::NotOneLine)
        ));
        let secret = UnlockSecret::passphrase("correct horse battery").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}

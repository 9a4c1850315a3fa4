//! The certificate before the present one, kept with its key in the folder `previous` until the next renewal: a server
//! whose ledger was restored from a backup may know this one only.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tegata_ca::secret;
use tegata_installation::{Failure, FailureContext};
use zeroize::Zeroizing;

const FOLDER: &str = "previous";

/// The file that belongs to nobody else; the others need no protection.
const KEY: &str = "key.pem";
const FILES: [&str; 3] = [KEY, "cert.pem", "chain.pem"];

/// Where it is, if there is one.
pub fn of(folder: &Path) -> Option<PathBuf> {
    let previous = folder.join(FOLDER);
    previous.join(KEY).exists().then_some(previous)
}

/// Keeps the present certificate and its key, whole or not at all, before another takes their place.
pub fn keep(folder: &Path) -> Result<(), Failure> {
    const WHAT: &str = "cannot keep the present certificate beside the new one";
    let (fresh, previous) = (folder.join("previous.new"), folder.join(FOLDER));
    clear(&fresh).doing(WHAT)?;
    fs::create_dir(&fresh).doing(WHAT)?;
    for name in FILES {
        let content = match fs::read(folder.join(name)) {
            Ok(content) => Zeroizing::new(content),
            // A certificate of another authority may have come without it.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::wrong(format!("{WHAT}: {error}"))),
        };
        secret::write_private_file(&fresh.join(name), &content).doing(WHAT)?;
    }
    clear(&previous).doing(WHAT)?;
    fs::rename(fresh, previous).doing(WHAT)
}

fn clear(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_certificate_before_stays_beside_with_its_key_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        assert!(of(folder.path()).is_none());
        for generation in ["1", "2"] {
            for name in FILES {
                fs::write(folder.path().join(name), generation).unwrap();
            }
            // What a crash left.
            let _ = fs::create_dir(folder.path().join("previous.new"));
            keep(folder.path()).unwrap();
            let kept = of(folder.path()).unwrap();
            assert_eq!(fs::read_to_string(kept.join("chain.pem")).unwrap(), generation);
            assert_eq!(fs::metadata(kept.join(KEY)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

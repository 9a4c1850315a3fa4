//! The files and keys that an act makes: all of them, or none.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tegata_installation::{Failure, FailureContext, KeyRing};

/// New files and keys. Unless they are kept, they are gone when this is dropped: what came of a failed act can be
/// mistaken for nothing.
#[derive(Default)]
pub struct Outputs<'a> {
    files: Vec<PathBuf>,
    keys: Vec<(&'a KeyRing, String)>,
}

impl<'a> Outputs<'a> {
    /// A key that was just made.
    pub fn has_key(&mut self, ring: &'a KeyRing, name: &str) {
        self.keys.push((ring, name.to_owned()));
    }

    /// Writes a file that must not exist, durably.
    pub fn write(&mut self, path: &Path, content: &[u8]) -> Result<(), Failure> {
        let what = || format!("cannot write {}", path.display());
        let mut file =
            File::create_new(path).map_err(|error| Failure::misuse(format!("{}: {error}", what())))?;
        self.files.push(path.to_owned());
        file.write_all(content).and_then(|()| file.sync_all()).doing(what())?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()).doing(what())
    }

    /// Keeps all files and keys. Without this call they are removed when the value is dropped.
    pub fn keep(mut self) {
        self.files.clear();
        self.keys.clear();
    }
}

impl Drop for Outputs<'_> {
    fn drop(&mut self) {
        for file in &self.files {
            if let Err(error) = fs::remove_file(file) {
                tracing::error!(file = %file.display(), %error, "a file is left of a failed act: remove it");
            }
        }
        for (ring, name) in &self.keys {
            if let Err(error) = ring.discard(name) {
                tracing::error!(key = %name, %error, "a key is left of a failed act: remove it");
            }
        }
    }
}

/// Nothing is ever overwritten. Found out before anything is made.
pub fn must_be_new(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Err(Failure::misuse(format!("{} exists: nothing is overwritten", path.display())));
    }
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => {
            Err(Failure::misuse(format!("there is no folder {} to write to", folder.display())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_was_never_there() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, other) = (folder.path().join("kept"), folder.path().join("other"));
        let mut outputs = Outputs::default();
        outputs.write(&kept, b"whole").unwrap();
        outputs.keep();
        let mut outputs = Outputs::default();
        outputs.write(&other, b"half").unwrap();
        assert!(outputs.write(&kept, b"again").is_err());
        drop(outputs);
        assert_eq!(fs::read(&kept).unwrap(), b"whole");
        assert!(!other.exists());
        assert!(must_be_new(&kept).is_err() && must_be_new(&other).is_ok());
        assert!(must_be_new(&folder.path().join("no/folder")).is_err());
    }
}

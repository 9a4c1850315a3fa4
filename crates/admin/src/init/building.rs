//! Making an installation so that it is there as a whole or not at all.
//!
//! Files are made in the folder `.init` beside their places and then moved. Before anything is put outside of it, the
//! journal there names it. When making fails, what is named is taken away again; when the process or the machine dies,
//! the next `tegata init` does that first.

use rustix::fs::{FlockOperation, flock};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use tegata_installation::{Failure, FailureContext};

const FOLDER: &str = ".init";
const JOURNAL: &str = "journal";
const FILES: &str = "files";

/// An installation that is being made. Dropped without [`PartialInstallation::finish`], it leaves nothing behind.
pub struct PartialInstallation {
    data: PathBuf,
    /// Locked as long as this lives.
    journal: File,
    made: Vec<PathBuf>,
    is_whole: bool,
}

impl PartialInstallation {
    /// Begins, after taking away what an attempt left that was interrupted.
    pub fn begin(data: &Path) -> Result<Self, Failure> {
        let folder = data.join(FOLDER);
        make_folder(&folder, 0o700)?;
        let what = "cannot write the journal of what is made";
        let file = folder.join(JOURNAL);
        let journal = OpenOptions::new().create(true).append(true).open(&file);
        let journal = journal.inspect_err(|_| drop(fs::remove_dir(&folder))).doing(what)?;
        if flock(&journal, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Failure::misuse(format!("another `tegata init` is at work in {}", data.display())));
        }
        let mut building =
            Self { data: data.to_owned(), journal, made: read_journal(&file)?, is_whole: false };
        building.take_away();
        building.journal.set_len(0).doing(what)?;
        let files = building.files();
        let _ = fs::remove_dir_all(&files);
        make_folder(&files, 0o700)?;
        Ok(building)
    }

    /// Where files are made before they are moved.
    pub fn files(&self) -> PathBuf {
        self.data.join(FOLDER).join(FILES)
    }

    /// Must be called before something is made outside of [`PartialInstallation::files`]. What is there already stays, whatever
    /// happens.
    pub fn will_make(&mut self, path: &Path) -> Result<(), Failure> {
        let what = "cannot write the journal of what is made";
        if fs::symlink_metadata(path).is_ok() {
            return Ok(());
        }
        let path = std::path::absolute(path).doing(what)?;
        let line = [path.as_os_str().as_bytes(), b"\0"].concat();
        self.journal.write_all(&line).and_then(|()| self.journal.sync_data()).doing(what)?;
        self.made.push(path);
        Ok(())
    }

    /// Moves what was made to where it belongs. What is there already is not overwritten.
    pub fn move_files(&mut self) -> Result<(), Failure> {
        let (from, to) = (self.files(), self.data.clone());
        self.move_folder(&from, &to)
    }

    fn move_folder(&mut self, from: &Path, to: &Path) -> Result<(), Failure> {
        let what = || format!("cannot move what was made to {}", to.display());
        for entry in fs::read_dir(from).doing(what())? {
            let entry = entry.doing(what())?;
            let target = to.join(entry.file_name());
            let metadata = entry.metadata().doing(what())?;
            if metadata.is_dir() {
                self.will_make(&target)?;
                make_folder(&target, metadata.mode() & 0o777)?;
                self.move_folder(&entry.path(), &target)?;
            } else if fs::symlink_metadata(&target).is_ok() {
                return Err(Failure::misuse(format!("{} exists: nothing is overwritten", target.display())));
            } else {
                self.will_make(&target)?;
                fs::rename(entry.path(), &target).doing(what())?;
            }
        }
        sync_folder(to)
    }

    /// What was made so far and has this ending, wherever it is.
    pub fn made_with_extension(&self, extension: &str) -> Vec<PathBuf> {
        let has_it = |path: &PathBuf| path.extension().is_some_and(|own| own == extension) && path.exists();
        let keys = fs::read_dir(self.files().join("keys")).into_iter().flatten();
        let waiting = keys.filter_map(|entry| Some(entry.ok()?.path()));
        waiting.chain(self.made.iter().cloned()).filter(has_it).collect()
    }

    /// Everything is there: it stays.
    pub fn finish(mut self) {
        self.is_whole = true;
        let _ = self.journal.set_len(0);
    }

    /// Of folders only those that are empty: somebody may have put something there.
    fn take_away(&mut self) {
        for path in self.made.drain(..).rev() {
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
            let _ = if is_folder { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        }
    }
}

impl Drop for PartialInstallation {
    fn drop(&mut self) {
        if !self.is_whole {
            self.take_away();
        }
        let _ = fs::remove_dir_all(self.data.join(FOLDER));
    }
}

/// Whether an interrupted attempt left this file, so that the next one takes it away.
pub fn is_left_over(data: &Path, file: &Path) -> bool {
    let Ok(file) = std::path::absolute(file) else { return false };
    read_journal(&data.join(FOLDER).join(JOURNAL)).is_ok_and(|made| made.contains(&file))
}

/// Makes a folder and what is above it, unless it is there.
pub fn make_folder(folder: &Path, mode: u32) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.doing(format!("cannot make the folder {}", folder.display()))
}

fn read_journal(file: &Path) -> Result<Vec<PathBuf>, Failure> {
    match fs::read(file) {
        // A path without its end was cut off by the crash, before anything was made there.
        Ok(bytes) => Ok(bytes
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|line| line.strip_suffix(b"\0"))
            .map(|path| std::ffi::OsString::from_vec(path.to_vec()).into())
            .collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).doing(format!("cannot read {}", file.display())),
    }
}

fn sync_folder(folder: &Path) -> Result<(), Failure> {
    File::open(folder).and_then(|folder| folder.sync_all()).doing("cannot sync the data folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn build(data: &Path) -> PartialInstallation {
        let mut building = PartialInstallation::begin(data).unwrap();
        make_folder(&building.files().join("keys"), 0o700).unwrap();
        fs::write(building.files().join("keys/root.pem"), "key").unwrap();
        building.move_files().unwrap();
        let log = data.join("log");
        building.will_make(&log).unwrap();
        fs::write(&log, "log").unwrap();
        building
    }

    #[test]
    fn what_is_whole_stays_and_what_is_not_goes() {
        let data = tempfile::tempdir().unwrap();
        drop(build(data.path()));
        assert!(listing(data.path()).is_empty());
        build(data.path()).finish();
        assert_eq!(listing(data.path()), ["keys", "log"]);
        assert_eq!(fs::metadata(data.path().join("keys")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_a_crash_left_is_taken_away_by_the_next_attempt() {
        let data = tempfile::tempdir().unwrap();
        let mut building = build(data.path());
        // As the process would have left it.
        building.is_whole = true;
        let kept = data.path().join("kept");
        fs::create_dir(&kept).unwrap();
        fs::copy(data.path().join(FOLDER).join(JOURNAL), kept.join(JOURNAL)).unwrap();
        building.finish();
        fs::rename(kept, data.path().join(FOLDER)).unwrap();
        drop(PartialInstallation::begin(data.path()).unwrap());
        assert!(listing(data.path()).is_empty());
    }

    #[test]
    fn what_others_put_there_is_neither_overwritten_nor_taken_away() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("keys")).unwrap();
        fs::write(data.path().join("keys/root.pem"), "mine").unwrap();
        let mut building = PartialInstallation::begin(data.path()).unwrap();
        make_folder(&building.files().join("keys"), 0o700).unwrap();
        fs::write(building.files().join("keys/root.pem"), "new").unwrap();
        fs::write(building.files().join("keys/token.pem"), "new").unwrap();
        assert!(building.move_files().unwrap_err().to_string().contains("nothing is overwritten"));
        assert!(PartialInstallation::begin(data.path()).is_err(), "one at a time");
        drop(building);
        assert_eq!(listing(&data.path().join("keys")), ["root.pem"]);
        assert_eq!(fs::read(data.path().join("keys/root.pem")).unwrap(), b"mine");
    }
}

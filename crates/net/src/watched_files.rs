//! Files that somebody else replaces while the program runs, such as a listener's certificate and key.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tegata_core::Thumbprint;
use tokio::time::sleep;

/// How often the files are looked at: what was replaced is in use well within a second.
const PERIOD: Duration = Duration::from_millis(250);

/// A set of files that are used together. They are compared by their contents: whoever replaces them may keep times and
/// lengths, or replace what a link leads to.
pub struct WatchedFiles {
    files: Vec<PathBuf>,
    known: FileDigests,
}

/// The SHA-256 of each file; nothing where it cannot be read.
type FileDigests = Vec<Option<Thumbprint>>;

impl WatchedFiles {
    /// To be made before the files are first used: what is written in between shows as news.
    pub fn new(files: Vec<PathBuf>) -> Self {
        let known =
            files.iter().map(|file| std::fs::read(file).ok().map(|text| Thumbprint::of(&text))).collect();
        Self { files, known }
    }

    /// Calls `take_over` whenever the files have changed, for ever. What cannot be used changes nothing: files are
    /// replaced one after the other, so it is tried again until they stay as they are, and then reported once.
    pub async fn follow<E: Display>(mut self, mut take_over: impl FnMut() -> Result<(), E>) {
        let mut unfit: Option<FileDigests> = None;
        loop {
            sleep(PERIOD).await;
            let contents = self.read().await;
            if contents == self.known {
                unfit = None;
                continue;
            }
            match take_over() {
                Ok(()) => tracing::info!(files = self.names(), "replaced files are in use"),
                Err(_) if unfit.as_ref() != Some(&contents) => {
                    unfit = Some(contents);
                    continue;
                }
                Err(error) => {
                    tracing::error!(files = self.names(), %error, "replaced files cannot be used: what was there before stays in use");
                }
            }
            self.known = contents;
        }
    }

    async fn read(&self) -> FileDigests {
        let mut contents = FileDigests::with_capacity(self.files.len());
        for file in &self.files {
            contents.push(tokio::fs::read(file).await.ok().map(|text| Thumbprint::of(&text)));
        }
        contents
    }

    fn names(&self) -> String {
        let name = |file: &PathBuf| Path::display(file).to_string();
        self.files.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::timeout;

    const SECOND: Duration = Duration::from_secs(1);

    /// How often what was put there is tried, and taken over, within a second and a half.
    async fn tried(put: impl AsyncFnOnce(&Path, &Path)) -> (usize, usize) {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        std::fs::write(&one, "1").unwrap();
        std::fs::write(&other, "1").unwrap();
        let (tries, uses) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let fits = || {
            tries.fetch_add(1, Ordering::Relaxed);
            let fits = std::fs::read(&one).ok() == std::fs::read(&other).ok();
            uses.fetch_add(usize::from(fits), Ordering::Relaxed);
            if fits { Ok(()) } else { Err("they do not fit") }
        };
        let watched = WatchedFiles::new(vec![one.clone(), other.clone()]);
        let putting = async {
            put(&one, &other).await;
            sleep(SECOND + SECOND / 2).await;
        };
        tokio::select! {
            () = watched.follow(fits) => {}
            () = putting => {}
        }
        (tries.into_inner(), uses.into_inner())
    }

    #[tokio::test]
    async fn files_that_are_replaced_are_taken_over_once_though_their_length_stays() {
        let both = tried(async |one, other| {
            std::fs::write(one, "2").unwrap();
            std::fs::write(other, "2").unwrap();
        });
        assert_eq!(timeout(10 * SECOND, both).await.unwrap(), (1, 1));
    }

    #[tokio::test]
    async fn files_that_do_not_fit_are_tried_twice_and_then_left_until_they_change() {
        let half = tried(async |one, _| std::fs::write(one, "2").unwrap());
        assert_eq!(timeout(10 * SECOND, half).await.unwrap(), (2, 0));
        let late = tried(async |one, other| {
            std::fs::write(one, "2").unwrap();
            sleep(SECOND).await;
            std::fs::write(other, "2").unwrap();
        });
        assert_eq!(timeout(10 * SECOND, late).await.unwrap(), (3, 1));
        let gone = tried(async |one, _| std::fs::remove_file(one).unwrap());
        assert_eq!(timeout(10 * SECOND, gone).await.unwrap(), (2, 0));
    }
}

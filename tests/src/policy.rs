//! The administrator's word to Chromium: which sites get a certificate without asking the person.
//!
//! Chromium reads managed policies from one folder of the machine, so that one browser at a time may have its own.

use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

const FOLDER: &str = "/etc/chromium/policies/managed";
const PREFIX: &str = "tegata-test-";

/// A policy file, gone when dropped, and the turn to have one.
#[derive(Debug)]
pub struct Policy {
    file: PathBuf,
    _turn: File,
}

impl Policy {
    /// Waits for its turn and lets Chromium choose a certificate by itself at these URL patterns.
    ///
    /// # Panics
    /// Where this folder cannot be written: as root it can.
    #[must_use]
    pub fn auto_select(patterns: &[String]) -> Self {
        let turn = turn();
        let folder = Path::new(FOLDER);
        fs::create_dir_all(folder).unwrap_or_else(|error| refuse(&error));
        remove_leftovers(folder);
        let rule = |pattern: &String| json!({ "pattern": pattern, "filter": {} }).to_string();
        let rules: Vec<_> = patterns.iter().map(rule).collect();
        let file = folder.join(format!("{PREFIX}{}.json", std::process::id()));
        let policy = json!({ "AutoSelectCertificateForUrls": rules });
        fs::write(&file, policy.to_string()).unwrap_or_else(|error| refuse(&error));
        Self { file, _turn: turn }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn turn() -> File {
    let path = std::env::temp_dir().join("tegata-test-browser.lock");
    let file = File::options().create(true).append(true).open(path).expect("a lock file");
    file.lock().expect("a turn");
    file
}

/// Of a run that was killed: nobody else has a turn now.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn refuse(error: &std::io::Error) -> ! {
    panic!(
        "{FOLDER}: {error}. The tests with a real browser need a managed policy there, because a certificate \
         chooser cannot be clicked without a screen: run them as root"
    )
}

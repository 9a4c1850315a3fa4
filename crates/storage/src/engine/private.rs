//! The files of an embedded ledger are for the account that runs the server, and for nobody else.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const PRIVATE: u32 = 0o600;

/// Begins the file of a new ledger so that only its owner reads it, and takes from others what an older version, or a copy,
/// left open to them. SQLite gives its log and its shared memory the permissions of the ledger itself.
pub(super) fn keep(ledger: &Path) {
    // Whoever may not create the file is told so by SQLite, and better.
    let _ = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(ledger);
    for file in [ledger.to_owned(), beside(ledger, "-wal"), beside(ledger, "-shm")] {
        let Ok(metadata) = fs::metadata(&file) else { continue };
        let is_open = metadata.permissions().mode() & 0o077 != 0;
        if metadata.is_file()
            && is_open
            && let Err(error) = fs::set_permissions(&file, Permissions::from_mode(PRIVATE))
        {
            tracing::warn!(file = %file.display(), %error, "others may read the ledger: set its mode to 0600");
        }
    }
}

fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(ledger);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use crate::Ledger;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn nobody_else_on_the_machine_reads_the_ledger_or_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
        let modes = || {
            let modes = ["ledger.db", "ledger.db-wal", "ledger.db-shm"]
                .map(|name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777);
            modes.to_vec()
        };
        let ledger = Ledger::open(&url).await.unwrap();
        assert_eq!(modes(), [0o600; 3]);
        ledger.close().await;
        fs::set_permissions(folder.path().join("ledger.db"), Permissions::from_mode(0o644)).unwrap();
        let ledger = Ledger::open(&url).await.unwrap();
        assert_eq!(modes(), [0o600; 3], "what an older version made is closed");
        ledger.close().await;
    }
}

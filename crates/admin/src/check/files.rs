//! Files and the disk they lie on.

use super::code::FindingCode;
use super::context::CheckContext;
use super::report::CheckReport;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tegata_installation::Config;

/// Free bytes below which nothing can be promised, and below which somebody should look.
const FULL: u64 = 64 << 20;
const LOW: u64 = 1 << 30;

/// The permissions of the configuration, and the free disk space.
pub fn look(report: &mut CheckReport, config: &Config, file: &Path) {
    let holds_password = config.storage.url.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    let code = if holds_password { FindingCode::ConfigExposed } else { FindingCode::ConfigReadable };
    closed(report, file, 0o600, code);
    let folder = config.folder();
    let free = free_bytes(folder);
    if let Some(code) = free.and_then(shortage) {
        let free = free.unwrap_or_default() >> 20;
        report.add(code, folder.display(), format!("{free} MiB are free"));
    }
    let detail = match free {
        Some(free) => format!("configuration closed, {} MiB free", free >> 20),
        None => "configuration closed".to_owned(),
    };
    report.area("files", detail);
}

/// Notes a file or folder that allows more than `mode`. Gives whether it is there at all: who needs it says so.
pub fn closed(report: &mut CheckReport, path: &Path, mode: u32, code: FindingCode) -> bool {
    let Ok(metadata) = fs::metadata(path) else { return false };
    let found = metadata.permissions().mode() & 0o7777;
    if found & !mode != 0 {
        report.add(code, path.display(), format!("mode {found:04o}, at most {mode:04o} is closed to others"));
    }
    true
}

/// Whether a file allows more than `mode`.
pub fn is_open_to_others(path: &Path, mode: u32) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o7777 & !mode != 0)
}

/// A key that belongs to another account than the folder of the installation cannot be read by the server, or can be
/// changed by somebody else.
pub fn owned(look: &mut CheckContext<'_>, file: &Path, what: &str) {
    let (Ok(own), Ok(folder)) = (fs::metadata(file), fs::metadata(look.config.folder())) else { return };
    if own.uid() != folder.uid() {
        let detail = format!("{what} belongs to uid {}, the installation to uid {}", own.uid(), folder.uid());
        look.report.add(FindingCode::KeyOwner, file.display(), detail);
    }
}

/// The device a file, or the nearest folder above it, lies on.
pub fn device_of(path: &Path) -> Option<u64> {
    let mut path = PathBuf::from(path);
    loop {
        if let Ok(metadata) = fs::metadata(&path) {
            return Some(metadata.dev());
        }
        if !path.pop() {
            return None;
        }
    }
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

const fn shortage(free: u64) -> Option<FindingCode> {
    match free {
        0..FULL => Some(FindingCode::DiskFull),
        FULL..LOW => Some(FindingCode::DiskLow),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_hears_of_a_full_disk_before_it_is_full() {
        assert_eq!(shortage(LOW), None);
        assert_eq!(shortage(LOW - 1), Some(FindingCode::DiskLow));
        assert_eq!(shortage(FULL - 1), Some(FindingCode::DiskFull));
        assert!(free_bytes(&std::env::temp_dir()).is_some_and(|free| free > 0));
    }
}

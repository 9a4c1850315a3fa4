//! Firefox keeps certificates in its profile, beside those of the system.

use super::{create_certificate_store, temporary};
use std::path::Path;
use tempfile::TempDir;

/// A home with a profile in it, and nothing in that but the server's CA.
pub(super) fn home(tls_ca: &Path) -> TempDir {
    let home = temporary();
    create_certificate_store(&home.path().join("profile"), tls_ca);
    home
}

/// A serial number as Firefox writes it: `5C:31:E8…`.
pub(super) fn written(serial: &str) -> String {
    let digits = serial.to_uppercase();
    let pairs = digits.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned());
    pairs.collect::<Vec<_>>().join(":")
}

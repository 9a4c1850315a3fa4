//! What the enrollment page's PKCS#12 file costs a browser: measured by node, which has Chromium's engine.

use crate::BenchOutcome;
use crate::report::BenchRow;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The file of one certificate, next to the hashes and ciphers in it by the engine's own library.
pub fn row() -> BenchOutcome<BenchRow> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/parcel.mjs");
    let output = Command::new("node").arg(script).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let measured: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| measured[name].as_f64().ok_or("node did not say what it measured");
    Ok(BenchRow { path: "parcel in the page", us: number("us")?, limit_us: number("limit_us")? })
}

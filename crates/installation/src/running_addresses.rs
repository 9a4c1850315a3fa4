//! Where a development server really listens, when it was started with other ports than the configured ones.

use crate::{Config, Failure, FailureContext};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tegata_core::HttpOrigin;

/// Notes the addresses of this configuration, into which the ports were written, for other commands on the same folder.
pub fn write(config: &Config) -> Result<(), Failure> {
    let [portal, device, public] =
        [&config.portal.url, &config.device.url, &config.public.url].map(ToString::to_string);
    let text = json!({"portal": portal, "device": device, "public": public});
    std::fs::write(file(config), text.to_string()).doing("cannot write running.json")
}

/// Nothing runs any more. A file left by a crash names a dead port, and the next start overwrites it.
pub fn remove(config: &Config) {
    let _ = std::fs::remove_file(file(config));
}

/// The portal of the running server, if one noted it.
pub fn portal(config: &Config) -> Option<HttpOrigin> {
    noted(config, "portal")
}

/// The device listener of the running server, if one noted it.
pub fn device(config: &Config) -> Option<HttpOrigin> {
    noted(config, "device")
}

/// The public listener of the running server, if one noted it.
pub fn public(config: &Config) -> Option<HttpOrigin> {
    noted(config, "public")
}

fn noted(config: &Config, listener: &str) -> Option<HttpOrigin> {
    let text = std::fs::read_to_string(file(config)).ok()?;
    let noted: Value = serde_json::from_str(&text).ok()?;
    HttpOrigin::parse(noted[listener].as_str()?).ok()
}

fn file(config: &Config) -> PathBuf {
    config.path(Path::new("running.json"))
}

//! Clients that others wrote, from the npm registry, and the scripts in `tests/clients` that run them.

use crate::command::CommandOutcome;
use crate::python;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// `node tests/clients/SCRIPT` with one JSON argument; its answer is one line of JSON.
pub fn run(script: &str, argument: &Value) -> Value {
    CommandOutcome::of(node(script).arg(argument.to_string())).good().json()
}

/// `python SCRIPT` of an environment with these packages, with one JSON argument; its answer is one line of JSON.
pub fn run_python(packages: &[&str], script: &str, argument: &Value) -> Value {
    self::packages();
    CommandOutcome::of(python(packages, script).arg(argument.to_string())).good().json()
}

/// Python of an environment with these packages, with one of the scripts.
pub(crate) fn python(packages: &[&str], script: &str) -> Command {
    let mut command = Command::new(python::environment(packages).join("python"));
    command.arg(folder().join(script));
    command
}

/// Node with one of the scripts, whose packages must be there.
pub(crate) fn node(script: &str) -> Command {
    let folder = folder();
    packages();
    let mut command = Command::new("node");
    command.arg(folder.join(script)).current_dir(folder);
    command
}

/// The folder of their packages.
pub(crate) fn packages() -> PathBuf {
    let packages = folder().join("node_modules");
    assert!(packages.is_dir(), "run `npm ci` in {}", folder().display());
    packages
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients")
}

//! The program under test.

use crate::command::CommandOutcome;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `tegata`: the one that `TEGATA_BIN` names, or the one built from this workspace, brought up to date once.
pub fn tegata() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("TEGATA_BIN").map_or_else(build, PathBuf::from))
}

/// Builds into the target folder that this test came out of: `{target}/{profile}/deps/{test}`.
fn build() -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the folder of the profile");
    let target = profile.parent().expect("the target folder");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "-p", "tegata-tegata", "--bin", "tegata", "--target-dir"]);
    command.arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let outcome = CommandOutcome::of(&mut command);
    assert_eq!(outcome.code, 0, "tegata does not build:\n{}", outcome.stderr);
    profile.join("tegata")
}

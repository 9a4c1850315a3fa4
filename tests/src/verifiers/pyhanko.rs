//! pyhanko-certvalidator from `PyPI`, through `tests/clients/verifiers/pyhanko.py`.

use super::{Court, Exhibit, lines, script};
use crate::python;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The version that judges.
const PACKAGE: &str = "pyhanko-certvalidator==0.33.0";

/// What it says of each certificate by its own list.
pub fn by_lists(court: &Court) -> Vec<String> {
    verdicts(court, "crl", court.exhibits.iter().map(|exhibit| (exhibit, exhibit.crl.as_path())))
}

/// What it says of each certificate by the answer of its responder.
pub fn by_answers(court: &Court) -> Vec<String> {
    verdicts(court, "ocsp", court.exhibits.iter().map(|exhibit| (exhibit, exhibit.ocsp.as_path())))
}

/// What it says of one certificate by this list.
pub fn verdict_by(court: &Court, exhibit: &Exhibit, list: &Path) -> String {
    verdicts(court, "crl", [(exhibit, list)]).remove(0)
}

fn verdicts<'a>(
    court: &Court,
    kind: &str,
    pairs: impl IntoIterator<Item = (&'a Exhibit, &'a Path)>,
) -> Vec<String> {
    let mut python = Command::new(&*PYTHON);
    python.arg(script("pyhanko.py")).arg(&court.installation.ca).arg(&court.issuing);
    python.arg(court.root_list.as_deref().unwrap_or(Path::new("-"))).arg(kind);
    for (exhibit, file) in pairs {
        python.arg(exhibit.identity.file("cert.pem")).arg(file);
    }
    lines(&mut python)
}

static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| python::environment(&[PACKAGE]).join("python"));

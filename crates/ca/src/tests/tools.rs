//! Finding and running the programs that judge. A program that is missing fails the test: a verdict
//! nobody gave is not a pass.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// The version of pkilint that judges.
const PKILINT: &str = "pkilint==0.13.3";

/// Runs openssl and expects it to succeed.
pub(crate) fn openssl<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    succeed("openssl", arguments, b"", "apt-get install openssl")
}

/// Runs `GnuTLS`'s certtool with `input` and expects it to succeed.
pub(crate) fn certtool<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, input: &[u8]) -> Output {
    succeed("certtool", arguments, input, "apt-get install gnutls-bin")
}

/// Runs Java's keytool, which speaks to a person that is not there: what it says, to whichever stream.
pub(crate) fn keytool<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> String {
    let output = run("keytool", arguments, b"", "apt-get install default-jre-headless");
    [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
}

/// Runs one of pkilint's linters: its findings from WARNING up, one a line, `code (SEVERITY): …`.
pub(crate) fn pkilint(linter: &str, options: &[&str], document: &Path) -> Vec<String> {
    let fixed = ["lint", "-s", "WARNING", "-f", "TEXT"];
    let arguments = fixed.iter().chain(options).map(OsStr::new).chain([document.as_os_str()]);
    let output = run(PKILINT_PROGRAMS.join(linter), arguments, b"", "python3 -m pip install pkilint");
    let said = String::from_utf8_lossy(&output.stdout);
    let is_finding =
        |line: &&str| ["FATAL", "ERROR", "WARNING"].iter().any(|word| line.contains(&format!("({word})")));
    let findings: Vec<_> = said.lines().filter(is_finding).map(|line| line.trim().to_owned()).collect();
    // A linter that fell over has no findings either: it must have come to an end it calls clean.
    assert!(
        output.stderr.is_empty() && output.status.success() == findings.is_empty(),
        "{linter} said {}:\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    findings
}

/// Runs any program and returns what it did.
pub(crate) fn run<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
    input: &[u8],
    remedy: &str,
) -> Output {
    let program = program.as_ref();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be run ({error}): {remedy}", program.display()));
    // A program that does not read its input closes it: that is no failure.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    child.wait_with_output().unwrap()
}

fn succeed<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
    input: &[u8],
    remedy: &str,
) -> Output {
    let name = program.as_ref().display().to_string();
    let output = run(program, arguments, input, remedy);
    assert!(
        output.status.success(),
        "{name} said {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// pkilint from `PyPI` in a virtual environment below the target folder, made once.
static PKILINT_PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let environment = target_folder().join(PKILINT.replace("==", "-"));
    let programs = environment.join("bin");
    if !programs.join("complete").exists() {
        let remedy = "apt-get install python3-venv, and reach PyPI once";
        succeed("python3", [OsStr::new("-m"), OsStr::new("venv"), environment.as_os_str()], b"", remedy);
        succeed(programs.join("pip"), ["install", "--quiet", PKILINT], b"", remedy);
        std::fs::write(programs.join("complete"), "").unwrap();
    }
    programs
});

/// Where this test was built: `{target}/debug/deps/{test}`.
fn target_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

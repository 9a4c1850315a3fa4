//! `tegata init`: asked on a terminal, whole or not at all, and a first start that says nothing false.

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{CommandOutcome, Process, Storehouse, ports, run, tegata};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("tegata-init-").tempdir().expect("a folder")
}

fn init(data: &Path, options: &[&str]) -> CommandOutcome {
    CommandOutcome::of(Command::new(tegata()).arg("init").arg("--data").arg(data).args(options))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A file system with room for so many files, gone when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(files: usize) -> Self {
        let disk = Self(folder());
        disk.mount(&format!("nr_inodes={files}"));
        disk
    }

    fn grow(&self) {
        self.mount("remount,nr_inodes=1000");
    }

    /// Mounts it as root, in a container that may mount.
    fn mount(&self, options: &str) {
        run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", &self.0.path().display().to_string()]);
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn an_init_that_fails_at_any_file_leaves_nothing_and_can_be_repeated() {
    let (mut failed, mut files) = (0, 2);
    loop {
        let disk = SmallDisk::new(files);
        let outcome = init(&disk.data(), &[]);
        if outcome.code == 0 {
            break;
        }
        failed += 1;
        assert_eq!(names(&disk.data()), Vec::<String>::new(), "with {files} files: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        // The next one is tried now and then: it begins with the same empty folder each time.
        if files.is_multiple_of(5) {
            disk.grow();
            init(&disk.data(), &[]).good();
            assert!(disk.data().join("tegata.toml").exists());
        }
        // Keys and certificates are files like each other; what comes after them is tried one by one.
        files += if files < 22 { 4 } else { 1 };
    }
    assert!(failed > 10, "it failed at {failed} files");
}

#[test]
fn an_init_that_was_killed_is_taken_away_by_the_next() {
    let (data, elsewhere) = (folder(), folder());
    let log = elsewhere.path().join("revocations.log").display().to_string();
    let storage = format!("sqlite:{}", elsewhere.path().join("ledger.db").display());
    let options = ["--revocations", &log, "--storage", &storage];
    let mut killed = 0;
    for wait in (100..1600).step_by(150) {
        let mut command = Command::new(tegata());
        command.arg("init").arg("--data").arg(data.path()).args(options);
        let mut attempt = Process::start("an init", &mut command, &elsewhere.path().join("log"));
        std::thread::sleep(Duration::from_millis(wait));
        attempt.kill();
        if data.path().join("tegata.toml").exists() {
            break;
        }
        killed += 1;
    }
    assert!(killed > 0);
    if !data.path().join("tegata.toml").exists() {
        init(data.path(), &options).good();
    }
    let check = CommandOutcome::of(Command::new(tegata()).arg("check").arg("--data").arg(data.path())).good();
    assert!(!data.path().join(".init").exists(), "{}", check.stdout);
}

#[test]
fn an_init_that_cannot_reach_its_parts_leaves_nothing() {
    let outside = folder();
    let sqlite = format!("sqlite:{}", outside.path().join("missing/ledger.db").display());
    let log = outside.path().join("missing/revocations.log").display().to_string();
    let data = folder();
    for options in [
        vec!["--storage", &sqlite],
        vec!["--revocations", &log],
        vec!["--pkcs11-module", "/nowhere.so", "--pkcs11-token", "none"],
        vec!["--host", "192.0.2.1"],
        vec!["--public", "https://pki.example.jp"],
        vec!["--portal-port", "443", "--device-port", "443"],
    ] {
        let outcome = init(data.path(), &options);
        assert_ne!(outcome.code, 0, "{options:?}");
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        assert_eq!(names(data.path()), Vec::<String>::new(), "{options:?}");
    }
    init(data.path(), &[]).good();
}

#[test]
fn a_database_that_a_failed_init_touched_takes_the_next_and_no_second() {
    let (store, data, outside) = (Storehouse::postgres(), folder(), folder());
    let url = store.url();
    let log = |folder: &str| outside.path().join(folder).join("revocations.log").display().to_string();
    std::fs::create_dir_all(outside.path().join("log")).expect("a folder");
    let outcome = init(data.path(), &["--storage", &url, "--revocations", &log("missing")]);
    assert_ne!(outcome.code, 0);
    assert_eq!(names(data.path()), Vec::<String>::new(), "{}", outcome.stderr);
    // As after a crash between the naming of a log and the first rows.
    let named = "UPDATE head SET revocation_log = 'taken-away' WHERE id = 1";
    run("psql", &["--quiet", "--dbname", &url, "--command", named]);
    init(data.path(), &["--storage", &url, "--revocations", &log("log")]).good();
    let second = init(folder().path(), &["--storage", &url]);
    assert!(second.stderr.contains("has an installation already"), "{}", second.stderr);
    CommandOutcome::of(Command::new(tegata()).arg("check").arg("--data").arg(data.path())).good();
}

#[test]
fn what_is_there_already_is_nobodys_to_overwrite() {
    let data = folder();
    std::fs::create_dir(data.path().join("keys")).expect("a folder");
    std::fs::write(data.path().join("keys/server.pem"), "mine").expect("a file");
    let outcome = init(data.path(), &[]);
    assert!(outcome.stderr.contains("server.pem exists: nothing is overwritten"), "{}", outcome.stderr);
    assert_eq!(names(data.path()), ["keys"]);
    assert_eq!(names(&data.path().join("keys")), ["server.pem"]);

    let other = folder();
    init(other.path(), &[]).good();
    let storage = format!("sqlite:{}", other.path().join("ledger.db").display());
    let outcome = init(folder().path(), &["--storage", &storage]);
    assert!(outcome.stderr.contains("has an installation already"), "{}", outcome.stderr);
    assert_eq!(init(other.path(), &[]).code, 2, "one installation in a folder");
    CommandOutcome::of(Command::new(tegata()).arg("check").arg("--data").arg(other.path())).good();
}

#[test]
fn an_operator_on_a_terminal_is_asked_and_told_what_comes_next() {
    let data = folder();
    let line = format!("{} init --data {}", tegata().display(), data.path().display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
    let mut terminal = Process::start("a terminal", &mut script, &data.path().join("terminal.log"));
    let answers = "tegata.example.jp\n443\n\n80\n\n\n青葉会\n\nhttps://rezept.example.jp\n";
    std::io::Write::write_all(terminal.input(), answers.as_bytes()).expect("a terminal");
    let mut said = String::new();
    while let Some(line) = terminal.next_line() {
        said.extend([&line, "\n"]);
    }
    for word in [
        "Host name",
        "First tenant",
        "*.probe.tegata.example.jp",
        "443 ",
        "unlock.key",
        "root.pem",
        "tegata serve",
    ] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let text = std::fs::read_to_string(data.path().join("tegata.toml")).expect("a configuration");
    for line in [
        "url = \"https://tegata.example.jp\"",
        "url = \"http://tegata.example.jp\"",
        "listen = \"0.0.0.0:443\"",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }

    let told = init(folder().path(), &["--json"]).good().json();
    assert_eq!(told["portal"], json!("https://localhost:8443"));
    assert_eq!(told["listeners"][0]["listen"], json!("127.0.0.1:8443"));
}

#[test]
fn a_first_start_without_dns_says_what_is_missing_and_nothing_else() {
    let data = folder();
    let [portal, device, public] = [(); 3].map(|()| ports::free().to_string());
    let options = ["--host", "tegata-of-nobody.invalid", "--listen", "127.0.0.1", "--portal-port", &portal];
    init(data.path(), &[&options[..], &["--device-port", &device, "--public-port", &public]].concat()).good();
    let file = data.path().join("tegata.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::write(&file, format!("[canary]\nevery_minutes = 1\ngrace_seconds = 8\n\n{text}"))
        .expect("a file");
    let mut command = Command::new(tegata());
    command.arg("serve").arg("--data").arg(data.path());
    let server = Process::start("tegata serve", &mut command, &data.path().join("server.log"));
    eventually("it serves", PATIENCE, || ports::answers(portal.parse().expect("a port")));
    std::thread::sleep(Duration::from_secs(5));
    let first = server.log();
    assert!(!first.contains("WARN") && !first.contains("ERROR"), "{first}");
    eventually("the name is named", PATIENCE, || server.log().contains("does not resolve"));
    let log = server.log();
    assert!(log.contains("tegata-of-nobody.invalid") && !log.contains("ERROR"), "{log}");
    assert!(!log.contains("what was revoked"), "{log}");
}

//! One installation furnished once; each case takes a copy of its folder, makes it bad in exactly one way, and asks.

use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{fs, thread};
use tegata_tests::{CommandOutcome, Curl, RunningInstallation, run};
use tempfile::TempDir;

/// What every copy has: `tegata dev` keeps all in one folder.
const AT_HOME: [&str; 2] = ["revocation-log-together", "root-key-online"];

/// What is left of an installation in which something of everything has happened.
pub(crate) struct Furnished {
    /// In a place that the next run clears: what is shared by all tests has no end of its own.
    pub(crate) data: PathBuf,
    pub(crate) program: String,
    /// The public address its certificates name.
    pub(crate) public: String,
    /// Two generations, the older one in its grace.
    pub(crate) renewed: String,
    pub(crate) revoked: String,
    pub(crate) suspended: String,
    pub(crate) plain: String,
    pub(crate) issuer: String,
}

pub(crate) static FURNISHED: LazyLock<Furnished> = LazyLock::new(|| {
    let mut installation = RunningInstallation::start();
    let renewed = installation.enroll("renewed").renew(&installation).device;
    let revoked = installation.enroll("revoked").device;
    let suspended = installation.enroll("suspended").device;
    let plain = installation.enroll("plain").device;
    installation.tell(&["device", "revoke", "--yes", &revoked]);
    installation.tell(&["device", "suspend", &suspended]);
    installation.tell(&["device", "revoke-tokens", &plain]);
    installation.tell(&["tenant", "add", "みどり薬局"]);
    installation.tell(&["tenant", "suspend", "みどり薬局"]);
    // The first SCEP request makes the registrar.
    Curl::to(&format!("{}/scep?operation=GetCACert", installation.public)).send().expect(200);
    installation.kill();
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check");
    let _ = fs::remove_dir_all(&data);
    copy_folder(&installation.data(), &data);
    let issuer = sql(&data, "SELECT id FROM issuer WHERE kind = 'issuing'").trim().to_owned();
    let program = installation.command_line(&[]).remove(0);
    Furnished {
        data,
        program,
        public: installation.public.clone(),
        renewed,
        revoked,
        suspended,
        plain,
        issuer,
    }
});

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    run("cp", &["-a", &format!("{}/.", from.display()), &to.display().to_string()]);
}

/// A copy to be spoilt.
pub(crate) struct Copy {
    pub(crate) folder: TempDir,
}

impl Copy {
    pub(crate) fn make() -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-check-").tempdir().expect("a folder");
        copy_folder(&FURNISHED.data, folder.path());
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Statements behind the ledger's back, without its foreign keys. `:renewed` and the like stand for identifiers.
    pub(crate) fn sql(&self, statements: &str) {
        sql(self.folder.path(), &named(statements));
    }

    /// Python with `ledger`, `folder`, `execute`, and `shell`.
    pub(crate) fn python(&self, script: &str) {
        python(self.folder.path(), &named(script));
    }

    pub(crate) fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("a mode");
    }

    pub(crate) fn replace(&self, with: &str, name: &str) {
        fs::copy(self.path(with), self.path(name)).expect("a copy");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("a file");
        assert!(text.contains(from), "{from} in {name}");
        fs::write(self.path(name), text.replacen(from, to, 1)).expect("a file");
    }

    pub(crate) fn check(&self) -> CommandOutcome {
        let data = self.folder.path().display().to_string();
        CommandOutcome::of(Command::new(&FURNISHED.program).args(["check", "--json", "--data", &data]))
    }

    pub(crate) fn check_as_text(&self) -> String {
        let data = self.folder.path().display().to_string();
        let outcome = CommandOutcome::of(Command::new(&FURNISHED.program).args(["check", "--data", &data]));
        assert_eq!(outcome.code, 1);
        outcome.stdout
    }

    /// The codes found beyond those of every copy, and how the check ended.
    pub(crate) fn found(&self) -> (BTreeSet<String>, i32, String) {
        let outcome = self.check();
        let report = outcome.json();
        let codes = findings(&report).map(|finding| text(&finding["code"]));
        let codes: BTreeSet<_> = codes.filter(|code| !AT_HOME.contains(&code.as_str())).collect();
        let wrong = findings(&report).any(|finding| finding["severity"] == "wrong");
        assert_eq!(outcome.code, i32::from(wrong), "the exit code says whether anything is wrong");
        assert_eq!(report["ok"], !wrong);
        (codes, outcome.code, outcome.stdout)
    }
}

pub(crate) fn named(text: &str) -> String {
    let Furnished { renewed, revoked, suspended, plain, issuer, .. } = &*FURNISHED;
    [
        (":renewed", renewed),
        (":revoked", revoked),
        (":suspended", suspended),
        (":plain", plain),
        (":issuer", issuer),
    ]
    .iter()
    .fold(text.to_owned(), |text, (name, id)| text.replace(name, &format!("'{id}'")))
}

pub(crate) fn findings(report: &Value) -> impl Iterator<Item = &Value> {
    report["findings"].as_array().expect("findings").iter()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

pub(crate) fn sql(folder: &Path, statements: &str) -> String {
    python(
        folder,
        &format!(
            "for statement in {statements:?}.split(';'):\n    for row in execute(statement): print(row[0])"
        ),
    )
}

pub(crate) fn python(folder: &Path, script: &str) -> String {
    const PRELUDE: &str = "\
import hashlib, json, pathlib, sqlite3, subprocess, sys, time
folder = pathlib.Path(sys.argv[1])
ledger = sqlite3.connect(folder / 'ledger.db')
execute = ledger.execute
now = int(time.time() * 1000)
def shell(command, **more): return subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True, **more).stdout
";
    let script = format!("{PRELUDE}{script}\nledger.commit()\nledger.close()");
    run("python3", &["-c", &script, &folder.display().to_string()])
}

/// What was done, how, and the codes it must be found by.
pub(crate) type Case<'a> = (&'a str, &'a (dyn Fn(&Copy) + Sync), &'a [&'a str]);

/// Each case on a copy of its own, two at a time; all that went otherwise is told at once.
pub(crate) fn each(cases: &[Case<'_>]) {
    LazyLock::force(&FURNISHED);
    let work = |half: usize| {
        let mut failed = Vec::new();
        for (name, spoil, expected) in cases.iter().skip(half).step_by(2) {
            let copy = Copy::make();
            spoil(&copy);
            let (codes, _, said) = copy.found();
            let expected: BTreeSet<_> = expected.iter().map(ToString::to_string).collect();
            if codes != expected {
                failed.push(format!("{name}: found {codes:?} instead of {expected:?} in {said}"));
            }
        }
        failed
    };
    let failed: Vec<_> = thread::scope(|scope| {
        let halves = [0, 1].map(|half| scope.spawn(move || work(half)));
        halves.into_iter().flat_map(|half| half.join().expect("a half")).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

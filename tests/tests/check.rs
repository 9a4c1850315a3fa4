//! `tegata check` finds what is wrong, names it by its code, and finds nothing else.
//!
//! One installation is furnished once; each case takes a copy of its folder, makes it bad in exactly one way, and asks.

use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{fs, thread};
use tegata_tests::{Installation, Outcome, run};
use tempfile::TempDir;

/// What every copy has: `tegata dev` keeps all in one folder.
const AT_HOME: [&str; 2] = ["revocation-log-together", "root-key-online"];

/// What is left of an installation in which something of everything has happened.
struct Furnished {
    /// In a place that the next run clears: what is shared by all tests has no end of its own.
    data: PathBuf,
    program: String,
    /// The public address its certificates name.
    public: String,
    /// Two generations, the older one in its grace.
    renewed: String,
    revoked: String,
    suspended: String,
    plain: String,
    issuer: String,
}

static FURNISHED: LazyLock<Furnished> = LazyLock::new(|| {
    let mut installation = Installation::start();
    let renewed = installation.enroll("renewed").renew(&installation).device;
    let revoked = installation.enroll("revoked").device;
    let suspended = installation.enroll("suspended").device;
    let plain = installation.enroll("plain").device;
    installation.tell(&["device", "revoke", &revoked]);
    installation.tell(&["device", "suspend", &suspended]);
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

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    run("cp", &["-a", &format!("{}/.", from.display()), &to.display().to_string()]);
}

/// A copy to be spoilt.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn make() -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-check-").tempdir().expect("a folder");
        copy_folder(&FURNISHED.data, folder.path());
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Statements behind the ledger's back, without its foreign keys. `:renewed` and the like stand for identifiers.
    fn sql(&self, statements: &str) {
        sql(self.folder.path(), &named(statements));
    }

    /// Python with `ledger`, `folder`, `execute`, and `shell`.
    fn python(&self, script: &str) {
        python(self.folder.path(), &named(script));
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("a mode");
    }

    fn replace(&self, with: &str, name: &str) {
        fs::copy(self.path(with), self.path(name)).expect("a copy");
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("a file");
        assert!(text.contains(from), "{from} in {name}");
        fs::write(self.path(name), text.replacen(from, to, 1)).expect("a file");
    }

    fn check(&self) -> Outcome {
        let data = self.folder.path().display().to_string();
        Outcome::of(Command::new(&FURNISHED.program).args(["check", "--json", "--data", &data]))
    }

    /// The codes found beyond those of every copy, and how the check ended.
    fn found(&self) -> (BTreeSet<String>, i32, String) {
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

fn named(text: &str) -> String {
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

fn findings(report: &Value) -> impl Iterator<Item = &Value> {
    report["findings"].as_array().expect("findings").iter()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn sql(folder: &Path, statements: &str) -> String {
    python(
        folder,
        &format!(
            "for statement in {statements:?}.split(';'):\n    for row in execute(statement): print(row[0])"
        ),
    )
}

fn python(folder: &Path, script: &str) -> String {
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
type Case<'a> = (&'a str, &'a (dyn Fn(&Copy) + Sync), &'a [&'a str]);

/// Each case on a copy of its own, two at a time; all that went otherwise is told at once.
fn each(cases: &[Case<'_>]) {
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

#[test]
fn a_sound_installation_passes_whether_or_not_its_server_runs() {
    let (codes, code, said) = Copy::make().found();
    assert!(codes.is_empty() && code == 0, "{said}");

    let running = Installation::start();
    let _second = running.enroll("register-1").renew(&running);
    let report = running.command(&["check"]).good().json();
    assert_eq!(report["wrong"], 0, "{report}");
    let areas: Vec<_> = report["checks"].as_array().expect("areas").iter().collect();
    assert!(areas.iter().all(|area| area["ok"] == true), "{report}");
    let clocks = areas.iter().find(|area| area["check"] == "clocks").expect("the clocks");
    assert!(text(&clocks["detail"]).contains("server agrees"), "{report}");
}

#[test]
fn a_history_that_does_not_fit_the_rows_is_told_apart_by_its_code() {
    each(&[
        (
            "an edited entry",
            &|copy| {
                copy.sql("UPDATE audit SET entry = replace(entry, 'suspended', 'resumed') WHERE entry LIKE '%suspended%'");
            },
            &["audit-broken"],
        ),
        (
            "a row removed",
            &|copy| copy.sql("DELETE FROM certificate WHERE device = :plain"),
            &["certificate-missing", "generation-missing"],
        ),
        (
            "a row slipped in",
            &|copy| {
                copy.sql(
                    "INSERT INTO certificate (issuer, serial, device, generation, state, key_hash, tbs, not_before, not_after, \
                     reserved_at) SELECT issuer, x'01', device, 2, 'reserved', x'02', tbs, not_before, not_after, reserved_at \
                     FROM certificate WHERE device = :plain; UPDATE device SET generation = 2 WHERE id = :plain",
                );
            },
            &["certificate-unrecorded"],
        ),
        (
            "a revoked device let in again",
            &|copy| copy.sql("UPDATE device SET state = 'active', reason = NULL WHERE id = :revoked"),
            &["announcement-unfounded", "crl-excess", "revocation-undone"],
        ),
        (
            "a certificate stopped behind the log",
            &|copy| {
                copy.sql("UPDATE certificate SET state = 'revoked', reason = 'superseded', ended_at = 1 WHERE device = :plain");
            },
            &["crl-incomplete", "revocation-unannounced", "revocation-unrecorded"],
        ),
        (
            "a suspended device called retired",
            &|copy| copy.sql("UPDATE device SET state = 'retired' WHERE id = :suspended"),
            &["device-state-unrecorded", "revocation-unannounced"],
        ),
        (
            "an event exchanged",
            &|copy| {
                copy.sql(
                    "UPDATE feed SET change = '{\"change\":\"token_denied\",\"jti\":\"x\",\"until\":\"2027-01-01T00:00:00Z\"}' \
                     WHERE change LIKE '%' || :revoked || '%'",
                );
            },
            &["revocation-unannounced"],
        ),
        (
            "an event slipped in",
            &|copy| {
                copy.sql(
                    "UPDATE head SET feed_seq = feed_seq + 1; INSERT INTO feed SELECT feed_seq, 0, \
                     '{\"change\":\"device_denied\",\"device\":\"' || :plain || '\",\"reason\":\"revoked\"}' FROM head",
                );
            },
            &["announcement-unfounded"],
        ),
        ("an event removed", &|copy| copy.sql("DELETE FROM feed WHERE seq = 1"), &["feed-broken"]),
    ]);
}

#[test]
fn a_certificate_that_is_not_what_was_recorded_is_found() {
    each(&[
        (
            "no certificate",
            &|copy| copy.sql("UPDATE certificate SET der = x'00' WHERE device = :plain"),
            &["certificate-misfiled", "certificate-unreadable"],
        ),
        (
            "another intention",
            &|copy| copy.sql("UPDATE certificate SET tbs = x'3000' WHERE device = :plain"),
            &["certificate-altered"],
        ),
        (
            "another signature",
            &|copy| {
                copy.python(
                    "der = bytearray(execute('SELECT der FROM certificate WHERE device = ?', (:plain,)).fetchone()[0])\n\
                     der[-1] ^= 1\n\
                     execute('UPDATE certificate SET der = ?, thumbprint = ? WHERE device = ?', (bytes(der), hashlib.sha256(der).digest(), :plain))",
                );
            },
            &["certificate-forged", "certificate-unrecorded"],
        ),
        (
            "another key",
            &|copy| copy.sql("UPDATE certificate SET key_hash = x'00' WHERE device = :plain"),
            &["certificate-misfiled"],
        ),
        (
            "another end",
            &|copy| copy.sql("UPDATE certificate SET not_after = not_after + 86400000 WHERE device = :plain"),
            &["certificate-misfiled"],
        ),
        (
            "another's certificate",
            &|copy| {
                copy.sql(
                    "UPDATE certificate SET device = 'x' WHERE device = :plain; UPDATE certificate SET device = :plain \
                     WHERE device = :suspended; UPDATE certificate SET device = :suspended WHERE device = 'x'",
                );
            },
            // The one that was stopped lives under another name now, and the other way round.
            &["certificate-misnamed", "certificate-unrecorded", "crl-excess", "crl-incomplete"],
        ),
        (
            "a contradiction",
            &|copy| copy.sql("UPDATE certificate SET ended_at = 1 WHERE device = :plain"),
            &["certificate-state"],
        ),
        (
            "another public address",
            &|copy| fs::remove_file(copy.path("running.json")).expect("the development server's own address"),
            &["certificate-address"],
        ),
        (
            "an older profile",
            &|copy| copy.edit("ca-config/device.toml", "validity_days = 365", "validity_days = 30"),
            &["profile-older"],
        ),
        (
            "a profile that does not load",
            &|copy| copy.edit("ca-config/gate.toml", "validity_days", "validity_dais"),
            &["profile-refused"],
        ),
        (
            "a certificate that no profile allows",
            &a_ca_certificate_for_a_device,
            &["certificate-unrecorded", "profile-broken"],
        ),
    ]);
}

/// Signed by the real issuing key, with everything the row says, and with CA:TRUE.
fn a_ca_certificate_for_a_device(copy: &Copy) {
    copy.python(
        r"
from pathlib import Path
def write(name, data): (folder / name).write_bytes(data)
issuer = :issuer
der, serial = execute('SELECT der, serial FROM certificate WHERE device = ?', (:plain,)).fetchone()
write('leaf.der', der)
write('ca.der', execute('SELECT certificate FROM issuer WHERE id = ?', (issuer,)).fetchone()[0])
shell('openssl x509 -inform der -in ca.der -out ca.pem')
shell('openssl x509 -inform der -in leaf.der -out leaf.pem')
shell('openssl pkey -in keys/issuing-' + issuer + '.pem -passin file:unlock.key -out ca.key')
subject = shell('openssl x509 -in leaf.pem -noout -subject -nameopt RFC2253,utf8,-esc_msb', text=True)
said = shell('openssl x509 -in leaf.pem -noout -ext subjectAltName,crlDistributionPoints,authorityInfoAccess', text=True)
import re
uri = re.search(r'URI:(https://\S+)', said)[1]
crl = re.search(r'URI:(http://\S+/crl/\S+)', said)[1]
write('ext.cnf', f'''
basicConstraints = critical,CA:TRUE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = URI:{uri}
crlDistributionPoints = URI:{crl}
authorityInfoAccess = OCSP;URI:http://127.0.0.1/
'''.encode())
shell('openssl ecparam -name prime256v1 -genkey -noout -out leaf.key')
shell('openssl req -new -key leaf.key -subj /CN=x -out leaf.csr')
shell(f'openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 0x{serial.hex()} -days 100 -extfile ext.cnf -outform der -out new.der')
new = (folder / 'new.der').read_bytes()
spki = shell('openssl pkey -in leaf.key -pubout -outform der')
def length(at):
    first = new[at + 1]
    return (2, first) if first < 128 else (2 + first - 128, int.from_bytes(new[at + 2:at + 2 + first - 128], 'big'))
head, _ = length(0)
inner, content = length(head)
tbs = new[head:head + inner + content]
import calendar
def when(name):
    line = shell(f'openssl x509 -inform der -in new.der -noout -{name}', text=True).split('=')[1].strip()
    return calendar.timegm(time.strptime(line, '%b %d %H:%M:%S %Y %Z')) * 1000
execute('UPDATE certificate SET der = ?, tbs = ?, thumbprint = ?, key_hash = ?, not_before = ?, not_after = ? WHERE device = ?',
    (new, tbs, hashlib.sha256(new).digest(), hashlib.sha256(spki).digest(), when('startdate'), when('enddate'), :plain))
",
    );
}

#[test]
fn rows_that_must_not_be_together_are_found() {
    each(&[
        (
            "left by a crash",
            &|copy| {
                copy.sql(
                    "INSERT INTO certificate (issuer, serial, device, generation, state, key_hash, tbs, not_before, not_after, \
                     reserved_at) SELECT issuer, x'01', device, 2, 'reserved', x'02', tbs, not_before, not_after, 0 \
                     FROM certificate WHERE device = :plain; UPDATE device SET generation = 2 WHERE id = :plain",
                );
            },
            &["certificate-unrecorded", "reserved-long-ago"],
        ),
        (
            "grace that never ends",
            &|copy| copy.sql("UPDATE certificate SET retire_at = 1 WHERE state = 'retiring'"),
            &["retirement-overdue"],
        ),
        ("a device gone", &|copy| copy.sql("DELETE FROM device WHERE id = :plain"), &["orphan"]),
        ("a site gone", &|copy| copy.sql("DELETE FROM site"), &["orphan"]),
        (
            "two in use",
            &|copy| copy.sql("UPDATE certificate SET state = 'in_use' WHERE state = 'retiring'"),
            &["living-twice"],
        ),
        (
            "one key twice",
            &|copy| {
                copy.sql(
                    "UPDATE certificate SET key_hash = (SELECT c.key_hash FROM certificate c WHERE c.device = :plain) \
                     WHERE device = :suspended",
                );
            },
            &["certificate-misfiled", "key-shared"],
        ),
        (
            "one serial twice",
            &|copy| {
                copy.sql(
                    "INSERT INTO responder (issuer, serial, tbs, der, not_after, reserved_at) SELECT issuer, serial, tbs, der, \
                     not_after, 0 FROM certificate WHERE device = :plain",
                );
            },
            &["serial-shared"],
        ),
        (
            "a blocked key that works",
            &|copy| {
                copy.sql(
                    "INSERT INTO blocked_key SELECT key_hash, '', 0 FROM certificate WHERE device = :plain",
                );
            },
            &["blocked-key-living"],
        ),
        (
            "the heir of a stolen one",
            &|copy| {
                copy.sql(
                    "UPDATE certificate SET state = 'revoked', reason = 'key_compromise', ended_at = 1 WHERE state = 'retiring'",
                );
            },
            &["crl-incomplete", "heir-living", "revocation-unannounced", "revocation-unrecorded"],
        ),
        (
            "an OCSP signer nobody signed",
            &|copy| {
                copy.sql(
                    "INSERT INTO responder (issuer, serial, tbs, der, not_after, reserved_at) SELECT issuer, x'05', x'3000', der, \
                     not_after, 0 FROM certificate WHERE device = :plain",
                );
            },
            &["responder-altered"],
        ),
        (
            "an OCSP signer never signed",
            &|copy| {
                copy.sql(
                    "INSERT INTO responder (issuer, serial, tbs, not_after, reserved_at) SELECT issuer, x'05', tbs, not_after, 0 \
                     FROM certificate WHERE device = :plain",
                );
            },
            &["responder-abandoned"],
        ),
    ]);
}

#[test]
fn a_list_that_does_not_say_what_the_ledger_says_is_found() {
    each(&[
        ("no list", &|copy| copy.sql("DELETE FROM crl WHERE issuer = :issuer"), &["crl-missing"]),
        (
            "an old list",
            &|copy| copy.sql("UPDATE crl SET next_update = 1 WHERE issuer = :issuer"),
            &["crl-misfiled", "crl-stale"],
        ),
        (
            "changes not listed",
            &|copy| copy.sql("UPDATE shard SET revision = revision + 1 WHERE issuer = :issuer"),
            &["crl-behind"],
        ),
        (
            "another signature",
            &|copy| {
                copy.python(
                    "der = bytearray(execute('SELECT der FROM crl WHERE issuer = ?', (:issuer,)).fetchone()[0])\n\
                     der[-1] ^= 1\n\
                     execute('UPDATE crl SET der = ? WHERE issuer = ?', (bytes(der), :issuer))",
                );
            },
            &["crl-forged"],
        ),
        (
            "no list at all",
            &|copy| copy.sql("UPDATE crl SET der = x'3000' WHERE issuer = :issuer"),
            &["crl-forged"],
        ),
        (
            "another number",
            &|copy| copy.sql("UPDATE crl SET number = number + 1 WHERE issuer = :issuer"),
            &["crl-misfiled"],
        ),
    ]);
}

#[test]
fn a_ca_that_is_wrong_ends_soon_or_is_forgotten_is_found() {
    each(&[
        (
            "none at work",
            &|copy| copy.sql("UPDATE issuer SET state = 'resting' WHERE id = :issuer"),
            &["issuer-missing"],
        ),
        (
            "one that is no certificate",
            &|copy| copy.sql("UPDATE issuer SET certificate = x'00' WHERE kind = 'root'"),
            &["issuer-forged", "issuer-unreadable"],
        ),
        (
            "one without a parent",
            &|copy| copy.sql("UPDATE issuer SET parent = NULL WHERE id = :issuer"),
            &["issuer-forged"],
        ),
        (
            "one forgotten at rest, without its key",
            &|copy| {
                let other = "0".repeat(26);
                copy.sql(&format!(
                    "INSERT INTO issuer (id, kind, certificate, created_at, state, custody, parent, shards) SELECT '{other}', kind, \
                     certificate, created_at, 'resting', custody, parent, 1 FROM issuer WHERE id = :issuer; \
                     INSERT INTO shard (issuer, number, revision) VALUES ('{other}', 0, 1)"
                ));
            },
            &["issuer-idle", "key-missing"],
        ),
        (
            "one retired with its devices",
            &|copy| copy.sql("UPDATE issuer SET state = 'retired', ended_at = 1 WHERE id = :issuer"),
            &["issuer-ended-living", "issuer-missing"],
        ),
        (
            "one that ends within three months",
            &|copy| ends_in(copy, 60),
            &["issuer-ending", "profile-broken"],
        ),
        (
            "one that ends before its certificates",
            &|copy| ends_in(copy, 380),
            &["issuer-short", "profile-broken"],
        ),
    ]);
}

/// The root signs the issuing CA anew, with the same key and extensions. It begins later than what it issued.
fn ends_in(copy: &Copy, days: u32) {
    copy.python(&format!(
        r"
for name, kind in (('root', 'root'), ('issuing', 'issuing')):
    (folder / f'{{name}}.der').write_bytes(execute('SELECT certificate FROM issuer WHERE kind = ?', (kind,)).fetchone()[0])
    shell(f'openssl x509 -inform der -in {{name}}.der -out {{name}}.pem')
shell('openssl pkey -in keys/root.pem -passin file:unlock.key -out root.key')
shell('openssl pkey -in keys/issuing-' + :issuer + '.pem -passin file:unlock.key -out issuing.key')
shell('openssl x509 -x509toreq -copy_extensions copyall -in issuing.pem -signkey issuing.key -out again.csr')
shell('openssl x509 -req -copy_extensions copyall -in again.csr -CA root.pem -CAkey root.key -set_serial 77 -days {days} -outform der -out new.der')
execute('UPDATE issuer SET certificate = ? WHERE id = ?', ((folder / 'new.der').read_bytes(), :issuer))
"
    ));
}

#[test]
fn keys_listeners_and_files_that_are_not_as_they_should_be_are_found() {
    let issuing = format!("keys/issuing-{}.pem", FURNISHED.issuer);
    each(&[
        ("a key that others read", &|copy| copy.chmod("keys/token.pem", 0o644), &["key-exposed"]),
        ("a folder that others enter", &|copy| copy.chmod("keys", 0o755), &["key-exposed"]),
        (
            "an unlock file that others read",
            &|copy| copy.chmod("unlock.key", 0o640),
            &["key-exposed", "key-unusable"],
        ),
        ("no key", &|copy| fs::remove_file(copy.path("keys/token.pem")).expect("removed"), &["key-missing"]),
        (
            "a key that does not open",
            &|copy| fs::write(copy.path("keys/token.pem"), "nothing").expect("written"),
            &["key-unusable"],
        ),
        ("another's key", &|copy| copy.replace("keys/token.pem", &issuing), &["key-foreign"]),
        (
            "another account's key",
            &|copy| drop(run("chown", &["12345", &copy.path("keys/token.pem").display().to_string()])),
            &["key-owner"],
        ),
        (
            "another listener's certificate",
            &|copy| copy.replace("tls/ca.pem", "tls/portal.pem"),
            &["listener-certificate"],
        ),
        (
            "a listener's certificate that ends",
            &|copy| {
                copy.python(
                    "shell('openssl pkey -in tls/portal.key -passin file:unlock.key -out plain.key')\n\
                     shell('openssl x509 -in tls/portal.pem -signkey plain.key -days 5 -out new.pem')\n\
                     shell('mv new.pem tls/portal.pem')",
                );
            },
            &["listener-ending"],
        ),
        ("a configuration that others read", &|copy| copy.chmod("tegata.toml", 0o644), &["config-readable"]),
        (
            "a password that others read",
            &|copy| {
                let url = "url = \"postgres://tegata:secret@127.0.0.1:1/tegata\"";
                copy.edit("tegata.toml", "url = \"sqlite:ledger.db\"", url);
                copy.chmod("tegata.toml", 0o644);
            },
            &["config-exposed", "ledger-unreadable"],
        ),
        (
            "no ledger",
            &|copy| fs::remove_file(copy.path("ledger.db")).expect("removed"),
            &["ledger-unreadable"],
        ),
        (
            "no revocation log",
            &|copy| fs::remove_file(copy.path("revocations.log")).expect("removed"),
            &["revocation-log"],
        ),
        (
            "a revocation log without its end",
            &|copy| {
                copy.python(
                    "log = folder / 'revocations.log'\nlines = log.read_bytes().splitlines(True)\nlog.write_bytes(b''.join(lines[:-1]))",
                );
            },
            &["revocation-log"],
        ),
    ]);
}

#[test]
fn clocks_that_do_not_agree_are_found() {
    each(&[
        (
            "a log written in the future",
            &|copy| {
                copy.python(
                    "seq, before = execute('SELECT audit_seq, audit_hash FROM head').fetchone()\n\
                     entry = json.dumps({'seq': seq + 1, 'at': '2099-01-01T00:00:00Z', 'actor': 'x', 'action': 'x', 'device': None, 'detail': {}})\n\
                     digest = hashlib.sha256(before + entry.encode()).digest()\n\
                     execute('INSERT INTO audit (seq, at, device, entry, hash) VALUES (?, 4070908800000, NULL, ?, ?)', (seq + 1, entry, digest))\n\
                     execute('UPDATE head SET audit_seq = ?, audit_hash = ?', (seq + 1, digest))",
                );
            },
            &["clock-behind"],
        ),
        (
            "a row from the future",
            &|copy| copy.sql("UPDATE certificate SET used_at = 4070908800000 WHERE device = :renewed"),
            &["future-row"],
        ),
    ]);
    let slow = SlowServer::start();
    let copy = Copy::make();
    copy.edit("running.json", &FURNISHED.public, &slow.address);
    let (codes, code, said) = copy.found();
    assert_eq!(code, 1, "{said}");
    assert!(codes.contains("clock-server"), "{said}");
}

/// Something that answers at the public address with a clock an hour behind.
struct SlowServer {
    address: String,
}

impl SlowServer {
    fn start() -> Self {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nDate: Mon, 02 Jan 2023 03:04:05 GMT\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Self { address }
    }
}

#[test]
fn a_ledger_that_is_wrong_everywhere_is_told_in_a_few_lines() {
    let copy = Copy::make();
    copy.python(
        "rows = [(bytes([3, n]), n + 2) for n in range(60)]\n\
         for serial, generation in rows:\n    execute(\"INSERT INTO certificate (issuer, serial, device, generation, state, key_hash, tbs, not_before, not_after, reserved_at) \
         SELECT issuer, ?, device, ?, 'reserved', ?, tbs, not_before, not_after, 0 FROM certificate WHERE device = ? AND generation = 1\", \
         (serial, generation, serial, :plain))",
    );
    let report = copy.check().json();
    let of_kind = findings(&report).filter(|finding| finding["code"] == "reserved-long-ago");
    let of_kind: Vec<_> = of_kind.collect();
    assert_eq!(of_kind.len(), 21, "twenty examples and a count");
    assert!(of_kind.iter().any(|finding| text(&finding["detail"]).contains("60 of this kind")), "{report}");
    let shown = copy.check_as_text();
    assert!(shown.contains("WRONG") && shown.contains("reserved-long-ago"), "{shown}");
}

impl Copy {
    fn check_as_text(&self) -> String {
        let data = self.folder.path().display().to_string();
        let outcome = Outcome::of(Command::new(&FURNISHED.program).args(["check", "--data", &data]));
        assert_eq!(outcome.code, 1);
        outcome.stdout
    }
}

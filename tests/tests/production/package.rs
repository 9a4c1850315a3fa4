//! From nothing to a device at port 443, and on to the next version, by the guide.

use super::guide::{blocks, follow};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tegata_tests::stopwatch::{Stopwatch, eventually};
use tegata_tests::{Browser, CommandOutcome, DEBIAN_HOST, DebianMachine, run, tegata};

const PRODUCTION: &str = include_str!("../../../docs/production.md");
const UPGRADE: &str = include_str!("../../../docs/upgrade.md");

/// The exposure that `systemd-analyze security` may find, times ten.
const EXPOSURE: &str = "--threshold=16";

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn from_nothing_to_a_device_at_443_and_the_next_version_by_the_guide() {
    let packages = tempfile::tempdir().expect("a folder");
    let [first, second] = ["0.1.0", "0.1.1"].map(|version| build(packages.path(), version));
    let mut machine = DebianMachine::new();
    machine.copy(&first, "/tmp/tegata_0.1.0_amd64.deb");
    let guide = blocks(PRODUCTION);
    let mut guide = guide.iter();
    let mut next = |machine: &mut DebianMachine, word: &str| {
        let block = guide.next().unwrap_or_else(|| panic!("no block with {word}"));
        assert!(block.contains(word), "{block} should have {word}");
        follow(machine, block)
    };

    let said = next(&mut machine, "apt-get install");
    assert!(said.contains("tegata init"), "whoever installs is told what comes next: {said}");
    the_unit_takes_away_what_it_can(&machine);
    next(&mut machine, "/srv/tegata-revocations");
    let said = next(&mut machine, "tegata init");
    assert!(
        said.contains("*.probe.tegata.example.jp") && said.contains("systemctl enable --now tegata"),
        "{said}"
    );
    let config = machine.read("/var/lib/tegata/tegata.toml");
    assert!(config.contains("url = \"https://tegata.example.jp\"\n"), "{config}");
    next(&mut machine, "enable --now");
    wait_until_ready(&mut machine, "/var/lib/tegata/tls/ca.pem");
    it_runs_as_somebody_with_one_right(&machine);
    let said = next(&mut machine, "curl");
    assert!(said.contains("\"issuer\":\"https://tegata.example.jp\""), "{said}");
    next(&mut machine, "to-the-safe");
    the_first_lines_hold_no_alarm(&machine);

    let authority = server_authority(packages.path());
    hand_over(&machine, packages.path(), &authority, "first");
    next(&mut machine, "tegata-deploy-hook");
    let trust = machine.copy_out("/etc/letsencrypt/ca.pem", "ca.pem");
    wait_until_ready(&mut machine, "/etc/letsencrypt/ca.pem");

    let said = next(&mut machine, "invite");
    let link = said.lines().find(|line| line.starts_with("https://")).expect("a link");
    assert!(link.starts_with("https://tegata.example.jp/enroll#"), "{link}");
    let mut browser = Browser::open_beside(&machine, 9443, &trust);
    browser.enroll(link);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let said = next(&mut machine, "device list");
    assert!(said.contains("受付PC"), "{said}");

    a_renewed_certificate_is_served_at_once(&machine, packages.path(), &authority);

    machine.shell("echo 'TEGATA_LOG=warn,tegata=info' >> /etc/default/tegata").good();
    machine.copy(&second, "/tmp/tegata_0.1.1_amd64.deb");
    machine.shell("rm /tmp/tegata_0.1.0_amd64.deb").good();
    let former = machine.server_id();
    for block in blocks(UPGRADE) {
        follow(&mut machine, &block);
    }
    assert_eq!(machine.server_id(), former, "without systemd nobody restarts it");
    machine.start();
    wait_until_ready(&mut machine, "/etc/letsencrypt/ca.pem");
    let version = machine.shell("dpkg-query --show --showformat '${Version}' tegata").good().stdout;
    assert_eq!(version, "0.1.1");
    assert!(machine.read("/etc/default/tegata").contains("\nTEGATA_LOG="), "an operator's word stays");
    browser.reopen();
    browser.go(&format!("https://{DEBIAN_HOST}:9443/"));
    browser.see("#to-shop");

    machine.stop();
    let said = machine.shell("apt-get purge --yes tegata").good().said();
    assert!(said.contains("/var/lib/tegata"), "whoever purges is told what stays: {said}");
    machine.shell("test ! -e /usr/bin/tegata && test ! -e /etc/default/tegata").good();
    machine.shell("test -s /var/lib/tegata/ledger.db && test -s /etc/tegata/tls/privkey.pem").good();
}

/// The package with the program under test, quickly packed.
fn build(out: &Path, version: &str) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/deb/build");
    let mut command = Command::new(script);
    command.arg("--binary").arg(tegata()).args(["--version", version, "--out"]).arg(out);
    let said = CommandOutcome::of(command.env("TEGATA_DEB_OPTIONS", "-Zgzip -z1")).good().stdout;
    said.trim().into()
}

#[test]
fn the_package_is_what_debian_expects_of_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let package = build(folder.path(), "0.1.0");
    let mut lintian = Command::new("lintian");
    // The debug binary of a test is larger and packed otherwise than a release.
    lintian.args([
        "--fail-on",
        "error,warning",
        "--suppress-tags",
        "debian-changelog-file-missing-or-wrong-name",
    ]);
    CommandOutcome::of(lintian.args(["--allow-root", "--no-tag-display-limit"]).arg(&package)).good();
    let listed = run("dpkg-deb", &["--contents", &package.display().to_string()]);
    for file in ["tegata.service", "tegata-renew@.timer", "man1/tegata-init.1.gz", "completions/tegata"] {
        assert!(listed.contains(file), "{file} is missing:\n{listed}");
    }
}

fn the_unit_takes_away_what_it_can(machine: &DebianMachine) {
    let units = "/usr/lib/systemd/system/tegata.service /usr/lib/systemd/system/tegata-renew@.timer";
    let verified = machine.shell(&format!("systemd-analyze verify --man=no {units}")).good();
    assert_eq!(verified.stderr, "");
    for unit in ["tegata.service", "tegata-renew@.service"] {
        let file = format!("/usr/lib/systemd/system/{unit}");
        machine.shell(&format!("systemd-analyze security --offline=true {EXPOSURE} {file}")).good();
    }
}

fn it_runs_as_somebody_with_one_right(machine: &DebianMachine) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", machine.server_id())).expect("a process");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}")).split_whitespace().next().unwrap_or_default().to_owned()
    };
    assert_ne!(field("Uid:"), "0");
    // CAP_NET_BIND_SERVICE is bit 10.
    assert_eq!(field("CapEff:"), "0000000000000400");
    assert_eq!(field("CapBnd:"), "0000000000000400");
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".into(), "2".into()));
    let owner = machine.shell("stat --format '%U %a' /var/lib/tegata /etc/tegata").good().stdout;
    assert_eq!(owner, "tegata 750\nroot 750\n");
}

fn wait_until_ready(machine: &mut DebianMachine, tls_ca: &str) {
    let ask = format!(
        "curl --silent --fail --cacert '{tls_ca}' https://{DEBIAN_HOST}/.well-known/oauth-authorization-server"
    );
    eventually("it serves", PATIENCE, || {
        assert!(machine.is_serving(), "it ended");
        machine.shell(&ask).code == 0
    });
}

fn the_first_lines_hold_no_alarm(machine: &DebianMachine) {
    let log = machine.log();
    for word in ["ERROR", "WARN", "panicked"] {
        assert!(!log.contains(word), "{log}");
    }
}

/// A CA that browsers know, in its role: a folder with `ca.pem` and `ca.key`.
fn server_authority(folder: &Path) -> PathBuf {
    let authority = folder.join("authority");
    std::fs::create_dir(&authority).expect("a folder");
    let file = |name: &str| authority.join(name).display().to_string();
    let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let own =
        ["-subj", "/CN=A public CA", "-days", "30", "-keyout", &file("ca.key"), "-out", &file("ca.pem")];
    run("openssl", &[&["req", "-x509"], &new_key[..], &own].concat());
    authority
}

/// What certbot leaves: a lineage with a chain and a key.
fn hand_over(machine: &DebianMachine, folder: &Path, authority: &Path, name: &str) {
    let file = |name: &str| folder.join(name).display().to_string();
    let ca = |name: &str| authority.join(name).display().to_string();
    let names = format!("subjectAltName=DNS:{DEBIAN_HOST},DNS:*.probe.{DEBIAN_HOST}");
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "80",
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            &names,
            "-addext",
            "basicConstraints=critical,CA:false",
            "-CA",
            &ca("ca.pem"),
            "-CAkey",
            &ca("ca.key"),
            "-keyout",
            &file("privkey.pem"),
            "-out",
            &file("leaf.pem"),
        ],
    );
    let chain = ["leaf.pem"].map(file).map(|file| std::fs::read_to_string(file).expect("a certificate"));
    let anchor = std::fs::read_to_string(authority.join("ca.pem")).expect("a certificate");
    std::fs::write(folder.join("fullchain.pem"), chain[0].clone() + &anchor).expect("a file");
    let lineage = format!("/etc/letsencrypt/live/{DEBIAN_HOST}");
    for name in ["privkey.pem", "fullchain.pem"] {
        machine.copy(&folder.join(name), &format!("{lineage}/{name}"));
    }
    machine.copy(&authority.join("ca.pem"), "/etc/letsencrypt/ca.pem");
}

fn a_renewed_certificate_is_served_at_once(machine: &DebianMachine, folder: &Path, authority: &Path) {
    hand_over(machine, folder, authority, "renewed");
    machine
        .shell(&format!(
            "RENEWED_LINEAGE=/etc/letsencrypt/live/{DEBIAN_HOST} /etc/letsencrypt/renewal-hooks/deploy/tegata"
        ))
        .good();
    let handed_over = Stopwatch::start();
    for port in [443, 9443] {
        let ask =
            format!("openssl s_client -connect {DEBIAN_HOST}:{port} </dev/null 2>/dev/null | grep -m 1 CN");
        eventually("the new certificate", Duration::from_secs(5), || {
            machine.shell(&ask).stdout.contains("renewed")
        });
    }
    assert!(handed_over.elapsed() < Duration::from_secs(3), "{:?}", handed_over.elapsed());
}

//! Whoever runs the listeners replaces what they show, and whoever floods them keeps nobody out.

use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tegata_tests::stopwatch::{Stopwatch, eventually};
use tegata_tests::tokens::obtain;
use tegata_tests::{RunningInstallation, TestProductServer, configure_proxy, ports, run_in};

/// Silent connections of a flood: as many as a server has places.
const FLOOD: usize = 4096;

#[test]
fn a_replaced_certificate_is_served_within_a_second_a_broken_one_never() {
    let mut installation = RunningInstallation::start();
    let (first, live) = (own_certificate(&installation, "first"), installation.folder("live"));
    put(&first, &live);
    let behind = ports::free();
    let port = ports::of(&installation.device);
    configure_proxy(&mut installation, port, behind, "nginx", "trusted = [\"127.0.0.1\"]");
    installation.tls_ca = first.join("ca.pem");
    installation.reconfigure(|text| {
        let named = |file: &str| live.join(file).display().to_string();
        ["portal", "device"].iter().fold(text, |text, listener| {
            text.replace(&format!("tls/{listener}.pem"), &named("fullchain.pem"))
                .replace(&format!("tls/{listener}.key"), &named("privkey.pem"))
        })
    });
    let product = TestProductServer::behind_a_proxy();
    let gate_files = installation.folder("gate-tls");
    copy(&first, &gate_files);
    let gate = installation.gate_alone(product.port, &gate_files);
    let device = installation.enroll("register-1");
    let listeners = [ports::of(&installation.portal), port, behind, gate.port];
    let all_show = |folder: &Path| {
        let leaf = std::fs::read_to_string(folder.join("leaf.pem")).expect("a certificate");
        listeners.iter().all(|port| shown_at(*port).contains(leaf.trim()))
    };
    assert!(all_show(&first));

    // As certbot does it: the names stay, and lead to other files.
    let second = own_certificate(&installation, "second");
    put(&second, &live);
    copy(&second, &gate_files);
    eventually("every listener shows the next one", Duration::from_secs(2), || all_show(&second));

    for (file, content) in [("privkey.pem", first.join("privkey.pem")), ("fullchain.pem", half_of(&second))] {
        let told = complaints(&installation);
        replace(&content, &live.join(file));
        eventually("the operator is told", Duration::from_secs(10), || complaints(&installation) > told);
        std::thread::sleep(Duration::from_secs(1));
        // Both listeners have these files.
        assert_eq!(complaints(&installation), told + 2, "once for each listener");
        assert!(
            shown_at(port).contains(std::fs::read_to_string(second.join("leaf.pem")).expect("PEM").trim())
        );
        put(&second, &live);
    }
    installation.tls_ca = second.join("ca.pem");
    obtain(&installation, &device);
}

#[test]
fn a_token_does_not_wait_while_thousands_of_silent_connections_stand() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    let before = installation.open_files();
    let port = ports::of(&installation.device);
    let flood: Vec<_> = (0..FLOOD).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("taken")).collect();
    for _ in 0..3 {
        let asked = Stopwatch::start();
        obtain(&installation, &device);
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    }
    let held = installation.open_files() - before;
    assert!(held < FLOOD * 3 / 4, "{held} files for one address");
    drop(flood);
}

/// By the recipe of the guide.
fn own_certificate(installation: &RunningInstallation, name: &str) -> PathBuf {
    let folder = installation.folder(name);
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/recipes/own-ca.sh");
    run_in(&folder, "sh", &[recipe, &folder.display().to_string(), "localhost", "*.probe.localhost"]);
    folder
}

/// Lets the names in `live` lead to the files of a folder.
fn put(folder: &Path, live: &Path) {
    for name in ["privkey.pem", "fullchain.pem"] {
        replace(&folder.join(name), &live.join(name));
    }
}

fn replace(file: &Path, link: &Path) {
    let next = link.with_extension("next");
    symlink(file, &next).expect("a link");
    std::fs::rename(next, link).expect("a link in place");
}

/// Under the names that the gate was started with.
fn copy(folder: &Path, to: &Path) {
    for (from, name) in [("privkey.pem", "server.key"), ("fullchain.pem", "server.pem")] {
        std::fs::copy(folder.join(from), to.join(name)).expect("a file");
    }
}

/// The first third of the chain, like a copy that was broken off.
fn half_of(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(folder.join("fullchain.pem")).expect("PEM");
    let half = folder.join("half.pem");
    std::fs::write(&half, &text[..text.len() / 3]).expect("a file");
    half
}

fn complaints(installation: &RunningInstallation) -> usize {
    installation.log().matches("replaced files cannot be used").count()
}

/// What openssl prints of the certificate that is shown there.
fn shown_at(port: u16) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", "localhost"]);
    let output = command.stdin(Stdio::null()).output().expect("openssl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

//! Product teams register their own programs, which then ask about the tokens they are given.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{
    CommandOutcome, CurlAnswer, DeviceIdentity, Own, Process, RunningInstallation, ports, tokens,
};

/// A CA of a product team, made with openssl.
struct ClientTestCa(PathBuf);

impl ClientTestCa {
    fn make(folder: &Path) -> Self {
        const CONFIGURATION: &str = "[ca]\ndefault_ca = here\n[here]\ndir = .\ndatabase = index\nnew_certs_dir = .\n\
            certificate = ca.pem\nprivate_key = ca.key\ndefault_md = sha256\ndefault_days = 2\n\
            default_crl_days = 2\nrand_serial = yes\npolicy = any\nx509_extensions = leaf\n\
            crl_extensions = list\ncrlnumber = number\n\
            [any]\ncommonName = supplied\n[leaf]\nbasicConstraints = critical,CA:FALSE\n\
            extendedKeyUsage = clientAuth\n[list]\nauthorityKeyIdentifier = keyid\n";
        std::fs::write(folder.join("openssl.cnf"), CONFIGURATION).expect("a file");
        std::fs::write(folder.join("index"), "").expect("a file");
        std::fs::write(folder.join("number"), "01").expect("a file");
        let ca = Self(folder.to_owned());
        let usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
        ca.openssl(
            &[
                &["req", "-x509", "-subj", "/CN=Team CA", "-days", "2", "-out", "ca.pem"][..],
                &usage,
                &key("ca.key"),
            ]
            .concat(),
        );
        ca
    }

    fn issue(&self, name: &str) -> Own {
        let (request, certificate, own_key) =
            (format!("{name}.csr"), format!("{name}.pem"), format!("{name}.key"));
        let subject = format!("/CN={name}");
        self.openssl(&[&["req", "-new", "-subj", &subject, "-out", &request][..], &key(&own_key)].concat());
        self.openssl(&[
            "ca",
            "-config",
            "openssl.cnf",
            "-batch",
            "-notext",
            "-in",
            &request,
            "-out",
            &certificate,
        ]);
        Own { certificate: self.0.join(certificate), key: self.0.join(own_key) }
    }

    fn revoke(&self, name: &str) {
        self.openssl(&["ca", "-config", "openssl.cnf", "-revoke", &format!("{name}.pem")]);
    }

    /// The list, put into its place whole.
    fn publish(&self) -> PathBuf {
        self.openssl(&["ca", "-config", "openssl.cnf", "-gencrl", "-out", "crl.new"]);
        let file = self.0.join("crl.pem");
        std::fs::rename(self.0.join("crl.new"), &file).expect("in its place");
        file
    }

    fn openssl(&self, arguments: &[&str]) {
        tegata_tests::run_in(&self.0, "openssl", arguments);
    }
}

/// openssl's options for a fresh key in this file.
fn key(file: &str) -> [&str; 7] {
    ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file]
}

/// Whole or not at all: the server may read at any moment.
fn put(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).expect("a file");
    std::fs::rename(new, file).expect("in its place");
}

fn register(installation: &mut RunningInstallation, text: &str) {
    let file = installation.data().join("tegata.toml");
    let before = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::write(&file, format!("{before}\n{text}")).expect("a configuration");
    installation.start_again();
}

fn introspect(
    installation: &RunningInstallation,
    client_id: &str,
    certificate: &str,
    key: &str,
    token: &str,
) -> CurlAnswer {
    let asking = installation.oauth("introspection_endpoint").presenting(certificate, key);
    asking.form(&[("client_id", client_id), ("token", token)]).send()
}

fn as_own(installation: &RunningInstallation, client_id: &str, own: &Own, token: &str) -> CurlAnswer {
    let (certificate, key) = (own.certificate.display().to_string(), own.key.display().to_string());
    introspect(installation, client_id, &certificate, &key, token)
}

fn as_identity(
    installation: &RunningInstallation,
    client_id: &str,
    identity: &DeviceIdentity,
    token: &str,
) -> CurlAnswer {
    introspect(installation, client_id, &identity.file("chain.pem"), &identity.file("key.pem"), token)
}

#[test]
fn a_product_with_a_certificate_of_ours_introspects_until_it_is_revoked() {
    let mut installation = RunningInstallation::start();
    let (device, product) = (installation.enroll("register-1"), installation.enroll_gate("rezept"));
    let uri = format!("https://{}/gate/{}", name_of(&installation), product.device);
    let audience = installation.product.clone();
    register(
        &mut installation,
        &format!(
            "[[client]]\nclient_id = \"rezept\"\ntoken_endpoint_auth_method = \"tls_client_auth\"\n\
             tls_client_auth_san_uri = \"{uri}\"\nissued_here = true\nintrospects = [\"{audience}\"]\n"
        ),
    );
    let token = tokens::obtain(&installation, &device);
    let answer = as_identity(&installation, "rezept", &product, &token).expect(200).json();
    assert_eq!((&answer["active"], &answer["device"]), (&json!(true), &json!(device.device)));
    let impostor = as_identity(&installation, "rezept", &device, &token).expect(401).json();
    assert_eq!((&impostor["error"], &impostor["code"]), (&json!("invalid_client"), &json!("C-12")));

    let product = product.kept_aside();
    let renewed = DeviceIdentity { folder: product.folder.with_file_name("rezept"), ..product.clone() }
        .renew(&installation);
    as_identity(&installation, "rezept", &renewed, &token).expect(200);
    installation.tell(&["device", "revoke", "--yes", &product.device]);
    for certificate in [&product, &renewed] {
        let refused = as_identity(&installation, "rezept", certificate, &token).expect(401).json();
        assert_eq!(
            (&refused["error"], &refused["code"]),
            (&json!("invalid_client"), &json!("C-06")),
            "{refused}"
        );
    }
}

#[test]
fn a_program_replaces_its_certificate_by_file_or_server_and_is_logged() {
    let mut installation = RunningInstallation::start();
    let folder = installation.folder("batch");
    let (first, second) = (Own::make(&folder, "first", "batch"), Own::make(&folder, "second", "batch"));
    let (file, served) = (folder.join("jwks.json"), folder.join("served.json"));
    put(&file, &first.jwks());
    put(&served, &first.jwks());
    let (_server, origin, ca) = serve_files(&folder);
    let method = "token_endpoint_auth_method = \"self_signed_tls_client_auth\"";
    let (file_name, ca) = (file.display(), ca.display());
    register(
        &mut installation,
        &format!(
            "[clients]\njwks_ca = \"{ca}\"\n\
             [[client]]\nclient_id = \"by-file\"\n{method}\njwks = \"{file_name}\"\n\
             [[client]]\nclient_id = \"by-server\"\n{method}\njwks_uri = \"{origin}/served.json\"\n\
             [[client]]\nclient_id = \"written\"\n{method}\n[client.jwks]\n{}\n",
            inline(&first)
        ),
    );
    as_own(&installation, "written", &first, "x").expect(200);
    as_own(&installation, "written", &second, "x").expect(401);
    for (client_id, set) in [("by-file", &file), ("by-server", &served)] {
        let enters = |own: &Own| as_own(&installation, client_id, own, "x").status == 200;
        eventually("the first certificate", Duration::from_secs(20), || enters(&first));
        assert!(!enters(&second), "{client_id}");
        put(set, "{\"keys\":[]}");
        assert!(enters(&first), "{client_id}: a set that says nothing changes nothing");
        put(set, &second.jwks());
        eventually("the second certificate", Duration::from_secs(20), || enters(&second));
        assert!(!enters(&first), "{client_id}: what is not in the set is out");
    }
    let log = installation.command(&["check"]).good();
    assert_eq!(log.code, 0, "{}", log.stderr);
    assert_eq!(known_to_the_log(&installation), ["by-file", "by-file", "by-server", "by-server"]);
}

#[test]
fn a_client_revoked_by_its_own_ca_is_refused_once_the_list_says_so() {
    let mut installation = RunningInstallation::start();
    let folder = installation.folder("ca");
    let ca = ClientTestCa::make(&folder);
    let (kept, lost) = (ca.issue("kept"), ca.issue("lost"));
    let crl = ca.publish();
    let registration = |name: &str| {
        format!(
            "[[client]]\nclient_id = \"{name}\"\ntoken_endpoint_auth_method = \"tls_client_auth\"\n\
             tls_client_auth_subject_dn = \"CN={name}\"\n"
        )
    };
    let (at, list) = (folder.join("ca.pem"), crl.display());
    let shared = format!("[clients]\nca = \"{}\"\ncrl = \"{list}\"\n", at.display());
    register(&mut installation, &[shared, registration("kept"), registration("lost")].concat());
    as_own(&installation, "kept", &kept, "x").expect(200);
    as_own(&installation, "lost", &lost, "x").expect(200);

    ca.revoke("lost");
    ca.publish();
    let enters = |name, own| as_own(&installation, name, own, "x").status == 200;
    eventually("it is refused", Duration::from_secs(10), || !enters("lost", &lost));
    let refused = as_own(&installation, "lost", &lost, "x").expect(401).json();
    assert_eq!((&refused["error"], &refused["code"]), (&json!("invalid_client"), &json!("C-06")));
    as_own(&installation, "kept", &kept, "x").expect(200);
    std::fs::write(&crl, "noise").expect("a file");
    eventually("the log says so", Duration::from_secs(10), || installation.log().contains("stay in force"));
    assert!(enters("kept", &kept) && !enters("lost", &lost), "what cannot be read changes nothing");
}

#[test]
fn an_ambiguous_registration_stops_the_start_and_names_its_line() {
    let installation = RunningInstallation::start();
    let data = installation.folder("another");
    let at = data.display().to_string();
    CommandOutcome::of(&mut init(&at)).good();
    let file = data.join("tegata.toml");
    let first = std::fs::read_to_string(&file).expect("a configuration");
    let head = "[[client]]\nclient_id = \"two\"\ntoken_endpoint_auth_method = \"tls_client_auth\"\n";
    for (text, reason) in [
        (
            "ca = \"ca.pem\"\ntls_client_auth_subject_dn = \"CN=a\"\ntls_client_auth_san_dns = \"a.example\"\n",
            "exactly one",
        ),
        ("tls_client_auth_subject_dn = \"CN=a\"\n", "who issues its certificates"),
        ("ca = \"nowhere.pem\"\ntls_client_auth_subject_dn = \"CN=a\"\n", "nowhere.pem"),
    ] {
        std::fs::write(&file, format!("{first}\n{head}{text}")).expect("a configuration");
        let outcome = CommandOutcome::of(Command::new(tegata_tests::tegata()).args(["serve", "--data", &at]));
        assert_ne!(outcome.code, 0);
        assert!(outcome.stderr.contains(reason), "{}", outcome.stderr);
        if reason == "exactly one" {
            let line = 1 + first.lines().count() + 1;
            let named = (line..line + 3).any(|line| outcome.stderr.contains(&format!("line {line}")));
            assert!(named && outcome.stderr.contains("tegata.toml"), "{}", outcome.stderr);
        }
    }
}

/// An installation whose ports nobody else uses.
fn init(data: &str) -> Command {
    let mut command = Command::new(tegata_tests::tegata());
    command.args(["init", "--data", data]);
    for port in ["--portal-port", "--device-port", "--public-port"] {
        command.args([port, &ports::free().to_string()]);
    }
    command
}

/// Whose certificates were taken over, in order of names.
fn known_to_the_log(installation: &RunningInstallation) -> Vec<String> {
    let log = installation.data().join("ledger.db").display().to_string();
    let script = "import sqlite3, sys
for (entry,) in sqlite3.connect(sys.argv[1]).execute('SELECT entry FROM audit ORDER BY seq'): print(entry)";
    let said = tegata_tests::run("python3", &["-c", script, &log]);
    let entries = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let keys = entries.filter(|entry| entry["action"] == "client.keys");
    let mut clients: Vec<_> =
        keys.map(|entry| entry["detail"]["client"].as_str().expect("a client").to_owned()).collect();
    clients.sort();
    clients
}

fn inline(own: &Own) -> String {
    let jwks: Value = serde_json::from_str(&own.jwks()).expect("JSON");
    format!("keys = [{{kty = \"EC\", x5c = [{}]}}]", jwks["keys"][0]["x5c"][0])
}

fn name_of(installation: &RunningInstallation) -> String {
    let text = std::fs::read_to_string(installation.data().join("tegata.toml")).expect("a configuration");
    let line = text.lines().find(|line| line.starts_with("name = ")).expect("a name");
    line.split('"').nth(1).expect("its text").to_owned()
}

/// A folder behind HTTPS: the process, its address, and what verifies it.
fn serve_files(folder: &Path) -> (Process, String, PathBuf) {
    const SERVER: &str = "import http.server, ssl, sys\n\
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
        context.load_cert_chain('server.pem', 'server.key')\n\
        server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)\n\
        server.socket = context.wrap_socket(server.socket, server_side=True)\n\
        server.serve_forever()\n";
    let names = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    let key =
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key"];
    let certificate = ["req", "-x509", "-days", "1", "-subj", "/CN=localhost", "-out", "server.pem"];
    tegata_tests::run_in(folder, "openssl", &[&certificate[..], &names, &key].concat());
    let (ca, port) = (folder.join("server.pem"), ports::free());
    let mut command = Command::new("python3");
    command.args(["-c", SERVER, &port.to_string()]).current_dir(folder);
    let process = Process::start("a product's server", &mut command, &folder.join("log"));
    eventually("it listens", Duration::from_secs(10), || ports::answers(port));
    (process, format!("https://localhost:{port}"), ca)
}

//! A pharmacy chain comes from another authority: its devices work on, and move over one by one.

use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use tegata_tests::{DeviceIdentity, RunningInstallation, openssl, run_in, tokens};

/// Another authority, made with nothing but openssl.
struct OldAuthority {
    folder: PathBuf,
}

impl OldAuthority {
    fn new(folder: PathBuf) -> Self {
        fs::write(folder.join("ca.cnf"), CONFIG).expect("a file");
        fs::write(folder.join("index.txt"), "").expect("a file");
        fs::write(folder.join("crlnumber"), "01\n").expect("a file");
        let authority = Self { folder };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "900",
            "-subj",
            "/O=Old Pharmacy PKI/CN=Old Issuing CA",
            "-config",
            "ca.cnf",
            "-extensions",
            "v3_ca",
        ]);
        authority
    }

    fn device(&self, name: &str, serial: &str, extensions: &str) -> DeviceIdentity {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).expect("a file");
        let (key, csr) = (format!("{name}/key.pem"), format!("{name}/csr.pem"));
        let certificate = format!("{name}/cert.pem");
        self.openssl(&[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &csr,
            "-subj",
            &format!("/CN={name}"),
        ]);
        fs::write(self.folder.join("serial"), format!("{serial}\n")).expect("a file");
        self.openssl(&[
            "ca",
            "-batch",
            "-notext",
            "-config",
            "ca.cnf",
            "-in",
            &csr,
            "-out",
            &certificate,
            "-extensions",
            extensions,
        ]);
        fs::copy(self.folder.join(&certificate), folder.join("chain.pem")).expect("a file");
        DeviceIdentity {
            folder,
            device: String::new(),
            generation: 1,
            serial: serial.to_lowercase(),
            thumbprint: String::new(),
        }
    }

    fn revoke(&self, name: &str, reason: &str) {
        let certificate = format!("{name}/cert.pem");
        self.openssl(&["ca", "-config", "ca.cnf", "-revoke", &certificate, "-crl_reason", reason]);
    }

    fn list(&self, name: &str) -> String {
        self.openssl(&["ca", "-config", "ca.cnf", "-gencrl", "-out", name]);
        self.file(name)
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn devices(&self, lines: &str) -> String {
        fs::write(self.folder.join("devices.csv"), format!("certificate,site,label\n{lines}"))
            .expect("a file");
        self.file("devices.csv")
    }

    fn openssl(&self, arguments: &[&str]) {
        run_in(&self.folder, "openssl", arguments);
    }
}

const CONFIG: &str = "
[ca]
default_ca = old
[old]
dir = .
database = index.txt
serial = serial
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
new_certs_dir = .
default_md = sha256
default_days = 365
default_crl_days = 7
policy = any
unique_subject = no
crl_extensions = crl_ext
[any]
commonName = supplied
[crl_ext]
authorityKeyIdentifier = keyid
[req]
distinguished_name = dn
[dn]
[v3_ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[client]
keyUsage = digitalSignature
extendedKeyUsage = clientAuth
[server]
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
";

#[test]
fn devices_of_another_authority_work_on_and_move_over_at_their_renewal() {
    let mut installation = RunningInstallation::start();
    let old = OldAuthority::new(installation.folder("old"));
    let counter = old.device("counter", "01", "client");
    let lost = old.device("lost", "00F1E2D3C4B5A69788796A5B4C3D2E1F", "client");
    let stranger = old.device("stranger", "03", "client");
    old.device("server", "04", "server");
    old.revoke("lost", "keyCompromise");
    let crl = old.list("first.crl");

    let list = old.devices(
        "counter/cert.pem,本店,受付PC\nlost/cert.pem,本店,なくした端末\nserver/cert.pem,本店,サーバー\n\
         counter/cert.pem,本店,二度目\nnothing.pem,本店,ファイルなし\nstranger/cert.pem,支店,店舗なし\n",
    );
    let ca = old.file("ca.pem");
    let arguments = ["import", "devices", "--ca", &ca, "--devices", &list, "--crl", &crl];
    let rehearsal = installation.command(&arguments);
    assert_eq!((rehearsal.code, &rehearsal.json()["taken_over"]), (1, &json!(2)), "{}", rehearsal.said());
    assert_eq!(
        installation.listed(&["device", "list"]).as_array().unwrap().len(),
        0,
        "a rehearsal changes nothing"
    );

    let performed = installation.command(&[&arguments[..], &["--perform"]].concat());
    let report = performed.json();
    assert_eq!(performed.code, 1, "four lines were refused");
    assert_eq!(
        (&report["taken_over"], &report["refused"], &report["revoked"]),
        (&json!(2), &json!(4), &json!(1)),
        "{report}"
    );
    installation.start_again();

    // The one that was taken over works, as far as a product; the lost and the unknown do not.
    let probed = installation.at_device("/probe").as_device(&counter).send().expect(200).json();
    let counter = DeviceIdentity { device: text(&probed["device"]), ..counter };
    tokens::obtain(&installation, &counter);
    refused(&installation, &lost, "C-06");
    refused(&installation, &stranger, "C-03");

    // Once more changes nothing.
    let again = installation.command(&[&arguments[..], &["--perform"]].concat()).json();
    assert_eq!((&again["taken_over"], &again["known"]), (&json!(0), &json!(2)), "{again}");

    // Its renewal moves it to a CA of this installation.
    let kept = counter.kept_aside();
    let folder = counter.folder.display().to_string();
    let tls_ca = installation.tls_ca.display().to_string();
    let told = installation.tell(&["renew", &folder, "--device", &installation.device, "--tls-ca", &tls_ca]);
    assert_eq!((&told["generation"], text(&told["device"])), (&json!(2), counter.device.clone()));
    let renewed = counter;
    installation.at_device("/probe").as_device(&renewed).send().expect(200);
    assert_eq!(openssl::verify_with_crl(&installation, &renewed).code, 0);

    // The old authority learns that the old key was copied: what was renewed from it goes too.
    old.revoke("counter.generation-1", "keyCompromise");
    let newer = old.list("second.crl");
    let applied = installation.tell(&["import", "crl", "--yes", &newer]);
    assert_eq!(applied["applied"][0]["action"], "revoked", "{applied}");
    for one in [&kept, &renewed] {
        refused(&installation, one, "C-06");
    }
    let backwards = installation.command(&["import", "crl", "--yes", &crl]);
    assert_eq!(backwards.code, 2, "{}", backwards.said());
}

#[test]
fn a_list_that_is_forged_partial_or_stale_is_refused() {
    let installation = RunningInstallation::start();
    let old = OldAuthority::new(installation.folder("old"));
    old.device("counter", "01", "client");
    let list = old.devices("counter/cert.pem,本店,受付PC\n");
    let (ca, good) = (old.file("ca.pem"), old.list("good.crl"));
    installation.tell(&["import", "devices", "--ca", &ca, "--devices", &list, "--perform"]);

    let impostor = OldAuthority::new(installation.folder("impostor"));
    let forged = impostor.list("forged.crl");
    let text = fs::read_to_string(old.folder.join("ca.cnf")).unwrap();
    let with = |extension: &str, name: &str| {
        let changed = text.replace("[crl_ext]", &format!("[crl_ext]\n{extension}"));
        fs::write(old.folder.join("ca.cnf"), changed).unwrap();
        old.list(name)
    };
    let delta = with("2.5.29.27 = ASN1:INTEGER:1", "delta.crl");
    let partial = with("2.5.29.28 = critical,DER:30038401ff", "partial.crl");
    fs::write(old.folder.join("ca.cnf"), &text).unwrap();
    for (name, file) in [("forged", &forged), ("delta", &delta), ("indirect", &partial), ("no list", &ca)] {
        let refused = installation.command(&["import", "crl", "--yes", file]);
        assert_eq!(refused.code, 2, "{name}: {}", refused.said());
    }
    assert_eq!(installation.tell(&["import", "crl", "--yes", &good])["entries"], 0);
}

fn refused(installation: &RunningInstallation, device: &DeviceIdentity, code: &str) {
    let answer = installation.at_device("/probe").as_device(device).send().expect(401);
    assert_eq!(&*answer.problem(), code);
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

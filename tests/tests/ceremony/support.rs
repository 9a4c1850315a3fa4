//! What the ceremonies of these tests have in common.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use tegata_tests::openssl::{ocsp, ocsp_status, openssl, verify_to_the_root};
use tegata_tests::{Ceremony, CeremonyAct, Curl, DeviceIdentity, RunningInstallation};

pub const REQUEST: &str = "root = \"root.pem\"\norganization = \"試験薬局\"\ncommon_name = \"Requested\"\ndays = 365\n\
    request = \"issuing.csr\"\nsign = \"sign-issuing.toml\"\ninstall = \"install-issuing.toml\"\n";

pub trait RefusedAct {
    fn refused(&self, word: &str);
}

impl RefusedAct for CeremonyAct {
    fn refused(&self, word: &str) {
        let outcome = self.perform();
        assert!(outcome.code != 0 && outcome.said().contains(word), "{word}: {}", outcome.said());
    }
}

pub fn named(name: &str, more: &str) -> String {
    format!("organization = \"試験薬局\"\ncommon_name = \"{name}\"\ndays = 365\n{more}")
}

pub fn of(issuer: &str) -> String {
    format!("issuer = \"{issuer}\"\n")
}

/// Gives the identifier of the new CA.
pub fn create_issuing(ceremony: &Ceremony, name: &str, more: &str) -> String {
    let lines = ceremony.act("create-issuing", &named(name, more)).done();
    let made = lines.iter().find(|line| line["what"] == "made").expect("what was made");
    made["issuer"].as_str().expect("an identifier").to_owned()
}

pub fn create_root() -> String {
    create_root_in("keys", "root")
}

pub fn create_root_in(keys: &str, key: &str) -> String {
    let unlock = if keys == "keys" { String::new() } else { format!("unlock = \"{keys}/../unlock.key\"\n") };
    format!(
        "organization = \"試験薬局\"\ncommon_name = \"Offline Root\"\ndays = 7300\nlist_days = 365\n\
         key = \"{key}\"\ncertificate = \"{key}.pem\"\nlist = \"{key}.crl\"\n[details.keys]\nfolder = \"{keys}\"\n{unlock}"
    )
}

pub fn sign_list(keys: &str, entries: &str) -> String {
    format!(
        "root = \"root.pem\"\nlist = \"root.crl\"\nnew_list = \"root-next.crl\"\nlist_days = 365\n{entries}\
         [details.keys]\nfolder = \"{keys}\"\nunlock = \"{keys}/../unlock.key\"\n"
    )
}

/// Gives the root's act the keys of the installation, as if both were on one host.
pub fn with_keys_of_the_installation(ceremony: &Ceremony, act: &str) {
    let text = std::fs::read_to_string(ceremony.file(act)).expect("the act");
    let keys = "folder = \"../../keys\"\nunlock = \"../../unlock.key\"";
    std::fs::write(ceremony.file(act), text.replace("folder = \"keys\"", keys)).expect("a file");
}

pub fn is_believed(installation: &RunningInstallation, device: &DeviceIdentity) {
    let verified = verify_to_the_root(installation, device);
    assert_eq!(verified.code, 0, "{}", verified.said());
    assert_eq!(ocsp_status(&ocsp(installation, device)), "good");
}

pub fn issuer_of(device: &DeviceIdentity) -> String {
    openssl(&["x509", "-in", &device.file("cert.pem"), "-noout", "-issuer", "-nameopt", "utf8"]).good().stdout
}

pub fn issuer_named(installation: &RunningInstallation, name: &str) -> String {
    let issuers = installation.tell(&["issuer", "list"]);
    let found =
        issuers.as_array().expect("a list").iter().find(|one| one["subject"].to_string().contains(name));
    found.expect("the CA")["issuer"].as_str().expect("an identifier").to_owned()
}

/// The list that is out now. A server may give one that is a second old, which others have replaced meanwhile.
pub fn fetch_root_list(installation: &RunningInstallation, file: &Path) {
    sleep(Duration::from_millis(1_100));
    let root = issuer_named(installation, "Tegata Root");
    let url = format!("{}/crl/{root}.crl", installation.public);
    let answer = until("the list is served", || {
        let answer = Curl::to(&url).send();
        (answer.status == 200).then_some(answer)
    });
    std::fs::write(file, answer.body).expect("a file");
}

pub fn make_private(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(folder).expect("a folder");
}

pub fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("tegata-e2e-").tempdir().expect("a folder")
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

pub fn rand_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A running server takes a ceremony over by itself, soon.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = look() {
            return found;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("not yet: {what}");
}

//! Acts at other times than now, and acts that fail in the middle.

use super::{CeremonyOptions, CeremonyTerminal, hold, list::RootList};
use crate::{ForeignCaTrust, ListenerTrust};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_ca::{LocalKey, UnlockSecret, csr, secret};
use tegata_core::entropy::Seeded;
use tegata_core::{Clock, Timestamp};
use tegata_installation::{Failure, SystemContext, pem};
use tegata_web::TrustedIssuers;

const DAY: Duration = Duration::from_hours(24);

struct CeremonyClock(Mutex<Timestamp>);

impl Clock for CeremonyClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Nobody listens, and everybody consents.
struct Deaf;

impl CeremonyTerminal for Deaf {
    fn hear(&mut self, _: &str, _: &Value, _: &Value) {}

    fn consent(&mut self, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}

/// The rule of the device listener.
struct DeviceListener;

impl ListenerTrust for DeviceListener {
    fn issuing_ca(&self, root: &[u8], issuing: &[u8]) -> Result<(), String> {
        TrustedIssuers::new([root], [issuing], []).map(drop).map_err(|error| error.to_string())
    }

    fn foreign_ca(&self, _: &[u8]) -> Result<Box<dyn ForeignCaTrust>, String> {
        Err("no device is taken over".into())
    }
}

/// A machine of a root, with a clock that can be set.
struct OfflineMachine {
    folder: tempfile::TempDir,
    clock: Arc<CeremonyClock>,
    system: SystemContext,
}

impl OfflineMachine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("keys")).unwrap();
        let entropy = Arc::new(Seeded::new(1));
        let unlock = UnlockSecret::generate(entropy.as_ref());
        secret::write_private_file(&folder.path().join("unlock.key"), unlock.as_bytes()).unwrap();
        let clock = Arc::new(CeremonyClock(Mutex::new(Timestamp::parse("2026-11-21T00:00:00Z").unwrap())));
        let system = SystemContext { clock: clock.clone(), entropy };
        Self { folder, clock, system }
    }

    /// With a root that lives this long.
    fn with_root(days: u32) -> Self {
        let offline = Self::new();
        offline.perform("create-root", &root(days, "root.pem", "root.crl")).unwrap();
        offline
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set(&self, at: impl FnOnce(Timestamp) -> Timestamp) {
        let now = self.system.now();
        *self.clock.0.lock().unwrap() = at(now);
    }

    fn perform(&self, act: &str, details: &str) -> Result<(), Failure> {
        self.run(act, details, true, None)
    }

    fn run(
        &self,
        act: &str,
        details: &str,
        perform: bool,
        transcript: Option<PathBuf>,
    ) -> Result<(), Failure> {
        let text = format!(
            "act = \"{act}\"\nwhy = \"a test\"\n[[present]]\nrole = \"witness\"\nname = \"若葉 太郎\"\n[details]\n{details}\
             [details.keys]\nfolder = \"keys\"\nunlock = \"unlock.key\"\n"
        );
        let file = self.file("act.toml");
        fs::write(&file, text).unwrap();
        let installation = self.file("no installation/tegata.toml");
        let options = CeremonyOptions { installation, file, perform, expect: None, transcript };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(hold(&options, &mut Deaf, &DeviceListener, &self.system))
    }

    /// Everything but the act itself.
    fn names(&self) -> Vec<String> {
        let of = |folder: &Path| {
            let entries = fs::read_dir(folder).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let mut names = [of(self.folder.path()), of(&self.file("keys"))].concat();
        names.retain(|name| name != "act.toml");
        names.sort();
        names
    }

    fn list(&self, name: &str) -> RootList {
        let root = pem::decode(&fs::read(self.file("root.pem")).unwrap()).unwrap();
        RootList::read(fs::read(self.file(name)).unwrap(), &root).unwrap()
    }

    /// Gives the SHA-256 of its file.
    fn request(&self) -> String {
        let key = LocalKey::from_pkcs8(&LocalKey::generate().unwrap()).unwrap();
        let csr = pem::encode("CERTIFICATE REQUEST", &csr::request_for(&key).unwrap());
        fs::write(self.file("issuing.csr"), &csr).unwrap();
        super::run::sha256(csr.as_bytes())
    }
}

fn root(days: u32, certificate: &str, list: &str) -> String {
    format!(
        "organization = \"試験薬局\"\ncommon_name = \"Root\"\ndays = {days}\nlist_days = 30\n\
         certificate = \"{certificate}\"\nlist = \"{list}\"\n"
    )
}

fn issuing(days: u32, sha256: &str) -> String {
    format!(
        "root = \"root.pem\"\nlist = \"root.crl\"\nnew_list = \"next.crl\"\nlist_days = 30\nrequest = \"issuing.csr\"\n\
         request_sha256 = \"{sha256}\"\norganization = \"試験薬局\"\ncommon_name = \"Issuing\"\ndays = {days}\n\
         list_address = \"http://pki.example.jp/crl/r.crl\"\nroot_address = \"http://pki.example.jp/ca/r.cer\"\n\
         certificate = \"issuing.pem\"\n"
    )
}

fn next_list(present: &str, next: &str) -> String {
    format!("root = \"root.pem\"\nlist = \"{present}\"\nnew_list = \"{next}\"\nlist_days = 30\n")
}

#[test]
fn a_root_signs_nothing_that_outlives_it_nor_anything_after_its_end() {
    let offline = OfflineMachine::with_root(400);
    let sha256 = offline.request();
    let before = offline.names();
    let outlives = offline.perform("sign-issuing", &issuing(401, &sha256)).unwrap_err().to_string();
    assert!(outlives.contains("ends on"), "{outlives}");
    offline.set(|now| now.plus(401 * DAY));
    for perform in [false, true] {
        let ended = offline.run("sign-issuing", &issuing(1, &sha256), perform, None).unwrap_err();
        assert!(ended.to_string().contains("ends on"), "{ended}");
    }
    let ended = offline.perform("sign-root-crl", &next_list("root.crl", "next.crl")).unwrap_err();
    assert!(ended.to_string().contains("cannot be used now"), "{ended}");
    assert_eq!(offline.names(), before);
    offline.set(|now| now.minus(399 * DAY));
    offline.perform("sign-issuing", &issuing(300, &sha256)).unwrap();
    assert_eq!(offline.list("next.crl").edition.number, 2);
}

#[test]
fn the_lists_of_a_root_have_rising_numbers_and_never_forget() {
    let offline = OfflineMachine::with_root(400);
    let sha256 = offline.request();
    offline.perform("sign-issuing", &issuing(300, &sha256)).unwrap();
    offline.set(|now| now.plus(2 * DAY));
    let entry = |at: &str| {
        format!(
            "{}[[details.revoked]]\ncertificate = \"issuing.pem\"\nreason = \"key_compromise\"\nat = \"{at}\"\n",
            next_list("next.crl", "third.crl")
        )
    };
    let future = offline.perform("sign-root-crl", &entry("2027-11-21T00:00:00Z")).unwrap_err();
    assert!(future.to_string().contains("in the past"), "{future}");
    offline.perform("sign-root-crl", &entry("2026-11-21T12:00:00Z")).unwrap();
    offline.perform("sign-root-crl", &next_list("third.crl", "fourth.crl")).unwrap();
    let (third, fourth) = (offline.list("third.crl"), offline.list("fourth.crl"));
    assert_eq!((third.edition.number, fourth.edition.number), (3, 4));
    assert_eq!(third.entries.len(), 1);
    assert_eq!(fourth.entries, third.entries);
    assert_eq!(fourth.edition.next_update, fourth.edition.this_update.plus(30 * DAY));
    // A machine whose clock went back would sign a list that verifiers take for an older one.
    offline.set(|now| now.minus(DAY));
    let back = offline.perform("sign-root-crl", &next_list("fourth.crl", "fifth.crl")).unwrap_err();
    assert!(back.to_string().contains("set this machine's clock"), "{back}");
}

#[test]
fn only_what_a_root_has_signed_stands_on_its_list() {
    let (offline, other) = (OfflineMachine::with_root(400), OfflineMachine::with_root(400));
    let sha256 = other.request();
    other.perform("sign-issuing", &issuing(300, &sha256)).unwrap();
    fs::copy(other.file("issuing.pem"), offline.file("foreign.pem")).unwrap();
    let details = next_list("root.crl", "next.crl")
        + "[[details.revoked]]\ncertificate = \"foreign.pem\"\nreason = \"superseded\"\nat = \"2026-11-20T00:00:00Z\"\n";
    let refused = offline.perform("sign-root-crl", &details).unwrap_err();
    assert!(refused.to_string().contains("did not sign it"), "{refused}");
    // Nor does a list of another root have a successor here.
    fs::copy(other.file("root.crl"), offline.file("foreign.crl")).unwrap();
    let refused = offline.perform("sign-root-crl", &next_list("foreign.crl", "next.crl")).unwrap_err();
    assert!(refused.to_string().contains("did not sign the list"), "{refused}");
}

#[test]
fn an_act_that_fails_in_the_middle_leaves_neither_key_nor_file() {
    let offline = OfflineMachine::new();
    let before = offline.names();
    // The second file cannot be written because the first has its name.
    offline.perform("create-root", &root(400, "root.out", "root.out")).unwrap_err();
    assert_eq!(offline.names(), before);
    offline.perform("create-root", &root(400, "no/folder.pem", "root.crl")).unwrap_err();
    offline.perform("create-root", &root(40 * 366 + 1, "root.pem", "root.crl")).unwrap_err();
    assert_eq!(offline.names(), before);
    offline.perform("create-root", &root(400, "root.pem", "root.crl")).unwrap();
    // The key has its certificate; no other act takes its name.
    let made = offline.names();
    let again = offline.perform("create-root", &root(400, "again.pem", "again.crl")).unwrap_err();
    assert!(again.to_string().contains("exists already"), "{again}");
    assert_eq!(offline.names(), made);
}

#[test]
fn a_transcript_tells_a_failure_too_and_is_never_added_to() {
    let offline = OfflineMachine::new();
    let transcript = offline.file("transcript.jsonl");
    let details = root(400, "root.out", "root.out");
    offline.run("create-root", &details, true, Some(transcript.clone())).unwrap_err();
    let text = fs::read_to_string(&transcript).unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.contains("\"failed\"") && last.contains("root.out"), "{text}");
    assert!(!text.contains(&tegata_core::encoding::hex(&fs::read(offline.file("unlock.key")).unwrap())));
    let again = offline.run("create-root", &root(400, "a.pem", "a.crl"), true, Some(transcript.clone()));
    assert!(again.unwrap_err().to_string().contains("cannot begin the transcript"));
    assert_eq!(fs::read_to_string(&transcript).unwrap(), text);
}

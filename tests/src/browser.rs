//! Browsers with their own certificate stores, driven as a person would.

mod chromium;
mod firefox;

use crate::clients::node;
use crate::command::run;
use crate::debian::{DebianMachine, HOST as DEBIAN_HOST};
use crate::installation::RunningInstallation;
use crate::policy::Policy;
use crate::process::Process;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A browser with one tab. The certificates it presents come from its own store; what drives it has no part in that.
#[derive(Debug)]
pub struct Browser {
    driver: Process,
    home: TempDir,
    screenshots: PathBuf,
    kind: BrowserKind,
}

#[derive(Debug)]
enum BrowserKind {
    /// A managed policy chooses the certificate.
    Chromium { _policy: Policy },
    /// A person does, in Firefox's own dialog: [`Browser::present`].
    Firefox,
}

/// A file that the browser saved.
#[derive(Clone, Debug)]
pub struct Download {
    /// Where it is.
    pub path: PathBuf,
    /// The name that a person sees.
    pub name: String,
}

/// What a browser says of itself.
#[derive(Clone, Copy, Debug)]
pub enum Guise {
    /// Chromium on Linux, as it is.
    Plain,
    /// Safari on an iPad with iPadOS 17.
    IPad,
    /// Safari on an iPhone with iOS 15, for which there are no ACME payloads.
    OldIPhone,
    /// Safari 26 on a Mac.
    Mac,
    /// Chrome on a Mac.
    MacChrome,
    /// Chrome on `ChromeOS`.
    ChromeOs,
    /// LINE on an iPhone, which shows pages by itself.
    Line,
    /// Chrome on an iPhone.
    ChromeOnIphone,
    /// Some application on Android that shows pages by itself.
    AndroidApp,
}

impl Guise {
    const fn user_agent(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::IPad => Some(
                "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 \
                 Mobile/15E148 Safari/604.1",
            ),
            Self::OldIPhone => Some(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 15_8 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/15.6 Mobile/15E148 Safari/604.1",
            ),
            Self::Mac => Some(
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/26.0 Safari/605.1.15",
            ),
            Self::MacChrome => Some(
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/140.0.0.0 Safari/537.36",
            ),
            Self::Line => Some(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Mobile/15E148 Safari Line/14.9.0",
            ),
            Self::ChromeOnIphone => Some(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 CriOS/126.0.6478.35 Mobile/15E148 Safari/604.1",
            ),
            Self::AndroidApp => Some(
                "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36",
            ),
            Self::ChromeOs => Some(
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36",
            ),
        }
    }
}

impl Browser {
    /// A fresh Chromium of somebody who has never been here, and trusts the installation's HTTPS.
    #[must_use]
    pub fn open(installation: &RunningInstallation) -> Self {
        Self::open_as(installation, Guise::Plain)
    }

    /// A fresh Chromium that presents its certificate at a gate on this port, too.
    #[must_use]
    pub fn open_for_gate(installation: &RunningInstallation, gate: u16) -> Self {
        Self::open_with(installation, Guise::Plain, &[gate])
    }

    /// Opens a browser that the page takes for another one.
    #[must_use]
    pub fn open_as(installation: &RunningInstallation, guise: Guise) -> Self {
        Self::open_with(installation, guise, &[])
    }

    /// A fresh Chromium that trusts the servers of one more CA.
    #[must_use]
    pub fn open_trusting(installation: &RunningInstallation, ca: &Path) -> Self {
        let (policy, home) = (chromium::policy(installation, &[]), chromium::home(&installation.tls_ca));
        chromium::trust(home.path(), ca);
        Self::start("chromium.mjs", home, BrowserKind::Chromium { _policy: policy }, Guise::Plain)
    }

    fn open_with(installation: &RunningInstallation, guise: Guise, gates: &[u16]) -> Self {
        let policy = chromium::policy(installation, gates);
        let home = chromium::home(&installation.tls_ca);
        if !gates.is_empty() {
            chromium::trust(home.path(), &installation.front().join("ca.pem"));
        }
        Self::start("chromium.mjs", home, BrowserKind::Chromium { _policy: policy }, guise)
    }

    /// A fresh Firefox of the same person.
    #[must_use]
    pub fn open_firefox(installation: &RunningInstallation) -> Self {
        Self::start("firefox.mjs", firefox::home(&installation.tls_ca), BrowserKind::Firefox, Guise::Plain)
    }

    /// A fresh Firefox that trusts the certificate of gates, too.
    #[must_use]
    pub fn open_firefox_for_gate(installation: &RunningInstallation) -> Self {
        let home = firefox::home(&installation.tls_ca);
        trust(&home.path().join("profile"), "gate", &installation.front().join("ca.pem"));
        Self::start("firefox.mjs", home, BrowserKind::Firefox, Guise::Plain)
    }

    /// A fresh Chromium beside a machine with a name, whose device listener is at this port; it trusts this CA.
    #[must_use]
    pub fn open_beside(machine: &DebianMachine, device_port: u16, tls_ca: &Path) -> Self {
        let kind = BrowserKind::Chromium { _policy: chromium::policy_for(DEBIAN_HOST, device_port) };
        let mut command = node("chromium.mjs");
        command.env("BROWSER_HOSTS", "MAP * 127.0.0.1");
        Self::start_by(&mut machine.beside(&command), chromium::home(tls_ca), kind, Guise::Plain)
    }

    fn start(script: &str, home: TempDir, kind: BrowserKind, guise: Guise) -> Self {
        Self::start_by(&mut node(script), home, kind, guise)
    }

    fn start_by(command: &mut Command, home: TempDir, kind: BrowserKind, guise: Guise) -> Self {
        command.env("HOME", home.path()).env_remove("XDG_DATA_HOME").arg(home.path());
        let driver = Process::start("the browser", command, &home.path().join("driver.log"));
        let mut browser = Self { driver, home, screenshots: screenshots(), kind };
        browser.tell(&json!({ "do": "start", "userAgent": guise.user_agent() }));
        browser
    }

    /// Closes the browser and opens it again: same person, same certificates.
    pub fn reopen(&mut self) {
        self.tell(&json!({ "do": "reopen" }));
    }

    /// Goes to an address.
    pub fn go(&mut self, url: &str) {
        self.tell(&json!({ "do": "go", "url": url }));
    }

    /// Does what an invitation says, from its link to the green page, with the file and its password.
    pub fn enroll(&mut self, invitation: &str) {
        self.go(invitation);
        self.take_file();
    }

    /// Takes the file, beginning where the page is ready.
    pub fn take_file(&mut self) {
        self.reach("ready");
        self.click("#start");
        let file = self.download();
        self.reach("install");
        let password = self.text("#password");
        self.import(&file.path, &password);
        self.reach("done");
    }

    /// Waits until something of this CSS selector is visible.
    pub fn see(&mut self, selector: &str) {
        self.tell(&json!({ "do": "see", "selector": selector }));
    }

    /// Waits until the page is in this state, as `body[data-now]` says.
    pub fn reach(&mut self, state: &str) {
        self.tell(&json!({ "do": "reach", "selector": format!("body[data-now={state}]") }));
    }

    /// Clicks.
    pub fn click(&mut self, selector: &str) {
        self.tell(&json!({ "do": "click", "selector": selector }));
    }

    /// Types into a field.
    pub fn type_in(&mut self, selector: &str, value: &str) {
        self.tell(&json!({ "do": "type", "selector": selector, "value": value }));
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub fn press(&mut self, keys: &[&str]) {
        self.tell(&json!({ "do": "press", "keys": keys }));
    }

    /// The `id` of what has the focus.
    pub fn focused(&mut self) -> String {
        self.tell(&json!({ "do": "focused" })).as_str().unwrap_or_default().to_owned()
    }

    /// Whether something of this CSS selector is visible now.
    pub fn shows(&mut self, selector: &str) -> bool {
        self.tell(&json!({ "do": "shows", "selector": selector })).as_bool().expect("a flag")
    }

    /// From now on a mobile network of the third generation at its worst: 400 kbit/s, 400 ms. Nothing is cached.
    pub fn slow_down(&mut self) {
        self.tell(&json!({ "do": "slowDown" }));
    }

    /// What was fetched since [`Browser::slow_down`]: address, and bytes on the wire.
    pub fn traffic(&mut self) -> Vec<(String, u64)> {
        let fetched = self.tell(&json!({ "do": "traffic" }));
        let entry = |fetched: &Value| {
            let url = fetched["url"].as_str().expect("an address").to_owned();
            (url, fetched["bytes"].as_u64().expect("a count"))
        };
        fetched.as_array().into_iter().flatten().map(entry).collect()
    }

    /// Chooses in a list.
    pub fn choose(&mut self, selector: &str, value: &str) {
        self.tell(&json!({ "do": "choose", "selector": selector, "value": value }));
    }

    /// The text of the first element of this selector.
    pub fn text(&mut self, selector: &str) -> String {
        let text = self.tell(&json!({ "do": "text", "selector": selector }));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// What is entered or chosen in a field.
    pub fn value(&mut self, selector: &str) -> String {
        let value = self.tell(&json!({ "do": "value", "selector": selector }));
        value.as_str().unwrap_or_default().to_owned()
    }

    /// The address in the address bar.
    pub fn address(&mut self) -> String {
        self.tell(&json!({ "do": "address" })).as_str().unwrap_or_default().to_owned()
    }

    /// Gives Chromium an authenticator that holds passkeys, verifies its user, and is touched whenever it is asked.
    pub fn add_authenticator(&mut self) {
        self.tell(&json!({ "do": "addAuthenticator" }));
    }

    /// Runs an expression in the page, as somebody at the console would; what it gives, once it is settled.
    pub fn run(&mut self, script: &str) -> Value {
        self.tell(&json!({ "do": "run", "script": script }))
    }

    /// The next file that the page offers, saved.
    pub fn download(&mut self) -> Download {
        let saved = self.tell(&json!({ "do": "download" }));
        let text = |name: &str| saved[name].as_str().expect("a saved file").to_owned();
        Download { path: text("path").into(), name: text("name") }
    }

    /// Imports a PKCS#12 file with its password, as the steps on the page say.
    pub fn import(&mut self, file: &Path, password: &str) {
        match self.kind {
            BrowserKind::Chromium { .. } => chromium::import(self.home.path(), file, password),
            BrowserKind::Firefox => {
                self.tell(&json!({ "do": "import", "path": file, "password": password }));
            }
        }
    }

    /// Waits until Firefox asks which certificate to present: the names it offers.
    pub fn offered(&mut self) -> Vec<String> {
        texts(&self.tell(&json!({ "do": "offered" })))
    }

    /// Chooses, when Firefox asks, the certificate whose name has this serial number in it.
    pub fn present(&mut self, serial: &str) {
        self.tell(&json!({ "do": "present", "text": firefox::written(serial) }));
    }

    /// Puts the certificate that the system has got for its own key where the browser looks.
    pub fn receive(&mut self, chain: &str, key: &str) {
        let home = self.home.path().to_owned();
        let file = |name: &str| home.join(name);
        std::fs::write(file("received.pem"), format!("{chain}{key}")).expect("a file");
        let [pem, p12] = ["received.pem", "received.p12"].map(|name| file(name).display().to_string());
        run("openssl", &["pkcs12", "-export", "-in", &pem, "-out", &p12, "-passout", "pass:once"]);
        self.import(&file("received.p12"), "once");
    }

    /// Pictures of the page on a desktop and, by Chromium, on a larger one and on a phone, in `target/screenshots`. Fails where the page is
    /// not accessible.
    pub fn picture(&mut self, name: &str) {
        let folder = self.screenshots.display().to_string();
        self.tell(&json!({ "do": "picture", "folder": folder, "name": name }));
    }

    /// Errors of the page's scripts and violations of its content security policy since the last time.
    pub fn complaints(&mut self) -> Vec<String> {
        texts(&self.tell(&json!({ "do": "complaints" })))
    }

    fn tell(&mut self, command: &Value) -> Value {
        writeln!(self.driver.input(), "{command}").expect("the driver listens");
        let line = self.driver.line();
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert!(answer["error"].is_null(), "{command}: {}", answer["error"].as_str().unwrap_or_default());
        answer["ok"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Killing the driver alone would leave Chromium behind.
        let _ = writeln!(self.driver.input(), "{}", json!({ "do": "close" }));
        let _ = self.driver.next_line();
    }
}

impl Download {
    /// The certificate with its key in PEM, for curl.
    #[must_use]
    pub fn pem(&self, password: &str) -> String {
        let pem = self.path.with_extension("pem").display().to_string();
        let (p12, password) = (self.path.display().to_string(), format!("pass:{password}"));
        run("openssl", &["pkcs12", "-in", &p12, "-passin", &password, "-nodes", "-out", &pem]);
        pem
    }
}

/// A folder for one browser.
fn temporary() -> TempDir {
    tempfile::Builder::new().prefix("tegata-home-").tempdir().expect("a folder")
}

/// An empty NSS database, with the server's CA as the only addition.
fn create_certificate_store(folder: &Path, tls_ca: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    let store = store(folder);
    run("certutil", &["-N", "-d", &store, "--empty-password"]);
    trust(folder, "tls", tls_ca);
}

/// One more CA of servers.
fn trust(folder: &Path, name: &str, ca: &Path) {
    let (store, ca) = (store(folder), ca.display().to_string());
    run("certutil", &["-A", "-d", &store, "-n", name, "-t", "C,,", "-i", &ca]);
}

/// The name of a certificate store in the form that the programs of NSS take.
fn store(folder: &Path) -> String {
    format!("sql:{}", folder.display())
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn screenshots() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

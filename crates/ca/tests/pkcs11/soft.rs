//! `SoftHSM`: a token in a folder of its own. Which folder is read from the environment when the library is loaded, so
//! every promise is kept in a process of its own: the test runs itself once more, with the environment set.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const LABEL: &str = "tegata test";
pub const PIN: &str = "4711-4711";
const SO_PIN: &str = "0815-0815";
const CONFIGURATION: &str = "SOFTHSM2_CONF";

/// Runs each promise with a fresh token.
#[macro_export]
macro_rules! on_a_token {
    ($($promise:ident),* $(,)?) => {$(
        mod $promise {
            #[test]
            fn soft() {
                $crate::soft::keep(concat!(stringify!($promise), "::soft"), super::$promise);
            }
        }
    )*};
}

/// The promise itself, where the environment is set; otherwise a process where it is.
pub fn keep(name: &str, promise: fn(&Path)) {
    if env::var_os(CONFIGURATION).is_some_and(|path| path.to_string_lossy().contains(FOLDER)) {
        return promise(&module());
    }
    let folder = make_token();
    let mut test = Command::new(env::current_exe().unwrap());
    test.args([name, "--exact", "--nocapture"]).env(CONFIGURATION, configuration(folder.path()));
    let output = test.output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "the promise was not looked at: {said}");
}

const FOLDER: &str = "tegata-softhsm-";

fn make_token() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix(FOLDER).tempdir().unwrap();
    std::fs::create_dir(tokens(folder.path())).unwrap();
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens(folder.path()).display()
    );
    std::fs::write(configuration(folder.path()), text).unwrap();
    let mut init = Command::new("softhsm2-util");
    init.args(["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", SO_PIN]);
    let output = init.env(CONFIGURATION, configuration(folder.path())).output();
    let output = output.unwrap_or_else(|error| panic!("softhsm2-util ({error}): apt-get install softhsm2"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

fn configuration(folder: &Path) -> PathBuf {
    folder.join("softhsm2.conf")
}

fn tokens(folder: &Path) -> PathBuf {
    folder.join("tokens")
}

/// Where the token's files are, in the process that has one.
pub fn token_folder() -> PathBuf {
    let configuration = PathBuf::from(env::var_os(CONFIGURATION).unwrap());
    tokens(configuration.parent().unwrap())
}

fn module() -> PathBuf {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("libsofthsm2.so: apt-get install softhsm2")
}

/// Somebody else in this process who uses the same library.
pub struct Other(Pkcs11);

impl Other {
    pub fn beside(module: &Path) -> Self {
        let context = Pkcs11::new(module).unwrap();
        // Initialized already, unless it was finalised.
        let _ = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        Self(context)
    }

    /// A session with the test's token, as nobody.
    pub fn session(&self) -> Session {
        let mut slots = self.0.get_slots_with_initialized_token().unwrap().into_iter();
        let is_ours = |slot: &_| self.0.get_token_info(*slot).unwrap().label() == LABEL;
        self.0.open_rw_session(slots.find(is_ours).unwrap()).unwrap()
    }

    /// Logs the whole process out of the token.
    pub fn log_out(&self) {
        self.session().logout().unwrap();
    }

    /// Ends every session of the process and forgets every handle; the library is not initialized after that.
    pub fn finalize(self) {
        self.0.finalize().unwrap();
    }

    /// Gives the token another PIN, as its security officer.
    pub fn set_pin(&self, pin: &str) {
        let session = self.session();
        session.login(UserType::So, Some(&AuthPin::from(SO_PIN))).unwrap();
        session.init_pin(&AuthPin::from(pin)).unwrap();
        session.logout().unwrap();
    }
}

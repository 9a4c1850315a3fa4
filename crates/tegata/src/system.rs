//! The operating system's clock, randomness and account. Nothing else asks the system for them.

use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tegata_core::{Clock, Entropy, Timestamp};
use tegata_installation::SystemContext;

/// What commands get from this machine.
pub fn context() -> SystemContext {
    SystemContext { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy::new()) }
}

/// The clock of the operating system.
pub struct SystemClock;

/// The operating system's randomness.
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        assert!(
            self.0.fill(buffer).is_ok(),
            "the operating system yields no randomness: nothing safe can be made"
        );
    }
}

/// Lets the process open as many files as it may have. A connection is a file, and shells and systemd give a process 1,024
/// of them unless it asks for more.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the number of open files stays limited");
    }
}

/// Whether a process with this number runs on this host, under whichever name.
pub fn is_running(process: u32) -> bool {
    std::path::Path::new("/proc").join(process.to_string()).exists()
}

/// The name of this machine, for people who look for a server; `localhost` where it has none.
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(64).collect();
    if name.is_empty() { "localhost".into() } else { name }
}

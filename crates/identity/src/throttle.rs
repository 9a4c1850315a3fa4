//! How often somebody may be wrong at a sign-in.
//!
//! Whoever has signed in on a device before is known there: failures of that person on that device count by themselves, and
//! nobody else's do, so that strangers lock nobody out of their own device. Everybody else is a stranger to the login they
//! try: strangers to one login count together, and so do the attempts of one device and of one address.
//!
//! Each server counts what it sees at once, and all servers together what turned out wrong ([`SharedGuesses`]): whichever counts
//! more decides. Both have an end, however many strangers come: this server's tables, and the counters of each kind in the ledger.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tegata_core::{DeviceId, PersonId, Refusal, TenantId, Timestamp};
use tegata_web::{ServiceContext, SharedGuesses, UnsettledGuess, guess_period, network_key};

/// Of a person on a device where they are known.
const AT_HOME: u32 = 10;

/// Of all strangers to one login.
const PER_LOGIN: u32 = 10;

/// Of one device, at logins that are strange to it.
const PER_DEVICE: u32 = 30;

/// Of one address: a shop's devices share one.
const PER_ADDRESS: u32 = 100;

/// Entries of each of the two tables. When the strangers' is full, strangers wait until the window is over.
const MOST: usize = 50_000;

/// Somebody who tries to sign in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignInAttempt<'a> {
    pub(crate) tenant: &'a TenantId,
    /// What was typed, as logins are compared.
    pub(crate) login_key: &'a str,
    /// The person, if they are known on this device.
    pub(crate) known: Option<&'a PersonId>,
    pub(crate) device: &'a DeviceId,
    pub(crate) address: Option<IpAddr>,
}

/// What is counted. A login that is too long to be one counts as its beginning.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum AttemptKey {
    Home(PersonId, DeviceId),
    Login(TenantId, String),
    Device(DeviceId),
    Network([u8; 16]),
}

/// The longest login that is told from others, in characters.
const LONGEST: usize = 64;

pub(crate) struct SignInThrottle {
    window: Mutex<ThrottleWindow>,
    /// What all servers have counted, of each kind of key. Strangers have no part in the first.
    homes: Arc<SharedGuesses>,
    logins: Arc<SharedGuesses>,
    devices: Arc<SharedGuesses>,
    networks: Arc<SharedGuesses>,
}

#[derive(Default)]
struct ThrottleWindow {
    period: u64,
    at_home: HashMap<AttemptKey, u32>,
    strangers: HashMap<AttemptKey, u32>,
}

/// One attempt, wrong until [`CountedAttempt::was_right`].
pub(crate) struct CountedAttempt<'a> {
    throttle: &'a SignInThrottle,
    keys: Vec<AttemptKey>,
    unsettled: Vec<UnsettledGuess>,
}

impl SignInThrottle {
    pub(crate) fn new(context: &ServiceContext) -> Self {
        let shared = |kind| SharedGuesses::new(context.clone(), kind);
        Self {
            window: Mutex::default(),
            homes: shared("sign-in at home"),
            logins: shared("sign-in by login"),
            devices: shared("sign-in by device"),
            networks: shared("sign-in by network"),
        }
    }

    /// Lets somebody try, or not.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) async fn begin(
        &self,
        attempt: &SignInAttempt<'_>,
        now: Timestamp,
    ) -> Result<Option<CountedAttempt<'_>>, Refusal> {
        let mut limited = Vec::new();
        for (key, limit) in attempt.keys() {
            let so_far = self.shared(&key).so_far(Some(&key.octets()), now).await;
            let so_far = so_far.map_err(crate::service::refusal)?;
            limited.push((key, limit.saturating_sub(so_far.own), limit));
        }
        Ok(self.count(limited, now))
    }

    /// Counts one more for each key, unless one of them has reached its limit, here or everywhere together, or there is no room.
    fn count(&self, limited: Vec<(AttemptKey, u32, u32)>, now: Timestamp) -> Option<CountedAttempt<'_>> {
        let mut window = self.window_at(now);
        let table = window.table_of(&limited);
        let has_room = table.len() + limited.len() <= MOST;
        let may = |(key, left, limit): &(AttemptKey, u32, u32)| {
            *left > 0 && table.get(key).map_or(has_room, |wrong| wrong < limit)
        };
        if !limited.iter().all(may) {
            return None;
        }
        let keys: Vec<_> = limited.into_iter().map(|(key, ..)| key).collect();
        for key in &keys {
            *table.entry(key.clone()).or_default() += 1;
        }
        drop(window);
        let unsettled = keys.iter().map(|key| self.shared(key).attempt(Some(&key.octets()))).collect();
        Some(CountedAttempt { throttle: self, keys, unsettled })
    }

    fn shared(&self, key: &AttemptKey) -> &Arc<SharedGuesses> {
        match key {
            AttemptKey::Home(..) => &self.homes,
            AttemptKey::Login(..) => &self.logins,
            AttemptKey::Device(_) => &self.devices,
            AttemptKey::Network(_) => &self.networks,
        }
    }

    fn window_at(&self, now: Timestamp) -> MutexGuard<'_, ThrottleWindow> {
        let mut window = self.window();
        let period = guess_period(now);
        if window.period != period {
            *window = ThrottleWindow { period, ..ThrottleWindow::default() };
        }
        window
    }

    fn window(&self) -> MutexGuard<'_, ThrottleWindow> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ThrottleWindow {
    /// Those who are known have a table that strangers cannot fill.
    fn table_of(&mut self, keys: &[(AttemptKey, u32, u32)]) -> &mut HashMap<AttemptKey, u32> {
        let is_at_home = matches!(keys.first(), Some((AttemptKey::Home(..), ..)));
        if is_at_home { &mut self.at_home } else { &mut self.strangers }
    }
}

impl CountedAttempt<'_> {
    /// Nobody looked at it: this attempt is taken back, and none before it.
    pub(crate) fn was_not_looked_at(self) {
        self.take_back(false);
    }

    /// It was the right person: where they are at home nothing is held against them any more.
    pub(crate) fn was_right(self) {
        self.take_back(true);
    }

    fn take_back(self, forgets_home: bool) {
        let mut window = self.throttle.window();
        for key in &self.keys {
            let is_at_home = matches!(key, AttemptKey::Home(..));
            let table = if is_at_home { &mut window.at_home } else { &mut window.strangers };
            let left = table.get(key).map_or(0, |wrong| wrong.saturating_sub(1));
            if left == 0 || (is_at_home && forgets_home) {
                table.remove(key);
            } else {
                table.insert(key.clone(), left);
            }
        }
        drop(window);
        self.unsettled.into_iter().for_each(UnsettledGuess::was_right);
    }
}

impl SignInAttempt<'_> {
    fn keys(&self) -> Vec<(AttemptKey, u32)> {
        if let Some(person) = self.known {
            return vec![(AttemptKey::Home(person.clone(), self.device.clone()), AT_HOME)];
        }
        let login = self.login_key.chars().take(LONGEST).collect();
        let mut keys = vec![
            (AttemptKey::Login(self.tenant.clone(), login), PER_LOGIN),
            (AttemptKey::Device(self.device.clone()), PER_DEVICE),
        ];
        keys.extend(self.address.map(|address| (AttemptKey::Network(network_key(address)), PER_ADDRESS)));
        keys
    }
}

impl AttemptKey {
    /// What its counters are drawn from.
    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Home(person, device) => [person.bits(), device.bits()].concat(),
            Self::Login(tenant, login) => [&tenant.bits()[..], login.as_bytes()].concat(),
            Self::Device(device) => device.bits().to_vec(),
            Self::Network(network) => network.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tegata_core::Entropy;
    use tegata_testkit::TestInstallation;
    use tegata_web::GUESS_PERIOD;

    struct ThrottleFixture {
        installation: TestInstallation,
        throttle: SignInThrottle,
        person: PersonId,
    }

    impl ThrottleFixture {
        async fn new() -> Self {
            let installation = TestInstallation::new().await;
            let throttle = SignInThrottle::new(&installation.context.for_services());
            let person = PersonId::random(installation.context.entropy.as_ref());
            Self { installation, throttle, person }
        }

        fn entropy(&self) -> &dyn Entropy {
            self.installation.context.entropy.as_ref()
        }

        fn device(&self) -> DeviceId {
            DeviceId::random(self.entropy())
        }

        fn stranger<'a>(&'a self, login_key: &'a str, device: &'a DeviceId) -> SignInAttempt<'a> {
            let tenant = &self.installation.tenant;
            SignInAttempt { tenant, login_key, known: None, device, address: None }
        }

        fn at_home<'a>(&'a self, device: &'a DeviceId) -> SignInAttempt<'a> {
            SignInAttempt { known: Some(&self.person), ..self.stranger("tanaka", device) }
        }

        async fn try_at<'a>(
            &self,
            server: &'a SignInThrottle,
            attempt: &SignInAttempt<'_>,
        ) -> Option<CountedAttempt<'a>> {
            server.begin(attempt, self.installation.context.now()).await.unwrap()
        }

        /// How many of so many wrong attempts are let in.
        async fn tries(&self, attempt: &SignInAttempt<'_>, times: u32) -> u32 {
            let mut let_in = 0;
            for _ in 0..times {
                let_in += u32::from(self.try_at(&self.throttle, attempt).await.is_some());
            }
            let_in
        }

        /// Counts without asking the ledger.
        fn count_here(&self, attempt: &SignInAttempt<'_>) -> bool {
            let limited = attempt.keys().into_iter().map(|(key, limit)| (key, limit, limit)).collect();
            self.throttle.count(limited, self.installation.context.now()).is_some()
        }
    }

    #[tokio::test]
    async fn strangers_lock_nobody_out_of_a_device_that_knows_them() {
        let company = ThrottleFixture::new().await;
        let own = company.device();
        let mut let_in = 0;
        for _ in 0..20 {
            let_in += company.tries(&company.stranger("tanaka", &company.device()), 5).await;
        }
        assert_eq!(let_in, PER_LOGIN, "strangers count together");
        assert_eq!(company.tries(&company.at_home(&own), 20).await, AT_HOME, "who is known has a limit too");
        assert_eq!(company.tries(&company.stranger("sato", &company.device()), 1).await, 1);
    }

    #[tokio::test]
    async fn one_device_and_one_address_try_so_many_logins_and_no_more() {
        let company = ThrottleFixture::new().await;
        let device = company.device();
        let logins: Vec<_> = (0..60).map(|number| format!("login{number}")).collect();
        let let_in = logins.iter().filter(|login| company.count_here(&company.stranger(login, &device)));
        assert_eq!(let_in.count(), PER_DEVICE as usize);
        let company = ThrottleFixture::new().await;
        let from = |last: u32| format!("2001:db8::{last:x}").parse().ok();
        let let_in = (0..300).filter(|number| {
            let (device, login) = (company.device(), format!("login{number}"));
            company.count_here(&SignInAttempt { address: from(*number), ..company.stranger(&login, &device) })
        });
        assert_eq!(let_in.count(), PER_ADDRESS as usize, "a whole network of IPv6 is one");
    }

    #[tokio::test]
    async fn whoever_is_right_is_not_counted_and_the_period_ends() {
        let company = ThrottleFixture::new().await;
        let device = company.device();
        for _ in 0..3 * PER_LOGIN {
            company
                .try_at(&company.throttle, &company.stranger("tanaka", &device))
                .await
                .unwrap()
                .was_right();
            company.try_at(&company.throttle, &company.at_home(&device)).await.unwrap().was_right();
        }
        assert_eq!(company.throttle.window().strangers.len(), 0);
        assert_eq!(company.tries(&company.stranger("tanaka", &device), 20).await, PER_LOGIN);
        company.installation.advance(GUESS_PERIOD).await;
        assert_eq!(company.tries(&company.stranger("tanaka", &device), 1).await, 1);
    }

    #[tokio::test]
    async fn strangers_fill_a_bounded_table_and_hold_up_nobody_who_is_known() {
        let company = ThrottleFixture::new().await;
        for number in 0..MOST {
            let (device, login) = (company.device(), format!("{number}{}", "x".repeat(1000)));
            company.count_here(&company.stranger(&login, &device));
        }
        let window = company.throttle.window();
        assert!(window.strangers.len() <= MOST);
        let longest = |key: &AttemptKey| matches!(key, AttemptKey::Login(_, login) if login.len() > LONGEST);
        assert!(!window.strangers.keys().any(longest));
        drop(window);
        assert!(!company.count_here(&company.stranger("tanaka", &company.device())));
        assert!(company.count_here(&company.at_home(&company.device())));
    }

    #[tokio::test]
    async fn all_servers_count_together_and_a_known_device_by_itself() {
        let company = ThrottleFixture::new().await;
        let other = SignInThrottle::new(&company.installation.context.for_services());
        let (own, strange) = (company.device(), company.device());
        assert_eq!(company.tries(&company.stranger("tanaka", &strange), PER_LOGIN).await, PER_LOGIN);
        assert_eq!(company.tries(&company.at_home(&own), AT_HOME - 1).await, AT_HOME - 1);
        // What was wrong is written a little later, together with whatever else was.
        for waited in 0.. {
            let tried = company.try_at(&other, &company.stranger("tanaka", &strange)).await;
            if tried.is_none() {
                break;
            }
            tried.unwrap().was_right();
            assert!(waited < 100, "the other server never learns of it");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(company.try_at(&other, &company.stranger("sato", &strange)).await.is_some(), "another login");
        assert!(company.try_at(&other, &company.at_home(&own)).await.is_some(), "the last of ten");
        assert!(
            company.try_at(&other, &company.at_home(&strange)).await.is_some(),
            "strangers have no part in it"
        );
    }
}

//! How often somebody may be wrong at a sign-in.
//!
//! Whoever has signed in on a device before is known there: failures of that person on that device count by themselves, and
//! nobody else's do, so that strangers lock nobody out of their own device. Everybody else is a stranger to the login they
//! try: strangers to one login count together, and so do the attempts of one device and of one address. Each server counts
//! for itself and in memory alone; both tables have an end.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tegata_core::{DeviceId, PersonId, TenantId, Timestamp};

/// The time in which failures count.
const WINDOW: Duration = Duration::from_mins(10);

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
#[derive(Clone, PartialEq, Eq, Hash)]
enum StrangerKey {
    Login(TenantId, String),
    Device(DeviceId),
    Address(IpAddr),
}

/// The longest login that is told from others, in characters.
const LONGEST: usize = 64;

#[derive(Default)]
pub(crate) struct SignInThrottle(Mutex<ThrottleWindow>);

#[derive(Default)]
struct ThrottleWindow {
    began: Option<Timestamp>,
    at_home: HashMap<(PersonId, DeviceId), u32>,
    strangers: HashMap<StrangerKey, u32>,
}

impl SignInThrottle {
    /// Lets somebody try, or not. The attempt counts as wrong until [`SignInThrottle::was_right`].
    pub(crate) fn begin(&self, attempt: &SignInAttempt<'_>, now: Timestamp) -> bool {
        let mut window = self.window_at(now);
        if let Some(person) = attempt.known {
            let key = (person.clone(), attempt.device.clone());
            return counts(&mut window.at_home, vec![(key, AT_HOME)]);
        }
        counts(&mut window.strangers, attempt.keys())
    }

    /// It was the right person.
    pub(crate) fn was_right(&self, attempt: &SignInAttempt<'_>) {
        let mut window = self.window();
        if let Some(person) = attempt.known {
            window.at_home.remove(&(person.clone(), attempt.device.clone()));
            return;
        }
        for (key, _) in attempt.keys() {
            if let Some(wrong) = window.strangers.get_mut(&key) {
                *wrong = wrong.saturating_sub(1);
                if *wrong == 0 {
                    window.strangers.remove(&key);
                }
            }
        }
    }

    fn window_at(&self, now: Timestamp) -> MutexGuard<'_, ThrottleWindow> {
        let mut window = self.window();
        if window.began.is_none_or(|began| now < began || now.since(began) >= WINDOW) {
            *window = ThrottleWindow { began: Some(now), ..ThrottleWindow::default() };
        }
        window
    }

    fn window(&self) -> MutexGuard<'_, ThrottleWindow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one more for each key, unless one of them has reached its limit or there is no room.
fn counts<K: Eq + Hash>(table: &mut HashMap<K, u32>, keys: Vec<(K, u32)>) -> bool {
    let has_room = table.len() + keys.len() <= MOST;
    let may = |(key, limit): &(K, u32)| table.get(key).map_or(has_room, |wrong| wrong < limit);
    if !keys.iter().all(may) {
        return false;
    }
    for (key, _) in keys {
        *table.entry(key).or_default() += 1;
    }
    true
}

impl SignInAttempt<'_> {
    fn keys(&self) -> Vec<(StrangerKey, u32)> {
        let login = self.login_key.chars().take(LONGEST).collect();
        let mut keys = vec![
            (StrangerKey::Login(self.tenant.clone(), login), PER_LOGIN),
            (StrangerKey::Device(self.device.clone()), PER_DEVICE),
        ];
        keys.extend(self.address.map(|address| (StrangerKey::Address(network(address)), PER_ADDRESS)));
        keys
    }
}

/// A home has one IPv4 address, but 2^64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    struct ThrottleFixture {
        tenant: TenantId,
        person: PersonId,
        entropy: Seeded,
    }

    impl ThrottleFixture {
        fn new() -> Self {
            let entropy = Seeded::new(1);
            Self { tenant: TenantId::random(&entropy), person: PersonId::random(&entropy), entropy }
        }

        fn device(&self) -> DeviceId {
            DeviceId::random(&self.entropy)
        }

        fn stranger<'a>(&'a self, login_key: &'a str, device: &'a DeviceId) -> SignInAttempt<'a> {
            SignInAttempt { tenant: &self.tenant, login_key, known: None, device, address: None }
        }

        fn at_home<'a>(&'a self, device: &'a DeviceId) -> SignInAttempt<'a> {
            SignInAttempt { known: Some(&self.person), ..self.stranger("tanaka", device) }
        }
    }

    fn tries(throttle: &SignInThrottle, attempt: &SignInAttempt<'_>, times: u32) -> u32 {
        (0..times).filter(|_| throttle.begin(attempt, NOW)).count().try_into().unwrap()
    }

    #[test]
    fn strangers_lock_nobody_out_of_a_device_that_knows_them() {
        let (throttle, company) = (SignInThrottle::default(), ThrottleFixture::new());
        let own = company.device();
        let many: Vec<_> = (0..20).map(|_| company.device()).collect();
        let let_in: u32 =
            many.iter().map(|device| tries(&throttle, &company.stranger("tanaka", device), 5)).sum();
        assert_eq!(let_in, PER_LOGIN, "strangers count together");
        assert_eq!(tries(&throttle, &company.at_home(&own), 3), 3);
        throttle.was_right(&company.at_home(&own));
        assert_eq!(tries(&throttle, &company.at_home(&own), 20), AT_HOME, "who is known has a limit too");
        assert_eq!(tries(&throttle, &company.stranger("sato", &company.device()), 1), 1);
    }

    #[test]
    fn one_device_and_one_address_try_so_many_logins_and_no_more() {
        let (throttle, company) = (SignInThrottle::default(), ThrottleFixture::new());
        let device = company.device();
        let logins: Vec<_> = (0..60).map(|number| format!("login{number}")).collect();
        let let_in =
            logins.iter().filter(|login| throttle.begin(&company.stranger(login, &device), NOW)).count();
        assert_eq!(let_in, PER_DEVICE as usize);
        let (throttle, from) =
            (SignInThrottle::default(), |last: u32| format!("2001:db8::{last:x}").parse().ok());
        let let_in = (0..300).filter(|number| {
            let (device, login) = (company.device(), format!("login{number}"));
            let attempt = SignInAttempt { address: from(*number), ..company.stranger(&login, &device) };
            throttle.begin(&attempt, NOW)
        });
        assert_eq!(let_in.count(), PER_ADDRESS as usize, "a whole network of IPv6 is one");
    }

    #[test]
    fn whoever_is_right_is_not_counted_and_the_window_ends() {
        let (throttle, company) = (SignInThrottle::default(), ThrottleFixture::new());
        let device = company.device();
        for _ in 0..10 * PER_LOGIN {
            assert!(throttle.begin(&company.stranger("tanaka", &device), NOW));
            throttle.was_right(&company.stranger("tanaka", &device));
        }
        assert_eq!(throttle.window().strangers.len(), 0);
        assert_eq!(tries(&throttle, &company.stranger("tanaka", &device), 20), PER_LOGIN);
        assert!(throttle.begin(&company.stranger("tanaka", &device), NOW.plus(WINDOW)));
    }

    #[test]
    fn strangers_fill_a_bounded_table_and_hold_up_nobody_who_is_known() {
        let (throttle, company) = (SignInThrottle::default(), ThrottleFixture::new());
        for number in 0..MOST {
            let (device, login) = (company.device(), format!("{number}{}", "x".repeat(1000)));
            throttle.begin(&company.stranger(&login, &device), NOW);
        }
        let window = throttle.window();
        assert!(window.strangers.len() <= MOST);
        let longest =
            |key: &StrangerKey| matches!(key, StrangerKey::Login(_, login) if login.len() > LONGEST);
        assert!(!window.strangers.keys().any(longest));
        drop(window);
        assert!(!throttle.begin(&company.stranger("tanaka", &company.device()), NOW));
        assert!(throttle.begin(&company.at_home(&company.device()), NOW));
    }
}

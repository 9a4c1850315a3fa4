//! When one certificate seems to be in two machines at once.
//!
//! A machine is known by its address and by what its `User-Agent` says that it is. Whoever moves leaves one address and goes on at
//! another. Two machines with one certificate take turns: each is seen again while the other goes on. Some turns are ordinary, such
//! as a phone at the edge of a wireless network, so it takes several within an hour.

use crate::policy::Platform;
use crate::timestamp::Timestamp;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// How long a machine counts as going on after it was seen: devices fetch tokens more often.
pub const MACHINE_PATIENCE: Duration = Duration::from_mins(20);

/// So many turns …
const TURNS: u8 = 4;
/// … in this time are two machines.
const WITHIN: Duration = Duration::from_hours(1);

/// What is known of the machine that a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Nothing behind a proxy, which does not say.
    pub address: Option<IpAddr>,
    /// What it says that it is.
    pub platform: Platform,
}

/// The machines that one certificate was lately used from.
#[derive(Clone, Debug)]
pub struct MachineTrace {
    current: Sighted,
    other: Option<Sighted>,
    turns: u8,
    first_turn: Timestamp,
    /// When the two were last told of. Whoever shows ever other machines is told of no oftener.
    told_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Sighted {
    machine: Machine,
    at: Timestamp,
}

impl Machine {
    /// Whether it cannot be the same as another one. An address tells against one of its own family alone, because a machine may
    /// have one of each; of IPv6 the network counts, because hosts change the rest by themselves.
    fn is_not(self, other: Self) -> bool {
        let is_elsewhere = match (self.address, other.address) {
            (Some(IpAddr::V4(own)), Some(IpAddr::V4(other))) => own != other,
            (Some(IpAddr::V6(own)), Some(IpAddr::V6(other))) => network(own) != network(other),
            _ => false,
        };
        let of_another_kind =
            kind(self.platform).zip(kind(other.platform)).is_some_and(|(own, other)| own != other);
        is_elsewhere || of_another_kind
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(formatter, "{address} {}", self.platform),
            None => write!(formatter, "- {}", self.platform),
        }
    }
}

impl MachineTrace {
    /// The first machine that a certificate is seen from.
    pub const fn new(machine: Machine, now: Timestamp) -> Self {
        Self { current: Sighted { machine, at: now }, other: None, turns: 0, first_turn: now, told_at: None }
    }

    /// Takes down that the certificate is used. Gives the two machines when they have taken turns often enough, once an hour.
    pub fn see(&mut self, machine: Machine, now: Timestamp) -> Option<[Machine; 2]> {
        if !machine.is_not(self.current.machine) {
            self.current.at = now;
            return None;
        }
        let before = std::mem::replace(&mut self.current, Sighted { machine, at: now });
        let came_back = self
            .other
            .replace(before)
            .is_some_and(|other| !machine.is_not(other.machine) && now.since(other.at) <= MACHINE_PATIENCE);
        if !came_back {
            self.turns = 0;
            return None;
        }
        if self.turns == 0 || now.since(self.first_turn) > WITHIN {
            (self.turns, self.first_turn) = (0, now);
        }
        self.turns = self.turns.saturating_add(1);
        let is_told = self.told_at.is_some_and(|at| now.since(at) <= WITHIN);
        if self.turns < TURNS || is_told {
            return None;
        }
        self.told_at = Some(now);
        Some([before.machine, machine])
    }

    /// Whether nothing before counts any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.current.at) > MACHINE_PATIENCE
    }
}

/// Systems that a machine passes for now and then are one kind: a tablet whose browser asks for the pages of a desktop says that it
/// is a Mac or a Linux PC.
const fn kind(platform: Platform) -> Option<u8> {
    match platform {
        Platform::Other => None,
        Platform::Windows => Some(0),
        Platform::Macos | Platform::Ios | Platform::Apple => Some(1),
        Platform::Android | Platform::Chromeos | Platform::Linux => Some(2),
    }
}

const fn network(address: Ipv6Addr) -> [u16; 4] {
    let [a, b, c, d, ..] = address.segments();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(address: &str, platform: Platform) -> Machine {
        Machine { address: address.parse().ok(), platform }
    }

    /// Seen once every few minutes. Gives after how many sightings there was an alarm.
    fn alarms(sightings: &[Machine], apart: u32) -> Vec<usize> {
        let time =
            |number: usize| Timestamp::from_seconds(0).plus(MINUTE * apart * u32::try_from(number).unwrap());
        let mut trace = MachineTrace::new(sightings[0], time(0));
        let rest = sightings.iter().enumerate().skip(1);
        rest.filter_map(|(number, machine)| trace.see(*machine, time(number)).map(|_| number)).collect()
    }

    #[test]
    fn two_machines_that_take_turns_are_noticed_once_an_hour() {
        let [desk, thief] = ["192.0.2.1", "198.51.100.7"].map(|address| at(address, Platform::Windows));
        assert_eq!(alarms(&[desk, thief].repeat(4), 5), [5]);
        let day: Vec<_> = [desk, thief].repeat(72);
        assert!((2..=12).contains(&alarms(&day, 5).len()), "twelve hours");
        let tablet = at("192.0.2.1", Platform::Ios);
        assert_eq!(alarms(&[desk, tablet].repeat(4), 1), [5], "behind one address, of two kinds");
    }

    #[test]
    fn ever_other_machines_raise_no_second_alarm_within_the_hour() {
        use Platform::{Android, Ios, Windows};
        let [one, two, three] = [Windows, Ios, Android].map(|platform| at("192.0.2.1", platform));
        let turns = [[one, two].repeat(3), [three, two].repeat(3), [one, three].repeat(3)].concat();
        assert_eq!(alarms(&turns, 1).len(), 1);
    }

    #[test]
    fn whoever_moves_or_passes_for_another_kind_is_one_machine() {
        use Platform::{Android, Ios, Linux, Macos, Other, Windows};
        let [shop, road, home] = ["192.0.2.1", "198.51.100.7", "203.0.113.9"].map(|address| at(address, Ios));
        assert!(alarms(&[shop, shop, road, road, home, home, road, shop], 5).is_empty(), "a day outside");
        assert!(alarms(&[shop, road, shop, road, shop], 10).is_empty(), "two visits");
        let roaming: Vec<_> = (0..40).map(|host| at(&format!("198.51.100.{host}"), Ios)).collect();
        assert!(alarms(&roaming, 1).is_empty(), "another address each time");
        let both = [at("192.0.2.1", Windows), at("2001:db8::1", Windows)];
        assert!(alarms(&both.repeat(20), 1).is_empty(), "both families of addresses");
        let private = [at("2001:db8::1", Ios), at("2001:db8::ffff:1", Ios)];
        assert!(alarms(&private.repeat(20), 1).is_empty(), "one network");
        for pair in [[Ios, Macos], [Android, Linux], [Windows, Other]] {
            let seen = pair.map(|platform| at("192.0.2.1", platform));
            assert!(alarms(&seen.repeat(20), 1).is_empty(), "{pair:?}");
        }
    }

    #[test]
    fn a_machine_that_was_silent_for_long_has_not_come_back() {
        let [one, other] = ["192.0.2.1", "198.51.100.7"].map(|address| at(address, Platform::Windows));
        assert!(alarms(&[one, other].repeat(20), 11).is_empty());
        let trace = MachineTrace::new(one, Timestamp::from_seconds(0));
        assert!(
            !trace.is_over(Timestamp::from_seconds(1200)) && trace.is_over(Timestamp::from_seconds(1201))
        );
    }
}

//! What an operator who writes rules may rely on.

use super::*;
use crate::language::Language;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::net::Ipv4Addr;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn hours(windows: &[&str]) -> OpeningHours {
    OpeningHours {
        zone: FixedOffset::default(),
        windows: windows.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

fn asking(platform: Platform, address: &str, at: Timestamp) -> EnrollmentAttempt {
    EnrollmentAttempt { platform, address: Some(address.parse().unwrap()), at }
}

#[test]
fn hours_are_those_of_the_clock_in_the_shop() {
    let open = hours(&["mon-fri 09:00-20:00", "sat 9:00-13:00"]);
    // 2026-01-05 is a Monday.
    for (moment, included) in [
        ("2026-01-05T08:59:59.999+09:00", false),
        ("2026-01-05T09:00:00+09:00", true),
        ("2026-01-05T00:00:00Z", true),
        ("2026-01-09T19:59:59+09:00", true),
        ("2026-01-09T20:00:00+09:00", false),
        ("2026-01-10T12:00:00+09:00", true),
        ("2026-01-10T15:00:00+09:00", false),
        ("2026-01-11T12:00:00+09:00", false),
        ("1969-12-29T09:00:00+09:00", true),
    ] {
        assert_eq!(open.include(at(moment)), included, "{moment}");
    }
    let elsewhere = OpeningHours { zone: "-03:30".parse().unwrap(), ..open };
    assert!(elsewhere.include(at("2026-01-05T09:00:00-03:30")));
    assert!(!elsewhere.include(at("2026-01-05T09:00:00+09:00")));
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    let night = hours(&["fri 22:00-06:00"]);
    for (moment, included) in [
        ("2026-01-09T21:59:00+09:00", false),
        ("2026-01-09T22:00:00+09:00", true),
        ("2026-01-10T05:59:00+09:00", true),
        ("2026-01-10T06:00:00+09:00", false),
        ("2026-01-10T22:00:00+09:00", false),
        ("2026-01-09T05:00:00+09:00", false),
    ] {
        assert_eq!(night.include(at(moment)), included, "{moment}");
    }
    let sunday = hours(&["sun 22:00-06:00"]);
    assert!(sunday.include(at("2026-01-12T01:00:00+09:00")), "over the end of the week");
}

#[test]
fn whoever_comes_too_late_reads_when_to_come() {
    let open = hours(&["mon-fri 09:00-20:00", "sat,mon 9:00-13:00", "00:00-24:00"]);
    assert_eq!(open.text(Language::Ja), "日本時間で月〜金 9:00〜20:00、月・土 9:00〜13:00、毎日 0:00〜24:00");
    assert_eq!(
        open.text(Language::En),
        "Mon–Fri 9:00–20:00, Mon, Sat 9:00–13:00, every day 0:00–24:00, Japan time"
    );
    let elsewhere = OpeningHours { zone: "+01:00".parse().unwrap(), ..hours(&["sun"]) };
    assert_eq!(elsewhere.text(Language::En), "Sun 0:00–24:00, UTC+01:00");
}

#[test]
fn what_is_no_hour_is_refused() {
    for wrong in [
        "",
        "mon-",
        "9-20",
        "monday",
        "09:00-09:00",
        "24:00-06:00",
        "10:00-00:00",
        "25:00-26:00",
        "09:60-10:00",
        "09:00-10:0",
        "mon 09:00",
        "mon 09:00-10:00 x",
        "mon, 9:00-10:00",
        "+9:00-10:00",
        "009:00-10:00",
    ] {
        assert_eq!(wrong.parse::<WeeklyWindow>(), Err(NotAWindow), "{wrong}");
    }
    for wrong in ["", "9", "09:00", "+15:00", "-13:00", "+9", "JST", "＋09:00"] {
        assert_eq!(wrong.parse::<FixedOffset>(), Err(NotAZone), "{wrong}");
    }
}

#[test]
fn devices_are_taken_for_what_they_say_they_are() {
    for (user_agent, platform) in [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36", Platform::Windows),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Safari/604.1", Platform::Ios),
        ("Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X)", Platform::Ios),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15", Platform::Macos),
        ("Mozilla/5.0 (Linux; Android 14; K) Chrome/130.0 Mobile", Platform::Android),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)", Platform::Chromeos),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0", Platform::Linux),
        ("profiled/1.0 CFNetwork/1494.0.7 Darwin/23.4.0", Platform::Apple),
        ("CertbotACMEClient/2.1.0 (certbot; Debian GNU/Linux 12 (bookworm))", Platform::Linux),
        ("curl/7.88.1", Platform::Other),
        ("", Platform::Other),
    ] {
        assert_eq!(Platform::of_user_agent(user_agent), platform, "{user_agent}");
    }
}

#[test]
fn an_apple_device_that_does_not_say_which_passes_with_either() {
    let [ios, apple, windows] =
        [Platform::Ios, Platform::Apple, Platform::Windows].map(|one| BTreeSet::from([one]));
    assert!(
        Platform::Apple.is_among(&ios) && Platform::Ios.is_among(&apple) && Platform::Macos.is_among(&apple)
    );
    assert!(!Platform::Macos.is_among(&ios) && !Platform::Apple.is_among(&windows));
    assert!(!Platform::Other.is_among(&apple), "what does not say what it is must be allowed by name");
}

#[test]
fn each_rule_has_its_own_refusal() {
    let now = at("2026-01-05T12:00:00+09:00");
    let strict = EnrollmentPolicy {
        devices: Some(3),
        platforms: Some(BTreeSet::from([Platform::Ios])),
        networks: Some(vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]),
        hours: Some(hours(&["mon 09:00-20:00"])),
        approval: false,
    };
    let policies = EffectivePolicy {
        tenant: EnrollmentPolicy { approval: true, ..EnrollmentPolicy::default() },
        site: strict,
    };
    let good = asking(Platform::Ios, "192.0.2.7", now);
    assert_eq!(policies.judge(&good), Ok(PolicyVerdict::Waiting), "the tenant wants to approve");
    assert_eq!(policies.judge(&asking(Platform::Ios, "2001:db8::1", now)), Ok(PolicyVerdict::Waiting));
    for (wrong, refusal) in [
        (asking(Platform::Ios, "198.51.100.1", now), Refusal::NetworkNotAllowed),
        (EnrollmentAttempt { address: None, ..good }, Refusal::NetworkNotAllowed),
        (EnrollmentAttempt { platform: Platform::Other, ..good }, Refusal::PlatformNotAllowed),
        (EnrollmentAttempt { at: at("2026-01-05T20:00:00+09:00"), ..good }, Refusal::OutsideHours),
    ] {
        assert_eq!(policies.judge(&wrong), Err(refusal), "{wrong:?}");
    }
    let never = EnrollmentPolicy { hours: Some(hours(&[])), ..EnrollmentPolicy::default() };
    assert_eq!(
        EffectivePolicy { tenant: never, ..EffectivePolicy::default() }.judge(&good),
        Err(Refusal::OutsideHours)
    );
}

#[test]
fn a_rule_that_this_program_does_not_know_is_not_passed_over() {
    let known: EnrollmentPolicy =
        serde_json::from_str(r#"{"hours":{"windows":["09:00-20:00"]},"approval":true}"#).unwrap();
    assert_eq!(known.hours.unwrap().zone, FixedOffset::JAPAN);
    for unknown in
        [r#"{"attested":true}"#, r#"{"hours":{"windows":[],"holidays":false}}"#, r#"{"platforms":["beos"]}"#]
    {
        assert!(serde_json::from_str::<EnrollmentPolicy>(unknown).is_err(), "{unknown}");
    }
    assert_eq!(serde_json::to_string(&EnrollmentPolicy::default()).unwrap(), "{}");
}

fn any_platform() -> impl Strategy<Value = Platform> {
    proptest::sample::select(Platform::ALL)
}

fn any_network() -> impl Strategy<Value = Network> {
    (any::<u32>(), 0u32..=32).prop_map(|(address, bits)| {
        let kept = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        format!("{}/{bits}", Ipv4Addr::from_bits(address & kept)).parse().unwrap()
    })
}

fn any_window() -> impl Strategy<Value = WeeklyWindow> {
    let apart = |(_, from, to): &(u8, u16, u16)| from != to;
    (1u8..=127, 0u16..1440, 1u16..=1440).prop_filter("an empty window", apart).prop_map(|(days, from, to)| {
        let days: Vec<_> = (0..7)
            .filter(|day| days & (1 << day) != 0)
            .map(|day| ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day])
            .collect();
        let text = format!("{} {}:{:02}-{}:{:02}", days.join(","), from / 60, from % 60, to / 60, to % 60);
        text.parse().unwrap()
    })
}

prop_compose! {
    fn any_policy()(
        devices in any::<Option<u32>>(),
        platforms in proptest::option::of(btree_set(any_platform(), 0..4)),
        networks in proptest::option::of(vec(any_network(), 0..4)),
        windows in proptest::option::of(vec(any_window(), 0..4)),
        ahead in -12i8..=14,
        approval in any::<bool>(),
    ) -> EnrollmentPolicy {
        let zone = format!("{ahead:+03}:00").parse().unwrap();
        EnrollmentPolicy { devices, platforms, networks, hours: windows.map(|windows| OpeningHours { zone, windows }), approval }
    }
}

prop_compose! {
    fn anybody()(platform in any_platform(), address in any::<Option<u32>>(), minutes in -40_000_000i64..40_000_000) -> EnrollmentAttempt {
        let address = address.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
        EnrollmentAttempt { platform, address, at: Timestamp::from_seconds(minutes * 60) }
    }
}

/// The better the higher.
fn rank(judged: Result<PolicyVerdict, Refusal>) -> u8 {
    match judged {
        Ok(PolicyVerdict::Admitted) => 2,
        Ok(PolicyVerdict::Waiting) => 1,
        Err(_) => 0,
    }
}

proptest! {
    #[test]
    fn a_site_is_never_looser_than_its_tenant(tenant in any_policy(), site in any_policy(), asking in anybody()) {
        let alone = EffectivePolicy { tenant: tenant.clone(), site: EnrollmentPolicy::default() }.judge(&asking);
        let by_site = EffectivePolicy { tenant: EnrollmentPolicy::default(), site: site.clone() }.judge(&asking);
        let both = EffectivePolicy { tenant: tenant.clone(), site: site.clone() };
        prop_assert_eq!(rank(both.judge(&asking)), rank(alone).min(rank(by_site)));
        prop_assert_eq!(both.judge(&asking).is_ok_and(|verdict| verdict == PolicyVerdict::Waiting),
            both.judge(&asking).is_ok() && both.need_approval());
        let turned = EffectivePolicy { tenant: site, site: tenant };
        prop_assert_eq!(rank(turned.judge(&asking)), rank(both.judge(&asking)), "the order says nothing");
    }

    #[test]
    fn a_rule_more_lets_nobody_in_who_was_out(policy in any_policy(), asking in anybody()) {
        let judged = |policy: EnrollmentPolicy| rank(EffectivePolicy { tenant: policy, ..EffectivePolicy::default() }.judge(&asking));
        let strict = judged(policy.clone());
        for looser in [
            EnrollmentPolicy { platforms: None, ..policy.clone() },
            EnrollmentPolicy { networks: None, ..policy.clone() },
            EnrollmentPolicy { hours: None, ..policy.clone() },
            EnrollmentPolicy { approval: false, ..policy.clone() },
        ] {
            prop_assert!(judged(looser) >= strict);
        }
        prop_assert_eq!(judged(EnrollmentPolicy { devices: None, ..policy }), strict, "places are counted elsewhere");
        prop_assert_eq!(judged(EnrollmentPolicy::default()), 2);
    }

    #[test]
    fn rules_survive_being_written_and_read(policy in any_policy()) {
        let text = serde_json::to_string(&policy).unwrap();
        prop_assert_eq!(serde_json::from_str::<EnrollmentPolicy>(&text).unwrap(), policy, "{}", text);
    }

    #[test]
    fn a_window_is_open_for_as_long_as_it_says_every_week(window in any_window(), week in -2000i64..2000) {
        let hours = OpeningHours { zone: FixedOffset::JAPAN, windows: vec![window] };
        let minutes = (0..7 * 1440).filter(|minute| {
            hours.include(Timestamp::from_seconds((week * 7 * 1440 + minute) * 60))
        }).count();
        let text = window.to_string();
        let (days, times) = text.rsplit_once(' ').unwrap_or(("mon-sun", &text));
        let ends: Vec<i64> = times.split(['-', ':']).map(|number| number.parse().unwrap()).collect();
        let length = (ends[2] * 60 + ends[3] - ends[0] * 60 - ends[1]).rem_euclid(1440);
        let length = if length == 0 { 1440 } else { length };
        let count = days.split(',').map(|row| {
            let place = |name: &str| ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().position(|day| *day == name).unwrap();
            row.split_once('-').map_or(1, |(first, last)| place(last) - place(first) + 1)
        }).sum::<usize>();
        prop_assert_eq!(i64::try_from(minutes).unwrap(), length * i64::try_from(count).unwrap(), "{}", text);
    }

    #[test]
    fn no_text_breaks_the_parsers(text in "\\PC{0,24}") {
        let _ = (text.parse::<WeeklyWindow>(), text.parse::<FixedOffset>(), Platform::of_user_agent(&text));
    }
}

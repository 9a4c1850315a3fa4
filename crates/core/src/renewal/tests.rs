use super::*;
use crate::entropy::Seeded;
use crate::id::DeviceId;
use crate::policy::OpeningHours;
use proptest::prelude::*;

#[test]
fn a_year_is_renewed_a_month_early_and_a_week_at_two_thirds() {
    let policy = RenewalPolicy::default();
    let start = Timestamp::from_seconds(0);
    let year = start.plus(DAY * 365);
    assert_eq!(policy.due_at(start, year), year.minus(DAY * 30));
    let six_days = start.plus(DAY * 6);
    assert_eq!(policy.due_at(start, six_days), start.plus(DAY * 4));
    assert_eq!(policy.window(start, year), (year.minus(DAY * 30), year.minus(DAY * 30).plus(DAY * 365 / 50)));
    let late = RenewalPolicy { due_days: 0, ..policy };
    assert_eq!(late.window(start, year), (year, year), "never after the end");
}

const START: Timestamp = Timestamp::from_seconds(1_767_225_600);

fn year_from(start: Timestamp) -> Timestamp {
    start.plus(DAY * 365)
}

/// A pharmacy as most are: weekdays and Saturday mornings, busy while claims are sent in.
fn pharmacy() -> RenewalRules {
    let windows = ["mon-fri 09:00-18:00", "sat 09:00-13:00"].map(|window| window.parse().unwrap());
    RenewalRules {
        hours: Some(OpeningHours { windows: windows.to_vec(), ..OpeningHours::default() }),
        busy: vec!["1-10".parse().unwrap()],
        ..RenewalRules::default()
    }
}

fn planned(rules: &RenewalRules, device: &DeviceId, start: Timestamp) -> PlannedRenewal {
    let subject = RenewalSubject {
        device,
        generation: 1,
        made_at: start,
        not_before: start,
        not_after: year_from(start),
    };
    RenewalPolicy::default().plan(rules, &subject)
}

fn devices(count: usize) -> Vec<DeviceId> {
    let entropy = Seeded::new(16);
    (0..count).map(|_| DeviceId::random(&entropy)).collect()
}

#[test]
fn five_hundred_shops_do_not_renew_in_the_same_hour() {
    let rules = RenewalRules { busy: Vec::new(), ..pharmacy() };
    let mut hours = std::collections::BTreeMap::new();
    for device in devices(500) {
        let plan = planned(&rules, &device, START);
        assert_eq!(plan, planned(&rules, &device, START), "any server says the same");
        assert_eq!((plan.basis, rules.at(plan.from)), (PlanBasis::Open, SiteTime::Open));
        *hours.entry(plan.from).or_insert(0) += 1;
    }
    let most = hours.values().max().unwrap();
    assert!(hours.len() > 50 && *most <= 20, "{} hours, {most} in one", hours.len());
}

#[test]
fn nobody_is_asked_on_a_closed_day_or_on_a_busy_one_while_others_are_left() {
    let device = &devices(1)[0];
    let due = year_from(START).minus(DAY * 30);
    let closed = |rules: &mut RenewalRules, days: &str| rules.closed.push(days.parse().unwrap());
    let mut rules = RenewalRules { spread_days: Some(5), ..pharmacy() };
    // Due on 2 December 2026: the first days of the month are all busy.
    assert_eq!(due.to_string().get(..10), Some("2026-12-02"));
    let plan = planned(&rules, device, START);
    assert!(plan.basis == PlanBasis::Open && plan.from > due.plus(DAY * 8), "{plan:?}");
    let always_busy = RenewalRules { busy: vec!["1-31".parse().unwrap()], ..rules.clone() };
    let plan = planned(&always_busy, device, START);
    assert_eq!((plan.basis, always_busy.at(plan.from)), (PlanBasis::Busy, SiteTime::Busy));
    closed(&mut rules, "2026-12-01..2026-12-20");
    let plan = planned(&rules, device, START);
    assert!(plan.from > due.plus(DAY * 18) && plan.basis == PlanBasis::Open, "{plan:?}");
    closed(&mut rules, "2026-12-21..2027-01-31");
    assert_eq!(planned(&rules, device, START).basis, PlanBasis::NoOpenTime);
    assert_eq!(planned(&rules, device, START).from, due);
}

#[test]
fn on_a_public_holiday_nobody_is_there_unless_the_place_says_so() {
    // 22 September 2026 lies between two holidays.
    let at = Timestamp::parse("2026-09-22T01:00:00Z").unwrap();
    let mut rules = pharmacy();
    assert_eq!(rules.at(at), SiteTime::Closed);
    rules.open_on_holidays = Some(true);
    assert_eq!(rules.at(at), SiteTime::Open);
    assert_eq!(RenewalRules::default().at(at), SiteTime::Open);
}

#[test]
fn a_pause_moves_a_renewal_and_never_past_the_last_call() {
    let device = &devices(1)[0];
    let end = year_from(START);
    for rules in [pharmacy(), RenewalRules::default()] {
        let until = end.minus(DAY * 20);
        let paused = RenewalRules { paused_until: Some(until), ..rules.clone() };
        assert!(planned(&paused, device, START).from >= until);
        let for_ever = RenewalRules { paused_until: Some(Timestamp::END), ..rules };
        assert_eq!(planned(&for_ever, device, START).from, end.minus(DAY * 7));
    }
}

#[test]
fn an_incident_makes_everybody_due_who_had_a_certificate_then() {
    let device = &devices(1)[0];
    let since = START.plus(DAY * 100);
    let rules = RenewalRules { urgent_since: Some(since), paused_until: Some(Timestamp::END), ..pharmacy() };
    let plan = planned(&rules, device, START);
    assert_eq!((plan.from, plan.basis), (since, PlanBasis::Urgent));
    let late = year_from(START).minus(DAY * 27);
    let rules = RenewalRules { urgent_since: Some(late), ..rules };
    let plan = planned(&rules, device, START);
    assert_eq!((plan.from, plan.basis), (late, PlanBasis::Urgent), "due already, and waiting for its hour");
    let renewed = RenewalSubject {
        device,
        generation: 2,
        made_at: late.plus(Duration::from_secs(1)),
        not_before: late.minus(DAY),
        not_after: year_from(late),
    };
    let plan = RenewalPolicy::default().plan(&rules, &renewed);
    assert_ne!(plan.basis, PlanBasis::Urgent, "renewed since, although it begins a day before");
}

#[test]
fn a_site_goes_before_its_tenant_unless_that_is_closed_or_in_a_hurry() {
    let tenant = RenewalRules {
        closed: vec!["2026-12-29..2027-01-03".parse().unwrap()],
        urgent_since: Some(START),
        ..pharmacy()
    };
    let site = RenewalRules {
        closed: vec!["2026-08-13".parse().unwrap()],
        busy: vec!["25".parse().unwrap()],
        ..RenewalRules::default()
    };
    let both = site.clone().within(&tenant);
    assert_eq!((both.closed.len(), &both.busy, both.urgent_since), (2, &site.busy, Some(START)));
    assert_eq!(both.hours, tenant.hours);
}

#[test]
fn days_are_written_as_they_are_read() {
    for text in ["2026-12-29", "2026-12-29..2027-01-03", "1-10", "25"] {
        assert_eq!(text.parse::<CalendarDays>().unwrap().to_string(), text);
    }
    for wrong in
        ["", "0", "32", "10-1", "2026-13-01", "2026-02-30", "2027-01-03..2026-12-29", "26-1-1", "1-", "+1"]
    {
        assert_eq!(wrong.parse::<CalendarDays>(), Err(NotCalendarDays), "{wrong}");
    }
    let rules: RenewalRules = serde_json::from_str(r#"{"closed":["2026-12-29"],"busy":["1-10"]}"#).unwrap();
    assert_eq!(serde_json::to_string(&rules).unwrap(), r#"{"closed":["2026-12-29"],"busy":["1-10"]}"#);
    assert!(serde_json::from_str::<RenewalRules>(r#"{"sundays":true}"#).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nobody_is_asked_before_it_is_due_or_after_the_last_call(
        seed in any::<u64>(),
        start in 0i64..4_000_000_000,
        life in 60u64..800 * 86_400,
        due_days in 0u32..400,
        spread_days in proptest::option::of(0u16..400),
        windows in proptest::collection::vec((0usize..7, 0u16..23, 1u16..24), 0..3),
        closed in proptest::collection::vec((1u8..=31, 0u8..31), 0..3),
        paused in proptest::option::of(any::<i64>()),
    ) {
        let entropy = Seeded::new(seed);
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let windows = windows
            .into_iter()
            .filter_map(|(day, from, long)| {
                format!("{} {from:02}:00-{:02}:00", days[day], (from + long).min(24)).parse().ok()
            })
            .collect();
        let rules = RenewalRules {
            hours: Some(OpeningHours { windows, ..OpeningHours::default() }),
            closed: closed
                .into_iter()
                .map(|(from, more)| CalendarDays::OfMonth { from, to: from.saturating_add(more).min(31) })
                .collect(),
            spread_days,
            paused_until: paused.map(Timestamp::from_millis),
            ..RenewalRules::default()
        };
        let policy = RenewalPolicy { due_days, ..RenewalPolicy::default() };
        let device = DeviceId::random(&entropy);
        let not_before = Timestamp::from_seconds(start);
        let not_after = not_before.plus(Duration::from_secs(life));
        let subject = RenewalSubject { device: &device, generation: 3, made_at: not_before, not_before, not_after };
        let plan = policy.plan(&rules, &subject);
        let due = policy.due_at(not_before, not_after);
        prop_assert!(due <= plan.from && plan.from <= plan.to && plan.to <= not_after);
        let room = not_after.since(due) / 2;
        prop_assert!(plan.from <= not_after.minus(room.min(DAY * 7)));
        if matches!(plan.basis, PlanBasis::Open | PlanBasis::Busy) {
            prop_assert!(rules.at(plan.from) != SiteTime::Closed);
        }
    }
}

//! Numbers of a fleet, of refusals and of checks: what is shown is what there is, and it does not grow.

use crate::engines::on_both_engines;
use crate::fixture::{DAY, day};
use std::time::Duration;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{DeviceState, SiteId, Timestamp};
use tegata_storage::{DeviceAction, Principal, RefusalHour, RenewalWeek, Scope, TenantAction};

const HOUR: Duration = Duration::from_hours(1);

fn everybody() -> Scope {
    Principal::system("test").scope()
}

fn refused(from: Timestamp, code: &str, refused: u64) -> RefusalHour {
    RefusalHour { from: RefusalHour::begin_of(from), code: code.into(), refused }
}

on_both_engines! {
    async fn what_servers_refused_is_added_up_by_hour_and_forgotten_in_time(fixture: LedgerFixture) {
        let ledger = &fixture.ledger;
        let (now, later) = (day(100), day(100).plus(HOUR));
        ledger.count_refusals(vec![refused(now, "C-07", 3), refused(now, "C-01", 1)], now).await.unwrap();
        ledger.count_refusals(vec![refused(now, "C-07", 4), refused(later, "C-07", 1)], later).await.unwrap();
        ledger.count_refusals(vec![], later).await.unwrap();
        let all = [refused(now, "C-01", 1), refused(now, "C-07", 7), refused(later, "C-07", 1)];
        assert_eq!(ledger.refusal_hours(now).await.unwrap(), all);
        assert_eq!(ledger.refusal_hours(later).await.unwrap(), all[2..]);
        let many: Vec<_> = (0..100).map(|code| refused(later, &format!("X-{code}"), 1)).collect();
        let much_later = day(400);
        ledger.count_refusals(many, much_later).await.unwrap();
        assert_eq!(ledger.refusal_hours(day(0)).await.unwrap(), [], "nobody looks back so far");
    }

    async fn the_last_check_stands_in_place_of_the_one_before(fixture: LedgerFixture) {
        assert_eq!(fixture.ledger.last_check().await.unwrap(), None);
        for (at, report) in [(day(1), "{}"), (day(2), "{\"ok\":true}")] {
            fixture.ledger.keep_check(report.into(), at).await.unwrap();
            assert_eq!(fixture.ledger.last_check().await.unwrap(), Some((at, report.to_owned())));
        }
    }

    async fn devices_are_counted_by_state_and_renewals_by_week(fixture: LedgerFixture) {
        let now = day(1);
        let (first, certificate) = fixture.enroll(now).await;
        let (second, _) = fixture.enroll(now).await;
        fixture.present(&certificate, now).await;
        fixture.act(&second, DeviceAction::Suspend, now).await.unwrap();
        let own = fixture.ledger.within(Principal::operator("test", Some(&fixture.tenant)).scope());
        let all = fixture.ledger.within(everybody());
        let [elsewhere, here] = [[SiteId::random(&fixture.entropy)], [fixture.site.clone()]];
        let end = own.certificates_of(&first).await.unwrap()[0].not_after;
        let policy = RenewalPolicy::default();
        for rows in [&own, &all] {
            let counts = rows.fleet_counts(None).await.unwrap();
            let states: Vec<_> = counts.iter().map(|count| (count.state, count.devices)).collect();
            assert_eq!(states, [(DeviceState::Active, 1), (DeviceState::Suspended, 1)]);
            assert_eq!(rows.fleet_counts(Some(&here)).await.unwrap(), counts);
            assert_eq!(rows.fleet_counts(Some(&elsewhere)).await.unwrap(), []);
            let due = policy.due_at(now, end);
            let weeks = async |from| rows.renewal_weeks(None, policy, (from, 13)).await.unwrap();
            assert_eq!(weeks(due.minus(DAY * 8)).await, [(RenewalWeek::Week(1), 1)]);
            assert_eq!(weeks(due.minus(DAY * 7 * 13)).await, [], "a quarter is told");
            assert_eq!(weeks(due.plus(HOUR)).await, [(RenewalWeek::Now, 1)]);
            assert_eq!(weeks(end.plus(HOUR)).await, [(RenewalWeek::Ended, 1)]);
            let there = rows.renewal_weeks(Some(&elsewhere), policy, (due, 13)).await.unwrap();
            assert_eq!(there, []);
        }
        fixture.act_on_tenant(TenantAction::Suspend, now).await.unwrap();
        let counts = all.fleet_counts(None).await.unwrap();
        assert_eq!(counts.iter().map(|count| (count.state, count.devices)).collect::<Vec<_>>(),
            [(DeviceState::Suspended, 2)], "with their tenant");
        let places = fixture.ledger.place_counts().await.unwrap();
        assert_eq!((places.tenants, places.suspended_tenants, places.sites, places.gates), (0, 1, 1, 0));
    }
}

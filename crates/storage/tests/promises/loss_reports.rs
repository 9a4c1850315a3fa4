//! A device may stop others of its own shop, a few a day, and support undoes it.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, LedgerFixture, day, operator};
use futures_util::future::join_all;
use std::time::Duration;
use tegata_core::feed::{Change, Denial};
use tegata_core::id::InvitationCode;
use tegata_core::policy::Platform;
use tegata_core::{DeviceId, DeviceState, InvitationId, Refusal, Role, SiteId, TenantId, Timestamp};
use tegata_storage::DeviceAction::{Resume, Revoke, Suspend};
use tegata_storage::{
    IssuanceRight, LedgerError, LossReports, NewInvitation, Result, Site, StatusCache, Tenant, TenantAction,
};

on_both_engines! {
    async fn a_report_is_a_suspension_by_the_reporter_with_one_entry_and_one_event(fixture: LedgerFixture) {
        let [reporter, lost] = enrolled(fixture).await;
        let before = fixture.audited().await;
        let event = report(fixture, &reporter, &lost, day(1)).await.unwrap();
        assert_eq!(fixture.audited().await, before + 1);
        let told = &fixture.ledger.feed_after(event - 1).await.unwrap()[0];
        assert_eq!(told.change, Change::DeviceDenied { device: lost.clone(), reason: Denial::Suspended });
        let entry = &fixture.ledger.everything().audit_of(&lost, 1).await.unwrap()[0].entry;
        assert!(entry.contains(&format!("\"device:{reporter}\"")) && entry.contains("device.suspended"), "{entry}");
        let said = fixture.ledger.everything().loss_report_on(&lost).await.unwrap().unwrap();
        assert_eq!((said.reporter.as_str(), said.at), ("受付PC", day(1)));
        fixture.act(&lost, Resume, day(2)).await.unwrap();
        assert_eq!(fixture.ledger.everything().device(&lost).await.unwrap().unwrap().state, DeviceState::Active);
        assert_eq!(fixture.ledger.everything().loss_report_on(&lost).await.unwrap(), None, "it is over");
    }

    async fn nobody_reports_more_than_two_a_day_however_many_come_at_once(fixture: LedgerFixture) {
        let [reporter, a] = enrolled(fixture).await;
        let others = [a, enroll(fixture).await, enroll(fixture).await, enroll(fixture).await];
        let all = join_all(others.iter().map(|lost| report(fixture, &reporter, lost, day(1)))).await;
        assert_eq!(all.iter().filter(|outcome| outcome.is_ok()).count(), 2);
        assert_eq!(all.iter().filter(|outcome| refused(outcome) == Some(Refusal::TooManyLossReports)).count(), 2);
        let left = &others[all.iter().position(Result::is_err).unwrap()];
        let almost = day(1).plus(DAY).minus(Duration::from_millis(1));
        assert_eq!(refused(&report(fixture, &reporter, left, almost).await), Some(Refusal::TooManyLossReports));
        assert!(report(fixture, &reporter, left, day(2)).await.is_ok());
    }

    async fn of_two_that_report_each_other_at_once_one_wins(fixture: LedgerFixture) {
        let [one, other] = enrolled(fixture).await;
        let both = join_all([(&one, &other), (&other, &one)].map(|(by, lost)| {
            // Two of these would be too large for the stack of a test.
            Box::pin(report(fixture, by, lost, day(1)))
        }))
        .await;
        assert_eq!(both.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert_eq!(both.iter().filter(|outcome| refused(outcome) == Some(Refusal::DeviceSuspended)).count(), 1);
    }

    async fn whoever_is_stopped_or_of_a_stopped_tenant_reports_nobody(fixture: LedgerFixture) {
        let [reporter, lost] = enrolled(fixture).await;
        for action in [Suspend, Revoke(tegata_core::RevocationReason::KeyCompromise)] {
            fixture.act(&reporter, action, day(1)).await.unwrap();
            assert_eq!(refused(&report(fixture, &reporter, &lost, day(1)).await), Some(Refusal::DeviceSuspended));
        }
        let [reporter, lost] = enrolled(fixture).await;
        fixture.act_on_tenant(TenantAction::Suspend, day(1)).await.unwrap();
        assert_eq!(refused(&report(fixture, &reporter, &lost, day(1)).await), Some(Refusal::DeviceSuspended));
    }

    async fn other_sites_other_tenants_gates_and_nobody_are_the_same_to_a_reporter(fixture: LedgerFixture) {
        let [reporter, stopped] = enrolled(fixture).await;
        let (tenant, site) = (TenantId::random(&fixture.entropy), SiteId::random(&fixture.entropy));
        let second = SiteId::random(&fixture.entropy);
        fixture.write(day(0), async |transaction| {
            transaction.add_tenant(&Tenant::new(tenant.clone(), "別会社"), &operator()).await?;
            let sites = [(&tenant, &site, "駅前"), (&fixture.tenant, &second, "二号店")];
            for (tenant, id, name) in sites {
                let site = Site { id: id.clone(), tenant: tenant.clone(), name: name.into() };
                transaction.add_site(&site, &operator()).await?;
            }
            Ok(())
        }).await.unwrap();
        let strangers = [
            enroll_at(fixture, Role::Device, &tenant, &site).await,
            enroll_at(fixture, Role::Device, &fixture.tenant, &second).await,
            enroll_at(fixture, Role::Gate, &fixture.tenant, &fixture.site).await,
            DeviceId::random(&fixture.entropy),
        ];
        let before = (fixture.audited().await, fixture.ledger.feed_head().await.unwrap());
        for stranger in &strangers {
            assert_eq!(refused(&report(fixture, &reporter, stranger, day(1)).await), Some(Refusal::DeviceNotHere));
        }
        fixture.act(&stopped, Suspend, day(1)).await.unwrap();
        assert_eq!(refused(&report(fixture, &reporter, &stopped, day(1)).await), Some(Refusal::DeviceStopped));
        assert_eq!((fixture.audited().await, fixture.ledger.feed_head().await.unwrap()), (before.0 + 1, before.1 + 1));
        let shown = fixture.ledger.everything().devices_of_site(&fixture.site).await.unwrap();
        let ids: Vec<_> = shown.iter().map(|neighbor| &neighbor.id).collect();
        assert!(ids.len() == 2 && ids.contains(&&reporter) && ids.contains(&&stopped), "{ids:?}");
    }

    async fn a_tenant_that_wants_no_reports_gets_none(fixture: LedgerFixture) {
        let [reporter, lost] = enrolled(fixture).await;
        assert_eq!(fixture.ledger.everything().loss_reports(&fixture.tenant).await.unwrap(), LossReports::On);
        let set = async |wanted| {
            fixture.write(day(1), async |transaction| {
                transaction.set_loss_reports(&fixture.tenant, wanted, &operator()).await
            }).await
        };
        set(LossReports::Off).await.unwrap();
        assert!(matches!(set(LossReports::Off).await, Err(LedgerError::Guard(_))), "it is so already");
        assert_eq!(refused(&report(fixture, &reporter, &lost, day(1)).await), Some(Refusal::LossReportsOff));
        set(LossReports::On).await.unwrap();
        assert!(report(fixture, &reporter, &lost, day(1)).await.is_ok());
    }

    async fn on_which_day_a_device_was_last_seen_is_written_once_a_day(fixture: LedgerFixture) {
        let (device, thumbprint) = fixture.enroll(day(0)).await;
        let seen = async || fixture.ledger.everything().devices_of_site(&fixture.site).await.unwrap().remove(0);
        assert_eq!((seen().await.seen_at, seen().await.platform), (None, None));
        let status = StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
        let visit = async |at: Timestamp| {
            status.catch_up(at).await.unwrap();
            let (facts, _) = status.standing(&thumbprint, at).await.unwrap().unwrap();
            status.note_use(&facts, at.plus(DAY), at).await.unwrap();
            facts
        };
        let facts = visit(day(1)).await;
        assert_eq!(seen().await.seen_at, Some(day(1)), "the first use is in the ledger anyway");
        status.note_platform(&facts, Platform::Windows, day(1));
        status.write_sightings(day(1)).await.unwrap();
        assert_eq!((seen().await.seen_at, seen().await.platform), (Some(day(1)), Some(Platform::Windows)));
        visit(day(1).plus(Duration::from_hours(1))).await;
        status.write_sightings(day(1)).await.unwrap();
        assert_eq!(seen().await.seen_at, Some(day(1)), "the same day is not written again");
        visit(day(3)).await;
        status.write_sightings(day(3)).await.unwrap();
        let last = seen().await;
        assert_eq!((last.id, last.seen_at, last.platform), (device, Some(day(3)), Some(Platform::Windows)));
    }
}

async fn enrolled(fixture: &LedgerFixture) -> [DeviceId; 2] {
    [enroll(fixture).await, enroll(fixture).await]
}

async fn enroll(fixture: &LedgerFixture) -> DeviceId {
    fixture.enroll(day(0)).await.0
}

async fn enroll_at(fixture: &LedgerFixture, role: Role, tenant: &TenantId, site: &SiteId) -> DeviceId {
    let code = InvitationCode::random(&fixture.entropy);
    let (id, device) = (InvitationId::random(&fixture.entropy), DeviceId::random(&fixture.entropy));
    let (tenant, site, label) = (tenant.clone(), site.clone(), "別".to_owned());
    let origin = IssuanceRight::Invitation { invitation: id.clone(), tenant, site, role, label };
    if let IssuanceRight::Invitation { tenant, site, label, .. } = origin.clone() {
        let new = NewInvitation { id, code: &code, tenant, site, role, label, expires_at: day(1) };
        fixture.write(day(0), async |transaction| transaction.invite(&new, &operator()).await).await.unwrap();
    }
    fixture.issue(fixture.intent(&device, origin, day(0))).await.unwrap();
    device
}

async fn report(fixture: &LedgerFixture, reporter: &DeviceId, lost: &DeviceId, at: Timestamp) -> Result<u64> {
    fixture.write(at, async |transaction| transaction.report_lost(reporter, lost).await).await
}

fn refused<T>(outcome: &Result<T>) -> Option<Refusal> {
    match outcome {
        Err(LedgerError::Refused(refusal)) => Some(*refusal),
        _ => None,
    }
}

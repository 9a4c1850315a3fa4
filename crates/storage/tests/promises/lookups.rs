//! How support finds a terminal, and how re-auditing walks the ledger.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{LedgerFixture, day};
use tegata_core::{DeviceId, Role, TenantId};
use tegata_storage::{Actor, DeviceAction, DeviceFilter, IssuanceRight, member_of};

on_both_engines! {
    async fn devices_are_listed_by_site_and_label_and_narrowed(fixture: LedgerFixture) {
        let (tablet, reception) = (named(fixture, "調剤室 iPad").await, named(fixture, "Reception_PC 100% 受付").await);
        let listed = |filter: DeviceFilter| async move {
            let devices = fixture.ledger.everything().devices(&filter).await.unwrap();
            devices.into_iter().map(|listed| listed.device.id).collect::<Vec<_>>()
        };
        let all = listed(DeviceFilter::default()).await;
        assert_eq!(all, [reception, tablet], "by label");
        let here = DeviceFilter { site: Some(fixture.site.clone()), ..DeviceFilter::default() };
        assert_eq!(listed(here).await, all);
        let elsewhere = DeviceFilter { tenant: Some(TenantId::system()), ..DeviceFilter::default() };
        assert!(listed(elsewhere).await.is_empty());
        let stale = |at| DeviceFilter { unseen_since: Some(at), ..DeviceFilter::default() };
        assert_eq!(listed(stale(day(1))).await, all, "they never came, and were made before");
        assert!(listed(stale(day(0))).await.is_empty());
    }

    async fn a_device_is_found_by_the_beginning_of_its_number_unless_several_are(fixture: LedgerFixture) {
        let device = named(fixture, "受付PC").await;
        let numbered = |beginning: &str| {
            let beginning = beginning.to_owned();
            async move { fixture.ledger.everything().devices_numbered(&beginning).await.unwrap() }
        };
        assert_eq!(numbered(&device.as_str()[..8]).await[0].id, device);
        named(fixture, "調剤室").await;
        named(fixture, "事務室").await;
        assert_eq!(numbered("").await.len(), 2, "enough to know that it is ambiguous");
        assert!(numbered("%").await.is_empty() && numbered("_").await.is_empty());
    }

    async fn the_history_of_a_device_is_read_backwards_and_its_last_stop_found(fixture: LedgerFixture) {
        let device = named(fixture, "受付PC").await;
        for action in [DeviceAction::Suspend, DeviceAction::Resume, DeviceAction::Suspend] {
            let mut transaction = fixture.ledger.begin(day(1)).await.unwrap();
            transaction.act_on_device(&device, action, "100%_sure", &Actor::Anonymous).await.unwrap();
            transaction.commit().await.unwrap();
        }
        let history = fixture.ledger.everything().history_of(&device, u64::MAX, 2).await.unwrap();
        assert!(history[0].entry.contains("device.suspended") && history[1].entry.contains("device.resumed"));
        let before = fixture.ledger.everything().history_of(&device, history[1].seq, 1).await.unwrap();
        let last = fixture.ledger.everything().last_entry_of(&device, "device.suspended", "").await.unwrap().unwrap();
        assert!(last.seq == history[0].seq && before[0].seq < history[1].seq);
        let noted = &member_of("note", "100%_sure");
        assert_eq!(fixture.ledger.everything().last_entry_of(&device, "device.resumed", noted).await.unwrap().unwrap(), history[1]);
        let other = &member_of("note", "100_sure");
        assert!(fixture.ledger.everything().last_entry_of(&device, "device.resumed", other).await.unwrap().is_none());
        assert!(fixture.ledger.last_entry("device.suspended", "").await.unwrap().is_none(), "it is about a device");
    }

    async fn every_certificate_is_walked_once(fixture: LedgerFixture) {
        let mut expected = Vec::new();
        for _ in 0..3 {
            let (device, first) = fixture.enroll(day(0)).await;
            fixture.renew(&device, first, day(1)).await.unwrap();
            expected.extend([(device.to_string(), 1), (device.to_string(), 2)]);
        }
        expected.sort();
        let (mut walked, mut last) = (Vec::new(), (String::new(), 0));
        loop {
            let page = fixture.ledger.certificates_after(&last.0, last.1, 4).await.unwrap();
            let Some(end) = page.last() else { break };
            last = (end.device.to_string(), end.generation);
            walked.extend(page.iter().map(|one| (one.device.to_string(), one.generation)));
        }
        assert_eq!(walked, expected);
    }
}

async fn named(fixture: &LedgerFixture, label: &str) -> DeviceId {
    let invited = fixture.invite(label, day(0)).await;
    let device = DeviceId::random(&fixture.entropy);
    let origin = IssuanceRight::Invitation {
        invitation: invited.id,
        tenant: fixture.tenant.clone(),
        site: fixture.site.clone(),
        role: Role::Device,
        label: label.into(),
    };
    fixture.issue(fixture.intent(&device, origin, day(0))).await.unwrap();
    device
}

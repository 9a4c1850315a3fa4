//! The switch that stops a device.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, day, guarded, operator, refusal};
use futures_util::future::join_all;
use std::collections::HashSet;
use tegata_core::feed::{Change, Denial};
use tegata_core::{
    CertificateState, DeviceId, DeviceState, EnrollmentPolicy, Refusal, RevocationReason, SiteId, Standing,
};
use tegata_storage::DeviceAction::{Resume, Retire, Revoke, Suspend};
use tegata_storage::{
    DeviceAction, DevicePage, DeviceSort, EntrancePage, EntranceSpell, ExpiryWeeks, IssuanceRight,
    PolicyPlace, Site, StatusCache, TenantAction,
};

const LOST: DeviceAction = Revoke(RevocationReason::KeyCompromise);

on_both_engines! {
    async fn each_action_moves_the_device_only_from_where_it_may(fixture: LedgerFixture) {
        use DeviceState::{Active, Retired, Revoked, Suspended};
        let targets = [(Suspend, Suspended), (Resume, Active), (LOST, Revoked), (Retire, Retired)];
        let ways: [(&[DeviceAction], DeviceState); 4] =
            [(&[], Active), (&[Suspend], Suspended), (&[LOST], Revoked), (&[Retire], Retired)];
        for (way, from) in ways {
            for (action, to) in targets {
                let (device, _) = fixture.enroll(day(0)).await;
                for &step in way {
                    fixture.act(&device, step, day(1)).await.unwrap();
                }
                let (entries, events) = (fixture.audited().await, fixture.ledger.feed_head().await.unwrap());
                let moved = fixture.act(&device, action, day(2)).await;
                assert_eq!(moved.is_ok(), from.may_become(to), "{from} → {to}");
                assert!(moved.is_ok() || guarded(&moved), "{from} → {to}");
                let step = u64::from(moved.is_ok());
                assert_eq!(fixture.audited().await - entries, step, "one entry a change, none a refusal");
                assert_eq!(fixture.ledger.feed_head().await.unwrap() - events, step);
                let stands = fixture.ledger.everything().device(&device).await.unwrap().unwrap().state;
                assert_eq!(stands, if moved.is_ok() { to } else { from });
            }
        }
    }

    async fn a_device_that_moves_is_known_at_its_new_site_at_once(fixture: LedgerFixture) {
        let (device, certificate) = fixture.enroll(day(0)).await;
        let (gone, _) = fixture.enroll(day(0)).await;
        fixture.act(&gone, LOST, day(0)).await.unwrap();
        let status = StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
        let idle = StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
        let site_by = async |status: &StatusCache| {
            status.standing(&certificate, day(1)).await.unwrap().unwrap().0.site.clone()
        };
        assert_eq!((site_by(&status).await, site_by(&idle).await), (fixture.site.clone(), fixture.site.clone()));
        let site = |name: &str| Site {
            id: SiteId::random(&fixture.entropy), tenant: fixture.tenant.clone(), name: name.into(),
        };
        let (elsewhere, full) = (site("駅前店"), site("満員の店"));
        let none = EnrollmentPolicy { devices: Some(0), ..EnrollmentPolicy::default() };
        fixture.write(day(1), async |transaction| {
            transaction.add_site(&elsewhere, &operator()).await?;
            transaction.add_site(&full, &operator()).await?;
            let at_full = PolicyPlace { tenant: fixture.tenant.clone(), site: Some(full.id.clone()) };
            transaction.set_policy(&at_full, &none, &operator()).await
        }).await.unwrap();
        let moved = async |device: &DeviceId, to: &SiteId| {
            fixture.write(day(1), async |transaction| transaction.move_device_to(device, to, "", &operator()).await).await
        };
        assert_eq!(refusal(moved(&device, &full.id).await), Refusal::SiteFull);
        let event = moved(&device, &elsewhere.id).await.unwrap();
        assert_eq!(fixture.ledger.feed_head().await.unwrap(), event, "gates end its tokens and sessions");
        status.catch_up(day(1)).await.unwrap();
        assert_eq!(site_by(&status).await, elsewhere.id);
        idle.catch_up(day(1)).await.unwrap();
        idle.forget(day(1).plus(DAY));
        assert_eq!(site_by(&idle).await, elsewhere.id, "a server that nobody asked while its tokens were denied");
        for (device, to) in [(&device, &elsewhere.id), (&device, &SiteId::random(&fixture.entropy)), (&gone, &elsewhere.id)] {
            assert!(guarded(&moved(device, to).await));
        }
        fixture.audited().await;
    }

    async fn a_copied_certificate_is_told_once_until_other_machines_take_turns(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let raise = async |machines: [&'static str; 2], at| {
            fixture.write(at, async |transaction| transaction.raise_copy_alarm(&device, machines).await).await.unwrap()
        };
        let dismiss = async |at| {
            fixture.write(at, async |transaction| {
                transaction.dismiss_copy_alarm(&device, "回線が2本", &operator()).await
            }).await
        };
        let rows = fixture.ledger.everything();
        let copied = async || {
            let page = DevicePage { copied: true, limit: 5, ..DevicePage::default() };
            rows.device_page(&page).await.unwrap().0.len()
        };
        let [one, other, third] = ["192.0.2.1 windows", "192.0.2.2 windows", "192.0.2.3 ios"];
        assert!(guarded(&dismiss(day(1)).await) && copied().await == 0);
        assert!(raise([one, other], day(1)).await && !raise([other, third], day(1)).await, "one at a time");
        assert_eq!((copied().await, fixture.ledger.open_copy_alarms().await.unwrap()), (1, 1));
        let alarm = rows.copy_alarm_of(&device).await.unwrap().unwrap();
        assert_eq!((alarm.machines, alarm.raised_at), ([one, other].map(str::to_owned), day(1)));
        dismiss(day(2)).await.unwrap();
        assert!(!raise([other, one], day(3)).await, "these two are known to be one");
        assert_eq!((copied().await, rows.copy_alarms(5).await.unwrap().len()), (0, 0));
        assert!(raise([one, third], day(3)).await && copied().await == 1);
        fixture.act(&device, LOST, day(4)).await.unwrap();
        let waiting = (rows.copy_alarms(5).await.unwrap().len(), fixture.ledger.open_copy_alarms().await.unwrap());
        assert_eq!(waiting, (0, 0), "to stop it is an answer");
        dismiss(day(4)).await.unwrap();
        assert!(!raise([other, third], day(5)).await, "it is stopped for ever");
        fixture.audited().await;
    }

    async fn who_could_enter_on_a_day_is_known_of_every_day_since(fixture: LedgerFixture) {
        let [stopped, _] = [fixture.enroll(day(0)).await.0, fixture.enroll(day(1)).await.0];
        fixture.act(&stopped, Suspend, day(2)).await.unwrap();
        fixture.act(&stopped, Resume, day(4)).await.unwrap();
        fixture.act_on_tenant(TenantAction::Suspend, day(6)).await.unwrap();
        fixture.act_on_tenant(TenantAction::Resume, day(7)).await.unwrap();
        fixture.act(&stopped, LOST, day(8)).await.unwrap();
        let rows = fixture.ledger.everything();
        let entered = async |from: u32, until: u32| {
            let within = EntranceSpell { from: day(from), until: day(until) };
            let (mut found, mut page) = (Vec::new(), EntrancePage {
                site: fixture.site.clone(), within, after: None, limit: 1,
            });
            loop {
                let (entrances, end) = rows.entrances(&page).await.unwrap();
                found.extend(entrances.into_iter().map(|one| (one.device.id == stopped, one.spells)));
                let Some(end) = end else { return found };
                page.after = Some(end);
            }
        };
        let devices = async |from, until| entered(from, until).await.iter().map(|(is_stopped, _)| *is_stopped).collect::<Vec<_>>();
        assert_eq!(devices(0, 1).await, [true], "the other had no certificate yet");
        assert_eq!(devices(1, 2).await.len(), 2);
        assert_eq!(devices(2, 4).await, [false]);
        assert_eq!(devices(4, 6).await.len(), 2);
        assert_eq!(devices(6, 7).await, [false; 0], "their tenant was suspended");
        assert_eq!(devices(8, 9).await, [false]);
        let found = entered(1, 9).await;
        let spells = &found.iter().find(|(is_stopped, _)| *is_stopped).unwrap().1;
        let expected = [(1, 2), (4, 6), (7, 8)].map(|(from, until)| EntranceSpell { from: day(from), until: day(until) });
        assert_eq!(*spells, expected);
    }

    async fn pages_of_the_list_show_every_device_once_in_each_order(fixture: LedgerFixture) {
        for number in 0..7 {
            let (device, _) = fixture.enroll(day(number % 3)).await;
            if number < 2 {
                fixture.act(&device, Suspend, day(4 + number)).await.unwrap();
            }
        }
        let rows = fixture.ledger.everything();
        for sort in [DeviceSort::Number, DeviceSort::Place, DeviceSort::Unseen, DeviceSort::Changed] {
            let mut page = DevicePage { sort, limit: 3, ..DevicePage::default() };
            let mut seen = Vec::new();
            loop {
                let (devices, end) = rows.device_page(&page).await.unwrap();
                seen.extend(devices);
                let Some(end) = end else { break };
                page.after = Some(end);
            }
            let ids: HashSet<_> = seen.iter().map(|listed| listed.device.id.clone()).collect();
            assert_eq!((seen.len(), ids.len()), (7, 7), "{sort:?}");
            let changed: Vec<_> = seen.iter().map(|listed| listed.device.changed_at).collect();
            assert!(sort != DeviceSort::Changed || changed.is_sorted_by(|one, next| one >= next));
        }
        let only = async |page: DevicePage| {
            rows.device_page(&DevicePage { limit: 9, ..page }).await.unwrap().0.len()
        };
        let (site, other) = (fixture.site.clone(), SiteId::random(&fixture.entropy));
        let all = DevicePage::default;
        assert_eq!(only(DevicePage { state: Some(DeviceState::Suspended), ..all() }).await, 2);
        assert_eq!(only(DevicePage { within: Some(vec![other.clone(), site]), ..all() }).await, 7);
        assert_eq!(only(DevicePage { within: Some(vec![other]), ..all() }).await, 0);
        assert_eq!(only(DevicePage { within: Some(vec![]), ..all() }).await, 0, "no sites are no devices");
        let namesakes = DevicePage { namesakes: true, ..all() };
        assert_eq!(only(namesakes.clone()).await, 7, "all are called alike");
        let called = tegata_core::Name::label("奥の棚").unwrap();
        let first = rows.device_page(&DevicePage { limit: 1, ..all() }).await.unwrap().0[0].device.id.clone();
        let rename = async |transaction: &mut tegata_storage::Transaction| {
            transaction.rename_device(&first, &called, &crate::fixture::operator()).await
        };
        fixture.write(day(6), rename).await.unwrap();
        assert_eq!(only(namesakes).await, 6);
        assert_eq!(only(DevicePage { unseen_since: Some(day(1)), ..all() }).await, 3);
        assert_eq!(only(DevicePage { ends_before: Some(day(300)), ..all() }).await, 0);
        assert_eq!(only(DevicePage { ends_before: Some(day(4000)), ..all() }).await, 5, "of those in use");
        assert_eq!(only(DevicePage { ends_from: Some(day(300)), ..all() }).await, 5);
        assert_eq!(only(DevicePage { ends_from: Some(day(4000)), ..all() }).await, 0);
        let weeks = ExpiryWeeks { tenant: fixture.tenant.clone(), within: None, from: day(300), weeks: 20 };
        let ends = rows.expiries(&weeks).await.unwrap();
        assert_eq!((ends.len(), ends.iter().sum::<u64>()), (20, 5), "{ends:?}");
        let nowhere = ExpiryWeeks { within: Some(vec![]), ..weeks };
        assert_eq!(rows.expiries(&nowhere).await.unwrap(), [0; 20]);
    }

    async fn nothing_is_done_to_a_device_nobody_knows(fixture: LedgerFixture) {
        let moved = fixture.act(&DeviceId::random(&fixture.entropy), LOST, day(0)).await;
        assert!(guarded(&moved));
    }

    async fn of_two_who_revoke_at_once_one_wins(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let before = fixture.audited().await;
        let both = join_all((0..2).map(|_| fixture.act(&device, LOST, day(1)))).await;
        assert_eq!(both.iter().filter(|moved| moved.is_ok()).count(), 1);
        assert_eq!(both.iter().filter(|moved| guarded(moved)).count(), 1);
        assert_eq!(fixture.audited().await, before + 1);
        assert_eq!(fixture.ledger.feed_head().await.unwrap(), 1);
    }

    async fn a_stopped_device_takes_all_its_certificates_with_it(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let second = fixture.renew(&device, first, day(0)).await.unwrap();
        let steps = [(Suspend, Standing::Suspended), (Resume, Standing::Good), (LOST, Standing::Revoked)];
        for (action, standing) in steps {
            fixture.act(&device, action, day(1)).await.unwrap();
            for thumbprint in [&first, &second] {
                let holding = fixture.ledger.holding(thumbprint).await.unwrap().unwrap();
                assert_eq!(holding.standing(day(1)), standing);
            }
        }
        let ended = fixture.ended(day(1)).await;
        assert_eq!(ended.len(), 2);
        assert!(ended.iter().all(|one| one.reason == Some(RevocationReason::KeyCompromise)));
    }

    async fn a_suspended_device_is_on_hold_and_comes_back_clean(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let serial = fixture.certificates(&device).await[0].serial;
        fixture.act(&device, Suspend, day(1)).await.unwrap();
        let held = fixture.said(&serial).await.unwrap().unwrap();
        assert_eq!((held.at, held.reason), (day(1), None));
        assert_eq!(fixture.ended(day(1)).await, [held]);
        fixture.act(&device, Resume, day(2)).await.unwrap();
        assert_eq!(fixture.said(&serial).await, Some(None));
        assert!(fixture.ended(day(2)).await.is_empty());
    }

    async fn the_list_and_the_responder_agree_about_every_serial(fixture: LedgerFixture) {
        for action in [Suspend, LOST, Retire] {
            let (device, first) = fixture.enroll(day(0)).await;
            fixture.present(&first, day(0)).await;
            fixture.renew(&device, first, day(0)).await.unwrap();
            fixture.ledger.group(fixture.intent(&device, IssuanceRight::Renewal(first), day(0))).await.unwrap();
            fixture.act(&device, action, day(1)).await.unwrap();
            let listed = fixture.ended(day(1)).await;
            for certificate in fixture.certificates(&device).await {
                let said = fixture.said(&certificate.serial).await;
                let named = listed.iter().find(|one| one.serial == certificate.serial).cloned();
                assert_eq!(said, Some(named), "{action:?} {}", certificate.state);
            }
        }
    }

    async fn a_signature_that_arrives_after_the_stop_is_born_stopped(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let intent = fixture.intent(&device, IssuanceRight::Renewal(first), day(0));
        let complete = fixture.signed(&device, intent.serial, day(1));
        let thumbprint = complete.thumbprint;
        fixture.ledger.group(intent).await.unwrap();
        fixture.act(&device, LOST, day(1)).await.unwrap();
        let _ = fixture.ledger.group(complete).await;
        if let Some(holding) = fixture.ledger.holding(&thumbprint).await.unwrap() {
            assert_eq!(holding.standing(day(1)), Standing::Revoked);
        }
        assert_eq!(fixture.folded().await.denial(&device, &thumbprint), Some(Denial::Revoked));
        assert_ne!(fixture.states(&device).await[1], CertificateState::InUse);
    }

    async fn what_an_action_gives_is_the_event_that_gates_acknowledge(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let seq = fixture.act(&device, LOST, day(1)).await.unwrap();
        let event = fixture.ledger.feed_after(seq - 1).await.unwrap().remove(0);
        assert_eq!((event.seq, event.at), (seq, day(1)));
        assert_eq!(event.change, Change::DeviceDenied { device, reason: Denial::Revoked });
    }
}

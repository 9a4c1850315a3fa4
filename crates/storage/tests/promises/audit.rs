//! The audit log: one entry a change, and nobody edits it unseen.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, LedgerFixture, day, operator};
use futures_util::future::join;
use std::time::Duration;
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::{DeviceId, Timestamp};
use tegata_storage::{
    AuditFault, AuditLink, AuditRetention, DeviceAction, IssuanceRight, IssuedToken, TrailPage,
};

on_both_engines! {
    async fn a_tenant_reads_its_own_log_in_pages_by_day_device_and_person(fixture: LedgerFixture) {
        let [one, other] = [fixture.enroll(day(1)).await.0, fixture.enroll(day(2)).await.0];
        for number in 3..6 {
            fixture.act(&one, DeviceAction::Suspend, day(number)).await.unwrap();
            fixture.act(&one, DeviceAction::Resume, day(number)).await.unwrap();
        }
        fixture.act(&other, DeviceAction::Suspend, day(6)).await.unwrap();
        let rows = fixture.ledger.everything();
        let all = TrailPage {
            tenant: fixture.tenant.clone(), device: None, person: None, from: None, until: None, before: None, limit: 3,
        };
        let actions = async |mut page: TrailPage| {
            let mut actions = Vec::new();
            loop {
                let found = rows.trail(&page).await.unwrap();
                actions.extend(found.entries.iter().map(|entry| crate::fixture::action(&entry.entry)));
                let Some(next) = found.next else { return actions };
                page.before = Some(next);
            }
        };
        let everything = actions(all.clone()).await;
        assert_eq!(everything[..2], ["device.suspended", "device.resumed"], "the newest first");
        assert!(everything.iter().any(|action| action == "site.added"), "{everything:?}");
        let of_one = actions(TrailPage { device: Some(one), ..all.clone() }).await;
        assert_eq!(of_one.iter().filter(|action| *action == "device.suspended").count(), 3);
        let on_a_day = TrailPage { from: Some(day(4)), until: Some(day(5)), ..all.clone() };
        assert_eq!(actions(on_a_day).await, ["device.resumed", "device.suspended"]);
        let nobody = TrailPage { person: Some(tegata_core::PersonId::random(&fixture.entropy)), ..all.clone() };
        assert!(actions(nobody).await.is_empty());
        // The index says the same, with entries after it and without.
        while fixture.ledger.fill_trail(day(7)).await.unwrap() > 0 {}
        assert_eq!(actions(all.clone()).await, everything);
        assert_eq!(actions(TrailPage { device: Some(other.clone()), ..all.clone() }).await[0], "device.suspended");
        fixture.act(&other, DeviceAction::Resume, day(7)).await.unwrap();
        let later = actions(all.clone()).await;
        assert_eq!((later[0].as_str(), &later[1..]), ("device.resumed", &everything[..]));
        let bound = rows.narrowed(&fixture.tenant).unwrap();
        assert_eq!(bound.trail(&all).await.unwrap(), rows.trail(&all).await.unwrap(), "as the tenant sees it");
    }

    async fn one_change_is_one_entry(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        fixture.present(&first, day(0)).await;
        let lost = fixture.renew(&device, first, day(1)).await.unwrap();
        fixture.ledger.group(fixture.intent(&device, IssuanceRight::Renewal(first), day(2))).await.unwrap();
        let third = fixture.renew(&device, first, day(3)).await.unwrap();
        for _ in 0..2 {
            let delivered = async |transaction: &mut tegata_storage::Transaction| {
                transaction.mark_delivered(&third, &operator()).await
            };
            fixture.write(day(3), delivered).await.unwrap();
        }
        fixture.present(&third, day(3)).await;
        fixture.retire_due(day(20)).await;
        fixture.act(&device, DeviceAction::Suspend, day(21)).await.unwrap();
        fixture.act(&device, DeviceAction::Resume, day(21)).await.unwrap();
        fixture.act(&device, DeviceAction::Revoke(KeyCompromise), day(21)).await.unwrap();
        assert!(fixture.act(&device, DeviceAction::Revoke(KeyCompromise), day(21)).await.is_err());
        assert!(!fixture.present(&lost, day(21)).await);
        assert_eq!(
            fixture.actions_after(before).await,
            [
                "invitation.added",
                "certificate.reserved",
                "certificate.issued",
                "certificate.used",
                "certificate.reserved",
                "certificate.issued",
                "certificate.superseded",
                "certificate.reserved",
                "certificate.superseded",
                "certificate.reserved",
                "certificate.issued",
                "certificate.delivered",
                "certificate.used",
                "certificate.retired",
                "device.suspended",
                "device.resumed",
                "device.revoked",
            ]
        );
        fixture.audited().await;
    }

    async fn every_ended_certificate_has_its_entry(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let device = tegata_core::DeviceId::random(&fixture.entropy);
        let intent = fixture.intent(&device, fixture.by_invitation(&invited.id), day(0));
        let key_hash = intent.key_hash;
        fixture.ledger.group(intent).await.unwrap();
        let before = fixture.audited().await;
        let mut again = fixture.intent(&device, IssuanceRight::Again(invited.id), day(0));
        again.key_hash = key_hash;
        fixture.ledger.group(again).await.unwrap();
        assert_eq!(fixture.actions_after(before).await, ["certificate.superseded", "certificate.reserved"]);
        let late = day(1);
        fixture.write(late, async |transaction| transaction.abandon_reserved(late.plus(DAY)).await).await.unwrap();
        assert_eq!(fixture.actions_after(before + 2).await, ["certificate.abandoned"]);
    }

    async fn what_happened_to_a_device_is_found_under_it(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.enroll(day(0)).await;
        fixture.present(&first, day(1)).await;
        let entries = fixture.ledger.everything().audit_of(&device, 10).await.unwrap();
        let actions: Vec<_> = entries.iter().map(|entry| crate::fixture::action(&entry.entry)).collect();
        assert_eq!(actions, ["certificate.used", "certificate.issued", "certificate.reserved"]);
        assert_eq!(fixture.ledger.everything().audit_of(&device, 1).await.unwrap(), entries[..1]);
    }

    async fn an_entry_that_was_edited_is_found(fixture: LedgerFixture) {
        let entries = busy(fixture).await;
        fixture.place.tamper("UPDATE audit SET entry = REPLACE(entry, 'operator:test', 'operator:else') WHERE seq = 2").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Changed(2)));
        assert!(entries > 3);
    }

    async fn a_hash_that_was_edited_is_found(fixture: LedgerFixture) {
        busy(fixture).await;
        fixture.place.tamper("UPDATE audit SET hash = (SELECT hash FROM audit WHERE seq = 1) WHERE seq = 3").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Changed(3)));
    }

    async fn an_entry_filed_under_another_time_or_device_is_found(fixture: LedgerFixture) {
        busy(fixture).await;
        fixture.place.tamper("UPDATE audit SET at = at - 1 WHERE seq = 4").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Changed(4)));
        fixture.place.tamper("UPDATE audit SET at = at + 1 WHERE seq = 4").await;
        assert!(verdict(fixture).await.is_ok());
        let hidden = fixture.place.tamper("UPDATE audit SET device = NULL WHERE seq = 5 AND device IS NOT NULL").await;
        assert_eq!(hidden, 1);
        assert_eq!(verdict(fixture).await, Err(AuditFault::Changed(5)));
    }

    async fn an_entry_that_was_removed_is_found(fixture: LedgerFixture) {
        busy(fixture).await;
        fixture.place.tamper("DELETE FROM audit WHERE seq = 3").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Missing(3)));
    }

    async fn entries_that_were_cut_off_are_found(fixture: LedgerFixture) {
        let entries = busy(fixture).await;
        fixture.place.tamper("DELETE FROM audit WHERE seq > (SELECT MAX(seq) - 2 FROM audit)").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Truncated(entries - 2)));
        fixture.place.tamper("DELETE FROM audit").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Truncated(0)));
    }

    async fn entries_that_were_appended_are_found(fixture: LedgerFixture) {
        let entries = busy(fixture).await;
        fixture.place.tamper("INSERT INTO audit (seq, at, device, entry, hash) \
            SELECT seq + 1, at, device, entry, hash FROM audit ORDER BY seq DESC LIMIT 1").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Changed(entries + 1)));
    }

    async fn a_head_that_was_set_back_is_found(fixture: LedgerFixture) {
        let entries = busy(fixture).await;
        fixture.place.tamper("UPDATE head SET audit_seq = audit_seq - 1, \
            audit_hash = (SELECT hash FROM audit WHERE seq = audit_seq - 1)").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Changed(entries)));
    }

    async fn a_long_log_is_walked_to_its_end(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        fixture.write(day(0), async |transaction| {
            for count in 0..2100 {
                transaction.audit(&operator(), "test.noted", None, serde_json::json!({"count": count})).await?;
            }
            Ok(())
        }).await.unwrap();
        assert_eq!(fixture.audited().await, before + 2100);
        fixture.place.tamper("DELETE FROM audit WHERE seq = 2050").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Missing(2050)));
    }

    async fn routine_tokens_become_a_number_for_each_device_and_day(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let (other, _) = fixture.enroll(day(0)).await;
        for number in 0..30u64 {
            let device = if number % 3 == 0 { &other } else { &device };
            issue_token(fixture, device, day(1).plus(MINUTE * u32::try_from(number).unwrap())).await;
            if number == 15 {
                fixture.enroll(day(1)).await;
            }
        }
        issue_token(fixture, &device, day(3)).await;
        let entries = fixture.audited().await;
        let rows = row_count(fixture).await;
        retain(fixture, day(3).plus(MINUTE)).await;
        assert_eq!(fixture.audited().await, entries + 1, "the chain is whole, and says that entries were let go");
        assert_eq!(rows - row_count(fixture).await, 30 - 1, "what is young is kept");
        let [days] = <[_; 1]>::try_from(fixture.ledger.everything().token_days_of(&device, 9).await.unwrap()).unwrap();
        assert_eq!((days.tokens, days.first_at, days.last_at), (20, day(1).plus(MINUTE), day(1).plus(MINUTE * 29)));
        assert_eq!(fixture.ledger.everything().token_days_of(&other, 9).await.unwrap()[0].tokens, 10);
        retain(fixture, day(3).plus(MINUTE)).await;
        assert_eq!(fixture.audited().await, entries + 1, "once more changes nothing");
    }

    async fn what_is_too_old_goes_and_what_the_rows_rest_on_stays(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        fixture.act(&device, DeviceAction::Suspend, day(1)).await.unwrap();
        retain(fixture, day(4000)).await;
        fixture.audited().await;
        let kept: Vec<_> = fixture.actions_after(0).await;
        let (pruned, kept) = kept.split_last().unwrap();
        assert_eq!(pruned, "audit.pruned");
        assert_eq!(kept, ["certificate.reserved", "certificate.issued", "device.suspended"]);
    }

    async fn a_gap_that_no_entry_speaks_of_is_noticed(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        for number in 0..3 {
            issue_token(fixture, &device, day(1).plus(MINUTE * number)).await;
        }
        retain(fixture, day(3)).await;
        let first = gap(fixture).await;
        fixture.place.tamper("UPDATE audit_gap SET last = last + 1").await;
        assert!(matches!(verdict(fixture).await, Err(AuditFault::Missing(_) | AuditFault::Unfounded(_))));
        fixture.place.tamper("UPDATE audit_gap SET last = last - 1").await;
        assert!(verdict(fixture).await.is_ok());
        fixture.place.tamper("UPDATE audit_gap SET entry = entry + 1").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Unfounded(first)));
        fixture.place.tamper("UPDATE audit_gap SET entry = entry - 1").await;
        fixture.place.tamper("DELETE FROM audit_gap").await;
        assert_eq!(verdict(fixture).await, Err(AuditFault::Missing(first)));
    }

    async fn verification_does_not_trip_over_writers(fixture: LedgerFixture) {
        let writing = async {
            for _ in 0..20 {
                fixture.enroll(day(0)).await;
            }
        };
        let verifying = async {
            for _ in 0..40 {
                fixture.audited().await;
            }
        };
        Box::pin(join(writing, verifying)).await;
    }
}

async fn busy(fixture: &LedgerFixture) -> u64 {
    fixture.enroll(day(0)).await;
    fixture.audited().await
}

async fn verdict(fixture: &LedgerFixture) -> Result<u64, AuditFault> {
    fixture.ledger.verify_audit().await.unwrap()
}

const MINUTE: Duration = Duration::from_mins(1);

async fn issue_token(fixture: &LedgerFixture, device: &DeviceId, at: Timestamp) {
    let jti = format!("{}.{}", device, at.millis());
    let token = IssuedToken { jti, device: device.clone(), generation: 1, audience: "product".into(), at };
    fixture.ledger.record_token(token).await.unwrap();
}

/// Tokens for a day, everything else for ten years.
async fn retain(fixture: &LedgerFixture, now: Timestamp) {
    let retention = AuditRetention { tokens: DAY, others: DAY * 3660 };
    while fixture.ledger.retain_audit(&retention, now).await.unwrap() {}
}

async fn row_count(fixture: &LedgerFixture) -> usize {
    fixture.ledger.audit_entries(0, 10_000).await.unwrap().len()
}

/// The first entry of the first gap.
async fn gap(fixture: &LedgerFixture) -> u64 {
    let links = fixture.ledger.audit_links(0, 10_000).await.unwrap();
    let first = links
        .into_iter()
        .find_map(|link| if let AuditLink::Gap(gap) = link { Some(gap.first) } else { None });
    first.expect("a gap")
}

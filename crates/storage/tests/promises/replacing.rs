//! An invitation whose device was never used goes to another key, and to nobody once it was.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, InvitedDevice, LedgerFixture, day, operator, refusal};
use futures_util::future::join_all;
use tegata_core::{CertificateState as State, DeviceId, Refusal, RevocationReason, Thumbprint, Timestamp};
use tegata_storage::{DeviceAction, DeviceFilter, IssuanceRight, Lineage, Result};

impl LedgerFixture {
    async fn enrolled(&self) -> (InvitedDevice, DeviceId, Thumbprint) {
        let invited = self.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&self.entropy);
        let intent = self.intent(&device, self.by_invitation(&invited.id), day(0));
        let thumbprint = self.issue(intent).await.expect("a first certificate");
        (invited, device, thumbprint)
    }

    async fn replace(
        &self,
        invited: &InvitedDevice,
        device: &DeviceId,
        now: Timestamp,
    ) -> Result<Thumbprint> {
        self.issue(self.intent(device, IssuanceRight::Replacement(invited.id.clone()), now)).await
    }
}

on_both_engines! {
    async fn a_lost_first_key_is_replaced_and_its_certificate_denied_at_once(fixture: LedgerFixture) {
        let (invited, device, lost) = fixture.enrolled().await;
        assert!(fixture.ledger.everything().is_replaceable(&invited.id).await.unwrap());
        let before = fixture.audited().await;
        let found = fixture.replace(&invited, &device, day(0)).await.unwrap();
        assert_eq!(fixture.states(&device).await, [State::Revoked, State::Issued], "generations are never used twice");
        assert!(fixture.folded().await.denial(&device, &lost).is_some(), "gates hear of it");
        assert_eq!(fixture.ledger.everything().devices(&DeviceFilter::default()).await.unwrap().len(), 1, "no second device");
        let actions = fixture.actions_after(before).await;
        assert_eq!(actions, ["certificate.superseded", "certificate.reserved", "certificate.issued"]);
        // Once more, and then it is used.
        let last = fixture.replace(&invited, &device, day(0)).await.unwrap();
        assert!(fixture.folded().await.denial(&device, &found).is_some());
        fixture.present(&last, day(0)).await;
        assert!(!fixture.ledger.everything().is_replaceable(&invited.id).await.unwrap());
        assert_eq!(refusal(fixture.replace(&invited, &device, day(0)).await), Refusal::InvitationUsed);
        assert_eq!(fixture.states(&device).await.last(), Some(&State::InUse), "who is at work stays so");
        fixture.audited().await;
    }

    async fn a_replaced_key_cannot_come_back_and_one_of_many_wins_at_a_time(fixture: LedgerFixture) {
        let (invited, device, _) = fixture.enrolled().await;
        let first = fixture.certificates(&device).await.remove(0);
        let all = join_all((0..4).map(|_| fixture.replace(&invited, &device, day(0)))).await;
        assert!(all.iter().any(Result::is_ok));
        let living = fixture.states(&device).await.iter().filter(|state| **state == State::Issued).count();
        assert_eq!(living, 1, "whoever came last has the only one");
        let mut again = fixture.intent(&device, IssuanceRight::Again(invited.id.clone()), day(0));
        again.key_hash = first.key_hash.try_into().unwrap();
        assert_eq!(refusal(fixture.ledger.group(again).await), Refusal::KeyReused);
    }

    async fn what_somebody_stopped_or_what_is_over_is_not_replaced(fixture: LedgerFixture) {
        let (late, device, _) = fixture.enrolled().await;
        let after = day(0).plus(DAY * 2);
        assert_eq!(refusal(fixture.replace(&late, &device, after).await), Refusal::InvitationUsed, "and it is over");

        let (revoked, device, thumbprint) = fixture.enrolled().await;
        let reason = RevocationReason::KeyCompromise;
        fixture.write(day(0), async |transaction| {
            transaction.revoke_certificate(&thumbprint, reason, Lineage::This, "", &operator()).await
        }).await.unwrap();
        assert_eq!(refusal(fixture.replace(&revoked, &device, day(0)).await), Refusal::InvitationUsed);

        let (stopped, device, _) = fixture.enrolled().await;
        fixture.act(&device, DeviceAction::Suspend, day(0)).await.unwrap();
        assert!(!fixture.ledger.everything().is_replaceable(&stopped.id).await.unwrap());
        assert_eq!(refusal(fixture.replace(&stopped, &device, day(0)).await), Refusal::InvitationUsed);

        let (invited, _, _) = fixture.enrolled().await;
        let (_, other, _) = fixture.enrolled().await;
        assert!(fixture.replace(&invited, &other, day(0)).await.is_err(), "another device is not the invitation's");
        let open = fixture.invite("受付PC", day(0)).await;
        assert!(!fixture.ledger.everything().is_replaceable(&open.id).await.unwrap(), "nothing is there to be replaced");
    }
}

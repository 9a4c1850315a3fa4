//! Every single write of issuing, stopping, publishing and replaying is made to fail once: nothing is half done, nothing
//! acknowledged is lost, and whoever tries again succeeds.

use crate::engines::{EnginePlace, run};
use crate::fixture::Everything;
use crate::fixture::{DAY, LedgerFixture, day, operator};
use crate::restoring::KeptAnswer;
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::entropy::bytes;
use tegata_core::feed::TokenHolder;
use tegata_core::{CertificateState, DeviceId, DeviceState, InvitationId, TenantState, Thumbprint};
use tegata_storage::{DeviceAction, IssuanceRight, Lineage, Result, StoredCrl, TenantAction};

/// Far more writes than anything takes.
const MOST: u32 = 120;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Issue,
    Renew,
    Present,
    Suspend,
    SuspendTenant,
    SignOut,
    Revoke,
    RevokeLine,
    BlockKey,
    DenyToken,
    Retire,
    Publish,
}

const DEEDS: [Deed; 12] = [
    Deed::Issue,
    Deed::Renew,
    Deed::Present,
    Deed::Suspend,
    Deed::SuspendTenant,
    Deed::SignOut,
    Deed::Revoke,
    Deed::RevokeLine,
    Deed::BlockKey,
    Deed::DenyToken,
    Deed::Retire,
    Deed::Publish,
];

/// A device with two generations, of which the second is in use.
struct Subject {
    device: DeviceId,
    elder: Thumbprint,
    younger: Thumbprint,
    key: [u8; 32],
    /// Somebody with an invitation and a key.
    newcomer: DeviceId,
    invitation: InvitationId,
    newcomers_key: [u8; 32],
    token: String,
    number: u64,
}

#[test]
fn no_write_can_fail_into_a_half_truth_on_sqlite() {
    run(fail_everywhere(EnginePlace::sqlite()));
}

#[test]
fn no_write_can_fail_into_a_half_truth_on_postgresql() {
    run(fail_everywhere(EnginePlace::postgres()));
}

#[test]
fn no_write_of_a_replay_can_fail_into_a_half_truth_on_sqlite() {
    run(fail_while_replaying(EnginePlace::sqlite()));
}

#[test]
fn no_write_of_a_replay_can_fail_into_a_half_truth_on_postgresql() {
    run(fail_while_replaying(EnginePlace::postgres()));
}

async fn fail_everywhere(place: EnginePlace) {
    let kept = KeptAnswer::open(place).await;
    for deed in DEEDS {
        let mut writes = 0;
        while !fails_at(&kept, deed, writes).await {
            writes += 1;
            assert!(writes < MOST, "{deed:?} never succeeds");
        }
        assert!(writes > 0, "{deed:?} writes something");
    }
    kept.clear().await;
}

/// Gives whether the deed was done before so many writes.
async fn fails_at(kept: &KeptAnswer, deed: Deed, writes: u32) -> bool {
    let subject = Subject::prepare(&kept.fixture, u64::from(writes) + 1).await;
    kept.fixture.place.fail_after(writes).await;
    let first = subject.act(&kept.fixture, deed).await;
    kept.fixture.place.fail_no_more().await;
    let done = subject.parts_done(&kept.fixture, deed).await;
    let (some, all) = (done.iter().any(|part| *part), done.iter().all(|part| *part));
    if first.is_ok() {
        assert!(all, "{deed:?} was acknowledged");
        whole(kept).await;
        return true;
    }
    assert!(!some, "{deed:?} was not acknowledged, and is half done after {writes} writes: {done:?}");
    // What is in the log already is done by whoever writes next, and then there is nothing left to do.
    let again = subject.act(&kept.fixture, deed).await;
    let done = subject.parts_done(&kept.fixture, deed).await;
    assert!(done.iter().all(|part| *part), "{deed:?} once more after {writes} writes: {again:?}");
    whole(kept).await;
    false
}

async fn fail_while_replaying(place: EnginePlace) {
    let mut kept = KeptAnswer::open(place).await;
    let subject = Subject::prepare(&kept.fixture, 1).await;
    let other = Subject::prepare(&kept.fixture, 2).await;
    kept.fixture.place.backup().await;
    for deed in [Deed::RevokeLine, Deed::BlockKey, Deed::DenyToken, Deed::SignOut, Deed::Suspend] {
        subject.act(&kept.fixture, deed).await.unwrap();
    }
    other.act(&kept.fixture, Deed::Revoke).await.unwrap();
    let late = Subject::prepare(&kept.fixture, 3).await;
    late.act(&kept.fixture, Deed::Revoke).await.unwrap();
    late.act(&kept.fixture, Deed::SuspendTenant).await.unwrap();
    let head = kept.fixture.ledger.feed_head().await.unwrap();
    let mut writes = 0;
    loop {
        kept.fixture.ledger.close().await;
        kept.fixture.place.restore().await;
        kept.fixture.place.fail_after(writes).await;
        let opened = kept.reopen(day(40)).await;
        kept.fixture.place.fail_no_more().await;
        if opened.is_err() {
            kept.reopen(day(40)).await.expect("a ledger that catches up the next time");
        }
        assert_eq!(kept.fixture.ledger.feed_head().await.unwrap(), head);
        for (subject, deed) in [
            (&subject, Deed::RevokeLine),
            (&subject, Deed::Suspend),
            (&subject, Deed::SuspendTenant),
            (&other, Deed::Revoke),
        ] {
            assert!(
                subject.parts_done(&kept.fixture, deed).await.iter().all(|part| *part),
                "after {writes} writes"
            );
        }
        whole(&kept).await;
        if opened.is_ok() {
            break;
        }
        writes += 1;
        assert!(writes < MOST, "it never catches up");
    }
    assert!(writes > 10, "a replay writes more than {writes} times");
    kept.clear().await;
}

/// Both chains hold, the cache says what the rows say, and the log ends where the ledger does.
async fn whole(kept: &KeptAnswer) {
    // Whoever writes next brings the ledger up to its log.
    kept.fixture.write(day(40), async |_| Ok(())).await.unwrap();
    kept.fixture.audited().await;
    assert_eq!(kept.fixture.folded().await.seq(), kept.fixture.ledger.feed_head().await.unwrap());
    assert!(kept.fixture.ledger.verify_log().await.unwrap().unwrap().agrees);
}

impl Subject {
    async fn prepare(fixture: &LedgerFixture, number: u64) -> Self {
        // Whoever came before may have stopped them all.
        let _ = fixture.act_on_tenant(TenantAction::Resume, day(0)).await;
        let invited = fixture.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&fixture.entropy);
        let intent = fixture.intent(&device, fixture.by_invitation(&invited.id), day(0));
        let key = intent.key_hash;
        let elder = fixture.issue(intent).await.unwrap();
        fixture.present(&elder, day(0)).await;
        let younger = fixture.renew(&device, elder, day(1)).await.unwrap();
        let name: [u8; 8] = bytes(&fixture.entropy);
        Self {
            device,
            elder,
            younger,
            key,
            newcomer: DeviceId::random(&fixture.entropy),
            invitation: fixture.invite("受付PC", day(2)).await.id,
            newcomers_key: bytes(&fixture.entropy),
            token: format!("{name:?}"),
            number,
        }
    }

    async fn act(&self, fixture: &LedgerFixture, deed: Deed) -> Result<()> {
        let now = day(2);
        match deed {
            Deed::Issue => {
                let claimed = fixture.ledger.everything().device(&self.newcomer).await?.is_some();
                let origin = if claimed {
                    IssuanceRight::Again(self.invitation.clone())
                } else {
                    fixture.by_invitation(&self.invitation)
                };
                let mut intent = fixture.intent(&self.newcomer, origin, now);
                intent.key_hash = self.newcomers_key;
                fixture.issue(intent).await.map(|_| ())
            }
            Deed::Renew => fixture.renew(&self.device, self.elder, now).await.map(|_| ()),
            Deed::Present => fixture
                .write(now, async |writing| writing.mark_used(&self.younger, now).await)
                .await
                .map(|_| ()),
            Deed::Suspend => fixture.act(&self.device, DeviceAction::Suspend, now).await.map(|_| ()),
            Deed::SuspendTenant => fixture.act_on_tenant(TenantAction::Suspend, now).await.map(|_| ()),
            Deed::SignOut => {
                fixture.sign_out(&TokenHolder::Device(self.device.clone()), now).await.map(|_| ())
            }
            Deed::Revoke => {
                fixture.act(&self.device, DeviceAction::Revoke(KeyCompromise), now).await.map(|_| ())
            }
            Deed::RevokeLine => {
                let whole = Lineage::Whole;
                fixture
                    .write(now, async |writing| {
                        writing.revoke_certificate(&self.elder, KeyCompromise, whole, "", &operator()).await
                    })
                    .await
                    .map(|_| ())
            }
            Deed::BlockKey => fixture
                .write(now, async |writing| writing.block_key(&self.key, "", &operator()).await)
                .await
                .map(|_| ()),
            Deed::DenyToken => {
                let until = now.plus(DAY);
                fixture
                    .write(now, async |writing| {
                        writing.deny_token(&self.token, until, &self.device, &operator()).await
                    })
                    .await
                    .map(|_| ())
            }
            Deed::Retire => {
                fixture.write(now, async |writing| writing.mark_used(&self.younger, now).await).await?;
                fixture.write(now, async |writing| writing.retire_due().await).await.map(|_| ())
            }
            Deed::Publish => {
                let crl = StoredCrl {
                    number: self.number,
                    revision: self.number,
                    this_update: now,
                    next_update: now.plus(DAY),
                    der: self.token.clone().into_bytes(),
                };
                fixture
                    .write(now, async |writing| {
                        writing.publish_crl(&fixture.issuer, 0, &crl).await?;
                        writing.audit(&operator(), "crl.published", None, serde_json::Value::Null).await
                    })
                    .await
            }
        }
    }

    /// What the deed consists of: all of it or nothing must be so.
    async fn parts_done(&self, fixture: &LedgerFixture, deed: Deed) -> Vec<bool> {
        use CertificateState::{InUse, Retired, Retiring, Revoked};
        let device = fixture.ledger.everything().device(&self.device).await.unwrap().unwrap();
        let states = fixture.states(&self.device).await;
        let denials = fixture.ledger.denials(day(2)).await.unwrap();
        let denied = |thumbprint| denials.denial(&self.device, thumbprint).is_some();
        match deed {
            // Two transactions: reserved first, and only what is signed is issued.
            Deed::Issue => {
                let states = fixture.states(&self.newcomer).await;
                vec![states.last() == Some(&CertificateState::Issued)]
            }
            Deed::Renew => vec![states.len() > 2 && states.last() == Some(&CertificateState::Issued)],
            Deed::Present => vec![states[0] == Retiring, states[1] == InUse],
            Deed::Suspend => vec![device.state == DeviceState::Suspended, denied(&self.younger)],
            Deed::SuspendTenant => {
                let tenant = fixture.ledger.everything().tenants().await.unwrap().remove(0);
                let denied = denials.denial_within(Some(&tenant.id), &self.device, &self.younger);
                vec![tenant.state == TenantState::Suspended, denied.is_some()]
            }
            Deed::SignOut => {
                let before = fixture.ledger.tokens_before(&fixture.tenant, &self.device).await.unwrap();
                vec![before > Some(day(2)), denials.tokens_before(&fixture.tenant, &self.device).is_some()]
            }
            Deed::Revoke => {
                vec![device.state == DeviceState::Revoked, denied(&self.younger), denied(&self.elder)]
            }
            Deed::RevokeLine => {
                vec![states[0] == Revoked, states[1] == Revoked, denied(&self.younger), denied(&self.elder)]
            }
            Deed::BlockKey => {
                let keys = fixture.ledger.blocked_keys().await.unwrap();
                let blocked = keys.iter().any(|key| key.key_hash == self.key);
                vec![blocked, states[0] == Revoked, states[1] == Revoked, denied(&self.younger)]
            }
            Deed::DenyToken => vec![denials.token_denied(&self.token)],
            // Two transactions; the first alone is the planned way.
            Deed::Retire => vec![states[0] == Retired, denied(&self.elder)],
            Deed::Publish => {
                let out = fixture.ledger.crl(&fixture.issuer, 0).await.unwrap();
                vec![out.is_some_and(|crl| crl.number == self.number)]
            }
        }
    }
}

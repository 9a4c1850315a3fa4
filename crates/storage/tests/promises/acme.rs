//! What ACME clients may rely on in the ledger: one account a key and an invitation, one certificate an order.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, LedgerFixture, day};
use std::time::Duration;
use tegata_core::entropy::bytes;
use tegata_core::{AcmeAccountId, AcmeOrderId, DeviceId, InvitationId, Refusal, Thumbprint, Timestamp};
use tegata_storage::{
    AcmeAccount, AcmeIdentifier, AcmeState, Actor, AuthorizationState, IssuanceRight, LedgerError,
    NewAcmeAccount, NewAcmeOrder,
};

on_both_engines! {
    async fn a_key_and_an_invitation_have_one_account(fixture: LedgerFixture) {
        let fixture = &fixture;
        let invited = fixture.invite("server", day(0)).await;
        let account = add_account(fixture, "key", Some(&invited.id)).await.unwrap();
        assert_eq!(add_account(fixture, "key", None).await.unwrap_err(), Refusal::AcmeKeyTaken);
        let second = add_account(fixture, "other", Some(&invited.id)).await;
        assert_eq!(second.unwrap_err(), Refusal::InvitationUsed);
        add_account(fixture, "third", None).await.unwrap();
        add_account(fixture, "fourth", None).await.unwrap();

        let change = |account: &AcmeAccount, key: &'static str| {
            let account = account.clone();
            async move {
                let changed = fixture
                    .write(day(1), async |transaction| transaction.change_acme_key(&account, key, "{}").await)
                    .await;
                changed.map_err(refused)
            }
        };
        assert_eq!(change(&account, "third").await.unwrap_err(), Refusal::AcmeKeyTaken);
        change(&account, "fifth").await.unwrap();
        assert_eq!(change(&account, "sixth").await.unwrap_err(), Refusal::AcmeAccountClosed, "seen too long ago");
        assert_eq!(fixture.ledger.acme_account_of("fifth").await.unwrap().unwrap().id, account.id);
        assert_eq!(fixture.ledger.acme_account_of("key").await.unwrap(), None);
    }

    async fn an_order_waits_for_one_key_and_becomes_one_certificate(fixture: LedgerFixture) {
        let fixture = &fixture;
        let invited = fixture.invite("iPad", day(0)).await;
        let account = add_account(fixture, "key", None).await.unwrap();
        let order = add_order(fixture, &account, &invited.id, false, day(0)).await.unwrap();
        let key = bytes::<32>(&fixture.entropy);
        assert_eq!(take(fixture, &order, &key, day(0)).await.unwrap_err(), Refusal::AcmeOrderNotReady, "pending");

        authorize(fixture, &order, Some(&key), day(0)).await.unwrap();
        let again = authorize(fixture, &order, None, day(0)).await;
        assert_eq!(again.unwrap_err(), Refusal::AcmeOrderNotReady, "an attested key is not shaken off");
        let other = bytes::<32>(&fixture.entropy);
        assert_eq!(take(fixture, &order, &other, day(0)).await.unwrap_err(), Refusal::AcmeOrderNotReady);
        assert_eq!(take(fixture, &order, &key, day(2)).await.unwrap_err(), Refusal::AcmeOrderNotReady, "too late");
        take(fixture, &order, &key, day(0)).await.unwrap();
        take(fixture, &order, &key, day(0)).await.unwrap();

        let (device, thumbprint) = issue(fixture, &invited.id, key, day(0)).await;
        let foreign = issue(fixture, &fixture.invite("another", day(0)).await.id, other, day(0)).await;
        let wrong = complete(fixture, &order, &foreign.1, &foreign.0).await;
        assert_eq!(wrong.unwrap_err(), Refusal::AcmeOrderNotReady, "the certificate of another key");
        complete(fixture, &order, &thumbprint, &device).await.unwrap();
        assert_eq!(complete(fixture, &order, &thumbprint, &device).await.unwrap_err(), Refusal::AcmeOrderNotReady);
        let told = fixture.ledger.acme_order(&order).await.unwrap().unwrap();
        assert_eq!((told.state, told.certificate), (AcmeState::Valid, Some(thumbprint)));
        assert!(fixture.ledger.is_acme_certificate_of(&account.id, &thumbprint).await.unwrap());
        assert!(!fixture.ledger.is_acme_certificate_of(&account.id, &foreign.1).await.unwrap());
    }

    async fn an_account_knows_the_device_that_its_order_became_and_no_other(fixture: LedgerFixture) {
        let fixture = &fixture;
        let (mine, yours) = (fixture.invite("mine", day(0)).await, fixture.invite("yours", day(0)).await);
        let account = add_account(fixture, "mine", Some(&mine.id)).await.unwrap();
        let bystander = add_account(fixture, "yours", Some(&yours.id)).await.unwrap();
        let order = add_order(fixture, &account, &mine.id, true, day(0)).await.unwrap();
        let (key, pages) = (bytes::<32>(&fixture.entropy), bytes::<32>(&fixture.entropy));
        take(fixture, &order, &key, day(0)).await.unwrap();
        assert_eq!(fixture.ledger.acme_account(&account.id).await.unwrap().unwrap().device, None);
        let (device, _) = issue(fixture, &mine.id, key, day(0)).await;
        // Known from the moment on which the right was used up, told or not.
        assert_eq!(fixture.ledger.acme_account(&account.id).await.unwrap().unwrap().device, Some(device));

        issue(fixture, &yours.id, pages, day(0)).await;
        let known = fixture.ledger.acme_account(&bystander.id).await.unwrap().unwrap();
        assert_eq!(known.device, None, "a page has used the invitation");
    }

    async fn what_came_to_nothing_is_forgotten(fixture: LedgerFixture) {
        let fixture = &fixture;
        let invited = fixture.invite("server", day(0)).await;
        let account = add_account(fixture, "bound", Some(&invited.id)).await.unwrap();
        let stranger = add_account(fixture, "stranger", None).await.unwrap();
        let idle = add_account(fixture, "idle", None).await.unwrap();
        let kept = add_order(fixture, &account, &invited.id, true, day(0)).await.unwrap();
        let key = bytes::<32>(&fixture.entropy);
        take(fixture, &kept, &key, day(0)).await.unwrap();
        let (device, thumbprint) = issue(fixture, &invited.id, key, day(0)).await;
        complete(fixture, &kept, &thumbprint, &device).await.unwrap();
        let lost = add_order(fixture, &stranger, &invited.id, false, day(0)).await.unwrap();
        let forget = async |before: Timestamp| {
            fixture.write(day(30), async |transaction| transaction.forget_acme(before).await).await.unwrap()
        };
        assert_eq!(forget(day(0)).await, 0);
        assert_eq!(forget(day(9)).await, 3, "an order, and two accounts that have none");
        assert_eq!(fixture.ledger.acme_order(&lost).await.unwrap(), None);
        assert!(fixture.ledger.acme_order(&kept).await.unwrap().is_some());
        assert_eq!(fixture.ledger.acme_account(&idle.id).await.unwrap(), None);
        assert!(fixture.ledger.acme_account(&account.id).await.unwrap().is_some());
    }

    async fn an_account_that_was_closed_orders_nothing(fixture: LedgerFixture) {
        let fixture = &fixture;
        let invited = fixture.invite("server", day(0)).await;
        let account = add_account(fixture, "key", Some(&invited.id)).await.unwrap();
        let open = add_order(fixture, &account, &invited.id, true, day(0)).await.unwrap();
        let close = async || {
            let closed =
                fixture.write(day(0), async |transaction| transaction.close_acme_account(&account).await).await;
            closed.map_err(refused)
        };
        close().await.unwrap();
        assert_eq!(close().await.unwrap_err(), Refusal::AcmeAccountClosed);
        let ended = fixture.ledger.acme_order(&open).await.unwrap().unwrap();
        assert_eq!((ended.state, ended.authorization), (AcmeState::Invalid, AuthorizationState::Deactivated));
        let another = add_order(fixture, &account, &invited.id, true, day(0)).await;
        assert_eq!(another.unwrap_err(), Refusal::AcmeAccountClosed);
        fixture.ledger.verify_audit().await.unwrap().expect("the chain is whole");
    }
}

async fn add_account(
    fixture: &LedgerFixture,
    key: &str,
    invitation: Option<&InvitationId>,
) -> Result<AcmeAccount, Refusal> {
    let id = AcmeAccountId::random(&fixture.entropy);
    let new = NewAcmeAccount {
        id,
        thumbprint: key.into(),
        jwk: "{}".into(),
        invitation: invitation.cloned(),
        binding: None,
    };
    let added = fixture.write(day(0), async |transaction| transaction.add_acme_account(&new).await).await;
    added.map_err(refused)?;
    Ok(fixture.ledger.acme_account(&new.id).await.unwrap().unwrap())
}

async fn add_order(
    fixture: &LedgerFixture,
    account: &AcmeAccount,
    invitation: &InvitationId,
    is_authorized: bool,
    now: Timestamp,
) -> Result<AcmeOrderId, Refusal> {
    let new = NewAcmeOrder {
        id: AcmeOrderId::random(&fixture.entropy),
        invitation: invitation.clone(),
        kind: AcmeIdentifier::Permanent,
        identifier: b"sealed".to_vec(),
        token: "token".into(),
        is_authorized,
        replaces: None,
        expires_at: now.plus(DAY),
    };
    let added = fixture
        .write(now, async |transaction| {
            transaction.add_acme_order(&account.id, &new, &Actor::Anonymous).await
        })
        .await;
    added.map_err(refused).map(|()| new.id)
}

async fn authorize(
    fixture: &LedgerFixture,
    order: &AcmeOrderId,
    key: Option<&[u8; 32]>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let done = fixture
        .write(now, async |transaction| transaction.authorize_acme_order(order, key, &Actor::Anonymous).await)
        .await;
    done.map_err(refused)
}

async fn take(
    fixture: &LedgerFixture,
    order: &AcmeOrderId,
    key: &[u8; 32],
    now: Timestamp,
) -> Result<(), Refusal> {
    let now = now.plus(Duration::from_secs(1));
    let done = fixture
        .write(now, async |transaction| transaction.take_acme_order(order, key, &Actor::Anonymous).await)
        .await;
    done.map_err(refused)
}

async fn complete(
    fixture: &LedgerFixture,
    order: &AcmeOrderId,
    certificate: &Thumbprint,
    device: &DeviceId,
) -> Result<(), Refusal> {
    let done = fixture
        .write(day(0), async |transaction| transaction.complete_acme_order(order, certificate, device).await)
        .await;
    done.map_err(refused)
}

/// A certificate for this key, as the enrollment service would issue it.
async fn issue(
    fixture: &LedgerFixture,
    invitation: &InvitationId,
    key_hash: [u8; 32],
    now: Timestamp,
) -> (DeviceId, Thumbprint) {
    let device = DeviceId::random(&fixture.entropy);
    let label = fixture.ledger.everything().invitation(invitation).await.unwrap().unwrap().label;
    let mut origin = fixture.by_invitation(invitation);
    if let IssuanceRight::Invitation { label: called, .. } = &mut origin {
        *called = label;
    }
    let mut intent = fixture.intent(&device, origin, now);
    intent.key_hash = key_hash;
    let thumbprint = fixture.issue(intent).await.expect("a certificate");
    (device, thumbprint)
}

#[allow(clippy::needless_pass_by_value)]
fn refused(error: LedgerError) -> Refusal {
    match error {
        LedgerError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

//! Whatever happens in whatever order: the lists, the responder and the ledger say the same of every certificate
//! whenever lists are published, and numbers only grow.

#![allow(clippy::unwrap_used)]

mod asking;
use asking::{OcspFixture, OcspReading};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::{IssuedCertificate, IssuingCa};
use tegata_core::{DeviceId, IssuerId, RevocationReason, Role, Serial, Timestamp};
use tegata_storage::{DeviceAction, EndedCertificate, IssuerState, LedgerError, Lineage};
use tegata_testkit::ca::{CaFixture, NOW, first_time, order, request};
use tegata_testkit::{OPERATOR, TestPlace};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// Few, so that lists have several entries and are empty too.
const SHARDS: u16 = 3;

#[derive(Clone, Debug)]
enum AgreementStep {
    Enroll,
    Act(prop::sample::Index, DeviceAction),
    RevokeCertificate(prop::sample::Index, RevocationReason),
    /// An issuing CA comes to rest, and another takes its place.
    RollCa,
    /// A responder gets a successor if it is due for one.
    RollResponder,
    Wait(Duration),
    Publish,
}

fn step() -> impl Strategy<Value = AgreementStep> {
    let reason = || {
        prop::sample::select(vec![
            RevocationReason::Unspecified,
            RevocationReason::KeyCompromise,
            RevocationReason::AffiliationChanged,
            RevocationReason::Superseded,
            RevocationReason::CessationOfOperation,
        ])
    };
    let action = prop_oneof![
        3 => Just(DeviceAction::Suspend),
        3 => Just(DeviceAction::Resume),
        1 => reason().prop_map(DeviceAction::Revoke),
        1 => Just(DeviceAction::Retire),
    ];
    let minutes = prop_oneof![4 => 0u64..10, 2 => 10u64..120, 1 => Just(4 * 24 * 60)];
    prop_oneof![
        4 => Just(AgreementStep::Enroll),
        8 => (any::<prop::sample::Index>(), action).prop_map(|(at, action)| AgreementStep::Act(at, action)),
        2 => (any::<prop::sample::Index>(), reason())
            .prop_map(|(at, reason)| AgreementStep::RevokeCertificate(at, reason)),
        1 => Just(AgreementStep::RollCa),
        1 => Just(AgreementStep::RollResponder),
        3 => minutes.prop_map(|minutes| AgreementStep::Wait(Duration::from_mins(minutes))),
        4 => Just(AgreementStep::Publish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn list_responder_and_ledger_agree(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = AgreementFixture::new().await;
            for step in steps {
                world.happen(step).await;
                world.responder_agrees().await;
            }
            world.publish().await;
        });
    }
}

struct AgreementFixture {
    fixture: CaFixture,
    responder: OcspFixture,
    /// The last one issues.
    authorities: Vec<Arc<IssuingCa>>,
    issued: Vec<(usize, IssuedCertificate)>,
    /// Number and bytes of every list seen last.
    seen: HashMap<(IssuerId, u16), (u64, Vec<u8>)>,
    now: Timestamp,
}

impl AgreementFixture {
    async fn new() -> Self {
        let fixture = CaFixture::found_with(TestPlace::sqlite(), SHARDS).await;
        let responder = OcspFixture::open(&fixture, NOW).await;
        let authorities = vec![fixture.authority.clone()];
        Self { fixture, responder, authorities, issued: Vec::new(), seen: HashMap::new(), now: NOW }
    }

    async fn happen(&mut self, step: AgreementStep) {
        match step {
            AgreementStep::Enroll => self.enroll().await,
            AgreementStep::Act(at, action) => self.act(at, action).await,
            AgreementStep::RevokeCertificate(at, reason) => self.revoke_certificate(at, reason).await,
            AgreementStep::RollCa => self.roll_ca().await,
            AgreementStep::RollResponder => {
                for authority in &self.authorities {
                    self.responder.responders.appoint(authority, self.now).await.unwrap();
                }
            }
            AgreementStep::Wait(time) => self.now = self.now.plus(time),
            AgreementStep::Publish => self.publish().await,
        }
    }

    async fn enroll(&mut self) {
        let (_, invitation) = self.fixture.invite(Role::Device, self.now).await;
        let device = DeviceId::random(&*self.fixture.entropy);
        let place = self.authorities.len() - 1;
        let (request, entropy) = (request(), self.fixture.entropy.clone());
        let order = order(&device, first_time(&invitation), &request);
        let issued = self.authorities[place].issue(order, self.now, &*entropy, &|_| ()).await.unwrap();
        self.issued.push((place, issued));
    }

    /// What the device's state does not allow does not happen.
    async fn act(&self, at: prop::sample::Index, action: DeviceAction) {
        let Some((_, issued)) = self.chosen(at) else { return };
        let mut transaction = self.fixture.ledger.begin(self.now).await.unwrap();
        match transaction.act_on_device(&issued.device, action, "", &OPERATOR).await {
            Ok(_) => transaction.commit().await.unwrap(),
            Err(LedgerError::Guard(_) | LedgerError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn revoke_certificate(&self, at: prop::sample::Index, reason: RevocationReason) {
        let Some((_, issued)) = self.chosen(at) else { return };
        let mut transaction = self.fixture.ledger.begin(self.now).await.unwrap();
        let thumbprint = &issued.certificate.thumbprint;
        match transaction.revoke_certificate(thumbprint, reason, Lineage::This, "", &OPERATOR).await {
            Ok(_) => transaction.commit().await.unwrap(),
            Err(LedgerError::Guard(_) | LedgerError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn roll_ca(&mut self) {
        let old = self.authorities.last().unwrap().issuer().id().clone();
        self.authorities.push(Arc::new(self.fixture.another_authority(SHARDS, self.now).await));
        let mut transaction = self.fixture.ledger.begin(self.now).await.unwrap();
        let (rest, reason) = (IssuerState::Resting, RevocationReason::Unspecified);
        transaction.move_issuer(&old, rest, reason, "", &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
    }

    fn chosen(&self, at: prop::sample::Index) -> Option<&(usize, IssuedCertificate)> {
        (!self.issued.is_empty()).then(|| at.get(&self.issued))
    }

    async fn responder_agrees(&self) {
        for (place, issued) in &self.issued {
            let (authority, serial) = (&self.authorities[*place], &issued.certificate.serial);
            let status = self.fixture.ledger.status_of(authority.issuer().id(), serial).await.unwrap();
            let ledger = status.expect("issued").ended().map_or(OcspReading::Good, said);
            assert_eq!(self.responder.ask(authority, serial, self.now).await, ledger, "of {serial}");
        }
    }

    async fn publish(&mut self) {
        for authority in self.authorities.clone() {
            authority.publish_crls(self.now).await.unwrap();
            for shard in 0..SHARDS {
                self.list_agrees(&authority, shard).await;
            }
        }
        self.responder_agrees().await;
    }

    async fn list_agrees(&mut self, authority: &IssuingCa, shard: u16) {
        let id = authority.issuer().id();
        let list = self.fixture.ledger.crl(id, shard).await.unwrap().unwrap();
        assert!(list.next_update > self.now && list.this_update <= self.now);
        let before = self.seen.insert((id.clone(), shard), (list.number, list.der.clone()));
        if let Some((number, der)) = before {
            assert!(list.number > number || (list.number == number && list.der == der));
        }
        let (_, read) = CertificateRevocationList::from_der(&list.der).unwrap();
        let listed: HashMap<_, _> = read
            .iter_revoked_certificates()
            .map(|entry| {
                let reason = entry.reason_code().map(|(_, code)| code.0);
                (Serial::from_slice(entry.raw_serial()).unwrap(), OcspReading::Revoked(reason))
            })
            .collect();
        // A list that says nothing new stays; it may still name what has left since.
        let mut expected = HashMap::new();
        let mut visit = |ended: EndedCertificate| {
            expected.insert(ended.serial, said(&ended));
        };
        let since = list.this_update.minus(Duration::from_hours(24));
        self.fixture.ledger.ended(id, shard, since, &mut visit).await.unwrap();
        assert_eq!(listed, expected, "of shard {shard}");
        for (place, issued) in &self.issued {
            let serial = &issued.certificate.serial;
            if self.authorities[*place].issuer().id() == id && authority.endpoints().shard_of(serial) == shard
            {
                let by_list = listed.get(serial).copied().unwrap_or(OcspReading::Good);
                assert_eq!(self.responder.ask(authority, serial, self.now).await, by_list, "of {serial}");
            }
        }
    }
}

/// The reading that a verifier should get: without a reason there is no reason code.
fn said(ended: &EndedCertificate) -> OcspReading {
    OcspReading::Revoked(match ended.reason {
        None => Some(6),
        Some(RevocationReason::Unspecified) => None,
        Some(RevocationReason::KeyCompromise) => Some(1),
        Some(RevocationReason::AffiliationChanged) => Some(3),
        Some(RevocationReason::Superseded) => Some(4),
        Some(RevocationReason::CessationOfOperation) => Some(5),
    })
}

//! One round of the canary: its device is enrolled, used, renewed, revoked, watched and retired.

use super::answers::{self, CertificateUrls};
use super::device::{CanaryConnector, CanaryDevice};
use super::{Canary, FailedStep, place};
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{DeviceId, InvitationId, RevocationReason, Role, Timestamp};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{DeviceAction, Lineage, NewInvitation, PendingReceipts, ReceiptWait, SurfaceReceipt};
use tegata_web::ServerContext;
use tokio::time::{Instant, sleep};

/// How often an endpoint is asked whether it refuses by now.
const LOOK: Duration = Duration::from_millis(20);

/// How often the public address is asked: a list may be large.
const LIST_LOOK: Duration = Duration::from_millis(50);

/// How long the invitation can be used.
const INVITED: Duration = Duration::from_mins(5);

/// A round under way.
pub struct CanaryRound<'a> {
    context: &'a ServerContext,
    way: CanaryConnector<'a>,
    deadline: Duration,
    steps: Vec<(&'static str, Duration)>,
    late: Vec<&'static str>,
    device: Option<DeviceId>,
    kept: Vec<RevokedWitness>,
}

/// What one round of the canary measured.
pub struct CanaryMeasurement {
    pub steps: Vec<(&'static str, Duration)>,
    /// Steps that did not come to an end in time.
    pub late: Vec<&'static str>,
}

/// A revoked certificate and the list that must name it until it expires.
pub struct RevokedWitness {
    pub list: String,
    pub serial: Vec<u8>,
    pub not_after: Timestamp,
}

impl<'a> CanaryRound<'a> {
    pub fn begin(canary: &'a Canary) -> Self {
        let Canary { context, trust, own, deadline, .. } = canary;
        let (own, deadline, clock) = (*own, *deadline, context.clock.clone());
        let way = CanaryConnector { addresses: &context.addresses, trust, own, clock };
        Self { context, way, deadline, steps: vec![], late: vec![], device: None, kept: vec![] }
    }

    /// The whole life. Two generations, because somebody must ask about the token of the one that was revoked.
    pub async fn run(&mut self) -> Result<(), FailedStep> {
        let by = |step: &'static str| move |failure: Failure| (step, failure);
        let begun = Instant::now();
        let first = self.enroll().await.map_err(by("enrollment"))?;
        self.step("enrollment", begun);
        let begun = Instant::now();
        let token = self.first_use(&first).await.map_err(by("first_token"))?;
        self.step("first_token", begun);
        let begun = Instant::now();
        let second = self.way.renew(&first).await.map_err(by("renewal"))?;
        self.way.probe(&second).await.map_err(by("renewal"))?;
        self.step("renewal", begun);
        let active = self.way.is_active(&second, &token).await.map_err(by("introspection"))?;
        if !active {
            return Err(("introspection", Failure::wrong("a token that was just issued is not active")));
        }
        let spoken = CertificateUrls::of(&first.certificate)
            .ok_or(("enrollment", Failure::wrong("the certificate names no list or no responder")))?;
        let (ledger, now) = (&self.context.ledger, self.context.now());
        let gates = ReceiptWait::begin(ledger, now).await.doing(LEDGER).map_err(by("gates"))?.of_gates();
        let event = self.revoke(&first).await.map_err(by("revocation"))?;
        let gates = gates.committed(event, now).await.doing(LEDGER).map_err(by("gates"))?;
        Box::pin(self.watch(&first, &second, &token, &spoken, &gates)).await;
        Ok(())
    }

    /// Lays the device aside, so that nothing piles up as active. Gives what went wrong with that.
    pub async fn clear_up(&mut self) -> Vec<(&'static str, String)> {
        let Some(device) = &self.device else { return vec![] };
        let retired = async {
            let mut transaction = self.context.ledger.begin(self.context.now()).await?;
            transaction.act_on_device(device, DeviceAction::Retire, "", &place::ACTOR).await?;
            transaction.commit().await
        };
        match retired.await {
            Ok(()) => vec![],
            Err(error) => vec![("retirement", error.to_string())],
        }
    }

    pub fn measured(&mut self) -> CanaryMeasurement {
        CanaryMeasurement { steps: std::mem::take(&mut self.steps), late: std::mem::take(&mut self.late) }
    }

    pub fn into_kept(self) -> Vec<RevokedWitness> {
        self.kept
    }

    fn step(&mut self, step: &'static str, begun: Instant) {
        self.steps.push((step, begun.elapsed()));
    }

    async fn enroll(&mut self) -> Result<CanaryDevice, Failure> {
        let site = place::site(&self.context.ledger, self.context.now()).await?;
        let (entropy, now) = (self.context.entropy.as_ref(), self.context.now());
        let code = InvitationCode::random(entropy);
        let new = NewInvitation {
            id: InvitationId::random(entropy),
            code: &code,
            tenant: site.tenant.clone(),
            site: site.id.clone(),
            role: Role::Device,
            label: site.name.clone(),
            expires_at: now.plus(INVITED),
        };
        let mut transaction = self.context.ledger.begin(now).await.doing(LEDGER)?;
        transaction.invite(&new, &place::ACTOR).await.doing(LEDGER)?;
        transaction.commit().await.doing(LEDGER)?;
        let holder = self.way.enroll(&code).await?;
        self.device = Some(holder.device.clone());
        Ok(holder)
    }

    async fn first_use(&self, holder: &CanaryDevice) -> Result<String, Failure> {
        self.way.probe(holder).await?;
        let token = self.way.token(holder).await?;
        token.ok_or_else(|| Failure::wrong("a working certificate gets no token"))
    }

    async fn revoke(&self, holder: &CanaryDevice) -> Result<u64, Failure> {
        let reason = RevocationReason::CessationOfOperation;
        let mut transaction = self.context.ledger.begin(self.context.now()).await.doing(LEDGER)?;
        let revoked = transaction
            .revoke_certificate(&holder.thumbprint, reason, Lineage::This, "", &place::ACTOR)
            .await
            .doing(LEDGER)?;
        transaction.commit().await.doing(LEDGER)?;
        Ok(revoked.event)
    }

    /// Asks all endpoints at once, from the moment the revocation is durable.
    async fn watch(
        &mut self,
        first: &CanaryDevice,
        second: &CanaryDevice,
        token: &str,
        spoken: &CertificateUrls,
        gates: &PendingReceipts,
    ) {
        let begun = Instant::now();
        let (way, public, deadline) = (&self.way, self.way.own.public, self.deadline);
        let until = |pause| Deadline { begun, limit: deadline, pause };
        let serial = first.serial.as_bytes();
        let (token, introspection, ocsp, crl, receipts) = tokio::join!(
            until(LOOK).holds(|| async move { matches!(way.token(first).await, Ok(None)) }),
            until(LOOK).holds(|| async move { matches!(way.is_active(second, token).await, Ok(false)) }),
            until(LIST_LOOK).holds(|| async move {
                answers::ocsp_status(public, &spoken.ocsp, &first.issuer, serial).await == Some("revoked")
            }),
            until(LIST_LOOK).holds(|| async move {
                answers::listed(public, &spoken.list).await.is_some_and(|named| named.contains(serial))
            }),
            until(LOOK).holds(|| async move { have_confirmed(gates).await }),
        );
        for (step, took) in [("token", token), ("introspection", introspection), ("ocsp", ocsp), ("crl", crl)]
        {
            self.note(step, took);
        }
        if !gates.is_empty() {
            self.note("gates", receipts);
        }
        if crl.is_some() {
            let (list, serial) = (spoken.list.clone(), serial.to_vec());
            self.kept.push(RevokedWitness { list, serial, not_after: first.not_after });
        }
    }

    fn note(&mut self, step: &'static str, took: Option<Duration>) {
        match took {
            Some(took) => self.steps.push((step, took)),
            None => self.late.push(step),
        }
    }
}

async fn have_confirmed(gates: &PendingReceipts) -> bool {
    gates.look().await.is_ok_and(|receipts| receipts.iter().all(SurfaceReceipt::is_confirmed))
}

/// Waiting for something that must become true before a deadline.
struct Deadline {
    begun: Instant,
    limit: Duration,
    pause: Duration,
}

impl Deadline {
    /// How long it took.
    async fn holds<F: Future<Output = bool>>(self, condition: impl Fn() -> F) -> Option<Duration> {
        loop {
            if condition().await {
                return Some(self.begun.elapsed()).filter(|took| *took <= self.limit);
            }
            if self.begun.elapsed() > self.limit {
                return None;
            }
            sleep(self.pause).await;
        }
    }
}

const LEDGER: &str = "cannot write the ledger";

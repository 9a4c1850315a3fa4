//! Tickets: short-lived stand-ins for a right, for places that the right itself must not reach.
//!
//! A short code is for fingers and behind a throttle, a certificate stays in the browser, and what is written into a
//! configuration profile lies in a folder afterwards. A ticket is worth no more than the right it was given for: the
//! invitation is used up by whoever comes first with either, and a renewal by the first key. Nobody keeps tickets: what one
//! says is authenticated with the installation's own secret.

use crate::enrollment_service::EnrollmentService;
use ring::hmac;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::encoding::{base32, base64url, from_base64url};
use tegata_core::{ApprovalId, InvitationId, Refusal, Thumbprint, Timestamp};
use tegata_storage::{Actor, CertificateHolder};

/// What a ticket is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TicketPurpose {
    /// The issuance of one certificate.
    Certificate,
    /// To see whether the certificate was issued, and nothing else.
    Progress,
    /// To come back for what somebody has to approve of.
    Approval,
}

/// The right that a ticket stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TicketRight {
    /// An invitation that was open when the ticket was given.
    Invitation(InvitationId),
    /// The invitation of this approval, for a key that there was not when somebody approved.
    Approved(ApprovalId),
    /// The certificate with this thumbprint, which was presented.
    Renewal(Thumbprint),
}

/// A ticket that was given here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ticket {
    pub(crate) right: TicketRight,
    pub(crate) given_at: Timestamp,
}

/// A ticket as it was shown, which may be anybody's work until its tag is looked at. It never prints itself.
pub(crate) struct PresentedTicket {
    ticket: Ticket,
    bytes: Vec<u8>,
}

/// What the clocks of two servers may be apart.
const SKEW: Duration = Duration::from_secs(10);

/// Kind of right, moment in milliseconds.
const HEAD: usize = 9;
const TAG: usize = 32;
const ID: usize = 16;
const THUMBPRINT: usize = 32;

impl TicketPurpose {
    const fn life(self) -> Duration {
        match self {
            // A device drops a profile that was not installed within eight minutes.
            Self::Certificate => Duration::from_mins(30),
            Self::Progress => Duration::from_hours(2),
            // Nobody waits longer.
            Self::Approval => Duration::from_hours(8 * 24),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Certificate => "tickets for certificates",
            Self::Progress => "tickets for progress",
            Self::Approval => "tickets for approvals",
        }
    }
}

impl EnrollmentService {
    /// A ticket, good from now on.
    pub(crate) async fn give_ticket(
        &self,
        purpose: TicketPurpose,
        right: TicketRight,
    ) -> Result<String, Refusal> {
        let key = self.ticket_key(purpose).await?;
        let content = Ticket { right, given_at: self.now() }.to_bytes();
        Ok(base64url(&[&content, hmac::sign(&key, &content).as_ref()].concat()))
    }

    /// What a ticket of this purpose says, while it is good.
    pub(crate) async fn read_ticket<'a>(
        &self,
        purpose: TicketPurpose,
        shown: &'a PresentedTicket,
    ) -> Result<&'a Ticket, Refusal> {
        let ticket = self.authentic_ticket(purpose, shown).await?;
        let (now, given_at) = (self.now(), ticket.given_at);
        if now.plus(SKEW) < given_at || now.since(given_at) > purpose.life() {
            return Err(match ticket.right {
                TicketRight::Invitation(_) | TicketRight::Approved(_) => Refusal::InvitationExpired,
                TicketRight::Renewal(_) => Refusal::RenewalNotPossible,
            });
        }
        Ok(ticket)
    }

    /// The content of a ticket whose tag is right, even if its time is over: for requesters who came in time and were
    /// kept waiting.
    pub(crate) async fn authentic_ticket<'a>(
        &self,
        purpose: TicketPurpose,
        shown: &'a PresentedTicket,
    ) -> Result<&'a Ticket, Refusal> {
        let key = self.ticket_key(purpose).await?;
        let (content, tag) = shown.bytes.split_at(shown.bytes.len() - TAG);
        hmac::verify(&key, content, tag).map_err(|_| Refusal::InvitationUnknown)?;
        Ok(&shown.ticket)
    }

    /// The certificate that is renewed by a ticket given at `given_at`: one that could be presented now, and for which no
    /// other key has come since.
    pub(crate) async fn renewed_by_ticket(
        &self,
        old: &Thumbprint,
        given_at: Timestamp,
        key_hash: Option<&[u8]>,
    ) -> Result<Arc<CertificateHolder>, Refusal> {
        let facts = self.context.holder_of(old, self.now()).await?;
        let certificates = self.own_rows(&facts).certificates_of(&facts.device).await?;
        let is_used = certificates.iter().any(|known| {
            known.generation > i64::from(facts.generation)
                && known.reserved_at >= given_at
                && key_hash != Some(known.key_hash.as_slice())
        });
        if is_used {
            let actor = Actor::Device(facts.device.clone());
            let (device, now) = (Some(facts.device.clone()), self.now());
            return Err(self.refused(actor, device, Refusal::RenewalNotPossible, now).await);
        }
        Ok(facts)
    }

    async fn ticket_key(&self, purpose: TicketPurpose) -> Result<hmac::Key, Refusal> {
        let secret = self.opening.secret().await?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.derived(purpose.name()).as_ref()))
    }
}

impl PresentedTicket {
    /// From a text that has the form of a ticket.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = from_base64url(text)?;
        let content = bytes.get(..bytes.len().checked_sub(TAG)?)?;
        Some(Self { ticket: Ticket::from_bytes(content)?, bytes })
    }

    /// The text that was shown.
    pub(crate) fn text(&self) -> String {
        base64url(&self.bytes)
    }
}

impl fmt::Debug for PresentedTicket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ticket(…)")
    }
}

impl Ticket {
    fn to_bytes(&self) -> Vec<u8> {
        let moment = self.given_at.millis().to_be_bytes();
        match &self.right {
            TicketRight::Invitation(id) => [&[1][..], &moment, &id.bits()].concat(),
            TicketRight::Approved(id) => [&[3][..], &moment, &id.bits()].concat(),
            TicketRight::Renewal(thumbprint) => [&[2][..], &moment, thumbprint.as_bytes()].concat(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, about) = bytes.split_at_checked(HEAD)?;
        let right = match (head[0], about.len()) {
            (1, ID) => TicketRight::Invitation(InvitationId::parse(&base32(about))?),
            (3, ID) => TicketRight::Approved(ApprovalId::parse(&base32(about))?),
            (2, THUMBPRINT) => TicketRight::Renewal(Thumbprint::from_slice(about)?),
            _ => return None,
        };
        let given_at = Timestamp::from_millis(i64::from_be_bytes(head[1..].try_into().ok()?));
        Some(Self { right, given_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn a_ticket_says_what_it_was_given_for() {
        let id = InvitationId::random(&Seeded::new(3));
        let approval = ApprovalId::random(&Seeded::new(4));
        for right in [
            TicketRight::Invitation(id),
            TicketRight::Approved(approval),
            TicketRight::Renewal(Thumbprint::of(b"a certificate")),
        ] {
            let ticket = Ticket { right, given_at: Timestamp::from_millis(1_795_000_000_123) };
            let bytes = ticket.to_bytes();
            assert_eq!(Ticket::from_bytes(&bytes), Some(ticket));
            assert_eq!(Ticket::from_bytes(&bytes[1..]), None);
            assert_eq!(Ticket::from_bytes(&[&bytes[..], &[0]].concat()), None);
        }
    }
}

//! Writes invitations.

use serde::Serialize;
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{Contact, Installation, InvitationId, Name, Role, ShortCode, SiteId, Timestamp};
use tegata_enroll::AccountBinding;
use tegata_installation::{Failure, SystemContext};
use tegata_storage::{LedgerError, NewInvitation, ScopedTransaction, Site};
use tegata_web::InstallationSecret;

/// What was handed out. Link and code are secrets: whoever has them first uses them.
#[derive(Serialize)]
pub struct InvitationOutput {
    pub(super) invitation: InvitationId,
    pub(super) site: String,
    #[serde(skip)]
    pub(super) site_id: SiteId,
    pub(super) role: Role,
    pub(super) label: String,
    pub(super) expires_at: Timestamp,
    /// The link, which is as secret as the invitation code in it.
    #[serde(rename = "url")]
    pub link: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acme: Option<AcmeInvitation>,
}

/// How an ACME client uses the invitation.
#[derive(Serialize)]
pub(super) struct AcmeInvitation {
    pub(super) directory: String,
    #[serde(flatten)]
    pub(super) binding: AccountBinding,
}

/// For what an invitation is.
pub(super) struct InvitationHolder<'a> {
    pub(super) site: &'a Site,
    pub(super) role: Role,
    pub(super) label: &'a str,
}

/// What all invitations of one call have in common.
pub(super) struct InvitationTerms<'a> {
    pub(super) portal: &'a str,
    pub(super) installation: &'a Installation,
    pub(super) days: u32,
    /// With a short code that lives so many minutes.
    pub(super) code_minutes: Option<u32>,
    /// With what an ACME client needs.
    pub(super) acme: Option<&'a InstallationSecret>,
    /// Whom staff call of whom nothing nearer is known.
    pub(super) contact: Option<&'a Contact>,
}

/// Writes one invitation within a transaction.
pub(super) async fn write(
    transaction: &mut ScopedTransaction,
    holder: &InvitationHolder<'_>,
    terms: &InvitationTerms<'_>,
    system: &SystemContext,
) -> Result<InvitationOutput, LedgerError> {
    let (entropy, now) = (system.entropy.as_ref(), system.now());
    let code = InvitationCode::random(entropy);
    let new = NewInvitation {
        id: InvitationId::random(entropy),
        code: &code,
        tenant: holder.site.tenant.clone(),
        site: holder.site.id.clone(),
        role: holder.role,
        label: holder.label.to_owned(),
        expires_at: now.plus(Duration::from_hours(24) * terms.days),
    };
    transaction.invite(&new, &SystemContext::operator()).await?;
    let mut invited = InvitationOutput {
        invitation: new.id,
        site: holder.site.name.clone(),
        site_id: holder.site.id.clone(),
        role: holder.role,
        label: new.label,
        expires_at: new.expires_at,
        link: format!("{}/enroll#{}", terms.portal, code.reveal()),
        code: None,
        code_until: None,
        acme: None,
    };
    if let Some(secret) = terms.acme {
        let binding = AccountBinding::of(secret, &invited.invitation, terms.installation);
        invited.acme =
            Some(AcmeInvitation { directory: format!("{}/acme/directory", terms.portal), binding });
    }
    if let Some(minutes) = terms.code_minutes {
        let code = ShortCode::random(entropy);
        let until = now.plus(Duration::from_mins(1) * minutes).min(new.expires_at);
        let hash = code.hash(terms.installation);
        transaction.set_short_code(&invited.invitation, &hash, until, &SystemContext::operator()).await?;
        invited.code = Some(code.reveal().to_string());
        invited.code_until = Some(until);
    }
    Ok(invited)
}

/// A label becomes part of the name in the browser's list.
pub fn device_label(text: &str) -> Result<Name, Failure> {
    Name::label(text).map_err(Failure::misuse)
}

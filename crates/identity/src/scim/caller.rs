//! Whose directory asks: a bearer token (RFC 6750) that the operator made for one tenant.
//!
//! A wrong token costs a look at the ledger and leaves nothing there. It has 160 random bits and is looked up by its hash, so
//! neither guessing nor measuring leads to one.

use super::error::ScimError;
use crate::service::IdentityService;
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Clock, Refusal, Roles, ScimSecret, ScimTokenId, TenantId, Timestamp};
use tegata_storage::{Actor, LedgerError, Person, Principal, ScimToken, ScopedLedger, ScopedTransaction};
use tegata_web::{RequestTime, TakenPlace, TenantWork};

/// How coarsely the use of a token is written down.
const STEP: Duration = Duration::from_mins(1);

/// A tenant's directory, as its token says.
pub(super) struct ScimCaller {
    pub(super) tenant: TenantId,
    pub(super) rows: ScopedLedger,
    pub(super) actor: Actor,
    token: ScimTokenId,
    clock: Arc<dyn Clock>,
    /// The roles that it may give.
    pub(super) roles: Roles,
    /// The place of its tenant among what is under way.
    _place: TakenPlace,
}

impl FromRequestParts<IdentityService> for ScimCaller {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, service: &IdentityService) -> Result<Self, ScimError> {
        let Ok(time) = RequestTime::from_request_parts(parts, service).await;
        let now = time.now();
        let secret = bearer(&parts.headers).ok_or(Refusal::ScimTokenWrong)?;
        let token = service.context.ledger.scim_token(&secret).await?;
        let token = token.filter(|token| token.works_at(now)).ok_or(Refusal::ScimTokenWrong)?;
        let place = service.context.shares.enter(TenantWork::Provisioning, token.tenant.as_str()).await?;
        let principal = Principal::directory(&token);
        let rows = service.context.ledger.within(principal.scope());
        note_use(&rows, &token, now).await?;
        Ok(Self {
            actor: principal.actor().clone(),
            token: token.id,
            clock: service.context.clock.clone(),
            tenant: token.tenant,
            rows,
            roles: token.roles,
            _place: place,
        })
    }
}

impl ScimCaller {
    /// Opens a transaction if the token works still: the body has taken its time to arrive, or other parts of the work have.
    /// Whatever the work goes by is read within, by the connection that the transaction has anyway.
    ///
    /// # Errors
    /// [`Refusal::ScimTokenWrong`], and those of the ledger.
    pub(super) async fn begin(&self) -> Result<ScopedTransaction, LedgerError> {
        let mut transaction = self.rows.begin(self.clock.now()).await?;
        transaction.require_scim_token(&self.token).await?;
        Ok(transaction)
    }

    /// Whether it may give these roles, or act on whoever has them.
    ///
    /// # Errors
    /// [`Refusal::RoleNotGranted`].
    pub(super) fn may_give(&self, roles: &Roles) -> Result<(), Refusal> {
        let is_granted = roles.iter().all(|role| self.roles.iter().any(|granted| granted == role));
        if is_granted { Ok(()) } else { Err(Refusal::RoleNotGranted) }
    }

    /// Whether it may change a person.
    ///
    /// # Errors
    /// [`Refusal::RoleNotGranted`], [`Refusal::EmergencyAccountKept`].
    pub(super) fn may_change(&self, person: &Person) -> Result<(), Refusal> {
        if person.break_glass.is_some() {
            return Err(Refusal::EmergencyAccountKept);
        }
        self.may_give(&person.roles)
    }
}

async fn note_use(rows: &ScopedLedger, token: &ScimToken, now: Timestamp) -> Result<(), LedgerError> {
    if token.used_at.is_some_and(|used_at| now.since(used_at) < STEP) {
        return Ok(());
    }
    let mut transaction = rows.begin(now).await?;
    transaction.use_scim_token(&token.id).await?;
    transaction.commit().await
}

/// The one token of a request.
fn bearer(headers: &HeaderMap) -> Option<ScimSecret> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| ScimSecret::parse(token.trim())).flatten()
}

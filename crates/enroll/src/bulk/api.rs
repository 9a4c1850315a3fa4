//! Bulk invitations over HTTP.

mod list_format;
mod list_report;

use super::{BulkInvitations, InvitationRights};
use crate::api_refusals::{CLIENT, LIST};
use crate::enrolled::NO_STORE;
use axum::extract::{Path, Query, Request, State};
use axum::response::IntoResponse;
use axum::{Json, Router};
use http::header::{HeaderName, LOCATION};
use http::{HeaderMap, StatusCode};
use list_format::{JsonListRequest, ListFormat};
use list_report::InvitationListReport;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tegata_core::{InvitationId, InvitationListId, Language, Refusal, Role, Timestamp};
use tegata_storage::{
    InvitedHolder, LineOutcome, LineRefusal, NewInvitationLine, NewInvitationList, Principal, Site,
};
use tegata_web::api::{CALLER, REQUEST, WRITING};
use tegata_web::{
    JudgedLine, Presented, Problem, ReaderLanguage, RefusedLine, TakenPlace, TenantWork, WebResult, body,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The most that a list may be, in bytes.
const LARGEST: usize = 256 * 1024;

/// How long an invitation waits, in days, by default and at most.
const DAYS: u32 = 7;
const MOST_DAYS: u32 = 90;

const LONGEST_KEY: usize = 64;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(super) fn routes(bulk: BulkInvitations) -> Router {
    api().split_for_parts().0.with_state(bulk)
}

/// The part of the device listener's API.
pub(crate) fn api() -> OpenApiRouter<BulkInvitations> {
    OpenApiRouter::new().routes(routes!(receive)).routes(routes!(report, withdraw)).routes(routes!(hand_over))
}

tegata_web::refusals! {
    ReceiveRefusals = REQUEST, CALLER, CLIENT, WRITING, &[
        Refusal::MediaType,
        Refusal::IdempotencyKeyMissing,
        Refusal::IdempotencyKeyReused,
        Refusal::ListSize,
        Refusal::ListUnreadable,
        Refusal::TooManyRequests,
    ]
}

tegata_web::refusals! {
    ListRefusals = REQUEST, CALLER, CLIENT, LIST
}

tegata_web::refusals! {
    WithdrawRefusals = REQUEST, CALLER, CLIENT, LIST, WRITING
}

tegata_web::refusals! {
    HandOverRefusals = REQUEST, CALLER, CLIENT, LIST, WRITING, &[Refusal::ListUnfinished, Refusal::CodesHandedOver]
}

/// The `client_id` in the query: it is no secret.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// The name under which the client is registered (docs/tokens.md), with a permission to invite.
    #[param(required = true)]
    client_id: Option<String>,
    /// How many days invitations of a new list wait.
    #[param(default = 7, minimum = 1, maximum = 90)]
    days: Option<u32>,
}

/// A link, for whoever equips the device. A secret.
#[derive(Serialize, ToSchema)]
struct HandedOverLink {
    line: u32,
    site: Option<String>,
    label: Option<String>,
    #[schema(value_type = String)]
    invitation: InvitationId,
    url: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A client that has proved who it is.
struct InvitingClient {
    id: String,
    realms: Vec<InvitationRights>,
    _place: TakenPlace,
}
/// A list of invitations.
///
/// At most 256 KiB. Durable when it is answered, and worked off from then on; a line with a mistake stops no other. At most 60
/// new lists an hour. As CSV it is UTF-8 with the columns site and label, unless the content type names another charset.
#[utoipa::path(post, path = "/api/v1/invitations", operation_id = "sendInvitations", security(("client" = [])),
    params(ListQuery, ("Idempotency-Key" = String, Header, description = "Names the list: 1 to 64 visible characters. The same key with the same list is the same list",
        min_length = 1, max_length = 64, pattern = "^[!-~]+$")),
    request_body(content((JsonListRequest = "application/json"), (String = "text/csv"))),
    responses((status = ACCEPTED, description = "Received", body = InvitationListReport),
        (status = OK, description = "Received before", body = InvitationListReport), ReceiveRefusals))]
async fn receive(
    State(bulk): State<BulkInvitations>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    Query(asking): Query<ListQuery>,
    request: Request,
) -> WebResult<impl IntoResponse> {
    let client = bulk.client(&asking, certificate.as_ref(), bulk.context.now()).await?;
    let key = idempotency_key(request.headers())?;
    let life = life(asking.days)?;
    let form = ListFormat::of(request.headers())?;
    let bytes = body::read(request.into_body(), LARGEST).await.map_err(too_large)?;
    let sites = bulk.sites(&client.id, &client.realms).await?;
    let lines = form.lines(&bytes, &sites)?;
    let format_name = form.name();
    let hash = digest(&SHA256, &[format_name.as_bytes(), &life.as_millis().to_be_bytes(), &bytes].concat());
    let id = InvitationListId::random(bulk.context.entropy.as_ref());
    let new = NewInvitationList {
        id: id.clone(),
        client: &client.id,
        idempotency_key: &key,
        request_hash: hash.as_ref().try_into().map_err(|_| Refusal::Internal)?,
        life,
        lines: lines.into_iter().map(|line| to_write(line, &sites)).collect(),
    };
    // Whoever may not invite sends no list, so the sender was judged before; what is written is of the time when it is in.
    let mut transaction = bulk.context.ledger.begin(bulk.context.now()).await?;
    let known = transaction.receive_list(&new).await?;
    transaction.commit().await?;
    bulk.wake.notify_one();
    let status = if known == id { StatusCode::ACCEPTED } else { StatusCode::OK };
    let place = (LOCATION, format!("/api/v1/invitations/{known}"));
    let report = bulk.report(&client, &known, language).await?;
    Ok((status, NO_STORE, [place], Json(report)))
}
/// How far a list is, and what became of each line.
///
/// Without a secret, as often as it is wanted.
#[utoipa::path(get, path = "/api/v1/invitations/{list}", operation_id = "watchInvitations", security(("client" = [])),
    params(("client_id" = String, Query, description = "The name under which the client is registered"), ("list" = String, Path, description = "Identifier of the list")),
    responses((status = OK, description = "The report", body = InvitationListReport), ListRefusals))]
async fn report(
    State(bulk): State<BulkInvitations>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    Query(asking): Query<ListQuery>,
    Path(list): Path<String>,
) -> WebResult<impl IntoResponse> {
    let client = bulk.client(&asking, certificate.as_ref(), bulk.context.now()).await?;
    Ok((NO_STORE, Json(bulk.report(&client, &identifier(&list)?, language).await?)))
}

/// The links of a list, once.
///
/// When all lines are done (I-25 before). A second time they are refused (I-26): if the answer was lost, withdraw the list and
/// send it again with another key. Links are marked as handed over before they leave.
#[utoipa::path(post, path = "/api/v1/invitations/{list}/codes", operation_id = "fetchInvitationLinks", security(("client" = [])),
    params(("client_id" = String, Query, description = "The name under which the client is registered"), ("list" = String, Path, description = "Identifier of the list")),
    responses((status = OK, description = "The links", body = Vec<HandedOverLink>), HandOverRefusals))]
async fn hand_over(
    State(bulk): State<BulkInvitations>,
    Presented(certificate): Presented,
    Query(asking): Query<ListQuery>,
    Path(list): Path<String>,
) -> WebResult<impl IntoResponse> {
    let now = bulk.context.now();
    let client = bulk.client(&asking, certificate.as_ref(), now).await?;
    let list = identifier(&list)?;
    let secret = bulk.secret.secret().await?;
    let mut transaction = bulk.context.ledger.begin(now).await?;
    transaction.hand_list_over(&list, &client.id).await?;
    transaction.commit().await?;
    let portal = &bulk.context.addresses.portal;
    let lines = bulk.context.ledger.invitation_lines(&client.id, &list).await?;
    let handed: Vec<_> = lines
        .into_iter()
        .filter_map(|line| match line.outcome {
            LineOutcome::Invited { invitation, expires_at, .. } => Some(HandedOverLink {
                line: line.number,
                site: line.site_name,
                label: line.label,
                url: format!("{portal}/enroll#{}", secret.code(&invitation).reveal()),
                invitation,
                expires_at,
            }),
            LineOutcome::Waiting | LineOutcome::Refused(_) => None,
        })
        .collect();
    Ok((NO_STORE, Json(handed)))
}
/// Takes back every invitation of a list that nobody has used.
///
/// Lines that wait are refused (I-04).
#[utoipa::path(delete, path = "/api/v1/invitations/{list}", operation_id = "withdrawInvitations", security(("client" = [])),
    params(("client_id" = String, Query, description = "The name under which the client is registered"), ("list" = String, Path, description = "Identifier of the list")),
    responses((status = OK, description = "The report", body = InvitationListReport), WithdrawRefusals))]
async fn withdraw(
    State(bulk): State<BulkInvitations>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    Query(asking): Query<ListQuery>,
    Path(list): Path<String>,
) -> WebResult<impl IntoResponse> {
    let now = bulk.context.now();
    let client = bulk.client(&asking, certificate.as_ref(), now).await?;
    let list = identifier(&list)?;
    let mut transaction = bulk.context.ledger.begin(now).await?;
    transaction.withdraw_list(&list, &client.id).await?;
    transaction.commit().await?;
    Ok((NO_STORE, Json(bulk.report(&client, &list, language).await?)))
}

impl BulkInvitations {
    async fn client(
        &self,
        asking: &ListQuery,
        certificate: Option<&tegata_web::PeerCertificate>,
        now: Timestamp,
    ) -> WebResult<InvitingClient> {
        let id = asking.client_id.clone().ok_or_else(|| {
            Problem::with_detail(Refusal::RequestMalformed, "client_id is missing in the query")
        })?;
        let realms = self.clients.admit(&id, certificate, now).await?;
        if realms.is_empty() {
            return Err(Refusal::ClientMayNotInvite.into());
        }
        // A client is no tenant's: what it has under way is its own.
        let place = self.context.shares.enter(TenantWork::Invitations, &id).await?;
        Ok(InvitingClient { id, realms, _place: place })
    }

    /// The sites of its realms: no other site has a name here.
    async fn sites(&self, client: &str, realms: &[InvitationRights]) -> WebResult<Vec<Site>> {
        let mut all = Vec::new();
        for realm in realms {
            let principal = Principal::client(client, &realm.tenant);
            let rows = self.context.ledger.within(principal.scope());
            let sites = rows.sites(&realm.tenant).await?;
            let within = |site: &Site| realm.sites.as_ref().is_none_or(|named| named.contains(&site.id));
            all.extend(sites.into_iter().filter(within));
        }
        Ok(all)
    }

    async fn report(
        &self,
        client: &InvitingClient,
        id: &InvitationListId,
        language: Language,
    ) -> WebResult<InvitationListReport> {
        let ledger = &self.context.ledger;
        let list = ledger.invitation_list(&client.id, id).await?;
        let list = list.ok_or(Refusal::ListUnknown)?;
        let lines = ledger.invitation_lines(&client.id, id).await?;
        Ok(InvitationListReport::new(list, lines, language))
    }
}

/// Gates see what every device does: an operator invites them.
fn to_write(line: JudgedLine, sites: &[Site]) -> NewInvitationLine {
    match line {
        Ok(line) if line.role == Role::Device => {
            let site = &sites[line.site];
            let requester =
                InvitedHolder { tenant: site.tenant.clone(), site: site.id.clone(), label: line.label };
            NewInvitationLine { number: line.number, judged: Ok(requester) }
        }
        Ok(line) => {
            NewInvitationLine { number: line.number, judged: Err(Refusal::ClientMayNotInvite.into()) }
        }
        Err(RefusedLine { number, refusal, hidden, .. }) => {
            NewInvitationLine { number, judged: Err(LineRefusal { refusal, hidden }) }
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Refusal> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else { return Err(Refusal::IdempotencyKeyMissing) };
    let key = key.to_str().map_err(|_| Refusal::IdempotencyKeyMissing)?;
    let fits =
        (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if fits { Ok(key.to_owned()) } else { Err(Refusal::IdempotencyKeyMissing) }
}

fn life(days: Option<u32>) -> WebResult<Duration> {
    let days = days.unwrap_or(DAYS);
    if (1..=MOST_DAYS).contains(&days) {
        Ok(Duration::from_hours(24) * days)
    } else {
        Err(Problem::with_detail(Refusal::RequestMalformed, "days is a number from 1 to 90"))
    }
}

fn too_large(problem: Problem) -> Problem {
    if problem.refusal == Refusal::RequestTooLarge { Refusal::ListSize.into() } else { problem }
}

fn identifier(text: &str) -> Result<InvitationListId, Refusal> {
    InvitationListId::parse(text).ok_or(Refusal::ListUnknown)
}

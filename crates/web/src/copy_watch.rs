//! Notices when one certificate is used by two machines at once, by the rule of [`tegata_core::copied_certificate`].
//!
//! What a server has seen is kept in its memory, with a bound: a request costs a lock and a look-up. The ledger is written when an
//! alarm is raised and at no other time.

use crate::connection::{BehindProxy, PeerAddress, Presented};
use crate::context::ServerContext;
use crate::trust_verdict::TrustVerdict;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::header::USER_AGENT;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tegata_core::copied_certificate::{Machine, MachineTrace};
use tegata_core::{Platform, Role, Standing, Thumbprint, Timestamp};

/// Traces are kept apart in so many parts, so that requests do not wait for each other.
const PARTS: usize = 16;

/// Certificates in one part. A part that is full drops those that are over, or all of them.
const MOST: usize = 1 << 14;

/// What this server has seen of certificates and machines.
pub struct CopyWatch {
    parts: [Mutex<HashMap<u64, MachineTrace>>; PARTS],
    most: usize,
}

impl Default for CopyWatch {
    fn default() -> Self {
        Self::with_room(MOST)
    }
}

impl CopyWatch {
    fn with_room(most: usize) -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()), most }
    }

    /// Takes down that a certificate was used. Gives two machines that seem to share it.
    pub fn see(&self, certificate: &Thumbprint, machine: Machine, now: Timestamp) -> Option<[Machine; 2]> {
        // A hash: its beginning tells certificates apart well enough.
        let (beginning, _) = certificate.as_bytes().split_first_chunk::<8>()?;
        let key = u64::from_be_bytes(*beginning);
        let part = &self.parts[usize::try_from(key % PARTS as u64).unwrap_or_default()];
        let mut traces = part.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trace) = traces.get_mut(&key) {
            return trace.see(machine, now);
        }
        if traces.len() >= self.most {
            traces.retain(|_, trace| !trace.is_over(now));
            if traces.len() >= self.most {
                traces.clear();
            }
        }
        traces.insert(key, MachineTrace::new(machine, now));
        None
    }
}

/// The routes of the device listener, with an eye on who uses certificates.
pub fn watched(router: Router, context: &ServerContext) -> Router {
    router.layer(from_fn_with_state(Arc::new((context.clone(), CopyWatch::default())), watch))
}

async fn watch(
    State(watching): State<Arc<(ServerContext, CopyWatch)>>,
    request: Request,
    next: Next,
) -> Response {
    let (context, watch) = watching.as_ref();
    let now = context.now();
    if let Some((certificate, machine)) = sighting(&request)
        && let Some(machines) = watch.see(&certificate, machine, now)
        && let Err(error) = raise(context, &certificate, machines, now).await
    {
        tracing::warn!(%error, "an alarm about a copied certificate could not be written down");
    }
    next.run(request).await
}

/// Which certificate of ours is used, and by what.
fn sighting(request: &Request) -> Option<(Thumbprint, Machine)> {
    let facts = request.extensions();
    let Presented(certificate) = facts.get()?;
    let shown = certificate.as_ref().filter(|shown| shown.path == TrustVerdict::Trusted)?;
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    let is_proxied = facts.get::<BehindProxy>().is_some();
    let address = facts
        .get::<PeerAddress>()
        .filter(|_| !is_proxied)
        .map(|PeerAddress(address)| address.ip().to_canonical());
    let machine = Machine { address, platform: Platform::of_user_agent(user_agent.unwrap_or_default()) };
    Some((shown.thumbprint, machine))
}

async fn raise(
    context: &ServerContext,
    certificate: &Thumbprint,
    machines: [Machine; 2],
    now: Timestamp,
) -> tegata_storage::Result<()> {
    let Some((holder, Standing::Good)) = context.status.standing(certificate, now).await? else {
        return Ok(());
    };
    if holder.role != Role::Device {
        // A gate is often several machines behind one name.
        return Ok(());
    }
    let [one, other] = machines.map(|machine| machine.to_string());
    let mut transaction = context.ledger.begin(now).await?;
    if transaction.raise_copy_alarm(&holder.device, [&one, &other]).await? {
        tracing::warn!(device = %holder.device, "a certificate is used by two machines at once");
    }
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_full_parts_begin_anew() {
        let watch = CopyWatch::with_room(4);
        let machine = Machine { address: None, platform: Platform::Windows };
        let now = Timestamp::from_seconds(0);
        for number in 0..1000_u32 {
            assert_eq!(watch.see(&Thumbprint::of(&number.to_be_bytes()), machine, now), None);
        }
        let kept: usize = watch.parts.iter().map(|part| part.lock().unwrap().len()).sum();
        assert!(kept <= 4 * PARTS, "{kept}");
    }

    #[test]
    fn turns_of_one_certificate_are_not_those_of_another() {
        let watch = CopyWatch::default();
        let [one, other] =
            [Platform::Windows, Platform::Ios].map(|platform| Machine { address: None, platform });
        let [own, foreign] = [b"own", b"for"].map(|der| Thumbprint::of(der));
        let seen = |certificate: &Thumbprint, machine, minute| {
            watch.see(certificate, machine, Timestamp::from_seconds(minute * 60)).is_some()
        };
        for minute in 0..10_i64 {
            assert!(!seen(&own, one, minute) && !seen(&foreign, other, minute));
        }
        let alarms = (10..20_i64)
            .filter(|minute| seen(&own, if minute % 2 == 0 { other } else { one }, *minute))
            .count();
        assert_eq!(alarms, 1);
    }
}

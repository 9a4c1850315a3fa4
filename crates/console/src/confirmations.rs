//! Who has confirmed a change, and how soon: watched while it happens, and kept when the waiting is over.
//!
//! The server that has made a change waits for the receipts, as every command does, and tells whoever watches here. When all have
//! come, or nobody waits any longer, it writes them down with the change. Another server reads them there.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::{Clock, Timestamp};
use tegata_storage::{
    DeviceChange, LedgerError, PendingReceipts, ReceiptWait, ScopedLedger, SurfaceConfirmation,
    SurfaceReceipt,
};
use tokio::sync::watch;
use utoipa::ToSchema;

/// How long receipts are waited for. A gate that has heard of nothing for so long lets nobody in any more.
const LIMIT: Duration = Duration::from_secs(15);

/// Surfaces in the order in which they are shown, whatever is not among them last.
const ORDER: [&str; 6] = ["token", "introspection", "ocsp", "status-list", "crl", "gate"];

/// What is known of a change at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Confirmations {
    pub(crate) surfaces: Vec<ConfirmedSurface>,
    /// Whether nobody waits any longer.
    pub(crate) is_over: bool,
}

/// All surfaces of one kind: of every server, every gate, every CA.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ConfirmedSurface {
    /// The kind: `token`, `introspection`, `ocsp`, `status-list`, `crl` or `gate`.
    pub(crate) kind: String,
    /// How many there are.
    pub(crate) of: usize,
    /// How many act upon the change.
    pub(crate) confirmed: usize,
    /// Of those, how many by their silence: a server that hears nothing of the ledger lets nobody in.
    pub(crate) silent: usize,
    /// Milliseconds until the last of those that confirmed.
    pub(crate) milliseconds: Option<i64>,
}

/// Changes that are being confirmed on this server.
#[derive(Default)]
pub(crate) struct ConfirmationKeeper {
    watched: Mutex<HashMap<u64, watch::Receiver<Confirmations>>>,
}

impl Confirmations {
    fn of(receipts: &[SurfaceReceipt], durable: Timestamp) -> Self {
        let mut surfaces: Vec<ConfirmedSurface> = Vec::new();
        for receipt in receipts {
            let kind = receipt.of.surface.split(':').next().unwrap_or_default();
            let known = surfaces.iter().position(|surface| surface.kind == kind);
            let place = known.unwrap_or_else(|| {
                surfaces.push(ConfirmedSurface::none(kind));
                surfaces.len() - 1
            });
            surfaces[place].add(receipt, durable);
        }
        let place = |surface: &ConfirmedSurface| ORDER.iter().position(|kind| *kind == surface.kind);
        surfaces.sort_by_key(|surface| place(surface).unwrap_or(ORDER.len()));
        Self { surfaces, is_over: false }
    }

    /// Whether every surface acts upon the change.
    pub(crate) fn are_complete(&self) -> bool {
        self.surfaces.iter().all(|surface| surface.confirmed == surface.of)
    }

    /// Milliseconds until the last one, where all have confirmed.
    pub(crate) fn slowest(&self) -> Option<i64> {
        self.are_complete().then(|| self.surfaces.iter().filter_map(|surface| surface.milliseconds).max())?
    }
}

impl ConfirmedSurface {
    fn none(kind: &str) -> Self {
        Self { kind: kind.to_owned(), of: 0, confirmed: 0, silent: 0, milliseconds: None }
    }

    fn add(&mut self, receipt: &SurfaceReceipt, durable: Timestamp) {
        self.of += 1;
        let Some(at) = receipt.confirmed_at(durable) else { return };
        self.confirmed += 1;
        self.silent += usize::from(receipt.confirmation == SurfaceConfirmation::Silence);
        self.milliseconds = self.milliseconds.max(Some(at.millis() - durable.millis()));
    }
}

impl ConfirmationKeeper {
    /// Follows a change that is durable now, until everybody has confirmed it or nobody waits any longer, and keeps what came of it.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        wait: ReceiptWait,
        change: &DeviceChange,
        rows: ScopedLedger,
        clock: Arc<dyn Clock>,
    ) {
        let (event, durable) = (change.event, clock.now());
        let pending = match wait.committed(event, durable).await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::warn!(%error, event, "who has confirmed a change is not known");
                return;
            }
        };
        let (tell, watching) = watch::channel(Confirmations::default());
        self.watched().insert(event, watching);
        let keeper = Arc::clone(self);
        tokio::spawn(async move {
            let last = waited(&pending, &tell, durable).await;
            // Kept before it is said, so that whoever hears that it is over finds it.
            if let Err(error) = kept(&rows, event, &last, clock.now()).await {
                tracing::warn!(%error, event, "who has confirmed a change could not be written down");
            }
            keeper.watched().remove(&event);
            tell.send_replace(last);
        });
    }

    /// What is told of a change on this server, while it is being confirmed.
    pub(crate) fn watch(&self, event: u64) -> Option<watch::Receiver<Confirmations>> {
        self.watched().get(&event).cloned()
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, HashMap<u64, watch::Receiver<Confirmations>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn waited(
    pending: &PendingReceipts,
    tell: &watch::Sender<Confirmations>,
    durable: Timestamp,
) -> Confirmations {
    let receipts = pending.wait(LIMIT, |_, seen| {
        let now = Confirmations::of(seen, durable);
        tell.send_if_modified(|known| {
            let is_new = *known != now;
            known.clone_from(&now);
            is_new
        });
    });
    let known = match receipts.await {
        Ok(receipts) => Confirmations::of(&receipts, durable),
        Err(error) => {
            tracing::warn!(%error, "receipts cannot be read");
            tell.borrow().clone()
        }
    };
    Confirmations { is_over: true, ..known }
}

async fn kept(
    rows: &ScopedLedger,
    event: u64,
    last: &Confirmations,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let text = serde_json::to_string(last).map_err(|_| LedgerError::Unreadable("confirmations"))?;
    let mut transaction = rows.begin(now).await?;
    transaction.confirm_device_change(event, &text).await?;
    transaction.commit().await
}

/// What is known of a change: on this server while it is being confirmed, and of the ledger afterwards.
pub(crate) fn known(keeper: &ConfirmationKeeper, change: &DeviceChange) -> Confirmations {
    let kept = change.confirmed.as_deref().and_then(|text| serde_json::from_str(text).ok());
    kept.or_else(|| keeper.watch(change.event).map(|watching| watching.borrow().clone())).unwrap_or_default()
}

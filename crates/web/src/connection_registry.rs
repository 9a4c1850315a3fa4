//! Who is connected by a certificate of ours. Every request is refused from the moment its certificate is denied; here
//! the connection ends as well, so that nobody who was stopped keeps a place, and browsers choose another certificate.

use crate::connection::ConnectionControl;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tegata_core::feed::{Change, Event};
use tegata_core::{Clock, Standing, Thumbprint};
use tegata_storage::StatusCache;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Open connections by the certificate they were made with.
#[derive(Debug, Default)]
pub struct ConnectionRegistry {
    next: AtomicU64,
    open: Mutex<HashMap<u64, RegisteredConnection>>,
}

#[derive(Clone, Debug)]
struct RegisteredConnection {
    thumbprint: Thumbprint,
    connection: ConnectionControl,
}

/// One of them, until it is dropped.
pub(crate) struct RegisteredUntilDrop {
    registry: Arc<ConnectionRegistry>,
    number: u64,
}

impl ConnectionRegistry {
    /// Ends connections whose certificate is denied, by itself, its device or its tenant, as soon as the status cache
    /// hears of it: no further request is read, those under way may end. Runs until the cache is gone.
    pub async fn follow(self: Arc<Self>, status: Arc<StatusCache>, clock: Arc<dyn Clock>) {
        let (_, mut events) = status.subscribe();
        while denied(&mut events).await {
            for registered in self.all() {
                let standing = status.standing(&registered.thumbprint, clock.now()).await;
                if matches!(
                    standing,
                    Ok(Some((_, Standing::Suspended | Standing::Revoked | Standing::Retired)))
                ) {
                    registered.connection.close();
                }
            }
        }
    }

    /// Ends the connections made with this certificate: no further request is read, those under way may end.
    pub(crate) fn close(&self, thumbprint: &Thumbprint) {
        for registered in self.all() {
            if registered.thumbprint == *thumbprint {
                registered.connection.close();
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.open().len()
    }

    pub(crate) fn register(
        self: &Arc<Self>,
        thumbprint: Thumbprint,
        connection: ConnectionControl,
    ) -> RegisteredUntilDrop {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.open().insert(number, RegisteredConnection { thumbprint, connection });
        RegisteredUntilDrop { registry: Arc::clone(self), number }
    }

    fn all(&self) -> Vec<RegisteredConnection> {
        self.open().values().cloned().collect()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, RegisteredConnection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RegisteredUntilDrop {
    fn drop(&mut self) {
        self.registry.open().remove(&self.number);
    }
}

/// Waits for a denial, and takes everything else that happened meanwhile along: many changes at once cost
/// one look. Whatever was missed may have been a denial. False when the cache is gone.
async fn denied(events: &mut Receiver<Arc<Event>>) -> bool {
    loop {
        let mut somebody = match events.recv().await {
            Ok(event) => denies(&event),
            Err(RecvError::Lagged(_)) => true,
            Err(RecvError::Closed) => return false,
        };
        loop {
            somebody |= match events.try_recv() {
                Ok(event) => denies(&event),
                Err(TryRecvError::Lagged(_)) => true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            };
        }
        if somebody {
            return true;
        }
    }
}

fn denies(event: &Event) -> bool {
    match event.change {
        Change::DeviceDenied { .. } | Change::CertificateDenied { .. } | Change::TenantDenied { .. } => true,
        Change::DeviceAllowed { .. }
        | Change::TenantAllowed { .. }
        | Change::TokenDenied { .. }
        | Change::TokensDenied(_) => false,
    }
}

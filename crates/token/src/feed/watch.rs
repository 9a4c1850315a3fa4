//! One gate's stream after its snapshot.

use crate::feed::line::{Line, Meaning};
use axum::body::Bytes;
use std::sync::Arc;
use tegata_core::feed::Change;
use tegata_core::{Clock, Timestamp};
use tegata_storage::Facts;
use tokio::sync::broadcast::Receiver;

/// Passes on what follows the snapshot, for as long as the gate may hear it.
pub(crate) struct Watch {
    lines: Receiver<Line>,
    gate: Arc<Facts>,
    /// The last event the gate was sent.
    seq: u64,
    /// The date of the last word the gate was sent.
    at: Timestamp,
    clock: Arc<dyn Clock>,
}

impl Watch {
    /// After a snapshot of `seq` at `at`. `lines` must have been listened to since before it was taken.
    pub(crate) fn new(
        lines: Receiver<Line>,
        gate: Arc<Facts>,
        seq: u64,
        at: Timestamp,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { lines, gate, seq, at, clock }
    }

    /// The next line for this gate. Nothing ends the stream: the hub hung up, the gate fell too far behind, or it may
    /// not go on; it then comes back, is looked at again, and begins with a snapshot.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let line = self.lines.recv().await.ok()?;
            if self.clock.now() > self.gate.not_after {
                return None;
            }
            match line.meaning {
                Meaning::Event(event) if event.seq <= self.seq => {}
                Meaning::Event(event) if self.stops_this_gate(&event.change) => return None,
                Meaning::Event(event) => {
                    self.seq = event.seq;
                    return Some(line.text);
                }
                // Said before the snapshot was taken: to this gate it is old.
                Meaning::Heartbeat { seq, at } if seq != self.seq || at < self.at => {}
                Meaning::Heartbeat { at, .. } => {
                    self.at = at;
                    return Some(line.text);
                }
            }
        }
    }

    fn stops_this_gate(&self, change: &Change) -> bool {
        match change {
            Change::DeviceDenied { device, .. } => *device == self.gate.device,
            Change::CertificateDenied { thumbprint, .. } => *thumbprint == self.gate.thumbprint,
            Change::DeviceAllowed { .. } | Change::TokenDenied { .. } => false,
        }
    }
}

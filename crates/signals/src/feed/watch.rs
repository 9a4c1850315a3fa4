//! One gate's stream after its snapshot.

use crate::feed::line::{FeedLine, LineMeaning};
use axum::body::Bytes;
use std::sync::Arc;
use tegata_core::feed::Change;
use tegata_core::{Clock, Timestamp};
use tegata_storage::CertificateHolder;
use tokio::sync::broadcast::Receiver;

/// Sends what follows the snapshot, for as long as the gate may follow the feed.
pub(crate) struct FeedSubscription {
    lines: Receiver<FeedLine>,
    gate: Arc<CertificateHolder>,
    /// The last event the gate was sent.
    seq: u64,
    /// The date of the last line that was sent to the gate.
    at: Timestamp,
    clock: Arc<dyn Clock>,
}

impl FeedSubscription {
    /// After a snapshot of `seq` at `at`. `lines` must have been listened to since before it was taken.
    pub(crate) fn new(
        lines: Receiver<FeedLine>,
        gate: Arc<CertificateHolder>,
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
                LineMeaning::Event(event) if event.seq <= self.seq => {}
                LineMeaning::Event(event) if self.stops_this_gate(&event.change) => return None,
                LineMeaning::Event(event) => {
                    self.seq = event.seq;
                    return Some(line.text);
                }
                // Said before the snapshot was taken, or by a clock that was set back: a gate would refuse it.
                LineMeaning::Heartbeat { seq, at } if seq != self.seq || at < self.at => {}
                LineMeaning::Heartbeat { at, .. } => {
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
            // A gate does not fall with its tenant.
            Change::DeviceAllowed { .. }
            | Change::TokenDenied { .. }
            | Change::TenantDenied { .. }
            | Change::TenantAllowed { .. }
            | Change::TokensDenied(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::{CertificateHolderFixture, START, SignalsFixture};
    use std::time::Duration;
    use tegata_core::feed::{Denial, Event};
    use tegata_core::{DeviceId, Role, Thumbprint};
    use tokio::sync::broadcast::{Sender, channel};

    /// A gate whose snapshot contained five events at START, while the lines since the third were waiting.
    async fn watch(
        fixture: &SignalsFixture,
        gate: &CertificateHolderFixture,
    ) -> (Sender<FeedLine>, FeedSubscription) {
        let facts = fixture.context.gate(Some(&gate.certificate), fixture.context.now()).await.unwrap();
        let (lines, receiver) = channel(16);
        (lines, FeedSubscription::new(receiver, facts, 5, START, fixture.context.clock.clone()))
    }

    fn event(seq: u64, change: Change) -> FeedLine {
        let event = Event { seq, at: START, change };
        FeedLine { meaning: LineMeaning::Event(Arc::new(event)), text: format!("event {seq}").into() }
    }

    fn token(seq: u64) -> FeedLine {
        event(seq, Change::TokenDenied { jti: "t".into(), until: START })
    }

    fn heartbeat(seq: u64, at: Timestamp) -> FeedLine {
        let text = format!("heartbeat {seq} {}", at.seconds() - START.seconds());
        FeedLine { meaning: LineMeaning::Heartbeat { seq, at }, text: text.into() }
    }

    #[tokio::test]
    async fn what_the_snapshot_contains_is_not_said_again() {
        let fixture = SignalsFixture::new().await;
        let gate = fixture.enroll(Role::Gate).await;
        let (lines, mut watch) = watch(&fixture, &gate).await;
        let later = START.plus(Duration::from_secs(1));
        let earlier = START.minus(Duration::from_secs(1));
        for line in [
            token(4),
            heartbeat(4, later),
            token(5),
            heartbeat(5, earlier),
            heartbeat(5, later),
            heartbeat(5, START),
            token(6),
            heartbeat(6, later),
        ] {
            lines.send(line).unwrap();
        }
        drop(lines);
        let mut heard = Vec::new();
        while let Some(line) = watch.next().await {
            heard.push(String::from_utf8(line.to_vec()).unwrap());
        }
        assert_eq!(heard, ["heartbeat 5 1", "event 6", "heartbeat 6 1"]);
    }

    #[tokio::test]
    async fn only_a_denial_of_the_gate_itself_ends_its_stream() {
        let fixture = SignalsFixture::new().await;
        let gate = fixture.enroll(Role::Gate).await;
        let denied =
            |device: &DeviceId| Change::DeviceDenied { device: device.clone(), reason: Denial::Suspended };
        let retired =
            |thumbprint| Change::CertificateDenied { thumbprint, reason: Denial::Retired, until: START };
        let other = DeviceId::random(&*fixture.context.entropy);
        for (change, goes_on) in [
            (denied(&other), true),
            (retired(Thumbprint::of(b"other")), true),
            (Change::DeviceAllowed { device: gate.id.clone() }, true),
            (denied(&gate.id), false),
            (retired(gate.certificate.thumbprint), false),
        ] {
            let (lines, mut watch) = watch(&fixture, &gate).await;
            lines.send(event(6, change.clone())).unwrap();
            assert_eq!(watch.next().await.is_some(), goes_on, "{change:?}");
        }
    }
}

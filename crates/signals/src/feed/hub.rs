//! One follower of the status cache in this process, many gates that listen to it.

use crate::feed::line::FeedLine;
use crate::issuer::SignalIssuer;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::feed::Event;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{Receiver, Sender, channel};
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// The period of heartbeats.
const BEAT: Duration = Duration::from_secs(1);

/// Lines that a gate may fall behind before it is cut off.
const BACKLOG: usize = 1024;

/// Snapshots written at one time.
const SNAPSHOTS: usize = 2;

/// From an interruption to the next attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// Signs each event and each heartbeat once and hands the lines to all gates.
///
/// It never leaves out an event: when it misses one, it hangs up on everybody, and the gates begin anew with a
/// snapshot.
#[derive(Debug)]
pub struct FeedHub {
    lines: Mutex<Option<Sender<FeedLine>>>,
    pub(crate) snapshots: Semaphore,
    closed: watch::Sender<bool>,
}

impl Default for FeedHub {
    fn default() -> Self {
        Self {
            lines: Mutex::default(),
            snapshots: Semaphore::new(SNAPSHOTS),
            closed: watch::Sender::new(false),
        }
    }
}

/// Why the gates are hung up on.
#[derive(Debug, thiserror::Error)]
enum FeedInterruption {
    #[error("an event of the status memory was missed")]
    Missed,
    #[error("a line cannot be signed")]
    Unsigned,
}

impl FeedHub {
    /// Serves the feed until [`FeedHub::close`], or until this is dropped; then all gates are hung up on. Until it runs,
    /// gates are refused.
    pub(super) async fn serve_until_closed(self: Arc<Self>, issuer: &SignalIssuer) {
        let _quiet = HangUpOnDrop(Arc::clone(&self));
        let mut closed = self.closed.subscribe();
        tokio::select! {
            _ = closed.wait_for(|closed| *closed) => {}
            () = self.serve(issuer) => {}
        }
    }

    /// Ends all streams for good, so that the server can shut down without waiting for them. Gates try again elsewhere
    /// or later.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Completes when the connection should end.
    pub(crate) async fn closed(&self) {
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Lines from now on; nothing while the hub does not run.
    pub(crate) fn listen(&self) -> Option<Receiver<FeedLine>> {
        self.lines().as_ref().map(Sender::subscribe)
    }

    async fn serve(&self, issuer: &SignalIssuer) {
        loop {
            let Err(error) = self.follow(issuer).await;
            self.hang_up();
            tracing::error!(%error, "the feed is interrupted");
            sleep(PAUSE).await;
        }
    }

    fn hang_up(&self) {
        *self.lines() = None;
    }

    /// The hub takes its place in the sequence before anybody can listen: a listener's snapshot is never behind it.
    async fn follow(&self, issuer: &SignalIssuer) -> Result<std::convert::Infallible, FeedInterruption> {
        let (seq, events) = {
            let (denials, events) = issuer.context.status.subscribe();
            (denials.seq(), events)
        };
        let lines = channel(BACKLOG).0;
        *self.lines() = Some(lines.clone());
        let mut writer = FeedWriter { issuer, lines, events, seq };
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = writer.events.recv() => match event {
                    Ok(event) => writer.tell(event)?,
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return Err(FeedInterruption::Missed),
                },
                _ = beat.tick() => writer.beat()?,
            }
        }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Option<Sender<FeedLine>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct HangUpOnDrop(Arc<FeedHub>);

impl Drop for HangUpOnDrop {
    fn drop(&mut self) {
        self.0.hang_up();
    }
}

/// One uninterrupted sequence of lines.
struct FeedWriter<'a> {
    issuer: &'a SignalIssuer,
    lines: Sender<FeedLine>,
    events: Receiver<Arc<Event>>,
    /// The last event that was sent.
    seq: u64,
}

impl FeedWriter<'_> {
    fn tell(&mut self, event: Arc<Event>) -> Result<(), FeedInterruption> {
        if event.seq <= self.seq {
            return Ok(());
        }
        if event.seq != self.seq + 1 {
            return Err(FeedInterruption::Missed);
        }
        self.seq = event.seq;
        let line = FeedLine::event(self.issuer, event);
        self.say(line.map_err(|_| FeedInterruption::Unsigned)?);
        Ok(())
    }

    /// Says "by `at` there was nothing after `seq`" when that is so: the date is read first, then everything that the
    /// cache had applied by then is sent. A stale cache or an event still on its way here make silence instead, and
    /// gates that hear nothing fail closed.
    fn beat(&mut self) -> Result<(), FeedInterruption> {
        let Ok(at) = self.issuer.fresh_at(self.issuer.context.now()) else { return Ok(()) };
        let applied = self.issuer.context.status.freshness().seq;
        loop {
            match self.events.try_recv() {
                Ok(event) => self.tell(event)?,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Lagged(_) | TryRecvError::Closed) => return Err(FeedInterruption::Missed),
            }
        }
        if self.seq < applied {
            return Ok(());
        }
        let line = FeedLine::heartbeat(self.issuer, self.seq, at);
        self.say(line.map_err(|_| FeedInterruption::Unsigned)?);
        Ok(())
    }

    /// Nobody listening is fine.
    fn say(&self, line: FeedLine) {
        let _ = self.lines.send(line);
    }
}

//! All passes of a server.

use crate::beat::PassReporter;
use crate::driver::PassDriver;
use crate::environment::{PassEnvironment, PassObserver};
use crate::leases::LeaseBook;
use crate::pass::Pass;
use crate::records::PassRecords;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tegata_core::{Clock, Entropy, ServerId};
use tegata_storage::Ledger;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a scheduler needs.
#[derive(Clone)]
pub struct SchedulerContext {
    /// Where leases and states are.
    pub ledger: Ledger,
    /// What passes are told for the time.
    pub clock: Arc<dyn Clock>,
    /// What spreads the passes of several servers.
    pub entropy: Arc<dyn Entropy>,
    /// The run of the server that the passes belong to.
    pub server: ServerId,
    /// Who was in its place before and is gone, so that nobody waits for the end of its leases.
    pub previous: Option<ServerId>,
    /// Who is told how runs end.
    pub observer: Arc<dyn PassObserver>,
}

/// Runs the passes of one server. Dropping it ends them all at once.
pub struct Scheduler {
    around: Arc<PassEnvironment>,
    reporter: Arc<PassReporter>,
    tasks: Mutex<JoinSet<()>>,
    /// True once a driver itself has broken.
    broken: watch::Sender<bool>,
}

impl Scheduler {
    /// Without a pass yet.
    pub fn start(context: SchedulerContext) -> Arc<Self> {
        let SchedulerContext { ledger, clock, entropy, server, previous, observer } = context;
        let (leases, records) = (LeaseBook::new(server.clone()), PassRecords::default());
        let around = Arc::new(PassEnvironment { clock, entropy, observer, leases, records });
        let reporter = Arc::new(PassReporter { ledger, server, around: around.clone() });
        let (tasks, broken) = (Mutex::default(), watch::Sender::default());
        let scheduler = Self { around, reporter: reporter.clone(), tasks, broken };
        scheduler.spawn(async move {
            if let Some(previous) = previous {
                reporter.leave_for(previous).await;
            }
            reporter.run().await;
        });
        Arc::new(scheduler)
    }

    /// Begins a pass. No other has its name.
    pub fn add(&self, pass: impl Pass) {
        self.spawn(PassDriver::new(Arc::new(pass), self.around.clone()).drive());
    }

    /// Waits until something is wrong that no pass can be blamed for: better no server than one that grows stale unseen.
    pub async fn broken(&self) {
        // The sender lives as long as the scheduler.
        let _ = self.broken.subscribe().wait_for(|broken| *broken).await;
    }

    /// Ends all passes where they are, and gives the leases back.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks());
        tasks.shutdown().await;
        self.reporter.leave().await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let alarm = BreakAlarm(self.broken.clone());
        self.tasks().spawn(async move {
            let _alarm = alarm;
            task.await;
        });
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sounds when a task ends by a panic.
struct BreakAlarm(watch::Sender<bool>);

impl Drop for BreakAlarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.send_replace(true);
        }
    }
}

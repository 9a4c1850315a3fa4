//! Counts what is answered with a refusal, by code and hour. It is one number for each code in memory, whoever is refused and
//! however often, and is added to the ledger's now and then.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tegata_core::{Clock, Refusal, Timestamp};
use tegata_storage::{Ledger, RefusalHour};
use tegata_web::Problem;

/// What was refused and is not written down yet.
pub struct RefusalCounter {
    clock: Arc<dyn Clock>,
    waiting: Mutex<UnwrittenCounts>,
}

/// How often, by the begin of the hour and the code.
type UnwrittenCounts = BTreeMap<(Timestamp, &'static str), u64>;

impl RefusalCounter {
    /// Hours are those of this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, waiting: Mutex::default() })
    }

    /// The routes, whose refusals are counted.
    pub fn around(self: &Arc<Self>, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self.clone(), count))
    }

    /// Adds what was counted to the ledger. What cannot be written is tried again the next time.
    pub async fn write(&self, ledger: &Ledger, now: Timestamp) -> tegata_storage::Result<()> {
        let counted = std::mem::take(&mut *self.waiting());
        let written = ledger.count_refusals(counted.iter().map(row).collect(), now).await;
        if written.is_err() {
            let mut waiting = self.waiting();
            for (key, refused) in counted {
                *waiting.entry(key).or_default() += refused;
            }
        }
        written
    }

    /// What is not written down yet, from this hour on.
    pub fn unwritten(&self, since: Timestamp) -> Vec<RefusalHour> {
        let waiting = self.waiting();
        waiting.range((since, "")..).map(row).collect()
    }

    fn add(&self, refusal: Refusal) {
        let hour = RefusalHour::begin_of(self.clock.now());
        *self.waiting().entry((hour, refusal.code())).or_default() += 1;
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, UnwrittenCounts> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row(((from, code), refused): (&(Timestamp, &'static str), &u64)) -> RefusalHour {
    RefusalHour { from: *from, code: (*code).to_owned(), refused: *refused }
}

async fn count(State(counter): State<Arc<RefusalCounter>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let extensions = response.extensions();
    let problem = extensions.get::<Problem>().map(|problem| problem.refusal);
    if let Some(refusal) = problem.or_else(|| extensions.get::<Refusal>().copied()) {
        counter.add(refusal);
    }
    response
}

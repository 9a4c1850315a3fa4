//! Passes that misbehave, with a clock that runs as fast as it can.

use super::*;
use crate::environment::{PassEnvironment, PassObserver};
use crate::leases::LeaseBook;
use crate::pass::{PassError, PassFuture, PassReport};
use crate::records::PassRecords;
use std::collections::VecDeque;
use std::sync::Mutex;
use tegata_core::entropy::Seeded;
use tegata_core::{Clock, ServerId, Timestamp};
use tegata_storage::PassState;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const PERIOD: Duration = Duration::from_mins(1);
const LIMIT: Duration = Duration::from_secs(30);

/// What a run does; after the last one it goes well.
#[derive(Clone, Copy)]
enum ScriptedRun {
    Succeed,
    Fail,
    Panic,
    Hang,
}

/// Runs that follow a script.
struct Script {
    schedule: Schedule,
    acts: Mutex<VecDeque<ScriptedRun>>,
    wake: Arc<Notify>,
    wanted: Arc<Mutex<bool>>,
}

/// Counts the runs, by when they ended.
#[derive(Default)]
struct Runs(Mutex<Vec<(String, PassOutcome, Duration)>>);

/// The clock of tokio, which is paused.
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000).plus(self.0.elapsed())
    }
}

impl PassObserver for Runs {
    fn ended(&self, pass: &str, outcome: PassOutcome, took: Duration, _: Timestamp) {
        self.0.lock().unwrap().push((pass.to_owned(), outcome, took));
    }
}

impl Pass for Script {
    fn schedule(&self) -> Schedule {
        self.schedule.clone()
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        let act = self.acts.lock().unwrap().pop_front().unwrap_or(ScriptedRun::Succeed);
        Box::pin(async move {
            match act {
                ScriptedRun::Succeed => Ok(PassReport::nothing().with("things", 2)),
                ScriptedRun::Fail => Err(PassError::new("no ledger")),
                ScriptedRun::Panic => panic!("a bug"),
                ScriptedRun::Hang => pending().await,
            }
        })
    }

    fn news(&self) -> PassFuture<'_, ()> {
        Box::pin(self.wake.notified())
    }

    fn is_wanted(&self) -> bool {
        *self.wanted.lock().unwrap()
    }
}

/// One server with passes.
struct Stage {
    around: Arc<PassEnvironment>,
    runs: Arc<Runs>,
    begun: Instant,
}

/// A pass under way.
struct Acting {
    wake: Arc<Notify>,
    wanted: Arc<Mutex<bool>>,
    task: JoinHandle<()>,
}

impl Stage {
    fn new() -> Self {
        let (runs, begun) = (Arc::new(Runs::default()), Instant::now());
        let entropy = Arc::new(Seeded::new(1));
        let leases = LeaseBook::new(ServerId::random(&*entropy));
        let around = PassEnvironment {
            clock: Arc::new(PausedClock(begun)),
            entropy,
            observer: runs.clone(),
            leases,
            records: PassRecords::default(),
        };
        Self { around: Arc::new(around), runs, begun }
    }

    fn act(&self, schedule: Schedule, acts: &[ScriptedRun]) -> Acting {
        let (wake, wanted) = (Arc::new(Notify::new()), Arc::new(Mutex::new(true)));
        let acts = Mutex::new(acts.iter().copied().collect());
        let script = Script { schedule, acts, wake: wake.clone(), wanted: wanted.clone() };
        let driver = PassDriver::new(Arc::new(script), self.around.clone());
        Acting { wake, wanted, task: tokio::spawn(driver.drive()) }
    }

    fn outcomes(&self, name: &str) -> Vec<PassOutcome> {
        let runs = self.runs.0.lock().unwrap();
        runs.iter().filter(|(pass, ..)| pass == name).map(|(_, outcome, _)| *outcome).collect()
    }

    fn state(&self, name: &str) -> PassState {
        let news = self.around.records.take_news();
        let state = news.states.iter().find(|state| state.name == name).cloned();
        self.around.records.keep_news(news);
        state.unwrap()
    }

    /// The ledger gives it, as of now.
    fn grant(&self, name: &str) {
        let request = self.around.leases.request(&[], self.around.clock.now());
        self.around.leases.granted(&request, vec![name.to_owned()], Instant::now());
    }
}

fn scripted() -> Schedule {
    Schedule::every(PERIOD, "scripted").within(LIMIT)
}

async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_runs_at_the_start_and_then_once_in_each_period() {
    let stage = Stage::new();
    let _acting = stage.act(scripted(), &[]);
    settle().await;
    assert_eq!(stage.outcomes("scripted"), [PassOutcome::Done]);
    let state = stage.state("scripted");
    assert_eq!((state.counts["things"], state.error), (2, None));
    let wait = state.due_at.unwrap().since(state.ended_at.unwrap());
    assert!(wait <= PERIOD && wait >= PERIOD * 9 / 10, "{wait:?}");
    sleep(PERIOD * 10).await;
    assert!((11..=12).contains(&stage.outcomes("scripted").len()), "{:?}", stage.begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_or_fails_is_soon_tried_again_and_stops_no_other() {
    let stage = Stage::new();
    let _bad = stage.act(scripted(), &[ScriptedRun::Panic, ScriptedRun::Fail]);
    let _good = stage.act(Schedule { name: "other".into(), ..scripted() }, &[]);
    settle().await;
    let state = stage.state("scripted");
    assert_eq!((state.outcome, state.error.as_deref()), (Some(PassOutcome::Panicked), Some("a bug")));
    assert_eq!(state.succeeded_at, None);
    sleep(RECOVERY).await;
    assert_eq!(stage.state("scripted").error.as_deref(), Some("no ledger"));
    sleep(RECOVERY).await;
    assert_eq!(stage.outcomes("scripted"), [PassOutcome::Panicked, PassOutcome::Failed, PassOutcome::Done]);
    assert_eq!(stage.outcomes("other"), [PassOutcome::Done]);
    let state = stage.state("scripted");
    assert_eq!((state.error, state.succeeded_at), (None, state.ended_at));
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_hangs_is_given_up_after_its_time_and_the_others_go_on() {
    let stage = Stage::new();
    let _bad = stage.act(scripted(), &[ScriptedRun::Hang]);
    let _good =
        stage.act(Schedule { name: "other".into(), period: Duration::from_secs(1), ..scripted() }, &[]);
    settle().await;
    let state = stage.state("scripted");
    assert!(state.started_at.is_some() && state.ended_at.is_none() && state.due_at.is_none());
    sleep(LIMIT + RECOVERY).await;
    assert_eq!(stage.outcomes("scripted"), [PassOutcome::TimedOut, PassOutcome::Done]);
    assert!(stage.outcomes("other").len() > 30);
    assert_eq!(stage.runs.0.lock().unwrap().iter().find(|(pass, ..)| pass == "scripted").unwrap().2, LIMIT);
}

#[tokio::test(start_paused = true)]
async fn news_wakes_a_pass_at_once_but_does_not_hurry_one_that_fails() {
    let stage = Stage::new();
    let acting = stage.act(scripted(), &[ScriptedRun::Succeed, ScriptedRun::Fail, ScriptedRun::Fail]);
    settle().await;
    acting.wake.notify_one();
    settle().await;
    assert_eq!(stage.outcomes("scripted"), [PassOutcome::Done, PassOutcome::Failed], "in a millisecond");
    acting.wake.notify_one();
    settle().await;
    assert_eq!(stage.outcomes("scripted").len(), 2, "it recovers first");
    sleep(RECOVERY * 3).await;
    assert_eq!(stage.outcomes("scripted").last(), Some(&PassOutcome::Done));
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_pass_stops_in_the_middle_when_its_lease_ends() {
    let stage = Stage::new();
    let _acting = stage.act(scripted().exclusive(), &[ScriptedRun::Hang]);
    sleep(PERIOD * 3).await;
    assert!(stage.outcomes("scripted").is_empty(), "another server has it");
    assert_eq!(stage.state("scripted").due_at, None);
    stage.grant("scripted");
    let granted = Instant::now();
    sleep(crate::LEASE + Duration::from_millis(1)).await;
    assert_eq!(stage.outcomes("scripted"), [PassOutcome::Interrupted], "after {:?}", granted.elapsed());
    sleep(PERIOD * 3).await;
    assert_eq!(stage.outcomes("scripted").len(), 1, "without a lease nothing is done");
    stage.grant("scripted");
    settle().await;
    assert_eq!(stage.outcomes("scripted").last(), Some(&PassOutcome::Done), "with it at once");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_or_hangs_at_exclusive_work_lets_another_try() {
    for (acts, runs) in [(vec![ScriptedRun::Fail; 3], 3), (vec![ScriptedRun::Hang], 1)] {
        let stage = Stage::new();
        let hasty = Schedule { limit: Duration::from_secs(1), ..scripted().exclusive() };
        let _acting = stage.act(hasty, &acts);
        settle().await;
        stage.grant("scripted");
        sleep(Duration::from_secs(4)).await;
        assert_eq!(stage.outcomes("scripted").len(), runs);
        let request = stage.around.leases.request(&[], stage.around.clock.now());
        assert_eq!((request.wanted.len(), request.released), (0, vec!["scripted".to_owned()]));
        sleep(Duration::from_secs(10)).await;
        let request = stage.around.leases.request(&[], stage.around.clock.now());
        assert_eq!(request.wanted, ["scripted"], "nobody else may be there");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_is_wanted_no_more_ends_and_gives_its_lease_back() {
    let stage = Stage::new();
    let acting = stage.act(scripted().exclusive(), &[]);
    settle().await;
    stage.grant("scripted");
    settle().await;
    *acting.wanted.lock().unwrap() = false;
    acting.wake.notify_one();
    acting.task.await.unwrap();
    let news = stage.around.records.take_news();
    assert_eq!((news.states.len(), news.ended), (0, vec!["scripted".to_owned()]));
    let request = stage.around.leases.request(&[], stage.around.clock.now());
    assert_eq!((request.wanted.len(), request.released), (0, vec!["scripted".to_owned()]));
}

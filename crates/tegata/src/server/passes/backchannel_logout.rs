//! Clients are told within a second that a session has ended. Exclusive to save their work: a notice that two servers send at once
//! is the same notice.

use crate::server::backchannel_logout::LogoutSender;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_net::client::AbortOnDrop;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};

const PERIOD: Duration = Duration::from_millis(500);

/// Clients that are told at a time.
const MOST: usize = 64;

/// Of these, clients with which the last attempt failed: however many hang, the others are told within seconds.
const MOST_FAILING: usize = 16;

pub struct BackchannelLogoutPass {
    sender: Arc<LogoutSender>,
    turns: Mutex<Turns>,
}

/// Who is told, and who was: a run does not wait for them, so that nobody waits for another.
#[derive(Default)]
struct Turns {
    under_way: HashMap<String, ClientTurn>,
    /// Since when each waits, of those for which something is due: since it was seen first, or had its last turn. Whoever waits
    /// longest is next, and whoever comes anew waits behind the others.
    since: HashMap<String, u64>,
    count: u64,
}

struct ClientTurn {
    task: AbortOnDrop,
    is_failing: bool,
}

impl BackchannelLogoutPass {
    pub fn new(sender: LogoutSender) -> Self {
        Self { sender: Arc::new(sender), turns: Mutex::default() }
    }

    async fn once(&self, now: Timestamp) -> Result<PassReport, PassError> {
        self.sender.go_on(now);
        let due = self.sender.due(now).await?;
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.under_way.retain(|_, turn| !turn.task.0.is_finished());
        for (client, is_failing) in turns.next(due) {
            let (sender, name) = (self.sender.clone(), client.clone());
            let task = AbortOnDrop(tokio::spawn(async move { sender.tell(&name).await }));
            turns.under_way.insert(client, ClientTurn { task, is_failing });
        }
        Ok(PassReport::nothing().with("clients", turns.under_way.len()))
    }
}

impl Turns {
    /// Who gets a turn now, of those for which something is due.
    fn next(&mut self, mut due: Vec<(String, bool)>) -> Vec<(String, bool)> {
        let mut known = std::mem::take(&mut self.since);
        for (client, _) in &due {
            let since = known.remove(client).unwrap_or_else(|| self.tick());
            self.since.insert(client.clone(), since);
        }
        due.retain(|(client, _)| !self.under_way.contains_key(client));
        due.sort_by_key(|(client, _)| self.since.get(client).copied());
        let mut free = MOST.saturating_sub(self.under_way.len());
        let failing = self.under_way.values().filter(|turn| turn.is_failing).count();
        let mut free_failing = MOST_FAILING.saturating_sub(failing);
        due.retain(|(_, is_failing)| {
            let is_next = free > 0 && (!is_failing || free_failing > 0);
            free -= usize::from(is_next);
            free_failing -= usize::from(is_next && *is_failing);
            is_next
        });
        for (client, _) in &due {
            let since = self.tick();
            self.since.insert(client.clone(), since);
        }
        due
    }

    fn tick(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

impl Pass for BackchannelLogoutPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "backchannel-logout").exclusive()
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_hang_hold_nobody_up_and_everybody_gets_a_turn() {
        let mut turns = Turns::default();
        let client = |kind: &str, number: usize| format!("{kind}-{number:03}");
        let hanging = (0..100).map(|number| (client("a", number), true));
        let slow = (0..100).map(|number| (client("b", number), false));
        let due: Vec<_> = hanging.chain(slow).collect();
        let first = turns.next(due.clone());
        assert_eq!(first.len(), MOST);
        assert_eq!(first.iter().filter(|(_, is_failing)| *is_failing).count(), MOST_FAILING);
        let mut told: std::collections::HashSet<_> = first.into_iter().collect();
        for _ in 0..6 {
            told.extend(turns.next(due.clone()));
        }
        assert_eq!(told.len(), due.len(), "whoever waits longest is next");
        turns.next(Vec::new());
        assert!(turns.since.is_empty(), "nobody is remembered for whom nothing is due");
    }

    #[test]
    fn whoever_comes_and_goes_takes_no_turn_of_those_who_wait() {
        let mut turns = Turns::default();
        let clients = |kind: &str, count: usize| -> Vec<_> {
            (0..count).map(|number| (format!("{kind}-{number:03}"), false)).collect()
        };
        let (waiting, passing) = (clients("c", MOST + 1), [clients("a", MOST), clients("b", MOST)]);
        let mut told = std::collections::HashSet::new();
        for round in 0..3 {
            let due = passing[round % 2].iter().chain(&waiting).cloned();
            told.extend(turns.next(due.collect()));
        }
        assert!(waiting.iter().all(|client| told.contains(client)));
    }
}

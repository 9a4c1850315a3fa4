//! Closed loops: each of a number of clients sends its next request when it has the answer to the last.

use crate::BenchOutcome;
use crate::client::{BenchAddress, BenchConnection, Post};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Where a load ends, whichever comes first.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub requests: u32,
    pub time: Duration,
}

/// The way in of every client, and what it sends.
pub type Clients = Vec<(BenchAddress, Post)>;

/// Opens one connection for each client; they are used by [`kept_alive`].
pub async fn connect(clients: &Clients) -> BenchOutcome<Vec<(BenchConnection, Post)>> {
    let mut open = Vec::with_capacity(clients.len());
    for (address, post) in clients {
        open.push((address.connect().await?, post.clone()));
    }
    Ok(open)
}

/// Sends on open connections. Gives the number of answers.
pub async fn kept_alive(connections: Vec<(BenchConnection, Post)>, bounds: Bounds) -> BenchOutcome<u32> {
    let budget = Budget::new(bounds);
    let mut loops = JoinSet::new();
    for (mut connection, post) in connections {
        let budget = budget.clone();
        loops.spawn(async move {
            while budget.one_more() {
                connection.post(&post).await?;
            }
            Ok(())
        });
    }
    budget.spent(loops).await
}

/// Opens a connection for every request. Gives the number of answers.
pub async fn new_connections(clients: Clients, bounds: Bounds) -> BenchOutcome<u32> {
    let budget = Budget::new(bounds);
    let mut loops = JoinSet::new();
    for (address, post) in clients {
        let budget = budget.clone();
        loops.spawn(async move {
            while budget.one_more() {
                address.connect().await?.post(&post).await?;
            }
            Ok(())
        });
    }
    budget.spent(loops).await
}

/// Sends each request once, on open connections that share the work. Gives the number of answers.
pub async fn once_each(
    connections: Vec<BenchConnection>,
    posts: Vec<Post>,
    time: Duration,
) -> BenchOutcome<u32> {
    let requests = u32::try_from(posts.len())?;
    let (posts, budget) = (Arc::new(posts), Budget::new(Bounds { requests, time }));
    let mut loops = JoinSet::new();
    for mut connection in connections {
        let (posts, budget) = (Arc::clone(&posts), budget.clone());
        loops.spawn(async move {
            while let Some(place) = budget.take() {
                connection.post(&posts[place as usize]).await?;
            }
            Ok(())
        });
    }
    budget.spent(loops).await
}

/// What may still be sent.
#[derive(Clone)]
struct Budget {
    taken: Arc<AtomicU32>,
    requests: u32,
    end: Instant,
    cut: Instant,
}

/// A request on its way at the end gets so long to be answered.
const PATIENCE: Duration = Duration::from_secs(5);

impl Budget {
    fn new(bounds: Bounds) -> Self {
        let end = Instant::now() + bounds.time;
        Self { taken: Arc::default(), requests: bounds.requests, end, cut: end + PATIENCE }
    }

    fn one_more(&self) -> bool {
        self.take().is_some()
    }

    fn take(&self) -> Option<u32> {
        let place = self.taken.load(Ordering::Relaxed);
        if place >= self.requests || Instant::now() >= self.end {
            return None;
        }
        // One thread runs all loops, so nobody came in between.
        self.taken.store(place + 1, Ordering::Relaxed);
        Some(place)
    }

    /// Every request that was taken has been answered, or the first error is the result.
    async fn spent(self, mut loops: JoinSet<BenchOutcome<()>>) -> BenchOutcome<u32> {
        let all = async {
            while let Some(ended) = loops.join_next().await {
                ended??;
            }
            Ok(self.taken.load(Ordering::Relaxed))
        };
        tokio::select! {
            answered = all => answered,
            () = sleep_until(self.cut) => Err("the server does not answer".into()),
        }
    }
}

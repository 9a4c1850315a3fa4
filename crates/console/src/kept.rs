//! What is costly to gather is kept for a while, and gathered by one at a time: whoever asks meanwhile waits for the same.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use tegata_core::Timestamp;
use tokio::sync::Mutex;

/// How much is kept at most. Beyond, what is over is let go, and then all that nobody waits for.
const MOST: usize = 256;

/// Values by key, each good until a moment.
pub(crate) struct Kept<K, T>(Mutex<HashMap<K, KeptPlace<T>>>);

/// Whoever gathers a value holds the lock of its place.
type KeptPlace<T> = Arc<Mutex<Option<KeptValue<T>>>>;

/// What gathers a value, and says until when it is good enough.
type Gathering<'a, T, E> = Pin<Box<dyn Future<Output = Result<(T, Timestamp), E>> + Send + 'a>>;

struct KeptValue<T> {
    value: Arc<T>,
    at: Timestamp,
    until: Timestamp,
}

impl<K, T> Default for Kept<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone, T> Kept<K, T> {
    /// What there is by a key, gathered anew where that was too long ago. `gather` says until when it is good enough.
    ///
    /// # Errors
    /// Those of `gather`; then nothing is kept.
    pub(crate) async fn get<E>(
        &self,
        key: &K,
        at: Timestamp,
        gather: Gathering<'_, T, E>,
    ) -> Result<Arc<T>, E> {
        let place = self.place(key, at).await;
        let mut kept = place.lock().await;
        if let Some(known) = kept.as_ref().filter(|known| known.at <= at && at < known.until) {
            return Ok(known.value.clone());
        }
        let (value, until) = gather.await?;
        Ok(kept.insert(KeptValue { value: Arc::new(value), at, until }).value.clone())
    }

    async fn place(&self, key: &K, at: Timestamp) -> KeptPlace<T> {
        let mut places = self.0.lock().await;
        if !places.contains_key(key) && places.len() >= MOST {
            // Whoever gathers holds the lock, and a second reference.
            let is_good = |value: &Option<KeptValue<T>>| value.as_ref().is_some_and(|known| at < known.until);
            places.retain(|_, place| {
                Arc::strong_count(place) > 1 || place.try_lock().is_ok_and(|kept| is_good(&kept))
            });
            if places.len() >= MOST {
                places.retain(|_, place| Arc::strong_count(place) > 1);
            }
        }
        places.entry(key.clone()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const fn second(second: i64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    #[tokio::test]
    async fn whoever_asks_at_once_is_answered_by_one_gathering() {
        let (kept, gathered) = (Kept::<u32, u32>::default(), AtomicU32::new(0));
        let ask = |key: u32, at: i64| {
            let (kept, gathered) = (&kept, &gathered);
            async move {
                let gather = async {
                    tokio::task::yield_now().await;
                    Ok::<_, ()>((gathered.fetch_add(1, Ordering::Relaxed), second(at + 5)))
                };
                *kept.get(&key, second(at), Box::pin(gather)).await.unwrap()
            }
        };
        assert_eq!(tokio::join!(ask(1, 0), ask(1, 0), ask(1, 4)), (0, 0, 0));
        assert_eq!(ask(1, 5).await, 1, "it is over");
        assert_eq!((ask(2, 5).await, ask(1, 6).await), (2, 1), "each key by itself");
        for key in 0..2000 {
            ask(key, 5).await;
        }
        assert!(kept.0.lock().await.len() <= MOST);
    }
}

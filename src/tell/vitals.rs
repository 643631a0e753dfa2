//! Is the run alive? What its loop, its writer and its receivers say of themselves, for `/healthz` and `/metrics`.
//!
//! The machine's clock is asked here and nowhere else in this room: whether a run stalls is no matter of the capture.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A loop that has not turned for so long hangs: it turns every 100 ms where nothing arrives, and a look takes seconds.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// The machine's time, for pauses and ages.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a receiver is away, or the loop stands still, is the machine's time"
)]
pub fn instant() -> Instant {
    Instant::now()
}

/// Since 1970, by the machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "when a message leaves is the machine's time"
)]
pub fn unix() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

/// What one receiver went through.
#[derive(Debug, Default)]
pub struct Receiver {
    /// Messages or values that arrived.
    pub sent: AtomicU64,
    /// Tries that came to nothing.
    pub failures: AtomicU64,
    /// Lost: for want of room, or because the receiver will never take them.
    pub dropped: AtomicU64,
    /// Waiting now.
    pub queued: AtomicU64,
}

/// Signs of life of a run.
#[derive(Debug)]
pub struct Vitals {
    begun: Instant,
    /// Milliseconds after `begun`.
    turned: AtomicU64,
    /// The same of the last packet.
    heard: AtomicU64,
    stall_after: Option<Duration>,
    failing: Mutex<BTreeMap<&'static str, String>>,
    receivers: Mutex<BTreeMap<&'static str, std::sync::Arc<Receiver>>>,
}

impl Vitals {
    /// A run that begins now; it stalls where no packet comes for `stall_after`, if that is given.
    pub fn new(stall_after: Option<Duration>) -> Self {
        Self {
            begun: instant(),
            turned: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            stall_after,
            failing: Mutex::default(),
            receivers: Mutex::default(),
        }
    }

    /// The loop turned, and packets came or not.
    pub fn turn(&self, packets: bool) {
        let now = self.age_ms();
        self.turned.store(now, Ordering::Relaxed);
        if packets {
            self.heard.store(now, Ordering::Relaxed);
        }
    }

    /// This part of the run does not work, in the words of `why`.
    pub fn fails(&self, part: &'static str, why: String) {
        held(&self.failing).insert(part, why);
    }

    /// This part works again.
    pub fn works(&self, part: &'static str) {
        held(&self.failing).remove(part);
    }

    /// The counters of a receiver.
    pub fn receiver(&self, name: &'static str) -> std::sync::Arc<Receiver> {
        std::sync::Arc::clone(held(&self.receivers).entry(name).or_default())
    }

    /// All receivers by name.
    pub fn receivers(&self) -> Vec<(&'static str, std::sync::Arc<Receiver>)> {
        let all = held(&self.receivers);
        all.iter()
            .map(|(name, one)| (*name, std::sync::Arc::clone(one)))
            .collect()
    }

    /// How long ago the last packet came, or the run began.
    pub fn silence(&self) -> Duration {
        self.since(&self.heard)
    }

    /// What is wrong, a sentence each; nothing where all is well.
    pub fn complaints(&self) -> Vec<String> {
        let mut all = Vec::new();
        let stands = self.since(&self.turned);
        if stands >= HANGS_AFTER {
            all.push(format!(
                "the run has stood still for {} s",
                stands.as_secs()
            ));
        }
        let silence = self.silence();
        if let Some(limit) = self.stall_after
            && silence >= limit
        {
            all.push(format!(
                "the capture stalls: no packet for {} s",
                silence.as_secs()
            ));
        }
        let failing = held(&self.failing);
        all.extend(failing.iter().map(|(part, why)| format!("{part}: {why}")));
        all
    }

    fn age_ms(&self) -> u64 {
        let age = instant().duration_since(self.begun).as_millis();
        u64::try_from(age).unwrap_or(u64::MAX)
    }

    fn since(&self, then: &AtomicU64) -> Duration {
        let then = then.load(Ordering::Relaxed);
        Duration::from_millis(self.age_ms().saturating_sub(then))
    }
}

/// What a lock holds; a thread that panicked while it held one left whole values behind.
pub fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_packets_stalls_only_where_a_limit_says_so() {
        let unlimited = Vitals::new(None);
        unlimited.turn(false);
        assert_eq!(unlimited.complaints(), Vec::<String>::new());
        let limited = Vitals::new(Some(Duration::ZERO));
        limited.turn(true);
        assert_eq!(
            limited.complaints(),
            ["the capture stalls: no packet for 0 s"]
        );
    }

    #[test]
    fn what_fails_is_told_until_it_works_again() {
        let vitals = Vitals::new(None);
        vitals.fails("writer", "no space left on device".to_owned());
        assert_eq!(vitals.complaints(), ["writer: no space left on device"]);
        vitals.works("writer");
        assert!(vitals.complaints().is_empty());
    }
}

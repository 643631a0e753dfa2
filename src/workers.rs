//! One piece of work over many items, by as many threads as a run may have. The order of the items stays, so that
//! nothing depends on their number.

use rayon::prelude::*;

/// Fewer items than this are done sooner than threads start.
const FEW: usize = 128;

/// Threads for pieces of work that come at the end of a run.
#[derive(Debug, Default)]
pub struct Workers(Option<rayon::ThreadPool>);

impl Workers {
    /// So many threads, of which none waits in vain for fewer than `items` to be worth it; where none can be had, the
    /// caller's own does it all.
    pub fn new(threads: usize, items: usize) -> Self {
        if threads < 2 || items < FEW {
            return Self(None);
        }
        Self(
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .ok(),
        )
    }

    /// What `work` makes of each item, in their order.
    pub fn map<'a, T: Sync, R: Send>(
        &self,
        items: &'a [T],
        work: impl Fn(&'a T) -> R + Sync + Send,
    ) -> Vec<R> {
        match &self.0 {
            Some(pool) => pool.install(|| items.par_iter().map(work).collect()),
            None => items.iter().map(work).collect(),
        }
    }

    /// The caller's thread does it all.
    pub const fn is_alone(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays() {
        let items: Vec<usize> = (0..3_000).collect();
        for threads in [1, 2, 5] {
            let workers = Workers::new(threads, items.len());
            assert_eq!(workers.is_alone(), threads == 1);
            assert_eq!(workers.map(&items, |item| *item), items);
        }
        assert!(Workers::new(8, 3).is_alone());
    }
}

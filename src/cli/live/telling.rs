//! Who else hears what a run has to tell, beside its own lines.

use clap::Args;

use crate::cli::{Common, Failure};
use crate::report::stream::Tell;

/// Options of who is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Telling {}

impl Telling {
    /// Everybody who is to hear of it; none of them may end the run by an error of its own.
    pub(super) fn tellers(&self, _: &Common) -> Result<Vec<Box<dyn Tell>>, Failure> {
        Ok(Vec::new())
    }
}

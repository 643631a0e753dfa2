//! What a run keeps on disk, and as whom: its lines, the packets of incidents.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::live::evidence::{Bounds, Evidence};
use crate::cli::live::log::Turning;
use crate::cli::{Failure, input};
use crate::time::SECOND;

/// Options of what is kept.
#[derive(Args, Clone, Debug)]
pub(crate) struct Keeping {
    /// Turn the --output file over (FILE becomes FILE.1) when it would be larger than this
    #[arg(long, value_name = "SIZE", default_value = "256M")]
    pub rotate_size: String,
    /// Turn it over when it is so many hours old
    #[arg(long, value_name = "HOURS")]
    pub rotate_hours: Option<u32>,
    /// Files of the past that are kept
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub rotate_keep: u32,
    /// Write the packets of each new incident to DIR/<incident>.pcapng; raw, nothing in them is masked
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Seconds of packets that stay in memory for --evidence
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub evidence_window: u32,
    /// Memory for those packets
    #[arg(long, value_name = "SIZE", default_value = "128M")]
    pub evidence_memory: String,
    /// All files in DIR together; the oldest make room
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub evidence_budget: String,
    /// Become this user once the interfaces are open; else root becomes the owner of the folder that is written to, or nobody
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

impl Keeping {
    /// When the lines turn over.
    pub(super) fn turning(&self) -> Result<Turning, Failure> {
        let bytes = input::sized("--rotate-size", &self.rotate_size)?;
        let hours = self.rotate_hours.filter(|hours| *hours > 0);
        Ok(Turning {
            bytes: bytes.max(4096),
            age: hours.map(|hours| Duration::from_secs(u64::from(hours) * 3_600)),
            kept: self.rotate_keep,
        })
    }

    /// Where packets of incidents go.
    pub(super) fn evidence(&self) -> Result<Option<Evidence>, Failure> {
        let Some(folder) = &self.evidence else {
            return Ok(None);
        };
        let bounds = Bounds {
            window: i64::from(self.evidence_window) * SECOND,
            memory: input::sized("--evidence-memory", &self.evidence_memory)?,
            budget: input::sized("--evidence-budget", &self.evidence_budget)?,
        };
        Evidence::open(folder, bounds).map(Some)
    }
}

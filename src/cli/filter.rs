//! `--filter`: which frames are read at all, by libpcap's language on the outermost frame.
//!
//! libpcap compiles it, for each link type that comes up, so it means what it means to tcpdump. Frames that do not fit
//! are dropped before they are decoded, keep their numbers, and are counted. The feature `live` brings libpcap; without
//! it the option says so. Known: `greater` and `less` see the captured length where a snaplen cut the frame, and BSD
//! loopback frames (link type NULL) are taken in this machine's byte order and address families.

#[cfg(feature = "live")]
pub(crate) use with_libpcap::Filter;
#[cfg(not(feature = "live"))]
pub(crate) use without::Filter;

#[cfg(not(feature = "live"))]
mod without {
    use crate::cli::Failure;
    use crate::ingest::Batch;

    /// No filter: this build cannot compile one.
    #[derive(Debug)]
    pub(crate) struct Filter;

    impl Filter {
        /// Says that this build has none.
        pub(crate) fn new(_: &str) -> Result<Self, Failure> {
            Err(Failure::usage(
                "--filter: this build has no filter; build it with `cargo build --release --features live` \
                 (needs libpcap-dev), or filter with `tcpdump -r in.pcap -w out.pcap FILTER` first",
            ))
        }

        /// Leaves the batch as it is.
        pub(crate) fn apply(&mut self, _: &mut Batch) -> Result<(), Failure> {
            Ok(())
        }

        /// Nothing was left out.
        pub(crate) fn finish(self) -> Result<u64, Failure> {
            Ok(0)
        }
    }
}

#[cfg(feature = "live")]
mod with_libpcap {
    use std::collections::BTreeMap;

    use pcap::{BpfProgram, Capture, Linktype};

    use crate::cli::Failure;
    use crate::ingest::{Batch, LinkType};

    /// A filter, compiled for the link types met so far.
    pub(crate) struct Filter {
        text: String,
        programs: BTreeMap<LinkType, BpfProgram>,
        left_out: u64,
    }

    impl Filter {
        /// A filter that is compiled when the first frame comes: some make sense on one link type alone.
        pub(crate) fn new(text: &str) -> Result<Self, Failure> {
            Ok(Self {
                text: text.to_owned(),
                programs: BTreeMap::new(),
                left_out: 0,
            })
        }

        /// Takes the frames that do not fit out of the batch.
        pub(crate) fn apply(&mut self, batch: &mut Batch) -> Result<(), Failure> {
            let mut frames = std::mem::take(&mut batch.frames);
            for frame in &frames {
                self.compile(frame.link)?;
            }
            let before = frames.len();
            let (mut passed, mut kept) = (0, 0);
            // How many of the frames that stay stand before each of the capture's secrets.
            let mut places: Vec<usize> = Vec::with_capacity(batch.secrets.len());
            frames.retain(|frame| {
                let due = batch.secrets.iter().skip(places.len());
                let due = due.take_while(|secrets| secrets.place <= passed).count();
                places.extend(std::iter::repeat_n(kept, due));
                let program = self.programs.get(&frame.link);
                let fits = program.is_some_and(|program| program.filter(batch.frame(frame).bytes));
                (passed, kept) = (passed + 1, kept + usize::from(fits));
                fits
            });
            self.left_out += (before - frames.len()) as u64;
            for (place, secrets) in batch.secrets.iter_mut().enumerate() {
                secrets.place = places.get(place).copied().unwrap_or(frames.len());
            }
            batch.frames = frames;
            Ok(())
        }

        /// How many frames were left out. Without any frame, the filter is still compiled once.
        pub(crate) fn finish(mut self) -> Result<u64, Failure> {
            if self.programs.is_empty() {
                self.compile(LinkType(1))?;
            }
            Ok(self.left_out)
        }

        fn compile(&mut self, link: LinkType) -> Result<(), Failure> {
            if self.programs.contains_key(&link) {
                return Ok(());
            }
            // Files write 101 for raw IP, the compiler calls it 12 (pcap-common.c).
            let number = if link.0 == 101 { 12 } else { i32::from(link.0) };
            let compiled =
                Capture::dead(Linktype(number)).and_then(|dead| dead.compile(&self.text, true));
            let program = compiled.map_err(|error| {
                let reason = match error {
                    pcap::Error::PcapError(reason) => reason,
                    other => other.to_string(),
                };
                let (text, link) = (&self.text, link.name());
                Failure::usage(format!(
                    "--filter {text}: {reason} (link type {link}); write it as tcpdump takes it, such as `host 192.0.2.1 and port 443`"
                ))
            })?;
            self.programs.insert(link, program);
            Ok(())
        }
    }
}

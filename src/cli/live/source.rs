//! The way in of a run that goes on: interfaces, or a capture on standard input.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;

use clap::Args;

#[cfg(feature = "live")]
use crate::cli::output;
use crate::cli::{Common, Failure};
use crate::ingest::{self, Feed, live};

/// Options of what is captured.
#[derive(Args, Clone, Debug)]
pub(crate) struct Source {
    /// Capture on this interface; may be given more than once (builds with the feature `live`)
    #[arg(short, long, value_name = "IFACE", conflicts_with = "paths")]
    pub interface: Vec<String>,
    /// Bytes kept of each packet
    #[arg(long, value_name = "BYTES", default_value_t = 262_144)]
    pub snaplen: u32,
    /// The kernel's buffer of each interface, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    pub buffer: u32,
}

impl Source {
    /// What is read, for a heading.
    pub(super) fn named(&self) -> String {
        if self.interface.is_empty() {
            "-".to_owned()
        } else {
            self.interface.join(",")
        }
    }
}

/// The way in, open and not read yet.
pub(super) enum Way {
    /// Standard input.
    Stream,
    /// Interfaces, on which time passes while nothing arrives.
    #[cfg(feature = "live")]
    Interfaces(String, live::interface::Opened),
}

/// Opens the way in.
pub(super) fn open(source: &Source, common: &Common) -> Result<Way, Failure> {
    match (source.interface.as_slice(), common.paths.as_slice()) {
        ([], [path]) if path == "-" => Ok(Way::Stream),
        ([], []) => Err(Failure::usage(
            "live needs interfaces (-i eth0) or `-` for a capture on standard input",
        )),
        ([], [path, ..]) => Err(Failure::usage(format!(
            "live {path}: only `-` is read live; `wirefault analyze {path}` reads files"
        ))),
        _ => interfaces(source, common),
    }
}

impl Way {
    /// Time passes on it while nothing arrives.
    pub(super) const fn ticks(&self) -> bool {
        !matches!(self, Self::Stream)
    }

    /// Begins to read. What becomes of interfaces is told to `says`.
    pub(super) fn feed(
        self,
        stop: &Arc<AtomicBool>,
        says: &Sender<String>,
    ) -> Result<Feed, Failure> {
        let (name, stream) = match self {
            Self::Stream => ("-".to_owned(), live::in_pieces(Box::new(io::stdin()))),
            #[cfg(feature = "live")]
            Self::Interfaces(name, opened) => (name, opened.read(stop, says)),
        };
        #[cfg(not(feature = "live"))]
        let _ = (stop, says);
        let feed = Feed::of_live(&name, stream, &ingest::Options::default());
        feed.map_err(|error| Failure {
            status: 3,
            message: error.to_string(),
        })
    }
}

#[cfg(feature = "live")]
fn interfaces(source: &Source, common: &Common) -> Result<Way, Failure> {
    let buffer_bytes = source.buffer.saturating_mul(1 << 20);
    let options = live::interface::Options {
        snaplen: source.snaplen,
        buffer_bytes: buffer_bytes.min(i32::MAX.unsigned_abs()),
        filter: common.filter.clone(),
    };
    let opened = live::interface::open(&source.interface, &options).map_err(Failure::usage)?;
    Ok(Way::Interfaces(source.interface.join(","), opened))
}

#[cfg(not(feature = "live"))]
fn interfaces(source: &Source, _: &Common) -> Result<Way, Failure> {
    let name = source.interface.first().map_or("", String::as_str);
    Err(Failure::usage(format!(
        "-i {name}: this build cannot capture; build it with `cargo build --release --features live` (needs \
         libpcap-dev), or feed it: tcpdump -i {name} -U -w - | wirefault live -"
    )))
}

/// What can be captured, and what right is missing.
#[cfg(feature = "live")]
pub(crate) fn list() -> Result<u8, Failure> {
    let devices = live::interface::list().map_err(Failure::usage)?;
    let mut text = String::new();
    for device in &devices {
        let addresses: Vec<String> = device
            .addresses
            .iter()
            .map(|address| address.addr.to_string())
            .collect();
        let state = if device.flags.is_up() { "up" } else { "down" };
        let told = device.desc.as_deref().unwrap_or("");
        text.push_str(&format!(
            "{:<16}  {state:<4}  {}  {told}\n",
            device.name,
            addresses.join(" ")
        ));
    }
    if devices.is_empty() {
        output::complain(
            "no interface can be seen: the right to capture is missing; run as root, or give it once: \
             setcap cap_net_raw=eip $(command -v wirefault)",
        );
    }
    output::write(None, text.as_bytes()).map(|()| 0)
}

/// What can be captured: nothing, in this build.
#[cfg(not(feature = "live"))]
pub(crate) fn list() -> Result<u8, Failure> {
    Err(Failure::usage(
        "interfaces: this build cannot capture; build it with `cargo build --release --features live` (needs \
         libpcap-dev), or feed it: tcpdump -i eth0 -U -w - | wirefault live -",
    ))
}

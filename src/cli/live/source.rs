//! The way in of a run that goes on: interfaces, or a capture on standard input.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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

/// The way in, and whether time passes on it while nothing arrives.
pub(super) fn opened(
    source: &Source,
    common: &Common,
    stop: &Arc<AtomicBool>,
) -> Result<(Feed, bool), Failure> {
    let (name, stream, ticking) = match (source.interface.as_slice(), common.paths.as_slice()) {
        ([], [path]) if path == "-" => {
            let stream = live::in_pieces(Box::new(io::stdin()));
            ("-".to_owned(), stream, false)
        }
        ([], []) => {
            return Err(Failure::usage(
                "live needs interfaces (-i eth0) or `-` for a capture on standard input",
            ));
        }
        ([], [path, ..]) => {
            return Err(Failure::usage(format!(
                "live {path}: only `-` is read live; `wirefault analyze {path}` reads files"
            )));
        }
        (names, _) => (names.join(","), interfaces(source, common, stop)?, true),
    };
    let feed = Feed::of_live(&name, stream, &ingest::Options::default());
    let feed = feed.map_err(|error| Failure {
        status: 3,
        message: error.to_string(),
    })?;
    Ok((feed, ticking))
}

#[cfg(feature = "live")]
fn interfaces(
    source: &Source,
    common: &Common,
    stop: &Arc<AtomicBool>,
) -> Result<Box<dyn io::Read + Send>, Failure> {
    let buffer_bytes = source.buffer.saturating_mul(1 << 20);
    let options = live::interface::Options {
        snaplen: source.snaplen,
        buffer_bytes: buffer_bytes.min(i32::MAX.unsigned_abs()),
        filter: common.filter.clone(),
    };
    live::interface::open(&source.interface, &options, stop).map_err(Failure::usage)
}

#[cfg(not(feature = "live"))]
fn interfaces(
    source: &Source,
    _: &Common,
    _: &Arc<AtomicBool>,
) -> Result<Box<dyn io::Read + Send>, Failure> {
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
             setcap cap_net_raw,cap_net_admin=eip $(command -v wirefault)",
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

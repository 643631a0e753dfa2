//! Packets of this machine's interfaces, through libpcap (feature `live`).
//!
//! One thread an interface takes packets and hands them on as pcapng blocks, gathered for at most 100 ms. If the queue is
//! full the newest are dropped and counted, beside what kernel and interface count; the statistics go out as pcapng has
//! them, so the report tells them like those of any capture.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Device, Precision};

use super::{Pieces, now, pcapng};

/// Pieces that wait in the queue, of at most `PIECE` bytes each.
const QUEUE: usize = 1_024;
/// Bytes gathered before they are handed on.
const PIECE: usize = 64 << 10;
/// They are handed on after so long in any case.
const GATHER: Duration = Duration::from_millis(100);
/// A pause where no packet waits.
const PAUSE: Duration = Duration::from_millis(5);
/// How often losses are asked for.
const STATISTICS: Duration = Duration::from_secs(1);

/// How interfaces are opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes kept of a packet.
    pub snaplen: u32,
    /// Kernel's ring buffer in bytes.
    pub buffer_bytes: u32,
    /// libpcap filter.
    pub filter: Option<String>,
}

/// What can be captured: name, description, addresses, and whether it is up.
pub fn list() -> Result<Vec<Device>, String> {
    Device::list().map_err(|error| format!("interfaces cannot be listed: {error}"))
}

/// Opens the interfaces; what they give is read as one pcapng capture, until `stop` is set.
pub fn open(
    names: &[String],
    options: &Options,
    stop: &Arc<AtomicBool>,
) -> Result<Box<dyn Read + Send>, String> {
    let mut captures = Vec::new();
    for name in names {
        captures.push((name.clone(), opened(name, options)?));
    }
    let (to, from) = sync_channel(QUEUE);
    let mut head = pcapng::section();
    for (name, capture) in &captures {
        let link = u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX);
        let filter = options.filter.as_deref();
        head.extend(pcapng::interface(link, options.snaplen, name, filter));
    }
    let _ = to.send(Ok(head));
    for (id, (_, capture)) in (0_u32..).zip(captures) {
        take(id, capture, to.clone(), Arc::clone(stop));
    }
    Ok(Box::new(Pieces::new(from)))
}

fn opened(name: &str, options: &Options) -> Result<Capture<Active>, String> {
    let refused = |error: pcap::Error| {
        let error = error.to_string();
        let right = ["permission", "Permission", "Operation not permitted"];
        if right.iter().any(|word| error.contains(word)) {
            format!(
                "-i {name}: the right to capture is missing; run as root, or give it once: \
                 setcap cap_net_raw,cap_net_admin=eip $(command -v wirefault)"
            )
        } else {
            format!("-i {name}: {error}; `wirefault interfaces` lists what can be captured")
        }
    };
    let snaplen = i32::try_from(options.snaplen).unwrap_or(i32::MAX);
    let buffer = i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX);
    let inactive = Capture::from_device(name)
        .map_err(refused)?
        .promisc(true)
        .snaplen(snaplen)
        .buffer_size(buffer)
        .immediate_mode(true)
        .precision(Precision::Nano);
    let capture = inactive.open().map_err(refused)?;
    let mut capture = capture.setnonblock().map_err(refused)?;
    if let Some(filter) = &options.filter {
        capture
            .filter(filter, true)
            .map_err(|error| format!("--filter {filter}: {error}"))?;
    }
    Ok(capture)
}

#[expect(
    clippy::disallowed_methods,
    reason = "libpcap waits for packets in the kernel: one thread an interface"
)]
fn take(
    id: u32,
    mut capture: Capture<Active>,
    to: SyncSender<io::Result<Vec<u8>>>,
    stop: Arc<AtomicBool>,
) {
    std::thread::spawn(move || {
        let dropped = AtomicU64::new(0);
        let mut piece = Piece::new(&to, &dropped);
        let mut asked = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            match capture.next_packet() {
                Ok(packet) => {
                    let stamp = packet.header.ts;
                    // With nanosecond precision libpcap writes nanoseconds into the field for microseconds.
                    let ns = i128::from(stamp.tv_sec) * 1_000_000_000 + i128::from(stamp.tv_usec);
                    let ns = u64::try_from(ns).unwrap_or(0);
                    piece.add(
                        &pcapng::packet(id, ns, packet.data, packet.header.len),
                        true,
                    );
                }
                // Nothing for now: libpcap's own wait may last until the next packet, with what was gathered unsent.
                Err(pcap::Error::TimeoutExpired) => {
                    piece.hand_on();
                    std::thread::sleep(PAUSE);
                }
                Err(pcap::Error::NoMorePackets) => break,
                Err(error) => {
                    piece.hand_on();
                    let _ = to.send(Err(io::Error::other(error.to_string())));
                    break;
                }
            }
            if asked.elapsed() >= STATISTICS {
                asked = Instant::now();
                if let Ok(stat) = capture.stats() {
                    let system =
                        u64::from(stat.dropped).saturating_add(dropped.load(Ordering::Relaxed));
                    let time = u64::try_from(now().ns()).unwrap_or(0);
                    let block = pcapng::statistics(id, time, u64::from(stat.if_dropped), system);
                    piece.add(&block, false);
                }
            }
            piece.hand_on_in_time();
        }
        piece.hand_on();
    });
}

/// Blocks gathered for the queue.
struct Piece<'a> {
    to: &'a SyncSender<io::Result<Vec<u8>>>,
    dropped: &'a AtomicU64,
    bytes: Vec<u8>,
    packets: u64,
    since: Instant,
}

impl<'a> Piece<'a> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long bytes wait is the machine's time"
    )]
    fn new(to: &'a SyncSender<io::Result<Vec<u8>>>, dropped: &'a AtomicU64) -> Self {
        Self {
            to,
            dropped,
            bytes: Vec::with_capacity(PIECE),
            packets: 0,
            since: Instant::now(),
        }
    }

    fn add(&mut self, block: &[u8], packet: bool) {
        if self.bytes.len() + block.len() > PIECE {
            self.hand_on();
        }
        self.bytes.extend_from_slice(block);
        self.packets += u64::from(packet);
    }

    fn hand_on_in_time(&mut self) {
        if self.since.elapsed() >= GATHER {
            self.hand_on();
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long bytes wait is the machine's time"
    )]
    fn hand_on(&mut self) {
        self.since = Instant::now();
        if self.bytes.is_empty() {
            return;
        }
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(PIECE));
        let packets = std::mem::take(&mut self.packets);
        if let Err(TrySendError::Full(_)) = self.to.try_send(Ok(bytes)) {
            self.dropped.fetch_add(packets, Ordering::Relaxed);
        }
    }
}

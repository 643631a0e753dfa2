//! Packets of this machine's interfaces, through libpcap (feature `live`).
//!
//! An interface that goes away is opened again when it is back; what becomes of it is said.
//!
//! One thread an interface takes packets and hands them on as pcapng blocks, gathered for at most 100 ms. If the queue is
//! full the newest are dropped and counted, beside what kernel and interface count; the statistics go out as pcapng has
//! them, so the report tells them like those of any capture.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, SyncSender, TrySendError, sync_channel};
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
/// An interface that is gone is looked for so often.
const GONE: Duration = Duration::from_secs(1);
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

/// Interfaces that are open and not read yet: whoever opened them may give up the right to.
pub struct Opened {
    captures: Vec<(String, Capture<Active>)>,
    options: Options,
}

/// Opens the interfaces.
pub fn open(names: &[String], options: &Options) -> Result<Opened, String> {
    let mut captures = Vec::new();
    for name in names {
        captures.push((name.clone(), opened(name, options)?));
    }
    Ok(Opened {
        captures,
        options: options.clone(),
    })
}

impl Opened {
    /// What they give, as one pcapng capture, until `stop` is set. What becomes of an interface is told to `says`.
    pub fn read(self, stop: &Arc<AtomicBool>, says: &Sender<String>) -> Box<dyn Read + Send> {
        let (to, from) = sync_channel(QUEUE);
        let mut head = pcapng::section();
        for (name, capture) in &self.captures {
            let link = u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX);
            let filter = self.options.filter.as_deref();
            head.extend(pcapng::interface(link, self.options.snaplen, name, filter));
        }
        let _ = to.send(Ok(head));
        for (id, (name, capture)) in (0_u32..).zip(self.captures) {
            let one = One {
                id,
                name,
                link: capture.get_datalink().0,
                options: self.options.clone(),
                to: to.clone(),
                stop: Arc::clone(stop),
                says: says.clone(),
                dropped: AtomicU64::new(0),
                before: (0, 0),
            };
            one.begin(capture);
        }
        Box::new(Pieces::new(from))
    }
}

fn opened(name: &str, options: &Options) -> Result<Capture<Active>, String> {
    let refused = |error: pcap::Error| {
        let error = error.to_string();
        let right = ["permission", "Permission", "Operation not permitted"];
        if right.iter().any(|word| error.contains(word)) {
            format!(
                "-i {name}: the right to capture is missing; run as root, or give it once: \
                 setcap cap_net_raw=eip $(command -v wirefault)"
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

/// One interface while it is read, in a thread of its own.
struct One {
    id: u32,
    name: String,
    link: i32,
    options: Options,
    to: SyncSender<io::Result<Vec<u8>>>,
    stop: Arc<AtomicBool>,
    says: Sender<String>,
    /// Packets that did not fit the queue.
    dropped: AtomicU64,
    /// What earlier openings of it have lost, by interface and by system.
    before: (u64, u64),
}

impl One {
    #[expect(
        clippy::disallowed_methods,
        reason = "libpcap waits for packets in the kernel: one thread an interface"
    )]
    fn begin(mut self, capture: Capture<Active>) {
        std::thread::spawn(move || {
            let mut capture = capture;
            loop {
                let ended = self.take(&mut capture);
                let lost = self.lost(&mut capture);
                self.before = lost;
                if self.stop.load(Ordering::Relaxed) {
                    let _ = self.to.send(Ok(self.statistics(lost)));
                    return;
                }
                let _ = self.says.send(format!(
                    "-i {}: {ended}; packets are missed until it is back",
                    self.name
                ));
                let Some(back) = self.again() else { return };
                capture = back;
                let _ = self.says.send(format!("-i {}: it is back", self.name));
            }
        });
    }

    /// Packets, until the interface is gone or the run ends; says why.
    #[expect(
        clippy::disallowed_methods,
        reason = "libpcap waits for packets in the kernel: one thread an interface"
    )]
    fn take(&self, capture: &mut Capture<Active>) -> String {
        let mut piece = Piece::new(&self.to, &self.dropped);
        let mut asked = Instant::now();
        let ended = loop {
            if self.stop.load(Ordering::Relaxed) {
                break String::new();
            }
            match capture.next_packet() {
                Ok(packet) => {
                    let stamp = packet.header.ts;
                    // With nanosecond precision libpcap writes nanoseconds into the field for microseconds.
                    let ns = i128::from(stamp.tv_sec) * 1_000_000_000 + i128::from(stamp.tv_usec);
                    let ns = u64::try_from(ns).unwrap_or(0);
                    let block = pcapng::packet(self.id, ns, packet.data, packet.header.len);
                    piece.add(&block, true);
                }
                // Nothing for now: libpcap's own wait may last until the next packet, with what was gathered unsent.
                Err(pcap::Error::TimeoutExpired) => {
                    piece.hand_on();
                    std::thread::sleep(PAUSE);
                }
                Err(pcap::Error::NoMorePackets) => break "it ended".to_owned(),
                Err(error) => break error.to_string(),
            }
            if asked.elapsed() >= STATISTICS {
                asked = Instant::now();
                let lost = self.lost(capture);
                piece.add(&self.statistics(lost), false);
            }
            piece.hand_on_in_time();
        };
        piece.hand_on();
        ended
    }

    /// Opens the interface again as soon as it can be; `None` when the run ends.
    fn again(&self) -> Option<Capture<Active>> {
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(GONE);
            // Another link type under the old name would be read wrongly.
            if let Ok(capture) = opened(&self.name, &self.options)
                && capture.get_datalink().0 == self.link
            {
                return Some(capture);
            }
        }
        None
    }

    /// What was lost since the run began: by the interface; by the kernel and the queue.
    fn lost(&self, capture: &mut Capture<Active>) -> (u64, u64) {
        let (by_interface, by_kernel) = self.before;
        capture.stats().map_or(self.before, |stat| {
            (
                by_interface.saturating_add(stat.if_dropped.into()),
                by_kernel.saturating_add(stat.dropped.into()),
            )
        })
    }

    fn statistics(&self, (by_interface, by_kernel): (u64, u64)) -> Vec<u8> {
        let by_system = by_kernel.saturating_add(self.dropped.load(Ordering::Relaxed));
        let time = u64::try_from(now().ns()).unwrap_or(0);
        pcapng::statistics(self.id, time, by_interface, by_system)
    }
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

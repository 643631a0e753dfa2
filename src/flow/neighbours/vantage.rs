//! From where the link is looked at: whether an answer to a host would have been captured.
//!
//! Broadcasts reach everybody, answers only the asker. An answer is missing for certain only where frames to the
//! asker's MAC are captured at all. If one host takes part in every unicast frame of an interface, the capture was
//! taken at it, and what others say to each other is not in there. Where the link header has no destination (cooked
//! captures) the IP addresses stand in for the MACs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::{Mac, individual};

/// Receivers remembered; the answers to later ones count as unseen.
const RECEIVERS_MAX: usize = 16_384;
/// Interfaces remembered of one receiver.
const INTERFACES_MAX: usize = 8;
/// Interfaces that are told apart; packets of further ones prove nothing.
const POINTS_MAX: usize = 4_096;

/// One end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    Mac(Mac),
    Ip(IpAddr),
}

/// The ends that are in every unicast frame so far.
type Common = [Option<End>; 2];

/// Whether an answer to a host would have been captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Frames to it are not in the capture, or only those of one other host that captured them.
    None,
    /// It and one other host are in every frame: the capture was taken at one of the two, at which is not known.
    OfTwo,
    /// Yes.
    Full,
}

#[derive(Debug, Default)]
pub(super) struct Vantage {
    points: BTreeMap<u32, Common>,
    received: HashMap<End, Vec<u32>>,
}

impl Vantage {
    /// A frame from one host to one host.
    pub(super) fn on_unicast(
        &mut self,
        from: (Option<Mac>, IpAddr),
        to: (Option<Mac>, IpAddr),
        interface: u32,
    ) {
        let (from, to) = match (from.0, to.0) {
            (Some(source), Some(destination)) => {
                if !individual(&source) || !individual(&destination) {
                    return;
                }
                (End::Mac(source), End::Mac(destination))
            }
            _ => (End::Ip(from.1), End::Ip(to.1)),
        };
        if self.points.len() >= POINTS_MAX && !self.points.contains_key(&interface) {
            return;
        }
        let ends = [Some(from), Some(to)];
        let common = self.points.entry(interface).or_insert(ends);
        for end in common.iter_mut() {
            if !ends.contains(end) {
                *end = None;
            }
        }
        if self.received.len() >= RECEIVERS_MAX && !self.received.contains_key(&to) {
            return;
        }
        let interfaces = self.received.entry(to).or_default();
        if interfaces.len() < INTERFACES_MAX && !interfaces.contains(&interface) {
            interfaces.push(interface);
        }
    }

    /// Is this MAC an end of every unicast frame; or was there none?
    pub(super) fn all_are_of(&self, mac: Mac) -> bool {
        let own = Some(End::Mac(mac));
        self.points.values().all(|common| common.contains(&own))
    }

    /// Would what `target` answers to `asker` be in the capture?
    pub(super) fn sight(&self, asker: (Mac, IpAddr), target: (Option<Mac>, IpAddr)) -> Sight {
        let asker = [Some(End::Mac(asker.0)), Some(End::Ip(asker.1))];
        let target = [target.0.map(End::Mac), Some(End::Ip(target.1))];
        let at = |interface: &u32| {
            let Some(common) = self.points.get(interface) else {
                return Sight::None;
            };
            let own = common
                .iter()
                .any(|end| end.is_some() && (asker.contains(end) || target.contains(end)));
            match common.iter().flatten().count() {
                0 => Sight::Full,
                2 if own
                    && !common
                        .iter()
                        .all(|end| asker.contains(end) || target.contains(end)) =>
                {
                    Sight::OfTwo
                }
                _ if own => Sight::Full,
                _ => Sight::None,
            }
        };
        asker
            .iter()
            .flatten()
            .filter_map(|end| self.received.get(end))
            .flatten()
            .map(at)
            .max()
            .unwrap_or(Sight::None)
    }
}

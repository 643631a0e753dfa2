//! Packets that come by again and again, each time with a smaller TTL: what a routing loop looks like from inside.
//!
//! Only packets that were seen before are shown to it, so ordinary traffic costs nothing here. A pass counts where the
//! last one was seen (interface, VLAN, source MAC): a mirror that shows one packet on its way through four routers
//! shows four places once each. Bounded: `SLOTS` packets at a time, the newest displaces what it collides with.

use std::net::IpAddr;

use crate::mark::Mark;
use crate::time::{Nanos, SECOND};

/// Packets followed at a time.
const SLOTS: usize = 64;
/// Passes of one packet at one place that make a loop; the first of all is not shown here.
const REPEATS: u16 = 3;
/// Marks kept.
const MARKS_MAX: usize = 4;
/// A packet in a loop comes by again within this.
const ROUND_MAX: Nanos = 2 * SECOND;
/// Loops beside flows that are remembered, one for each destination; further ones are not told.
pub const DESTINATIONS_MAX: usize = 64;

/// One packet that goes round.
#[derive(Clone, Debug)]
pub struct Circling {
    /// How often it passed at all, as far as it was seen.
    pub passes: u16,
    /// What its TTL loses between two passes at one place.
    pub step: u8,
    /// First and last TTL seen at that place.
    pub ttl: (u8, u8),
    /// The first passes.
    pub marks: Vec<Mark>,
    /// The last one.
    pub last: Mark,
}

impl Circling {
    /// More of the same packet, or another one on the same round, of which only the time counts.
    pub fn go_on(&mut self, later: Self) {
        if self.marks.first() == later.marks.first() {
            *self = later;
        } else {
            self.last = later.last;
        }
    }
}

#[derive(Clone, Debug)]
struct Slot {
    print: u64,
    place: u32,
    repeats: u16,
    circling: Circling,
}

/// The packets that came by more than once.
#[derive(Clone, Debug, Default)]
pub struct Passes {
    slots: Vec<Option<Slot>>,
}

impl Passes {
    /// A packet that was seen before came by again. Gives what is known of it once that is a loop.
    pub fn on_repeat(&mut self, print: u64, place: u32, ttl: u8, at: Mark) -> Option<Circling> {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, None);
        }
        let slot = self.slots.get_mut((print >> 16) as usize % SLOTS)?;
        let fresh = || Slot {
            print,
            place,
            repeats: 1,
            circling: Circling {
                passes: 2,
                step: 0,
                ttl: (ttl, ttl),
                marks: vec![at],
                last: at,
            },
        };
        let Some(known) = slot.as_mut().filter(|known| {
            known.print == print && at.time.since(known.circling.last.time) < ROUND_MAX
        }) else {
            *slot = Some(fresh());
            return None;
        };
        let circling = &mut known.circling;
        if known.place != place {
            circling.passes = circling.passes.saturating_add(1);
            return None;
        }
        let step = circling.ttl.1.saturating_sub(ttl);
        if step == 0 && circling.ttl.1 == ttl {
            return None;
        }
        if step == 0 || (circling.step != 0 && circling.step != step) {
            *slot = Some(fresh());
            return None;
        }
        circling.step = step;
        circling.ttl.1 = ttl;
        circling.passes = circling.passes.saturating_add(1);
        circling.last = at;
        if circling.marks.len() < MARKS_MAX {
            circling.marks.push(at);
        }
        known.repeats = known.repeats.saturating_add(1);
        (known.repeats >= REPEATS).then(|| known.circling.clone())
    }
}

/// Places of the filter that lets only packets through that were seen before.
const RECENT: usize = 1_024;

/// Loops that packets of no TCP connection show, by destination.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    recent: Vec<(u64, u8)>,
    passes: Passes,
    /// Source, destination, packet; in the order in which they were found.
    pub found: Vec<(IpAddr, IpAddr, Circling)>,
}

impl Beside {
    /// Takes one packet; `place` is asked for only where it was seen before with a greater TTL.
    pub fn on_packet(
        &mut self,
        print: u64,
        (source, destination): (IpAddr, IpAddr),
        ttl: u8,
        at: Mark,
        place: impl FnOnce() -> u32,
    ) {
        if self.recent.is_empty() {
            self.recent.resize(RECENT, (0, 0));
        }
        let Some(recent) = self.recent.get_mut(print as usize % RECENT) else {
            return;
        };
        let before = std::mem::replace(recent, (print, ttl));
        if before.0 != print || before.1 <= ttl {
            return;
        }
        let Some(circling) = self.passes.on_repeat(print, place(), ttl, at) else {
            return;
        };
        let destinations = self.found.len();
        let known = self
            .found
            .iter_mut()
            .find(|(_, known, _)| *known == destination);
        match known {
            Some((.., known)) => known.go_on(circling),
            None if destinations < DESTINATIONS_MAX => {
                self.found.push((source, destination, circling));
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(frame: u32) -> Mark {
        Mark {
            frame,
            ..Mark::default()
        }
    }

    /// TTLs and places of one packet's further passes; gives how often it is called a loop.
    fn check(passes: &[(u8, u32)]) -> usize {
        let mut table = Passes::default();
        let told = passes
            .iter()
            .zip(1..)
            .filter(|((ttl, place), frame)| table.on_repeat(7, *place, *ttl, at(*frame)).is_some());
        told.count()
    }

    #[test]
    fn the_fourth_pass_with_a_falling_ttl_is_a_loop() {
        assert_eq!(check(&[(62, 1), (60, 1)]), 0);
        assert_eq!(check(&[(62, 1), (60, 1), (58, 1)]), 1);
    }

    #[test]
    fn two_places_in_turn_are_followed_at_one_of_them() {
        let passes = [(62, 2), (61, 1), (60, 2), (59, 1), (58, 2)];
        assert_eq!(check(&passes), 1);
    }

    #[test]
    fn a_way_through_four_routers_is_no_loop() {
        assert_eq!(check(&[(62, 1), (61, 2), (60, 3), (59, 4)]), 0);
    }

    #[test]
    fn copies_with_the_same_ttl_are_no_loop() {
        assert_eq!(check(&[(62, 1), (62, 1), (62, 1), (62, 1)]), 0);
    }

    #[test]
    fn a_ttl_that_falls_unevenly_is_no_loop() {
        assert_eq!(check(&[(62, 1), (60, 1), (57, 1), (50, 1)]), 0);
    }

    #[test]
    fn packets_beside_flows_are_told_once_for_each_destination() {
        let mut beside = Beside::default();
        let (source, destination) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([203, 0, 113, 1]));
        for print in 1_u64..3 {
            for (ttl, frame) in [64, 62, 60, 58, 56, 54].into_iter().zip(1..) {
                beside.on_packet(print, (source, destination), ttl, at(frame), || 1);
            }
        }
        assert_eq!(beside.found.len(), 1);
        assert_eq!(beside.found.first().map(|found| found.2.passes), Some(6));
    }

    #[test]
    fn destinations_beyond_the_limit_are_not_remembered() {
        let mut beside = Beside::default();
        let source = IpAddr::from([192, 0, 2, 1]);
        for host in 0..=u8::MAX {
            let print = u64::from(host) + 1;
            for ttl in [64, 62, 60, 58, 56] {
                let to = IpAddr::from([203, 0, 113, host]);
                beside.on_packet(print, (source, to), ttl, at(1), || 1);
            }
        }
        assert_eq!(beside.found.len(), DESTINATIONS_MAX);
    }
}

//! Findings of more sets than there is room for are added up: by client, server and name, then by server and name, then
//! by the server's address. Counts and incidents stay whole; what is lost is which of them: their own times and frames.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::failure::Finding;
use crate::incident::{Incident, place};

/// How many ways of summing there are, from the finest on.
const LEVELS: usize = 3;

/// What is alike at a level; addresses that are local to a network only at one capture point.
type Alike = (
    &'static str,
    Option<IpAddr>,
    Option<IpAddr>,
    Option<(u16, Option<String>)>,
    Option<u32>,
);

/// All findings, and the number of the set that each was told by.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
    pub(super) set: Vec<u32>,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding, set: u32) {
        self.all.push(finding);
        self.set.push(set);
    }

    /// Adds them up until a half of the room is free, where there are more than fit; gives how many stand for
    /// themselves no more. `points` numbers the capture point of each set.
    pub(super) fn fit(&mut self, room: usize, incidents: &mut [Incident], points: &[u32]) -> u64 {
        let before = self.all.len();
        if before <= room {
            return 0;
        }
        for level in 0..LEVELS {
            if self.all.len() > room / 2 {
                let moved = self.sum(level, points);
                incidents.iter_mut().for_each(|one| rename(one, &moved));
            }
        }
        (before - self.all.len()) as u64
    }

    /// Gives where each went.
    fn sum(&mut self, level: usize, points: &[u32]) -> Vec<usize> {
        let mut places: HashMap<Alike, usize> = HashMap::new();
        let (findings, sets) = (std::mem::take(&mut self.all), std::mem::take(&mut self.set));
        let mut moved = Vec::with_capacity(findings.len());
        for (finding, set) in findings.into_iter().zip(sets) {
            let point = points.get(set as usize).copied().unwrap_or(0);
            let next = self.all.len();
            let place = *places.entry(alike(&finding, level, point)).or_insert(next);
            moved.push(place);
            match self.all.get_mut(place) {
                Some(known) => {
                    known.count = known.count.saturating_add(finding.count);
                    known.first = known.first.min(finding.first);
                    known.last = known.last.max(finding.last);
                    known.severity = known.severity.max(finding.severity);
                    known.fails |= finding.fails;
                }
                None => self.push(finding, set),
            }
        }
        moved
    }
}

fn alike(finding: &Finding, level: usize, point: u32) -> Alike {
    let client = finding.client.map(|(ip, _)| ip);
    let server = finding.server.map(|(ip, _)| ip);
    let local = |ip: IpAddr| place(1, ip).0 == 1;
    let is_local = client.is_some_and(local) || server.is_some_and(local);
    (
        finding.class.code,
        client.filter(|_| level == 0),
        server,
        (level < 2).then(|| {
            (
                finding.server.map_or(0, |(_, port)| port),
                finding.name.clone(),
            )
        }),
        is_local.then_some(point),
    )
}

fn rename(incident: &mut Incident, moved: &[usize]) {
    let renamed = |places: &mut Vec<usize>| {
        let new = places.iter().filter_map(|place| moved.get(*place).copied());
        let mut new: Vec<usize> = new.collect();
        new.sort_unstable();
        new.dedup();
        *places = new;
    };
    renamed(&mut incident.findings);
    for hypothesis in &mut incident.hypotheses {
        let reasons = hypothesis.favour.iter_mut().chain(&mut hypothesis.against);
        reasons.for_each(|reason| renamed(&mut reason.findings));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Subject;
    use crate::failure::transport::syn_unanswered;
    use crate::time::Timestamp;

    fn told(client: u8, server: [u8; 4], at: i64) -> Finding {
        let mut finding = Finding::new(
            &syn_unanswered::CLASS,
            Subject::Flow,
            Timestamp::from_ns(at),
        );
        finding.client = Some(([198, 51, 100, client].into(), 1_000 + u16::from(client)));
        finding.server = Some((server.into(), 443));
        finding
    }

    #[test]
    fn what_does_not_fit_is_added_up_and_counted() {
        let mut findings = Findings::default();
        for at in 0..10 {
            findings.push(told(1, [203, 0, 113, 1], at), 0);
            findings.push(told(2, [203, 0, 113, 2], at), 1);
        }
        assert_eq!(findings.fit(20, &mut [], &[0, 1]), 0, "they fit");
        assert_eq!(findings.fit(19, &mut [], &[0, 1]), 18);
        let counts: Vec<u64> = findings.all.iter().map(|one| one.count).collect();
        assert_eq!(counts, [10, 10]);
        let last = findings.all.iter().map(|one| one.last.ns());
        assert_eq!(last.collect::<Vec<_>>(), [9, 9]);
        assert_eq!(findings.set, [0, 1]);
    }

    #[test]
    fn local_addresses_of_two_points_are_not_one() {
        let mut findings = Findings::default();
        for set in 0..2 {
            findings.push(told(1, [10, 0, 0, 1], 0), set);
            findings.push(told(2, [10, 0, 0, 1], 0), set);
        }
        assert_eq!(findings.fit(3, &mut [], &[7, 8]), 2);
        assert_eq!(findings.set, [0, 1]);
    }
}

//! The run in figures, as Prometheus reads them.
//!
//! Names and units follow its conventions: base units, `_total` for what only grows. A look tells what the last ten to
//! fifteen minutes hold; `ledger` makes of that what was counted since the run began. However many endpoints, resolvers
//! and codes the traffic brings, the series stay below 2,000: `slots` says who has a series of its own.

mod ledger;
mod page;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use crate::limits::{INTERFACES_MEASURED, REASONS_MEASURED};
use crate::report::schema::{Finding, Incident, Withdrawn};
use crate::report::stream::{Pulse, Tell};
use crate::report::{Findings, Settings, Told};
use crate::tell::Vitals;
use crate::tell::vitals::held;
use crate::time::Timestamp;
use ledger::Ledger;

/// What was counted of a run, and who listens for it.
#[derive(Debug)]
pub struct Metrics {
    ledger: Ledger,
    /// Severities of the incidents that are open, by id.
    open: BTreeMap<String, &'static str>,
    opened: u64,
    told: Figures,
    page: Arc<Mutex<String>>,
    vitals: Arc<Vitals>,
    /// Packets at the last pulse.
    heard: u64,
}

/// What the last look told that is no sum of endpoints.
#[derive(Clone, Debug, Default)]
struct Figures {
    build: [String; 3],
    packets: u64,
    bytes: u64,
    flows: u64,
    /// By interface: lost by the system, and by the interface.
    lost: BTreeMap<String, [u64; 2]>,
    unjudged: BTreeMap<String, u64>,
    clock: Timestamp,
}

/// Where a page of figures can be read while the run goes on.
#[derive(Clone, Debug)]
pub struct Page {
    text: Arc<Mutex<String>>,
    vitals: Arc<Vitals>,
}

impl Page {
    /// The page in Prometheus' text format 0.0.4, as of the last look, with what is known at once.
    pub fn text(&self) -> String {
        let mut text = held(&self.text).clone();
        page::vitals(&mut text, &self.vitals);
        text
    }
}

impl Metrics {
    /// Nothing counted yet; names are masked as `settings` say.
    pub fn new(settings: Settings, vitals: &Arc<Vitals>) -> Self {
        Self {
            ledger: Ledger::new(settings),
            open: BTreeMap::new(),
            opened: 0,
            told: Figures::default(),
            page: Arc::default(),
            vitals: Arc::clone(vitals),
            heard: 0,
        }
    }

    /// The page to be.
    pub fn page(&self) -> Page {
        Page {
            text: Arc::clone(&self.page),
            vitals: Arc::clone(&self.vitals),
        }
    }

    fn write(&self) {
        *held(&self.page) = page::write(self);
    }

    fn figures(&mut self, told: &Told<Findings>) {
        let (tool, summary) = (&told.report.tool, &told.report.summary);
        let figures = &mut self.told;
        figures.build = [
            tool.version.to_owned(),
            tool.catalogue.clone(),
            tool.endpoints.clone(),
        ];
        let captures = &told.report.captures;
        let (packets, bytes) = captures.iter().fold((0, 0), |(packets, bytes), capture| {
            (packets + capture.packets, bytes + capture.bytes)
        });
        figures.packets = figures.packets.max(packets);
        figures.bytes = figures.bytes.max(bytes);
        figures.flows = figures.flows.max(summary.flows);
        let mut lost: BTreeMap<String, [u64; 2]> = BTreeMap::new();
        for one in &told.lost {
            let name = slots::own(&figures.lost, &lost, &one.interface, INTERFACES_MEASURED);
            let [system, interface] = lost.entry(name).or_default();
            *system += one.by_system;
            *interface += one.by_interface;
        }
        for (name, [system, interface]) in lost {
            let known = figures.lost.entry(name).or_default();
            *known = [known[0].max(system), known[1].max(interface)];
        }
        let mut unjudged: BTreeMap<String, u64> = BTreeMap::new();
        for (reason, count) in &told.report.unjudged {
            let name = slots::own(&figures.unjudged, &unjudged, reason, REASONS_MEASURED);
            *unjudged.entry(name).or_default() += count;
        }
        for (reason, count) in unjudged {
            let known = figures.unjudged.entry(reason).or_default();
            *known = (*known).max(count);
        }
    }
}

impl Tell for Metrics {
    fn begin(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.figures(told);
        self.write();
        Ok(())
    }

    fn finding(&mut self, _: &Finding) -> io::Result<()> {
        Ok(())
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        if row.state == "closed" {
            self.open.remove(&row.id);
        } else if self.open.insert(row.id.clone(), row.severity).is_none() {
            self.opened += 1;
        }
        Ok(())
    }

    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        self.open.remove(&past.id);
        Ok(())
    }

    fn endpoints(&mut self, _: &Told<Findings>) -> io::Result<()> {
        Ok(())
    }

    fn look(&mut self, told: &Told<Findings>, now: Timestamp) -> io::Result<()> {
        self.figures(told);
        self.told.clock = now;
        self.ledger.look(told, now);
        self.write();
        Ok(())
    }

    fn forgotten(&mut self, looks: (&Told<Findings>, &Told<Findings>), now: Timestamp) {
        self.ledger.forgotten(looks, now);
    }

    fn end(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.figures(told);
        // Nothing more can change what was found.
        self.ledger.look(told, Timestamp::from_ns(i64::MAX));
        self.write();
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn pulse(&mut self, pulse: &Pulse) -> io::Result<()> {
        self.vitals.turn(pulse.packets > self.heard);
        self.heard = pulse.packets;
        Ok(())
    }
}

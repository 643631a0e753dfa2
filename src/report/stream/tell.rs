//! How what a run has to tell leaves it: lines of JSON, words for people, and whoever else listens.

use std::io::{self, Write};

use crate::report::json::Lines;
use crate::report::schema::{Amended, Finding, Header, Incident, Losses, Withdrawn};
use crate::report::{Findings, Told};
use crate::time::Timestamp;

/// How a run that goes on stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// The capture's clock.
    pub clock: Timestamp,
    /// Packets so far.
    pub packets: u64,
    /// Packets that an interface says it lost, over all interfaces.
    pub interface_drops: u64,
    /// Packets that the system or our own queue lost, over all interfaces.
    pub system_drops: u64,
}

/// How events are written.
pub trait Tell {
    /// Before all others.
    fn begin(&mut self, told: &Told<Findings>) -> io::Result<()>;
    /// One finding.
    fn finding(&mut self, row: &Finding) -> io::Result<()>;
    /// A finding that was told, as it is now: more of its kind, more frames, another certainty.
    fn amended(&mut self, _row: &Finding, _revision: u64) -> io::Result<()> {
        Ok(())
    }
    /// A finding (`f-`) or an incident (`i-`) that was told and does not hold.
    fn withdrawn(&mut self, _past: &Withdrawn) -> io::Result<()> {
        Ok(())
    }
    /// One incident as it stands now.
    fn incident(&mut self, row: &Incident) -> io::Result<()>;
    /// The endpoints as they stand now.
    fn endpoints(&mut self, told: &Told<Findings>) -> io::Result<()>;
    /// The run as it stands at a look, and the capture's time then.
    fn look(&mut self, _: &Told<Findings>, _: Timestamp) -> io::Result<()> {
        Ok(())
    }
    /// What the same look tells before and after the past was forgotten.
    fn forgotten(&mut self, _: (&Told<Findings>, &Told<Findings>), _: Timestamp) {}
    /// After all others.
    fn end(&mut self, told: &Told<Findings>) -> io::Result<()>;
    /// Nothing more for now.
    fn rest(&mut self) -> io::Result<()>;
    /// Packets were lost since this was last said.
    fn losses(&mut self, _losses: &Losses) -> io::Result<()> {
        Ok(())
    }
    /// How the run itself stands: about once a second of the machine's time, also where nothing happens.
    fn pulse(&mut self, _: &Pulse) -> io::Result<()> {
        Ok(())
    }
}

/// Each event goes to all of them, in their order; the first that cannot write ends the run.
impl<T: Tell + ?Sized> Tell for Vec<Box<T>> {
    fn begin(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.begin(told))
    }

    fn finding(&mut self, row: &Finding) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.finding(row))
    }

    fn amended(&mut self, row: &Finding, revision: u64) -> io::Result<()> {
        self.iter_mut()
            .try_for_each(|one| one.amended(row, revision))
    }

    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.withdrawn(past))
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.incident(row))
    }

    fn endpoints(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.endpoints(told))
    }

    fn look(&mut self, told: &Told<Findings>, now: Timestamp) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.look(told, now))
    }

    fn forgotten(&mut self, looks: (&Told<Findings>, &Told<Findings>), now: Timestamp) {
        self.iter_mut().for_each(|one| one.forgotten(looks, now));
    }

    fn end(&mut self, told: &Told<Findings>) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.end(told))
    }

    fn losses(&mut self, losses: &Losses) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.losses(losses))
    }

    fn rest(&mut self) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.rest())
    }

    fn pulse(&mut self, pulse: &Pulse) -> io::Result<()> {
        self.iter_mut().try_for_each(|one| one.pulse(pulse))
    }
}

impl<W: Write> Tell for Lines<W> {
    fn begin(&mut self, told: &Told<Findings>) -> io::Result<()> {
        let header = Header {
            schema: "wirefault.events/1",
            tool: &told.report.tool,
            options: &told.options,
        };
        self.push("header", &header)
    }

    fn finding(&mut self, row: &Finding) -> io::Result<()> {
        self.push("finding", row)
    }

    fn amended(&mut self, row: &Finding, revision: u64) -> io::Result<()> {
        self.push("amended", &Amended { revision, row })
    }

    fn withdrawn(&mut self, past: &Withdrawn) -> io::Result<()> {
        self.push("withdrawn", past)
    }

    fn incident(&mut self, row: &Incident) -> io::Result<()> {
        self.push("incident", row)
    }

    fn endpoints(&mut self, told: &Told<Findings>) -> io::Result<()> {
        let mut endpoints = told.report.endpoints.iter();
        endpoints.try_for_each(|endpoint| self.push("endpoint", endpoint))
    }

    fn end(&mut self, told: &Told<Findings>) -> io::Result<()> {
        Self::end(self, told)
    }

    fn losses(&mut self, losses: &Losses) -> io::Result<()> {
        self.push("losses", losses)
    }

    fn rest(&mut self) -> io::Result<()> {
        self.flush()
    }
}

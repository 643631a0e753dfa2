//! From connections to attempts (catalogue, "The attempt"): what of their outcomes stands once the whole capture is
//! known.

use std::cmp::Ordering;

use crate::engine::told::Stub;
use crate::failure::Finding;
use crate::failure::attempt::{Flow, flow_of};
use crate::failure::fallback;
use crate::failure::flow::Outcomes;
use crate::time::Timestamp;

/// The order of connections: by first frame, client and server.
pub(super) fn order(a: &Stub, b: &Stub) -> Ordering {
    let ends = |stub: &Stub| (stub.client, stub.to.server);
    // Times mostly differ, and are compared at once.
    a.first.cmp(&b.first).then_with(|| ends(a).cmp(&ends(b)))
}

/// Where the connection of this identity is; `stubs` are sorted by `order`.
pub(super) fn place(stubs: &[Box<Stub>], flow: Flow) -> Option<usize> {
    stubs
        .binary_search_by_key(&flow, |stub| (stub.first, stub.client, stub.to.server))
        .ok()
}

/// The connection of this identity; `stubs` are sorted by `order`.
pub(super) fn stub(stubs: &mut [Box<Stub>], flow: Flow) -> Option<&mut Stub> {
    let place = place(stubs, flow)?;
    stubs.get_mut(place).map(|stub| &mut **stub)
}

/// These connections failed as parts of attempts that others stand for.
pub(super) fn are_parts(stubs: &mut [Box<Stub>], parts: &[Flow]) {
    for flow in parts {
        if let Some(stub) = stub(stubs, *flow) {
            stub.no_failure(stub.first);
        }
    }
}

/// What was told of these made no attempt fail after all: a challenge that was settled on another connection.
pub(super) fn did_not_fail(stubs: &mut [Box<Stub>], settled: &[Finding]) {
    for finding in settled.iter().filter(|finding| finding.fails) {
        if let Some(stub) = flow_of(finding).and_then(|flow| stub(stubs, flow)) {
            stub.no_failure(finding.first);
        }
    }
}

impl Stub {
    /// One failure less, of the minute of `at`.
    pub(super) fn no_failure(&mut self, at: Timestamp) {
        self.outcomes.failed = self.outcomes.failed.saturating_sub(1);
        if let Some(minutes) = self.minutes_mut() {
            minutes.forgive(at);
        }
    }

    /// A failure that the capture does not prove after all.
    pub(super) fn is_not_told(&mut self, at: Timestamp) {
        if self.outcomes.failed == 0 {
            return;
        }
        self.no_failure(at);
        let open = Outcomes {
            undetermined: 1,
            ..Outcomes::default()
        };
        self.outcomes.add(open);
        if let Some(minutes) = self.minutes_mut() {
            minutes.add(at, open);
        }
    }
}

/// Hellos that were followed by a lesser one are parts of that attempt.
pub(super) fn fall_back(stubs: &mut [Box<Stub>], findings: &mut [Finding]) {
    if !findings.iter().any(fallback::turned_down) {
        return;
    }
    let tried: Vec<fallback::Tried<'_>> = stubs
        .iter()
        .filter_map(|stub| {
            Some(fallback::Tried {
                flow: (stub.first, stub.client, stub.to.server),
                offer: stub.hello.as_deref()?,
                well: stub.outcomes.failed == 0 && stub.outcomes.ok + stub.outcomes.answered_no > 0,
            })
        })
        .collect();
    let parts = fallback::judge(findings, &tried);
    are_parts(stubs, &parts);
}

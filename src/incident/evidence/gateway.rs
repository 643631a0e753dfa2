//! Where packets vanish: at a gateway that is seen from both sides, or in a flood.

use super::hosts::share;
use super::{Found, Item};
use crate::failure::{Finding, Text};
use crate::incident::case::Case;

pub(in crate::incident) static GATEWAY_KEPT: Item = Item {
    id: "entered-and-never-left",
    text: Text {
        en: "the gateway, seen from both sides, took packets in and did not let them out: attempts, {n}",
        zh: "网关两侧抓包可见：报文进入网关后未再发出，涉及 {n} 次尝试",
    },
    measure: |case| passed(case).map(|(found, kept, left)| shares(found, kept, kept + left)),
};

pub(in crate::incident) static GATEWAY_LEFT: Item = Item {
    id: "left-the-gateway",
    text: Text {
        en: "the gateway, seen from both sides, let them pass, and nothing came back: attempts, {n}",
        zh: "网关两侧抓包可见：报文已从网关发出但无回应，涉及 {n} 次尝试",
    },
    measure: |case| passed(case).map(|(found, kept, left)| shares(found, left, kept + left)),
};

pub(in crate::incident) static FLOOD: Item = Item {
    id: "flood-meanwhile",
    text: Text {
        en: "a flood of SYNs goes on at the same server: {n} a second",
        zh: "同一服务器同时遭受 SYN 洪泛：每秒 {n} 个",
    },
    measure: |case| {
        let floods = || {
            let members = case.members();
            members.filter(|(_, finding)| finding.class.code == "transport.syn-flood")
        };
        let rate = floods()
            .map(|(_, finding)| finding.number("rate").unwrap_or(0))
            .max()?;
        let mut found = Found::new(1.0, usize::try_from(rate).unwrap_or(0));
        found.findings = floods().map(|(place, _)| place).collect();
        Some(found)
    },
};

/// Findings that say where their packets vanished; attempts that a gateway kept, and that it let pass.
fn passed(case: &Case<'_>) -> Option<(Found, u64, u64)> {
    let (mut kept, mut left, mut places) = (0, 0, Vec::new());
    for (place, finding) in case.members() {
        let (own_kept, own_left) = told(finding);
        if own_kept + own_left > 0 {
            kept += own_kept;
            left += own_left;
            places.push(place);
        }
    }
    let mut found = Found::new(0.0, 0);
    found.findings = places;
    (kept + left > 0).then_some((found, kept, left))
}

fn told(finding: &Finding) -> (u64, u64) {
    let number = |key| finding.number(key).unwrap_or(0).unsigned_abs();
    match finding.text("gateway") {
        Some("left") => (0, finding.count),
        Some(_) => (finding.count, 0),
        None => (number("gateway_kept"), number("gateway_left")),
    }
}

fn shares(found: Found, part: u64, of: u64) -> Found {
    Found {
        strength: share(part, of),
        number: part,
        ..found
    }
}

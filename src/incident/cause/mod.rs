//! The causes, and how they are weighed.
//!
//! Each cause is a row: the codes it shows itself by, the evidence that speaks for it and against it, each with a
//! weight in percent. A weight says how far this item alone, seen in full, would convince. The score is a noisy-or
//! discounted by what contradicts:
//!
//! `score = (1 - Π (1 - weight × strength) over all in favour) × Π (1 - weight × strength) over all against`
//!
//! The first item in favour is always the codes: the sum over the cause's codes of their share of the incident's
//! failures times their weight. A cause without any of its codes is not considered, and one whose codes are less than
//! half of the failures has that against it: evidence may not carry what it does not explain. So every score can be followed by
//! hand from the items in the report, and changed in one place here.

mod network;
mod path;
mod reach;
mod service;
mod trust;

use std::collections::BTreeMap;

use crate::failure::{Lang, Text};
use crate::incident::case::Case;
use crate::incident::evidence::{CODES, EXPLAINS_LITTLE, Found, Item};
use crate::incident::{HYPOTHESES_MAX, Hypothesis, Reason, SCORE_MIN};

/// Evidence that no row names, since every cause is weighed by it.
pub(super) static BESIDE: [&Item; 2] = [&CODES, &EXPLAINS_LITTLE];

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The user of the client.
    Client,
    /// The clients' own network.
    Site,
    /// The carrier between.
    Carrier,
    /// Whoever runs the service.
    Service,
}

impl Owner {
    /// Its words; `of_tax` where the service is the tax authority's.
    pub const fn words(self, of_tax: bool) -> Text {
        match (self, of_tax) {
            (Self::Client, _) => Text {
                en: "the client's user",
                zh: "企业内网（客户端）",
            },
            (Self::Site, _) => Text {
                en: "the own network",
                zh: "企业内网",
            },
            (Self::Carrier, _) => Text {
                en: "the carrier",
                zh: "运营商",
            },
            (Self::Service, true) => Text {
                en: "the tax authority's service",
                zh: "税务端",
            },
            (Self::Service, false) => Text {
                en: "the service's operator",
                zh: "第三方服务商",
            },
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct Cause {
    /// Its name in JSON, never renamed.
    pub name: &'static str,
    /// What it is, as a sentence.
    pub title: Text,
    /// Who can mend it.
    pub owner: Owner,
    /// Codes that it shows itself by, with their weights in percent.
    pub codes: &'static [(&'static str, u8)],
    /// Without all of these it is not considered, unless a code that is specific to it was seen.
    pub needs: &'static [&'static Item],
    /// What speaks for it, with weights in percent.
    pub favour: &'static [(&'static Item, u8)],
    /// What speaks against it, with weights in percent.
    pub against: &'static [(&'static Item, u8)],
    /// What would disprove it, and what to capture for that.
    pub disproof: Text,
    /// What to do now, and for good.
    pub remedy: Text,
}

/// Codes of this weight speak for a cause without further needs.
const SPECIFIC: f64 = 0.5;

/// Every cause that can be argued, in no order of likelihood.
pub static CAUSES: &[&[Cause]] = &[
    network::CAUSES,
    path::CAUSES,
    reach::CAUSES,
    trust::CAUSES,
    service::CAUSES,
];

impl Cause {
    /// The layer of the diagnosis method that it lies in, whatever layer it shows itself by.
    pub fn layer(&self) -> &'static str {
        let holds = |table: &[Self]| table.iter().any(|cause| cause.name == self.name);
        match () {
            () if holds(network::CAUSES) || holds(path::CAUSES) => "network",
            () if holds(reach::CAUSES) => "transport",
            () if holds(trust::CAUSES) => "security",
            () => "application",
        }
    }
}

/// The causes that could be behind a case, by score.
pub(super) fn weigh(case: &Case<'_>) -> Vec<Hypothesis> {
    let mut measured: BTreeMap<&'static str, Option<Found>> = BTreeMap::new();
    let mut all: Vec<Hypothesis> = CAUSES
        .iter()
        .flat_map(|causes| causes.iter())
        .filter_map(|cause| hypothesis(case, cause, &mut measured))
        .filter(|hypothesis| hypothesis.score >= SCORE_MIN)
        .collect();
    all.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(a.cause.name.cmp(b.cause.name))
    });
    all.truncate(HYPOTHESES_MAX);
    all
}

fn hypothesis(
    case: &Case<'_>,
    cause: &'static Cause,
    measured: &mut BTreeMap<&'static str, Option<Found>>,
) -> Option<Hypothesis> {
    let codes = by_codes(case, cause)?;
    let mut shown = |item: &'static Item| {
        measured
            .entry(item.id)
            .or_insert_with(|| item.measure(case))
            .clone()
    };
    if codes.weight < SPECIFIC && !cause.needs.iter().all(|item| shown(item).is_some()) {
        return None;
    }
    let number = codes.number;
    let mut favour = vec![codes];
    let mut against: Vec<Reason> = explains_little(case, number).into_iter().collect();
    for (items, reasons) in [(cause.favour, &mut favour), (cause.against, &mut against)] {
        for (item, percent) in items {
            let found = shown(item).filter(|found| found.strength > 0.0);
            reasons.extend(found.map(|found| reason(item, *percent, &found)));
        }
        reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.item.id.cmp(b.item.id)));
    }
    let left_open = |reasons: &[Reason]| {
        reasons
            .iter()
            .map(|reason| 1.0 - reason.weight)
            .product::<f64>()
    };
    let score = (1.0 - left_open(&favour)) * left_open(&against);
    Some(Hypothesis {
        cause,
        score: (score * 100.0).round() / 100.0,
        favour,
        against,
    })
}

/// Less than half of the failures are of the cause's codes: by how much less.
fn explains_little(case: &Case<'_>, number: u64) -> Option<Reason> {
    let share = 2.0 * number as f64 / case.total.max(1) as f64;
    (share < 1.0).then(|| Reason {
        item: &EXPLAINS_LITTLE,
        weight: ((1.0 - share) * 100.0).round() / 100.0,
        number,
        what: case.total.to_string(),
        findings: Vec::new(),
    })
}

fn reason(item: &'static Item, percent: u8, found: &Found) -> Reason {
    Reason {
        item,
        weight: (f64::from(percent) * found.strength).round() / 100.0,
        number: found.number,
        what: found.what.clone(),
        findings: found.findings.clone(),
    }
}

/// The share of the failures that show this cause, each code by its weight.
fn by_codes(case: &Case<'_>, cause: &'static Cause) -> Option<Reason> {
    let shown: Vec<(&'static str, u8, u64)> = cause
        .codes
        .iter()
        .filter_map(|(code, percent)| Some((*code, *percent, *case.codes.get(code)?)))
        .collect();
    let number: u64 = shown.iter().map(|(.., count)| count).sum();
    let weighted: u64 = shown
        .iter()
        .map(|(_, percent, count)| u64::from(*percent) * count)
        .sum();
    if number == 0 {
        return None;
    }
    Some(Reason {
        item: &CODES,
        weight: (weighted as f64 / case.total.max(1) as f64).round() / 100.0,
        number,
        what: shown
            .iter()
            .map(|(code, ..)| *code)
            .collect::<Vec<_>>()
            .join(", "),
        findings: case
            .members()
            .filter(|(_, finding)| shown.iter().any(|(code, ..)| *code == finding.class.code))
            .map(|(place, _)| place)
            .collect(),
    })
}

impl Hypothesis {
    /// Its title in one language.
    pub fn title(&self, lang: Lang) -> &'static str {
        self.cause.title.of(lang)
    }
}

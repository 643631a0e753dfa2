//! Incidents in the report: their mirror, their words, the five layers beside them.

pub(super) mod layers;
mod page;
pub(super) mod words;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::engine::diagnosis::availability;
use crate::failure::Lang;
use crate::incident::{Hypothesis, Incident, Reason};
use crate::report::order::Named;
use crate::report::row::{masked, shown};
use crate::report::schema::{Hypothesis as HypothesisRow, Incident as Row, Reason as ReasonRow};
use crate::report::told::attempts;
use crate::report::{Settings, id};

/// Incidents told at length.
pub(super) const INCIDENTS_MAX: usize = 20;
/// Findings named behind one item of evidence.
const NAMED_MAX: usize = 16;

/// The incidents that have a finding in the report, with their mirrors. `ids` gives a finding's id for its place in
/// the diagnosis; what lies outside the window has none.
pub(super) fn mirror(
    incidents: Vec<Incident>,
    ids: &Named,
    settings: &Settings,
) -> (Vec<Incident>, Vec<Row>) {
    incidents
        .into_iter()
        .filter_map(|incident| {
            let findings = named(&incident.findings, ids);
            let first = findings.first()?.clone();
            let row = row(&incident, &first, findings, ids, settings);
            Some((incident, row))
        })
        .unzip()
}

fn row(
    incident: &Incident,
    first: &str,
    findings: Vec<String>,
    ids: &Named,
    settings: &Settings,
) -> Row {
    let of_tax = of_tax(incident);
    let cause = incident.cause().map_or("unknown", |cause| cause.name);
    let scope = incident.scope.words();
    Row {
        id: incident_id(cause, &scope, first),
        revision: incident.revision,
        state: if incident.open { "open" } else { "closed" },
        title: words::title(incident, settings.lang),
        severity: incident.severity.name(),
        start: incident.start.to_string(),
        end: incident.end.to_string(),
        scope: shown(&scope, settings),
        endpoints: incident
            .endpoints
            .iter()
            .map(|endpoint| shown(endpoint, settings))
            .collect(),
        regions: incident.regions.clone(),
        clients: incident.clients,
        client_sample: incident
            .client_sample
            .iter()
            .map(ToString::to_string)
            .collect(),
        attempts: attempts(&incident.attempts),
        availability: availability(&incident.attempts),
        hypotheses: incident
            .hypotheses
            .iter()
            .map(|hypothesis| hypothesis_row(hypothesis, of_tax, ids, settings))
            .collect(),
        findings,
    }
}

fn hypothesis_row(
    hypothesis: &Hypothesis,
    of_tax: bool,
    ids: &Named,
    settings: &Settings,
) -> HypothesisRow {
    let (cause, lang) = (hypothesis.cause, settings.lang);
    let reasons = |reasons: &[Reason]| {
        reasons
            .iter()
            .map(|reason| ReasonRow {
                evidence: reason.item.id,
                weight: reason.weight,
                text: masked(&words::reason(reason, lang), settings),
                findings: named(&reason.findings, ids)
                    .into_iter()
                    .take(NAMED_MAX)
                    .collect(),
                value: json!(reason.number),
            })
            .collect()
    };
    HypothesisRow {
        cause: cause.name,
        score: hypothesis.score,
        title: cause.title.of(lang),
        owner: cause.owner.words(of_tax).of(lang),
        favour: reasons(&hypothesis.favour),
        against: reasons(&hypothesis.against),
        disproof: cause.disproof.of(lang),
        remedy: cause.remedy.of(lang),
    }
}

/// The ids of findings, each once, in the report's order.
fn named(places: &[usize], ids: &Named) -> Vec<String> {
    let found = ids.ids(places);
    found.iter().map(ToString::to_string).collect()
}

/// `i-` and 16 hex digits of SHA-256 over cause, scope and the first finding's id.
fn incident_id(cause: &str, scope: &str, first: &str) -> String {
    format!(
        "i-{}",
        id::hex(
            &Sha256::digest(format!("{cause}|{scope}|{first}").as_bytes()),
            8
        )
    )
}

/// The endpoints are the tax authority's.
pub(super) fn of_tax(incident: &Incident) -> bool {
    incident.endpoints.iter().any(|endpoint| {
        let name = endpoint
            .rsplit_once(':')
            .map_or(endpoint.as_str(), |(name, _)| name);
        name.ends_with("chinatax.gov.cn")
            || name.ends_with("-n-tax.gov.cn")
            || name.ends_with("tjsat.gov.cn")
    })
}

/// Places of the incidents in the order in which text tells them: the worst first, then those with most failures.
pub(super) fn by_weight(incidents: &[Incident]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..incidents.len()).collect();
    let failures =
        |incident: &Incident| -> u64 { incident.codes.iter().map(|(_, count)| count).sum() };
    places.sort_by_key(|place| {
        incidents.get(*place).map(|incident| {
            (
                std::cmp::Reverse(incident.severity),
                std::cmp::Reverse(failures(incident)),
                incident.start,
                *place,
            )
        })
    });
    places
}

/// `zh` or not, for punctuation.
pub(super) const fn colon(lang: Lang) -> &'static str {
    match lang {
        Lang::En => ": ",
        Lang::Zh => "：",
    }
}

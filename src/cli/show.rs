//! `wirefault show`: one flow as a ladder, or the frames of a finding that has none.

use std::collections::BTreeMap;

use crate::cli::again::{self, First, Second};
use crate::cli::chosen::{self, Chosen, Flow};
use crate::cli::{Common, Failure, Ids, output};
use crate::engine::trace::{Flows, Glimpse, Tracer, glimpse};
use crate::failure::Finding;
use crate::report::ladder::{self, Ladder};

/// Evidence frames by file and number, with their roles.
type Roles = BTreeMap<(u32, u32), Vec<&'static str>>;

/// Reads twice, draws.
pub(crate) fn run(mut common: Common, mut ids: Ids, all: bool) -> Result<u8, Failure> {
    chosen::sort(&mut common, &mut ids);
    if ids.finding.len() + ids.flow.len() != 1 {
        return Err(Failure::usage(
            "show: one id is needed; give --finding ID or --flow ID, `wirefault analyze PATH --format csv` lists them",
        ));
    }
    let first = again::first(&common, "show")?;
    let chosen = Chosen::find(&ids, &first, "show")?;
    let (flow, places) = subject(&chosen, &first);
    let entries: Vec<(usize, &Finding)> = first
        .told
        .report
        .findings
        .entries()
        .map(|(_, finding)| finding)
        .enumerate()
        .filter(|(place, _)| places.contains(place))
        .collect();
    let marked: Vec<&Finding> = entries
        .iter()
        .filter(|(place, _)| chosen.findings.is_empty() || chosen.findings.contains(place))
        .map(|(_, finding)| *finding)
        .collect();
    let mut roles = Roles::new();
    for seen in marked.iter().flat_map(|finding| &finding.evidence) {
        let known = roles.entry((seen.at.file, seen.at.frame)).or_default();
        if !known.contains(&seen.role) {
            known.push(seen.role);
        }
    }
    let wanted: Vec<_> = flow.iter().map(|flow| flow.flow).collect();
    let flows = Flows::new(&first.rows, &wanted);
    let mut tracer = Tracer::new(flows, roles.keys().copied().collect(), all);
    tracer.open_by(first.keys.clone());
    let mut beside: Vec<Glimpse> = Vec::new();
    let mut lacking = roles.len();
    let read = Second::open(&common, &first.files)?.each(&mut |frame, _| {
        let own = flow.is_some() && tracer.on_frame(frame);
        let evidence = roles.contains_key(&(frame.at.file, frame.at.frame));
        lacking -= usize::from(evidence);
        if evidence && !own {
            beside.push(glimpse(frame));
        }
        Ok(flow.is_some() || lacking > 0)
    });
    read.map_err(|error| Failure::usage(format!("show: {error}")))?;
    beside.sort_by_key(|glimpse| (glimpse.at.time, glimpse.at.file, glimpse.at.frame));
    let trace = tracer.finish();
    let files: Vec<String> = first.files.iter().map(|file| file.path.clone()).collect();
    let ladder = Ladder {
        flow: flow
            .as_ref()
            .map(|flow| flow.id.as_str())
            .zip(trace.as_ref()),
        evidence: &roles,
        beside: &beside,
        files: &files,
        end: first.files.iter().filter_map(|file| file.last_time).max(),
    };
    let (settings, skipped) = (first.settings, first.skipped);
    let told = first.told.only(&places).whole();
    let text = ladder::write(&ladder, &told, &settings);
    output::write(common.output.as_deref(), text.as_bytes())?;
    Ok(if skipped { 4 } else { 0 })
}

/// The flow to be drawn, and the places of the findings told below it: the one asked for first of all, and the flow's.
fn subject(chosen: &Chosen, first: &First) -> (Option<Flow>, Vec<usize>) {
    let entries = || {
        first
            .told
            .report
            .findings
            .entries()
            .map(|(_, finding)| finding)
    };
    let flow = chosen.flows.first().cloned().or_else(|| {
        let (key, began) = chosen
            .findings(first)
            .next()
            .and_then(|(_, finding)| finding.flow)?;
        let id = ladder::flow_id(&key, began);
        Some(Flow {
            id,
            flow: (key, began),
        })
    });
    let places = entries()
        .enumerate()
        .filter(|(place, finding)| {
            let own = flow
                .as_ref()
                .is_some_and(|flow| finding.flow == Some(flow.flow));
            own || chosen.findings.contains(place)
        })
        .map(|(place, _)| place)
        .collect();
    (flow, places)
}

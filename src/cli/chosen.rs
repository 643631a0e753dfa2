//! Ids on the command line into the findings and flows that they name.

use crate::cli::again::First;
use crate::cli::{Common, Failure, Ids};
use crate::engine::row::Row;
use crate::failure::Finding;
use crate::flow::key::FlowKey;
use crate::report::id;
use crate::time::Timestamp;

/// A flow that was asked for, or that a finding speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// `w-…`
    pub(crate) id: String,
    /// Its ends and its first frame's time.
    pub(crate) flow: (FlowKey, Timestamp),
}

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    /// Places of findings in the report.
    pub(crate) findings: Vec<usize>,
    /// Flows.
    pub(crate) flows: Vec<Flow>,
}

/// Ids among the paths are ids: `--finding f-1 f-2` is what one writes.
pub(crate) fn sort(common: &mut Common, ids: &mut Ids) {
    common.paths.retain(|path| {
        let list = match path.get(..2) {
            Some("f-") => &mut ids.finding,
            Some("w-") => &mut ids.flow,
            _ => return true,
        };
        let given = is_id(path) && std::fs::symlink_metadata(path).is_err();
        if given {
            list.push(path.clone());
        }
        !given
    });
}

impl Chosen {
    /// Finds what the ids name. A beginning that fits one alone will do.
    pub(crate) fn find(ids: &Ids, first: &First, command: &str) -> Result<Self, Failure> {
        let mut chosen = Self::default();
        let told: Vec<String> = if ids.finding.is_empty() {
            Vec::new()
        } else {
            let entries = first.told.report.findings.entries();
            entries.map(|(id, _)| id.to_string()).collect()
        };
        for wanted in &ids.finding {
            let place = one(wanted, "finding", &told, command, first)?;
            if !chosen.findings.contains(&place) {
                chosen.findings.push(place);
            }
        }
        chosen.findings.sort_unstable();
        let flow = |row: &Row| id::flow(&row.key, row.ts);
        let flows: Vec<String> = if ids.flow.is_empty() {
            Vec::new()
        } else {
            first.rows.iter().map(flow).collect()
        };
        for wanted in &ids.flow {
            let place = one(wanted, "flow", &flows, command, first)?;
            if let (Some(id), Some(row)) = (flows.get(place), first.rows.get(place)) {
                let (id, flow) = (id.clone(), (row.key, row.ts));
                let found = Flow { id, flow };
                if !chosen.flows.contains(&found) {
                    chosen.flows.push(found);
                }
            }
        }
        Ok(chosen)
    }

    /// The findings themselves, with their ids.
    pub(crate) fn findings<'f>(
        &'f self,
        first: &'f First,
    ) -> impl Iterator<Item = (id::Id, &'f Finding)> {
        let entries = first.told.report.findings.entries().enumerate();
        entries
            .filter(|(place, _)| self.findings.contains(place))
            .map(|(_, entry)| entry)
    }
}

/// Looks like the id of a finding or a flow.
fn is_id(text: &str) -> bool {
    text.get(2..)
        .is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The place of the id that `wanted` is, or is the beginning of; `what` is `finding` or `flow`.
fn one(
    wanted: &str,
    what: &str,
    known: &[String],
    command: &str,
    first: &First,
) -> Result<usize, Failure> {
    let (own, other, other_what, list) = match what {
        "finding" => ("f-", "w-", "flow", "analyze"),
        _ => ("w-", "f-", "finding", "flows"),
    };
    let asked = wanted.trim().to_ascii_lowercase();
    let wrong = |text: String| {
        Err(Failure::usage(format!(
            "{command}: --{what} {wanted}: {text}"
        )))
    };
    if asked.starts_with(other) {
        return wrong(format!(
            "this is the id of a {other_what}; give it to --{other_what}"
        ));
    }
    if !asked.starts_with(own) || asked.len() < 3 {
        return wrong(format!(
            "not the id of a {what}, which looks like {own}0123456789abcdef; `wirefault {list} PATH --format csv` lists them"
        ));
    }
    let fitting: Vec<usize> = known
        .iter()
        .enumerate()
        .filter(|(_, id)| id.starts_with(&asked))
        .map(|(place, _)| place)
        .collect();
    match fitting.as_slice() {
        [place] => Ok(*place),
        [] => wrong(format!(
            "no such {what} in {}; `wirefault {list} PATH --format csv` with the same paths and options lists them",
            read(first)
        )),
        several => wrong(format!(
            "{} ids begin like this; write it in full",
            several.len()
        )),
    }
}

/// What was read, in two words.
fn read(first: &First) -> String {
    match first.files.as_slice() {
        [file] => file.path.clone(),
        files => format!("{} files", files.len()),
    }
}

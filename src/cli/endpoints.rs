//! `wirefault endpoints`, and the rules of `--endpoints FILE` with the trust anchors that they name.

use std::path::Path;
use std::sync::Arc;

use crate::cli::{Failure, output};
use crate::endpoint::{self, RuleError, Rules};
use crate::engine::shard::Anchors;
use crate::protocol::tls::chain::TrustStore;

/// Errors told of one file.
const ERRORS_MAX: usize = 20;

/// Writes the built-in rules, or says what is wrong with a file.
pub(crate) fn run(print: bool, check: Option<&Path>) -> Result<u8, Failure> {
    if print {
        output::write(None, endpoint::BUILT_IN.as_bytes())?;
    }
    if let Some(path) = check {
        let (rules, _) = read(path)?;
        let line = format!("{}: {}\n", path.display(), summary(&rules));
        output::write(None, line.as_bytes())?;
    }
    Ok(0)
}

/// The rules of a file, and the anchors by the id of the rule that brings them.
pub(crate) fn read(path: &Path) -> Result<(Rules, Anchors), Failure> {
    let shown = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("--endpoints {shown}: cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error
            .as_bytes()
            .iter()
            .take(good)
            .filter(|byte| **byte == b'\n')
            .count();
        let message = "no UTF-8; save the file as UTF-8".to_owned();
        told(path, vec![RuleError { line, message }])
    })?;
    let mut rules = Rules::of_file(&text).map_err(|errors| told(path, errors))?;
    let (mut anchors, mut errors, mut contents) = (Anchors::new(), Vec::new(), Vec::new());
    for rule in rules.all() {
        let Some((bundle, line)) = &rule.ca_bundle else {
            continue;
        };
        match anchors_of(path, bundle) {
            Ok((store, content)) => {
                anchors.insert(rule.id.clone(), Arc::new(store));
                contents.push(content);
            }
            Err(message) => errors.push(RuleError {
                line: *line,
                message,
            }),
        }
    }
    if !errors.is_empty() {
        errors.sort();
        return Err(told(path, errors));
    }
    contents.iter().for_each(|content| rules.note(content));
    Ok((rules, anchors))
}

/// A PEM file named in the rule file at `path`.
fn anchors_of(path: &Path, bundle: &str) -> Result<(TrustStore, Vec<u8>), String> {
    let beside = path.parent().unwrap_or(Path::new("")).join(bundle);
    let content = std::fs::read(&beside).map_err(|error| {
        format!("`ca_bundle` is \"{bundle}\", which cannot be read: {error}; write a path relative to this file")
    })?;
    let store = TrustStore::from_pem(&content)
        .map_err(|error| format!("`ca_bundle` is \"{bundle}\", which {error}"))?;
    Ok((store, content))
}

/// All errors, each on a line of its own; the last one ends the run.
fn told(path: &Path, errors: Vec<RuleError>) -> Failure {
    let shown = path.display();
    let more = errors.len().saturating_sub(ERRORS_MAX);
    let mut lines: Vec<String> = errors
        .iter()
        .take(ERRORS_MAX)
        .map(|error| format!("{shown}:{}: {}", error.line, error.message))
        .collect();
    if more > 0 {
        lines.push(format!("{shown}: and {more} more"));
    }
    let last = lines.pop().unwrap_or_default();
    lines.iter().for_each(|line| output::complain(line));
    Failure::usage(last)
}

/// One line about sound rules.
fn summary(rules: &Rules) -> String {
    let number = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let beside = rules.all().len() - rules.own;
    let mut text = number(rules.own, "endpoint");
    match rules.replaced {
        0 => {}
        1 => text.push_str(", 1 in the place of a built-in one"),
        replaced => text.push_str(&format!(", {replaced} in the place of built-in ones")),
    }
    if beside > 0 {
        text.push_str(&format!("; {beside} built-in ones beside"));
    }
    if rules.own_payloads > 0 {
        text.push_str(&format!("; {}", number(rules.own_payloads, "payload")));
    }
    if rules.others {
        text.push_str("; all other servers too");
    }
    text
}

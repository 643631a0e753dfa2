//! `wirefault analyze`: one report over all inputs.

use crate::cli::{Common, Failure, FormatArg, SwitchArg, input, language, output};
use crate::failure::Severity;
use crate::report::{self, Findings, Settings, Told};

/// Reads, judges, writes.
pub(crate) fn run(common: &Common) -> Result<u8, Failure> {
    let settings = settings(common)?;
    let run = input::read(common, false)?;
    input::spare(common.output.as_deref(), &run.files)?;
    let mut told = Told::lazily(run.diagnosis, &run.files, &run.interfaces, &settings);
    told.options.filter.clone_from(&common.filter);
    let skipped = run.skipped;
    tell(told, common, &settings, skipped)
}

/// Writes a report in the format that was asked for; gives the exit status.
pub(crate) fn tell(
    told: Told<Findings>,
    common: &Common,
    settings: &Settings,
    skipped: bool,
) -> Result<u8, Failure> {
    let code = exit_code(&told, common.fail_on.map(Severity::from), skipped);
    let stats = format!(
        "{} packets, {} flows, {} findings",
        told.report.summary.packets,
        told.report.summary.flows,
        told.report.findings.len()
    );
    let path = common.output.as_deref();
    let text = match common.format {
        FormatArg::Json => {
            output::write_as_made(path, &mut |out| report::json::report(&told, out))?;
            None
        }
        FormatArg::Jsonl => {
            output::write_as_made(path, &mut |out| report::json::events(&told, out))?;
            None
        }
        FormatArg::Csv => Some(report::csv::findings(&told)),
        FormatArg::Text => Some(report::text::write(&told.whole(), settings)),
        FormatArg::Html => Some(report::html::write(&told.whole(), settings)),
        FormatArg::Markdown => Some(report::markdown::write(&told.whole(), settings)),
    };
    if let Some(text) = text {
        output::write(path, text.as_bytes())?;
    }
    if common.stats {
        let peak = peak_mib().map_or_else(String::new, |mib| {
            format!(", at most {mib} MiB of memory at once")
        });
        output::remark(&format!("{stats}{peak}"));
    }
    Ok(code)
}

/// The most memory that was resident at once, in MiB rounded up, where the system tells it (Linux).
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib.div_ceil(1_024))
}

/// How the report is written.
pub(crate) fn settings(common: &Common) -> Result<Settings, Failure> {
    let window = (
        moment("--since", common.since.as_deref())?,
        moment("--until", common.until.as_deref())?,
    );
    if let (Some(since), Some(until)) = window
        && until < since
    {
        return Err(Failure::usage(
            "--until lies before --since: nothing could be told",
        ));
    }
    Ok(Settings {
        lang: language(common.lang),
        zone: report::zone(common.tz.as_deref()).map_err(Failure::usage)?,
        findings_max: common.findings_max,
        redact: common.redact == SwitchArg::On,
        since: window.0,
        until: window.1,
        color: output::color(common.color, common.output.is_none()),
        width: output::width(),
        threads: input::threads(common)?,
    })
}

/// Findings at or above the threshold are 1; input that was skipped or cut short is 4.
fn exit_code(told: &Told<Findings>, threshold: Option<Severity>, skipped: bool) -> u8 {
    let failing = threshold.is_some_and(|threshold| told.worst >= Some(threshold));
    let cut = skipped || told.report.captures.iter().any(|capture| !capture.complete);
    match () {
        () if failing => 1,
        () if cut => 4,
        () => 0,
    }
}

fn moment(option: &str, text: Option<&str>) -> Result<Option<crate::time::Timestamp>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    match parsed
        .ok()
        .and_then(|time| i64::try_from(time.as_nanosecond()).ok())
    {
        Some(ns) => Ok(Some(crate::time::Timestamp::from_ns(ns))),
        None => Err(Failure::usage(format!(
            "{option} {text}: not a time; write it as 2026-11-24T10:02:11Z or 2026-11-24T18:02:11+08:00"
        ))),
    }
}

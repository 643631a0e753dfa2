//! The five layers of the diagnosis method, each with its state: 正常, 异常, 未见流量, 无法判断.

use crate::failure::{Lang, Text};
use crate::report::Told;
use crate::report::words::{enumeration, text};

pub(in crate::report) const HEADING: Text = text("Layer by layer", "分层诊断");

/// A cause of this score and more makes its layer fail.
const LIKELY: f64 = 0.6;

/// Heads of the table in Markdown.
pub(in crate::report) const HEADS: [Text; 3] = [
    text("layer", "层次"),
    text("state", "状态"),
    text("codes", "代码"),
];

/// The layers in order, outermost cause first.
const LAYERS: [(&str, Text); 5] = [
    ("network", text("network", "网络层")),
    ("transport", text("transport", "传输层")),
    ("security", text("security", "安全层")),
    ("application", text("application", "应用层")),
    ("data", text("data", "数据层")),
];

/// What a capture says of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Well,
    Ill,
    Unseen,
    Open,
}

impl State {
    const fn word(self) -> Text {
        match self {
            Self::Well => text("well", "正常"),
            Self::Ill => text("failing", "异常"),
            Self::Unseen => text("no traffic seen", "未见流量"),
            Self::Open => text("cannot be judged", "无法判断"),
        }
    }
}

/// One row of the table: the layer, its state, the codes that failed in it.
pub(in crate::report) struct Layer {
    /// The layer's name.
    pub(in crate::report) name: &'static str,
    /// The word of its state.
    pub(in crate::report) state: &'static str,
    /// It fails.
    pub(in crate::report) ill: bool,
    /// Codes of its findings above `info`; where it has none, the causes that lie in it.
    pub(in crate::report) codes: String,
}

/// The table.
pub(in crate::report) fn rows(told: &Told, lang: Lang) -> Vec<Layer> {
    LAYERS
        .iter()
        .map(|(layer, name)| {
            let mut codes: Vec<&str> = told
                .report
                .findings
                .iter()
                .filter(|finding| finding.layer == *layer && finding.severity != "info")
                .map(|finding| finding.code)
                .collect();
            codes.sort_unstable();
            codes.dedup();
            // A lost way out shows itself by silent connections: the layer of the cause fails too.
            let causes: std::collections::BTreeSet<&str> = told
                .incidents
                .iter()
                .filter(|incident| incident.codes.iter().any(|(code, _)| below(code)))
                .filter_map(|incident| incident.hypotheses.first())
                .filter(|first| first.score >= LIKELY && first.cause.layer() == *layer)
                .map(|first| first.cause.name)
                .collect();
            codes.extend(
                causes
                    .into_iter()
                    .filter(|_| codes.is_empty())
                    .collect::<Vec<_>>(),
            );
            let state = if codes.is_empty() {
                quiet(told, layer)
            } else {
                State::Ill
            };
            Layer {
                name: name.of(lang),
                state: state.word().of(lang),
                ill: state == State::Ill,
                codes: codes.join(enumeration(lang)),
            }
        })
        .collect()
}

/// What fails before a request is answered: where answers came, the layers below carried them.
fn below(code: &str) -> bool {
    !code.starts_with("application.") && !code.starts_with("data.")
}

/// The state of a layer in which nothing failed.
fn quiet(told: &Told, layer: &str) -> State {
    let report = &told.report;
    let said = |code: &str| report.findings.iter().any(|finding| finding.code == code);
    let measured = |time: fn(&crate::report::schema::LatencyKinds) -> bool| {
        report
            .endpoints
            .iter()
            .any(|endpoint| time(&endpoint.latency_ms))
    };
    let encrypted = measured(|latency| latency.tls.is_some());
    let answered = measured(|latency| latency.first_byte.is_some());
    match layer {
        "network" if report.summary.packets == 0 => State::Unseen,
        "transport" if report.summary.flows == 0 => State::Unseen,
        "network" | "transport" => State::Well,
        "security" if encrypted => State::Well,
        "security"
            if report
                .findings
                .iter()
                .any(|finding| finding.layer == "security") =>
        {
            State::Well
        }
        "security" => State::Unseen,
        // Plain answers were read, even if other connections are encrypted.
        "application" if answered && !said("capture.encrypted-blind") => State::Well,
        _ if said("capture.encrypted-blind") || encrypted => State::Open,
        // Bodies are told well only by the classes of the data layer; without a finding they are not vouched for.
        "data" if answered => State::Open,
        _ => State::Unseen,
    }
}

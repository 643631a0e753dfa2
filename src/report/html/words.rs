//! Words that the page alone needs.

use crate::failure::{Lang, Text};
use crate::report::words::{number, text};

pub(super) const FLOW: Text = text("flow", "流");
pub(super) const CLIENT: Text = text("client", "客户端");
pub(super) const SERVER: Text = text("server", "服务器");
pub(super) const SEE: Text = text("shown by", "参见");

/// Heads of the table of evidence.
pub(super) const EVIDENCE: [Text; 4] = [
    text("frame", "帧"),
    text("time", "时间"),
    text("role", "作用"),
    text("file", "文件"),
];

/// What opens the details of a block.
pub(super) fn details(findings: usize, lang: Lang) -> String {
    match (findings, lang) {
        (1, Lang::En) => "All details and evidence".to_owned(),
        (1, Lang::Zh) => "全部细节与证据".to_owned(),
        (all, Lang::En) => format!(
            "All details and evidence of {} findings",
            number(all as u64)
        ),
        (all, Lang::Zh) => format!("{} 项发现的全部细节与证据", number(all as u64)),
    }
}

/// `and 12 more findings; --format json lists all`.
pub(super) fn further(count: usize, lang: Lang) -> String {
    match lang {
        Lang::En => format!(
            "and {} more findings; --format json lists all",
            number(count as u64)
        ),
        Lang::Zh => format!(
            "另有 {} 项发现，--format json 列出全部",
            number(count as u64)
        ),
    }
}

/// `pcapng, 1,964 packets`.
pub(super) fn capture(format: &str, packets: u64, lang: Lang) -> String {
    match lang {
        Lang::En => format!("{format}, {} packets", number(packets)),
        Lang::Zh => format!("{format}，{} 个报文", number(packets)),
    }
}

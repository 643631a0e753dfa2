//! The balance of endpoints as a table: which of them, and what stands in its cells.

use crate::failure::{Lang, Text};
use crate::report::Told;
use crate::report::schema::{Endpoint, Latency};
use crate::report::words::{number, percent, text};

/// Heads of the endpoint table.
pub(super) const COLUMNS: [Text; 9] = [
    text("endpoint", "端点"),
    text("ok", "成功"),
    text("failed", "失败"),
    text("refused", "被拒"),
    text("open", "未定"),
    text("avail.", "可用性"),
    text("connect", "建连"),
    text("TLS", "TLS"),
    text("1st byte", "首字节"),
];

/// What the columns of the endpoint table mean.
pub(super) const LEGEND: Text = text(
    "refused: the service answered, and said no. open: the capture does not tell. Times: p50/p95 in ms, each the bound \
     that it lies below.",
    "被拒：服务已应答但拒绝；未定：抓包不足以判断。时延为 p50/p95（毫秒），取所在区间的上界。",
);

/// The cells of an endpoint's row.
pub(super) fn cells(endpoint: &Endpoint, lang: Lang) -> [String; 9] {
    let count = |count: u64| {
        if count == 0 {
            "·".to_owned()
        } else {
            number(count)
        }
    };
    let times = |latency: &Option<Latency>| {
        latency.as_ref().map_or_else(
            || "·".to_owned(),
            |latency| format!("{}/{}", latency.p50, latency.p95),
        )
    };
    let attempts = endpoint.attempts;
    [
        endpoint.id.clone(),
        count(attempts.ok),
        count(attempts.failed),
        count(attempts.answered_no),
        count(attempts.undetermined),
        endpoint
            .availability
            .map_or_else(|| "·".to_owned(), |share| percent(share, lang)),
        times(&endpoint.latency_ms.connect),
        times(&endpoint.latency_ms.tls),
        times(&endpoint.latency_ms.first_byte),
    ]
}

/// Endpoints of which the table tells: those with failures or findings before others, in the report's order; and how
/// many are left out.
pub(super) fn listed(told: &Told) -> (Vec<&Endpoint>, usize) {
    const LISTED_MAX: usize = 24;
    let all = &told.report.endpoints;
    let told_of = |endpoint: &&Endpoint| {
        endpoint.attempts.failed > 0 || !endpoint.findings_by_code.is_empty()
    };
    let hit = all.iter().filter(told_of).count();
    let mut room = LISTED_MAX.saturating_sub(hit);
    let listed: Vec<&Endpoint> = all
        .iter()
        .filter(|endpoint| {
            if told_of(endpoint) {
                return true;
            }
            let fits = room > 0;
            room = room.saturating_sub(1);
            fits
        })
        .collect();
    let listed: Vec<&Endpoint> = listed
        .into_iter()
        .take(LISTED_MAX.max(hit.min(100)))
        .collect();
    let omitted = all.len() - listed.len();
    (listed, omitted)
}

/// `and 12 further endpoints`.
pub(super) fn further(count: usize, lang: Lang) -> String {
    match lang {
        Lang::En => format!(
            "and {} further endpoints; --format json lists all",
            number(count as u64)
        ),
        Lang::Zh => format!(
            "另有 {} 个端点，--format json 列出全部",
            number(count as u64)
        ),
    }
}

/// How many TLS connections were read by their keys; nothing where none was.
pub(super) fn decrypted(connections: u64, lang: Lang) -> Option<String> {
    let count = number(connections);
    match (connections, lang) {
        (0, _) => None,
        (1, Lang::En) => Some("1 TLS connection decrypted by its keys".to_owned()),
        (_, Lang::En) => Some(format!("{count} TLS connections decrypted by their keys")),
        (_, Lang::Zh) => Some(format!("已用密钥解密 {count} 条 TLS 连接")),
    }
}

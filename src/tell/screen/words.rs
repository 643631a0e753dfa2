//! The screen's own words.

use crate::failure::{Lang, Text};

pub(super) const INCIDENTS: Text = Text {
    en: "Incidents",
    zh: "事件",
};
pub(super) const ENDPOINTS: Text = Text {
    en: "Endpoints",
    zh: "服务端",
};
pub(super) const PACKETS: Text = Text {
    en: "packets",
    zh: "报文",
};
pub(super) const LOST: Text = Text {
    en: "lost",
    zh: "丢失",
};
pub(super) const AVAILABLE: Text = Text {
    en: "avail",
    zh: "可用率",
};
pub(super) const OPEN: Text = Text {
    en: "open",
    zh: "未恢复",
};
pub(super) const CLOSED: Text = Text {
    en: "over",
    zh: "已结束",
};
pub(super) const NO_INCIDENT: Text = Text {
    en: "none so far",
    zh: "目前没有",
};
pub(super) const NO_ENDPOINT: Text = Text {
    en: "nobody tried anything yet",
    zh: "尚无访问",
};
pub(super) const MORE: Text = Text {
    en: "more",
    zh: "更多",
};
pub(super) const OK: Text = Text {
    en: "ok",
    zh: "成功",
};
pub(super) const FAILED: Text = Text {
    en: "failed",
    zh: "失败",
};
pub(super) const MINUTES: Text = Text {
    en: "min",
    zh: "分钟",
};
pub(super) const CLIENTS: Text = Text {
    en: "clients",
    zh: "客户端",
};
pub(super) const KEYS: Text = Text {
    en: "q quit  ↑↓ choose  Enter details",
    zh: "q 退出  ↑↓ 选择  回车 详情",
};
pub(super) const KEYS_DETAILS: Text = Text {
    en: "q quit  ↑↓ scroll  Esc back",
    zh: "q 退出  ↑↓ 滚动  Esc 返回",
};
pub(super) const FOR: Text = Text {
    en: "for",
    zh: "支持",
};
pub(super) const AGAINST: Text = Text {
    en: "against",
    zh: "不支持",
};
pub(super) const REMEDY: Text = Text {
    en: "do",
    zh: "处置",
};
pub(super) const OWNER: Text = Text {
    en: "who",
    zh: "责任方",
};
pub(super) const DISPROOF: Text = Text {
    en: "disproved by",
    zh: "可由此排除",
};
pub(super) const HIT: Text = Text {
    en: "hit",
    zh: "影响",
};
pub(super) const SMALL: Text = Text {
    en: "the terminal is too small: 60 columns and 12 lines at least",
    zh: "终端太小：至少 60 列 12 行",
};

/// `open`, `grown`, `closed`, as people say it.
pub(super) fn state(state: &str, lang: Lang) -> &'static str {
    match state {
        "closed" => CLOSED.of(lang),
        _ => OPEN.of(lang),
    }
}

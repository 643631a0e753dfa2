//! What the findings themselves say beyond their code.

use std::collections::BTreeSet;

use super::hosts::share;
use super::{Found, Item, list};
use crate::failure::{Finding, Text, Value};
use crate::incident::case::Case;

/// The codes a cause is made of; measured per cause, its strength is the weighted share of the failures.
pub(in crate::incident) static CODES: Item = Item {
    id: "codes",
    text: Text {
        en: "failures of this kind: {n} ({what})",
        zh: "{n} 次失败属于此类：{what}",
    },
    measure: |_| None,
};

/// Against a cause whose codes are the lesser part of the failures; measured per cause too.
pub(in crate::incident) static EXPLAINS_LITTLE: Item = Item {
    id: "explains-little",
    text: Text {
        en: "of {what} failures it would explain only {n}",
        zh: "共 {what} 次失败，仅能解释其中 {n} 次",
    },
    measure: |_| None,
};

pub(in crate::incident) static RETRY_AFTER: Item = Item {
    id: "retry-after",
    text: Text {
        en: "the service asks to come back later (Retry-After): answers, {n}",
        zh: "服务端在 {n} 次应答中要求稍后重试（Retry-After）",
    },
    measure: |case| shown(case, |finding| finding.text("retry_after").is_some()),
};

pub(in crate::incident) static NOT_ITS_OWN_KEY: Item = Item {
    id: "key-exchange-not-signed",
    text: Text {
        en: "the server's key exchange is not signed with the key of the certificate that it shows ({n}×)",
        zh: "服务器的密钥交换并非由所出示证书的私钥签名：{n} 次",
    },
    measure: |case| {
        shown(case, |finding| {
            finding.text("server_signature") == Some("wrong")
        })
    },
};

pub(in crate::incident) static CLOCK_SIGN: Item = Item {
    id: "client-calls-valid-expired",
    text: Text {
        en: "the client calls a certificate expired or not yet valid that is valid at capture time, or that others take ({n}×)",
        zh: "客户端把抓包时刻有效（或其他客户端接受）的证书判为过期或尚未生效：{n} 次",
    },
    measure: |case| {
        let hidden = !case.others_well.is_empty();
        shown(case, |finding| {
            flag(finding, "client_clock") == Some(true) || (hidden && says_expired_unseen(finding))
        })
    },
};

pub(in crate::incident) static EXPIRED_SAID: Item = Item {
    id: "clients-say-expired",
    text: Text {
        en: "the clients themselves say that the certificate has expired (alert certificate_expired, {n}×), and none takes it",
        zh: "客户端告警“证书已过期”（certificate_expired）：{n} 次，且无客户端接受该证书",
    },
    measure: |case| {
        if !case.others_well.is_empty() {
            return None;
        }
        shown(case, says_expired_unseen)
    },
};

pub(in crate::incident) static UNKNOWN_CA: Item = Item {
    id: "client-knows-no-ca",
    text: Text {
        en: "the client says that it does not know the CA (alert unknown_ca, {n}×)",
        zh: "客户端告警“未知 CA”（unknown_ca）：{n} 次",
    },
    measure: |case| {
        shown(case, |finding| {
            let about_chain = finding.class.code.starts_with("security.cert-");
            about_chain && finding.number("alert_code") == Some(48)
        })
    },
};

pub(in crate::incident) static INTERMEDIATE: Item = Item {
    id: "not-the-leaf",
    text: Text {
        en: "the server's own certificate is not at fault, one above it in the chain is: {what}",
        zh: "出问题的不是服务器证书本身，而是链上的上级证书：{what}",
    },
    measure: |case| {
        let found = shown(case, |finding| {
            finding
                .number("position")
                .is_some_and(|position| position > 0)
        })?;
        let which: BTreeSet<&str> = case
            .members()
            .filter_map(|(_, finding)| finding.text("which"))
            .collect();
        Some(found.what(list(which)))
    },
};

pub(in crate::incident) static SAME_HOPS: Item = Item {
    id: "same-distance",
    text: Text {
        en: "all resets come from {what} hops away, whatever server they name",
        zh: "无论冒用哪台服务器，RST 均来自 {what} 跳之外的同一位置",
    },
    measure: |case| {
        let hops: BTreeSet<i64> = case
            .members()
            .filter_map(|(_, finding)| finding.number("rst_hops"))
            .collect();
        let [hops] = hops
            .iter()
            .copied()
            .collect::<Vec<_>>()
            .try_into()
            .ok()
            .map(|one: [i64; 1]| one)?;
        let found = shown(case, |finding| finding.number("rst_hops").is_some())?;
        (case.total > 1).then(|| found.what(hops.to_string()))
    },
};

pub(in crate::incident) static ROUTER_NET: Item = Item {
    id: "no-route",
    text: Text {
        en: "a router says that it has no route (net unreachable): {what}",
        zh: "路由器回报无路由（网络不可达）：{what}",
    },
    measure: |case| router(case, &["net", "no-route"]),
};

pub(in crate::incident) static ROUTER_HOST: Item = Item {
    id: "last-hop-finds-no-host",
    text: Text {
        en: "the last router finds the host no more (host unreachable): {what}",
        zh: "末跳路由器找不到该主机（主机不可达）：{what}",
    },
    measure: |case| router(case, &["host", "address"]),
};

pub(in crate::incident) static ROUTER_PORT: Item = Item {
    id: "port-unreachable",
    text: Text {
        en: "the host itself says that nothing listens there (port unreachable)",
        zh: "主机自身回报端口无监听（端口不可达）",
    },
    measure: |case| router(case, &["port", "protocol"]),
};

pub(in crate::incident) static ACKED: Item = Item {
    id: "handshake-ack-ignored",
    text: Text {
        en: "the client's last ACK arrives and the SYN-ACK is repeated all the same ({n}×)",
        zh: "客户端已回 ACK，服务端仍重发 SYN-ACK：{n} 次",
    },
    measure: |case| half_open(case, "client_acked", true),
};

pub(in crate::incident) static NOT_ACKED: Item = Item {
    id: "syn-ack-unheard",
    text: Text {
        en: "the server's SYN-ACK never reaches the client, which repeats its SYN ({n}×)",
        zh: "服务端的 SYN-ACK 未到达客户端，客户端继续重发 SYN：{n} 次",
    },
    measure: |case| half_open(case, "client_retried_syn", true),
};

pub(in crate::incident) static TUNNEL_DOWN: Item = Item {
    id: "tunnel-down-meanwhile",
    text: Text {
        en: "a tunnel of the same network fails meanwhile: {what} ({n}×)",
        zh: "同一时段内隧道失败：{what}（{n} 次）",
    },
    measure: |case| meanwhile(case, &["security.vpn-"]),
};

pub(in crate::incident) static STORM: Item = Item {
    id: "storm-meanwhile",
    text: Text {
        en: "a broadcast storm goes on meanwhile ({n}×: {what})",
        zh: "同一时段内存在广播风暴（{n} 次：{what}）",
    },
    measure: |case| meanwhile(case, &["network.arp-storm"]),
};

pub(in crate::incident) static LARGE_LOST: Item = Item {
    id: "large-lost-small-pass",
    text: Text {
        en: "large packets vanish and smaller ones of the same connections pass ({n}×: {what})",
        zh: "同一连接中大包消失而小包可达（{n} 次：{what}）",
    },
    measure: |case| meanwhile(case, &["network.pmtu-blackhole"]),
};

pub(in crate::incident) static LINE_DOWN: Item = Item {
    id: "line-down-meanwhile",
    text: Text {
        en: "the office's dial-up line does not come up meanwhile ({n}×: {what})",
        zh: "同一时段内拨号线路未接通（{n} 次：{what}）",
    },
    measure: |case| meanwhile(case, &["network.pppoe-failed"]),
};

/// Findings of these codes in the case, however few beside what fails by them.
fn meanwhile(case: &Case<'_>, codes: &[&str]) -> Option<Found> {
    let is_one = |finding: &Finding| {
        codes
            .iter()
            .any(|code| finding.class.code.starts_with(code))
    };
    let found = shown(case, is_one)?;
    let named: BTreeSet<&str> = case
        .members()
        .filter(|(_, finding)| is_one(finding))
        .map(|(_, finding)| finding.class.code)
        .collect();
    // Where nothing else fails by it, it says no more than its codes, which are counted already.
    let beside = case.members().any(|(_, finding)| !is_one(finding));
    let strength = if beside { 1.0 } else { 0.0 };
    Some(Found { strength, ..found }.what(list(named)))
}

pub(in crate::incident) static WAF: Item = Item {
    id: "waf-mark",
    text: Text {
        en: "the answer carries the mark of a web application firewall: {what}",
        zh: "应答带有 WAF 标记：{what}",
    },
    measure: |case| {
        let marks: BTreeSet<&str> = case
            .members()
            .filter_map(|(_, finding)| finding.text("waf"))
            .collect();
        Some(shown(case, |finding| finding.text("waf").is_some())?.what(list(marks)))
    },
};

pub(in crate::incident) static PAGE_FOR_DATA: Item = Item {
    id: "page-instead-of-data",
    text: Text {
        en: "programs that ask for data are refused with a web page, which the service itself does not speak ({n}×)",
        zh: "程序请求数据却收到网页形式的拒绝，不像业务服务自身的应答：{n} 次",
    },
    measure: |case| shown(case, |finding| refused_with(finding, "page")),
};

pub(in crate::incident) static REFUSED_IN_DATA: Item = Item {
    id: "refused-in-its-own-form",
    text: Text {
        en: "the refusal itself is data of the kind that was asked for, as the service writes it ({n}×)",
        zh: "拒绝内容为业务接口自身的数据格式：{n} 次",
    },
    measure: |case| shown(case, |finding| refused_with(finding, "data")),
};

fn refused_with(finding: &Finding, what: &str) -> bool {
    finding.class.code == "application.http-forbidden" && finding.text("answered") == Some(what)
}

pub(in crate::incident) static HELLO_NAME: Item = Item {
    id: "cut-at-the-name",
    text: Text {
        en: "it is cut right after the hello that names {what}",
        zh: "恰在带有域名 {what} 的 ClientHello 之后被切断",
    },
    measure: |case| {
        let names: BTreeSet<&str> = case
            .members()
            .filter_map(|(_, finding)| finding.text("sni"))
            .collect();
        let cut = |finding: &Finding| {
            finding.text("sni").is_some()
                && ["security.tls-cut-on-hello", "transport.reset-injected"]
                    .contains(&finding.class.code)
        };
        Some(shown(case, cut)?.what(list(names)))
    },
};

pub(in crate::incident) static NEXT_HOP: Item = Item {
    id: "next-hop",
    text: Text {
        en: "the silent neighbour is the next hop of all traffic",
        zh: "无应答的邻居是全部流量的下一跳",
    },
    measure: |case| shown(case, |finding| flag(finding, "next_hop") == Some(true)),
};

pub(in crate::incident) static SERVER_FULL: Item = Item {
    id: "server-takes-no-more",
    text: Text {
        en: "the server's receive window stays closed ({n}×)",
        zh: "服务端接收窗口持续为零：{n} 次",
    },
    measure: |case| {
        shown(case, |finding| {
            finding.class.code == "transport.zero-window"
                && finding.text("receiver") == Some("server")
        })
        .map(strong)
    },
};

pub(in crate::incident) static LOSS: Item = Item {
    id: "segments-lost",
    text: Text {
        en: "segments of the same endpoint are lost on the way; retransmitted: {n}",
        zh: "该端点的报文在途丢失：重传 {n} 个",
    },
    measure: |case| {
        let mut found = shown(case, |finding| finding.class.code == "network.packet-loss")?;
        // In thousandths: from a tenth on it is seen in full, a few in a hundred are ordinary dirt.
        let share = case
            .members()
            .filter_map(|(_, finding)| lost(finding))
            .max()
            .unwrap_or(0);
        found.strength = share as f64 / 100.0;
        found.number = case
            .members()
            .filter_map(|(_, finding)| finding.number("retransmitted"))
            .sum::<i64>()
            .unsigned_abs();
        Some(found)
    },
};

pub(in crate::incident) static SLOW_TOO: Item = Item {
    id: "slow-answers-beside",
    text: Text {
        en: "further answers that came only after seconds: {n}",
        zh: "另有 {n} 次应答耗时数秒",
    },
    measure: |case| {
        shown(case, |finding| {
            finding.class.code == "application.slow-response"
        })
        .map(strong)
    },
};

pub(in crate::incident) static CREDENTIALS: Item = Item {
    id: "credentials-refused",
    text: Text {
        en: "credentials were sent and refused ({n}×)",
        zh: "已携带凭据但被拒绝：{n} 次",
    },
    measure: |case| {
        shown(case, |finding| {
            flag(finding, "credentials_sent") == Some(true)
        })
    },
};

pub(in crate::incident) static LEAF_ALONE: Item = Item {
    id: "leaf-alone",
    text: Text {
        en: "the server sends its own certificate and nothing that leads on from it ({n}×); missing: {what}",
        zh: "服务器只发送自身证书，缺少上级证书：{n} 次（缺少 {what}）",
    },
    measure: |case| path_sent(case, |sent| sent < 2),
};

pub(in crate::incident) static ROOT_UNKNOWN: Item = Item {
    id: "only-the-root-is-unknown",
    text: Text {
        en: "intermediates are sent; what is missing is the root above them ({n}×): {what}",
        zh: "中间证书已下发，缺少的是其上的根证书：{n} 次（{what}）",
    },
    measure: |case| path_sent(case, |sent| sent >= 2),
};

pub(in crate::incident) static BIG_HELLO: Item = Item {
    id: "hello-of-several-segments",
    text: Text {
        en: "the ClientHello needs several segments, and they never all arrive ({n}×)",
        zh: "ClientHello 需要多个报文段，始终未能全部送达：{n} 次",
    },
    measure: |case| {
        shown(case, |finding| {
            let hello = matches!(
                finding.class.code,
                "network.pmtu-blackhole"
                    | "transport.data-unacked"
                    | "security.tls-handshake-stalled"
            );
            hello
                && finding
                    .number("hello_segments")
                    .is_some_and(|segments| segments > 1)
        })
    },
};

/// Chains that lack an issuer, by how many certificates of the path were sent.
fn path_sent(case: &Case<'_>, wanted: impl Fn(i64) -> bool) -> Option<Found> {
    let sent = |finding: &Finding| {
        let surplus = finding.details.iter().find(|(key, _)| *key == "surplus");
        let surplus = match surplus {
            Some((_, Value::List(surplus))) => surplus.len(),
            _ => 0,
        };
        let sent = finding.number("certificates_sent")?;
        Some(sent - i64::try_from(surplus).unwrap_or(0))
    };
    let lacks = |finding: &Finding| {
        finding.class.code == "security.cert-chain-incomplete" && sent(finding).is_some_and(&wanted)
    };
    let missing: BTreeSet<&str> = case
        .members()
        .filter(|(_, finding)| lacks(finding))
        .filter_map(|(_, finding)| finding.text("missing_issuer"))
        .collect();
    Some(shown(case, lacks)?.what(list(missing)))
}

/// An alert about a chain that is encrypted: what it says is all that is known of it.
fn says_expired_unseen(finding: &Finding) -> bool {
    finding.class.code == "security.cert-rejected"
        && finding.number("alert_code") == Some(45)
        && finding.text("chain").is_none()
}

/// Handshakes whose last ACK was seen, or was not.
pub(super) fn half_open(case: &Case<'_>, key: &str, shown_as: bool) -> Option<Found> {
    shown(case, |finding| {
        finding.class.code == "transport.handshake-incomplete"
            && flag(finding, key) == Some(shown_as)
    })
}

/// The share of segments lost, in thousandths.
fn lost(finding: &Finding) -> Option<i64> {
    (finding.class.code == "network.packet-loss").then(|| finding.number("share"))?
}

/// A fact that needs no share: once seen, it is seen.
fn strong(found: Found) -> Found {
    Found {
        strength: 1.0,
        ..found
    }
}

/// The share of the failures whose finding shows something.
fn shown(case: &Case<'_>, shows: impl Fn(&Finding) -> bool) -> Option<Found> {
    let mut found = Found::new(0.0, 0);
    for (place, finding) in case.members().filter(|(_, finding)| shows(finding)) {
        found.number += finding.count;
        found.findings.push(place);
    }
    found.strength = share(found.number, case.total);
    (found.number > 0).then_some(found)
}

fn router(case: &Case<'_>, words: &[&str]) -> Option<Found> {
    let says = |finding: &Finding| {
        finding.class.code == "network.icmp-unreachable"
            && finding
                .text("unreachable")
                .is_some_and(|what| words.contains(&what))
    };
    let routers: BTreeSet<&str> = case
        .members()
        .filter(|(_, finding)| says(finding))
        .filter_map(|(_, finding)| finding.text("router"))
        .collect();
    Some(shown(case, says)?.what(list(routers)))
}

fn flag(finding: &Finding, key: &str) -> Option<bool> {
    finding
        .details
        .iter()
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        })
}

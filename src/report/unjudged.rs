//! Reasons why something could not be decoded or decided, as sentences.

use std::collections::BTreeMap;

use crate::failure::{Lang, Text};

/// Numbers of unknown types that are named.
const NAMED_MAX: usize = 4;

/// How often, and what; the engine's unknown reasons verbatim. Most frequent first.
pub(super) fn sentences(reasons: &BTreeMap<String, u64>, lang: Lang) -> Vec<(u64, String)> {
    let mut told: Vec<(u64, String)> = Vec::new();
    let mut unknown: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for (reason, count) in reasons {
        match reason.split_once(':') {
            Some(("unknown", rest)) => {
                let (layer, number) = rest.split_once(':').unwrap_or((rest, ""));
                unknown.entry(layer).or_default().push((*count, number));
            }
            Some((kind, layer)) => told.push((
                *count,
                undecoded(kind, layer, lang).unwrap_or_else(|| reason.clone()),
            )),
            None => told.push((
                *count,
                known(reason).map_or_else(|| reason.clone(), |text| text.of(lang).to_owned()),
            )),
        }
    }
    for (layer, mut numbers) in unknown {
        numbers.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let count = numbers.iter().map(|(count, _)| count).sum();
        told.push((count, of_unknown_type(layer, &numbers, lang)));
    }
    told.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    told
}

/// Reasons, each in English and Chinese.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "one-sided",
        "connections of which only one direction was captured",
        "连接只抓到单向报文",
    ),
    (
        "handshake-not-seen-to-end",
        "connections whose TCP handshake had no outcome before the capture ended",
        "连接的 TCP 握手到抓包结束仍无结果",
    ),
    (
        "starts-mid-flow",
        "connections that began before the capture",
        "连接在抓包开始之前已建立",
    ),
    (
        "nothing-said",
        "connections that stood without a request and its answer",
        "连接已建立，但未见完整的请求与应答",
    ),
    (
        "reverse-path-not-in-capture",
        "silences that prove nothing: the way back is not in the capture",
        "未见应答，但抓包中没有回程报文，不能据此判断",
    ),
    (
        "dns-patience-not-passed",
        "name lookups still waiting when the capture ended",
        "域名解析到抓包结束仍在等待应答",
    ),
    (
        "not-an-endpoint",
        "connections, lookups and hosts that no endpoint rule speaks of",
        "连接、域名解析和主机不属于任何端点规则",
    ),
    (
        "filtered-out",
        "packets that --filter left out",
        "报文被 --filter 排除",
    ),
    (
        "tls-keys-wrong",
        "TLS connections that the keys of the key log do not open",
        "密钥日志中的密钥无法解密的 TLS 连接",
    ),
    (
        "tls-lost-track",
        "TLS connections that the keys open only in part: too much of them is missing or damaged",
        "密钥只能解密一部分的 TLS 连接：缺失或损坏的数据过多",
    ),
    (
        "tls-suite-not-opened",
        "TLS connections with keys whose version or cipher suite is not decrypted here",
        "有密钥但其版本或密码套件不支持解密的 TLS 连接",
    ),
    (
        "key-lines-malformed",
        "lines in secrets blocks of the capture that are not those of a key log",
        "抓包内密钥块中不符合密钥日志格式的行",
    ),
    (
        "keys-omitted",
        "TLS secrets of the capture that were too many to keep",
        "抓包内的 TLS 密钥过多，部分未保留",
    ),
    (
        "evicted",
        "connections judged before their end because too many were open at once",
        "并发连接过多，提前结束判断",
    ),
    (
        "connections-summed",
        "ended connections that were too many to be told one by one: they are counted",
        "已结束的连接过多，不再逐条说明，仅计数",
    ),
    (
        "findings-summed",
        "findings that were too many to be told one by one: they are counted with others of their server",
        "故障过多，不再逐条说明，并入同一服务器的计数",
    ),
    (
        "pairs-not-noted",
        "packets between hosts that were too many to remember: no host is called silent from then on",
        "通信主机对过多，未记录的报文不作为主机无响应的依据",
    ),
    (
        "chains-not-compared",
        "certificate chains that were too many to be compared with others",
        "证书链数量过多，未与其他证书链比对",
    ),
    (
        "bodies-not-read",
        "JSON and XML bodies that were too large to be checked",
        "JSON、XML 正文过大，未作检查",
    ),
    (
        "messages-encrypted",
        "business messages that are encrypted inside their body",
        "加密业务报文，未读取其内容",
    ),
    (
        "exchanges-not-compared",
        "requests that were too many to be compared with later ones",
        "请求数量过多，未与后续请求比对",
    ),
    (
        "exchanges-not-told",
        "requests of one connection that failed or were slow, too many to be told one by one",
        "同一连接中失败或缓慢的请求过多，未逐条列出",
    ),
    (
        "late-segments",
        "segments of connections that had already ended",
        "报文属于已结束的连接",
    ),
    (
        "fragments-incomplete",
        "fragmented packets of which a part is missing",
        "分片报文缺少部分分片",
    ),
    (
        "lookups-evicted",
        "name lookups given up because too many were open at once",
        "并发域名解析过多，提前放弃",
    ),
    (
        "names-forgotten",
        "resolved names forgotten because there were too many",
        "已解析的域名过多，部分被遗忘",
    ),
    (
        "names-unchecked",
        "certificates not held against the name of a DNS answer because there were too many",
        "无 SNI 的握手过多，部分证书未与 DNS 域名核对",
    ),
    (
        "neighbours-omitted",
        "hosts of the link that were too many to follow",
        "链路上主机过多，部分未跟踪",
    ),
    (
        "tunnels-omitted",
        "attempts at a VPN that were too many to follow",
        "VPN 协商过多，部分未跟踪",
    ),
    (
        "leases-omitted",
        "clients of DHCP that were too many to follow",
        "DHCP 客户端过多，部分未跟踪",
    ),
    (
        "dialups-omitted",
        "hosts that dial by PPPoE that were too many to follow",
        "PPPoE 拨号主机过多，部分未跟踪",
    ),
    (
        "checksums-omitted",
        "hosts with wrong checksums that were too many to follow",
        "校验和错误的主机过多，部分未跟踪",
    ),
    (
        "http2-unread",
        "HTTP/2 headers that refer to what the capture does not hold, so that their status is not known",
        "HTTP/2 头部引用了抓包之外的内容，状态码未知",
    ),
    (
        "no-sm2-anchors",
        "handshakes with an SM2 chain whose root is not known: no SM2 anchors were given (--ca-bundle, or ca_bundle of an endpoint rule)",
        "握手出示 SM2 证书链，但未提供国密根证书，未判断是否可信（--ca-bundle，或端点规则中的 ca_bundle）",
    ),
    (
        "quic-unanswered",
        "QUIC connections that nobody answered, and no TCP connection in their place",
        "QUIC 连接无应答，也未见改用 TCP",
    ),
    (
        "quic-not-waited-for",
        "QUIC connections still waiting for an answer when the capture ended",
        "QUIC 连接到抓包结束仍在等待应答",
    ),
    (
        "quic-closed",
        "QUIC connections that were answered: what they carry is encrypted and not read",
        "QUIC 连接有应答，其内容已加密，未读取",
    ),
    (
        "quic-omitted",
        "QUIC connections that were too many to follow",
        "QUIC 连接过多，部分未跟踪",
    ),
    (
        "incidents-omitted",
        "incidents beyond the first thousand",
        "超出前一千个的事件",
    ),
    (
        "incidents-not-compared",
        "groups of findings of several capture sets that were too large to be judged together; their incidents stand as each set told them (give more --memory)",
        "跨采集集的发现过多，未能合并判断，其事件按各采集集分别给出（可增大 --memory）",
    ),
];

fn known(reason: &str) -> Option<Text> {
    let found = KNOWN.iter().find(|known| known.0 == reason);
    found.map(|&(_, en, zh)| Text { en, zh })
}

fn undecoded(kind: &str, layer: &str, lang: Lang) -> Option<String> {
    let layer = name(layer);
    Some(match (kind, lang) {
        ("cut", Lang::En) => format!("packets cut by the snaplen within {layer}"),
        ("cut", Lang::Zh) => format!("报文在 {layer} 层内被抓包长度截短"),
        ("malformed", Lang::En) => format!("packets with malformed {layer}"),
        ("malformed", Lang::Zh) => format!("报文的 {layer} 层格式错误"),
        ("encrypted", Lang::En) => format!("packets encrypted within {layer}"),
        ("encrypted", Lang::Zh) => format!("报文在 {layer} 层内加密"),
        _ => return None,
    })
}

fn of_unknown_type(layer: &str, numbers: &[(u64, &str)], lang: Lang) -> String {
    let number = |number: &str| match number.parse::<u32>() {
        Ok(value) if matches!(layer, "eth" | "vlan") => format!("0x{value:04x}"),
        _ => number.to_owned(),
    };
    let mut list: Vec<String> = numbers
        .iter()
        .take(NAMED_MAX)
        .map(|(count, of)| format!("{} ×{count}", number(of)))
        .collect();
    if numbers.len() > NAMED_MAX {
        list.push("…".to_owned());
    }
    let layer = name(layer);
    match lang {
        Lang::En => format!(
            "packets with an unknown protocol above {layer}: {}",
            list.join(", ")
        ),
        Lang::Zh => format!("报文在 {layer} 之上为未知协议：{}", list.join("、")),
    }
}

fn name(layer: &str) -> &str {
    match layer {
        "eth" => "Ethernet",
        "vlan" => "VLAN",
        "mpls" => "MPLS",
        "ip" => "IP",
        "ipv4" => "IPv4",
        "ipv6" => "IPv6",
        "arp" => "ARP",
        "tcp" => "TCP",
        "udp" => "UDP",
        "icmp" => "ICMP",
        "icmpv6" => "ICMPv6",
        "gre" => "GRE",
        "vxlan" => "VXLAN",
        "esp" => "ESP",
        "ppp" => "PPP",
        "pppoe" => "PPPoE",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reasons: &[(&str, u64)], lang: Lang, expect: &[(u64, &str)]) {
        let reasons = reasons
            .iter()
            .map(|(reason, count)| ((*reason).to_owned(), *count))
            .collect();
        let told = sentences(&reasons, lang);
        let told: Vec<(u64, &str)> = told
            .iter()
            .map(|(count, text)| (*count, text.as_str()))
            .collect();
        assert_eq!(told, expect);
    }

    #[test]
    fn unknown_types_are_one_sentence_a_layer() {
        check(
            &[
                ("unknown:eth:35020", 5),
                ("unknown:eth:8", 7),
                ("cut:tcp", 1),
            ],
            Lang::En,
            &[
                (
                    12,
                    "packets with an unknown protocol above Ethernet: 0x0008 ×7, 0x88cc ×5",
                ),
                (1, "packets cut by the snaplen within TCP"),
            ],
        );
    }

    #[test]
    fn a_reason_without_a_sentence_is_told_verbatim() {
        check(
            &[("new-reason", 2), ("odd:thing", 1)],
            Lang::Zh,
            &[(2, "new-reason"), (1, "odd:thing")],
        );
    }
}

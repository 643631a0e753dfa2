//! The clients that were hit, beside others and beside what else they did.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Found, Item, by_count, list};
use crate::failure::Text;
use crate::incident::case::Case;
use crate::incident::context::{Seen, site};
use crate::incident::group::{SILENT, UNRELATED_MIN};
use crate::time::SECOND;

pub(in crate::incident) static OTHERS_SUCCEED: Item = Item {
    id: "others-succeed",
    text: Text {
        en: "other clients that reach the same address and port meanwhile: {n}",
        zh: "同一时间另有 {n} 个客户端访问同一地址和端口成功",
    },
    measure: |case| {
        Some(Found::new(
            by_count(case.others_well.len()),
            case.others_well.len(),
        ))
    },
};

pub(in crate::incident) static ALL_FAIL: Item = Item {
    id: "all-clients-fail",
    text: Text {
        en: "every client that tries fails: all {n} of them",
        zh: "所有尝试访问的客户端均失败：共 {n} 个",
    },
    measure: |case| {
        let count = case.clients.len();
        let any_reached = case.here.iter().any(|seen| seen.reached());
        let strength = if any_reached {
            0.0
        } else {
            [0.0, 0.0, 0.7].get(count).copied().unwrap_or(1.0)
        };
        Some(Found::new(strength, count))
    },
};

pub(in crate::incident) static FEW_CLIENTS: Item = Item {
    id: "only-some-clients",
    text: Text {
        en: "only some of the clients that try it are hit, and those each time: {n}",
        zh: "仅 {n} 个客户端受影响，且次次失败",
    },
    measure: |case| {
        let hit = case.clients.len();
        let own = || {
            case.here
                .iter()
                .filter(|seen| case.clients.contains(&seen.client))
        };
        // "Each time" takes more than one time.
        let often = own().count() >= 2 * hit && !own().any(|seen| seen.reached());
        let few = often && hit <= case.others_well.len();
        Some(Found::new(if few { 1.0 } else { 0.0 }, hit))
    },
};

pub(in crate::incident) static ELSEWHERE_WELL: Item = Item {
    id: "elsewhere-well",
    text: Text {
        en: "the same clients reach other servers meanwhile: {n} well ({what})",
        zh: "同一批客户端同时访问其他服务器正常：{n} 条连接（{what}）",
    },
    measure: |case| {
        let far = case.leaves_site();
        let well: Vec<&Seen> = case
            .elsewhere()
            .into_iter()
            .filter(|seen| {
                seen.established_by(case.meanwhile().1)
                    && !seen.failed()
                    && (!far || site(seen.server.0) != site(seen.client))
            })
            .collect();
        let hosts: BTreeSet<String> = well.iter().map(|seen| place(seen)).collect();
        Some(Found::new(by_count(hosts.len()), well.len()).what(list(hosts)))
    },
};

pub(in crate::incident) static ELSEWHERE_DEAD: Item = Item {
    id: "nothing-outside-answers",
    text: Text {
        en: "{n} unrelated servers outside the clients' network are silent at once, and none of them answers ({what})",
        zh: "本网之外 {n} 个互不相关的服务器同时无应答，且无一可达（{what}）",
    },
    measure: |case| {
        let escaped = |seen: &&Seen| {
            seen.established_by(case.span.1)
                && site(seen.server.0) != site(seen.client)
                && case.span.0 <= seen.time
                && seen.time <= case.span.1
        };
        if case.elsewhere().iter().any(escaped) {
            return None;
        }
        let homes: BTreeSet<IpAddr> = case.clients.iter().map(|client| site(*client)).collect();
        let dead: BTreeSet<IpAddr> = case
            .members()
            .filter(|(_, finding)| SILENT.contains(&finding.class.code))
            .filter_map(|(_, finding)| finding.server)
            .map(|server| server.0)
            .filter(|ip| !homes.contains(&site(*ip)))
            .collect();
        let enough = dead.len() >= UNRELATED_MIN;
        Some(Found::new(if enough { 1.0 } else { 0.0 }, dead.len()).what(list(dead)))
    },
};

pub(in crate::incident) static OUTSIDE_HEARD: Item = Item {
    id: "old-flows-go-on",
    text: Text {
        en: "connections that stood before go on; clients that still hear servers outside: {n}",
        zh: "既有连接仍在通信：{n} 个受影响客户端仍能收到外部服务器的报文",
    },
    measure: |case| {
        if case.meanwhile() != case.span {
            return None;
        }
        let outside = |client: IpAddr| move |sender: IpAddr| site(sender) != site(client);
        let hears = case
            .looked_at()
            .filter(|client| {
                case.context
                    .heard_any(*client, case.inside(), outside(*client))
            })
            .count();
        Some(Found::new(by_count(hears), hears))
    },
};

pub(in crate::incident) static LAN_ANSWERS: Item = Item {
    id: "own-network-answers",
    text: Text {
        en: "clients that hosts of their own network answer meanwhile: {n}",
        zh: "期间本网内主机仍应答 {n} 个受影响客户端",
    },
    measure: |case| {
        let hosts = case.hosts();
        let hears = case
            .looked_at()
            .filter(|client| {
                case.context.heard_any(*client, case.inside(), |sender| {
                    sender != *client && site(sender) == site(*client) && !hosts.contains(&sender)
                })
            })
            .count();
        Some(Found::new(by_count(hears), hears))
    },
};

pub(in crate::incident) static SEVERAL_SERVERS: Item = Item {
    id: "several-servers",
    text: Text {
        en: "the same happens at {n} servers that have no more in common ({what})",
        zh: "互不相关的 {n} 个服务器出现同样现象（{what}）",
    },
    measure: |case| {
        let hosts = case.hosts();
        let strength = [0.0, 0.0, 0.8].get(hosts.len()).copied().unwrap_or(1.0);
        Some(Found::new(strength, hosts.len()).what(list(hosts)))
    },
};

pub(in crate::incident) static BURST_BEFORE: Item = Item {
    id: "burst-before",
    text: Text {
        en: "a client that was hit tried it often in the minute before: {n}×",
        zh: "此前一分钟内，受影响的某一客户端发起了 {n} 次连接",
    },
    measure: |case| {
        /// Twenty connections in a minute are more than any invoicing client needs.
        const BURST_MIN: usize = 20;
        let span = (case.span.0.plus(-60 * SECOND), case.span.0.plus(-1));
        let tries = tries(case, span);
        Some(Found::new(
            if tries >= BURST_MIN { 1.0 } else { 0.0 },
            tries,
        ))
    },
};

/// Connections that the busiest of the clients tried at the failing addresses: a ban looks at each by itself.
fn tries(case: &Case<'_>, span: crate::incident::context::Span) -> usize {
    let mut by_client: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for host in case.hosts() {
        let tried = case.context.to_host(host, span);
        for seen in tried.filter(|seen| case.clients.contains(&seen.client)) {
            *by_client.entry(seen.client).or_default() += 1;
        }
    }
    by_client.into_values().max().unwrap_or(0)
}

fn place(seen: &Seen) -> String {
    match &seen.name {
        Some(name) => format!("{name}:{}", seen.server.1),
        None => crate::failure::host_port(seen.server.0, seen.server.1),
    }
}

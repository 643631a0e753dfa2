//! The failing address itself: its other ports, its other signs of life, its siblings behind the same name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Found, Item, by_count, half_open, list};
use crate::failure::Text;
use crate::incident::case::Case;
use crate::incident::group::SILENT;

/// Names whose addresses are compared.
const NAMES_LOOKED_AT: usize = 16;

pub(in crate::incident) static OTHER_PORTS_ANSWER: Item = Item {
    id: "other-ports-answer",
    text: Text {
        en: "other ports of the same address take connections meanwhile: {n}, on {what}",
        zh: "同一地址的其他端口同时可以建立连接：{n} 条（端口 {what}）",
    },
    measure: |case| {
        let alive: Vec<_> = case
            .other_ports()
            .into_iter()
            .filter(|seen| seen.established_by(case.meanwhile().1))
            .collect();
        let ports: BTreeSet<u16> = alive.iter().map(|seen| seen.server.1).collect();
        Some(Found::new(by_count(alive.len()), alive.len()).what(list(ports)))
    },
};

pub(in crate::incident) static OTHER_PORTS_DEAD: Item = Item {
    id: "other-ports-dead",
    text: Text {
        en: "no other port of the address answers either: {n} failed, on {what}",
        zh: "该地址的其他端口同样无法连接：{n} 条失败（端口 {what}）",
    },
    measure: |case| {
        let tried = case.other_ports();
        let mut ports: BTreeSet<u16> = tried
            .iter()
            .filter(|seen| seen.failed() && seen.established.is_none())
            .map(|seen| seen.server.1)
            .collect();
        let dead = tried
            .iter()
            .filter(|seen| seen.failed() && seen.established.is_none())
            .count();
        // A SYN-ACK or a RST from there is an answer too, on whatever port.
        if tried
            .iter()
            .any(|seen| seen.established_by(case.meanwhile().1))
            || speaks(case)
        {
            return None;
        }
        // Several failing ports of one address may have become one incident.
        let mut by_host: BTreeMap<IpAddr, BTreeSet<u16>> = BTreeMap::new();
        if case.count(&SILENT) == case.total {
            case.servers.iter().for_each(|server| {
                by_host.entry(server.0).or_default().insert(server.1);
            });
        }
        let own = by_host
            .into_values()
            .filter(|ports| ports.len() > 1)
            .flatten()
            .collect::<BTreeSet<u16>>();
        let count = dead + own.len();
        ports.extend(own);
        Some(Found::new(by_count(count), count).what(list(ports)))
    },
};

/// Whether or not the client is seen to ask again: a scanner, or a SYN in another's name, does not.
pub(in crate::incident) static NEVER_ACKED: Item = Item {
    id: "syn-ack-never-acknowledged",
    text: Text {
        en: "the client never acknowledges the SYN-ACK, which the server repeats ({n}×)",
        zh: "服务端重发 SYN-ACK，客户端始终未确认：{n} 次",
    },
    measure: |case| half_open(case, "client_acked", false),
};

pub(in crate::incident) static HOST_SPEAKS: Item = Item {
    id: "host-speaks",
    text: Text {
        en: "the address itself is alive: clients that got packets from it meanwhile: {n}",
        zh: "该地址本身在线：期间向 {n} 个受影响客户端发送过报文",
    },
    measure: |case| {
        let dumb = case.count(&["transport.syn-unanswered", "network.dns-timeout"]);
        if dumb == 0
            || case
                .other_ports()
                .iter()
                .any(|seen| seen.established_by(case.meanwhile().1))
        {
            return None;
        }
        let hosts = case.hosts();
        let heard = case
            .looked_at()
            .filter(|client| {
                hosts
                    .iter()
                    .any(|host| case.context.heard(*client, *host, case.inside()))
            })
            .count();
        Some(Found::new(by_count(heard) * share(dumb, case.total), heard))
    },
};

pub(in crate::incident) static HOST_SILENT: Item = Item {
    id: "host-silent",
    text: Text {
        en: "nothing at all came from the address, while clients heard other hosts: {n}",
        zh: "期间该地址未向 {n} 个客户端发送任何报文，而这些客户端能收到其他主机的报文",
    },
    measure: |case| {
        let silent =
            case.count(&SILENT) + case.count(&["network.arp-unanswered", "network.host-silent"]);
        let hosts = case.hosts();
        if silent == 0 || hosts.is_empty() {
            return None;
        }
        let spoke = |client: IpAddr| {
            hosts
                .iter()
                .any(|host| case.context.heard(client, *host, case.inside()))
        };
        // What stands at the very end shows that it came back.
        let by = case.inside().1;
        if case.clients.iter().any(|client| spoke(*client))
            || case.here.iter().any(|seen| seen.established_by(by))
        {
            return None;
        }
        let hears = case
            .looked_at()
            .filter(|client| {
                case.context.heard_any(*client, case.meanwhile(), |from| {
                    !hosts.contains(&from) && from != *client
                })
            })
            .count();
        Some(Found::new(by_count(hears), hears))
    },
};

pub(in crate::incident) static FAR_AWAY: Item = Item {
    id: "beyond-the-own-network",
    text: Text {
        en: "the address lies beyond the clients' own network ({what})",
        zh: "该地址不在客户端本网段内（{what}）",
    },
    measure: |case| {
        let far = case.leaves_site() && !case.hosts().is_empty();
        Some(Found::new(if far { 1.0 } else { 0.0 }, 1).what(list(case.hosts())))
    },
};

pub(in crate::incident) static ONE_ADDRESS_BAD: Item = Item {
    id: "one-address-bad",
    text: Text {
        en: "other addresses of the same name serve meanwhile: {n} well, at {what}",
        zh: "同一域名的其他地址同时正常：{n} 条连接成功（{what}）",
    },
    measure: |case| {
        let (good, _) = siblings(case)?;
        let well: usize = good.values().map(|balance| balance.0).sum();
        Some(Found::new(by_count(well), well).what(list(good.keys())))
    },
};

pub(in crate::incident) static ALL_ADDRESSES_BAD: Item = Item {
    id: "all-addresses-bad",
    text: Text {
        en: "all addresses of the name fail: {n} ({what})",
        zh: "该域名的其他地址同样失败：{n} 个（{what}）",
    },
    measure: |case| {
        let (good, bad) = siblings(case)?;
        let failing: BTreeSet<IpAddr> = bad.into_iter().collect();
        if !good.is_empty() || failing.len() < 2 {
            return None;
        }
        Some(Found::new(1.0, failing.len()).what(list(failing)))
    },
};

pub(in crate::incident) static IPV4_WORKS: Item = Item {
    id: "ipv4-works",
    text: Text {
        en: "only IPv6 fails; connections to IPv4 addresses of the same name that went well: {n} ({what})",
        zh: "仅 IPv6 失败：同一域名的 IPv4 地址有 {n} 条连接成功（{what}）",
    },
    measure: |case| {
        if !case.hosts().iter().all(IpAddr::is_ipv6) {
            return None;
        }
        let mut well: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for name in case.names.iter().take(NAMES_LOOKED_AT) {
            for seen in case
                .context
                .of_name(name, case.meanwhile())
                .filter(|seen| seen.established_by(case.meanwhile().1))
            {
                if seen.server.0.is_ipv4() {
                    *well.entry(seen.server.0).or_default() += 1;
                }
            }
        }
        let count = well.values().sum();
        Some(Found::new(by_count(count), count).what(list(well.keys())))
    },
};

type Balance = (usize, usize);

/// Of the names that failed: other addresses of the same family that serve (reached, failed), and those that fail.
fn siblings(case: &Case<'_>) -> Option<(BTreeMap<IpAddr, Balance>, Vec<IpAddr>)> {
    let hosts = case.hosts();
    let ports: BTreeSet<u16> = case.servers.iter().map(|server| server.1).collect();
    let mut by_address: BTreeMap<IpAddr, Balance> = BTreeMap::new();
    for name in case.names.iter().take(NAMES_LOOKED_AT) {
        for seen in case
            .context
            .of_name(name, case.meanwhile())
            .filter(|seen| ports.contains(&0) || ports.contains(&seen.server.1))
        {
            let balance = by_address.entry(seen.server.0).or_default();
            balance.0 += usize::from(seen.reached());
            // A connect that another address made good is no failed attempt, and failed here all the same.
            balance.1 += usize::from(seen.failed() || seen.established.is_none());
        }
    }
    // A member that fails more than half of its connections cannot be told from one that merely stumbles otherwise.
    let failing: Vec<IpAddr> = by_address
        .iter()
        .filter(|(ip, (reached, failed))| hosts.contains(*ip) && failed > reached)
        .map(|(ip, _)| *ip)
        .collect();
    let v4 = failing
        .first()
        .copied()
        .or_else(|| hosts.first().copied())?
        .is_ipv4();
    let good = by_address
        .into_iter()
        .filter(|(ip, (reached, failed))| {
            !failing.contains(ip)
                && ip.is_ipv4() == v4
                && *reached > 0
                && failed * 10 <= reached + failed
        })
        .collect();
    (!failing.is_empty()).then_some((good, failing))
}

pub(super) fn share(part: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    }
}

/// Did a client that was hit get any packet of the failing address while it lasted?
fn speaks(case: &Case<'_>) -> bool {
    let hosts = case.hosts();
    case.looked_at().any(|client| {
        hosts
            .iter()
            .any(|host| case.context.heard(client, *host, case.inside()))
    })
}

//! Causes in names, neighbours and links.

use super::{Cause, Owner};
use crate::failure::Text;
use crate::incident::evidence::{
    ALL_FAIL, ELSEWHERE_DEAD, ELSEWHERE_WELL, FAR_AWAY, HOST_SILENT, HOST_SPEAKS, LAN_ANSWERS,
    NEXT_HOP, OTHERS_SUCCEED, RESOLVED_ELSEWHERE, RESOLVER_ANSWERS, RESOLVER_CLOSED, RESOLVER_DUMB,
    SEVERAL_NAMES, SEVERAL_SERVERS, STORM,
};

pub(super) static CAUSES: &[Cause] = &[
    Cause {
        name: "dns-outage",
        title: Text {
            en: "The resolver is out of order",
            zh: "DNS 解析服务器故障",
        },
        owner: Owner::Site,
        codes: &[
            ("network.dns-timeout", 50),
            ("network.dns-servfail", 40),
            ("network.dns-refused", 10),
            ("network.dns-slow", 20),
            ("network.dns-nxdomain", 3),
        ],
        needs: &[],
        favour: &[
            (&RESOLVER_DUMB, 50),
            (&SEVERAL_NAMES, 35),
            (&RESOLVER_CLOSED, 40),
            (&ALL_FAIL, 20),
            (&LAN_ANSWERS, 5),
        ],
        against: &[
            // Out of order for one name only is the fault of that name's zone.
            (&RESOLVER_ANSWERS, 60),
            (&ELSEWHERE_DEAD, 60),
            (&OTHERS_SUCCEED, 30),
        ],
        disproof: Text {
            en: "An answer of this resolver to any other name while it lasts. Ask it and a second resolver for three names (dig @…).",
            zh: "期间该解析服务器能应答其他域名即不成立。请用 dig 分别向它和另一台 DNS 查询三个域名。",
        },
        remedy: Text {
            en: "Now: give the clients another resolver. For good: two resolvers on different machines, watched from the clients' network.",
            zh: "临时：更换 DNS（运营商 DNS、223.5.5.5 或 114.114.114.114）。根治：部署两台解析服务器并从客户端网络侧监控。",
        },
    },
    Cause {
        name: "dns-zone-broken",
        title: Text {
            en: "The name's own zone does not answer",
            zh: "该域名的权威解析异常",
        },
        owner: Owner::Service,
        codes: &[("network.dns-servfail", 40), ("network.dns-timeout", 15)],
        needs: &[],
        favour: &[(&RESOLVER_ANSWERS, 65), (&RESOLVED_ELSEWHERE, 10)],
        against: &[(&SEVERAL_NAMES, 60), (&RESOLVER_DUMB, 40)],
        disproof: Text {
            en: "An answer for the name from a resolver elsewhere, or from its name servers (dig +trace).",
            zh: "若其他地区的 DNS 或其权威服务器能正常应答该域名则不成立（dig +trace）。",
        },
        remedy: Text {
            en: "Now: a known address in the hosts file, for a short time. For good: the zone's owner mends name servers or DNSSEC.",
            zh: "临时：短期在 hosts 中写入已知地址。根治：由域名归属方修复权威服务器或 DNSSEC。",
        },
    },
    Cause {
        name: "dns-record-missing",
        title: Text {
            en: "The name does not exist, or has no address",
            zh: "域名不存在或没有地址记录",
        },
        owner: Owner::Client,
        codes: &[("network.dns-nxdomain", 70), ("network.dns-no-address", 65)],
        needs: &[],
        favour: &[(&ALL_FAIL, 20), (&RESOLVER_ANSWERS, 25)],
        // It exists for others: then this resolver's view of it is wrong.
        against: &[(&RESOLVED_ELSEWHERE, 25)],
        disproof: Text {
            en: "An address from another resolver. If it has one, this resolver's zone or forwarding is wrong (split horizon).",
            zh: "若其他 DNS 能解析出地址则不成立，说明本解析服务器的分区或转发配置有误。",
        },
        remedy: Text {
            en: "Now: correct the configured server name. For good: watch the service's notices for retired names; check forwarding and split-horizon zones.",
            zh: "临时：核对并更正所配置的服务器域名。根治：关注旧域名停用公告，检查内网 DNS 转发与分区配置。",
        },
    },
    Cause {
        name: "dns-policy",
        title: Text {
            en: "The resolver refuses to answer",
            zh: "DNS 服务器按策略拒绝应答",
        },
        owner: Owner::Site,
        codes: &[("network.dns-refused", 75)],
        needs: &[],
        favour: &[
            (&RESOLVER_ANSWERS, 20),
            (&ALL_FAIL, 15),
            (&SEVERAL_NAMES, 10),
        ],
        against: &[],
        disproof: Text {
            en: "An answer to the same client for the same name from the same resolver.",
            zh: "同一客户端向同一解析服务器查询同一域名得到应答即不成立。",
        },
        remedy: Text {
            en: "Now: use the resolver meant for this network. For good: allow the clients' range on the resolver, or recursion for it.",
            zh: "临时：改用为本网段提供服务的 DNS。根治：在 DNS 上放行客户端网段或允许其递归查询。",
        },
    },
    Cause {
        name: "dns-hijack",
        title: Text {
            en: "Somebody answers in the resolver's name",
            zh: "DNS 劫持或污染",
        },
        owner: Owner::Carrier,
        codes: &[("network.dns-spoofed", 90)],
        needs: &[],
        favour: &[(&SEVERAL_NAMES, 30)],
        against: &[],
        disproof: Text {
            en: "Both answers leaving the resolver itself. Capture beside the resolver.",
            zh: "若两份应答均由解析服务器发出则不成立，请在其旁路抓包。",
        },
        remedy: Text {
            en: "Now: a trusted resolver, encrypted (DoT, DoH). For good: look for malware, routers with changed settings, and tell the carrier.",
            zh: "临时：改用可信 DNS 或 DoH。根治：清理 hosts、恶意软件与被篡改的路由器，并向运营商申诉。",
        },
    },
    Cause {
        name: "link-or-power-lost",
        title: Text {
            en: "The neighbour lost link or power",
            zh: "对端断电、断网或网线故障",
        },
        owner: Owner::Site,
        codes: &[
            ("network.arp-unanswered", 65),
            ("network.host-silent", 40),
            ("transport.data-unacked", 5),
        ],
        needs: &[],
        favour: &[(&NEXT_HOP, 45), (&HOST_SILENT, 30), (&ALL_FAIL, 15)],
        // A neighbour is on the own link.
        against: &[(&HOST_SPEAKS, 70), (&FAR_AWAY, 50)],
        disproof: Text {
            en: "Any frame of its MAC address while it lasts. Look at link lights, port counters and the VLAN of the port.",
            zh: "期间收到其 MAC 的任何帧即不成立。请查看链路指示灯、交换机端口计数与 VLAN。",
        },
        remedy: Text {
            en: "Now: check cable, port and power; try another port. For good: a second gateway or link.",
            zh: "临时：检查网线、端口和电源，换口复测。根治：部署双网关或双链路。",
        },
    },
    Cause {
        name: "address-not-assigned",
        title: Text {
            en: "DHCP gives no address",
            zh: "DHCP 未分配地址",
        },
        owner: Owner::Site,
        codes: &[("network.dhcp-no-offer", 88)],
        needs: &[],
        favour: &[(&SEVERAL_SERVERS, 10)],
        against: &[],
        disproof: Text {
            en: "An offer for this client on its own link while it lasts. Capture beside the server and beside the client.",
            zh: "期间该客户端所在网段出现给它的 OFFER 即不成立。请在服务器侧与客户端侧同时抓包。",
        },
        remedy: Text {
            en: "Now: set a free address by hand. For good: mend server, relay or pool; watch its free addresses.",
            zh: "临时：手工配置空闲地址。根治：修复 DHCP 服务、中继或地址池，并监控剩余地址数。",
        },
    },
    Cause {
        name: "vlan-misconfigured",
        title: Text {
            en: "A port or trunk carries the wrong VLAN",
            zh: "VLAN 或 Trunk 配置错误",
        },
        owner: Owner::Site,
        codes: &[
            ("network.vlan-mismatch", 88),
            ("network.arp-unanswered", 15),
            ("network.mac-flapping", 20),
        ],
        needs: &[],
        favour: &[(&SEVERAL_SERVERS, 20)],
        against: &[(&LAN_ANSWERS, 40)],
        disproof: Text {
            en: "Both directions with the same tag on the same link.",
            zh: "同一链路上双向报文标签一致则不成立。",
        },
        remedy: Text {
            en: "Now: move the host to a port that works. For good: align VLAN, native VLAN and the trunk's allow list.",
            zh: "临时：换到正常端口。根治：核对 VLAN ID、Native VLAN 与 Trunk 放行列表。",
        },
    },
    Cause {
        name: "ip-conflict",
        title: Text {
            en: "Two machines use one IP address",
            zh: "IP 地址冲突",
        },
        owner: Owner::Site,
        codes: &[("network.arp-conflict", 90)],
        needs: &[],
        favour: &[(&ELSEWHERE_WELL, 15), (&ALL_FAIL, 10)],
        against: &[],
        disproof: Text {
            en: "Both MAC addresses belonging to one machine or one cluster (bond, VRRP).",
            zh: "若两个 MAC 属于同一主机或集群（网卡绑定、VRRP）则不成立。",
        },
        remedy: Text {
            en: "Now: take the stranger off the network (its MAC is in the finding). For good: an address ledger, DHCP reservations, ARP inspection.",
            zh: "临时：按 MAC 找到并断开冲突主机。根治：核对 IP 台账，改用 DHCP 保留，启用 DAI。",
        },
    },
    Cause {
        name: "arp-storm",
        title: Text {
            en: "A broadcast storm floods the network",
            zh: "广播风暴（ARP 风暴）",
        },
        owner: Owner::Site,
        codes: &[
            ("network.arp-storm", 90),
            ("network.mac-flapping", 25),
            ("network.packet-loss", 10),
            ("network.arp-unanswered", 10),
            ("transport.syn-unanswered", 5),
            ("transport.data-unacked", 5),
            ("network.dns-timeout", 5),
        ],
        needs: &[&STORM],
        favour: &[(&STORM, 80), (&SEVERAL_SERVERS, 20)],
        against: &[],
        disproof: Text {
            en: "A capture of the same second on another port without the broadcasts.",
            zh: "若同一时刻其他端口无此广播则不成立。",
        },
        remedy: Text {
            en: "Now: isolate the port of the MAC that floods. For good: spanning tree, rate limits for broadcasts.",
            zh: "临时：隔离高频 MAC 所在端口。根治：启用生成树与广播限速，排查环路。",
        },
    },
];

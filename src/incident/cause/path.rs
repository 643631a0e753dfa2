//! Causes on the way: the way out, gateways, routes, loss, devices that interfere; and the client's own end.

use super::{Cause, Owner};
use crate::failure::Text;
use crate::incident::evidence::{
    ACKED, ALL_FAIL, BIG_HELLO, CONNECT_SLOWER_THEN, DISTANCE_CHANGED, ELSEWHERE_DEAD,
    ELSEWHERE_WELL, FLOOD, GATEWAY_KEPT, GATEWAY_LEFT, HELLO_NAME, HOST_SILENT, INTERMITTENT,
    IPV4_WORKS, LAN_ANSWERS, LARGE_LOST, LINE_DOWN, LOAD_ROSE, LOSS, NAMES_RESOLVE, NOT_ACKED,
    ONE_ADDRESS_BAD, OTHER_PORTS_ANSWER, OTHERS_SUCCEED, OUTSIDE_HEARD, RESET_BETWEEN, ROUTER_HOST,
    ROUTER_NET, ROUTER_PORT, SAME_HOPS, SEVERAL_SERVERS, SLOWER_THEN, WORKED_BEFORE,
};

pub(super) static CAUSES: &[Cause] = &[
    Cause {
        name: "egress-lost",
        title: Text {
            en: "The way out of the clients' network is lost",
            zh: "本网出口中断",
        },
        owner: Owner::Carrier,
        codes: &[
            ("transport.syn-unanswered", 10),
            ("transport.data-unacked", 15),
            ("network.dns-timeout", 10),
            ("network.icmp-unreachable", 10),
            ("network.egress-lost", 90),
        ],
        needs: &[&ELSEWHERE_DEAD],
        favour: &[
            (&ELSEWHERE_DEAD, 75),
            // The fault begins behind the own network.
            (&LAN_ANSWERS, 30),
        ],
        against: &[
            (&ELSEWHERE_WELL, 90),
            (&OUTSIDE_HEARD, 60),
            (&OTHER_PORTS_ANSWER, 80),
            (&GATEWAY_KEPT, 60),
        ],
        disproof: Text {
            en: "Any packet from outside the own network while it lasts. Ping the gateway's far side, and capture on the gateway's outer interface.",
            zh: "期间收到任何外网报文即不成立。请 ping 网关对端，并在网关外网口抓包。",
        },
        remedy: Text {
            en: "Now: switch to the backup line (4G/5G). For good: check gateway, address translation and line, and have the carrier confirm.",
            zh: "临时：切换备用链路（4G/5G）。根治：检查出口网关、NAT 和专线，并请运营商确认线路状态。",
        },
    },
    Cause {
        name: "dial-up-failed",
        title: Text {
            en: "The office's dial-up line does not come up",
            zh: "宽带拨号线路未接通",
        },
        owner: Owner::Carrier,
        codes: &[
            ("network.pppoe-failed", 90),
            ("network.egress-lost", 15),
            ("transport.syn-unanswered", 10),
            ("transport.data-unacked", 10),
            ("network.dns-timeout", 10),
            ("network.icmp-unreachable", 10),
        ],
        needs: &[&LINE_DOWN],
        favour: &[(&LINE_DOWN, 85)],
        against: &[(&OUTSIDE_HEARD, 60)],
        disproof: Text {
            en: "A PPPoE session that carries packets both ways while it lasts. Capture between router and modem.",
            zh: "期间 PPPoE 会话中双向有数据即不成立。请在路由器与光猫之间抓包。",
        },
        remedy: Text {
            en: "Now: restart modem and router, use a mobile line for urgent invoices. For good: have the carrier check line, account and binding.",
            zh: "临时：重启光猫和路由器，紧急开票改用 4G/5G。根治：请运营商核查线路、账号状态与绑定关系。",
        },
    },
    Cause {
        name: "nat-table-full",
        title: Text {
            en: "The gateway takes no new connections (its table is full)",
            zh: "出口网关无法新建会话（NAT 表耗尽）",
        },
        owner: Owner::Site,
        codes: &[
            ("transport.syn-unanswered", 5),
            ("network.egress-lost", 5),
            ("network.dns-timeout", 5),
        ],
        needs: &[&ELSEWHERE_DEAD, &OUTSIDE_HEARD],
        favour: &[
            // New connections die everywhere while old ones go on: that is a table, not a line. The one without the
            // other proves nothing, so neither suffices alone.
            (&OUTSIDE_HEARD, 45),
            (&ELSEWHERE_DEAD, 45),
            (&LOAD_ROSE, 20),
            (&GATEWAY_KEPT, 50),
        ],
        against: &[
            (&ELSEWHERE_WELL, 90),
            (&OTHER_PORTS_ANSWER, 80),
            (&HOST_SILENT, 20),
            (&GATEWAY_LEFT, 80),
        ],
        disproof: Text {
            en: "A new connection through the same gateway that succeeds. Read the gateway's session count.",
            zh: "经同一网关能新建连接即不成立。请查看网关当前会话数。",
        },
        remedy: Text {
            en: "Now: clear idle sessions on the gateway. For good: raise its table or shorten its timeouts, and find the host that opens most.",
            zh: "临时：清理网关空闲会话。根治：扩大会话表或缩短老化时间，并定位新建会话最多的主机。",
        },
    },
    Cause {
        name: "gateway-dropped",
        title: Text {
            en: "The gateway drops packets: they enter it and do not leave",
            zh: "出口网关丢弃报文（进入后未转发）",
        },
        owner: Owner::Site,
        codes: &[
            ("transport.syn-unanswered", 20),
            ("transport.data-unacked", 20),
            ("transport.connect-slow", 20),
            ("transport.handshake-incomplete", 10),
            ("network.egress-lost", 15),
            ("security.tls-no-reply", 15),
            ("security.tls-handshake-stalled", 15),
            ("application.no-response", 10),
        ],
        // Without a capture of both sides nothing tells the gateway from what lies beyond.
        needs: &[&GATEWAY_KEPT],
        favour: &[(&GATEWAY_KEPT, 90), (&WORKED_BEFORE, 10), (&LOAD_ROSE, 15)],
        against: &[
            (&GATEWAY_LEFT, 90),
            // New connections alone die, to whomever: its table is full.
            (&ELSEWHERE_DEAD, 30),
            (&FLOOD, 50),
        ],
        disproof: Text {
            en: "The same packets on the gateway's far side (same sequence number). Capture on both interfaces at once and compare; read its drop counters.",
            zh: "若网关外侧抓包中能看到相同序列号的报文则不成立。请在两侧接口同时抓包比对，并查看网关丢包计数。",
        },
        remedy: Text {
            en: "Now: look at the gateway's rules, session table and load at the start time; bypass or restart it. For good: correct the rule, raise the limit that it meets, and count its drops.",
            zh: "临时：核对故障时刻网关的策略、会话表和负载，必要时旁路或重启。根治：修正策略或提高其达到的上限，并监控丢包计数。",
        },
    },
    Cause {
        name: "ipv6-broken",
        title: Text {
            en: "IPv6 is broken on the way, IPv4 works",
            zh: "IPv6 路径不通，IPv4 正常",
        },
        owner: Owner::Carrier,
        codes: &[
            ("transport.syn-unanswered", 10),
            ("network.icmp-unreachable", 15),
            ("transport.data-unacked", 10),
            ("security.tls-no-reply", 5),
            ("transport.connect-slow", 10),
        ],
        needs: &[&IPV4_WORKS],
        favour: &[(&IPV4_WORKS, 88), (&SEVERAL_SERVERS, 20)],
        against: &[(&OTHERS_SUCCEED, 60), (&OTHER_PORTS_ANSWER, 50)],
        disproof: Text {
            en: "An IPv6 connection of the same client to anybody outside. Test with curl -6 against two servers.",
            zh: "同一客户端能用 IPv6 访问任一外部服务器即不成立。请用 curl -6 测试两个站点。",
        },
        remedy: Text {
            en: "Now: prefer IPv4 on the clients. For good: mend the IPv6 route or withdraw the AAAA record.",
            zh: "临时：客户端优先使用 IPv4。根治：修复 IPv6 路由，或撤下 AAAA 记录。",
        },
    },
    Cause {
        name: "routing-fault",
        title: Text {
            en: "A router on the way has no route",
            zh: "途中路由故障",
        },
        owner: Owner::Carrier,
        codes: &[
            ("network.icmp-unreachable", 25),
            ("network.ttl-exceeded", 60),
            ("network.routing-loop", 90),
            ("transport.handshake-incomplete", 25),
        ],
        needs: &[],
        favour: &[
            (&ROUTER_NET, 75),
            // Answers come back on another way than the questions take.
            (&NOT_ACKED, 40),
            (&SEVERAL_SERVERS, 25),
            (&DISTANCE_CHANGED, 30),
        ],
        against: &[
            (&ROUTER_PORT, 95),
            (&ROUTER_HOST, 60),
            (&OTHERS_SUCCEED, 30),
            (&ACKED, 70),
            (&GATEWAY_KEPT, 50),
        ],
        disproof: Text {
            en: "A traceroute that ends at the server. Trace both ways at once.",
            zh: "traceroute 能到达服务器即不成立。请双向同时跟踪路径。",
        },
        remedy: Text {
            en: "Now: switch to another line. For good: the router's owner mends the route; look for asymmetric ways and double address translation.",
            zh: "临时：切换其他线路。根治：由路由器归属方修正路由，并排查非对称路由与双出口 NAT。",
        },
    },
    Cause {
        name: "path-loss",
        title: Text {
            en: "The way loses packets",
            zh: "链路丢包",
        },
        owner: Owner::Carrier,
        codes: &[
            ("network.packet-loss", 60),
            ("network.frame-corrupt", 40),
            ("transport.data-unacked", 30),
            ("security.tls-handshake-stalled", 25),
            ("transport.connect-slow", 30),
            ("transport.handshake-incomplete", 15),
            ("application.response-truncated", 5),
        ],
        needs: &[],
        favour: &[(&LOSS, 50), (&SEVERAL_SERVERS, 25), (&INTERMITTENT, 25)],
        against: &[
            (&ELSEWHERE_DEAD, 70),
            (&BIG_HELLO, 60),
            (&HOST_SILENT, 30),
            (&CONNECT_SLOWER_THEN, 30),
            (&ACKED, 60),
            (&GATEWAY_KEPT, 70),
            (&FLOOD, 50),
        ],
        disproof: Text {
            en: "The lost segments in a capture on the other side. Capture on both sides at once and compare sequence numbers.",
            zh: "若对端抓包中能看到这些报文则不成立。请两端同时抓包并比对序列号。",
        },
        remedy: Text {
            en: "Now: use another line or cable. For good: check duplex, optics, wireless and queues hop by hop; the carrier measures its stretch.",
            zh: "临时：更换线路或网线。根治：逐跳检查双工、光模块、无线和队列丢包，并请运营商测试其线路段。",
        },
    },
    Cause {
        name: "bandwidth-saturated",
        title: Text {
            en: "The line is full",
            zh: "带宽占满，链路拥塞",
        },
        owner: Owner::Site,
        codes: &[
            ("network.congestion", 80),
            ("network.packet-loss", 20),
            ("transport.connect-slow", 15),
            ("transport.latency-high", 20),
            ("transport.data-unacked", 10),
        ],
        needs: &[],
        // Queues fill before they drop: round trips grow first.
        favour: &[
            (&CONNECT_SLOWER_THEN, 65),
            (&LOSS, 20),
            (&SEVERAL_SERVERS, 25),
            (&LOAD_ROSE, 20),
        ],
        against: &[(&HOST_SILENT, 50), (&ELSEWHERE_DEAD, 40)],
        disproof: Text {
            en: "An interface counter well below the line's rate at that time.",
            zh: "若当时接口流量远低于线路带宽则不成立。请查看接口流量曲线。",
        },
        remedy: Text {
            en: "Now: stop bulk transfers. For good: priority for invoicing traffic, or more bandwidth.",
            zh: "临时：暂停大流量传输。根治：为开票流量设置 QoS，或扩容带宽。",
        },
    },
    Cause {
        name: "middlebox-reset",
        title: Text {
            en: "A device on the way resets the connections",
            zh: "中间设备注入 RST 阻断连接",
        },
        owner: Owner::Site,
        codes: &[
            ("transport.reset-injected", 85),
            ("security.tls-cut-on-hello", 40),
            ("transport.reset-by-server", 15),
        ],
        needs: &[],
        favour: &[
            (&SAME_HOPS, 40),
            (&HELLO_NAME, 30),
            (&SEVERAL_SERVERS, 20),
            (&RESET_BETWEEN, 60),
        ],
        against: &[(&OTHERS_SUCCEED, 20), (&ONE_ADDRESS_BAD, 40)],
        disproof: Text {
            en: "The same RST in a capture at the server, sent by the server. Capture on both sides at once.",
            zh: "若服务器侧抓包显示该 RST 由服务器发出则不成立。请两端同时抓包。",
        },
        remedy: Text {
            en: "Now: exempt the name or address on the device at that distance. For good: review inspection, filter and WAF policies for invoicing names.",
            zh: "临时：在该跳数位置的设备上放行此域名或地址。根治：梳理 DPI、上网行为管理、WAF 对开票域名的策略。",
        },
    },
    Cause {
        name: "nat-idle-timeout",
        title: Text {
            en: "A gateway forgets idle connections",
            zh: "网关会话老化，空闲连接被丢弃",
        },
        owner: Owner::Site,
        codes: &[("transport.idle-dropped", 85)],
        needs: &[],
        favour: &[(&ELSEWHERE_WELL, 15), (&SEVERAL_SERVERS, 20)],
        against: &[(&HOST_SILENT, 40), (&ELSEWHERE_DEAD, 70)],
        disproof: Text {
            en: "A connection that is idle for longer and goes on. Compare the idle times of those that died and those that lived.",
            zh: "若有空闲更久的连接仍可用则不成立。请比较断开与存活连接的空闲时长。",
        },
        remedy: Text {
            en: "Now: reconnect before each use. For good: keep-alives below the timeout, or a longer timeout on the gateway.",
            zh: "临时：使用前重新建连。根治：开启短于老化时间的 keep-alive，或调大网关会话超时。",
        },
    },
    Cause {
        name: "mtu-blackhole",
        title: Text {
            en: "Large packets vanish, small ones pass",
            zh: "PMTU 黑洞：大包被丢弃，小包正常",
        },
        owner: Owner::Carrier,
        codes: &[
            ("network.pmtu-blackhole", 85),
            ("transport.data-unacked", 10),
            ("security.tls-handshake-stalled", 15),
            ("security.tls-no-reply", 10),
            ("application.no-response", 5),
            ("application.response-truncated", 5),
        ],
        needs: &[&LARGE_LOST],
        favour: &[
            // Some connections show what vanishes; where nothing smaller follows, the rest only wait.
            (&LARGE_LOST, 80),
            (&SEVERAL_SERVERS, 25),
            (&WORKED_BEFORE, 5),
        ],
        against: &[(&HOST_SILENT, 50), (&BIG_HELLO, 30)],
        disproof: Text {
            en: "A full-size segment with DF that arrives. Test with ping -M do -s 1472.",
            zh: "若带 DF 的满长报文能到达则不成立。请用 ping -f -l 1472（Linux：ping -M do -s 1472）测试。",
        },
        remedy: Text {
            en: "Now: a lower MTU on the client (1400). For good: clamp the MSS at the tunnel, and let ICMP 3/4 and packet-too-big pass.",
            zh: "临时：客户端 MTU 调低至 1400。根治：在隧道设备上钳制 MSS，并放行 ICMP 3/4。",
        },
    },
    Cause {
        name: "large-hello-dropped",
        title: Text {
            en: "ClientHellos of several packets are dropped",
            zh: "多报文 ClientHello 被丢弃",
        },
        owner: Owner::Site,
        codes: &[
            ("network.pmtu-blackhole", 20),
            ("transport.data-unacked", 10),
            ("security.tls-handshake-stalled", 10),
            ("security.tls-no-reply", 10),
        ],
        needs: &[&BIG_HELLO],
        favour: &[(&BIG_HELLO, 80)],
        against: &[(&HOST_SILENT, 50)],
        disproof: Text {
            en: "A large hello that is answered. Try a client without post-quantum key shares against the same server.",
            zh: "若大的 ClientHello 能得到应答则不成立。请用未启用后量子密钥交换的客户端对比。",
        },
        remedy: Text {
            en: "Now: switch post-quantum key shares off in the client. For good: update the filter that expects a hello in one packet.",
            zh: "临时：在客户端关闭后量子密钥交换。根治：升级只认单报文 ClientHello 的过滤设备。",
        },
    },
    Cause {
        name: "client-aborts",
        title: Text {
            en: "The client itself breaks its connections off",
            zh: "客户端主动中断连接",
        },
        owner: Owner::Client,
        codes: &[
            ("transport.reset-by-client", 75),
            ("security.tls-handshake-stalled", 10),
        ],
        needs: &[],
        favour: &[
            (&OTHERS_SUCCEED, 25),
            (&SEVERAL_SERVERS, 25),
            (&NAMES_RESOLVE, 5),
        ],
        against: &[(&ALL_FAIL, 30), (&SLOWER_THEN, 30)],
        disproof: Text {
            en: "The RST arriving at the server but not leaving the client. Capture on the client; look at its security software and its time-outs.",
            zh: "若客户端本机抓包未发出该 RST 则不成立。请在客户端抓包，并检查安全软件与超时设置。",
        },
        remedy: Text {
            en: "Now: restart the client without its security software's filter. For good: raise the client's time-out, correct its error handling.",
            zh: "临时：停用安全软件的流量过滤后重试。根治：调大客户端超时，修正其异常处理。",
        },
    },
];

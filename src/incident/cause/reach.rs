//! Causes that keep a client from the server: filters, hosts, services, ways out, ways back, loss.

use super::{Cause, Owner};
use crate::failure::Text;
use crate::incident::evidence::{
    ACKED, ALL_ADDRESSES_BAD, ALL_FAIL, BIG_HELLO, BURST_BEFORE, CONNECT_SLOWER_THEN, ELSEWHERE_DEAD, ELSEWHERE_WELL,
    FEW_CLIENTS, HELLO_NAME, HOST_SILENT, HOST_SPEAKS, INTERMITTENT, IPV4_WORKS, LAN_ANSWERS, LOAD_ROSE, LOSS,
    NAMES_RESOLVE, NOT_ACKED, ONE_ADDRESS_BAD, OTHER_PORTS_ANSWER, OTHER_PORTS_DEAD, OTHERS_SUCCEED, OUTSIDE_HEARD,
    RECOVERED, ROUTER_HOST, ROUTER_NET, ROUTER_PORT, SAME_HOPS, SEVERAL_SERVERS, SLOWER_THEN, WORKED_BEFORE,
};

pub(super) static CAUSES: &[Cause] = &[
    Cause {
        name: "firewall-blocks-port",
        title: Text { en: "A firewall blocks this port", zh: "防火墙或安全组拦截了该端口" },
        owner: Owner::Site,
        codes: &[
            ("transport.syn-unanswered", 35),
            // The filter itself says so.
            ("network.firewall-rejected", 85),
            // Port 53 is a port like others.
            ("network.dns-timeout", 15),
            ("transport.syn-refused", 10),
        ],
        favour: &[
            // A host that is down answers nowhere: only something between tells ports apart in silence.
            (&OTHER_PORTS_ANSWER, 75),
            (&HOST_SPEAKS, 60),
            (&WORKED_BEFORE, 15),
            (&ALL_FAIL, 20),
            (&ELSEWHERE_WELL, 15),
        ],
        against: &[
            // A rule about a port does not choose among clients (one about sources may).
            (&OTHERS_SUCCEED, 50),
            (&OTHER_PORTS_DEAD, 50),
            (&ELSEWHERE_DEAD, 70),
            (&ONE_ADDRESS_BAD, 30),
            (&HOST_SILENT, 30),
            (&INTERMITTENT, 40),
        ],
        disproof: Text {
            en: "A SYN-ACK or RST from this port. Capture on the server's side at once: if the SYNs arrive there, the filter lies behind that point or the service itself is mute.",
            zh: "若该端口返回 SYN-ACK 或 RST 则不成立。请在服务器侧同时抓包：若 SYN 已到达，则拦截点在其后，或服务本身不应答。",
        },
        remedy: Text {
            en: "Now: use another address or port of the service if there is one. For good: allow source, address and TCP port in every firewall and security group on the way, and compare their change logs with the start time.",
            zh: "临时：改用服务的其他地址或端口。根治：在沿途防火墙、安全组放行源、目的地址和端口，并核对故障起始时刻前后的策略变更记录。",
        },
    },
    Cause {
        name: "server-down",
        title: Text { en: "The server's host is down or cut off", zh: "服务器主机宕机或断网" },
        owner: Owner::Service,
        codes: &[
            ("transport.syn-unanswered", 40),
            ("network.icmp-unreachable", 35),
            ("transport.data-unacked", 35),
            ("network.arp-unanswered", 30),
            ("network.host-silent", 80),
        ],
        favour: &[
            (&OTHER_PORTS_DEAD, 50),
            (&HOST_SILENT, 40),
            // The router in front of it asked for the host and got no answer.
            (&ROUTER_HOST, 70),
            (&ALL_FAIL, 25),
            (&ELSEWHERE_WELL, 15),
            (&WORKED_BEFORE, 15),
        ],
        against: &[
            (&OTHER_PORTS_ANSWER, 90),
            (&HOST_SPEAKS, 70),
            (&OTHERS_SUCCEED, 80),
            (&ELSEWHERE_DEAD, 70),
            (&ROUTER_NET, 40),
            (&ROUTER_PORT, 80),
            (&IPV4_WORKS, 50),
            // It is one of several: the pool should have taken it out.
            (&ONE_ADDRESS_BAD, 30),
        ],
        disproof: Text {
            en: "Any packet of this address while it lasts. Ping it and try another of its ports from two networks.",
            zh: "期间只要收到该地址的任何报文即不成立。请从两个不同网络 ping 该地址并尝试其其他端口。",
        },
        remedy: Text {
            en: "Now: switch to another address or to the emergency channel. For good: the operator checks power, link and system of the host, and why no standby took over.",
            zh: "临时：切换备用地址或应急通道。根治：由服务方检查主机电源、链路和系统，并核查备机为何未接管。",
        },
    },
    Cause {
        name: "service-down",
        title: Text { en: "The service is not running on a host that is alive", zh: "主机在线，但服务进程未监听或已停止" },
        owner: Owner::Service,
        codes: &[
            ("transport.syn-refused", 70),
            ("network.icmp-unreachable", 10),
            ("application.http-503", 20),
            ("transport.closed-early", 15),
        ],
        favour: &[
            (&ROUTER_PORT, 80),
            (&OTHER_PORTS_ANSWER, 50),
            (&ALL_FAIL, 30),
            (&WORKED_BEFORE, 15),
        ],
        against: &[
            (&OTHERS_SUCCEED, 60),
            (&ONE_ADDRESS_BAD, 50),
            (&ROUTER_NET, 90),
            (&ROUTER_HOST, 90),
            (&INTERMITTENT, 50),
        ],
        disproof: Text {
            en: "RSTs whose TTL differs from the host's other packets: then a device on the way refuses. Check on the host what listens on the port (ss -ltn).",
            zh: "若 RST 的 TTL 与该主机其他报文不同，则是途中设备拒绝。请在主机上用 ss -ltn 或 netstat 查看监听端口。",
        },
        remedy: Text {
            en: "Now: start the service, or correct the port in the client. For good: supervise the process, and watch the port from outside.",
            zh: "临时：启动服务进程，或更正客户端所配端口。根治：为进程配置自动拉起，并从外部监控端口。",
        },
    },
    Cause {
        name: "load-balancer-member-bad",
        title: Text { en: "One address behind the name is bad, its siblings serve", zh: "同一域名下某一节点异常，其余节点正常" },
        owner: Owner::Service,
        codes: &[
            ("transport.syn-unanswered", 10),
            ("transport.syn-refused", 10),
            ("transport.reset-by-server", 10),
            ("transport.closed-early", 10),
            ("transport.handshake-incomplete", 10),
            ("network.icmp-unreachable", 10),
            ("security.tls-no-reply", 10),
            ("security.cert-expired", 5),
            ("security.cert-chain-incomplete", 5),
            ("security.cert-name-mismatch", 5),
            ("application.http-503", 10),
            ("application.http-bad-gateway", 10),
            ("application.http-server-error", 10),
            ("application.no-response", 10),
            ("application.response-truncated", 10),
        ],
        // The whole of it: the same name, the same time, another address, well.
        favour: &[(&ONE_ADDRESS_BAD, 90), (&ALL_FAIL, 15), (&WORKED_BEFORE, 10)],
        against: &[(&ALL_ADDRESSES_BAD, 90), (&ELSEWHERE_DEAD, 60), (&OTHERS_SUCCEED, 30)],
        disproof: Text {
            en: "The same failure at a sibling address. Ask each address of the name in turn (curl --resolve) and compare.",
            zh: "若其他节点出现同样失败则不成立。请用 curl --resolve 逐一访问该域名的各个地址进行对比。",
        },
        remedy: Text {
            en: "Now: point clients to a good address, or take the member out of the pool. For good: repair the member, and let the pool's health check ask what clients ask.",
            zh: "临时：客户端指向正常节点，或由服务方摘除异常节点。根治：修复该节点，并让负载均衡健康检查覆盖真实业务请求。",
        },
    },
    Cause {
        name: "egress-lost",
        title: Text { en: "The way out of the clients' network is lost", zh: "本网出口中断" },
        owner: Owner::Carrier,
        codes: &[
            ("transport.syn-unanswered", 10),
            ("transport.data-unacked", 15),
            ("network.dns-timeout", 10),
            ("network.icmp-unreachable", 10),
            ("network.egress-lost", 90),
        ],
        favour: &[
            (&ELSEWHERE_DEAD, 75),
            // The fault begins behind the own network.
            (&LAN_ANSWERS, 30),
        ],
        against: &[(&ELSEWHERE_WELL, 90), (&OUTSIDE_HEARD, 60), (&OTHER_PORTS_ANSWER, 80)],
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
        name: "nat-table-full",
        title: Text { en: "The gateway takes no new connections (its table is full)", zh: "出口网关无法新建会话（NAT 表耗尽）" },
        owner: Owner::Site,
        codes: &[("transport.syn-unanswered", 5), ("network.egress-lost", 5), ("network.dns-timeout", 5)],
        favour: &[
            // New connections die everywhere while old ones go on: that is a table, not a line. The one without the
            // other proves nothing, so neither suffices alone.
            (&OUTSIDE_HEARD, 45),
            (&ELSEWHERE_DEAD, 45),
            (&LOAD_ROSE, 20),
        ],
        against: &[(&ELSEWHERE_WELL, 90), (&OTHER_PORTS_ANSWER, 80), (&HOST_SILENT, 20)],
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
        name: "client-banned",
        title: Text { en: "The service has banned these clients", zh: "服务端封禁了这些客户端的地址" },
        owner: Owner::Client,
        codes: &[
            ("transport.syn-unanswered", 10),
            ("transport.syn-refused", 5),
            ("transport.reset-by-server", 10),
            ("application.http-forbidden", 20),
            ("application.http-throttled", 20),
        ],
        favour: &[
            // Known: the tax gateways ban an address after a burst.
            (&BURST_BEFORE, 60),
            (&OTHERS_SUCCEED, 45),
            (&FEW_CLIENTS, 25),
            (&WORKED_BEFORE, 10),
            (&ELSEWHERE_WELL, 10),
        ],
        against: &[(&ALL_FAIL, 60), (&ELSEWHERE_DEAD, 80), (&INTERMITTENT, 60)],
        disproof: Text {
            en: "Success from the same public address. Try from another public address at the same time: if that works, it is the address.",
            zh: "同一出口地址能访问成功即不成立。请同时换一个出口地址尝试，若可用则说明是地址被封。",
        },
        remedy: Text {
            en: "Now: stop retrying for some minutes, then go on slowly. For good: growing pauses between retries, and ask the service for its limits.",
            zh: "临时：停止重试数分钟后低频恢复。根治：采用指数退避，并向服务方确认限频规则或申请解封。",
        },
    },
    Cause {
        name: "ipv6-broken",
        title: Text { en: "IPv6 is broken on the way, IPv4 works", zh: "IPv6 路径不通，IPv4 正常" },
        owner: Owner::Carrier,
        codes: &[
            ("transport.syn-unanswered", 10),
            ("network.icmp-unreachable", 15),
            ("transport.data-unacked", 10),
            ("security.tls-no-reply", 5),
            ("transport.connect-slow", 10),
        ],
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
        title: Text { en: "A router on the way has no route", zh: "途中路由故障" },
        owner: Owner::Carrier,
        codes: &[
            ("network.icmp-unreachable", 25),
            ("network.ttl-exceeded", 60),
            ("network.routing-loop", 90),
            ("transport.handshake-incomplete", 25),
        ],
        favour: &[
            (&ROUTER_NET, 75),
            // Answers come back on another way than the questions take.
            (&NOT_ACKED, 40),
            (&SEVERAL_SERVERS, 25),
        ],
        against: &[(&ROUTER_PORT, 95), (&ROUTER_HOST, 60), (&OTHERS_SUCCEED, 30), (&ACKED, 70)],
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
        title: Text { en: "The way loses packets", zh: "链路丢包" },
        owner: Owner::Carrier,
        codes: &[
            ("network.packet-loss", 60),
            ("transport.data-unacked", 30),
            ("security.tls-handshake-stalled", 25),
            ("transport.connect-slow", 30),
            ("transport.handshake-incomplete", 15),
            ("application.response-truncated", 5),
        ],
        favour: &[(&LOSS, 50), (&SEVERAL_SERVERS, 25), (&INTERMITTENT, 25)],
        against: &[(&BIG_HELLO, 60), (&HOST_SILENT, 30), (&CONNECT_SLOWER_THEN, 30), (&ACKED, 60)],
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
        title: Text { en: "The line is full", zh: "带宽占满，链路拥塞" },
        owner: Owner::Site,
        codes: &[
            ("network.congestion", 80),
            ("network.packet-loss", 20),
            ("transport.connect-slow", 15),
            ("transport.latency-high", 20),
            ("transport.data-unacked", 10),
        ],
        // Queues fill before they drop: round trips grow first.
        favour: &[(&CONNECT_SLOWER_THEN, 65), (&LOSS, 20), (&SEVERAL_SERVERS, 25), (&LOAD_ROSE, 20)],
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
        title: Text { en: "A device on the way resets the connections", zh: "中间设备注入 RST 阻断连接" },
        owner: Owner::Site,
        codes: &[
            ("transport.reset-injected", 85),
            ("security.tls-cut-on-hello", 40),
            ("transport.reset-by-server", 15),
        ],
        favour: &[(&SAME_HOPS, 40), (&HELLO_NAME, 30), (&SEVERAL_SERVERS, 20)],
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
        title: Text { en: "A gateway forgets idle connections", zh: "网关会话老化，空闲连接被丢弃" },
        owner: Owner::Site,
        codes: &[("transport.idle-dropped", 85)],
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
        title: Text { en: "Large packets vanish, small ones pass", zh: "PMTU 黑洞：大包被丢弃，小包正常" },
        owner: Owner::Carrier,
        codes: &[("network.pmtu-blackhole", 85), ("transport.data-unacked", 10), ("security.tls-handshake-stalled", 15)],
        favour: &[(&SEVERAL_SERVERS, 25), (&WORKED_BEFORE, 5)],
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
        title: Text { en: "ClientHellos of several packets are dropped", zh: "多报文 ClientHello 被丢弃" },
        owner: Owner::Site,
        codes: &[
            ("network.pmtu-blackhole", 20),
            ("transport.data-unacked", 10),
            ("security.tls-handshake-stalled", 10),
            ("security.tls-no-reply", 10),
        ],
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
        name: "accept-queue-overflow",
        title: Text { en: "The server's accept queue is full", zh: "服务端连接队列溢出" },
        owner: Owner::Service,
        codes: &[
            ("transport.handshake-incomplete", 25),
            ("transport.connect-slow", 15),
            ("transport.syn-unanswered", 5),
        ],
        favour: &[
            // A full queue drops the last ACK, or the SYN, and the kernel repeats its SYN-ACK.
            (&ACKED, 70),
            (&INTERMITTENT, 20),
            (&LOAD_ROSE, 25),
            (&SLOWER_THEN, 15),
        ],
        against: &[(&NOT_ACKED, 80), (&HOST_SILENT, 60), (&OTHER_PORTS_DEAD, 50)],
        disproof: Text {
            en: "Counters of listen overflows on the server that stand still (nstat TcpExtListenOverflows).",
            zh: "若服务器 TcpExtListenOverflows 计数不增长则不成立（nstat 查看）。",
        },
        remedy: Text {
            en: "Now: fewer connections at once, growing pauses. For good: a longer backlog, more workers, connections that are reused.",
            zh: "临时：降低并发并退避重试。根治：增大 backlog、增加工作进程、启用连接复用。",
        },
    },
    Cause {
        name: "ddos",
        title: Text { en: "A flood keeps the server busy", zh: "疑似 DDoS / SYN 洪泛" },
        owner: Owner::Carrier,
        codes: &[("transport.syn-flood", 90)],
        favour: &[(&LOAD_ROSE, 30), (&SLOWER_THEN, 20)],
        against: &[],
        disproof: Text {
            en: "The same clients completing their handshakes: then it is overload by real use.",
            zh: "若这些来源能完成握手，则属真实业务过载而非攻击。",
        },
        remedy: Text {
            en: "Now: SYN cookies, scrubbing by the carrier. For good: rate limits in front of the service.",
            zh: "临时：启用 SYN Cookie，请运营商流量清洗。根治：在服务前置限速与清洗。",
        },
    },
    Cause {
        name: "client-aborts",
        title: Text { en: "The client itself breaks its connections off", zh: "客户端主动中断连接" },
        owner: Owner::Client,
        codes: &[("transport.reset-by-client", 75), ("security.tls-handshake-stalled", 10)],
        favour: &[(&OTHERS_SUCCEED, 25), (&SEVERAL_SERVERS, 25), (&NAMES_RESOLVE, 5)],
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
    Cause {
        name: "load-balancer-failover",
        title: Text { en: "The service address moved to another machine", zh: "负载均衡主备切换（VIP 漂移）" },
        owner: Owner::Service,
        codes: &[("network.vip-moved", 80), ("transport.reset-by-server", 5), ("transport.syn-unanswered", 5)],
        favour: &[(&RECOVERED, 35), (&WORKED_BEFORE, 15)],
        against: &[(&ONE_ADDRESS_BAD, 40), (&OTHERS_SUCCEED, 30)],
        disproof: Text {
            en: "Source MAC and TTL of the server that stay the same across the gap.",
            zh: "若中断前后服务器源 MAC 与 TTL 未变则不成立。",
        },
        remedy: Text {
            en: "Now: reconnect. For good: a shorter failover (≤15 s), session synchronisation, clients that reconnect by themselves.",
            zh: "临时：重新连接。根治：缩短切换时间（≤15 秒）、开启会话同步、客户端自动重连。",
        },
    },
];

//! Causes at the server's end of the way: ports, hosts, services, members of a pool, bans.

use super::{Cause, Owner};
use crate::failure::Text;
use crate::incident::evidence::{
    ACKED, ADDRESS_CHANGED, ALL_ADDRESSES_BAD, ALL_FAIL, BURST_BEFORE, DISTANCE_CHANGED,
    ELSEWHERE_DEAD, ELSEWHERE_WELL, FEW_CLIENTS, FLOOD, GATEWAY_KEPT, GATEWAY_LEFT, HOST_SILENT,
    HOST_SPEAKS, INTERMITTENT, IPV4_WORKS, LOAD_ROSE, MACHINE_CHANGED, NEVER_ACKED,
    ONE_ADDRESS_BAD, OTHER_PORTS_ANSWER, OTHER_PORTS_DEAD, OTHERS_SUCCEED, RECOVERED,
    RESET_BETWEEN, RESET_BY_HOST, RESOLVER_CLOSED, RESOLVER_DUMB, ROUTER_HOST, ROUTER_NET,
    ROUTER_PORT, SLOWER_THEN, TAKEN_NOT_SERVED, WORKED_BEFORE,
};

pub(super) static CAUSES: &[Cause] = &[
    Cause {
        name: "firewall-blocks-port",
        title: Text {
            en: "A firewall blocks this port",
            zh: "防火墙或安全组拦截了该端口",
        },
        owner: Owner::Site,
        codes: &[
            ("transport.syn-unanswered", 35),
            // The filter itself says so.
            ("network.firewall-rejected", 85),
            // It resets, or the host itself does.
            ("transport.syn-refused", 15),
            // Port 53 is a port like others.
            ("network.dns-timeout", 15),
        ],
        needs: &[],
        favour: &[
            // A host that is down answers nowhere: only something between tells ports apart in silence.
            (&OTHER_PORTS_ANSWER, 75),
            (&HOST_SPEAKS, 60),
            (&RESET_BETWEEN, 85),
            (&WORKED_BEFORE, 15),
            (&ALL_FAIL, 20),
            (&ELSEWHERE_WELL, 15),
            (&GATEWAY_LEFT, 10),
        ],
        against: &[
            // A filter on the host itself looks like this too, but a closed port is what it mostly is.
            (&RESET_BY_HOST, 70),
            // A rule about a port does not choose among clients (one about sources may).
            (&OTHERS_SUCCEED, 50),
            (&OTHER_PORTS_DEAD, 50),
            (&ELSEWHERE_DEAD, 70),
            (&ONE_ADDRESS_BAD, 30),
            (&HOST_SILENT, 30),
            (&INTERMITTENT, 40),
            // A filter on a port does not let some connections through.
            (&TAKEN_NOT_SERVED, 70),
            (&GATEWAY_KEPT, 50),
            (&FLOOD, 70),
            // Several names: it is the resolver, and whoever filters it filters that.
            (&RESOLVER_DUMB, 40),
            (&RESOLVER_CLOSED, 50),
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
        title: Text {
            en: "The server's host is down or cut off",
            zh: "服务器主机宕机或断网",
        },
        owner: Owner::Service,
        codes: &[
            ("transport.syn-unanswered", 40),
            ("network.icmp-unreachable", 35),
            ("transport.data-unacked", 35),
            ("network.arp-unanswered", 30),
            ("network.host-silent", 80),
        ],
        needs: &[],
        favour: &[
            (&OTHER_PORTS_DEAD, 50),
            (&HOST_SILENT, 40),
            // The router in front of it asked for the host and got no answer.
            (&ROUTER_HOST, 70),
            (&ALL_FAIL, 25),
            (&ELSEWHERE_WELL, 15),
            (&WORKED_BEFORE, 15),
            (&GATEWAY_LEFT, 10),
            (&ADDRESS_CHANGED, 20),
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
            // It never heard of them.
            (&GATEWAY_KEPT, 85),
            (&FLOOD, 70),
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
        title: Text {
            en: "The service is not running on a host that is alive",
            zh: "主机在线，但服务进程未监听或已停止",
        },
        owner: Owner::Service,
        codes: &[
            ("transport.syn-refused", 70),
            ("network.icmp-unreachable", 10),
            ("application.http-503", 20),
            ("transport.closed-early", 15),
        ],
        needs: &[],
        favour: &[
            (&ROUTER_PORT, 80),
            (&OTHER_PORTS_ANSWER, 50),
            (&ALL_FAIL, 30),
            (&WORKED_BEFORE, 15),
            // A standby, or a new address, that was never made ready.
            (&MACHINE_CHANGED, 20),
            (&ADDRESS_CHANGED, 20),
        ],
        against: &[
            // A device in front of it refuses.
            (&RESET_BETWEEN, 75),
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
        title: Text {
            en: "One address behind the name is bad, its siblings serve",
            zh: "同一域名下某一节点异常，其余节点正常",
        },
        owner: Owner::Service,
        codes: &[
            ("transport.syn-unanswered", 10),
            ("transport.syn-refused", 10),
            ("transport.reset-by-server", 10),
            ("transport.closed-early", 10),
            ("transport.handshake-incomplete", 10),
            ("network.icmp-unreachable", 10),
            ("network.host-silent", 10),
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
        needs: &[&ONE_ADDRESS_BAD],
        // The whole of it: the same name, the same time, another address, well.
        favour: &[
            (&ONE_ADDRESS_BAD, 90),
            (&ALL_FAIL, 15),
            (&WORKED_BEFORE, 10),
        ],
        against: &[
            (&ALL_ADDRESSES_BAD, 90),
            (&ELSEWHERE_DEAD, 60),
            (&OTHERS_SUCCEED, 30),
            (&GATEWAY_KEPT, 60),
            (&FLOOD, 50),
        ],
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
        name: "client-banned",
        title: Text {
            en: "The service has banned these clients",
            zh: "服务端封禁了这些客户端的地址",
        },
        owner: Owner::Client,
        codes: &[
            ("transport.syn-unanswered", 10),
            ("transport.syn-refused", 5),
            ("transport.reset-by-server", 10),
            ("application.http-forbidden", 20),
            ("application.http-throttled", 20),
        ],
        needs: &[],
        favour: &[
            // Known: the tax gateways ban an address after a burst.
            (&BURST_BEFORE, 60),
            (&OTHERS_SUCCEED, 45),
            (&FEW_CLIENTS, 25),
            (&WORKED_BEFORE, 10),
            (&ELSEWHERE_WELL, 10),
        ],
        against: &[
            (&ALL_FAIL, 60),
            (&ELSEWHERE_DEAD, 80),
            (&INTERMITTENT, 60),
            (&GATEWAY_KEPT, 70),
            (&FLOOD, 60),
        ],
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
        name: "accept-queue-overflow",
        title: Text {
            en: "The server's accept queue is full",
            zh: "服务端连接队列溢出",
        },
        owner: Owner::Service,
        codes: &[
            ("transport.handshake-incomplete", 25),
            ("transport.connect-slow", 15),
            ("transport.syn-unanswered", 5),
            ("application.no-response", 15),
            ("security.tls-no-reply", 15),
        ],
        needs: &[],
        favour: &[
            // A full queue drops the last ACK, or the SYN, and the kernel repeats its SYN-ACK.
            (&ACKED, 70),
            // Once it is full, further SYNs are dropped, and what waits in it is acknowledged and not served.
            (&TAKEN_NOT_SERVED, 75),
            (&INTERMITTENT, 20),
            (&LOAD_ROSE, 25),
            (&SLOWER_THEN, 15),
        ],
        against: &[
            (&NEVER_ACKED, 80),
            (&HOST_SILENT, 60),
            (&OTHER_PORTS_DEAD, 50),
            (&GATEWAY_KEPT, 80),
            (&FLOOD, 40),
        ],
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
        name: "ports-reused",
        title: Text {
            en: "Ports come round too soon and meet old connections",
            zh: "本地端口轮回过快，撞上尚未释放的旧连接",
        },
        owner: Owner::Site,
        codes: &[("transport.port-reuse-stalled", 80)],
        needs: &[],
        favour: &[(&ELSEWHERE_WELL, 10), (&OTHERS_SUCCEED, 10)],
        against: &[(&ELSEWHERE_DEAD, 60)],
        disproof: Text {
            en: "A SYN from a port that nobody used for four minutes and that fails likewise. Count new connections a minute on client and NAT.",
            zh: "若使用四分钟内未用过的端口同样失败则不成立。请统计客户端和 NAT 上每分钟新建连接数。",
        },
        remedy: Text {
            en: "Now: wait a minute, or restart the client that leaks connections. For good: reuse connections, more addresses or ports on the NAT, no fixed source ports.",
            zh: "临时：等待一分钟，或重启泄漏连接的客户端。根治：启用连接复用、扩充 NAT 地址与端口范围、不绑定源端口。",
        },
    },
    Cause {
        name: "ddos",
        title: Text {
            en: "A flood keeps the server busy",
            zh: "疑似 DDoS / SYN 洪泛",
        },
        owner: Owner::Carrier,
        codes: &[
            ("transport.syn-flood", 60),
            ("transport.syn-unanswered", 5),
            ("transport.handshake-incomplete", 5),
            ("application.no-response", 5),
            ("application.http-503", 5),
        ],
        needs: &[&FLOOD],
        // However many fail by it, the flood is one finding.
        favour: &[(&FLOOD, 85), (&LOAD_ROSE, 30), (&SLOWER_THEN, 20)],
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
        name: "load-balancer-failover",
        title: Text {
            en: "The service address moved to another machine",
            zh: "负载均衡主备切换（VIP 漂移）",
        },
        owner: Owner::Service,
        codes: &[("network.vip-moved", 80)],
        needs: &[],
        favour: &[
            (&RECOVERED, 35),
            (&WORKED_BEFORE, 15),
            (&DISTANCE_CHANGED, 10),
        ],
        against: &[(&ONE_ADDRESS_BAD, 40)],
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

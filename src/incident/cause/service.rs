//! Causes in the service itself, its gateways and its rules.

use super::{Cause, Owner};
use crate::failure::Text;
use crate::incident::evidence::{
    ACKED, ADDRESS_CHANGED, ALL_FAIL, CREDENTIALS, ELSEWHERE_DEAD, ELSEWHERE_WELL, FEW_CLIENTS,
    FLOOD, HOST_SILENT, INTERMITTENT, LOAD_ROSE, LOSS, MACHINE_CHANGED, NEVER_WORKED,
    ONE_ADDRESS_BAD, OTHERS_SUCCEED, PAGE_FOR_DATA, RECOVERED, REFUSED_IN_DATA, RETRY_AFTER,
    SERVER_FULL, SEVERAL_SERVERS, SLOW_TOO, SLOWER_THEN, TUNNEL_DOWN, WAF, WORKED_BEFORE,
};

pub(super) static CAUSES: &[Cause] = &[
    Cause {
        name: "server-overload",
        title: Text {
            en: "The service is overloaded",
            zh: "服务端过载",
        },
        owner: Owner::Service,
        codes: &[
            ("application.http-503", 50),
            ("application.slow-response", 45),
            ("application.no-response", 35),
            ("application.http-throttled", 30),
            ("application.http-bad-gateway", 25),
            ("transport.zero-window", 30),
            ("transport.closed-early", 20),
            ("transport.reset-by-server", 15),
            ("transport.handshake-incomplete", 10),
            ("transport.connect-slow", 10),
            ("security.tls-no-reply", 30),
            ("security.tls-handshake-stalled", 15),
        ],
        needs: &[],
        favour: &[
            // A failing service answers errors at once; an overloaded one answers late what it still answers.
            (&SLOWER_THEN, 55),
            (&SLOW_TOO, 40),
            (&LOAD_ROSE, 40),
            (&RETRY_AFTER, 40),
            (&INTERMITTENT, 35),
            (&SERVER_FULL, 40),
            (&ACKED, 20),
            (&RECOVERED, 15),
            (&WORKED_BEFORE, 10),
        ],
        against: &[
            // A pool that is overloaded is so at all its addresses.
            (&ONE_ADDRESS_BAD, 60),
            (&NEVER_WORKED, 30),
            (&ELSEWHERE_DEAD, 70),
            (&HOST_SILENT, 60),
            (&FEW_CLIENTS, 30),
            (&FLOOD, 40),
            // What is sent again and again is late, however fast the server.
            (&LOSS, 40),
        ],
        disproof: Text {
            en: "Answers that stay fast while it fails, or failures that go on at night. Compare response times with the number of connections a minute.",
            zh: "若失败期间其余应答仍很快，或低峰时同样失败，则不成立。请对比响应时延与每分钟连接数。",
        },
        remedy: Text {
            en: "Now: retry with growing pauses (heed Retry-After), move bulk jobs off the peak. For good: the operator scales out and throttles.",
            zh: "临时：按 Retry-After 退避重试，批量业务错峰。根治：服务方扩容并限流熔断。",
        },
    },
    Cause {
        name: "third-party-fault",
        title: Text {
            en: "The service itself fails: its application or what stands behind it",
            zh: "服务方应用或其后端故障",
        },
        owner: Owner::Service,
        codes: &[
            ("application.http-server-error", 75),
            ("application.http-bad-gateway", 70),
            ("application.response-truncated", 55),
            ("transport.closed-early", 50),
            ("transport.reset-by-server", 50),
            ("application.no-response", 40),
            ("application.http-503", 25),
            ("application.slow-response", 20),
            ("security.tls-handshake-stalled", 10),
            ("security.tls-no-reply", 15),
            ("application.http-redirect-loop", 60),
            ("application.http-malformed", 45),
            ("data.response-empty", 40),
        ],
        needs: &[],
        favour: &[
            (&ALL_FAIL, 25),
            (&ELSEWHERE_WELL, 10),
            (&WORKED_BEFORE, 5),
            (&MACHINE_CHANGED, 10),
            (&ADDRESS_CHANGED, 10),
        ],
        against: &[
            (&ONE_ADDRESS_BAD, 50),
            (&SLOWER_THEN, 35),
            (&SLOW_TOO, 20),
            (&LOAD_ROSE, 20),
            (&RETRY_AFTER, 35),
            (&FEW_CLIENTS, 40),
            (&WAF, 60),
            (&FLOOD, 40),
        ],
        disproof: Text {
            en: "The same request answered well by the service's operator, from inside. Give them path, time and request id.",
            zh: "若服务方内部以同一请求可正常应答则不成立。请提供接口路径、时间和请求号。",
        },
        remedy: Text {
            en: "Now: use the operator's second channel; retry only what is safe to repeat. For good: the operator mends the application or its back end.",
            zh: "临时：切换备用通道，仅重试可重复的请求。根治：由服务方按请求号修复应用或后端。",
        },
    },
    Cause {
        name: "rate-limited",
        title: Text {
            en: "The service limits these clients' rate",
            zh: "请求过频被限流",
        },
        owner: Owner::Client,
        codes: &[("application.http-throttled", 80)],
        needs: &[],
        favour: &[
            (&RETRY_AFTER, 25),
            (&LOAD_ROSE, 25),
            (&INTERMITTENT, 15),
            (&OTHERS_SUCCEED, 15),
        ],
        against: &[(&SLOWER_THEN, 25)],
        disproof: Text {
            en: "429 for a client that asks seldom. Count requests a minute by client.",
            zh: "若低频客户端同样收到 429 则不成立。请统计各客户端每分钟请求数。",
        },
        remedy: Text {
            en: "Now: fewer requests at once, growing pauses. For good: ask for a higher quota, join calls.",
            zh: "临时：降低并发、指数退避。根治：申请提高配额，合并请求。",
        },
    },
    Cause {
        name: "proxy-fault",
        title: Text {
            en: "The proxy refuses or fails",
            zh: "代理服务器拒绝或故障",
        },
        owner: Owner::Site,
        codes: &[
            ("application.http-proxy-failed", 88),
            ("application.http-bad-gateway", 5),
        ],
        needs: &[],
        favour: &[(&SEVERAL_SERVERS, 15), (&ALL_FAIL, 15)],
        against: &[(&OTHERS_SUCCEED, 20)],
        disproof: Text {
            en: "The same target reached through the proxy by the same account.",
            zh: "同一账号经该代理可访问同一目标即不成立。",
        },
        remedy: Text {
            en: "Now: correct the proxy's address and account, or go past it. For good: allow the invoicing names on the proxy.",
            zh: "临时：修正代理地址和账号，或绕过代理。根治：在代理上放行开票域名。",
        },
    },
    Cause {
        name: "auth-expired",
        title: Text {
            en: "Credentials are missing, expired or refused",
            zh: "登录凭据缺失、过期或被拒",
        },
        owner: Owner::Client,
        codes: &[
            ("application.http-unauthorized", 78),
            ("application.redirect-to-login", 75),
            ("application.http-forbidden", 30),
            ("data.session-expired", 85),
        ],
        needs: &[],
        favour: &[
            (&CREDENTIALS, 30),
            (&REFUSED_IN_DATA, 30),
            (&WORKED_BEFORE, 20),
            (&OTHERS_SUCCEED, 30),
        ],
        against: &[(&WAF, 70), (&PAGE_FOR_DATA, 50), (&SLOWER_THEN, 20)],
        disproof: Text {
            en: "401 for a token that was issued a minute ago. Log in anew and repeat the same call.",
            zh: "若刚签发的令牌同样返回 401 则不成立。请重新登录后重放同一请求。",
        },
        remedy: Text {
            en: "Now: log in again, check the account. For good: renew tokens before they end, keep the client's clock right, sign as the interface demands.",
            zh: "临时：重新登录并核对账号权限。根治：令牌到期前续签，校准系统时间，核对签名参数。",
        },
    },
    Cause {
        name: "waf-block",
        title: Text {
            en: "A web application firewall blocks the requests",
            zh: "被 WAF 拦截",
        },
        owner: Owner::Service,
        codes: &[
            ("application.http-forbidden", 40),
            ("security.tls-cut-on-hello", 10),
            ("transport.reset-by-server", 5),
        ],
        needs: &[],
        // A filter that leaves no known mark is told by what it says: a page for people.
        favour: &[(&WAF, 80), (&PAGE_FOR_DATA, 50), (&FEW_CLIENTS, 10)],
        against: &[(&CREDENTIALS, 10), (&REFUSED_IN_DATA, 40)],
        disproof: Text {
            en: "The block in the application's own log: then it is its permission rule, not the filter.",
            zh: "若应用自身日志有该拒绝记录，则为权限规则而非 WAF。",
        },
        remedy: Text {
            en: "Now: send the operator the answer's id and time. For good: have path, source and content type allowed on the filter.",
            zh: "临时：将拦截页编号和时间发给服务方。根治：在 WAF 加白接口路径、来源与内容类型。",
        },
    },
    Cause {
        name: "api-retired",
        title: Text {
            en: "The interface no longer exists under this path",
            zh: "接口路径已停用或不存在",
        },
        owner: Owner::Client,
        codes: &[
            ("application.http-not-found", 72),
            ("application.api-version-mismatch", 60),
        ],
        needs: &[],
        favour: &[(&ALL_FAIL, 25), (&INTERMITTENT, 10), (&ELSEWHERE_WELL, 5)],
        against: &[(&ONE_ADDRESS_BAD, 50)],
        disproof: Text {
            en: "The same path answered well by another member or an hour ago.",
            zh: "若其他节点或此前同一路径正常则不成立。",
        },
        remedy: Text {
            en: "Now: correct the path. For good: update the client to the interface's current version.",
            zh: "临时：更正接口路径。根治：升级开票软件到现行接口版本。",
        },
    },
    Cause {
        name: "interface-version-mismatch",
        title: Text {
            en: "Client and service speak different versions of the interface",
            zh: "接口版本不一致",
        },
        owner: Owner::Client,
        codes: &[
            ("application.api-version-mismatch", 80),
            ("data.version-mismatch", 88),
        ],
        needs: &[],
        favour: &[(&OTHERS_SUCCEED, 20)],
        against: &[],
        disproof: Text {
            en: "The same version accepted from another client.",
            zh: "若其他客户端以同一版本成功则不成立。",
        },
        remedy: Text {
            en: "Now: set the version that succeeds. For good: update both sides to one version.",
            zh: "临时：改用可成功的版本号。根治：双方升级到同一版本。",
        },
    },
    Cause {
        name: "data-format-changed",
        title: Text {
            en: "The data no longer has the form that was agreed",
            zh: "数据格式与约定不符",
        },
        owner: Owner::Service,
        codes: &[
            ("data.xml-malformed", 75),
            ("data.json-malformed", 75),
            ("data.charset-mismatch", 60),
            ("data.payload-undecodable", 70),
            ("data.digest-mismatch", 60),
            ("data.content-type-mismatch", 40),
        ],
        needs: &[],
        favour: &[(&WORKED_BEFORE, 20), (&ALL_FAIL, 20)],
        against: &[],
        disproof: Text {
            en: "A body of the same kind that was well-formed just before.",
            zh: "若此前同类报文格式正常则需另查。",
        },
        remedy: Text {
            en: "Now: send the operator the offending body. For good: agree on form, coding and character set again.",
            zh: "临时：将异常报文发给服务方。根治：重新核对格式、编码与字符集约定。",
        },
    },
    Cause {
        name: "duplicate-submission",
        title: Text {
            en: "Clients submit the same thing again",
            zh: "重复提交",
        },
        owner: Owner::Client,
        codes: &[
            ("application.duplicate-request", 80),
            ("application.retry-storm", 70),
        ],
        needs: &[],
        favour: &[(&SLOWER_THEN, 15)],
        against: &[],
        disproof: Text {
            en: "Serial numbers that differ between the requests.",
            zh: "若两次请求流水号不同则不成立。",
        },
        remedy: Text {
            en: "Now: stop automatic repeats. For good: idempotent by serial number, growing pauses with a limit.",
            zh: "临时：停止自动重发。根治：按流水号做幂等，指数退避并设上限。",
        },
    },
    Cause {
        name: "business-rejected",
        title: Text {
            en: "The service refuses the content of the requests",
            zh: "服务端按业务规则拒绝",
        },
        owner: Owner::Client,
        codes: &[
            ("data.business-error", 80),
            ("application.http-client-error", 50),
            ("data.status-stuck", 50),
        ],
        needs: &[],
        favour: &[(&OTHERS_SUCCEED, 15)],
        against: &[],
        disproof: Text {
            en: "The same content accepted later without change.",
            zh: "若相同内容稍后无改动即成功则不成立。",
        },
        remedy: Text {
            en: "Now: act on the returned code and message. For good: check the data before sending.",
            zh: "临时：按返回码和提示处理业务数据。根治：提交前做数据校验。",
        },
    },
    Cause {
        name: "http-hijack",
        title: Text {
            en: "Somebody answers in the service's name",
            zh: "HTTP 劫持（页面注入）",
        },
        owner: Owner::Carrier,
        codes: &[
            ("transport.data-injected", 92),
            ("data.content-type-mismatch", 20),
            ("application.http-redirect-loop", 5),
        ],
        needs: &[],
        favour: &[(&SEVERAL_SERVERS, 30)],
        against: &[],
        disproof: Text {
            en: "Both payloads leaving the server itself.",
            zh: "若两份内容均由服务器发出则不成立。",
        },
        remedy: Text {
            en: "Now: log in at the network's portal, or leave this network. For good: HTTPS only.",
            zh: "临时：完成网络认证或更换网络。根治：全程使用 HTTPS。",
        },
    },
    Cause {
        name: "vpn-down",
        title: Text {
            en: "The VPN is down",
            zh: "VPN 隧道中断",
        },
        owner: Owner::Site,
        codes: &[
            ("security.vpn-no-answer", 80),
            ("security.vpn-auth-failed", 85),
            ("security.vpn-no-proposal", 85),
            ("security.vpn-tunnel-lost", 92),
            ("transport.syn-unanswered", 10),
            ("transport.data-unacked", 10),
            ("transport.idle-dropped", 5),
            ("network.dns-timeout", 5),
            ("network.icmp-unreachable", 5),
            ("network.host-silent", 5),
            ("network.egress-lost", 5),
            ("application.no-response", 5),
        ],
        needs: &[&TUNNEL_DOWN],
        favour: &[(&TUNNEL_DOWN, 80), (&ELSEWHERE_WELL, 15)],
        // The line took the tunnel along.
        against: &[(&ELSEWHERE_DEAD, 45)],
        disproof: Text {
            en: "Traffic in both directions inside the tunnel.",
            zh: "隧道内双向有流量则不成立。",
        },
        remedy: Text {
            en: "Now: set the tunnel up again. For good: align proposals, keys and certificates; two tunnels.",
            zh: "临时：重建隧道。根治：核对提议、密钥与证书有效期，部署双隧道。",
        },
    },
];

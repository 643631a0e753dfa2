//! Causes in TLS: certificates, trust stores, clocks, policies.

use super::{Cause, Owner};
use crate::failure::Text;
use crate::incident::evidence::{
    ALL_FAIL, CERT_CHANGED, CLOCK_SIGN, EXPIRED_SAID, FEW_CLIENTS, HELLO_NAME, INTERMEDIATE,
    INTERMITTENT, LEAF_ALONE, NEVER_WORKED, NEW_ISSUER, NOT_ITS_OWN_KEY, ONE_ADDRESS_BAD,
    OTHERS_SUCCEED, ROOT_UNKNOWN, SEVERAL_SERVERS, UNKNOWN_CA, WORKED_BEFORE,
};

pub(super) static CAUSES: &[Cause] = &[
    Cause {
        name: "certificate-expired",
        title: Text {
            en: "A certificate of the server has expired",
            zh: "服务器证书（链）已过期",
        },
        owner: Owner::Service,
        codes: &[
            ("security.cert-expired", 88),
            ("security.cert-rejected", 10),
        ],
        needs: &[],
        favour: &[
            // TLS 1.3 hides the chain, and not what clients say of it.
            (&EXPIRED_SAID, 75),
            (&ALL_FAIL, 35),
            (&INTERMEDIATE, 10),
            (&NEVER_WORKED, 10),
            (&CERT_CHANGED, 10),
        ],
        against: &[
            (&OTHERS_SUCCEED, 25),
            (&ONE_ADDRESS_BAD, 30),
            (&CLOCK_SIGN, 60),
        ],
        disproof: Text {
            en: "Another address of the name with a valid chain, or a capture clock that is wrong. Compare openssl s_client -showcerts from outside.",
            zh: "若抓包主机时钟有误，或该域名其他地址的证书链有效则不成立。请从外部用 openssl s_client -showcerts 对比。",
        },
        remedy: Text {
            en: "Now: the operator installs the renewed certificate, the intermediate too, on every member and reloads. For good: renewal by machine, and an alarm 30 days before.",
            zh: "临时：由服务方在所有节点部署更新后的证书及中间证书并重载服务。根治：自动续期，并在到期前 30 天告警。",
        },
    },
    Cause {
        name: "certificate-chain-broken",
        title: Text {
            en: "The server sends a chain that leads nowhere",
            zh: "服务器证书链不完整或签名无效",
        },
        owner: Owner::Service,
        codes: &[
            ("security.cert-chain-incomplete", 75),
            ("security.cert-bad-signature", 70),
            ("security.cert-untrusted-root", 20),
            ("security.cert-rejected", 15),
        ],
        needs: &[],
        favour: &[
            (&LEAF_ALONE, 40),
            (&ALL_FAIL, 25),
            (&NEVER_WORKED, 5),
            (&CERT_CHANGED, 20),
        ],
        // Some clients fetch or remember the missing part, so success elsewhere says little.
        against: &[
            (&OTHERS_SUCCEED, 20),
            (&ONE_ADDRESS_BAD, 30),
            (&CLOCK_SIGN, 60),
            // All that a server has to send was sent.
            (&ROOT_UNKNOWN, 45),
        ],
        disproof: Text {
            en: "The missing certificate on the wire (openssl s_client -showcerts), or a trust store that lacks the root only here.",
            zh: "若 openssl s_client -showcerts 显示链完整，或仅本机信任库缺根证书，则不成立。",
        },
        remedy: Text {
            en: "Now: import the missing intermediate on the clients. For good: the operator sends the whole chain, in order, on every member.",
            zh: "临时：在客户端导入缺失的中间证书。根治：服务方在所有节点按顺序下发完整证书链。",
        },
    },
    Cause {
        name: "certificate-replaced",
        title: Text {
            en: "The server's certificate was replaced by one that clients do not accept",
            zh: "服务器更换了证书，客户端不接受新证书",
        },
        owner: Owner::Service,
        codes: &[
            ("security.cert-name-mismatch", 70),
            ("security.cert-not-yet-valid", 65),
            ("security.cert-self-signed", 45),
            ("security.cert-revoked", 70),
            ("security.cert-rejected", 20),
            ("security.cert-rejected-inferred", 20),
            ("security.cert-untrusted-root", 20),
            ("security.cert-chain-incomplete", 15),
        ],
        needs: &[],
        favour: &[
            (&CERT_CHANGED, 65),
            (&WORKED_BEFORE, 40),
            (&ALL_FAIL, 25),
            (&NEW_ISSUER, 30),
        ],
        against: &[
            (&OTHERS_SUCCEED, 50),
            (&CLOCK_SIGN, 60),
            (&LEAF_ALONE, 40),
            (&EXPIRED_SAID, 50),
        ],
        disproof: Text {
            en: "The same certificate served well before. Compare its serial number with an older capture or the clients' cache.",
            zh: "若此前同一证书可正常使用则不成立。请与旧抓包或客户端缓存比对证书序列号。",
        },
        remedy: Text {
            en: "Now: the operator puts the former certificate back, or one that names the host. For good: try the renewal on one member with all client kinds first.",
            zh: "临时：由服务方恢复原证书或部署域名匹配的证书。根治：更换前先在单节点用各类客户端验证。",
        },
    },
    Cause {
        name: "client-trust-store-outdated",
        title: Text {
            en: "The clients' trust store lacks the issuer",
            zh: "客户端信任库过旧，缺少签发机构",
        },
        owner: Owner::Client,
        codes: &[
            ("security.cert-rejected", 45),
            ("security.cert-rejected-inferred", 40),
            ("security.cert-untrusted-root", 40),
            ("security.cert-chain-incomplete", 15),
        ],
        needs: &[],
        favour: &[
            // The chain validates, others take it: what differs is the client.
            (&OTHERS_SUCCEED, 50),
            (&SEVERAL_SERVERS, 20),
            (&UNKNOWN_CA, 40),
            (&FEW_CLIENTS, 10),
            (&ROOT_UNKNOWN, 10),
            (&NEW_ISSUER, 10),
        ],
        against: &[
            (&CLOCK_SIGN, 75),
            (&INTERMITTENT, 40),
            (&LEAF_ALONE, 30),
            (&EXPIRED_SAID, 50),
        ],
        disproof: Text {
            en: "The issuer's root in the client's store. List it (certmgr, keytool -list, the UKey's tool) and compare with the chain's issuer.",
            zh: "若客户端信任库已含该根证书则不成立。请用 certmgr、keytool -list 或 UKey 工具查看并与签发者比对。",
        },
        remedy: Text {
            en: "Now: import the root on these clients. For good: update system, Java or client software whose store is outdated.",
            zh: "临时：在这些客户端导入根证书（税务 CA 证书链）。根治：升级信任库过旧的系统、Java 或开票软件。",
        },
    },
    Cause {
        name: "client-clock-wrong",
        title: Text {
            en: "The client's clock is wrong",
            zh: "客户端系统时间错误",
        },
        owner: Owner::Client,
        codes: &[
            ("security.cert-rejected", 15),
            ("security.cert-rejected-inferred", 10),
            ("security.cert-not-yet-valid", 10),
            ("application.http-unauthorized", 3),
        ],
        needs: &[&CLOCK_SIGN],
        favour: &[
            // "Expired", said of a certificate that is valid, is a statement about the client's calendar.
            (&CLOCK_SIGN, 80),
            (&OTHERS_SUCCEED, 25),
            (&SEVERAL_SERVERS, 25),
        ],
        against: &[(&ALL_FAIL, 50), (&UNKNOWN_CA, 70)],
        disproof: Text {
            en: "The right date on the client. Read its clock (and the gmt_unix_time in its TLS 1.2 hello, or its HTTP and NTP times).",
            zh: "若客户端日期正确则不成立。请核对其系统时间（以及 TLS 1.2 Hello、HTTP、NTP 中的时间）。",
        },
        remedy: Text {
            en: "Now: set the clock. For good: NTP, and a new battery where it falls back after each start.",
            zh: "临时：校准系统时间。根治：启用 NTP 同步；若每次开机回退则更换主板电池。",
        },
    },
    Cause {
        name: "tls-interception",
        title: Text {
            en: "A device on the way opens TLS with certificates of its own",
            zh: "中间设备进行 HTTPS 解密（替换证书）",
        },
        owner: Owner::Site,
        codes: &[
            ("security.cert-intercepted", 92),
            ("security.cert-untrusted-root", 35),
            ("security.cert-self-signed", 30),
            ("security.cert-bad-signature", 15),
            ("security.cert-rejected", 10),
        ],
        needs: &[],
        // One foreign issuer for servers that have nothing else in common.
        favour: &[(&SEVERAL_SERVERS, 55), (&UNKNOWN_CA, 5)],
        against: &[(&CLOCK_SIGN, 70), (&ONE_ADDRESS_BAD, 50)],
        disproof: Text {
            en: "The same certificate seen from another network.",
            zh: "若从其他网络看到同一证书则不成立。",
        },
        remedy: Text {
            en: "Now: exempt invoicing names from inspection. For good: distribute the inspecting CA, or switch inspection off for these names.",
            zh: "临时：对开票域名关闭 SSL 解密。根治：下发检测设备的根证书，或长期豁免这些域名。",
        },
    },
    Cause {
        name: "tls-policy-mismatch",
        title: Text {
            en: "Client and server allow no common TLS version or cipher",
            zh: "客户端与服务端的 TLS 版本或套件策略不兼容",
        },
        owner: Owner::Client,
        codes: &[
            ("security.tls-version-mismatch", 80),
            ("security.tls-no-common-cipher", 75),
            ("security.tls-alert", 45),
            // A key or signature too weak for the client's rules, refused.
            ("security.cert-weak", 70),
            ("security.tls-cut-on-hello", 25),
            ("security.tls-name-unrecognized", 30),
        ],
        needs: &[],
        favour: &[(&OTHERS_SUCCEED, 25), (&FEW_CLIENTS, 15), (&ALL_FAIL, 15)],
        against: &[
            (&INTERMITTENT, 30),
            (&ONE_ADDRESS_BAD, 40),
            (&NOT_ITS_OWN_KEY, 60),
        ],
        disproof: Text {
            en: "A handshake of the same client kind with the same server that goes through. Try openssl s_client -tls1_2 and -tls1_3 in turn.",
            zh: "同型号客户端与该服务器握手成功即不成立。请用 openssl s_client 分别指定 -tls1_2、-tls1_3 测试。",
        },
        remedy: Text {
            en: "Now: enable a version and suite on the client that the server takes. For good: update the old side; older tax-disk channels need TLS 1.0 on purpose.",
            zh: "临时：在客户端启用服务端支持的版本和套件。根治：升级较旧一方；注意部分税控通道特意使用 TLS 1.0。",
        },
    },
    Cause {
        name: "gm-tls-required",
        title: Text {
            en: "One side speaks Chinese national TLS (TLCP), the other does not",
            zh: "国密 TLCP 与国际 TLS 不匹配",
        },
        owner: Owner::Client,
        codes: &[
            ("security.tlcp-mismatch", 92),
            ("security.tlcp-cert-pair", 70),
            ("security.tls-no-common-cipher", 15),
            ("security.tls-cut-on-hello", 15),
        ],
        needs: &[],
        favour: &[(&OTHERS_SUCCEED, 15), (&NEVER_WORKED, 10)],
        against: &[(&WORKED_BEFORE, 40)],
        disproof: Text {
            en: "An ordinary TLS handshake on this port that goes through.",
            zh: "该端口能完成国际 TLS 握手则不成立。",
        },
        remedy: Text {
            en: "Now: use the port of the client's own protocol. For good: a client or component that speaks TLCP (ECC_SM4_CBC_SM3).",
            zh: "临时：改用与客户端协议一致的端口。根治：更新国密组件/驱动，核对套件 ECC_SM4_CBC_SM3。",
        },
    },
    Cause {
        name: "server-key-wrong",
        title: Text {
            en: "The server's key is not the one of its certificate",
            zh: "服务器私钥与证书不匹配",
        },
        owner: Owner::Service,
        // Alone it says nothing of the server's key.
        codes: &[("security.tls-alert", 5)],
        needs: &[&NOT_ITS_OWN_KEY],
        favour: &[(&NOT_ITS_OWN_KEY, 70), (&ALL_FAIL, 15), (&CERT_CHANGED, 10)],
        against: &[],
        disproof: Text {
            en: "The same server seen from another network with a key exchange that is signed as it should be: then somebody between the two changes it.",
            zh: "若从其他网络看到该服务器的密钥交换签名正确则不成立：说明途中有设备改动了数据。",
        },
        remedy: Text {
            en: "Now: the operator installs the private key that belongs to the signing certificate, on every member, and reloads. For good: check key and certificate against each other when they are renewed.",
            zh: "临时：由运维方在每台服务器上装入与签名证书对应的私钥并重新加载。根治：更换证书时核对私钥与证书是否匹配。",
        },
    },
    Cause {
        name: "client-certificate-refused",
        title: Text {
            en: "The client's own certificate is missing or refused",
            zh: "客户端证书缺失或被拒",
        },
        owner: Owner::Client,
        codes: &[
            ("security.client-cert-missing", 88),
            ("security.client-cert-rejected", 88),
            ("security.tls-alert", 20),
        ],
        needs: &[],
        favour: &[(&OTHERS_SUCCEED, 30), (&FEW_CLIENTS, 10)],
        against: &[(&NOT_ITS_OWN_KEY, 60)],
        disproof: Text {
            en: "The same certificate accepted at the same time.",
            zh: "同一证书在同一时间被接受即不成立。",
        },
        remedy: Text {
            en: "Now: plug in the UKey or disk, install its driver, enter the PIN. For good: have the enterprise certificate renewed.",
            zh: "临时：插好税务 UKey/税控盘，安装驱动并输入口令。根治：到税务机关或 CA 更新企业证书。",
        },
    },
    Cause {
        name: "wrong-port-or-scheme",
        title: Text {
            en: "Plain text is spoken to a TLS port, or TLS to a plain one",
            zh: "端口与协议不符（http/https 混用）",
        },
        owner: Owner::Client,
        codes: &[
            ("security.tls-not-tls", 85),
            ("application.http-malformed", 40),
            ("security.tls-cut-on-hello", 15),
        ],
        needs: &[],
        favour: &[(&NEVER_WORKED, 15), (&OTHERS_SUCCEED, 20)],
        against: &[(&WORKED_BEFORE, 40), (&HELLO_NAME, 10)],
        disproof: Text {
            en: "The other scheme failing on the same port as well (curl http:// and https://).",
            zh: "若换用另一协议前缀访问同一端口同样失败则不成立。",
        },
        remedy: Text {
            en: "Now: correct scheme and port in the client's settings. For good: check the settings against the service's current list.",
            zh: "临时：核对并更正客户端的 http/https 前缀与端口。根治：按服务方最新地址清单统一配置。",
        },
    },
    Cause {
        name: "revocation-blocked",
        title: Text {
            en: "The clients cannot ask whether the certificate is revoked",
            zh: "吊销检查（OCSP/CRL）被阻断",
        },
        owner: Owner::Site,
        codes: &[("security.revocation-unreachable", 85)],
        needs: &[],
        favour: &[(&SEVERAL_SERVERS, 20)],
        against: &[],
        disproof: Text {
            en: "Handshakes that wait although the OCSP or CRL server answers.",
            zh: "若 OCSP/CRL 可达而握手仍等待则不成立。",
        },
        remedy: Text {
            en: "Now: let the OCSP and CRL addresses pass. For good: ask the operator to staple.",
            zh: "临时：放行 OCSP/CRL 地址。根治：请服务方启用 OCSP Stapling。",
        },
    },
];

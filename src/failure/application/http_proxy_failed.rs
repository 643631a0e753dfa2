#![doc = include_str!("http_proxy_failed.en.md")]

use crate::failure::application::exchange;
use crate::failure::episode::{Episode, Web};
use crate::failure::transport::{closed_early, reset_by_server, reset_injected};
use crate::failure::{Class, Finding, Lang, Severity, Value, host_port};
use crate::guide;
use crate::protocol::http1::Exchange;
use crate::protocol::socks::Refusal;
use crate::time::{Nanos, SECOND};

/// `application.http-proxy-failed`
pub static CLASS: Class = Class {
    code: "application.http-proxy-failed",
    severity: Severity::Error,
    guide: guide!("http_proxy_failed"),
    summary,
};

/// A request with credentials settles a demand for them within this.
const SETTLES: Nanos = 30 * SECOND;

/// The proxy's answer is no tunnel, or a demand for credentials. The surroundings drop a 407 that an authenticated
/// request of the client settles on another connection.
pub fn refused(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let response = exchange.response.as_ref()?;
    let mut finding = asked(at, exchange)?.seen(response.head, "response");
    finding = finding.detail("status", Value::Number(response.status.into()));
    if !response.reason.is_empty() {
        finding = finding.detail("reason_phrase", Value::Text(response.reason.to_string()));
    }
    if response.status == 407 {
        let sent = exchange
            .request
            .as_ref()
            .is_some_and(|request| request.proxy_authorization.is_some());
        finding = finding
            .detail("schemes", Value::List(response.proxy_authenticate.clone()))
            .detail("credentials_sent", Value::Bool(sent));
    }
    if let Some(server) = &response.server {
        finding = finding.detail("server_header", Value::Text(server.to_string()));
    }
    Some(finding)
}

/// The proxy closed or reset instead of answering a CONNECT. A RST that is not the proxy's is told as such.
pub fn cut(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    if !exchange.unanswered() || !exchange.sure || reset_injected::detect(at).is_some() {
        return None;
    }
    let (cut, how) = match reset_by_server::detect(at) {
        Some(cut) => (cut, "reset"),
        None => (closed_early::detect(at)?, "closed"),
    };
    let end = cut
        .evidence
        .iter()
        .find(|seen| matches!(seen.role, "rst" | "fin"))
        .copied()?;
    Some(
        asked(at, exchange)?
            .seen(end.at, end.role)
            .detail("answer", Value::Text(how.to_owned())),
    )
}

/// A SOCKS proxy refuses the login, or to connect.
pub fn socks(at: &Episode<'_>) -> Option<Finding> {
    let session = at.socks?;
    let refusal = session.refusal?;
    let finding = at
        .finding(&CLASS)
        .failing()
        .seen_if(session.asked, "request")
        .seen(refusal.at, "response");
    let finding = finding.detail("method", Value::Text("SOCKS5".to_owned()));
    let finding = meant(at, finding, session.target.as_deref().unwrap_or(""));
    Some(match refusal.value {
        Refusal::Method => finding.detail("answer", Value::Text("no acceptable method".to_owned())),
        Refusal::Login(status) => finding
            .detail("answer", Value::Text("login refused".to_owned()))
            .detail("reply_code", Value::Number(status.into())),
        Refusal::Reply(code) => finding
            .detail("answer", Value::Text(reply(code).to_owned()))
            .detail("reply_code", Value::Number(code.into())),
    })
}

/// RFC 1928 6.
const fn reply(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by ruleset",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        _ => "address type not supported",
    }
}

/// A challenge that a later request of the same connection takes up is no answer yet (rule 3).
pub fn taken_up(web: &Web, exchange: &Exchange) -> bool {
    let (Some(request), Some(response)) = (&exchange.request, &exchange.response) else {
        return false;
    };
    if response.status != 407 {
        return false;
    }
    let target = exchange::path(&request.target);
    let settled = web.authenticated.iter().any(|(done, answered)| {
        *done == target && (0..=SETTLES).contains(&answered.since(response.head.time))
    });
    settled
        || web.adverse.iter().chain(web.log.open()).any(|other| {
            other.number > exchange.number
                && other.request.as_ref().is_some_and(|again| {
                    again.proxy_authorization.is_some() && exchange::path(&again.target) == target
                })
        })
}

/// A finding with what was asked of the proxy, and for whom.
fn asked(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let request = exchange.request.as_ref()?;
    let connect = request.method == "CONNECT";
    let target = request
        .host
        .clone()
        .filter(|_| !connect)
        .unwrap_or_else(|| request.target.to_ascii_lowercase().into());
    let finding = at.finding(&CLASS).failing().seen(request.head, "request");
    let mut finding = finding.detail("method", Value::Text(request.method.to_string()));
    finding.twin = finding
        .twin
        .map(|(isn, value)| (isn.wrapping_add(exchange.number), value));
    if let Some(waited) = exchange::waited(exchange) {
        finding = finding.detail(
            "waited_ms",
            Value::Number(waited / crate::time::MILLISECOND),
        );
    }
    Some(meant(at, finding, &target))
}

/// The proxy is the server here; what was meant lies behind it.
fn meant(at: &Episode<'_>, mut finding: Finding, target: &str) -> Finding {
    let name = exchange::host_name(target);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    finding.name = Some(name.to_owned())
        .filter(|_| !name.is_empty() && bare.parse::<std::net::IpAddr>().is_err());
    if !target.is_empty() {
        finding = finding.detail("target", Value::Text(exchange::path(target).into_owned()));
    }
    finding.detail("proxy", Value::Text(host_port(at.server.0, at.server.1)))
}

/// Who was refused what by a SOCKS proxy, and why.
fn refused_by_socks(said: &str, of: (&str, &str, &str), lang: Lang) -> String {
    let (proxy, client, target) = of;
    let meant = |joined: String| {
        if target.is_empty() {
            String::new()
        } else {
            joined
        }
    };
    match lang {
        Lang::En => {
            let meant = meant(format!(" for {target}"));
            format!("the SOCKS proxy {proxy} refused {client}{meant}: {said}")
        }
        Lang::Zh => {
            let meant = meant(format!(" 访问 {target} 的请求"));
            let said = match said {
                "no acceptable method" => "没有双方都支持的认证方式",
                "login refused" => "用户名或密码不对",
                "general failure" => "代理自身故障",
                "not allowed by ruleset" => "代理规则不允许",
                "network unreachable" => "目标网络不可达",
                "host unreachable" => "目标主机不可达",
                "connection refused" => "目标拒绝连接",
                "TTL expired" => "到目标的 TTL 耗尽",
                "command not supported" => "代理不支持该命令",
                "address type not supported" => "代理不支持该地址类型",
                other => other,
            };
            format!("SOCKS 代理 {proxy} 拒绝了 {client}{meant}：{said}")
        }
    }
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let proxy = finding.text("proxy").unwrap_or("");
    let (target, client) = (finding.text("target").unwrap_or(""), finding.client_text());
    match (finding.number("status"), finding.text("answer"), lang) {
        (Some(407), _, Lang::En) => {
            format!(
                "the proxy {proxy} wants a login of {client} for {target}, and no authenticated success followed"
            )
        }
        (Some(407), _, Lang::Zh) => {
            format!("代理 {proxy} 要求 {client} 认证后才能访问 {target}，其后无认证成功的请求")
        }
        (Some(status), _, Lang::En) => {
            format!("the proxy {proxy} answered {client} with {status} for {target}")
        }
        (Some(status), _, Lang::Zh) => {
            format!("代理 {proxy} 对 {client} 访问 {target} 的请求应答 {status}")
        }
        (None, Some("reset"), Lang::En) => {
            format!(
                "the proxy {proxy} reset the connection of {client} instead of answering for {target}"
            )
        }
        (None, Some("reset"), Lang::Zh) => {
            format!("代理 {proxy} 未应答 {client} 访问 {target} 的请求即重置连接")
        }
        (None, Some("closed"), Lang::En) => {
            format!(
                "the proxy {proxy} closed the connection of {client} instead of answering for {target}"
            )
        }
        (None, Some("closed"), Lang::Zh) => {
            format!("代理 {proxy} 未应答 {client} 访问 {target} 的请求即关闭连接")
        }
        (None, said, _) => refused_by_socks(said.unwrap_or(""), (proxy, &client, target), lang),
    }
}

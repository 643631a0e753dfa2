#![doc = include_str!("http_unauthorized.en.md")]

use crate::failure::application::exchange::{self, answer, subject};
use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::http1::Exchange;

/// `application.http-unauthorized`
pub static CLASS: Class = Class {
    code: "application.http-unauthorized",
    severity: Severity::Error,
    guide: guide!("http_unauthorized"),
    summary,
};

/// 401; the surroundings drop it where an authenticated request of the client succeeds within 30 s.
pub fn detect(at: &Episode<'_>, exchange: &Exchange) -> Option<Finding> {
    let mut finding = exchange::finding(at, &CLASS, exchange);
    if let Some(response) = &exchange.response {
        finding = finding.detail("schemes", Value::List(response.authenticate.clone()));
    }
    let sent = exchange
        .request
        .as_ref()
        .is_some_and(|request| request.authorization.is_some());
    Some(finding.detail("credentials_sent", Value::Bool(sent)))
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let status = answer(finding, lang);
    match lang {
        _ if finding.number("grpc_status").is_some() => match lang {
            Lang::En => format!(
                "{what} answered {client} with {status}, and no authenticated success followed"
            ),
            Lang::Zh => format!("{what} 对 {client} 应答 {status}，其后无认证成功的请求"),
        },
        Lang::En => format!(
            "{what} answered {client} with {status} Unauthorized, and no authenticated success followed"
        ),
        Lang::Zh => format!("{what} 对 {client} 应答 {status} 未授权，其后无认证成功的请求"),
    }
}

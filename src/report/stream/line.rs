//! A finding or an incident in one line, for logs, messages and terminals.

use crate::failure::Lang;
use crate::report::layout::safe;
use crate::report::schema::{Finding, Incident, Losses, Withdrawn};

/// `critical` and so on in words, the code, the client, and what was seen.
pub fn finding(row: &Finding, lang: Lang) -> String {
    let severity = crate::report::words::severity(row.severity, lang);
    let client = row.client.as_ref().and_then(|client| client.ip.as_deref());
    let client = client
        .map(|client| format!("{client}: "))
        .unwrap_or_default();
    format!("{severity}  {}  {client}{}", row.code, safe(&row.summary))
}

/// Whether it opens, grows or ends, its title, its reach, and what to do first.
pub fn incident(row: &Incident, lang: Lang) -> String {
    let state = match (row.state, lang) {
        ("open", Lang::En) => "incident opens",
        ("grown", Lang::En) => "incident grows",
        (_, Lang::En) => "incident ends",
        ("open", Lang::Zh) => "事件开始",
        ("grown", Lang::Zh) => "事件扩大",
        (_, Lang::Zh) => "事件结束",
    };
    let clients = match (row.clients, lang) {
        (1, Lang::En) => "1 client".to_owned(),
        (clients, Lang::En) => format!("{clients} clients"),
        (clients, Lang::Zh) => format!("{clients} 个客户端"),
    };
    let remedy = row.hypotheses.first().map_or("", |cause| cause.remedy);
    format!(
        "{state}: {}  ({}; {clients})  {remedy}",
        row.title,
        safe(&row.scope)
    )
}

/// That something told before does not hold, and what holds instead.
pub fn withdrawn(past: &Withdrawn, lang: Lang) -> String {
    let (what, instead) = match lang {
        Lang::En => ("later packets show otherwise; no longer held", "instead"),
        Lang::Zh => ("后续报文表明并非如此，撤回", "改判为"),
    };
    let by = past.by.join(", ");
    let instead = if by.is_empty() {
        String::new()
    } else {
        format!("  ({instead}: {by})")
    };
    format!("{what}: {}{instead}", past.id)
}

/// How many packets were lost before they could be read.
pub fn losses(losses: &Losses, lang: Lang) -> String {
    let (system, interface) = (losses.system_drops, losses.interface_drops);
    match lang {
        Lang::En => format!(
            "packets lost so far: {system} by the kernel or our queue, {interface} by interfaces"
        ),
        Lang::Zh => {
            format!("迄今丢失报文：内核或本程序队列 {system} 个，网卡 {interface} 个")
        }
    }
}

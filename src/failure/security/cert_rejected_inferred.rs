#![doc = include_str!("cert_rejected_inferred.en.md")]

use crate::failure::episode::Episode;
use crate::failure::security::refusal::{Refusal, close, first_close, refusal};
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;
use crate::mark::Direction::{ToClient, ToServer};
use crate::protocol::tls::Session;
use crate::time::{MILLISECOND, SECOND};

/// `security.cert-rejected-inferred`
pub static CLASS: Class = Class {
    code: "security.cert-rejected-inferred",
    severity: Severity::Error,
    guide: guide!("cert_rejected_inferred"),
    summary,
};

/// TLS 1.3 without keys: a record of an alert's size, or a bare FIN, right after the server's flight.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    if !session.is_veiled() || session.resumed() || session.gapped.iter().any(|gapped| *gapped) {
        return None;
    }
    let flight = session.server_flight()?;
    let hello = session.server_hello.as_ref()?;
    // A whole flight: at least EncryptedExtensions to Finished, as one record or several.
    let flight_bytes: u64 = session.sizes[ToClient]
        .iter()
        .map(|(size, _)| u64::from(*size))
        .sum();
    if flight_bytes < 400 || at.connection.streams[ToClient].unfinished {
        return None;
    }
    let told = refusal(at, session);
    // Many servers close at once when they read the alert, before the client does.
    let ended = match told {
        Refusal::EncryptedAlert(..) => first_close(at)?,
        _ => close(at)?,
    };
    let finding = at
        .finding(&CLASS)
        .seen(hello.at, "server-hello")
        .seen(flight, "certificate");
    let rtt = at.connection.connect_rtt().unwrap_or(0);
    let (finding, size) = match told {
        Refusal::EncryptedAlert(size, mark)
            if mark <= ended && session.sizes[ToServer].len() <= 2 =>
        {
            (
                finding
                    .seen(mark, "alert")
                    .seen(ended, "close")
                    .at_most(85, BY_SIZE),
                i64::from(size),
            )
        }
        // A bare FIN right after the flight: Node and others. A RST, or a close much later, may be anything.
        Refusal::Close(end)
            if session.sizes[ToServer].is_empty()
                && at.client_half().fin.is_some_and(|fin| fin.at == end)
                && end.time.since(flight.time) <= (2 * SECOND).max(4 * rtt) =>
        {
            (finding.seen(end, "close").at_most(60, BY_CLOSE), 0)
        }
        _ => return None,
    };
    Some(
        finding
            .failing()
            .detail("record_bytes", Value::Number(size))
            .detail(
                "after_ms",
                Value::Number(ended.time.since(flight.time) / MILLISECOND),
            )
            .detail(
                "settled_by",
                Value::Text("a key log of the client, or its own log".to_owned()),
            ),
    )
}

const BY_SIZE: Text = Text {
    en: "inferred from the size and order of encrypted records; a key log would settle it",
    zh: "由加密记录的长度与次序推断，密钥日志可予证实",
};
const BY_CLOSE: Text = Text {
    en: "inferred from a close right after the server's flight alone; a key log would settle it",
    zh: "仅由服务器握手消息后的立即关闭推断，密钥日志可予证实",
};

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    match lang {
        Lang::En => format!(
            "{client} left right after the certificate of {server} (TLS 1.3): it probably refused it"
        ),
        Lang::Zh => {
            format!("{client} 收到 {server} 的证书后立即退出（TLS 1.3），很可能拒绝了该证书")
        }
    }
}

#![doc = include_str!("gm_not_used.en.md")]

use crate::failure::episode::Episode;
use crate::failure::{Class, Finding, Lang, Severity, Value};
use crate::guide;
use crate::protocol::tls::{Session, Stage, names};

/// `security.gm-not-used`
pub static CLASS: Class = Class {
    code: "security.gm-not-used",
    severity: Severity::Info,
    guide: guide!("gm_not_used"),
    summary,
};

/// A handshake that both ends went through without a suite of SM4 or SM3. Whether the endpoint had to use one is for
/// its rule to say.
pub fn detect(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let hello = session.server_hello.as_ref()?;
    if is_gm(hello.value.suite) || session.stage() < Stage::ClientFinished {
        return None;
    }
    let client = session.client_hello.as_ref();
    let offered = client.is_some_and(|hello| hello.value.suites.iter().any(|suite| is_gm(*suite)));
    Some(
        at.finding(&CLASS)
            .seen_if(client.map(|hello| hello.at), "client-hello")
            .seen(hello.at, "server-hello")
            .detail("suite", Value::Text(names::suite(hello.value.suite)))
            .detail("version", Value::Text(names::version(hello.value.version)))
            .detail("client_offered_gm", Value::Bool(offered)),
    )
}

/// A suite of GB/T 38636 6.4.5.2.1, of GM/T 0024 before it, or of RFC 8998.
const fn is_gm(suite: u16) -> bool {
    matches!(suite, 0x00c6 | 0x00c7 | 0xe001..=0xe0ff)
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (server, client) = (finding.server_text(), finding.client_text());
    let (suite, version) = (
        finding.text("suite").unwrap_or(""),
        finding.text("version").unwrap_or(""),
    );
    let offered = finding
        .details
        .contains(&("client_offered_gm", Value::Bool(true)));
    match (offered, lang) {
        (false, Lang::En) => format!(
            "{client} offered no SM suite, and {server}, which must use one, negotiated {version} with {suite}"
        ),
        (true, Lang::En) => format!(
            "{client} offered SM suites, and {server}, which must use one, chose {version} with {suite}"
        ),
        (false, Lang::Zh) => {
            format!(
                "{server} 按规则应使用国密，{client} 未提供国密套件，协商结果为 {version}、{suite}"
            )
        }
        (true, Lang::Zh) => {
            format!(
                "{server} 按规则应使用国密，{client} 提供了国密套件，服务端仍选用 {version}、{suite}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_of_tlcp_and_of_rfc_8998_are_gm() {
        assert!(
            [0xe011, 0xe013, 0xe053, 0x00c6, 0x00c7]
                .into_iter()
                .all(is_gm)
        );
        assert!(![0x1301, 0xc02f, 0x00ff, 0xdfff].into_iter().any(is_gm));
    }
}

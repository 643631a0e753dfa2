//! The chain codes: one chain, one code; how bad depends on what the client did with it.

use crate::failure::episode::Episode;
use crate::failure::security::refusal::{NOT_SEEN, Refusal, is_certificate_alert, refusal};
use crate::failure::security::{
    cert_bad_signature, cert_chain_incomplete, cert_expired, cert_expiring, cert_name_mismatch,
    cert_not_yet_valid, cert_revoked, cert_self_signed, cert_untrusted_root, cert_weak,
};
use crate::failure::{Class, Finding, Severity, Value};
use crate::protocol::tls::Session;
use crate::protocol::tls::chain::{Problem, Verdict};
use crate::protocol::tls::names;

/// A chain with a problem that the client then refused, or closed upon.
pub fn detect_refused(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let verdict = at.chain.filter(|verdict| verdict.unjudged.is_none())?;
    let end = refusal(at, session);
    if matches!(end, Refusal::Accepted | Refusal::Unknown) {
        return None;
    }
    if matches!(end, Refusal::Alert(description, _) if !is_certificate_alert(description)) {
        return None;
    }
    // Nobody refuses a chain for a weak root, whose own signature proves nothing.
    let problem = pointed_at(verdict, &end)
        .or_else(|| first(verdict))
        .filter(|problem| !matches!(problem, Problem::Weak { root: true, .. }))?;
    let finding = finding(at, session, verdict, problem)
        .severity(Severity::Critical)
        .failing();
    Some(ended(finding, end))
}

/// The client says certificate_revoked of a chain that is visible, and nothing stapled shows it: it asked elsewhere.
pub fn detect_revoked_by_word(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let verdict = at.chain?;
    let end = refusal(at, session);
    let told = verdict
        .problems
        .iter()
        .any(|problem| matches!(problem, Problem::Revoked { .. }));
    if told || !matches!(end, Refusal::Alert(44, _)) {
        return None;
    }
    let mut finding = at
        .finding(&cert_revoked::CLASS)
        .failing()
        .at_most(85, cert_revoked::BY_WORD);
    finding = finding.seen_if(
        session.client_hello.as_ref().map(|hello| hello.at),
        "client-hello",
    );
    finding = finding.seen_if(
        session.certificates.as_ref().map(|sent| sent.at),
        "certificate",
    );
    if let Some(leaf) = &verdict.leaf {
        finding = finding.detail("which", Value::Text(leaf.label()));
    }
    finding.also = verdict
        .problems
        .iter()
        .map(|problem| class(problem).code)
        .collect();
    finding.also.dedup();
    Some(ended(
        leaf(finding.detail("stapled", Value::Bool(false)), verdict),
        end,
    ))
}

/// How the client said no.
fn ended(finding: Finding, end: Refusal) -> Finding {
    let finding = match end {
        Refusal::Alert(description, mark) => finding
            .seen(mark, "alert")
            .detail("alert", Value::Text(names::alert(description).to_owned()))
            .detail("alert_code", Value::Number(description.into())),
        Refusal::EncryptedAlert(_, mark) => finding.seen(mark, "alert"),
        Refusal::Close(mark) => finding.seen(mark, "close"),
        Refusal::Accepted | Refusal::Unknown => finding,
    };
    finding.detail("accepted", Value::Bool(false))
}

/// A chain with a problem that the client accepted, or whose fate the capture does not show.
pub fn accepted(at: &Episode<'_>, session: &Session) -> Option<Finding> {
    let verdict = at.chain.filter(|verdict| verdict.unjudged.is_none())?;
    let Some(problem) = first(verdict) else {
        return cn_only(at, session, verdict);
    };
    let finding = finding(at, session, verdict, problem);
    let trusted = refusal(at, session) == Refusal::Accepted;
    let class = finding.class.code;
    Some(if trusted {
        let severity = match class {
            "security.cert-expired" | "security.cert-bad-signature" => Severity::Warning,
            "security.cert-weak" => finding.severity,
            _ => Severity::Info,
        };
        finding
            .severity(severity)
            .detail("accepted", Value::Bool(true))
    } else {
        let severity = finding.severity.min(Severity::Warning);
        finding.severity(severity).at_most(89, NOT_SEEN)
    })
}

/// A certificate on the path that is about to expire, refused or not.
pub fn expiring(at: &Episode<'_>) -> Option<Finding> {
    let verdict = at.chain.filter(|verdict| verdict.unjudged.is_none())?;
    let soon = verdict.expiring.as_ref()?;
    if verdict
        .problems
        .iter()
        .any(|problem| matches!(problem, Problem::Expired { .. }))
    {
        return None;
    }
    let sent = at.tls?.certificates.as_ref()?;
    Some(
        leaf(
            at.finding(&cert_expiring::CLASS)
                .seen(sent.at, "certificate"),
            verdict,
        )
        .detail("which", Value::Text(soon.which.clone()))
        .detail("days_left", Value::Number(soon.days_left))
        .detail("not_after", Value::Time(soon.not_after)),
    )
}

fn cn_only(at: &Episode<'_>, session: &Session, verdict: &Verdict) -> Option<Finding> {
    let sent = session.certificates.as_ref().filter(|_| verdict.cn_only)?;
    let finding = at
        .finding(&cert_name_mismatch::CLASS)
        .severity(Severity::Info)
        .seen(sent.at, "certificate");
    let finding = finding.detail("cn_only", Value::Bool(true));
    let expected = at.name().unwrap_or("").to_owned();
    Some(leaf(
        finding.detail("expected", Value::Text(expected)),
        verdict,
    ))
}

/// The problem that the client's alert names: 45 an expired certificate, 44 a revoked one, 113 the stapled answer.
fn pointed_at<'v>(verdict: &'v Verdict, end: &Refusal) -> Option<&'v Problem> {
    match end {
        Refusal::Alert(45, _) => verdict.problems.iter().find(|problem| {
            matches!(
                problem,
                Problem::Expired { .. } | Problem::NotYetValid { .. }
            )
        }),
        Refusal::Alert(44 | 113, _) => verdict
            .problems
            .iter()
            .find(|problem| matches!(problem, Problem::Revoked { .. })),
        _ => None,
    }
}

/// The first problem in the catalogue's order. A weak root is only ever worth a remark.
fn first(verdict: &Verdict) -> Option<&Problem> {
    verdict.problems.first()
}

fn class(problem: &Problem) -> &'static Class {
    match problem {
        Problem::BadSignature { .. } => &cert_bad_signature::CLASS,
        Problem::Expired { .. } => &cert_expired::CLASS,
        Problem::NotYetValid { .. } => &cert_not_yet_valid::CLASS,
        Problem::SelfSigned => &cert_self_signed::CLASS,
        Problem::UntrustedRoot { .. } => &cert_untrusted_root::CLASS,
        Problem::Incomplete { .. } => &cert_chain_incomplete::CLASS,
        Problem::NameMismatch { .. } => &cert_name_mismatch::CLASS,
        Problem::Revoked { .. } => &cert_revoked::CLASS,
        Problem::Weak { .. } => &cert_weak::CLASS,
    }
}

fn finding(at: &Episode<'_>, session: &Session, verdict: &Verdict, problem: &Problem) -> Finding {
    let mut finding = at.finding(class(problem));
    finding = finding.seen_if(
        session.client_hello.as_ref().map(|hello| hello.at),
        "client-hello",
    );
    finding = finding.seen_if(
        session.certificates.as_ref().map(|sent| sent.at),
        "certificate",
    );
    finding = match problem {
        Problem::BadSignature { which } => finding.detail("which", text(which)),
        Problem::Expired {
            which,
            place,
            days,
            not_after,
        } => finding
            .detail("which", text(which))
            .detail(
                "position",
                Value::Number(i64::try_from(*place).unwrap_or(0)),
            )
            .detail("days_expired", Value::Number(*days))
            .detail("not_after", Value::Time(*not_after)),
        Problem::NotYetValid {
            which,
            place,
            days,
            not_before,
        } => finding
            .detail("which", text(which))
            .detail(
                "position",
                Value::Number(i64::try_from(*place).unwrap_or(0)),
            )
            .detail("days_until_valid", Value::Number(*days))
            .detail("not_before", Value::Time(*not_before)),
        Problem::SelfSigned => finding,
        Problem::UntrustedRoot { which } => finding.detail("root", text(which)),
        Problem::Incomplete { issuer } => finding.detail("missing_issuer", text(issuer)),
        Problem::NameMismatch {
            expected,
            presented,
        } => finding
            .detail("expected", text(expected))
            .detail("presented", Value::List(presented.clone())),
        Problem::Revoked {
            which,
            place,
            when,
            reason,
            verified,
        } => cert_revoked::detailed(
            finding.seen_if(
                session.stapled.as_ref().map(|stapled| stapled.at),
                "ocsp-response",
            ),
            (which, *place),
            *when,
            *reason,
            *verified,
        ),
        Problem::Weak { which, why, root } => {
            let severity = if *root {
                Severity::Info
            } else {
                finding.severity
            };
            finding
                .severity(severity)
                .detail("which", text(which))
                .detail("why", text(why))
        }
    };
    for other in verdict.problems.iter().skip(1).map(class) {
        if other.code != finding.class.code && !finding.also.contains(&other.code) {
            finding.also.push(other.code);
        }
    }
    leaf(finding, verdict)
}

fn leaf(mut finding: Finding, verdict: &Verdict) -> Finding {
    finding = finding.detail("chain", text(&verdict.chain)).detail(
        "certificates_sent",
        Value::Number(i64::try_from(verdict.sent).unwrap_or(0)),
    );
    if let Some(leaf) = &verdict.leaf {
        finding = finding
            .detail("subject", text(&leaf.subject))
            .detail("issuer", text(&leaf.issuer))
            .detail("serial", text(&leaf.serial))
            .detail("key", text(&leaf.key));
    }
    if !verdict.surplus.is_empty() {
        finding = finding.detail("surplus", Value::List(verdict.surplus.clone()));
    }
    if verdict.wrong_order {
        finding = finding.detail("wrong_order", Value::Bool(true));
    }
    finding
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#![doc = include_str!("redirect_to_login.en.md")]

use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use crate::failure::application::exchange::{self, subject};
use crate::failure::application::trace::Placed;
use crate::failure::{Class, Finding, Lang, Severity, Text, Value};
use crate::guide;

/// `application.redirect-to-login`
pub static CLASS: Class = Class {
    code: "application.redirect-to-login",
    severity: Severity::Warning,
    guide: guide!("redirect_to_login"),
    summary,
};

/// Words, between other signs, by which the address of a login page is known.
const LOGIN: [&str; 16] = [
    "login",
    "signin",
    "authorize",
    "logon",
    "tologin",
    "nonlogin",
    "unlogin",
    "relogin",
    "login2",
    "sso",
    "cas",
    "passport",
    "tpass",
    "authlogin",
    "denglu",
    "dologin",
];
/// The same of what ends a login on purpose.
const LOGOUT: [&str; 6] = ["logout", "logoff", "signout", "quit", "exit", "tuichu"];
/// Frames of repeats that are cited.
const CITED: usize = 8;

/// Calls of clients that were logged in, and were sent to a login page; the exchanges are in the order of their requests.
pub fn judge(traces: &[Placed]) -> Vec<Finding> {
    let mut logged_in: HashSet<(IpAddr, String)> = HashSet::new();
    let mut known: HashMap<(IpAddr, String), usize> = HashMap::new();
    let mut findings: Vec<Finding> = Vec::new();
    for placed in traces {
        let trace = &placed.trace;
        let key = (placed.client.0, placed.endpoint());
        let asked = trace.target.split('?').next().unwrap_or("");
        let about_login = says(asked, &LOGIN) || says(asked, &LOGOUT);
        if trace.well() {
            if !about_login && (trace.cookie || trace.authorized) {
                known.remove(&key);
                logged_in.insert(key);
            }
            continue;
        }
        if says(asked, &LOGOUT) && (301..=308).contains(&trace.status) {
            logged_in.remove(&key);
        }
        let Some(location) = trace
            .location
            .as_deref()
            .filter(|location| (301..=308).contains(&trace.status) && is_login_page(location))
        else {
            continue;
        };
        let sure = logged_in.contains(&key);
        // Of who was logged in, whatever does not open a page is a program's call.
        let call = trace.api || sure && !trace.page;
        if about_login || !call || !(sure || trace.authorized || trace.cookie) {
            continue;
        }
        if let Some(known) = known.get(&key).and_then(|place| findings.get_mut(*place)) {
            known.count += 1;
            known.last = known.last.max(trace.answered.time);
            if known.evidence.len() < CITED {
                *known = known
                    .clone()
                    .seen(trace.asked, "request")
                    .seen(trace.answered, "redirect");
            }
            continue;
        }
        known.insert(key, findings.len());
        let finding = placed.finding(&CLASS).detail(
            "location",
            Value::Text(exchange::path(location).into_owned()),
        );
        findings.push(if sure {
            finding.detail("logged_in_before", Value::Bool(true))
        } else {
            finding.at_most(if trace.authorized { 80 } else { 65 }, LOGIN_UNSEEN)
        });
    }
    findings
}

const LOGIN_UNSEEN: Text = Text {
    en: "credentials were sent, but no call that they opened is in the capture",
    zh: "请求带有凭据，但抓包中未见其成功的调用",
};

/// Does an address lead to a login page? Looked at are host, path and fragment, not the query.
fn is_login_page(location: &str) -> bool {
    let (before, fragment) = location.split_once('#').unwrap_or((location, ""));
    let bare = before.split('?').next().unwrap_or("");
    let rest = bare.split_once("://").map_or(bare, |(_, rest)| rest);
    says(rest, &LOGIN) || says(fragment, &LOGIN)
}

fn says(text: &str, words: &[&str]) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .map(str::to_ascii_lowercase)
        .any(|word| {
            words.contains(&word.as_str())
                || word.ends_with("login") && words.contains(&"login")
                || word.starts_with("login") && words.contains(&"login")
        })
}

fn summary(finding: &Finding, lang: Lang) -> String {
    let (what, client) = (subject(finding, lang), finding.client_text());
    let location = finding.text("location").unwrap_or("");
    match lang {
        Lang::En => format!("{what} sent {client} to the login page {location}: its login is lost"),
        Lang::Zh => format!("{what} 把 {client} 的接口调用跳转到登录页 {location}：登录已失效"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_pages_are_known_by_words() {
        assert!(is_login_page("/login?from=%2Fapi"));
        assert!(is_login_page(
            "https://tpass.beijing.chinatax.gov.cn:8443/#/login"
        ));
        assert!(is_login_page("/cas/login.jsp"));
        assert!(is_login_page("http://sso.example/"));
        assert!(is_login_page("/web/toLogin.do"));
        assert!(!is_login_page("/api/v2/issue?next=login"));
        assert!(!is_login_page("/blogindex/1"));
    }
}

//! Ways of failing: one file per class, with its guide in both languages beside it.
//!
//! A class is a pure function from what a conversation went through (and, for silence and comparison, from its
//! surroundings) to findings. It cites frames or says nothing. Its code is the path of its file and the folder of
//! its captures; its title and remedy are read from its guide, so that `explain`, the report and the
//! documentation cannot differ.

pub mod application;
pub mod attempt;
pub mod capture;
pub mod classes;
pub mod client_codes;
pub mod data;
pub mod episode;
pub mod fallback;
pub mod flow;
pub mod network;
pub mod outcomes;
pub mod quic;
pub mod security;
pub mod surroundings;
pub mod transport;

use std::net::IpAddr;

use crate::digits;
use crate::flow::key::FlowKey;
use crate::mark::Mark;
use crate::time::Timestamp;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// 提示: worth knowing.
    Info,
    /// 一般: a state that will or may fail.
    Warning,
    /// 重要: an attempt failed.
    Error,
    /// 严重: everybody who comes this way fails.
    Critical,
}

impl Severity {
    /// The word used in JSON and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The word of Chinese reports.
    pub const fn name_zh(self) -> &'static str {
        match self {
            Self::Info => "提示",
            Self::Warning => "一般",
            Self::Error => "重要",
            Self::Critical => "严重",
        }
    }
}

/// Language of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// Simplified Chinese.
    Zh,
}

/// A text in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

impl Text {
    /// The text in one language.
    pub const fn of(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }
}

/// Both guides of a class: `guide!("syn_refused")` reads the two files beside the class.
#[macro_export]
macro_rules! guide {
    ($name:literal) => {
        $crate::failure::Text {
            en: include_str!(concat!($name, ".en.md")),
            zh: include_str!(concat!($name, ".zh.md")),
        }
    };
}

/// A way of failing.
#[derive(Debug)]
pub struct Class {
    /// `layer.subject-failure`, as in the catalogue.
    pub code: &'static str,
    /// Severity unless the finding says otherwise.
    pub severity: Severity,
    /// The guide; its first line is the title, the first item of its remedy the remedy.
    pub guide: Text,
    /// One line about a finding of this class, from its details.
    pub summary: fn(&Finding, Lang) -> String,
}

impl Class {
    /// `network`, `transport`, `security`, `application`, `data` or `capture`.
    pub fn layer(&self) -> &'static str {
        self.code.split_once('.').map_or("", |(layer, _)| layer)
    }

    /// The guide's first line.
    pub fn title(&self, lang: Lang) -> &'static str {
        self.guide
            .of(lang)
            .lines()
            .next()
            .unwrap_or("")
            .trim_start_matches(['#', ' '])
    }

    /// The first item of the guide's remedy.
    pub fn remedy(&self, lang: Lang) -> &'static str {
        let heading = match lang {
            Lang::En => "## Remedy",
            Lang::Zh => "## 处置建议",
        };
        self.guide
            .of(lang)
            .lines()
            .skip_while(|line| *line != heading)
            .find_map(|line| line.strip_prefix("1. "))
            .unwrap_or("")
    }
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One conversation.
    Flow,
    /// A host or endpoint.
    Host,
    /// A name.
    Name,
    /// A link.
    Link,
    /// The capture itself.
    Capture,
}

/// A measured detail.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A count, a size, a number of milliseconds.
    Number(i64),
    /// A share or another fraction, in thousandths.
    Thousandths(i64),
    /// Yes or no.
    Bool(bool),
    /// Words.
    Text(String),
    /// Several words.
    List(Vec<String>),
    /// A moment.
    Time(Timestamp),
}

/// A frame that proves something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Where it stands.
    pub at: Mark,
    /// What it is in the proof: `syn`, `syn-retry`, `rst`, `certificate`, `alert`, `response` …
    pub role: &'static str,
}

/// Silence that a finding is built on: it must be proved (rule 1 of the catalogue).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Who asked and got no answer.
    pub asker: IpAddr,
    /// Who was asked.
    pub asked: IpAddr,
    /// When the question was first asked.
    pub from: Timestamp,
    /// When its last repetition, or its patience, passed.
    pub to: Timestamp,
    /// The asker's own behaviour proves that no usable answer arrived (rule 1a).
    pub proven: bool,
}

/// One failure, said once. It lies on the heap as a whole: lists of findings are sorted, parted and joined often, and
/// each move is of eight bytes.
#[derive(Clone, Debug)]
pub struct Finding(Box<Body>);

/// What lies behind a proxy: its address, where it was not named, and its port.
pub type Behind = (Option<IpAddr>, u16);

/// What a finding holds.
#[derive(Clone, Debug)]
pub struct Body {
    /// Its class.
    pub class: &'static Class,
    /// How bad.
    pub severity: Severity,
    /// How sure, in percent.
    pub confidence: u8,
    /// Why not surer; needed below 90.
    pub reason: Option<Text>,
    /// What it is about.
    pub subject: Subject,
    /// IP protocol number, 0 where none applies.
    pub protocol: u8,
    /// Who failed to get something (port 0: no port).
    pub client: Option<(IpAddr, u16)>,
    /// From whom.
    pub server: Option<(IpAddr, u16)>,
    /// The name that the client meant, where known.
    pub name: Option<String>,
    /// The server is a proxy, and this is what the client wanted of it.
    pub behind: Option<Behind>,
    /// Id of the endpoint where a rule gives it one; else it is made of name, or address, and port.
    pub endpoint: Option<String>,
    /// The conversation, and its first frame's time.
    pub flow: Option<(FlowKey, Timestamp)>,
    /// Initial sequence number and TSval of the flow's SYN: two flows that share them are one seen twice (rule 6).
    pub twin: Option<(u32, u32)>,
    /// Interface, VLAN and MAC of the client's packets, hashed; tells one host's two addresses.
    pub origin: u32,
    /// First and last time.
    pub first: Timestamp,
    /// Last time.
    pub last: Timestamp,
    /// The frames, in order.
    pub evidence: Vec<Evidence>,
    /// Typed details.
    pub details: Vec<(&'static str, Value)>,
    /// It made an attempt fail.
    pub fails: bool,
    /// Codes that also fit.
    pub also: Vec<&'static str>,
    /// What followed from it in the same flow.
    pub consequences: Vec<&'static str>,
    /// The silence it rests on, until judged.
    pub silence: Option<Silence>,
    /// How many like it were folded into it, itself included.
    pub count: u64,
}

impl std::ops::Deref for Finding {
    type Target = Body;

    fn deref(&self) -> &Body {
        &self.0
    }
}

impl std::ops::DerefMut for Finding {
    fn deref_mut(&mut self) -> &mut Body {
        &mut self.0
    }
}

impl Finding {
    /// A sure finding of `class` without evidence yet.
    pub fn new(class: &'static Class, subject: Subject, first: Timestamp) -> Self {
        Self(Box::new(Body {
            class,
            severity: class.severity,
            confidence: 95,
            reason: None,
            subject,
            protocol: 0,
            behind: None,
            client: None,
            server: None,
            name: None,
            endpoint: None,
            flow: None,
            twin: None,
            origin: 0,
            first,
            last: first,
            evidence: Vec::new(),
            details: Vec::new(),
            fails: false,
            also: Vec::new(),
            consequences: Vec::new(),
            silence: None,
            count: 1,
        }))
    }

    /// Gives up the box.
    pub fn into_body(self) -> Body {
        *self.0
    }

    /// Adds a frame; its time widens the finding's.
    #[must_use]
    pub fn seen(mut self, at: Mark, role: &'static str) -> Self {
        self.first = self.first.min(at.time);
        self.last = self.last.max(at.time);
        self.evidence.push(Evidence { at, role });
        self
    }

    /// Adds a frame if there is one.
    #[must_use]
    pub fn seen_if(self, at: Option<Mark>, role: &'static str) -> Self {
        match at {
            Some(at) => self.seen(at, role),
            None => self,
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn detail(mut self, key: &'static str, value: Value) -> Self {
        self.details.push((key, value));
        self
    }

    /// Another severity than the class's.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// At most this sure, and why.
    #[must_use]
    pub fn at_most(mut self, percent: u8, reason: Text) -> Self {
        if percent < self.confidence {
            self.confidence = percent;
            self.reason = Some(reason);
        }
        self
    }

    /// An endpoint rule says that this class is what was seen; the one told so far fits too. Why it is not surer.
    pub fn turned_by_rule(&mut self, class: &'static Class, reason: Text) {
        let told = self.class.code;
        self.also.push(told);
        (self.class, self.severity) = (class, class.severity);
        if self.confidence > 85 {
            (self.confidence, self.reason) = (85, Some(reason));
        }
    }

    /// It made an attempt fail.
    #[must_use]
    pub fn failing(mut self) -> Self {
        self.fails = true;
        self
    }

    /// A number among the details.
    pub fn number(&self, key: &str) -> Option<i64> {
        self.details
            .iter()
            .find(|(name, _)| *name == key)
            .and_then(|(_, value)| match value {
                Value::Number(number) | Value::Thousandths(number) => Some(*number),
                _ => None,
            })
    }

    /// A text among the details.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.details
            .iter()
            .find(|(name, _)| *name == key)
            .and_then(|(_, value)| match value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            })
    }

    /// `10.0.0.1:443`, with the name where known; behind a proxy `name:443 via 10.0.0.1:3128`.
    pub fn server_text(&self) -> String {
        if let (Some((_, port)), Some((proxy, at))) = (self.behind, self.server) {
            let meant = match (&self.name, self.behind) {
                (Some(name), _) => format!("{name}:{port} "),
                (None, Some((Some(ip), _))) => format!("{} ", host_port(ip, port)),
                _ => String::new(),
            };
            return format!("{meant}via {}", host_port(proxy, at));
        }
        match (&self.name, self.server) {
            (Some(name), Some((ip, 0))) => format!("{name} ({ip})"),
            (Some(name), Some((ip, port))) => format!("{name} ({})", host_port(ip, port)),
            (None, Some((ip, 0))) => ip.to_string(),
            (None, Some((ip, port))) => host_port(ip, port),
            (Some(name), None) => name.clone(),
            (None, None) => String::new(),
        }
    }

    /// Id of the endpoint that it is about: `name:port`, else `address:port`; without a port where none applies.
    pub fn endpoint_id(&self) -> Option<String> {
        if self.endpoint.is_some() {
            return self.endpoint.clone();
        }
        match (&self.name, self.behind) {
            (Some(name), Some((_, port))) => return Some(format!("{name}:{port}")),
            (None, Some((Some(ip), port))) => return Some(host_port(ip, port)),
            // The server of a lookup is a resolver.
            (Some(name), None) if self.subject == Subject::Name => return Some(name.clone()),
            _ => {}
        }
        match (&self.name, self.server) {
            (Some(name), Some((_, port))) if port != 0 => {
                let mut text = String::with_capacity(name.len() + 6);
                text.push_str(name);
                text.push(':');
                digits::push_number(&mut text, port.into());
                Some(text)
            }
            (Some(name), _) => Some(name.clone()),
            (None, Some((ip, port))) if port != 0 => Some(host_port(ip, port)),
            (None, Some((ip, _))) => Some(digits::ip(ip)),
            (None, None) => None,
        }
    }

    /// The client's address.
    pub fn client_text(&self) -> String {
        self.client
            .map_or_else(String::new, |(ip, _)| digits::ip(ip))
    }
}

/// `192.0.2.1:443`, `[2001:db8::1]:443`.
pub fn host_port(ip: IpAddr, port: u16) -> String {
    digits::host_port(ip, port)
}

//! The screen at 80×24, in both languages, with names of any length.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::{Cursor, Manner, draw};
use super::view::{MINUTES, Row, View};
use super::*;
use crate::failure::Lang;
use crate::report::schema::{Attempts, Hypothesis, Reason};

const AREA: Rect = Rect::new(0, 0, 80, 24);

fn manner(lang: Lang) -> Manner {
    Manner {
        lang,
        zone: jiff::tz::TimeZone::UTC,
        color: false,
    }
}

/// The lines of the screen; the second cell of a wide letter is left out.
fn lines(area: Rect, view: &View, cursor: &Cursor, lang: Lang) -> Vec<String> {
    let mut buffer = Buffer::empty(area);
    draw(area, &mut buffer, view, cursor, &manner(lang));
    let line = |y: u16| {
        let (mut text, mut skip) = (String::new(), 0);
        for x in 0..area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            text.push_str(symbol);
        }
        text.trim_end().to_owned()
    };
    (0..area.height).map(line).collect()
}

fn incident(number: u32, state: &'static str, severity: &'static str, title: &str) -> Incident {
    Incident {
        id: format!("i-{number:016x}"),
        revision: 1,
        state,
        title: title.to_owned(),
        severity,
        start: format!("2026-11-24T10:{:02}:00Z", number % 60),
        end: format!("2026-11-24T10:{:02}:30Z", number % 60),
        scope: "endpoint dppt.beijing.chinatax.gov.cn:8443".to_owned(),
        endpoints: vec!["dppt.beijing.chinatax.gov.cn:8443".to_owned()],
        regions: Vec::new(),
        clients: 10,
        client_sample: vec!["192.0.2.15".to_owned()],
        attempts: Attempts {
            ok: 0,
            failed: 1_214,
            answered_no: 0,
            undetermined: 0,
        },
        availability: Some(0.0),
        hypotheses: vec![Hypothesis {
            cause: "firewall-blocks-port",
            score: 0.93,
            title: "A firewall blocks this port",
            owner: "the own network",
            favour: vec![Reason {
                evidence: "codes",
                weight: 0.9,
                value: serde_json::Value::Null,
                text: "SYNs are never answered \u{1b}[31m".to_owned(),
                findings: Vec::new(),
            }],
            against: Vec::new(),
            disproof: "a SYN-ACK",
            remedy: "Open the port.",
        }],
        findings: Vec::new(),
    }
}

fn row(id: &str, ok: u64, failed: u64) -> Row {
    let mut minutes = [(0, 0); MINUTES];
    minutes[MINUTES - 1] = (ok, failed);
    Row {
        id: id.to_owned(),
        ok,
        failed,
        availability: (ok + failed > 0).then(|| ok as f64 / (ok + failed) as f64),
        minutes,
    }
}

fn full() -> View {
    let mut view = View {
        source: "eth0".to_owned(),
        packets: 1_234_567,
        per_second: 8_901,
        lost: 3,
        memory: 87 << 20,
        availability: Some(0.5),
        ..View::default()
    };
    view.endpoints = vec![
        row("dppt.beijing.chinatax.gov.cn:8443", 0, 1_214),
        row(
            "开票软件.发票服务平台.一个非常长的名字用来看看会不会撑破边框.example:443",
            99_999,
            0,
        ),
        row("quiet.example:80", 0, 0),
    ];
    view.incident(&incident(3, "open", "error", "A firewall blocks this port"));
    view.incident(&incident(
        1,
        "closed",
        "critical",
        "证书已过期，而且标题长得一行根本放不下，必须截断才行，否则会撑破边框",
    ));
    view
}

#[test]
fn everything_stands_at_80_by_24() {
    let told = lines(AREA, &full(), &Cursor::default(), Lang::En);
    let page = told.join("\n");
    assert!(told[0].starts_with("wirefault eth0"), "{page}");
    assert!(
        told[0].contains("1,234,567 packets  8,901/s  lost 3  "),
        "{page}"
    );
    assert!(told[0].ends_with("avail 50.0 %"), "{page}");
    assert!(told[1].starts_with("Incidents · open 1"), "{page}");
    // The open one first, whatever its severity.
    assert!(
        told[2].starts_with(">● 10:03:00 A firewall blocks this port"),
        "{page}"
    );
    assert!(told[2].ends_with("1,214 failed"), "{page}");
    assert!(told[3].starts_with(" · 10:01:00 证书已过期"), "{page}");
    assert!(told[5].starts_with("Endpoints"), "{page}");
    assert!(
        told[5].ends_with(" ok── failed──── avail────── 12 min"),
        "{page}"
    );
    assert!(
        told[6].contains("dppt.beijing") && told[6].ends_with("0.0 % ···········█"),
        "{page}"
    );
    assert!(told[7].ends_with("100.0 % ···········▁"), "{page}");
    assert!(told[8].ends_with("– ············"), "{page}");
    assert!(told[23].starts_with("q quit"), "{page}");
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for lang in [Lang::En, Lang::Zh] {
        for width in [60, 61, 80, 81, 200] {
            let area = Rect::new(0, 0, width, 24);
            for details in [None, Some(0), Some(3)] {
                let cursor = Cursor { chosen: 1, details };
                for line in lines(area, &full(), &cursor, lang) {
                    let columns = unicode_width::UnicodeWidthStr::width(line.as_str());
                    assert!(columns <= width.into(), "{columns} of {width}: {line}");
                }
            }
        }
    }
}

#[test]
fn a_page_of_an_incident_tells_cause_and_remedy_and_no_escape_of_the_wire() {
    let cursor = Cursor {
        chosen: 0,
        details: Some(0),
    };
    let page = lines(AREA, &full(), &cursor, Lang::En).join("\n");
    for told in [
        "0.93  A firewall blocks this port",
        "do: Open the port.",
        "who: the own network",
        "[31m",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    assert!(!page.contains('\u{1b}'), "{page}");
    let page = lines(AREA, &full(), &cursor, Lang::Zh).join("\n");
    assert!(page.contains("处置: Open the port."), "{page}");
}

#[test]
fn an_empty_run_and_a_small_terminal_say_so() {
    let page = lines(AREA, &View::default(), &Cursor::default(), Lang::En).join("\n");
    assert!(
        page.contains("none so far") && page.contains("nobody tried"),
        "{page}"
    );
    let small = Rect::new(0, 0, 40, 10);
    let page = lines(small, &full(), &Cursor::default(), Lang::En).join("\n");
    assert!(page.starts_with("the terminal is too small"), "{page}");
}

#[test]
fn what_is_too_much_is_bounded_and_counted() {
    let mut view = View::default();
    for number in 0..500 {
        let state = if number % 2 == 0 { "closed" } else { "open" };
        view.incident(&incident(number, state, "error", "x"));
    }
    assert_eq!(view.incidents.len(), 200);
    assert_eq!(view.incidents_omitted, 300);
    assert!(view.incidents.iter().all(|one| one.state == "open"));
    view.endpoints = (0..200)
        .map(|number| row(&format!("host{number}:443"), 1, 0))
        .collect();
    view.endpoints_omitted = 800;
    let page = lines(AREA, &view, &Cursor::default(), Lang::En);
    assert!(page.iter().any(|line| line.contains("more")), "{page:?}");
    let drawn = page.iter().filter(|line| line.contains("host")).count();
    let line = page.iter().find(|line| line.starts_with("  +")).unwrap();
    assert_eq!(*line, format!("  +{} more", 1_000 - drawn), "{page:?}");
}

#[test]
fn keys_choose_open_scroll_and_quit() {
    let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
    let mut cursor = Cursor::default();
    for code in [
        KeyCode::Down,
        KeyCode::Down,
        KeyCode::Up,
        KeyCode::Enter,
        KeyCode::Down,
    ] {
        pressed(&key(code), &mut cursor);
    }
    assert_eq!((cursor.chosen, cursor.details), (1, Some(1)));
    pressed(&key(KeyCode::Esc), &mut cursor);
    assert_eq!(cursor.details, None);
    assert!(quits(&key(KeyCode::Char('q'))));
    assert!(quits(&KeyEvent::new(
        KeyCode::Char('c'),
        KeyModifiers::CONTROL
    )));
    assert!(!quits(&key(KeyCode::Char('c'))));
}

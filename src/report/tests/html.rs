//! The page: what of the wire it shows as text, what it refers to, whether it is well-formed.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::incident::unanswered;
use super::made::{self, diagnosis, finding, healthy, settings, told};
use crate::engine::diagnosis::Diagnosis;
use crate::failure::Lang;
use crate::report::html;

const BOTH: [Lang; 2] = [Lang::En, Lang::Zh];

fn page(of: Diagnosis, lang: Lang) -> String {
    let settings = settings(lang);
    html::write(&told(of, &settings), &settings)
}

/// An element's name and its attributes.
type Element = (String, Vec<(String, String)>);

/// Names of the elements with their attributes, and the texts; complains of what is not well-formed XML.
fn read(page: &str) -> (Vec<Element>, String) {
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_comments = true;
    let (mut elements, mut text, mut open) = (Vec::new(), String::new(), 0_i32);
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Event::Start(element) | Event::Empty(element) => {
                let attributes = element.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    (
                        attribute.key.as_ref().to_owned(),
                        attribute.value.into_owned(),
                    )
                });
                let name = element.name().as_ref().to_owned();
                elements.push((name, attributes.collect()));
                open += i32::from(matches!(event, Event::Start(_)));
            }
            Event::End(_) => open -= 1,
            Event::Text(part) => text.push_str(part),
            Event::GeneralRef(name) => {
                text.push(match &**name {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "quot" => '"',
                    "#39" => '\'',
                    other => panic!("&{other}; is not known to XML"),
                });
            }
            Event::Eof => break,
            Event::DocType(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(open, 0, "an element is left open");
    (elements, text)
}

fn hostile() -> Diagnosis {
    let name = "</title></style><script>alert('x')</script>\" onload=\"&amp;\u{1b}[2J\u{202e}\u{0}";
    let mut all = unanswered();
    let mut made = finding(1, name);
    made.name = Some(name.to_owned());
    all.findings.push(made);
    all.endpoints[0].id = name.to_owned();
    all.endpoints[0].name = Some(name.to_owned());
    all.unjudged.insert(name.to_owned(), 3);
    for incident in &mut all.incidents {
        incident.endpoints = vec![name.to_owned()];
        incident.regions = vec![name.to_owned()];
        for hypothesis in &mut incident.hypotheses {
            hypothesis
                .favour
                .iter_mut()
                .for_each(|reason| reason.what = name.to_owned());
        }
    }
    all
}

#[test]
fn the_page_is_well_formed_and_needs_nothing_else() {
    for lang in BOTH {
        for of in [diagnosis(), healthy(), unanswered(), hostile()] {
            let (elements, _) = read(&page(of, lang));
            for (name, attributes) in &elements {
                for not in ["script", "link", "img", "iframe", "object", "form", "base"] {
                    assert_ne!(name, not);
                }
                for (key, value) in attributes {
                    assert!(!key.starts_with("on") && key != "src", "{key}={value}");
                    assert!(key != "href" || value.starts_with('#'), "{value}");
                }
            }
        }
    }
    let style = include_str!("../html/style.css");
    for not in ["<", "&", "url(", "@import", "http"] {
        assert!(!style.contains(not), "{not}");
    }
}

#[test]
fn a_name_from_the_wire_is_shown_and_does_nothing() {
    for lang in BOTH {
        let page = page(hostile(), lang);
        assert!(!page.contains("<script") && page.matches("</style>").count() == 1);
        assert!(
            page.chars()
                .all(|letter| !letter.is_control() || letter == '\n')
        );
        assert!(!page.contains('\u{202e}'));
        let (_, text) = read(&page);
        assert!(text.contains("<script>alert('x')</script>"), "{text}");
    }
}

#[test]
fn every_way_within_the_page_leads_somewhere_and_ids_are_used_once() {
    let (elements, _) = read(&page(unanswered(), Lang::En));
    let of = |key: &str| -> Vec<String> {
        let attributes = elements.iter().flat_map(|(_, attributes)| attributes);
        attributes
            .filter(|(name, _)| name == key)
            .map(|(_, value)| value.clone())
            .collect()
    };
    let (ids, ways) = (of("id"), of("href"));
    assert!(!ways.is_empty());
    for way in ways {
        assert!(
            ids.contains(&way.trim_start_matches('#').to_owned()),
            "{way}"
        );
    }
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(ids.len(), distinct.len());
}

#[test]
fn the_page_says_what_the_text_says_in_its_order() {
    let mut all = unanswered();
    all.unjudged.insert("one-sided".to_owned(), 2);
    let (_, text) = read(&page(made::with_remark(all), Lang::Zh));
    let mut rest = text.as_str();
    for part in [
        "10 次访问尝试中 3 次失败，可用性 66.66%",
        "时区 UTC",
        "诊断结论",
        "故障等级",
        "影响范围",
        "根因与置信度",
        "如何证伪",
        "处置建议",
        "责任方",
        "分层诊断",
        "证据：逐项发现",
        "3 次，首次 16:02:11，末次 16:02:13",
        "frame.number in {1, 2, 3}",
        "3 项发现的全部细节与证据",
        "2026-11-24 16:02:11",
        "retries",
        "影响范围（按端点）",
        "66.66%",
        "其他提示",
        "抓包没有回程报文",
        "无法判断",
        "抓包文件",
        "demo.pcapng",
        "未能完整读取",
    ] {
        let Some(at) = rest.find(part) else {
            panic!("{part} does not follow in\n{text}");
        };
        rest = rest.split_at(at + part.len()).1;
    }
}

#[test]
fn the_bar_is_as_long_as_the_availability() {
    let page = page(diagnosis(), Lang::En);
    assert!(page.contains("<i style=\"width:66.66%\">"), "{page}");
}

#[test]
fn numbers_of_taxpayers_are_masked_in_details_too() {
    let mut all = diagnosis();
    all.findings = vec![finding(1, "/91110108551385082Q_0/upload?token=abc")];
    let mut settings = settings(Lang::En);
    let masked = html::write(&told(made::copy(&all), &settings), &settings);
    assert!(!masked.contains("551385082") && !masked.contains("abc"));
    assert!(masked.contains("are masked; --redact off shows them"));
    settings.redact = false;
    let shown = html::write(&told(made::copy(&all), &settings), &settings);
    assert!(shown.contains("91110108551385082Q") && !shown.contains("token=abc"));
    assert!(!shown.contains("are masked"));
}

#[test]
fn the_findings_of_one_block_that_are_opened_are_bounded() {
    let mut all = diagnosis();
    all.findings = (0..30).map(|second| finding(second, "/a")).collect();
    let page = page(all, Lang::En);
    assert_eq!(page.matches("<h4>").count(), 20);
    assert!(page.contains("and 10 more findings; --format json lists all"));
}

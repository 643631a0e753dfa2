//! Every class is registered, has its guides in both languages, and captures that show it and that do not.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use support::catalogue::{CODES, knows};
use support::{assert_none, captures};
use wirefault::failure::{Class, Lang, classes};

/// Headings of every guide, in this order.
const ENGLISH: [&str; 7] = [
    "Seen",
    "Means",
    "Usual causes",
    "Remedy",
    "Look-alikes",
    "Filter",
    "References",
];
/// The same in Chinese.
const CHINESE: [&str; 7] = [
    "现象",
    "含义",
    "常见原因",
    "处置建议",
    "易混淆情形",
    "过滤器",
    "参考",
];

/// Characters of a title.
const TITLE_MAX: usize = 40;

/// Files of a layer's folder that hold no class.
fn is_class(text: &str) -> bool {
    text.contains("pub static CLASS: Class")
}

/// Runs over every class and language; `wrong` gives the complaint.
fn check_guides(what: &str, wrong: impl Fn(&Class, Lang, &str) -> Vec<String>) {
    let mut complaints = Vec::new();
    for class in classes::ALL {
        for (lang, name) in [(Lang::En, "en"), (Lang::Zh, "zh")] {
            for complaint in wrong(class, lang, class.guide.of(lang)) {
                complaints.push(format!("{} ({name}): {complaint}", class.code));
            }
        }
    }
    assert_none(&complaints, what);
}

/// Lines under a heading.
fn section<'a>(guide: &'a str, heading: &str) -> Vec<&'a str> {
    guide
        .lines()
        .skip_while(|line| line.strip_prefix("## ") != Some(heading))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .collect()
}

fn headings(lang: Lang) -> &'static [&'static str; 7] {
    match lang {
        Lang::En => &ENGLISH,
        Lang::Zh => &CHINESE,
    }
}

#[test]
fn every_class_file_is_registered_under_the_code_of_its_path() {
    let mut files = Vec::new();
    support::walk(Path::new("src/failure"), &mut files);
    let mut wanted = BTreeSet::new();
    for path in files.iter().filter(|path| path.ends_with(".rs")) {
        let text = std::fs::read_to_string(path).expect("a source file");
        if is_class(&text) {
            let code = path
                .trim_start_matches("src/failure/")
                .trim_end_matches(".rs");
            let code = code.replace('/', ".").replace('_', "-");
            assert!(
                text.contains(&format!("\"{code}\"")),
                "{path}: its code is not {code}"
            );
            wanted.insert(code);
        }
    }
    let registered: BTreeSet<String> = classes::ALL
        .iter()
        .map(|class| class.code.to_owned())
        .collect();
    assert_eq!(registered, wanted);
    assert_eq!(
        registered.len(),
        classes::ALL.len(),
        "a class is registered twice"
    );
}

#[test]
fn every_class_is_in_the_catalogue_with_its_severity() {
    for class in classes::ALL {
        let known = CODES.iter().find(|(code, _)| *code == class.code);
        let severity = known.map(|(_, severity)| *severity);
        assert_eq!(severity, Some(class.severity.name()), "{}", class.code);
    }
}

#[test]
fn every_guide_has_its_headings_in_order() {
    check_guides("guides have other headings", |_, lang, guide| {
        let found: Vec<&str> = guide
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        let wanted = headings(lang);
        if found == wanted {
            Vec::new()
        } else {
            vec![format!("{found:?}")]
        }
    });
}

#[test]
fn every_section_of_a_guide_says_something() {
    check_guides("sections are empty", |_, lang, guide| {
        headings(lang)
            .iter()
            .filter(|heading| {
                section(guide, heading)
                    .iter()
                    .all(|line| line.trim().is_empty())
            })
            .map(|heading| format!("nothing under {heading}"))
            .collect()
    });
}

#[test]
fn every_title_fits() {
    check_guides("titles are too long or missing", |class, lang, guide| {
        let title = class.title(lang);
        let fits = (1..=TITLE_MAX).contains(&title.chars().count());
        let heading = guide.starts_with("# ");
        if fits && heading {
            Vec::new()
        } else {
            vec![format!("title `{title}`")]
        }
    });
}

#[test]
fn every_remedy_begins_with_what_to_do_first() {
    check_guides("remedies have no first step", |class, lang, _| {
        let remedy = class.remedy(lang);
        if remedy.is_empty() {
            vec!["no `1. ` under its remedy".to_owned()]
        } else {
            Vec::new()
        }
    });
}

#[test]
fn every_filter_stands_in_a_block() {
    check_guides("filters are not in a block", |_, lang, guide| {
        let lines = section(guide, headings(lang)[5]);
        let fences = lines.iter().filter(|line| line.starts_with("```")).count();
        if fences >= 2 && fences % 2 == 0 {
            Vec::new()
        } else {
            vec![format!("{lines:?}")]
        }
    });
}

#[test]
fn every_code_that_a_guide_names_exists() {
    let layers = [
        "network.",
        "transport.",
        "security.",
        "application.",
        "data.",
        "capture.",
    ];
    check_guides("guides name codes that do not exist", |_, _, guide| {
        guide
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| layers.iter().any(|layer| word.starts_with(layer)))
            .filter(|word| {
                word.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte)
                })
            })
            .filter(|word| !knows(word))
            .map(|word| format!("`{word}`"))
            .collect()
    });
}

#[test]
fn chinese_guides_are_chinese() {
    check_guides("guides are in the wrong language", |class, lang, _| {
        let title = class.title(lang);
        let chinese = title
            .chars()
            .any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
        if chinese == (lang == Lang::Zh) {
            Vec::new()
        } else {
            vec![format!("title `{title}`")]
        }
    });
}

#[test]
fn every_class_has_a_capture_that_shows_it_and_a_near_miss() {
    let captures = captures();
    let mut complaints = Vec::new();
    for class in classes::ALL {
        let own: Vec<_> = captures
            .iter()
            .filter(|capture| capture.class().as_deref() == Some(class.code))
            .collect();
        // Codes of the capture itself are information: their notes say `silent` and name them in words.
        let about_capture = class.layer() == "capture";
        let shows = own.iter().any(|capture| {
            !capture.is_near_miss()
                && (about_capture || capture.note.codes.iter().any(|code| code == class.code))
        });
        let near = own.iter().any(|capture| capture.is_near_miss());
        if !shows || !near {
            complaints.push(format!("{}: shown {shows}, near-miss {near}", class.code));
        }
    }
    assert_none(&complaints, "classes lack captures");
}

#[test]
fn a_near_miss_is_not_called_by_the_class_it_misses() {
    let mut complaints = Vec::new();
    for capture in captures().iter().filter(|capture| capture.is_near_miss()) {
        if capture
            .class()
            .is_some_and(|class| capture.note.codes.contains(&class))
        {
            complaints.push(capture.path.clone());
        }
    }
    assert_none(&complaints, "near-misses expect the code that they miss");
}

#[test]
fn every_folder_of_captures_is_a_code_or_a_room() {
    let rooms = ["healthy", "format", "hostile", "incident", ""];
    let mut complaints = Vec::new();
    for capture in captures() {
        let known = match capture.class() {
            Some(class) => knows(&class),
            None => rooms.contains(&capture.room()),
        };
        if !known {
            complaints.push(capture.path.clone());
        }
    }
    assert_none(&complaints, "captures lie where no code is");
}

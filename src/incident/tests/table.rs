//! The table of causes is whole.

use std::collections::BTreeSet;

use crate::failure::{Severity, classes};
use crate::incident::group::DANGERS;
use crate::incident::{CAUSES, Cause};

fn causes() -> impl Iterator<Item = &'static Cause> {
    CAUSES.iter().flat_map(|causes| causes.iter())
}

#[test]
fn every_cause_is_named_once_and_says_all_in_both_languages() {
    let mut names = BTreeSet::new();
    for cause in causes() {
        assert!(names.insert(cause.name), "{}", cause.name);
        for text in [cause.title, cause.disproof, cause.remedy] {
            assert!(!text.en.is_empty() && !text.zh.is_empty(), "{}", cause.name);
        }
        assert!(
            cause.remedy.en.contains("For good:") && cause.remedy.zh.contains("根治："),
            "{}",
            cause.name
        );
        assert!(
            cause.codes.iter().all(|(_, percent)| *percent < 100),
            "{}: nothing is certain",
            cause.name
        );
    }
}

#[test]
fn every_class_that_can_make_an_attempt_fail_has_a_cause() {
    let known: BTreeSet<&str> = causes()
        .flat_map(|cause| cause.codes.iter().map(|(code, _)| *code))
        .collect();
    for class in classes::ALL {
        let danger = DANGERS.contains(&class.code);
        if class.layer() != "capture" && !danger && class.severity >= Severity::Error {
            assert!(
                known.contains(class.code),
                "{} speaks for no cause",
                class.code
            );
        }
    }
}

#[test]
fn every_item_weighs_and_has_its_sentence_in_both_languages() {
    let mut ids = std::collections::BTreeMap::new();
    for cause in causes() {
        for (item, percent) in cause.favour.iter().chain(cause.against) {
            assert!((1..100).contains(percent), "{} {}", cause.name, item.id);
            let text = ids.entry(item.id).or_insert(item.text);
            assert_eq!(text.en, item.text.en, "{} is two items", item.id);
            for placeholder in ["{n}", "{what}"] {
                assert_eq!(
                    item.text.en.contains(placeholder),
                    item.text.zh.contains(placeholder),
                    "{}",
                    item.id
                );
            }
        }
    }
}

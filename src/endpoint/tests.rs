use super::*;

/// The rules of a file that is sound.
fn rules(text: &str) -> Rules {
    Rules::of_file(text).expect("sound rules")
}

/// A file that is wrong, and all that is said of it as `line: message`.
fn check_wrong(text: &str, expect: &[&str]) {
    let errors = Rules::of_file(text).expect_err("wrong rules");
    let told: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {}", error.line, error.message))
        .collect();
    assert_eq!(told, expect, "{text}");
}

/// Which names a pattern fits, and which not.
fn check_pattern(pattern: &str, fits: &[&str], not: &[&str]) {
    let parsed = Pattern::parse(pattern).expect("a pattern");
    let is_region = |label: &str| label == "beijing" || label == "xizang";
    for name in fits {
        assert!(parsed.fit(name, &is_region).is_some(), "{pattern} {name}");
    }
    for name in not {
        assert!(parsed.fit(name, &is_region).is_none(), "{pattern} {name}");
    }
}

/// What is seen of a server with a name.
fn named(name: &str) -> Seen<'_> {
    Seen {
        name: Some(name),
        ..Seen::default()
    }
}

fn at(address: &str, port: u16) -> Option<(IpAddr, u16)> {
    Some((address.parse().expect("an address"), port))
}

fn id<'r>(rules: &'r Rules, seen: &Seen<'_>) -> Option<&'r str> {
    rules.find(seen).map(|rule| rule.id.as_str())
}

fn region_of(name: &str) -> Option<String> {
    let rules = Rules::built_in();
    let rule = rules.of_name(name);
    rules.region(rule, Some(name)).map(str::to_owned)
}

#[test]
fn the_built_in_rules_are_sound() {
    let read = reader::read(BUILT_IN);
    assert!(read.is_ok(), "{:?}", read.err());
    let rules = Rules::built_in();
    assert_eq!(rules.all().len(), 17);
    assert_eq!(rules.regions().len(), 36);
    assert!(rules.others && rules.own == 0);
    assert!(rules.all().iter().all(|rule| !rule.takes_id && !rule.own));
}

#[test]
fn every_slug_names_its_region_in_every_family() {
    let rules = Rules::built_in();
    for Region { slug, name, adcode } in rules.regions() {
        for host in ["dppt.", "skfp.", "fpdk.", "", "ggfw.web."] {
            let host = format!("{host}{slug}.chinatax.gov.cn");
            assert_eq!(region_of(&host).as_deref(), Some(name.as_str()), "{host}");
        }
        let digits = adcode.as_deref().unwrap_or("");
        assert!(matches!(digits.len(), 2 | 4), "{slug} {digits}");
    }
}

#[test]
fn the_label_before_chinatax_is_the_region() {
    let check = |name: &str, region: Option<&str>| {
        assert_eq!(region_of(name).as_deref(), region, "{name}");
    };
    check("etax.shaanxi.chinatax.gov.cn", Some("陕西省"));
    check("ETAX.Shanxi.chinatax.gov.cn", Some("山西省"));
    check(
        "bswj.fpggfwpt.guangxi.chinatax.gov.cn",
        Some("广西壮族自治区"),
    );
    check("fp.tjsat.gov.cn", Some("天津市"));
    check("skfp.nm-n-tax.gov.cn", Some("内蒙古自治区"));
    check("xj-n-tax.gov.cn", Some("新疆维吾尔自治区"));
    check("inv-veri.chinatax.gov.cn", None);
    check("beijing.example.com", None);
}

#[test]
fn a_family_is_matched_by_whole_labels() {
    let rules = Rules::built_in();
    let check = |name: &str, expect: Option<&str>| {
        assert_eq!(id(&rules, &named(name)), expect, "{name}");
        assert_eq!(rules.of_name(name).map(|rule| rule.id.as_str()), expect);
    };
    check("openapi.baiwang.com", Some("baiwang"));
    check("baiwang.com", Some("baiwang"));
    check("notbaiwang.com", None);
    check("baiwang.com.example", None);
    check("dppt.beijing.chinatax.gov.cn", Some("dppt"));
    check("dppt.nowhere.chinatax.gov.cn", Some("tax"));
    check("lqpt.chinatax.gov.cn", Some("lqpt"));
    check("example.com", None);
}

#[test]
fn wildcards_stand_for_labels() {
    check_pattern(
        "a.example",
        &["a.example", "A.Example", "a.example."],
        &["b.a.example", "example"],
    );
    check_pattern(
        "*.a.example",
        &["b.a.example", "c.b.a.example", "*.a.example"],
        &["a.example", "ba.example"],
    );
    check_pattern(
        "fp*.a.example",
        &["fp.a.example", "fp02.a.example"],
        &["x.a.example", "fp.b.a.example"],
    );
    check_pattern(
        "a.*.example",
        &["a.b.example"],
        &["a.example", "a.b.c.example"],
    );
    check_pattern(
        "f*-*1.example",
        &["fp-x1.example", "f-1.example"],
        &["fp1.example", "fp-x12.example"],
    );
    check_pattern(
        "fp.{region}.example",
        &["fp.beijing.example", "fp.xizang.example"],
        &["fp.paris.example", "fp.example"],
    );
}

#[test]
fn a_bad_pattern_says_what_to_write() {
    let check = |pattern: &str, says: &str| {
        let error = Pattern::parse(pattern).expect_err("no pattern");
        assert!(error.contains(says), "{pattern}: {error}");
    };
    check("https://a.example/", "write its host alone");
    check("a.example:443", "the port under match.ports");
    check("192.0.2.1", "match.addresses");
    check("2001:db8::1", "match.addresses");
    check("192.0.2.0/24", "match.addresses");
    check("a..example", "an empty label");
    check(".example", "an empty label");
    check("**.example", "too many `*`");
    check("*", "fits every name");
    check("*.*", "fits every name");
    check("开票.example", "xn--");
    check("a b.example", "no host name has");
    check("x{region}.example", "within a label");
    check("{region}.{region}.example", "twice");
}

#[test]
fn ranges_hold_their_addresses_and_no_others() {
    let check = |range: &str, holds: &[&str], not: &[&str]| {
        let range = Network::parse(range).expect("a range");
        for (list, expect) in [(holds, true), (not, false)] {
            for address in list {
                let address: IpAddr = address.parse().expect("an address");
                assert_eq!(range.holds(address), expect, "{range:?} {address}");
            }
        }
    };
    check(
        "198.51.100.0/25",
        &["198.51.100.0", "198.51.100.127", "::ffff:198.51.100.1"],
        &["198.51.100.128", "198.51.99.255"],
    );
    check(
        "203.0.113.7",
        &["203.0.113.7"],
        &["203.0.113.6", "203.0.113.8"],
    );
    check(
        "0.0.0.0/0",
        &["192.0.2.1", "255.255.255.255"],
        &["2001:db8::1"],
    );
    check(
        "2001:db8:1::/48",
        &["2001:db8:1::", "2001:db8:1:ffff::1"],
        &["2001:db8:2::", "192.0.2.1"],
    );
    check("::/0", &["2001:db8::1"], &["192.0.2.1"]);
}

#[test]
fn a_bad_range_says_what_to_write() {
    let check = |range: &str, expect: &str| {
        assert_eq!(Network::parse(range), Err(expect.to_owned()));
    };
    check(
        "198.51.100.7/24",
        "`198.51.100.7/24` has bits beyond its prefix; write `198.51.100.0/24`, or `198.51.100.7` for one address",
    );
    check(
        "198.51.100.0/33",
        "`198.51.100.0/33` has no prefix length from 0 to 32 after the slash; write `198.51.100.0/32` for one address",
    );
    check(
        "2001:db8::/x",
        "`2001:db8::/x` has no prefix length from 0 to 128 after the slash; write `2001:db8::/128` for one address",
    );
    check(
        "198.51.100",
        "`198.51.100` is no address range; write `198.51.100.0/24`, `2001:db8::/32` or one address",
    );
}

#[test]
fn errors_name_their_line_what_was_found_and_what_to_write() {
    check_wrong(
        "[[endpoint]]\nid = \"a\"\nnme = 3\n\n[[endpoint]]\nname = \"x\"\nmatch.port = [3]\nmatch.ports = [\n  0, 443,\n  \"x\"]\n",
        &[
            "1: [[endpoint]] has no `match`; write `match.names = [\"…\"]`, or addresses, ports, sni, host, connect or certificate",
            "3: [[endpoint]] has no key `nme`; write `name`",
            "5: [[endpoint]] has no `id`; write `id = \"…\"`",
            "7: match has no key `port`; write `ports`",
            "9: `ports` is 0; write a number from 1 to 65535",
            "10: `ports` is the text \"x\"; write a number from 1 to 65535",
        ],
    );
    check_wrong(
        "[[endpoint]]\nid = \"a\"\nmatch.names = \"a.example\"\nmatch.addresses = [\n  \"10.0.0.0/8\",\n  \"10.1.0.0/8\",\n]\n",
        &[
            "3: `names` is the text \"a.example\"; write a list: [\"…\", \"…\"]",
            "6: `10.1.0.0/8` has bits beyond its prefix; write `10.0.0.0/8`, or `10.1.0.0` for one address",
        ],
    );
    check_wrong(
        "[[endpoint]]\nid = \"a\"\nmatch.ports = [443]\nprotocol = \"ssl\"\nversions = [\"TLS 1.4\"]\ngm = true\nthresholds.connect_ms = 20\nca_bundle = \"\"\n",
        &[
            "4: `protocol` is \"ssl\"; write one of \"tls\", \"tlcp\", \"http\"",
            "5: `versions` is \"TLS 1.4\"; write one of \"SSL 2\", \"SSL 3\", \"TLS 1.0\", \"TLS 1.1\", \"TLS 1.2\", \"TLS 1.3\", \"TLCP 1.1\"",
            "6: `gm` is true; write a text in quotes",
            "7: `connect_ms` is 20; write a number from 200 to 600000",
            "8: `ca_bundle` is empty; write a text or leave it out",
        ],
    );
}

#[test]
fn ids_regions_and_keys_stand_once() {
    let rule = |id: &str| format!("[[endpoint]]\nid = \"{id}\"\nmatch.ports = [443]\n");
    let twice = format!("{}{}{}", rule("a"), rule("b"), rule("a"));
    check_wrong(
        &twice,
        &["8: `id` is \"a\" as on line 2; write each id once"],
    );
    check_wrong(
        "[[endpoint]]\nid = \"a\"\nid = \"b\"\n",
        &["3: `id` stands here a second time; write it once"],
    );
    check_wrong(
        &rule("a b"),
        &["2: `id` is \"a b\"; write letters, digits, `-`, `_`, `.` or `:`"],
    );
    let region = "[[region]]\nslug = \"x\"\nname = \"X\"\n";
    check_wrong(
        &format!("{region}{region}"),
        &["5: `slug` is \"x\" a second time; write each slug once"],
    );
}

#[test]
fn what_is_no_rule_file_is_told_by_its_first_line() {
    check_wrong(
        "[[endpoint]]\nid = \"a\n",
        &["2: no TOML: invalid basic string, expected `\"`"],
    );
    check_wrong(
        "built_in = 1\n",
        &["1: `built_in` is 1; write true or false"],
    );
    check_wrong(
        "endpoint = 5\n",
        &["1: `endpoint` is 5; write a line [[endpoint]] before each"],
    );
    check_wrong(
        "[endpoint]\nid = \"a\"\n",
        &["1: `endpoint` is a table; write a line [[endpoint]] before each"],
    );
    check_wrong(
        "endpoints = []\n",
        &["1: the file has no key `endpoints`; write `endpoint`"],
    );
    check_wrong(
        "# nothing\n",
        &[
            "1: the file says nothing; write [[endpoint]] with id and match, see `wirefault endpoints --print`",
        ],
    );
}

#[test]
fn a_rule_with_a_built_in_id_stands_in_its_place_and_others_come_first() {
    let all = rules(
        "[[endpoint]]\nid = \"tax\"\nmatch.names = [\"*.chinatax.gov.cn\"]\nregion = \"总局\"\n\
         [[endpoint]]\nid = \"own\"\nmatch.names = [\"dppt.beijing.chinatax.gov.cn\"]\n",
    );
    assert_eq!((all.own, all.replaced, all.all().len()), (2, 1, 18));
    assert!(!all.others);
    assert_eq!(
        id(&all, &named("dppt.beijing.chinatax.gov.cn")),
        Some("own")
    );
    assert_eq!(id(&all, &named("dppt.hebei.chinatax.gov.cn")), Some("dppt"));
    assert_eq!(id(&all, &named("x.hebei.chinatax.gov.cn")), Some("tax"));
    let rule = all.of_name("x.hebei.chinatax.gov.cn");
    assert_eq!(
        all.region(rule, Some("x.hebei.chinatax.gov.cn")),
        Some("总局")
    );
    assert_ne!(all.identity(), Rules::built_in().identity());
}

#[test]
fn a_file_may_stand_alone() {
    let all =
        rules("built_in = false\nothers = true\n[[endpoint]]\nid = \"a\"\nmatch.ports = [443]\n");
    assert_eq!((all.own, all.replaced, all.all().len()), (1, 0, 1));
    assert!(all.others);
}

#[test]
fn what_is_printed_and_given_back_says_the_same() {
    let again = rules(BUILT_IN);
    let built_in = Rules::built_in();
    assert_eq!((again.own, again.replaced), (17, 17));
    assert_eq!(again.regions(), built_in.regions());
    let plain: Vec<Rule> = again
        .all()
        .iter()
        .map(|rule| Rule {
            own: false,
            ..rule.clone()
        })
        .collect();
    assert_eq!(plain, built_in.all());
}

/// One rule for each source of a name.
const SOURCES: &str = "built_in = false
[[endpoint]]
id = \"sni\"
match.sni = [\"s.example\"]
[[endpoint]]
id = \"host\"
match.host = [\"h.example\"]
[[endpoint]]
id = \"connect\"
match.connect = [\"c.example\"]
match.ports = [8443]
[[endpoint]]
id = \"certificate\"
match.certificate = [\"*.z.example\"]
";

#[test]
fn each_source_of_a_name_has_its_patterns() {
    let all = rules(SOURCES);
    let check =
        |name: &str, (sni, host, connect): (bool, bool, Option<u16>), expect: Option<&str>| {
            let server = at("192.0.2.1", 3128);
            let seen = Seen {
                sni,
                host,
                connect,
                server,
                ..named(name)
            };
            assert_eq!(id(&all, &seen), expect, "{seen:?}");
        };
    check("s.example", (true, false, None), Some("sni"));
    check("s.example", (false, true, None), None);
    check("h.example", (false, true, None), Some("host"));
    check("h.example", (false, false, None), None);
    check("c.example", (false, false, Some(8443)), Some("connect"));
    check("c.example", (false, false, Some(443)), None);
    assert_eq!(
        all.of_name("h.example").map(|rule| rule.id.as_str()),
        Some("host")
    );
}

#[test]
fn a_certificate_tells_the_rule_by_its_first_known_name() {
    let all = rules(SOURCES);
    let seen = Seen {
        certificate: Some("*.z.example"),
        ..Seen::default()
    };
    assert_eq!(id(&all, &seen), Some("certificate"));
    let names = ["a.example", "b.z.example", "c.z.example"];
    assert_eq!(all.certified(names.into_iter()), Some("b.z.example"));
    assert_eq!(all.certified(["a.example"].into_iter()), None);
}

#[test]
fn ports_narrow_a_rule_and_alone_are_one() {
    let all = rules(
        "built_in = false\n\
         [[endpoint]]\nid = \"range\"\nmatch.addresses = [\"198.51.100.0/24\"]\nmatch.ports = [443]\n\
         [[endpoint]]\nid = \"ports\"\nmatch.ports = [8080]\n",
    );
    let seen = |server| Seen {
        server,
        ..Seen::default()
    };
    assert_eq!(id(&all, &seen(at("198.51.100.9", 443))), Some("range"));
    assert_eq!(id(&all, &seen(at("198.51.100.9", 80))), None);
    assert_eq!(id(&all, &seen(at("203.0.113.9", 8080))), Some("ports"));
    assert!(all.of_name("a.example").is_none());
    assert!(all.holds("198.51.100.1".parse().expect("an address")));
}

#[test]
fn the_id_of_one_host_is_the_endpoints_and_a_familys_is_not() {
    let all = rules(
        "[[endpoint]]\nid = \"one\"\nmatch.names = [\"a.example\"]\nmatch.ports = [80, 443]\n\
         [[endpoint]]\nid = \"address\"\nmatch.addresses = [\"203.0.113.7\"]\n\
         [[endpoint]]\nid = \"two\"\nmatch.names = [\"a.example\", \"b.example\"]\n\
         [[endpoint]]\nid = \"wild\"\nmatch.names = [\"*.c.example\"]\n\
         [[endpoint]]\nid = \"range\"\nmatch.addresses = [\"203.0.113.0/24\"]\n\
         [[endpoint]]\nid = \"ports\"\nmatch.ports = [9]\n",
    );
    let own: Vec<&str> = all
        .all()
        .iter()
        .filter(|rule| rule.takes_id)
        .map(|rule| rule.id.as_str())
        .collect();
    assert_eq!(own, ["one", "address"]);
}

#[test]
fn everything_else_of_a_rule_is_read() {
    let all = rules(
        "[[endpoint]]\nid = \"a\"\nname = \"A\"\nprotocol = \"tlcp\"\nversions = [\"TLCP 1.1\"]\ngm = \"required\"\n\
         ca_bundle = \"own.pem\"\n[endpoint.match]\nnames = [\"a.example\"]\n[endpoint.thresholds]\nconnect_ms = 0x7d0\n\
         dns_ms = 5_000\n[[endpoint.path]]\npath = \"/v*/x\"\nversions = [\"v2\"]\n",
    );
    let rule = all.of_name("a.example").expect("a rule");
    assert_eq!(rule.name.as_deref(), Some("A"));
    assert_eq!(rule.ca_bundle, Some(("own.pem".to_owned(), 7)));
    assert_eq!(rule.thresholds.connect_ms, Some(2_000));
    assert_eq!(rule.thresholds.first_byte_ms, None);
    assert_eq!(rule.thresholds.dns_ms, Some(5_000));
    assert_eq!(rule.paths.len(), 1);
    assert_eq!(rule.protocol.as_deref(), Some("tlcp"));
    assert!(rule.gm_required && all.requires_gm());
}

#[test]
fn the_content_of_a_named_file_changes_the_identity() {
    let mut all = Rules::built_in();
    let before = all.identity();
    all.note(b"another trust anchor");
    assert_ne!(all.identity(), before);
    assert!(before.starts_with("1/") && before.len() == 10);
}

#[test]
fn the_versions_of_a_path_are_those_of_the_first_pattern_that_fits() {
    let path = |path: &str, version: &str| PathRule {
        path: path.to_owned(),
        versions: vec![version.to_owned()],
    };
    let rule = Rule {
        paths: vec![
            path("/access/*/issue", "v2"),
            path("/access/*", "v3"),
            path("/one", "v1"),
        ],
        ..Rule::default()
    };
    assert_eq!(rule.versions_of("/access/v1/issue"), ["v2"]);
    assert_eq!(rule.versions_of("/access/v1/query"), ["v3"]);
    assert_eq!(rule.versions_of("/one"), ["v1"]);
    assert!(rule.versions_of("/one/more").is_empty());
    assert!(rule.versions_of("/other").is_empty());
}

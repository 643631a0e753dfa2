//! What belongs together, and what does not.

use super::*;

fn sizes(world: &World) -> Vec<usize> {
    world
        .incidents()
        .iter()
        .map(|incident| incident.findings.len())
        .collect()
}

#[test]
fn failures_of_one_endpoint_two_minutes_apart_are_one_incident() {
    let mut world = World::default();
    world.fails("application.http-503", CLIENTS[0], SERVER, 0);
    world.fails("application.http-503", CLIENTS[1], SERVER, 121);
    assert_eq!(sizes(&world), [2], "a finding lasts a second here");
}

#[test]
fn a_longer_pause_begins_another_incident() {
    let mut world = World::default();
    world.fails("application.http-503", CLIENTS[0], SERVER, 0);
    world.fails("application.http-503", CLIENTS[1], SERVER, 122);
    assert_eq!(sizes(&world), [1, 1]);
}

#[test]
fn another_endpoint_is_another_incident() {
    let mut world = World::default();
    world.fails("application.http-503", CLIENTS[0], SERVER, 0);
    world.fails("application.http-503", CLIENTS[0], "203.0.113.20:443", 0);
    assert_eq!(sizes(&world), [1, 1]);
}

#[test]
fn silence_at_two_ports_of_one_address_is_one_incident() {
    let mut world = World::default();
    world.fails("transport.syn-unanswered", CLIENTS[0], SERVER, 0);
    world.fails(
        "transport.syn-unanswered",
        CLIENTS[0],
        "203.0.113.20:443",
        5,
    );
    assert_eq!(sizes(&world), [2]);
}

#[test]
fn two_names_that_one_resolver_fails_are_one_incident() {
    let mut world = World::default();
    world.unresolved(
        "network.dns-timeout",
        CLIENTS[0],
        ("a.example.cn", "198.51.100.53:53"),
        0,
    );
    world.unresolved(
        "network.dns-timeout",
        CLIENTS[1],
        ("b.example.org", "198.51.100.53:53"),
        5,
    );
    world.unresolved(
        "network.dns-timeout",
        CLIENTS[1],
        ("c.example.org", "198.51.100.54:53"),
        5,
    );
    assert_eq!(sizes(&world), [2, 1]);
}

#[test]
fn one_bad_intermediate_at_two_endpoints_is_one_incident() {
    let mut world = World::default();
    for (server, which) in [
        ("203.0.113.1:443", "CA"),
        ("203.0.113.2:443", "CA"),
        ("203.0.113.3:443", "Other CA"),
    ] {
        let finding = world.fails("security.cert-expired", CLIENTS[0], server, 0);
        detail(finding, "which", Value::Text(which.to_owned()));
    }
    assert_eq!(sizes(&world), [2, 1]);
}

#[test]
fn what_is_only_worth_knowing_or_about_the_capture_is_no_incident() {
    let mut world = World::default();
    world
        .says("security.cert-expired", CLIENTS[0], SERVER, 0)
        .severity = Severity::Info;
    world
        .says("capture.packets-dropped", CLIENTS[0], SERVER, 0)
        .severity = Severity::Critical;
    world
        .says("security.tls-obsolete", CLIENTS[0], SERVER, 0)
        .severity = Severity::Warning;
    assert_eq!(sizes(&world), [0_usize; 0]);
}

#[test]
fn a_warning_at_the_endpoint_of_an_incident_is_part_of_it() {
    let mut world = World::default();
    world.fails("application.http-503", CLIENTS[0], SERVER, 0);
    world
        .says("application.slow-response", CLIENTS[1], SERVER, 60)
        .severity = Severity::Warning;
    world
        .says(
            "application.slow-response",
            CLIENTS[1],
            "203.0.113.99:80",
            60,
        )
        .severity = Severity::Warning;
    assert_eq!(sizes(&world), [2]);
}

#[test]
fn no_order_of_findings_or_surroundings_changes_an_incident() {
    let mut world = World::default();
    for number in 0..60 {
        let client = CLIENTS[number % 4];
        let at = i64::try_from(number * 7 % 60).unwrap();
        match number % 3 {
            0 => world.fails("transport.syn-unanswered", client, SERVER, at),
            1 => world.fails("application.http-503", client, "203.0.113.9:80", at),
            _ => world.fails(
                "transport.syn-unanswered",
                client,
                "203.0.113.20:443",
                at + 400,
            ),
        };
        world.well(client, "203.0.113.20:22", at);
    }
    let told = |world: &World| -> Vec<String> {
        world
            .incidents()
            .iter()
            .map(|incident| {
                let mut members: Vec<String> = incident
                    .findings
                    .iter()
                    .map(|place| {
                        let finding = &world.findings[*place];
                        format!(
                            "{} {:?} {:?}",
                            finding.class.code, finding.client, finding.first
                        )
                    })
                    .collect();
                members.sort();
                let scores: Vec<String> = incident
                    .hypotheses
                    .iter()
                    .map(|one| format!("{} {}", one.cause.name, one.score))
                    .collect();
                format!(
                    "{} {:?} {scores:?} {members:?}",
                    incident.scope.words(),
                    incident.client_sample
                )
            })
            .collect()
    };
    let straight = told(&world);
    assert_eq!(straight.len(), 3);
    // Every step is prime to the length, so that each turns the list into another order of the same members.
    for step in [7, 11, 59] {
        let turned = |place: usize| place * step % 60;
        let shuffled = World {
            findings: (0..60)
                .map(|place| world.findings[turned(place)].clone())
                .collect(),
            seen: (0..120)
                .rev()
                .map(|place| world.seen[place].clone())
                .collect(),
            answered: Vec::new(),
            heard: world.heard.clone(),
        };
        assert_eq!(told(&shuffled), straight);
    }
}

#[test]
fn a_flood_of_incidents_is_cut_and_counted() {
    let mut world = World::default();
    for port in 0..1_200 {
        world.fails(
            "application.http-503",
            CLIENTS[0],
            &format!("203.0.113.20:{}", 1_000 + port),
            0,
        );
    }
    let context = Context::new(world.seen.clone(), Vec::new(), &world.heard);
    let (incidents, omitted) = find(&world.findings, &context);
    assert_eq!((incidents.len(), omitted), (1_000, 200));
}

#[test]
fn the_scope_is_the_narrowest_that_holds_all() {
    let scope = |build: &dyn Fn(&mut World)| {
        let mut world = World::default();
        build(&mut world);
        only(&world).scope.words()
    };
    assert_eq!(
        scope(&|world| {
            world.fails("application.http-503", CLIENTS[0], SERVER, 0);
        }),
        "endpoint 203.0.113.20:8081",
        "nobody else tried"
    );
    assert_eq!(
        scope(&|world| {
            world.fails("application.http-forbidden", CLIENTS[0], SERVER, 0);
            world.well(CLIENTS[1], SERVER, 1);
        }),
        "client 192.0.2.15"
    );
    assert_eq!(
        scope(&|world| {
            world.fails("transport.syn-unanswered", CLIENTS[0], SERVER, 0);
            world.fails("transport.syn-unanswered", CLIENTS[1], SERVER, 0);
            world.well("198.51.100.7", SERVER, 1);
        }),
        "site 192.0.2.0/24"
    );
    assert_eq!(
        scope(&|world| {
            for (name, server) in [
                ("dppt.hebei.chinatax.gov.cn", "203.0.113.1:443"),
                ("etax.hebei.chinatax.gov.cn", "203.0.113.2:443"),
            ] {
                for client in ["192.0.2.15", "198.51.100.7"] {
                    let finding = world.named("security.cert-expired", client, (name, server), 0);
                    detail(finding, "which", Value::Text("CA".to_owned()));
                }
            }
        }),
        "region 河北省"
    );
}

//! A gateway that is seen from both sides: what it kept, what it let pass, and what else that may be.

use super::*;

/// Every client's SYNs to a server, and what the gateway did with them.
fn seen_at_gateway(world: &mut World, server: &str, word: &str) {
    for (number, client) in (0..).zip(CLIENTS) {
        let finding = world.fails("transport.syn-unanswered", client, server, 100 + 3 * number);
        detail(finding, "gateway", Value::Text(word.to_owned()));
    }
}

#[test]
fn what_enters_the_gateway_and_never_leaves_is_dropped_by_it() {
    argues(
        |world| {
            CLIENTS.iter().for_each(|client| {
                world.well(client, SERVER, 10);
                world.well(client, "203.0.113.21:443", 104);
            });
            seen_at_gateway(world, SERVER, "not-left");
        },
        "gateway-dropped",
    );
}

#[test]
fn an_answer_that_the_gateway_keeps_is_dropped_by_it_too() {
    argues(
        |world| seen_at_gateway(world, SERVER, "answer-kept"),
        "gateway-dropped",
    );
}

#[test]
fn what_left_the_gateway_is_not_its_fault() {
    let mut world = World::default();
    CLIENTS.iter().for_each(|client| {
        world.well(client, "203.0.113.21:443", 104);
    });
    seen_at_gateway(&mut world, SERVER, "left");
    let incident = only(&world);
    assert!(
        incident
            .hypotheses
            .iter()
            .all(|one| one.cause.name != "gateway-dropped")
    );
    assert_eq!(incident.cause().unwrap().name, "server-down");
}

#[test]
fn what_one_gateway_keeps_of_several_servers_is_one_incident() {
    argues(
        |world| {
            for server in ["203.0.113.21:443", "198.51.100.70:8443"] {
                seen_at_gateway(world, server, "not-left");
            }
        },
        "gateway-dropped",
    );
}

#[test]
fn connections_of_several_servers_forgotten_at_rest_are_one_incident() {
    argues(
        |world| {
            for server in ["203.0.113.21:443", "198.51.100.70:8443"] {
                world.fails("transport.idle-dropped", CLIENTS[0], server, 100);
            }
        },
        "nat-idle-timeout",
    );
}

#[test]
fn an_address_that_moved_with_nothing_lost_is_no_incident() {
    let mut world = World::default();
    world
        .says("network.vip-moved", CLIENTS[0], "203.0.113.20", 10)
        .severity = Severity::Warning;
    assert!(world.incidents().is_empty());
    let moved = world.findings.last_mut().unwrap();
    detail(moved, "failures", Value::Number(2));
    assert_eq!(only(&world).cause().unwrap().name, "load-balancer-failover");
}

#[test]
fn heavy_loss_at_three_servers_is_one_way_that_loses() {
    argues(
        |world| {
            for server in [SERVER, "203.0.113.21:443", "198.51.100.70:8443"] {
                let finding = world.says("network.packet-loss", CLIENTS[0], server, 100);
                finding.severity = Severity::Error;
                finding.client = None;
                detail(finding, "share", Value::Thousandths(200));
            }
            world.fails("transport.handshake-incomplete", CLIENTS[0], SERVER, 101);
        },
        "path-loss",
    );
}

#[test]
fn loss_at_two_servers_may_have_two_causes() {
    let mut world = World::default();
    for server in [SERVER, "203.0.113.21:443"] {
        world
            .says("network.packet-loss", CLIENTS[0], server, 100)
            .severity = Severity::Error;
    }
    assert_eq!(world.incidents().len(), 2);
}

#[test]
fn one_name_cut_on_two_ports_is_one_incident() {
    argues(
        |world| {
            for server in ["203.0.113.20:443", "203.0.113.99:8443"] {
                let finding = world.fails("security.tls-cut-on-hello", CLIENTS[0], server, 100);
                let name = "dppt.beijing.chinatax.gov.cn".to_owned();
                detail(finding, "sni", Value::Text(name));
            }
        },
        "middlebox-reset",
    );
}

#[test]
fn a_cause_is_not_carried_by_what_it_does_not_explain() {
    let mut world = World::default();
    for at in 0..9 {
        world.fails("security.cert-expired", CLIENTS[0], SERVER, 100 + at);
    }
    world.fails("application.http-503", CLIENTS[1], SERVER, 105);
    let incident = only(&world);
    let overload = incident
        .hypotheses
        .iter()
        .find(|one| one.cause.name == "server-overload");
    let little = |one: &crate::incident::Hypothesis| {
        one.against
            .iter()
            .any(|reason| reason.item.id == "explains-little" && reason.weight > 0.7)
    };
    assert!(overload.is_none_or(little));
    assert_eq!(incident.cause().unwrap().name, "certificate-expired");
}

#[test]
fn a_silent_host_beyond_the_own_network_lost_no_neighbours_cable() {
    argues(
        |world| {
            for (at, client) in (100..).zip(CLIENTS) {
                world.hears(client, "192.0.2.1", at);
                let finding = world.says("network.host-silent", client, "203.0.113.20", at);
                finding.fails = true;
            }
        },
        "server-down",
    );
}

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

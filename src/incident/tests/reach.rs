//! What keeps a client from the server: each cause beside its nearest rival.

use super::*;
use crate::incident::Reason;

const DPPT: &str = "dppt.beijing.chinatax.gov.cn";

/// `count` SYNs of every client to a server, ten seconds apart, unanswered.
fn silent(world: &mut World, server: &str, count: i64) {
    for (number, client) in (0..).zip(CLIENTS) {
        for turn in 0..count {
            world.fails(
                "transport.syn-unanswered",
                client,
                server,
                100 + 10 * turn + number,
            );
        }
    }
}

#[test]
fn silence_of_one_port_beside_a_port_that_answers_is_a_firewall() {
    argues(
        |world| {
            silent(world, SERVER, 50);
            for turn in 0..20 {
                world.well(CLIENTS[0], "203.0.113.20:443", 100 + 20 * turn);
            }
        },
        "firewall-blocks-port",
    );
}

#[test]
fn silence_of_one_port_of_a_host_that_answers_pings_is_a_firewall() {
    argues(
        |world| {
            silent(world, SERVER, 3);
            CLIENTS
                .iter()
                .for_each(|client| world.hears(client, "203.0.113.20", 105));
        },
        "firewall-blocks-port",
    );
}

#[test]
fn a_filter_that_says_so_is_believed() {
    argues(
        |world| {
            world.fails("network.firewall-rejected", CLIENTS[0], SERVER, 1);
        },
        "firewall-blocks-port",
    );
}

#[test]
fn silence_of_all_ports_while_others_answer_is_a_host_that_is_down() {
    argues(
        |world| {
            silent(world, SERVER, 3);
            silent(world, "203.0.113.20:443", 3);
            CLIENTS.iter().for_each(|client| {
                world.well(client, "203.0.113.77:443", 110);
            });
        },
        "server-down",
    );
}

#[test]
fn a_last_router_that_finds_no_host_means_a_host_that_is_down() {
    argues(
        |world| {
            let finding = world.fails("network.icmp-unreachable", CLIENTS[0], SERVER, 1);
            detail(finding, "unreachable", Value::Text("host".to_owned()));
            detail(finding, "router", Value::Text("203.0.113.1".to_owned()));
        },
        "server-down",
    );
}

#[test]
fn without_anything_that_separates_host_and_filter_both_are_named() {
    let mut world = World::default();
    world.fails("transport.syn-unanswered", CLIENTS[0], SERVER, 1);
    let incident = only(&world);
    let names: Vec<&str> = incident
        .hypotheses
        .iter()
        .take(2)
        .map(|hypothesis| hypothesis.cause.name)
        .collect();
    assert_eq!(names, ["server-down", "firewall-blocks-port"]);
    assert_eq!(
        incident.rival().map(|rival| rival.cause.name),
        Some("firewall-blocks-port")
    );
    assert!(incident.hypotheses[0].score < 0.6, "inferred only");
}

#[test]
fn refusal_by_one_port_of_a_living_host_is_a_service_that_is_down() {
    argues(
        |world| {
            refused(world, 8, 20);
        },
        "service-down",
    );
}

#[test]
fn refusals_from_nearer_or_sooner_than_the_hosts_answers_are_a_firewall() {
    argues(|world| refused(world, 5, 20), "firewall-blocks-port");
    argues(|world| refused(world, 8, 1), "firewall-blocks-port");
}

/// Everybody is refused at one port of a host that answers at another, by a RST that came so many hops, so soon.
fn refused(world: &mut World, hops: i64, after_ms: i64) {
    for client in CLIENTS {
        let finding = world.fails("transport.syn-refused", client, SERVER, 50);
        detail(finding, "rst_hops", Value::Number(hops));
        detail(finding, "answered_ms", Value::Number(after_ms));
        world.well(client, "203.0.113.20:443", 51);
    }
}

#[test]
fn a_port_unreachable_is_a_service_that_is_down_and_no_route() {
    argues(
        |world| {
            let finding = world.fails("network.icmp-unreachable", CLIENTS[0], SERVER, 1);
            detail(finding, "unreachable", Value::Text("port".to_owned()));
        },
        "service-down",
    );
}

#[test]
fn refusal_by_one_address_of_a_name_is_a_bad_member_and_no_service_that_is_down() {
    argues(
        |world| {
            for (number, client) in (0..).zip(CLIENTS) {
                world.named(
                    "transport.syn-refused",
                    client,
                    (DPPT, "203.0.113.31:443"),
                    50 + number,
                );
                world.well_named(client, (DPPT, "203.0.113.32:443"), 52 + number);
            }
        },
        "load-balancer-member-bad",
    );
}

#[test]
fn errors_of_one_address_while_its_siblings_serve_are_a_bad_member() {
    argues(
        |world| {
            for (number, client) in (0..).zip(CLIENTS) {
                world.named(
                    "application.http-503",
                    client,
                    (DPPT, "203.0.113.31:443"),
                    50 + number,
                );
                world.well_named(client, (DPPT, "203.0.113.32:443"), 52 + number);
                world.well_named(client, (DPPT, "203.0.113.33:443"), 54 + number);
            }
        },
        "load-balancer-member-bad",
    );
}

#[test]
fn errors_of_all_addresses_of_a_name_are_no_bad_member() {
    let mut world = World::default();
    for (number, client) in (0..).zip(CLIENTS) {
        for (server, at) in [("203.0.113.31:443", 50), ("203.0.113.32:443", 52)] {
            let finding = world.named("application.http-503", client, (DPPT, server), at + number);
            detail(finding, "retry_after", Value::Text("20".to_owned()));
        }
    }
    let incident = only(&world);
    assert_eq!(incident.cause().unwrap().name, "server-overload");
    assert!(
        incident
            .hypotheses
            .iter()
            .all(|hypothesis| hypothesis.cause.name != "load-balancer-member-bad")
    );
}

#[test]
fn silence_of_everything_outside_while_the_own_network_answers_is_the_way_out() {
    argues(
        |world| {
            for (number, server) in
                (0..).zip(["203.0.113.20:443", "198.51.100.30:8443", "100.64.7.9:443"])
            {
                for client in CLIENTS {
                    world.fails("transport.syn-unanswered", client, server, 100 + 3 * number);
                }
            }
            CLIENTS
                .iter()
                .for_each(|client| world.hears(client, "192.0.2.1", 104));
        },
        "egress-lost",
    );
}

#[test]
fn silence_of_three_servers_while_a_fourth_answers_is_not_the_way_out() {
    let mut world = World::default();
    for (number, server) in (0..).zip(["203.0.113.20:443", "198.51.100.30:8443", "100.64.7.9:443"])
    {
        world.fails(
            "transport.syn-unanswered",
            CLIENTS[0],
            server,
            100 + 3 * number,
        );
    }
    world.well(CLIENTS[0], "203.0.113.99:443", 104);
    let causes: Vec<_> = world
        .incidents()
        .iter()
        .map(|incident| incident.cause().unwrap().name)
        .collect();
    assert_eq!(causes.len(), 3);
    assert!(!causes.contains(&"egress-lost"), "{causes:?}");
}

#[test]
fn a_gateway_that_keeps_old_flows_and_takes_no_new_ones_is_full() {
    argues(
        |world| {
            for (number, server) in
                (0..).zip(["203.0.113.20:443", "198.51.100.30:8443", "100.64.7.9:443"])
            {
                for client in CLIENTS {
                    world.fails("transport.syn-unanswered", client, server, 100 + 3 * number);
                }
            }
            CLIENTS.iter().for_each(|client| {
                world.fails("transport.syn-unanswered", client, "203.0.113.20:443", 112);
            });
            // A connection from before goes on.
            CLIENTS.iter().for_each(|client| {
                (100..114).for_each(|at| world.hears(client, "203.0.113.200", at))
            });
        },
        "nat-table-full",
    );
}

#[test]
fn one_client_that_tried_often_and_is_silenced_while_others_come_through_is_banned() {
    argues(
        |world| {
            for turn in 0..40 {
                world.well(CLIENTS[0], SERVER, 50 + turn);
            }
            for turn in 0..4 {
                world.fails(
                    "transport.syn-unanswered",
                    CLIENTS[0],
                    SERVER,
                    100 + 5 * turn,
                );
                world.well(OTHERS[0], SERVER, 101 + 5 * turn);
                world.well(OTHERS[1], SERVER, 102 + 5 * turn);
            }
        },
        "client-banned",
    );
}

#[test]
fn ipv6_that_fails_beside_ipv4_of_the_same_name_is_ipv6() {
    argues(
        |world| {
            for (number, client) in (0..).zip(["2001:db8:1::15", "2001:db8:1::16"]) {
                world.named(
                    "transport.syn-unanswered",
                    client,
                    (DPPT, "[2001:db8:2::20]:443"),
                    50 + number,
                );
            }
            for (number, client) in (0..).zip(CLIENTS) {
                world.well_named(client, (DPPT, "203.0.113.20:443"), 51 + number);
            }
        },
        "ipv6-broken",
    );
}

#[test]
fn a_router_without_a_route_is_no_host_that_is_down() {
    argues(
        |world| {
            let finding = world.fails("network.icmp-unreachable", CLIENTS[0], SERVER, 1);
            detail(finding, "unreachable", Value::Text("net".to_owned()));
            detail(finding, "router", Value::Text("192.0.2.1".to_owned()));
        },
        "routing-fault",
    );
}

#[test]
fn lost_segments_are_the_way_and_growing_round_trips_a_full_line() {
    let lossy = |world: &mut World, slow: bool| {
        for at in 0..10 {
            world.well(CLIENTS[0], SERVER, at).latency_ms[0] = Some(10);
        }
        for at in 0..6 {
            world.well(CLIENTS[0], SERVER, 100 + at).latency_ms[0] =
                Some(if slow { 400 } else { 11 });
        }
        let finding = world.says("network.packet-loss", CLIENTS[0], SERVER, 100);
        finding.severity = Severity::Error;
        finding.last = time(110);
    };
    argues(|world| lossy(world, false), "path-loss");
    argues(|world| lossy(world, true), "bandwidth-saturated");
}

#[test]
fn resets_from_one_distance_for_several_servers_are_a_device_on_the_way() {
    argues(
        |world| {
            for (number, server) in (0..).zip(["203.0.113.20:443", "198.51.100.30:443"]) {
                let finding =
                    world.fails("transport.reset-injected", CLIENTS[0], server, 10 + number);
                detail(finding, "rst_hops", Value::Number(3));
                detail(finding, "sni", Value::Text(DPPT.to_owned()));
            }
        },
        "middlebox-reset",
    );
}

#[test]
fn a_reset_of_the_server_itself_is_no_device_on_the_way() {
    argues(
        |world| {
            CLIENTS.iter().for_each(|client| {
                world.fails("transport.reset-by-server", client, SERVER, 10);
            });
        },
        "third-party-fault",
    );
}

#[test]
fn what_dies_after_a_pause_died_of_a_gateway_that_forgets() {
    argues(
        |world| {
            world.fails("transport.idle-dropped", CLIENTS[0], SERVER, 10);
        },
        "nat-idle-timeout",
    );
}

#[test]
fn large_segments_that_vanish_are_a_narrow_way_unless_only_hellos_do() {
    argues(
        |world| {
            world.fails("network.pmtu-blackhole", CLIENTS[0], SERVER, 10);
        },
        "mtu-blackhole",
    );
    argues(
        |world| {
            for client in CLIENTS {
                let finding = world.fails("transport.data-unacked", client, SERVER, 10);
                detail(finding, "hello_segments", Value::Number(2));
            }
        },
        "large-hello-dropped",
    );
}

#[test]
fn a_syn_ack_repeated_in_spite_of_its_ack_is_a_full_queue() {
    let half_open = |world: &mut World, acked: bool| {
        for client in CLIENTS {
            let finding = world.fails("transport.handshake-incomplete", client, SERVER, 10);
            detail(finding, "client_acked", Value::Bool(acked));
        }
    };
    argues(|world| half_open(world, true), "accept-queue-overflow");
    argues(|world| half_open(world, false), "routing-fault");
}

#[test]
fn a_flood_is_a_flood() {
    argues(
        |world| {
            world.fails("transport.syn-flood", CLIENTS[0], SERVER, 10);
        },
        "ddos",
    );
}

#[test]
fn however_many_fail_by_a_flood_the_flood_is_the_cause() {
    argues(
        |world| {
            let flood = world.says("transport.syn-flood", CLIENTS[0], SERVER, 100);
            detail(flood, "rate", Value::Number(300));
            flood.client = None;
            silent(world, SERVER, 10);
            world.well(CLIENTS[0], "203.0.113.20:443", 105);
        },
        "ddos",
    );
}

#[test]
fn ports_that_come_round_too_soon_are_the_networks_own() {
    argues(
        |world| {
            world.fails("transport.port-reuse-stalled", CLIENTS[0], SERVER, 10);
        },
        "ports-reused",
    );
}

#[test]
fn a_host_that_moved_away_and_refuses_is_a_service_that_is_down() {
    argues(
        |world| {
            for (at, client) in (0..).zip(CLIENTS) {
                world.well_named(client, (DPPT, "203.0.113.20:8081"), at);
                world.named(
                    "transport.syn-refused",
                    client,
                    (DPPT, "203.0.113.99:8081"),
                    60 + at,
                );
            }
        },
        "service-down",
    );
}

#[test]
fn a_client_that_resets_what_others_use_breaks_off_itself() {
    argues(
        |world| {
            world.fails("transport.reset-by-client", CLIENTS[0], SERVER, 10);
            world.well(OTHERS[0], SERVER, 11);
        },
        "client-aborts",
    );
}

#[test]
fn an_address_that_moved_and_serves_again_is_a_failover() {
    argues(
        |world| {
            world.well(CLIENTS[0], SERVER, 1);
            world.says("network.vip-moved", CLIENTS[0], SERVER, 10);
            world.fails("transport.reset-by-server", CLIENTS[0], SERVER, 10);
            world.well(CLIENTS[0], SERVER, 40);
        },
        "load-balancer-failover",
    );
}

#[test]
fn a_refusal_on_one_port_disproves_that_the_host_is_down() {
    let mut world = World::default();
    silent(&mut world, SERVER, 3);
    for client in CLIENTS {
        world.fails("transport.syn-refused", client, "203.0.113.20:25", 104);
        world.hears(client, "203.0.113.20", 105);
    }
    for incident in world.incidents() {
        for hypothesis in &incident.hypotheses {
            let dead = |reason: &Reason| reason.item.id == "other-ports-dead";
            assert!(!hypothesis.favour.iter().any(dead), "{hypothesis:#?}");
        }
    }
}

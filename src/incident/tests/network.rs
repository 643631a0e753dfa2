//! Names, neighbours and links: each cause beside its nearest rival.

use super::*;

const RESOLVER: &str = "198.51.100.53";
const NAMES: [&str; 3] = [
    "dppt.beijing.chinatax.gov.cn",
    "openapi.baiwang.com",
    "www.example.org",
];

#[test]
fn a_resolver_that_answers_nothing_is_out_of_order() {
    argues(
        |world| {
            for (number, name) in (0..).zip(NAMES) {
                for client in CLIENTS {
                    world.unresolved(
                        "network.dns-timeout",
                        client,
                        (name, "198.51.100.53:53"),
                        100 + number,
                    );
                }
            }
            world.resolves(CLIENTS[0], (NAMES[0], RESOLVER), 1);
        },
        "dns-outage",
    );
}

#[test]
fn a_resolver_that_fails_for_one_name_only_is_not_out_of_order() {
    argues(
        |world| {
            for client in CLIENTS {
                world.unresolved(
                    "network.dns-servfail",
                    client,
                    (NAMES[0], "198.51.100.53:53"),
                    100,
                );
                world.resolves(client, (NAMES[1], RESOLVER), 100);
            }
        },
        "dns-zone-broken",
    );
}

#[test]
fn a_name_that_does_not_exist_is_no_outage() {
    argues(
        |world| {
            world.unresolved(
                "network.dns-nxdomain",
                CLIENTS[0],
                (NAMES[0], "198.51.100.53:53"),
                100,
            )
        },
        "dns-record-missing",
    );
}

#[test]
fn a_resolver_that_refuses_does_so_by_policy() {
    argues(
        |world| {
            world.unresolved(
                "network.dns-refused",
                CLIENTS[0],
                (NAMES[0], "198.51.100.53:53"),
                100,
            )
        },
        "dns-policy",
    );
}

#[test]
fn two_answers_to_one_question_are_a_hijack() {
    argues(
        |world| {
            world.unresolved(
                "network.dns-spoofed",
                CLIENTS[0],
                (NAMES[0], "198.51.100.53:53"),
                100,
            )
        },
        "dns-hijack",
    );
}

#[test]
fn a_gateway_that_nobody_finds_lost_link_or_power() {
    argues(
        |world| {
            let finding = world.says("network.arp-unanswered", CLIENTS[0], "192.0.2.1", 100);
            detail(finding, "next_hop", Value::Bool(true));
        },
        "link-or-power-lost",
    );
}

#[test]
fn two_directions_in_two_vlans_are_a_wrong_vlan_and_no_lost_link() {
    argues(
        |world| {
            world.says("network.vlan-mismatch", CLIENTS[0], SERVER, 100);
            world.says("network.arp-unanswered", CLIENTS[0], SERVER, 100);
        },
        "vlan-misconfigured",
    );
}

#[test]
fn one_address_at_two_machines_is_a_conflict_whatever_breaks_by_it() {
    argues(
        |world| {
            world
                .says("network.arp-conflict", CLIENTS[0], "203.0.113.20", 100)
                .severity = Severity::Critical;
            world
                .says("network.arp-conflict", CLIENTS[1], "203.0.113.20", 100)
                .severity = Severity::Critical;
        },
        "ip-conflict",
    );
}

#[test]
fn a_storm_is_a_storm() {
    argues(
        |world| {
            world.says("network.arp-storm", CLIENTS[0], "192.0.2.1", 100);
        },
        "arp-storm",
    );
}

#[test]
fn what_falls_silent_in_a_storm_is_tied_to_it() {
    argues(
        |world| {
            world.says("network.arp-storm", CLIENTS[0], "192.0.2.1", 100);
            for client in CLIENTS {
                world.fails("transport.syn-unanswered", client, SERVER, 101);
            }
        },
        "arp-storm",
    );
}

#[test]
fn a_line_that_does_not_come_up_is_what_all_fails_by() {
    argues(
        |world| {
            world.says("network.pppoe-failed", CLIENTS[0], "192.0.2.1", 100);
            world.fails("transport.syn-unanswered", CLIENTS[1], SERVER, 101);
        },
        "dial-up-failed",
    );
}

#[test]
fn a_host_without_an_address_was_given_none() {
    argues(
        |world| {
            world.says("network.dhcp-no-offer", CLIENTS[0], "192.0.2.1", 100);
        },
        "address-not-assigned",
    );
}

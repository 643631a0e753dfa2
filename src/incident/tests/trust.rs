//! Certificates, stores, clocks and policies: each cause beside its nearest rival.

use super::*;

const TAX: [&str; 3] = ["203.0.113.21:443", "203.0.113.22:443", "203.0.113.23:8443"];

#[test]
fn a_chain_that_ended_is_refused_by_all() {
    argues(
        |world| {
            for client in CLIENTS {
                let finding = world.fails("security.cert-expired", client, TAX[0], 10);
                detail(finding, "which", Value::Text("Issuing CA".to_owned()));
                detail(finding, "position", Value::Number(1));
            }
        },
        "certificate-expired",
    );
}

#[test]
fn a_chain_that_leads_nowhere_is_the_servers_fault() {
    argues(
        |world| {
            for client in CLIENTS {
                world.fails("security.cert-chain-incomplete", client, TAX[0], 10);
            }
        },
        "certificate-chain-broken",
    );
}

#[test]
fn a_certificate_that_changed_while_clients_began_to_refuse_was_replaced() {
    argues(
        |world| {
            (0..5).for_each(|at| {
                world.well(CLIENTS[0], TAX[0], at);
            });
            world
                .says("security.cert-changed", CLIENTS[0], TAX[0], 99)
                .severity = Severity::Warning;
            for client in CLIENTS {
                world.fails("security.cert-rejected", client, TAX[0], 100);
            }
        },
        "certificate-replaced",
    );
}

#[test]
fn one_client_that_refuses_what_others_take_has_an_old_store() {
    let mut world = World::default();
    for server in TAX {
        world.fails("security.cert-rejected", CLIENTS[0], server, 10);
        OTHERS.iter().for_each(|client| {
            world.well(client, server, 11);
        });
    }
    let incident = only(&world);
    assert_eq!(
        incident.cause().unwrap().name,
        "client-trust-store-outdated"
    );
    assert_eq!(incident.scope.words(), "client 192.0.2.15");
    assert_eq!(incident.endpoints.len(), 3);
}

#[test]
fn one_client_that_calls_valid_certificates_expired_has_a_wrong_clock() {
    argues(
        |world| {
            for server in TAX {
                let finding = world.fails("security.cert-rejected", CLIENTS[0], server, 10);
                detail(finding, "client_clock", Value::Bool(true));
                detail(finding, "alert_code", Value::Number(45));
                world.well(OTHERS[0], server, 11);
            }
        },
        "client-clock-wrong",
    );
}

#[test]
fn one_foreign_root_for_unrelated_servers_is_an_inspecting_device() {
    argues(
        |world| {
            for server in TAX {
                for client in CLIENTS {
                    let finding = world.fails("security.cert-untrusted-root", client, server, 10);
                    detail(finding, "root", Value::Text("CN=Proxy CA".to_owned()));
                }
            }
        },
        "tls-interception",
    );
}

#[test]
fn a_client_too_old_for_the_server_is_a_matter_of_policy() {
    argues(
        |world| {
            world.fails("security.tls-version-mismatch", CLIENTS[0], TAX[0], 10);
            world.well(OTHERS[0], TAX[0], 11);
        },
        "tls-policy-mismatch",
    );
}

#[test]
fn national_tls_against_ordinary_tls_is_no_mere_policy() {
    argues(
        |world| {
            world.fails("security.tlcp-mismatch", CLIENTS[0], TAX[0], 10);
        },
        "gm-tls-required",
    );
}

#[test]
fn an_alert_is_the_servers_key_where_that_signed_wrongly_and_policy_elsewhere() {
    for (signature, cause) in [
        ("wrong", "server-key-wrong"),
        ("good", "tls-policy-mismatch"),
    ] {
        argues(
            |world| {
                let finding = world.fails("security.tls-alert", CLIENTS[0], TAX[0], 10);
                detail(
                    finding,
                    "server_signature",
                    Value::Text(signature.to_owned()),
                );
            },
            cause,
        );
    }
}

#[test]
fn a_certificate_that_the_client_owes_is_no_policy_of_versions() {
    argues(
        |world| {
            world.fails("security.client-cert-missing", CLIENTS[0], TAX[0], 10);
        },
        "client-certificate-refused",
    );
}

#[test]
fn plain_text_on_a_tls_port_is_a_wrong_setting() {
    argues(
        |world| {
            world.fails("security.tls-not-tls", CLIENTS[0], TAX[0], 10);
        },
        "wrong-port-or-scheme",
    );
}

#[test]
fn revocation_that_cannot_be_asked_is_blocked() {
    argues(
        |world| {
            world.fails("security.revocation-unreachable", CLIENTS[0], TAX[0], 10);
        },
        "revocation-blocked",
    );
}

/// A renewal at second 99 after some connections that went well; `issuer` is who issued the new one.
fn renewed(world: &mut World, issuer: &str) {
    for (at, client) in (0..).zip(CLIENTS) {
        world.well(client, TAX[0], at);
    }
    let change = world.says("security.cert-changed", CLIENTS[0], TAX[0], 99);
    change.severity = Severity::Warning;
    for (key, who) in [("former_issuer", "Issuing CA G1"), ("issuer", issuer)] {
        detail(change, key, Value::Text(who.to_owned()));
    }
}

/// The client is sent `sent` certificates, of which the last is issued by nobody whom it knows, and says so.
fn lacks(world: &mut World, client: &str, sent: i64, at: i64) {
    let finding = world.fails("security.cert-chain-incomplete", client, TAX[0], at);
    detail(finding, "certificates_sent", Value::Number(sent));
    detail(finding, "chain", Value::Text("c1".to_owned()));
    detail(finding, "alert_code", Value::Number(48));
}

#[test]
fn a_renewal_that_sends_the_old_intermediate_has_expired() {
    argues(
        |world| {
            renewed(world, "Issuing CA G1");
            for client in CLIENTS {
                let finding = world.fails("security.cert-expired", client, TAX[0], 100);
                detail(finding, "position", Value::Number(1));
            }
        },
        "certificate-expired",
    );
}

#[test]
fn refusals_that_are_encrypted_are_explained_by_what_one_client_shows_in_clear() {
    argues(
        |world| {
            renewed(world, "Issuing CA G0");
            let clear = world.fails("security.cert-expired", CLIENTS[0], TAX[0], 100);
            detail(clear, "chain", Value::Text("c1".to_owned()));
            for (at, client) in (101..).zip(CLIENTS.into_iter().skip(1)) {
                world.fails("security.cert-rejected-inferred", client, TAX[0], at);
                world.fails("security.cert-rejected-inferred", client, TAX[0], at + 9);
            }
        },
        "certificate-expired",
    );
}

#[test]
fn a_renewal_without_its_intermediate_is_a_broken_chain() {
    argues(
        |world| {
            renewed(world, "Issuing CA G1");
            CLIENTS
                .iter()
                .for_each(|client| lacks(world, client, 1, 100));
        },
        "certificate-chain-broken",
    );
}

#[test]
fn a_whole_chain_of_a_new_authority_that_nobody_knows_was_replaced() {
    argues(
        |world| {
            renewed(world, "Another Issuing CA");
            CLIENTS
                .iter()
                .for_each(|client| lacks(world, client, 2, 100));
        },
        "certificate-replaced",
    );
}

#[test]
fn a_new_authority_that_others_know_is_unknown_to_old_stores() {
    argues(
        |world| {
            renewed(world, "Another Issuing CA");
            lacks(world, CLIENTS[1], 2, 100);
            lacks(world, CLIENTS[2], 2, 110);
            for (at, client) in (101..).zip(OTHERS) {
                world.well(client, TAX[0], at);
            }
        },
        "client-trust-store-outdated",
    );
}

#[test]
fn what_all_clients_call_expired_has_expired_though_its_chain_is_encrypted() {
    argues(
        |world| {
            for (at, client) in (0..).zip(CLIENTS) {
                world.well(client, TAX[0], at);
                let finding = world.fails("security.cert-rejected", client, TAX[0], 100 + at);
                detail(finding, "alert_code", Value::Number(45));
            }
        },
        "certificate-expired",
    );
}

#[test]
fn what_one_client_alone_calls_expired_is_its_clock() {
    argues(
        |world| {
            for server in TAX {
                let finding = world.fails("security.cert-rejected", CLIENTS[0], server, 100);
                detail(finding, "alert_code", Value::Number(45));
                for client in OTHERS {
                    world.well(client, server, 101);
                }
            }
        },
        "client-clock-wrong",
    );
}

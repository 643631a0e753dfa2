//! The service, its gateways and its rules: each cause beside its nearest rival.

use super::*;

/// Twelve good answers before, three good and nine failing ones after.
fn struggling(world: &mut World, code: &str, slow: bool) {
    for at in 0..12 {
        world.well(CLIENTS[0], SERVER, 5 * at).latency_ms[2] = Some(20);
    }
    for at in 0..9 {
        world.fails(code, CLIENTS[at as usize % 4], SERVER, 100 + at);
        if at % 3 == 0 {
            let ms = if slow { 900 } else { 21 };
            world
                .well(CLIENTS[at as usize % 4], SERVER, 100 + at)
                .latency_ms[2] = Some(ms);
        }
    }
}

#[test]
fn errors_beside_slow_answers_are_overload() {
    argues(
        |world| struggling(world, "application.http-503", true),
        "server-overload",
    );
}

#[test]
fn errors_beside_quick_answers_are_the_services_own() {
    argues(
        |world| struggling(world, "application.http-server-error", false),
        "third-party-fault",
    );
}

#[test]
fn a_gateway_whose_back_end_is_gone_is_no_overload() {
    argues(
        |world| {
            CLIENTS.iter().for_each(|client| {
                world.fails("application.http-bad-gateway", client, SERVER, 10);
            });
        },
        "third-party-fault",
    );
}

#[test]
fn too_many_requests_are_a_limit_and_no_overload() {
    argues(
        |world| {
            let finding = world.fails("application.http-throttled", CLIENTS[0], SERVER, 10);
            detail(finding, "retry_after", Value::Text("60".to_owned()));
        },
        "rate-limited",
    );
}

#[test]
fn a_refused_connect_request_is_the_proxy() {
    argues(
        |world| {
            world.fails(
                "application.http-proxy-failed",
                CLIENTS[0],
                "192.0.2.3:3128",
                10,
            );
        },
        "proxy-fault",
    );
}

#[test]
fn credentials_that_are_refused_are_expired() {
    argues(
        |world| {
            let finding = world.says("application.http-unauthorized", CLIENTS[0], SERVER, 10);
            detail(finding, "credentials_sent", Value::Bool(true));
        },
        "auth-expired",
    );
}

#[test]
fn a_refusal_with_the_mark_of_a_filter_is_the_filter() {
    argues(
        |world| {
            let finding = world.fails("application.http-forbidden", CLIENTS[0], SERVER, 10);
            detail(finding, "waf", Value::Text("SafeLine".to_owned()));
        },
        "waf-block",
    );
}

#[test]
fn a_path_that_is_not_there_is_retired() {
    argues(
        |world| {
            world.says("application.http-not-found", CLIENTS[0], SERVER, 10);
        },
        "api-retired",
    );
}

#[test]
fn a_version_that_does_not_match_is_no_retired_path() {
    argues(
        |world| {
            world.says("application.api-version-mismatch", CLIENTS[0], SERVER, 10);
        },
        "interface-version-mismatch",
    );
}

#[test]
fn bodies_out_of_form_are_a_changed_format() {
    argues(
        |world| {
            world.says("data.xml-malformed", CLIENTS[0], SERVER, 10);
        },
        "data-format-changed",
    );
}

#[test]
fn the_same_thing_again_is_a_repeat() {
    argues(
        |world| {
            world.says("application.duplicate-request", CLIENTS[0], SERVER, 10);
        },
        "duplicate-submission",
    );
}

#[test]
fn a_return_code_is_a_matter_of_content() {
    argues(
        |world| {
            world.says("data.business-error", CLIENTS[0], SERVER, 10);
        },
        "business-rejected",
    );
}

#[test]
fn a_foreign_page_in_the_servers_name_is_a_hijack() {
    argues(
        |world| {
            world.fails("transport.data-injected", CLIENTS[0], SERVER, 10);
        },
        "http-hijack",
    );
}

#[test]
fn a_tunnel_that_does_not_answer_is_the_vpn() {
    argues(
        |world| {
            world.fails("security.vpn-no-answer", CLIENTS[0], "203.0.113.9:500", 10);
        },
        "vpn-down",
    );
}

#[test]
fn what_fails_inside_a_lost_tunnel_is_tied_to_it() {
    argues(
        |world| {
            world.says(
                "security.vpn-tunnel-lost",
                CLIENTS[0],
                "203.0.113.9:4500",
                100,
            );
            for (number, client) in (0..).zip(CLIENTS) {
                world.fails(
                    "transport.syn-unanswered",
                    client,
                    "10.2.0.1:8080",
                    102 + number,
                );
            }
        },
        "vpn-down",
    );
}

#[test]
fn what_fails_though_others_reach_it_is_not_the_tunnels_doing() {
    let mut world = World::default();
    world.says(
        "security.vpn-tunnel-lost",
        CLIENTS[0],
        "203.0.113.9:4500",
        100,
    );
    world
        .fails("transport.syn-unanswered", CLIENTS[1], SERVER, 101)
        .last = time(110);
    world.well(CLIENTS[2], SERVER, 105);
    let incidents = world.incidents();
    assert_eq!(incidents.len(), 2);
}

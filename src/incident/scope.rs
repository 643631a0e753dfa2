//! How far an incident reaches: one client, one site, one endpoint, one region, everything.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::incident::case::Case;
use crate::incident::cause::Owner;
use crate::incident::context::site;

/// Whom an incident hits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One client, where others came through or several endpoints fail it.
    Client(IpAddr),
    /// The clients of one /24 or /64, where other sites came through or several endpoints fail them.
    Site(IpAddr),
    /// One endpoint, or several ports of one host.
    Endpoint(String),
    /// Several endpoints of one region.
    Region(String),
    /// Several endpoints that have no more than time and cause in common.
    Everything,
}

/// The narrowest scope that holds all that failed.
/// Where the own network is at fault, its clients are what the endpoints have in common, not a region.
pub(super) fn of(case: &Case<'_>, owner: Option<Owner>) -> Scope {
    let sites: BTreeSet<IpAddr> = case.clients.iter().map(|client| site(*client)).collect();
    let others_well = !case.others_well.is_empty();
    let elsewhere_site_well = case
        .others_well
        .iter()
        .any(|client| !sites.contains(&site(*client)));
    let several = case.endpoints.len() > 1;
    let regions = case.regions();
    let first_client = case.clients.first().copied();
    let first_site = sites.first().copied();
    match (case.endpoints.first(), regions.as_slice()) {
        _ if case.clients.len() == 1 && (several || others_well) => {
            first_client.map_or(Scope::Everything, Scope::Client)
        }
        _ if sites.len() == 1 && elsewhere_site_well => {
            first_site.map_or(Scope::Everything, Scope::Site)
        }
        (Some(endpoint), _) if !several => Scope::Endpoint(endpoint.clone()),
        _ if case.hosts().len() == 1 && case.names.len() < 2 => {
            let host = || case.hosts().first().map(ToString::to_string);
            let name = case.names.first().map(|name| (*name).to_owned());
            name.or_else(host)
                .map_or(Scope::Everything, Scope::Endpoint)
        }
        (Some(_), [_]) if owner == Some(Owner::Site) && sites.len() == 1 && case.leaves_site() => {
            first_site.map_or(Scope::Everything, Scope::Site)
        }
        (Some(_), [region]) if case.all_of_region() => Scope::Region((*region).to_owned()),
        (None, _) if case.clients.len() > 1 && sites.len() == 1 => {
            first_site.map_or(Scope::Everything, Scope::Site)
        }
        (None, _) => first_client.map_or(Scope::Everything, Scope::Client),
        _ if sites.len() == 1 && case.leaves_site() => {
            first_site.map_or(Scope::Everything, Scope::Site)
        }
        _ => Scope::Everything,
    }
}

impl Scope {
    /// The words of JSON: `client 192.0.2.15`, `site 192.0.2.0/24`, `endpoint …`, `region …`, `everything`.
    pub fn words(&self) -> String {
        match self {
            Self::Client(ip) => format!("client {ip}"),
            Self::Site(ip) => format!("site {}", prefix(*ip)),
            Self::Endpoint(endpoint) => format!("endpoint {endpoint}"),
            Self::Region(region) => format!("region {region}"),
            Self::Everything => "everything".to_owned(),
        }
    }
}

/// `192.0.2.0/24`, `2001:db8:1::/64`.
pub fn prefix(site: IpAddr) -> String {
    format!("{site}/{}", if site.is_ipv4() { 24 } else { 64 })
}

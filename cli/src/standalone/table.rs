//! Where everything is served, as a table.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use comfy_table::{ContentArrangement, Table, presets};
use sidecar::{AppKey, Kind};
use sidecar_policy::config::{Backends, Config, EnvironmentSelection, Route};

use crate::standalone::listeners::Addresses;
use crate::terminal::Terminal;

/// A line for each listener: its kind, its app, its address, and what it serves.
pub(crate) fn render(
    configs: &BTreeMap<AppKey, Config>,
    addresses: &Addresses,
    admin: &[SocketAddr],
    terminal: Terminal,
) -> String {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for kind in [Kind::Outbound, Kind::Exposed, Kind::Inbound] {
        for ((key, _), address) in addresses.iter().filter(|((_, other), _)| *other == kind) {
            let serves = configs.get(key).map(|config| serves(config, kind)).unwrap_or_default();
            rows.push([kind.as_str().to_owned(), key.app.clone(), address.to_string(), serves]);
        }
    }
    for address in admin {
        rows.push(["admin".to_owned(), String::new(), address.to_string(), "/readyz  /metrics  /config".to_owned()]);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["LISTENER", "APP", "ADDRESS", "SERVES"]).add_rows(rows);
    let mut lines = table.lines().map(|line| format!(" {}", line.trim_end()));
    let header = lines.next().map(|header| terminal.styled("2", &header));
    header.into_iter().chain(lines).map(|line| line + "\n").collect()
}

fn serves(config: &Config, kind: Kind) -> String {
    match kind {
        Kind::Inbound => {
            let port = config.inbound.as_ref().map(|inbound| inbound.app_port).unwrap_or_default();
            format!("calls to 127.0.0.1:{port}")
        }
        Kind::Outbound | Kind::Exposed => {
            let routes = config.outbound.iter().flat_map(|outbound| &outbound.routes);
            let served = routes.filter(|route| route.exposed == (kind == Kind::Exposed)).map(describe);
            served.collect::<Vec<_>>().join("  ")
        }
    }
}

/// `/internal/{backend}`, as the path is written in a call.
fn describe(route: &Route) -> String {
    let backend = if matches!(route.backends, Backends::One(_)) { "" } else { "/{backend}" };
    let environment = match route.environment_selection {
        EnvironmentSelection::Current => "",
        EnvironmentSelection::FromPath => "/{env}",
    };
    let disabled = if route.enabled { "" } else { " (disabled)" };
    let path = format!("{}{backend}{environment}", route.path_prefix);
    format!("{}{disabled}", if path.is_empty() { "/" } else { &path })
}

//! Where does a call go?

use std::collections::HashMap;
use std::sync::Arc;

use crate::code::{Code, Refusal};
use crate::config::{Account, Backends, EnvironmentSelection, Outbound, Route};
use crate::path::first_segment;

/// The routes of one listener, indexed: a look-up costs as many hash probes as there are different depths of
/// prefixes, whatever their number.
#[derive(Debug, Default)]
pub struct RouteIndex {
    prefixes: HashMap<Box<str>, usize>,
    /// The depths (numbers of segments) that occur, deepest first.
    depths: Vec<usize>,
    tables: Vec<Table>,
    environment: Box<str>,
}

/// Where a call goes: the target, and what is left of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'p> {
    /// Index into the sorted keys of `Outbound::targets`.
    pub target: usize,
    /// The path below the backend (and environment) segment: empty or starting with `/`.
    pub rest: &'p str,
    /// The part of the caller's path that stands for the target: prefix, backend, environment.
    pub caller_prefix: &'p str,
}

/// Which names lead where on one route.
#[derive(Debug)]
enum Table {
    /// The only one, or why there is none.
    One(Result<Entry, Refusal>),
    ByName(Names),
    ByNameAndEnvironment(HashMap<Box<str>, HashMap<Box<str>, Entry>>),
}

/// Where each name leads; `None`: not in this environment.
type Names = Arc<HashMap<Box<str>, Option<Entry>>>;

#[derive(Clone, Copy, Debug)]
struct Entry {
    target: usize,
    granted: bool,
}

// === impl RouteIndex ===

impl RouteIndex {
    /// Indexes the routes for which `served` is true. Positions are those of `outbound.routes`.
    pub fn new(outbound: &Outbound, environment: &str, served: impl Fn(&Route) -> bool) -> Self {
        let mut index = Self { environment: environment.into(), ..Self::default() };
        let mut shared = Shared::default();
        for (position, route) in outbound.routes.iter().enumerate() {
            if !served(route) {
                index.tables.push(Table::One(Err(unknown_backend(""))));
            } else {
                index.tables.push(Table::new(outbound, environment, route, &mut shared));
                index.prefixes.entry(route.path_prefix.as_str().into()).or_insert(position);
                let depth = route.path_prefix.matches('/').count();
                if !index.depths.contains(&depth) {
                    index.depths.push(depth);
                }
            }
        }
        index.depths.sort_unstable_by(|a, b| b.cmp(a));
        index
    }

    /// Whether there is no route at all.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// The route with the longest prefix of whole segments, and the path below the prefix.
    pub fn find<'p>(&self, path: &'p str) -> Option<(usize, &'p str)> {
        self.depths.iter().find_map(|depth| {
            let end = end_of_segment(path, *depth)?;
            let (prefix, rest) = path.split_at_checked(end)?;
            self.prefixes.get(prefix).map(|route| (*route, rest))
        })
    }

    /// Where a call on a route goes. `below` is the path below the route's prefix, as `find` gave it.
    pub fn resolve<'p>(&self, route: usize, path: &'p str, below: &'p str) -> Result<Destination<'p>, Refusal> {
        let table = self.tables.get(route).ok_or_else(|| Refusal::new(Code::Internal, "the route has no table"))?;
        let (entry, rest) = match table {
            Table::One(entry) => (entry.clone()?, below),
            Table::ByName(names) => {
                let (name, rest) = first_segment(below);
                let entry = names.get(name).ok_or_else(|| unknown_backend(name))?;
                (entry.ok_or_else(|| invalid_environment(name, &self.environment))?, rest)
            }
            Table::ByNameAndEnvironment(names) => {
                let (name, rest) = first_segment(below);
                let environments = names.get(name).ok_or_else(|| unknown_backend(name))?;
                let (environment, rest) = first_segment(rest);
                (*environments.get(environment).ok_or_else(|| invalid_environment(name, environment))?, rest)
            }
        };
        if !entry.granted {
            return Err(Refusal::new(
                Code::BackendNotGranted,
                "the route's service account does not name this backend and environment in spec.apps and spec.environments",
            ));
        }
        let caller_prefix = path.get(..path.len().saturating_sub(rest.len())).unwrap_or_default();
        Ok(Destination { target: entry.target, rest, caller_prefix })
    }
}

// === impl Table ===

/// What tables of the same account share.
#[derive(Default)]
struct Shared {
    any: HashMap<String, Names>,
    positions: HashMap<String, usize>,
}

impl Table {
    fn new(outbound: &Outbound, environment: &str, route: &Route, shared: &mut Shared) -> Self {
        if shared.positions.is_empty() {
            shared.positions = outbound.targets.keys().enumerate().map(|(i, key)| (key.clone(), i)).collect();
        }
        let account = outbound.accounts.get(&route.account);
        let positions = &shared.positions;
        let entry =
            |key: &String| positions.get(key).map(|target| Entry { target: *target, granted: grants(account, key) });
        let current = |name: &str| outbound.names.get(name)?.get(environment).and_then(entry);
        match (&route.backends, route.environment_selection) {
            (Backends::One(name), _) => Self::One(current(name).ok_or_else(|| {
                let known = outbound.names.contains_key(name);
                if known { invalid_environment(name, environment) } else { unknown_backend(name) }
            })),
            (Backends::Named(names), EnvironmentSelection::Current) => {
                let known = names.iter().filter(|name| outbound.names.contains_key(*name));
                Self::ByName(Arc::new(known.map(|name| (name.as_str().into(), current(name))).collect()))
            }
            (Backends::Any, EnvironmentSelection::Current) => {
                let table =
                    || Arc::new(outbound.names.keys().map(|name| (name.as_str().into(), current(name))).collect());
                Self::ByName(Arc::clone(shared.any.entry(route.account.clone()).or_insert_with(table)))
            }
            (backends, EnvironmentSelection::FromPath) => Self::ByNameAndEnvironment(
                outbound
                    .names
                    .iter()
                    .filter(|(name, _)| backends.lists(name))
                    .map(|(name, keys)| {
                        let entries = keys.iter().filter_map(|(env, key)| Some((env.as_str().into(), entry(key)?)));
                        (name.as_str().into(), entries.collect())
                    })
                    .collect(),
            ),
        }
    }
}

// === impl Backends ===

impl Backends {
    fn lists(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Named(names) => names.contains(name),
            Self::Any => true,
        }
    }
}

fn grants(account: Option<&Account>, target: &str) -> bool {
    account.is_some_and(|account| account.targets.contains(target))
}

/// The end of the `depth`-th segment of a path that starts with `/`; 0 for depth 0.
fn end_of_segment(path: &str, depth: usize) -> Option<usize> {
    if depth == 0 {
        return Some(0);
    }
    let mut slashes = path.bytes().enumerate().filter(|(_, b)| *b == b'/').map(|(i, _)| i);
    slashes.nth(depth - 1)?;
    Some(slashes.next().unwrap_or(path.len()))
}

fn unknown_backend(name: &str) -> Refusal {
    Refusal::new(
        Code::UnknownBackend,
        format!(
            "no backend {name:?} on this route: see spec.backends of the ProxyRoute and the ids and aliases of ProxiedApps",
            name = clip(name)
        ),
    )
}

fn invalid_environment(name: &str, environment: &str) -> Refusal {
    Refusal::new(
        Code::InvalidEnvironment,
        format!("Invalid backend environment: {}, {}", clip(name), clip(environment)),
    )
}

/// What a caller sent, short enough for an answer.
fn clip(text: &str) -> &str {
    text.char_indices().nth(64).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Credential, Target, Timeouts};
    use std::collections::BTreeMap;

    fn outbound(routes: Vec<Route>) -> Outbound {
        let target = |app: &str, environment: &str| Target {
            app: app.to_owned(),
            environment: environment.to_owned(),
            url: format!("http://{app}.{environment}"),
            in_process: false,
            tls: None,
        };
        let keys = ["orders.local", "orders.prod", "stock.local"];
        let account = Account {
            subject: "system:crosscall:shop:fr-api".to_owned(),
            email: None,
            roles: [].into(),
            targets: ["orders.local".to_owned(), "orders.prod".to_owned()].into(),
            permissions: BTreeMap::new(),
            credential: Credential::Bearer { token: "t".into() },
            api_key: None,
        };
        let orders =
            BTreeMap::from([("local".to_owned(), keys[0].to_owned()), ("prod".to_owned(), keys[1].to_owned())]);
        Outbound {
            routes,
            accounts: [("fr-api".to_owned(), account)].into(),
            names: [
                ("orders".to_owned(), orders.clone()),
                ("orders_api".to_owned(), orders),
                ("stock".to_owned(), [("local".to_owned(), keys[2].to_owned())].into()),
                ("far".to_owned(), BTreeMap::new()),
            ]
            .into(),
            targets: keys
                .iter()
                .map(|key| {
                    let (app, environment) = key.split_once('.').unwrap();
                    ((*key).to_owned(), target(app, environment))
                })
                .collect(),
            environments: ["local".to_owned(), "prod".to_owned()].into(),
        }
    }

    fn route(prefix: &str, backends: Backends, selection: EnvironmentSelection) -> Route {
        Route {
            name: prefix.trim_matches('/').to_owned(),
            enabled: true,
            path_prefix: prefix.to_owned(),
            upstream_path_prefix: String::new(),
            backends,
            environment_selection: selection,
            exposed: false,
            account: "fr-api".to_owned(),
            authentication: None,
            allow_userless: true,
            cors: None,
            headers: crate::config::HeaderRules::default(),
            timeouts: Timeouts::default(),
        }
    }

    fn named(names: &[&str]) -> Backends {
        Backends::Named(names.iter().map(|n| (*n).to_owned()).collect())
    }

    fn go<'p>(index: &RouteIndex, path: &'p str) -> Result<(usize, &'p str, &'p str), Code> {
        let (route, below) = index.find(path).ok_or(Code::UnknownRoute)?;
        let there = index.resolve(route, path, below).map_err(|refusal| refusal.code)?;
        Ok((there.target, there.rest, there.caller_prefix))
    }

    #[test]
    fn the_environment_is_forced() {
        let outbound = outbound(vec![route(
            "/internal",
            named(&["orders", "orders_api", "stock", "far", "none"]),
            EnvironmentSelection::Current,
        )]);
        let index = RouteIndex::new(&outbound, "local", |_| true);
        assert_eq!(go(&index, "/internal/orders/x"), Ok((0, "/x", "/internal/orders")));
        assert_eq!(go(&index, "/internal/orders_api"), Ok((0, "", "/internal/orders_api")));
        assert_eq!(go(&index, "/internal/orders/prod/x"), Ok((0, "/prod/x", "/internal/orders")));
        assert_eq!(go(&index, "/internal/stock/x"), Err(Code::BackendNotGranted));
        assert_eq!(go(&index, "/internal/far/x"), Err(Code::InvalidEnvironment));
        assert_eq!(go(&index, "/internal/none/x"), Err(Code::UnknownBackend));
        assert_eq!(go(&index, "/internal/Orders/x"), Err(Code::UnknownBackend));
        assert_eq!(go(&index, "/internal"), Err(Code::UnknownBackend));
        assert_eq!(go(&index, "/internals/orders"), Err(Code::UnknownRoute));
    }

    #[test]
    fn the_path_may_name_the_environment() {
        let outbound = outbound(vec![route("/any", Backends::Any, EnvironmentSelection::FromPath)]);
        let index = RouteIndex::new(&outbound, "local", |_| true);
        assert_eq!(go(&index, "/any/orders/prod/x"), Ok((1, "/x", "/any/orders/prod")));
        for bad in ["/any/orders/staging/x", "/any/orders/Prod/x", "/any/orders//x", "/any/orders", "/any/stock/prod/"]
        {
            assert_eq!(go(&index, bad), Err(Code::InvalidEnvironment), "{bad}");
        }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let outbound = outbound(vec![
            route("", Backends::One("orders".to_owned()), EnvironmentSelection::Current),
            route("/a", named(&["orders"]), EnvironmentSelection::Current),
            route("/a/b", named(&["orders"]), EnvironmentSelection::Current),
        ]);
        let index = RouteIndex::new(&outbound, "local", |_| true);
        for (path, expected) in
            [("/", 0), ("/x", 0), ("/a", 1), ("/a/x", 1), ("/a/b", 2), ("/a/b/c/d", 2), ("/a/bc", 1), ("/ab", 0)]
        {
            assert_eq!(index.find(path).map(|(route, _)| route), Some(expected), "{path}");
        }
        assert_eq!(go(&index, "/x/y"), Ok((0, "/x/y", "")));
    }

    /// An app that is not here is something else than no app.
    #[test]
    fn one_backend_may_be_elsewhere() {
        let one =
            |prefix: &str, name: &str| route(prefix, Backends::One(name.to_owned()), EnvironmentSelection::Current);
        let outbound = outbound(vec![one("/stock", "stock"), one("/far", "far"), one("/none", "none")]);
        let index = RouteIndex::new(&outbound, "prod", |_| true);
        let refusal = |path: &str| {
            let (route, below) = index.find(path).unwrap();
            index.resolve(route, path, below).unwrap_err()
        };
        let stock = refusal("/stock/x");
        assert_eq!(stock.code, Code::InvalidEnvironment);
        assert_eq!(stock.detail, "Invalid backend environment: stock, prod");
        assert_eq!(refusal("/far/x").code, Code::InvalidEnvironment);
        assert_eq!(refusal("/none/x").code, Code::UnknownBackend);
    }

    #[test]
    fn routes_of_the_other_listener_are_not_served() {
        let outbound = outbound(vec![route("/a", Backends::Any, EnvironmentSelection::Current)]);
        assert!(RouteIndex::new(&outbound, "local", |route| route.exposed).is_empty());
    }

    #[test]
    fn what_a_caller_sent_is_cut_short() {
        let long = "é".repeat(1000);
        assert!(invalid_environment(&long, &long).detail.len() < 400);
    }
}

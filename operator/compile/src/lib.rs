//! From resources to one configuration per app: pure, total and byte-stable.
//!
//! ```text
//! Inventory + Settings --compile--> configs     one sidecar_policy::config::Config per app
//!                                   conditions  what became of each resource, good or bad
//!                                   needed_keys the accounts that must have a key pair
//! ```
//!
//! Whoever calls [`compile`] brings everything: the resources, the Secrets and ConfigMaps that they name, the key
//! pairs. The operator, the standalone mode, `lint` and `explain` call the same function, so they never disagree. One
//! bad resource costs its own part and nothing else: it gets a condition, and the rest compiles. The same inventory
//! gives the same bytes, in whatever order it was put together.
//!
//! This crate refuses to know a cluster, a file, the clock or the environment.

mod accounts;
mod apps;
mod authentication;
mod backends;
mod claims;
mod compile;
mod condition;
mod context;
mod credentials;
mod endpoints;
mod environments;
mod findings;
mod grants;
mod inbound;
mod inventory;
mod outbound;
mod providers;
mod reason;
mod refs;
mod report;
mod routes;
mod rules;
mod settings;
mod targets;

pub use compile::compile;
pub use condition::{AppKey, Compiled, Condition, ConditionType, Kind, NeededKey, ObjectRef};
pub use inventory::{AccountKeys, Inventory, Key, KeyPair, Namespace, PublicKey};
pub use reason::Reason;
pub use settings::Settings;

//! What every step looks at.

use crate::claims::Claims;
use crate::environments::Environments;
use crate::inventory::{Inventory, Key};
use crate::refs::Refs;
use crate::settings::Settings;

/// What every step looks at.
pub(crate) struct Context<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) settings: &'a Settings,
    pub(crate) environments: Environments<'a>,
    pub(crate) claims: Claims<'a>,
}

// === impl Context ===

impl<'a> Context<'a> {
    pub(crate) fn new(inventory: &'a Inventory, settings: &'a Settings) -> Self {
        let environments = Environments::new(inventory, settings);
        let claims = Claims::new(inventory, &environments);
        Self { inventory, settings, environments, claims }
    }

    /// The Secrets and ConfigMaps that a resource may name.
    pub(crate) fn refs<'r>(&self, resource: &'r Key) -> Refs<'r>
    where
        'a: 'r,
    {
        Refs::of(self.inventory, resource)
    }
}

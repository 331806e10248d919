//! The embedded shop with recorders in place of its apps.

use system_tests::call::{Call, Response};
use system_tests::crosscall::{Crosscall, Serve};
use system_tests::manifest::embedded_shop;
use system_tests::recorder::{Backend, Recorder};

/// The subject of the shop's one service account.
pub(crate) const ACCOUNT: &str = "system:crosscall:shop-local:fr-api";

/// Alice's password, whose hash stands in the example.
pub(crate) const PASSWORD: &str = "abcdef123456";

/// `examples/embedded/shop.yaml`, running.
pub(crate) struct Shop {
    pub(crate) crosscall: Crosscall,
    pub(crate) orders: Recorder,
    pub(crate) stock: Recorder,
}

// === impl Shop ===

impl Shop {
    /// Both apps answer 200.
    pub(crate) fn start() -> Self {
        Self::with(Recorder::start(), Recorder::start())
    }

    /// `orders` answers as told.
    pub(crate) fn answering(orders: impl Backend) -> Self {
        Self::with(Recorder::answering(orders), Recorder::start())
    }

    fn with(orders: Recorder, stock: Recorder) -> Self {
        let manifests = embedded_shop(orders.port(), stock.port());
        let crosscall = Serve::new(manifests).start();
        Self { crosscall, orders, stock }
    }

    /// A call of the app itself, on loopback.
    #[track_caller]
    pub(crate) fn internal(&self, call: &Call) -> Response {
        call.to(self.crosscall.outbound("fr-api"))
    }

    /// A call of somebody else, on the exposed listener.
    #[track_caller]
    pub(crate) fn exposed(&self, call: &Call) -> Response {
        call.to(self.crosscall.exposed("fr-api"))
    }

    /// A call that goes around the mechanism, straight to the pod of `orders`.
    #[track_caller]
    pub(crate) fn direct(&self, call: &Call) -> Response {
        call.to(self.crosscall.inbound("orders"))
    }
}

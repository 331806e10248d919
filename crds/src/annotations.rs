//! Every label, annotation and finalizer string, here and nowhere else.

/// Label of a namespace: the environment that it belongs to.
pub const ENVIRONMENT: &str = "crosscall.dev/env";
/// Label of a namespace: `"true"` lets its routes choose the environment from the path.
pub const ALLOW_CROSS_ENVIRONMENT: &str = "crosscall.dev/allow-cross-environment";
/// Annotation of a pod or namespace: `"true"` asks for the sidecar.
pub const INJECT: &str = "crosscall.dev/inject";
/// Annotation of a pod: the app's id.
pub const APP: &str = "crosscall.dev/app";
/// Annotation of a service account: rotate its key now.
pub const ROTATE: &str = "crosscall.dev/rotate";

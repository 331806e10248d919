//! Conditions that are false -> findings at their place.

use operator_compile::{Compiled, Condition, ConditionType, ObjectRef};

use crate::diagnostic::{self, Diagnostic, Severity};
use crate::load::{Loaded, Object};

/// A finding for each condition that is false. An account that is given less than it asks for works, so that is a
/// warning; everything else is an error.
pub(super) fn diagnostics(compiled: &Compiled, loaded: &Loaded) -> Vec<Diagnostic> {
    let found = compiled.problems().filter_map(|(object, condition)| Some((find(object, loaded)?, condition)));
    found.map(|(object, condition)| diagnostic(object, condition)).collect()
}

fn diagnostic(object: &Object, condition: &Condition) -> Diagnostic {
    let severity = match condition.type_ {
        ConditionType::PermissionsGranted => Severity::Warning,
        ConditionType::Accepted | ConditionType::ResolvedRefs => Severity::Error,
    };
    let field = condition.field.as_deref().unwrap_or_default();
    let mut found = Diagnostic::new(severity, condition.reason.code(), condition.message.clone());
    found = found.at(object, field, object.place(field)).help(condition.reason.hint());
    found.condition = Some(diagnostic::Condition {
        kind: condition.type_.name().to_owned(),
        status: "False".to_owned(),
        reason: condition.reason.name().to_owned(),
    });
    found
}

fn find<'a>(wanted: &ObjectRef, loaded: &'a Loaded) -> Option<&'a Object> {
    loaded.objects.iter().find(|object| {
        object.kind.name() == wanted.kind.name()
            && object.name == wanted.key.name
            && object.namespace == wanted.key.namespace
    })
}

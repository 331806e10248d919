//! What was found about one resource, until it becomes conditions.

use crate::condition::{Condition, ConditionType};
use crate::reason::Reason;

/// One mistake, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    pub(crate) field: Option<String>,
}

/// What was found about one resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    accepted: Verdict,
    resolved: Verdict,
    granted: Option<Verdict>,
}

#[derive(Clone, Debug, Default)]
struct Verdict {
    problems: Vec<Problem>,
    notes: Vec<String>,
}

/// How many problems one message tells: status has limits, and so have readers.
const MAX_SHOWN: usize = 8;

// === impl Problem ===

impl Problem {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: None }
    }

    /// The dotted path of the field at fault.
    pub(crate) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Something that this version cannot do.
    pub(crate) fn not_supported(what: &str, field: &str) -> Self {
        Self::new(Reason::NotSupported, format!("{field}: {what} is not supported by this version")).at(field)
    }
}

// === impl Findings ===

impl Findings {
    /// The resource takes no effect.
    pub(crate) fn refuse(&mut self, problem: Problem) {
        self.accepted.problems.push(problem);
    }

    /// Something that the resource names is not there or not usable.
    pub(crate) fn unresolved(&mut self, problem: Problem) {
        self.resolved.problems.push(problem);
    }

    /// Something that the account asks for is not given. The condition exists once this or `asked` was called.
    pub(crate) fn not_granted(&mut self, problem: Problem) {
        self.granted.get_or_insert_default().problems.push(problem);
    }

    /// The callees were asked.
    pub(crate) fn asked(&mut self) {
        self.granted.get_or_insert_default();
    }

    /// Said in the message of a condition that holds.
    pub(crate) fn note(&mut self, type_: ConditionType, note: impl Into<String>) {
        let verdict = match type_ {
            ConditionType::Accepted => &mut self.accepted,
            ConditionType::ResolvedRefs => &mut self.resolved,
            ConditionType::PermissionsGranted => self.granted.get_or_insert_default(),
        };
        verdict.notes.push(note.into());
    }

    /// Takes the value, or refuses the resource.
    pub(crate) fn check<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.refuse(problem)).ok()
    }

    /// Takes the value, or notes what is missing.
    pub(crate) fn resolve<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.unresolved(problem)).ok()
    }

    pub(crate) fn is_accepted(&self) -> bool {
        self.accepted.problems.is_empty()
    }

    /// Why it is of no use to others, if it is not.
    pub(crate) fn first_reason(&self) -> Option<Reason> {
        self.accepted.problems.first().or(self.resolved.problems.first()).map(|problem| problem.reason)
    }

    pub(crate) fn into_conditions(self) -> Vec<Condition> {
        let granted = self.granted.map(|verdict| {
            verdict.into_condition(ConditionType::PermissionsGranted, Reason::Granted, "what it asks for is given")
        });
        let accepted = self.accepted.into_condition(ConditionType::Accepted, Reason::Accepted, "it takes effect");
        let resolved =
            self.resolved.into_condition(ConditionType::ResolvedRefs, Reason::ResolvedRefs, "what it names is there");
        [Some(accepted), Some(resolved), granted].into_iter().flatten().collect()
    }
}

// === impl Verdict ===

impl Verdict {
    fn into_condition(self, type_: ConditionType, good: Reason, message: &str) -> Condition {
        let Some(first) = self.problems.first() else {
            let message = std::iter::once(message.to_owned()).chain(self.notes).collect::<Vec<_>>().join("; ");
            return Condition { type_, status: true, reason: good, message, field: None };
        };
        let shown = self.problems.iter().take(MAX_SHOWN).map(|problem| problem.message.clone());
        let more = self.problems.len().saturating_sub(MAX_SHOWN);
        let more = (more > 0).then(|| format!("and {more} more"));
        let message = shown.chain(more).collect::<Vec<_>>().join("; ");
        Condition { type_, status: false, reason: first.reason, message, field: first.field.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_problems_are_one_condition() {
        let mut findings = Findings::default();
        findings.refuse(Problem::new(Reason::NotSecured, "one").at("spec.authentication"));
        findings.refuse(Problem::new(Reason::InvalidCors, "two").at("spec.cors"));
        let conditions = findings.into_conditions();
        assert_eq!(conditions.len(), 2);
        assert_eq!(conditions[0].reason, Reason::NotSecured);
        assert_eq!(conditions[0].message, "one; two");
        assert_eq!(conditions[0].field.as_deref(), Some("spec.authentication"));
        assert!(!conditions[0].status && conditions[1].status);
    }

    /// Threat K9: a message does not grow with the resource.
    #[test]
    fn long_lists_of_problems_are_cut() {
        let mut findings = Findings::default();
        for index in 0..1000 {
            findings.unresolved(Problem::new(Reason::BackendNotFound, format!("problem {index}")));
        }
        let message = &findings.into_conditions()[1].message;
        assert!(message.starts_with("problem 0; ") && message.ends_with("; and 992 more"), "{message}");
    }

    #[test]
    fn grants_are_silent_until_asked() {
        let mut findings = Findings::default();
        assert_eq!(findings.clone().into_conditions().len(), 2);
        findings.asked();
        assert!(findings.into_conditions()[2].status);
    }
}

//! How the demo looks.

use crate::demo::calls::{Call, Done, user};
use crate::terminal::Terminal;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

/// The first line.
pub(crate) fn head(environments: &str, folder: &str, terminal: Terminal) -> String {
    let name = terminal.styled(BOLD, "crosscall demo");
    format!("{name}  environment {environments}, resources in {folder}\n\n")
}

/// What it shows and what came of it, how to make it again, what the app received.
pub(crate) fn call(call: &Call, done: &Done, terminal: Terminal) -> String {
    let mark = if done.wrong.is_empty() { terminal.styled(GREEN, "✓") } else { terminal.styled(RED, "✗") };
    let status = done.status.map_or_else(|| "---".to_owned(), |status| status.to_string());
    let mut lines =
        vec![format!(" {mark} {status} {}", call.title), format!("       {}", terminal.styled(BOLD, &call.curl()))];
    lines.extend(received(done).into_iter().map(|line| format!("       {}", terminal.styled(DIM, &line))));
    if !done.wrong.is_empty() {
        lines.push(format!("       {}", terminal.styled(RED, &format!("expected {}", done.wrong.join(", ")))));
    }
    lines.join("\n") + "\n"
}

fn received(done: &Done) -> Vec<String> {
    let Some(echo) = &done.echo else { return done.refusal.iter().cloned().collect() };
    let claim = |name: &str| {
        let list = echo.token.as_ref()?[name].as_array()?;
        Some(list.iter().filter_map(|one| one.as_str()).collect::<Vec<_>>().join(","))
    };
    let fields = [
        ("actor", echo.actor.clone()),
        ("authorities", echo.authorities.clone().or_else(|| claim("authorities"))),
        ("permissions", echo.permissions.clone().or_else(|| claim("permissions"))),
        ("request", echo.request_id.clone()),
    ];
    let known = fields.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    let fields: Vec<String> = known.map(|(name, value)| format!("{name} {value}")).collect();
    let user = user(echo).map(|user| format!(" from {user}")).unwrap_or_default();
    vec![format!("{} received {}{user}", echo.app, echo.path), fields.join("  ")]
}

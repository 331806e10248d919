//! Standard output and standard error, for people and for pipes.

use std::io::{self, IsTerminal, Write};

/// Standard output or error, as far as it changes what is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Colours may be used: it is a terminal, `NO_COLOR` is not set (<https://no-color.org>) and it is not dumb.
    pub(crate) colour: bool,
    /// In columns.
    pub(crate) width: usize,
}

/// The width of what is no terminal.
const WIDTH: usize = 120;

// === impl Terminal ===

impl Terminal {
    /// What standard output is.
    pub(crate) fn detect() -> Self {
        Self::of(io::stdout().is_terminal())
    }

    /// What standard error is.
    pub(crate) fn detect_errors() -> Self {
        Self::of(io::stderr().is_terminal())
    }

    fn of(is_terminal: bool) -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = is_terminal && !is_set("NO_COLOR") && !is_dumb;
        Self { colour, width: comfy_table::Table::new().width().map_or(WIDTH, usize::from) }
    }

    /// `text` in a style of ANSI (`1` bold, `2` dim, `32` green), where colours may be used.
    pub(crate) fn styled(self, style: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Writes to standard output. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes to standard error.
pub(crate) fn warn(text: &str) {
    // There is nobody left to tell that this failed.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// `error: …` with its causes, to standard error.
pub(crate) fn complain(error: &anyhow::Error) {
    warn(&format!("error: {error:#}\n"));
}

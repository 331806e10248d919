//! Prints `docs/reference/codes.md`: `just codes`.

#![allow(clippy::print_stdout, reason = "it prints a document")]

use sidecar_policy::code::Code;

fn main() {
    print!("{}", page());
}

/// The page, from the table of codes.
fn page() -> String {
    let mut page = String::from(
        "# Codes\n\n\
         Every call that the sidecar does not serve is answered with a problem document (RFC 9457, \
         `application/problem+json`) whose member `code` is one of these. The same code stands in the access log and in \
         the metric `crosscall_denials_total`.\n\n\
         | code | status | meaning |\n|---|---|---|\n",
    );
    for code in Code::ALL {
        page.push_str(&format!("| `{}` | {} | {} |\n", code.as_str(), code.status().as_u16(), code.meaning()));
    }
    page
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_page_is_in_step() {
        assert_eq!(super::page(), include_str!("../../../docs/reference/codes.md"), "run `just codes`");
    }
}

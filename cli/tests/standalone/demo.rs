//! `crosscall demo`

use std::process::Command;

use crate::harness::{FREE_PORTS, Shop};

fn demo(shop: &Shop) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosscall"));
    command.args(["demo", "--once", "--dir"]).arg(shop.path()).args(FREE_PORTS);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

#[test]
fn every_call_comes_out_as_expected() {
    let (code, said) = demo(&Shop::new());
    assert_eq!(code, Some(0), "{said}");
    let marks: Vec<&str> = said.lines().filter(|line| line.contains(['✓', '✗'])).collect();
    let expected = [
        " ✓ 200 fr-api calls orders in its own name",
        " ✓ 200 fr-api calls stock in its own name",
        " ✓ 200 Alice calls orders through fr-api",
        " ✓ 200 nobody in particular calls orders through fr-api",
        " ✓ 501 the route legacy is disabled",
        " ✓ 401 a call to orders past the mechanism is refused",
    ];
    assert_eq!(marks, expected);
    assert_eq!(said.matches("curl ").count(), expected.len());
    assert!(!said.contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn calls_that_come_out_otherwise_fail() {
    let shop = Shop::new();
    let hash = "'$2b$10$n4AOSbZDS01yyVI/28lv6eOt6C8ASTJb0tXnjErKvNMOjbiMKXuX6'";
    // The password of another: Alice's is refused.
    let other = "'$2b$04$YTBmbV4g0gXSvGS9YWAeSOpAv8wMPcJoiJFr2sGfzOrxCnvpTjBuK'";
    let text = shop.example();
    assert!(text.contains(hash), "the example has another hash now");
    shop.write("shop.yaml", &text.replace(hash, other));
    let (code, said) = demo(&shop);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(" ✗ 401 Alice calls orders through fr-api"), "{said}");
    assert!(said.contains("expected status 200"), "{said}");
}

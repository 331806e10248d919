//! `crosscall serve`

use std::process::Command;

use crosscall_example::Echo;

use crate::harness::{FREE_PORTS, Shop, get, get_until};

fn echo(answer: &crosscall_example::Answer) -> Echo {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[tokio::test]
async fn calls_go_through_both_sidecars() {
    let shop = Shop::new();
    let _apps = shop.apps();
    let mut process = shop.serve(&[]);
    let outbound = process.address("outbound");
    assert_eq!(get(process.address("admin"), "/readyz").await.status, 200);
    let echo = echo(&get(outbound, "/internal/orders_api/a?b=c").await);
    assert_eq!(
        (echo.app.as_str(), echo.path.as_str(), echo.query.as_deref()),
        ("orders", "/api/internal/a", Some("b=c"))
    );
    assert_eq!(echo.user.as_deref(), Some("system:crosscall:shop-local:fr-api"));
    assert_eq!(echo.permissions.as_deref(), Some("use_proxied_only_endpoints"));
    assert_eq!(get(process.address("inbound"), "/api/internal/a").await.status, 401);
}

#[tokio::test]
async fn signals_end_it_cleanly() {
    for signal in ["TERM", "INT"] {
        let shop = Shop::new();
        let mut process = shop.serve(&[]);
        process.address("outbound");
        process.signal(signal);
        assert_eq!(process.wait().code(), Some(0), "{signal}");
    }
}

/// Threat J5: a crash writes no secret to a disk.
#[tokio::test]
async fn no_core_is_ever_dumped() {
    let shop = Shop::new();
    let mut process = shop.serve(&[]);
    process.address("outbound");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}

#[tokio::test]
async fn changed_files_take_effect() {
    let shop = Shop::new();
    let _apps = shop.apps();
    let mut process = shop.serve(&[]);
    let outbound = process.address("outbound");
    assert_eq!(get(outbound, "/legacy/orders/a").await.status, 501);
    shop.write("shop.yaml", &shop.example().replace("pathPrefix: /internal ", "pathPrefix: /inner "));
    let answer = get_until(outbound, "/inner/orders/a", 200).await;
    assert_eq!(echo(&answer).path, "/api/internal/a");
}

#[tokio::test]
async fn files_with_errors_are_not_taken() {
    let shop = Shop::new();
    let _apps = shop.apps();
    let mut process = shop.serve(&[]);
    let (outbound, admin) = (process.address("outbound"), process.address("admin"));
    shop.write("more.yaml", "apiVersion: crosscall.dev/v1alpha1\nkind: ProxyRoute\nmetadata: {name: x}\nspec: [\n");
    let line = process.line_with("refused");
    assert!(line.contains("WARN") && line.contains("more.yaml:"), "{line}");
    assert_eq!(get(outbound, "/internal/orders/a").await.status, 200);
    let metrics = String::from_utf8(get(admin, "/metrics").await.body.to_vec()).unwrap();
    assert!(
        metrics.lines().any(|line| line.contains("reloads") && line.contains("refused") && line.ends_with(" 1")),
        "{metrics}"
    );
    // Mended, it is taken, with the app that it adds.
    shop.write("more.yaml", MORE);
    process.line_with("the changed files are served");
    assert_eq!(get_until(outbound, "/more/a", 502).await.status, 502);
}

/// Another app behind its sidecar, whose own port nobody listens on, and the way to it.
const MORE: &str = "\
apiVersion: crosscall.dev/v1alpha1
kind: ProxiedApp
metadata: {name: returns, namespace: shop-local}
spec:
  appPort: 1
  endpoints: [{paths: ['/{*path}'], proxiedOnly: true}]
---
apiVersion: crosscall.dev/v1alpha1
kind: ProxyServiceAccount
metadata: {name: more, namespace: shop-local}
spec:
  proxyApp: fr-api
  environments: [local]
  apps: [returns]
  credential: {type: SignedToken, signedToken: {algorithm: EdDSA}}
---
apiVersion: crosscall.dev/v1alpha1
kind: ProxyRoute
metadata: {name: more, namespace: shop-local}
spec: {proxyApp: fr-api, serviceAccountRef: {name: more}, pathPrefix: /more, backend: returns, allowUserless: true}
";

#[tokio::test]
async fn short_lived_keys_rotate_without_failures() {
    let shop = Shop::new();
    let _apps = shop.apps();
    let text = shop.example().replace("algorithm: RS512", "algorithm: ES256\n      rotateEvery: 1s");
    shop.write("shop.yaml", &text);
    let mut process = shop.serve(&[]);
    let (outbound, admin) = (process.address("outbound"), process.address("admin"));
    let mut kids = std::collections::BTreeSet::new();
    let rotate = async {
        while kids.len() < 3 {
            let answer = get(outbound, "/internal/orders/a").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let config = String::from_utf8(get(admin, "/config").await.body.to_vec()).unwrap();
            let kid = config.split("\"kid\"").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap().to_owned();
            kids.insert(kid);
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, rotate).await.expect("three keys within a minute");
}

#[test]
fn flags_that_name_no_app_are_usage_errors() {
    let shop = Shop::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosscall"));
    command.arg("serve").arg("-f").arg(shop.path()).args(["--listen", "fr_api=127.0.0.1:0"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, "error: --listen names `fr_api`: did you mean fr-api?\n");
}

#[test]
fn files_with_errors_are_shown_at_start() {
    let shop = Shop::new();
    shop.write("shop.yaml", &shop.example().replace("upstreamPathPrefix", "upstreamPrefix"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosscall"));
    let output = command.arg("serve").arg("-f").arg(shop.path()).args(FREE_PORTS).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("shop.yaml:35:3") && said.contains("did you mean upstreamPathPrefix?"), "{said}");
}

#[test]
fn taken_ports_are_named() {
    let shop = Shop::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("fr-api={}", taken.local_addr().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosscall"));
    command.arg("serve").arg("-f").arg(shop.path()).args(FREE_PORTS).args(["--listen", &listen]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&taken.local_addr().unwrap().to_string()) && said.contains("in use"), "{said}");
}

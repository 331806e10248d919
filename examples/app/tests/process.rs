//! The app over the wire.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::process::Command;

use crosscall_example::{Echo, call, spawn};
use http::HeaderMap;

fn anywhere() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

#[tokio::test]
async fn calls_are_echoed() {
    let app = spawn("orders", anywhere()).unwrap();
    let url = format!("http://{}/api/x?q=1", app.address()).parse().unwrap();
    let headers: HeaderMap = [("x-crosscall-subject".parse().unwrap(), "Alice".parse().unwrap())].into_iter().collect();
    let answer = call(&url, headers).await.unwrap();
    let echo: Echo = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((echo.app.as_str(), echo.path.as_str(), echo.user.as_deref()), ("orders", "/api/x", Some("Alice")));
}

#[tokio::test]
async fn health_and_report_are_answered() {
    let app = spawn("orders", anywhere()).unwrap();
    let get = async |path: &str| {
        let url = format!("http://{}{path}", app.address()).parse().unwrap();
        String::from_utf8(call(&url, HeaderMap::new()).await.unwrap().body.to_vec()).unwrap()
    };
    assert_eq!(get("/healthz").await, "ok\n");
    let report: serde_json::Value = serde_json::from_str(&get("/api/internal/report").await).unwrap();
    assert_eq!(report, serde_json::json!({"app": "orders", "requests": 1}));
}

#[tokio::test]
async fn one_call_ends_with_its_status() {
    let app = spawn("orders", anywhere()).unwrap();
    let run = |path: &str, proxy: &str| {
        Command::new(env!("CARGO_BIN_EXE_crosscall-example"))
            .args(["--call", path])
            .env("CROSSCALL_URL", proxy)
            .output()
            .unwrap()
    };
    let proxy = format!("http://{}", app.address());
    let output = run("/internal/orders/report", &proxy);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("200 OK"));
    drop(app);
    let output = run("/internal/orders/report", &proxy);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed to connect"));
}

//! Chromium on a page of another origin.

use std::process::{Child, Stdio};

use serde_json::{Value, json};
use system_tests::answer::Answer;
use system_tests::component::{Tree, or_skip, tree};
use system_tests::crosscall::{Crosscall, Serve};
use system_tests::manifest::{Manifest, file};
use system_tests::recorder::{Recorded, Recorder};
use system_tests::wait::{LIMIT, wait_for};
use tempfile::TempDir;

const PACKAGE: &str = "chromium-headless-shell";

/// Nothing but this machine is reached, whatever the browser would like to ask its makers.
const ARGUMENTS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
];

/// A browser that has a page open.
struct Browser {
    child: Child,
    _profile: TempDir,
}

// === impl Browser ===

impl Browser {
    fn open(tree: &Tree, url: &str) -> Self {
        let profile = TempDir::new().unwrap();
        let mut command = tree.command("usr/lib/chromium/chromium-headless-shell");
        command
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("--remote-debugging-port=0")
            .arg(url);
        command.env("HOME", profile.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap(), _profile: profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A site whose page runs a script and posts what came of it to `/result`.
fn site(script: &str) -> Recorder {
    let page = format!(
        "<!doctype html><title>page</title><script>
        const attempt = async () => {{ {script} }};
        attempt().catch(error => ({{error: error.name}})).then(result =>
            fetch('/result', {{method: 'POST', body: JSON.stringify(result)}}));
        </script>"
    );
    Recorder::answering(move |request: &Recorded| match request.target.as_str() {
        "/page" => Answer::html(&page),
        _ => Answer::status(204),
    })
}

/// Opens the page and waits for what its script posts.
fn result(tree: &Tree, site: &Recorder) -> Value {
    let _browser = Browser::open(tree, &format!("http://{}/page", site.address()));
    let posted = wait_for("the page's script", LIMIT, || site.seen().into_iter().find(|seen| seen.target == "/result"));
    serde_json::from_slice(&posted.body).unwrap()
}

/// The shop's exposed route with one user; `cors` as given.
fn shop(orders: &Recorder, cors: Value) -> Crosscall {
    let people = json!({"providers": [{"name": "people"}], "anonymous": "Allow"});
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["orders"]),
        Manifest::exposed("shop-local", "fr-api", "proxy", &["orders"], people).with("/cors", cors),
        Manifest::direct_app("shop-local", "orders", orders.port()),
        Manifest::people("shop-local", "people", &["Alice"]),
        Manifest::secret("shop-local", "people", &[("Alice", &bcrypt::hash("abcdef123456", 4).unwrap())]),
    ]);
    Serve::new(manifests).start()
}

/// Calls the exposed route with a method and a header that need a preflight, with credentials.
fn script(crosscall: &Crosscall) -> String {
    format!(
        "const answer = await fetch('http://{}/proxy/orders/basket', {{
             method: 'PUT', credentials: 'include', body: 'pears',
             headers: {{'Authorization': 'Basic ' + btoa('Alice:abcdef123456'), 'X-Shop': 'pears'}}
         }});
         return {{status: answer.status, text: await answer.text(), id: answer.headers.get('x-request-id')}};",
        crosscall.exposed("fr-api")
    )
}

#[test]
fn page_of_another_origin_reads_the_answer() {
    let Some(tree) = or_skip(tree(&[PACKAGE])) else { return };
    let orders = Recorder::answering(|_: &Recorded| Answer::ok("basket of pears"));
    let crosscall = shop(&orders, json!({"exposeHeaders": ["x-request-id"]}));
    let site = site(&script(&crosscall));
    let seen = result(&tree, &site);
    assert_eq!((&seen["status"], &seen["text"]), (&json!(200), &json!("basket of pears")), "{seen}");
    let arrived = orders.next();
    assert_eq!(
        (arrived.method.as_str(), arrived.header("x-shop"), arrived.body.as_slice()),
        ("PUT", "pears", b"pears".as_slice())
    );
    assert_eq!(seen["id"], arrived.header("x-request-id"));
    // The preflight was a request of its own, and the sidecar answered it.
    orders.assert_untouched();
}

/// Threat H6: a page of an origin that is not listed reads nothing.
#[test]
fn page_of_a_foreign_origin_is_blocked() {
    let Some(tree) = or_skip(tree(&[PACKAGE])) else { return };
    let orders = Recorder::start();
    let crosscall = shop(&orders, json!({"allowOrigins": ["https://shop.example"]}));
    let site = site(&script(&crosscall));
    assert_eq!(result(&tree, &site), json!({"error": "TypeError"}));
    orders.assert_untouched();
}

/// Threat H6: nor does it read the answer to a call that needs no preflight.
#[test]
fn simple_foreign_call_reads_nothing() {
    let Some(tree) = or_skip(tree(&[PACKAGE])) else { return };
    let orders = Recorder::start();
    let crosscall = shop(&orders, json!({"allowOrigins": ["https://shop.example"]}));
    let address = crosscall.exposed("fr-api");
    let site = site(&format!("return {{text: await (await fetch('http://{address}/proxy/orders/x')).text()}};"));
    assert_eq!(result(&tree, &site), json!({"error": "TypeError"}));
}

#[test]
fn page_reads_why_it_was_refused() {
    let Some(tree) = or_skip(tree(&[PACKAGE])) else { return };
    let orders = Recorder::start();
    let crosscall = shop(&orders, json!({}));
    let script = script(&crosscall).replace("Alice:abcdef123456", "Alice:wrong");
    let seen = result(&tree, &site(&script));
    assert_eq!(seen["status"], 401, "{seen}");
    assert!(seen["text"].as_str().unwrap().contains("invalid_credentials"), "{seen}");
    orders.assert_untouched();
}

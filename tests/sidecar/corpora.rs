//! Published requests and answers of HTTP/1, most of them broken, through the sidecar.

use std::net::Shutdown;

use serde_json::Value;
use system_tests::answer::Answer;
use system_tests::call::{Call, Connection};
use system_tests::crosscall::{Crosscall, Serve};
use system_tests::manifest::{Manifest, file};
use system_tests::recorder::{Backend, Recorded, Recorder};
use system_tests::vectors;
use system_tests::wire::from_latin1;

/// Verdicts of a parser that stops where another protocol would begin, or that reads on where a server closes.
const NO_FAULT: [&str; 2] = ["Pause on", "Data after"];

/// Everything goes to one app, whatever the path.
fn open_to(app: impl Backend) -> (Recorder, Crosscall) {
    let app = Recorder::answering(app);
    let route = Manifest::route("shop-local", "fr-api", "all", &[]).without("backends").with("/backend", "stock");
    let manifests = file(&[
        Manifest::namespace("shop-local", "local"),
        Manifest::account("shop-local", "fr-api", &["stock"]),
        route.with("/pathPrefix", "/"),
        Manifest::direct_app("shop-local", "stock", app.port()),
    ]);
    (app, Serve::new(manifests).start())
}

fn cases(kind: &str) -> Option<Vec<Value>> {
    let corpus = vectors::load("http/h1_llhttp_cases.json")?;
    let cases = corpus["cases"].as_array().unwrap().iter().filter(|case| case["type"] == kind);
    Some(cases.cloned().collect())
}

fn data(case: &Value) -> &str {
    case["data"].as_str().unwrap()
}

/// A line feed may end a line by itself (RFC 9112 section 2.2), and here it does: what goes out has whole line ends.
fn has_bare_line_feed(request: &str) -> bool {
    request.replace("\r\n", "").contains('\n')
}

/// Threat H4: a request that a strict parser refuses never reaches the app.
#[test]
fn published_faults_are_never_forwarded() {
    let Some(cases) = cases("request") else { return };
    let (app, crosscall) = open_to(|_: &Recorded| Answer::ok("x"));
    let is_fault =
        |case: &&Value| case["error"].as_str().is_some_and(|it| !NO_FAULT.iter().any(|no| it.starts_with(no)));
    let faults: Vec<&Value> = cases.iter().filter(is_fault).filter(|case| !has_bare_line_feed(data(case))).collect();
    assert!(faults.len() > 35, "{}", faults.len());
    let mut taken = Vec::new();
    for case in faults {
        let mut connection = Connection::open(crosscall.outbound("fr-api"));
        connection.send(&from_latin1(data(case)));
        // Nothing more will come, so an unfinished request has to end too.
        connection.wire().stream().shutdown(Shutdown::Write).unwrap();
        let answer = String::from_utf8_lossy(&connection.wire().rest().unwrap_or_default()).into_owned();
        let what = format!("{}: {} in {:?}", case["id"], case["error"], data(case));
        if answer.starts_with("HTTP/1.1 2") || !app.seen().is_empty() {
            taken.push(what);
        }
    }
    assert!(taken.is_empty(), "{} were forwarded: {taken:#?}", taken.len());
    assert_eq!(Call::get("/x").to(crosscall.outbound("fr-api")).status, 200);
}

/// Threat H4: one that a strict parser takes arrives as one canonical request.
#[test]
fn published_requests_arrive_as_one() {
    let Some(cases) = cases("request") else { return };
    let (app, crosscall) = open_to(|_: &Recorded| Answer::ok("x"));
    let mut arrived = 0;
    for case in cases.iter().filter(|case| case["error"].is_null() && case["messages_complete"] == 1) {
        let (line, rest) = data(case).trim_start().split_once("\r\n").unwrap();
        let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        // Those without a Host are complete but for that, and so are those that name another one.
        let named = rest.to_ascii_lowercase().contains("\nhost:") || rest.to_ascii_lowercase().starts_with("host:");
        let host = if named { "" } else { "Host: a\r\n" };
        let mut connection = Connection::open(crosscall.outbound("fr-api"));
        connection.send(&from_latin1(&format!("{line}\r\n{host}{rest}")));
        let what = format!("{}: {:?}", case["id"], data(case));
        let response = connection.try_response(method).unwrap_or_else(|error| panic!("{what}: {error}"));
        let seen = app.seen();
        assert!(seen.len() <= 1, "{what} became {} requests", seen.len());
        match seen.first() {
            Some(seen) => {
                assert_eq!(
                    (response.status, seen.target.as_str(), seen.method.as_str()),
                    (200, target, method),
                    "{what}"
                );
                arrived += 1;
            }
            None => assert!((400..500).contains(&response.status), "{what}: {}", response.status),
        }
    }
    assert!(arrived > 35, "only {arrived} arrived");
}

/// Threat H4: a line feed by itself ends a line for the sidecar, and so it does for the app.
#[test]
fn bare_line_feeds_are_made_whole() {
    let (app, crosscall) = open_to(|_: &Recorded| Answer::ok("x"));
    let mut connection = Connection::open(crosscall.outbound("fr-api"));
    connection.send(b"POST /first HTTP/1.1\r\nHost: a\r\nDummy: x\nContent-Length: 33\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(connection.response().status, 200 | 400));
    for seen in app.seen() {
        assert_eq!((seen.target.as_str(), seen.length, seen.header("content-length")), ("/first", 33, "33"));
    }
    let next = connection.call(&Call::get("/next"));
    assert!(next.is_err() || app.seen().iter().all(|seen| seen.target == "/next"), "a body became a request");
}

/// Threat R7: whatever an app answers, the next call gets its own answer.
#[test]
fn published_answers_are_never_mixed_up() {
    let Some(cases) = cases("response") else { return };
    let answers: Vec<Vec<u8>> = cases.iter().map(|case| from_latin1(data(case))).collect();
    let (_app, crosscall) = open_to(move |request: &Recorded| match request.target.rsplit_once('/') {
        Some(("/case", number)) => Answer::raw(answers[number.parse::<usize>().unwrap()].clone()),
        _ => Answer::ok(&request.target),
    });
    let address = crosscall.outbound("fr-api");
    let mut connection = Connection::open(address);
    for (number, case) in cases.iter().enumerate() {
        let what = format!("{}: {} {:?}", case["id"], case["error"], data(case));
        let _ = Call::get(&format!("/case/{number}")).try_to(address);
        for kept in [false, true] {
            let call = Call::get(&format!("/nonce/{number}/{kept}"));
            let response = if kept { connection.call(&call).unwrap() } else { call.to(address) };
            assert_eq!((response.status, response.text().as_str()), (200, call.target()), "after {what}");
        }
    }
}

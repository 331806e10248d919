//! Tests of what may be named and dialled.

use proptest::prelude::*;

use super::*;

const FAR: UrlPolicy = UrlPolicy { allow_loopback: false };
const NEAR: UrlPolicy = UrlPolicy { allow_loopback: true };

fn printed(url: &str) -> Result<String, UrlError> {
    check_base_url(url, &FAR).map(|base| base.to_string())
}

#[test]
fn takes_http_urls_with_paths() {
    for (url, expected) in [
        ("http://orders.shop-prod.svc:80", "http://orders.shop-prod.svc"),
        ("https://orders.example:8443/api/", "https://orders.example:8443/api"),
        ("HTTP://Orders.Example", "http://orders.example"),
        ("http://10.0.0.1:8080//", "http://10.0.0.1:8080"),
        ("https://[2001:db8::1]/a%2Fb", "https://[2001:db8::1]/a%2Fb"),
        ("http://orders.example./x", "http://orders.example./x"),
        ("http://a_b.svc:443", "http://a_b.svc:443"),
        ("http://bücher.example", "http://xn--bcher-kva.example"),
    ] {
        assert_eq!(printed(url).as_deref(), Ok(expected), "{url}");
    }
    let base = check_base_url("https://orders.example", &FAR).unwrap();
    assert_eq!((base.scheme, base.port, base.path.as_str()), (Scheme::Https, 443, ""));
}

/// Threat R4: only a plain base URL is one.
#[test]
fn refuses_urls_that_are_more_or_less() {
    for (urls, error) in [
        (
            &[
                "file:///etc/passwd",
                "ftp://a",
                "gopher://a",
                "//a",
                "a",
                "",
                "http:a",
                "http:/a",
                "http:///a",
                "unix:///x",
                "javascript://a",
            ][..],
            UrlError::NotHttp,
        ),
        (&["http://user@a", "http://user:pw@a/", "http://@a", "http://fr-api@evil"], UrlError::UserInfo),
        (&["http://a?b", "http://a/#", "http://a/b?c", "http://a#@b"], UrlError::QueryOrFragment),
        (
            &[
                "http://a b",
                "http://a\n",
                " http://a",
                "http://a\\b",
                "http://a\t/",
                "http://a:99999",
                "http://[::1",
                "http://[fe80::1%25eth0]/",
                "http://%00/",
                "http://a:x",
            ],
            UrlError::Malformed,
        ),
        (&["http://a:0"], UrlError::Port),
        (&["http://a!b", "http://*.example", "http://a..b", "http://.", "http://a(b"], UrlError::Host),
    ] {
        for url in urls {
            assert_eq!(printed(url), Err(error.clone()), "{url:?}");
        }
    }
    for url in ["http://a/../b", "http://a/b/%2e%2e/c", "http://a/.", "http://a/%5c", "http://a/%zz", "http://a/%00"] {
        assert!(matches!(printed(url), Err(UrlError::Path(_))), "{url:?}");
    }
}

/// Threat R4: metadata services, however their address is written.
#[test]
fn metadata_is_refused_in_every_spelling() {
    for url in [
        "http://169.254.169.254/latest",
        "http://169.254.170.2",
        "http://0xa9.254.169.254",
        "http://2852039166",
        "http://0251.0376.0251.0376",
        "http://[::ffff:169.254.169.254]",
        "http://[::ffff:a9fe:a9fe]",
        "http://[64:ff9b::169.254.169.254]",
        "http://[2002:a9fe:a9fe::1]",
        "http://[fe80::1]",
        "http://[fd00:ec2::254]",
        "http://metadata.google.internal",
        "http://METADATA.google.internal.",
        "http://metadata",
        "http://100.100.100.200",
        "http://168.63.129.16",
        "http://[::169.254.169.254]",
        "http://①⑥⑨.254.169.254",
    ] {
        for policy in [FAR, NEAR] {
            assert_eq!(check_base_url(url, &policy), Err(UrlError::Forbidden(Forbidden::Metadata)), "{url}");
        }
    }
}

/// Threat R4: this machine is reached only where that is meant.
#[test]
fn loopback_needs_to_be_allowed() {
    for url in [
        "http://127.0.0.1:4189",
        "http://127.1",
        "http://0x7f000001",
        "http://localhost",
        "http://LOCALHOST.",
        "http://app.localhost:80",
        "http://[::1]",
        "http://[::ffff:127.0.0.1]",
        "http://[64:ff9b::7f00:1]",
        "http://ip6-localhost",
    ] {
        assert_eq!(check_base_url(url, &FAR), Err(UrlError::Forbidden(Forbidden::Loopback)), "{url}");
        assert!(check_base_url(url, &NEAR).is_ok(), "{url}");
    }
}

#[test]
fn only_unicast_addresses_are_taken() {
    for url in [
        "http://0.0.0.0",
        "http://0",
        "http://0.1.2.3",
        "http://255.255.255.255",
        "http://224.0.0.1",
        "http://[::]",
        "http://[ff02::1]",
        "http://[::ffff:0.0.0.0]",
    ] {
        assert_eq!(check_base_url(url, &NEAR), Err(UrlError::Forbidden(Forbidden::NotUnicast)), "{url}");
    }
}

/// Threat R4: a name that comes to mean another address is judged again when it is dialled.
#[test]
fn resolved_addresses_are_judged_again() {
    let allowed = |ip: &str, policy| dial_allowed(ip.parse().unwrap(), &policy);
    for ip in ["10.0.0.1", "192.168.1.1", "8.8.8.8", "2001:db8::1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::808:808"] {
        assert!(allowed(ip, FAR), "{ip}");
    }
    for ip in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
    ] {
        assert!(!allowed(ip, FAR) && allowed(ip, NEAR), "{ip}");
    }
    for ip in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        assert!(!allowed(ip, FAR) && !allowed(ip, NEAR), "{ip}");
    }
}

proptest! {
    #[test]
    fn printed_urls_are_read_back(
        url in "https?://[a-zA-Z0-9.\\[\\]:_-]{1,20}(:[0-9]{1,5})?(/[a-z.%0-9A-F/]{0,12})?",
    ) {
        if let Ok(base) = check_base_url(&url, &NEAR) {
            prop_assert_eq!(check_base_url(&base.to_string(), &NEAR), Ok(base.clone()));
            prop_assert!(base.path.is_empty() || base.path.starts_with('/') && !base.path.ends_with('/'));
            prop_assert!(base.authority().parse::<http::uri::Authority>().is_ok());
        }
    }

    #[test]
    fn any_text_is_judged(url in ".*") {
        let _ = check_base_url(&url, &FAR);
        let with_user = check_base_url(&format!("http://{url}@a/"), &FAR);
        // A slash in it ends the authority before the `@`.
        prop_assert!(with_user.is_err() || url.contains('/'));
    }
}

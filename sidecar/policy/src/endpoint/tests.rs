use proptest::prelude::*;

use super::*;

fn endpoint(path: &str, methods: &[&str]) -> Endpoint {
    Endpoint {
        paths: vec![path.to_owned()],
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        public: false,
        proxied_only: false,
        permissions: [path.to_owned()].into(),
        authorities: [].into(),
        scopes: [].into(),
    }
}

fn found(index: &EndpointIndex, path: &str, method: Method) -> Option<String> {
    index.find(path, &method).ok().map(|rule| rule.paths[0].clone())
}

#[test]
fn the_most_specific_template_wins() {
    let index = EndpointIndex::new(&[
        endpoint("/api/{*path}", &[]),
        endpoint("/api/v1/apples/{name}", &["GET"]),
        endpoint("/api/v1/apples/pie", &[]),
    ])
    .unwrap();
    assert_eq!(found(&index, "/api/x/y", Method::GET).as_deref(), Some("/api/{*path}"));
    assert_eq!(found(&index, "/api/v1/apples/green", Method::GET).as_deref(), Some("/api/v1/apples/{name}"));
    assert_eq!(found(&index, "/api/v1/apples/pie", Method::PUT).as_deref(), Some("/api/v1/apples/pie"));
    assert_eq!(found(&index, "/api/v1/apples/green", Method::PUT), None);
    assert_eq!(found(&index, "/other", Method::GET), None);
    assert_eq!(found(&index, "/", Method::GET), None);
}

#[test]
fn a_catch_all_takes_the_empty_rest() {
    let index = EndpointIndex::new(&[endpoint("/api/{*path}", &[])]).unwrap();
    assert!(found(&index, "/api/", Method::GET).is_some());
    assert!(found(&index, "/api", Method::GET).is_none());
    assert!(found(&index, "/apis/", Method::GET).is_none());
}

#[test]
fn escapes_of_plain_letters_match() {
    let index = EndpointIndex::new(&[endpoint("/api/internal/x", &[])]).unwrap();
    assert!(found(&index, "/api/%69nternal/x", Method::GET).is_some());
    assert!(found(&index, "/api%2finternal/x", Method::GET).is_none());
    assert!(found(&index, "/api/internal;v=1/x", Method::GET).is_none());
}

#[test]
fn the_same_path_splits_by_method() {
    let index = EndpointIndex::new(&[endpoint("/a", &["GET"]), endpoint("/a", &["POST"])]).unwrap();
    assert!(found(&index, "/a", Method::POST).is_some());
    assert!(found(&index, "/a", Method::DELETE).is_none());
    let error = EndpointIndex::new(&[endpoint("/a", &["GET"]), endpoint("/a", &[])]).unwrap_err();
    assert_eq!((error.endpoint, error.path), (1, 0));
}

#[test]
fn malformed_templates_are_refused() {
    for bad in ["a", "/a?b", "/a#b", "/a/../b", "/%2e%2e/b", "/{", "/{*x}/y", "/a b", "/{a}{b}", "/\u{e9}"] {
        assert!(EndpointIndex::new(&[endpoint(bad, &[])]).is_err(), "{bad}");
    }
}

#[test]
fn any_permission_and_all_scopes() {
    let mut rule = endpoint("/a", &[]);
    rule.permissions = ["p".to_owned(), "q".to_owned()].into();
    rule.scopes = ["read".to_owned(), "write".to_owned()].into();
    let mut caller = Caller::person("alice", [].into()).unwrap();
    assert_eq!(rule.authorize(&caller).unwrap_err().code, Code::PermissionMissing);
    caller.permissions = ["q".to_owned()].into();
    caller.scopes = ["read".to_owned()].into();
    assert_eq!(rule.authorize(&caller).unwrap_err().code, Code::ScopeMissing);
    caller.scopes.insert("write".to_owned());
    assert_eq!(rule.authorize(&caller), Ok(()));
    rule.proxied_only = true;
    assert_eq!(rule.authorize(&caller).unwrap_err().code, Code::NotProxied);
    rule.proxied_only = false;
    rule.authorities = ["ROLE_X".to_owned()].into();
    assert_eq!(rule.authorize(&caller).unwrap_err().code, Code::AuthorityMissing);
}

/// A rule for each template; it asks for a permission of the template's name.
fn rules(templates: &[&str]) -> EndpointIndex {
    EndpointIndex::new(&templates.iter().map(|template| endpoint(template, &[])).collect::<Vec<_>>()).unwrap()
}

/// Threat R2: no spelling leads past a rule to a broader one.
#[test]
fn looser_readings_never_weaken_a_rule() {
    let index =
        rules(&["/api/{*path}", "/api/admin/{*path}", "/api/orders/purge", "/api/orders:purge", "/api/caf%C3%A9"]);
    for path in [
        "/api/admin%2Fx",
        "/api/admin%2fx",
        "/api/admin%252Fx",
        "/api//admin/x",
        "/api/%2Fadmin/x",
        "/api/admin;v=1/x",
        "/api/admin%3Bv=1/x",
        "/api/;/admin/x",
        "/api/;v%2Fy/admin%2Fx",
        "/api/orders/purge/",
        "/api/orders/purge//",
        "/api/orders/purge;x",
        "/api/orders/purge;x/",
        "/api/orders%2Fpurge",
        "/api/orders%2fpurge%3bx%2f",
        "/api/orders/purge%2F",
        "/api/orders%3Apurge",
        "/api/orders%253Apurge/",
        "/api/caf\u{e9}",
        "/api/caf%25C3%25A9",
    ] {
        assert_eq!(index.find(path, &Method::GET).unwrap_err(), NoRule::Ambiguous, "{path}");
    }
    for path in ["/api/", "/api/x/", "/api/x%2Fy", "/api//x", "/api/x;v=1", "/api/%20/%3A", "/api/\u{e9}"] {
        assert_eq!(found(&index, path, Method::GET).as_deref(), Some("/api/{*path}"), "{path}");
    }
    for path in ["/api/admin/", "/api/admin//x", "/api/admin/x%2Fy;z/", "/api/%61dmin/x"] {
        assert_eq!(found(&index, path, Method::GET).as_deref(), Some("/api/admin/{*path}"), "{path}");
    }
    assert_eq!(found(&index, "/api/caf%c3%a9", Method::GET).as_deref(), Some("/api/caf%C3%A9"));
    assert_eq!(found(&index, "/api/caf%e9", Method::GET).as_deref(), Some("/api/{*path}"));
}

/// Threat R2: what no rule allows is not allowed by another spelling of it.
#[test]
fn looser_readings_never_open_a_path() {
    let index = EndpointIndex::new(&[
        endpoint("/users/{id}", &[]),
        endpoint("/orders/{*path}", &[]),
        endpoint("/orders/purge", &["POST"]),
    ])
    .unwrap();
    assert_eq!(found(&index, "/users/alice%20b;v", Method::GET).as_deref(), Some("/users/{id}"));
    for path in ["/users/alice%2Fdelete", "/users/;v", "/orders/purge/", "/orders/;/purge"] {
        assert_eq!(index.find(path, &Method::GET).unwrap_err(), NoRule::Ambiguous, "{path}");
    }
    for path in ["/users%2Falice", "/other/", "/orders/purge", "/users/a/"] {
        assert_eq!(index.find(path, &Method::GET).unwrap_err(), NoRule::Unmatched, "{path}");
    }
}

/// `/a/` is the empty rest of `/a/{*rest}`, also where `/a` by itself meets a broader rule.
#[test]
fn the_empty_rest_keeps_its_rule() {
    let index = rules(&["/{*path}", "/admin/{*path}", "/users/{id}/{*path}", "/users/root", "/a%2Fb/{*path}"]);
    assert_eq!(found(&index, "/admin", Method::GET).as_deref(), Some("/{*path}"));
    assert_eq!(found(&index, "/admin/", Method::GET).as_deref(), Some("/admin/{*path}"));
    assert_eq!(found(&index, "/users/alice/", Method::GET).as_deref(), Some("/users/{id}/{*path}"));
    assert_eq!(found(&index, "/a%2Fb/", Method::GET).as_deref(), Some("/a%2Fb/{*path}"));
    assert_eq!(index.find("/users/root/", &Method::GET).unwrap_err(), NoRule::Ambiguous);
}

#[test]
fn readings_under_the_same_demands_agree() {
    let mut one = endpoint("/projects/{id}", &[]);
    one.paths.push("/projects/{group}/{id}".to_owned());
    let mut other = endpoint("/projects/{group}/{id}/{*rest}", &[]);
    other.permissions = one.permissions.clone();
    let index = EndpointIndex::new(&[one, other]).unwrap();
    for path in ["/projects/a%2Fb", "/projects/a", "/projects/a/b%2Fc"] {
        assert!(index.find(path, &Method::GET).is_ok(), "{path}");
    }
}

/// Threat R2: a public endpoint is not public for a path that could be another.
#[test]
fn public_rules_are_read_strictly_too() {
    let mut public = endpoint("/{*path}", &[]);
    public.public = true;
    public.permissions.clear();
    let index = EndpointIndex::new(&[public, endpoint("/admin/{*path}", &[])]).unwrap();
    assert!(index.find("/x;v=1/", &Method::GET).unwrap().public);
    let refusal = Refusal::from(index.find("/admin%2Fx", &Method::GET).unwrap_err());
    assert_eq!(refusal.code, Code::NoEndpoint);
    assert!(refusal.detail.contains("read in two ways"), "{refusal}");
}

#[test]
fn templates_may_be_read_in_two_ways() {
    let odd = ["/api/admin/", "/a%2Fb", "/a;b", "/c%20d/{x}/", "/e%3Af", "/{x}/g"];
    let index = rules(&["/api/{*path}", odd[0], odd[1], odd[2], odd[3], odd[4], odd[5]]);
    for (path, template) in
        [("/api/admin/", odd[0]), ("/a%2fb", odd[1]), ("/a;b", odd[2]), ("/c%20d/e/", odd[3]), ("/e%3Af", odd[4])]
    {
        assert_eq!(found(&index, path, Method::GET).as_deref(), Some(template), "{path}");
    }
    for path in ["/api/admin", "/api/admin;v", "/api/admin//"] {
        assert_eq!(index.find(path, &Method::GET).unwrap_err(), NoRule::Ambiguous, "{path}");
    }
    let index = rules(&["/a", "/a/", "/b/{x}", "/b/{y}/"]);
    assert_eq!(found(&index, "/a", Method::GET).as_deref(), Some("/a"));
    assert_eq!(found(&index, "/b/c", Method::GET).as_deref(), Some("/b/{x}"));
    assert_eq!(index.find("/a/", &Method::GET).unwrap_err(), NoRule::Ambiguous);
    let many = format!("/%{}41", "25".repeat(200));
    assert!(EndpointIndex::new(&[endpoint(&many, &[])]).unwrap_err().reason.contains("so many ways"));
}

#[test]
fn paths_with_many_readings_are_denied() {
    let index = rules(&["/{*path}"]);
    assert!(index.find("/a%252Fb;v//c/", &Method::GET).is_ok());
    let many = format!("/%{}41", "25".repeat(200));
    assert_eq!(index.find(&many, &Method::GET).unwrap_err(), NoRule::Ambiguous);
}

/// RFC 9110 section 9.3.2: `HEAD` is `GET` without the content.
#[test]
fn get_covers_head_unless_listed() {
    let index = EndpointIndex::new(&[endpoint("/a", &["GET"]), endpoint("/b", &["POST"])]).unwrap();
    assert!(found(&index, "/a", Method::HEAD).is_some());
    assert!(found(&index, "/b", Method::HEAD).is_none());
    let mut head = endpoint("/a", &["HEAD"]);
    head.scopes = ["read".to_owned()].into();
    let index = EndpointIndex::new(&[endpoint("/a", &["GET"]), head]).unwrap();
    assert!(index.find("/a", &Method::GET).unwrap().scopes.is_empty());
    assert!(!index.find("/a", &Method::HEAD).unwrap().scopes.is_empty());
}

/// The reader that loosens everything, written another way than the steps.
fn loosest(path: &str) -> String {
    let mut text = path.to_owned();
    loop {
        let once = [("%2F", "/"), ("%2f", "/"), ("%3B", ";"), ("%3b", ";"), ("%61", "a"), ("%25", "%")]
            .iter()
            .fold(text.clone(), |text, (from, to)| text.replace(from, to));
        if once == text {
            break;
        }
        text = once;
    }
    let names = text.split('/').filter_map(|segment| segment.split(';').next()).filter(|name| !name.is_empty());
    names.fold(String::new(), |path, name| format!("{path}/{name}"))
}

/// A path of known segments, loosened at random places.
fn loosened() -> impl Strategy<Value = String> {
    let segment = proptest::sample::select(vec!["api", "admin", "orders", "purge", "x", "%61dmin", "%61pi", ""]);
    let parameter = proptest::sample::select(vec!["", "", "", ";", ";v=1", "%3Bx", "%253bx", ";v%2Fapi"]);
    let slash = proptest::sample::select(vec!["/", "/", "/", "/", "//", "%2F", "%2f", "%252F", "/;/"]);
    let end = proptest::sample::select(vec!["", "", "/", "//", "%2F", ";x/"]);
    (proptest::collection::vec((slash, segment, parameter), 0..4), end).prop_map(|(parts, end)| {
        let parts: String =
            parts.iter().map(|(slash, segment, parameter)| format!("{slash}{segment}{parameter}")).collect();
        let path = format!("{parts}{end}");
        if path.starts_with('/') { path } else { format!("/{path}") }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    /// Threat R2: the rule met is the one that the loosest app meets, or the call is denied.
    #[test]
    fn the_loosest_app_meets_the_rule(path in loosened()) {
        for templates in [
            &["/api/{*path}", "/api/admin/{*path}", "/api/orders/purge"][..],
            &["/{*path}", "/api/{x}", "/api/admin/", "/api/orders/purge/"],
            &["/{a}", "/{a}/{b}", "/api/admin", "/api/{b}/x"],
        ] {
            let index = rules(templates);
            if let Ok(rule) = index.find(&path, &Method::GET) {
                let clean = loosest(&path);
                let met = [clean.clone(), format!("{clean}/")].map(|path| index.find(&path, &Method::GET).ok());
                prop_assert!(met.contains(&Some(rule)), "{} meets {:?}, {} meets {:?}", path, rule.paths, clean, met);
            }
        }
    }

    #[test]
    fn find_takes_any_text(path in ".*") {
        let index = rules(&["/{*path}", "/a%2Fb/"]);
        let _ = index.find(&path, &Method::GET);
    }
}

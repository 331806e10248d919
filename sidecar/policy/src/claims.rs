//! What a service account's token says (RFC 7519, with `act` of RFC 8693), and reading it back.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{config::Account, jwt::TokenError};

/// How far two clocks may be apart, in seconds.
pub const LEEWAY_SECONDS: u64 = 60;

/// The claims of a token that a service account signs. Times are whole seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceClaims {
    /// The installation.
    pub iss: String,
    /// The user, else the service account.
    pub sub: String,
    /// The app and environment that it is for, `{app}.{environment}`: exactly one.
    pub aud: BTreeSet<String>,
    /// When it was made.
    pub iat: u64,
    /// From when it holds.
    pub nbf: u64,
    /// Until when it holds.
    pub exp: u64,
    /// Its own id.
    pub jti: String,
    /// The user's authorities, else the service account's roles.
    pub authorities: BTreeSet<String>,
    /// What the service account may do at the callee.
    pub permissions: BTreeSet<String>,
    /// The environment that the call comes from.
    pub env: String,
    /// The service account, when the subject is a user (RFC 8693, section 4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// The service account's e-mail address, when it is the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// Who acts for the subject (RFC 8693, section 4.1). Actors before that one are not looked at, as the RFC says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// The service account's subject.
    pub sub: String,
}

/// A person on whose behalf a call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, as the identity provider gave it.
    pub name: String,
    /// The authorities, as the identity provider gave them.
    pub authorities: BTreeSet<String>,
}

/// What a token is made for.
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    /// The installation's issuer.
    pub issuer: &'a str,
    /// The service account that signs.
    pub account: &'a Account,
    /// The environment that it calls from.
    pub environment: &'a str,
    /// Which app, in which environment: a key of [`crate::config::Outbound::targets`].
    pub target: &'a str,
    /// The person on whose behalf, if any.
    pub user: Option<&'a User>,
    /// The life of the token, in seconds.
    pub lifetime_seconds: u64,
}

/// The claims for `request`, made at `now` (seconds since 1970) with the id `jti`.
pub fn service_claims(request: &TokenRequest<'_>, now: u64, jti: String) -> ServiceClaims {
    let TokenRequest { issuer, account, environment, target, user, lifetime_seconds } = *request;
    let (sub, authorities, act, email) = match user {
        Some(user) => {
            let actor = Actor { sub: account.subject.clone() };
            (user.name.clone(), user.authorities.clone(), Some(actor), None)
        }
        None => (account.subject.clone(), account.roles.clone(), None, account.email.clone()),
    };
    ServiceClaims {
        iss: issuer.to_owned(),
        sub,
        aud: BTreeSet::from([target.to_owned()]),
        iat: now,
        nbf: now,
        exp: now.saturating_add(lifetime_seconds),
        jti,
        authorities,
        permissions: account.permissions.get(target).cloned().unwrap_or_default(),
        env: environment.to_owned(),
        act,
        email,
    }
}

/// Whether `now` (seconds since 1970) is within the claims' times, give or take `leeway` seconds (RFC 7519, sections
/// 4.1.4 and 4.1.5: from `nbf` on, before `exp`). A token that was made in the future is not taken either.
pub fn check_times(claims: &ServiceClaims, now: u64, leeway: u64) -> Result<(), TokenError> {
    if now >= claims.exp.saturating_add(leeway) {
        return Err(TokenError::Expired);
    }
    if claims.nbf.max(claims.iat) > now.saturating_add(leeway) {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

// === impl ServiceClaims ===

impl ServiceClaims {
    /// Reads what [`service_claims`] makes. Total and strict: every claim but `authorities`, `permissions`, `act` and
    /// `email` is required, and times are whole numbers (no string, no fraction, no sign). Other claims are not looked at.
    pub fn read(claims: &Map<String, Value>) -> Result<Self, TokenError> {
        Ok(Self {
            iss: text(claims, "iss")?,
            sub: text(claims, "sub")?,
            aud: one_or_many(claims, "aud")?,
            iat: time(claims, "iat")?,
            nbf: time(claims, "nbf")?,
            exp: time(claims, "exp")?,
            jti: text(claims, "jti")?,
            authorities: set(claims, "authorities")?,
            permissions: set(claims, "permissions")?,
            env: text(claims, "env")?,
            act: actor(claims)?,
            email: claims.get("email").map(|email| owned_text(email, "email")).transpose()?,
        })
    }
}

fn required<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<&'a Value, TokenError> {
    claims.get(name).ok_or(TokenError::MissingClaim(name))
}

fn owned_text(value: &Value, name: &'static str) -> Result<String, TokenError> {
    match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(TokenError::InvalidClaim(name)),
    }
}

fn text(claims: &Map<String, Value>, name: &'static str) -> Result<String, TokenError> {
    owned_text(required(claims, name)?, name)
}

fn time(claims: &Map<String, Value>, name: &'static str) -> Result<u64, TokenError> {
    required(claims, name)?.as_u64().ok_or(TokenError::InvalidClaim(name))
}

fn texts(list: &[Value], name: &'static str) -> Result<BTreeSet<String>, TokenError> {
    list.iter().map(|item| owned_text(item, name)).collect()
}

fn set(claims: &Map<String, Value>, name: &'static str) -> Result<BTreeSet<String>, TokenError> {
    match claims.get(name) {
        None => Ok(BTreeSet::new()),
        Some(Value::Array(list)) => texts(list, name),
        Some(_) => Err(TokenError::InvalidClaim(name)),
    }
}

/// RFC 7519, section 4.1.3: a string, or a list of them.
fn one_or_many(claims: &Map<String, Value>, name: &'static str) -> Result<BTreeSet<String>, TokenError> {
    match required(claims, name)? {
        Value::Array(list) => texts(list, name),
        one => Ok(BTreeSet::from([owned_text(one, name)?])),
    }
}

fn actor(claims: &Map<String, Value>) -> Result<Option<Actor>, TokenError> {
    match claims.get("act") {
        None => Ok(None),
        Some(Value::Object(act)) => {
            let sub = act.get("sub").ok_or(TokenError::InvalidClaim("act"))?;
            Ok(Some(Actor { sub: owned_text(sub, "act")? }))
        }
        Some(_) => Err(TokenError::InvalidClaim("act")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::{config::Credential, secret::SecretString};

    fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
        names.map(str::to_owned).into()
    }

    fn account() -> Account {
        Account {
            subject: "system:crosscall:shop:fr-api".to_owned(),
            email: Some("fr-api@shop.example".to_owned()),
            roles: names(["caller"]),
            targets: names(["orders.demo"]),
            permissions: BTreeMap::from([("orders.demo".to_owned(), names(["read"]))]),
            credential: Credential::Bearer { token: SecretString::from("unused") },
            api_key: None,
        }
    }

    fn claims_for(user: Option<&User>, target: &str) -> ServiceClaims {
        let request = TokenRequest {
            issuer: "https://crosscall.local",
            account: &account(),
            environment: "demo",
            target,
            user,
            lifetime_seconds: 300,
        };
        service_claims(&request, 1_000, "id-1".to_owned())
    }

    fn read(value: &Value) -> Result<ServiceClaims, TokenError> {
        ServiceClaims::read(value.as_object().unwrap())
    }

    fn with(name: &str, value: Value) -> Result<ServiceClaims, TokenError> {
        let mut claims = serde_json::to_value(claims_for(None, "orders.demo")).unwrap();
        claims[name] = value;
        read(&claims)
    }

    #[test]
    fn account_alone_is_the_subject() {
        let claims = claims_for(None, "orders.demo");
        assert_eq!(
            serde_json::to_value(&claims).unwrap(),
            json!({
                "iss": "https://crosscall.local", "sub": "system:crosscall:shop:fr-api", "aud": ["orders.demo"],
                "iat": 1000, "nbf": 1000, "exp": 1300, "jti": "id-1", "authorities": ["caller"],
                "permissions": ["read"], "env": "demo", "email": "fr-api@shop.example",
            })
        );
        assert_eq!(read(&serde_json::to_value(&claims).unwrap()), Ok(claims));
    }

    #[test]
    fn account_acts_for_the_user() {
        let alice = User { name: "Alice".to_owned(), authorities: names(["ROLE_USER"]) };
        let claims = claims_for(Some(&alice), "orders.demo");
        assert_eq!(claims.sub, "Alice");
        assert_eq!(claims.act, Some(Actor { sub: "system:crosscall:shop:fr-api".to_owned() }));
        assert_eq!(claims.authorities, names(["ROLE_USER"]));
        assert_eq!(claims.permissions, names(["read"]));
        assert_eq!(claims.email, None);
        assert_eq!(read(&serde_json::to_value(&claims).unwrap()), Ok(claims));
    }

    #[test]
    fn another_target_gets_no_permission() {
        assert_eq!(claims_for(None, "stock.demo").permissions, BTreeSet::new());
    }

    #[test]
    fn lifetime_beyond_time_saturates() {
        let request = TokenRequest {
            issuer: "i",
            account: &account(),
            environment: "demo",
            target: "orders.demo",
            user: None,
            lifetime_seconds: u64::MAX,
        };
        assert_eq!(service_claims(&request, 1_000, String::new()).exp, u64::MAX);
    }

    #[test]
    fn audience_may_be_one_string() {
        assert_eq!(with("aud", json!("orders.demo")).unwrap().aud, names(["orders.demo"]));
        assert_eq!(with("aud", json!({})), Err(TokenError::InvalidClaim("aud")));
        assert_eq!(with("aud", json!([1])), Err(TokenError::InvalidClaim("aud")));
    }

    /// Threat J2: exp as string, fraction, negative, overflowing or missing.
    #[test]
    fn times_are_whole_seconds_or_refused() {
        for name in ["exp", "nbf", "iat"] {
            for value in [json!("1300"), json!(1300.5), json!(1300.0), json!(-1), json!(1e300), json!(null), json!([1])]
            {
                assert!(matches!(with(name, value.clone()), Err(TokenError::InvalidClaim(_))), "{name} {value}");
            }
            let mut claims = serde_json::to_value(claims_for(None, "orders.demo")).unwrap();
            claims.as_object_mut().unwrap().remove(name);
            assert!(matches!(read(&claims), Err(TokenError::MissingClaim(_))), "{name}");
        }
    }

    #[test]
    fn claims_of_another_type_are_refused() {
        for name in ["iss", "sub", "jti", "env", "email"] {
            assert!(matches!(with(name, json!(1)), Err(TokenError::InvalidClaim(it)) if it == name), "{name}");
            assert!(matches!(with(name, json!("")), Err(TokenError::InvalidClaim(it)) if it == name), "{name}");
        }
        for name in ["authorities", "permissions"] {
            assert!(matches!(with(name, json!("admin")), Err(TokenError::InvalidClaim(it)) if it == name), "{name}");
            assert!(
                matches!(with(name, json!([["admin"]])), Err(TokenError::InvalidClaim(it)) if it == name),
                "{name}"
            );
        }
        for act in [json!("a"), json!({}), json!({"sub": 1}), json!(null)] {
            assert_eq!(with("act", act), Err(TokenError::InvalidClaim("act")));
        }
    }

    /// Threat J2: clock skew.
    #[test]
    fn times_hold_up_to_the_leeway() {
        let claims = claims_for(None, "orders.demo");
        let at = |now| check_times(&claims, now, LEEWAY_SECONDS);
        assert_eq!(at(939), Err(TokenError::NotYetValid));
        assert_eq!(at(940), Ok(()));
        assert_eq!(at(1_359), Ok(()));
        assert_eq!(at(1_360), Err(TokenError::Expired));
        assert_eq!(at(0), Err(TokenError::NotYetValid));
        assert_eq!(at(u64::MAX), Err(TokenError::Expired));
    }

    /// Threat J2: iat far off.
    #[test]
    fn token_from_the_future_is_refused() {
        let claims = ServiceClaims { iat: 5_000, exp: u64::MAX, ..claims_for(None, "orders.demo") };
        assert_eq!(check_times(&claims, 1_000, LEEWAY_SECONDS), Err(TokenError::NotYetValid));
        assert_eq!(check_times(&claims, 4_940, LEEWAY_SECONDS), Ok(()));
    }
}

//! Where is an app?

use crds::{ProxiedAppSpec, ServiceRef};
use sidecar_policy::address::{BaseUrl, Scheme, UrlPolicy, check_base_url};
use sidecar_policy::config::{Target, Tls};

use crate::condition::ConditionType;
use crate::context::Context;
use crate::findings::{Findings, Problem};
use crate::inventory::Key;
use crate::reason::Reason;

/// Where an app is; `None` where nothing says so, or what says so is refused.
pub(crate) fn compile(
    context: &Context<'_>,
    key: &Key,
    spec: &ProxiedAppSpec,
    environment: &str,
    findings: &mut Findings,
) -> Option<Target> {
    let target = |url: String, in_process: bool, tls: Option<Tls>| Target {
        app: key.name.clone(),
        environment: environment.to_owned(),
        url,
        in_process,
        tls,
    };
    let (url, scheme) = match (&spec.url, &spec.service) {
        (Some(_), Some(_)) => return refuse(findings, "set only one of url and service", "spec.url"),
        (Some(url), None) => findings.check(url_of(context, key, url, spec.tls.is_some()))?,
        (None, Some(service)) => findings.check(url_of_service(key, service, spec.tls.is_some()))?,
        (None, None) if spec.tls.is_some() => return refuse(findings, "tls belongs to url or service", "spec.tls"),
        (None, None) if spec.app_port.is_none() => {
            return refuse(findings, "say where the app is: appPort, service or url", "spec");
        }
        (None, None) if context.settings.standalone => return Some(target(String::new(), true, None)),
        (None, None) => {
            findings.note(ConditionType::Accepted, "it has neither service nor url, so no sidecar can call it");
            return None;
        }
    };
    let tls = match scheme {
        Scheme::Http => None,
        Scheme::Https => Some(tls(context, key, spec, findings)?),
    };
    Some(target(url, false, tls))
}

fn refuse(findings: &mut Findings, message: &str, field: &str) -> Option<Target> {
    findings.refuse(Problem::new(Reason::InvalidUrl, message).at(field));
    None
}

fn url_of(context: &Context<'_>, key: &Key, url: &str, tls: bool) -> Result<(String, Scheme), Problem> {
    let policy = UrlPolicy { allow_loopback: context.settings.standalone };
    let problem = |message: String| Problem::new(Reason::InvalidUrl, message).at("spec.url");
    let base = check_base_url(url, &policy).map_err(|error| problem(describe(&error)))?;
    if let Some(namespace) = foreign_namespace(context, key, &base) {
        return Err(problem(format!(
            "the URL names a Service of namespace {namespace}: no reference crosses a namespace, so write the \
             ProxiedApp there"
        )));
    }
    if tls && base.scheme == Scheme::Http {
        return Err(problem("tls is set, but the URL is http://: write https://".to_owned()));
    }
    Ok((base.to_string(), base.scheme))
}

/// An error and its source, without the URL itself: it may hold a password.
fn describe(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The other namespace whose Service the cluster's DNS would find under this name: `{service}.{namespace}.svc…`, or
/// `{service}.{namespace}` where that namespace exists (threat K1).
fn foreign_namespace(context: &Context<'_>, key: &Key, base: &BaseUrl) -> Option<String> {
    let host = base.host.to_string();
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let namespace = match labels.as_slice() {
        [_, namespace] if context.inventory.namespaces.contains_key(*namespace) => *namespace,
        [_, namespace, "svc", ..] => *namespace,
        _ => return None,
    };
    (namespace != key.namespace).then(|| namespace.to_owned())
}

fn url_of_service(key: &Key, service: &ServiceRef, tls: bool) -> Result<(String, Scheme), Problem> {
    let (name, port) = (service.name.as_str(), service.port);
    if name.contains('.') {
        let message = format!("{name} cannot be the name of a Service: it has a dot");
        return Err(Problem::new(Reason::InvalidUrl, message).at("spec.service.name"));
    }
    if port == 0 {
        return Err(Problem::new(Reason::InvalidUrl, "the port of the Service is 0").at("spec.service.port"));
    }
    let scheme = if tls { Scheme::Https } else { Scheme::Http };
    Ok((format!("{}://{name}.{}.svc:{port}", scheme.as_str(), key.namespace), scheme))
}

fn tls(context: &Context<'_>, key: &Key, spec: &ProxiedAppSpec, findings: &mut Findings) -> Option<Tls> {
    let Some(tls) = &spec.tls else { return Some(Tls { verify: true, ..Tls::default() }) };
    if !tls.verify {
        findings.note(ConditionType::Accepted, "WARNING: tls.verify is false, any certificate is taken");
    }
    if !tls.verify && tls.ca_bundle.is_some() {
        let message = "tls.caBundle is of no use with tls.verify false";
        findings.refuse(Problem::new(Reason::InvalidCaBundle, message).at("spec.tls.caBundle"));
        return None;
    }
    if let Some(name) = &tls.server_name
        && rustls_pki_types::ServerName::try_from(name.as_str()).is_err()
    {
        let message = "tls.serverName is neither a host name nor an address";
        findings.refuse(Problem::new(Reason::InvalidUrl, message).at("spec.tls.serverName"));
        return None;
    }
    let bundle = tls.ca_bundle.as_ref().map(|bundle| context.refs(key).ca_bundle(bundle, "spec.tls.caBundle"));
    // Without its bundle the app is not reached at all: the system's roots are not what its owner trusts.
    let ca_bundle = findings.resolve(bundle.transpose())?;
    Some(Tls { verify: tls.verify, ca_bundle, server_name: tls.server_name.clone() })
}

//! Who takes part, and what each does.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use system_tests::call::Call;
use system_tests::component::Tree;
use system_tests::crosscall::{Crosscall, Serve, pinned};
use system_tests::manifest::{Manifest, file};
use system_tests::ports::free_address;
use system_tests::process;
use system_tests::token::Key;
use system_tests::wait::{LIMIT, wait_until};
use tempfile::TempDir;

use crate::backend::BODY;

/// The core that the proxy has to itself.
const PROXY_CORE: usize = 1;

/// What is done with each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// It is forwarded.
    Plain,
    /// A credential, a request id and forwarded headers are attached.
    Credential,
    /// A token is verified, the same one each time.
    Verify,
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Contestant {
    /// The client talks to the back-end.
    Direct,
    /// nginx, one worker.
    Nginx,
    /// crosscall, one worker, as a release.
    Crosscall,
}

/// A proxy that is ready.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// What is asked for.
    pub(crate) path: &'static str,
    /// The token to call with, if any.
    pub(crate) token: Option<String>,
    process: Process,
}

enum Process {
    None,
    Nginx { child: Child, _folder: TempDir },
    Crosscall(Crosscall),
}

// === impl Work ===

impl Work {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Credential, Self::Verify];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain forward",
            Self::Credential => "credential attached",
            Self::Verify => "token verified",
        }
    }
}

// === impl Contestant ===

impl Contestant {
    pub(crate) const ALL: [Self; 3] = [Self::Direct, Self::Nginx, Self::Crosscall];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Crosscall => "crosscall",
        }
    }

    /// nginx verifies no tokens.
    pub(crate) fn does(self, work: Work) -> bool {
        matches!((self, work), (Self::Crosscall, _) | (_, Work::Plain) | (Self::Nginx, Work::Credential))
    }

    /// Starts it, and proves that it does the work.
    pub(crate) fn start(self, work: Work, backend: SocketAddr, tools: &Tree) -> Running {
        let running = match self {
            Self::Direct => Running { address: backend, path: "/x", token: None, process: Process::None },
            Self::Nginx => nginx(work, backend, tools),
            Self::Crosscall => crosscall(work, backend.port()),
        };
        wait_until(self.name(), LIMIT, || {
            running.call(true).is_ok_and(|(status, length)| (status, length) == (200, BODY))
        });
        if work == Work::Verify {
            assert_eq!(running.call(false).unwrap().0, 401, "{} verifies nothing", self.name());
        }
        running
    }
}

fn nginx(work: Work, backend: SocketAddr, tools: &Tree) -> Running {
    let (folder, address) = (TempDir::new().unwrap(), free_address());
    let config = folder.path().join("nginx.conf");
    fs::write(&config, nginx_config(work, address, backend, folder.path())).unwrap();
    let mut command = pinned(PROXY_CORE, &tools.path("usr/sbin/nginx"));
    command
        .env("LD_LIBRARY_PATH", tools.libraries())
        .args(["-e", "stderr", "-c"])
        .arg(&config)
        .arg("-p")
        .arg(folder.path());
    let child = command.stdin(Stdio::null()).spawn().unwrap();
    let path = if work == Work::Credential { "/credential/x" } else { "/x" };
    Running { address, path, token: None, process: Process::Nginx { child, _folder: folder } }
}

fn nginx_config(work: Work, address: SocketAddr, backend: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    let headers = if work == Work::Credential {
        // As long as a token with the same claims.
        let token = Key::rsa().sign(&header("kid"), &claims("backend.local"));
        format!(
            "map $http_x_request_id $id {{ \"\" $request_id; default $http_x_request_id; }}
            proxy_set_header Authorization \"Bearer {token}\";
            proxy_set_header X-Request-ID $id;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;"
        )
    } else {
        String::new()
    };
    format!(
        "daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {folder}/pid; error_log stderr error;
        events {{ worker_connections 12000; }}
        http {{
            access_log off;
            client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
            uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
            keepalive_timeout 3600s; keepalive_requests 1000000000;
            proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
            {headers}
            upstream backend {{
                server {backend}; keepalive 50; keepalive_requests 1000000000; keepalive_timeout 3600s;
            }}
            server {{ listen {address} backlog=4096; location / {{ proxy_pass http://backend; }} }}
        }}"
    )
}

fn crosscall(work: Work, backend: u16) -> Running {
    let key = Key::rsa();
    let signed = json!({"algorithm": "RS512", "keySecretRef": {"name": "key"}});
    let endpoints = json!([
        {"paths": ["/x"], "access": "Public"},
        {"paths": ["/verified/{*path}"], "proxiedOnly": true, "permissions": ["use_proxied_only_endpoints"]},
    ]);
    let manifests = file(&[
        Manifest::namespace("bench", "local"),
        Manifest::secret("bench", "key", &[("tls.key", &key.private_pem())]),
        Manifest::account("bench", "caller", &["direct", "backend"]).with("/credential/signedToken", signed),
        Manifest::route("bench", "caller", "out", &["direct"]).with("/upstreamPathPrefix", "/credential"),
        Manifest::direct_app("bench", "direct", backend),
        Manifest::app("bench", "backend", backend).with("/endpoints", endpoints),
    ]);
    let serve = Serve::new(manifests).access_log("off").pinned(PROXY_CORE);
    let process = serve.start();
    let (outbound, inbound) = (process.outbound("caller"), process.inbound("backend"));
    let (address, path, token) = match work {
        Work::Plain => (inbound, "/x", None),
        Work::Credential => (outbound, "/out/direct/x", None),
        Work::Verify => {
            let jwks = process.admin("/.well-known/jwks.json").json();
            let kid = jwks["keys"][0]["kid"].as_str().unwrap();
            (inbound, "/verified/x", Some(key.sign(&header(kid), &claims("backend.local"))))
        }
    };
    Running { address, path, token, process: Process::Crosscall(process) }
}

fn header(kid: &str) -> String {
    json!({"alg": "RS512", "typ": "JWT", "kid": kid}).to_string()
}

/// Good for the whole run.
fn claims(audience: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": "https://crosscall.local", "sub": "system:crosscall:bench:caller", "aud": [audience], "iat": now, "nbf": now,
        "exp": now + 36_000, "jti": "0198c5f0-7a5e-7cc3-98c4-dc0c0c07398f", "authorities": [],
        "permissions": ["use_proxied_only_endpoints"], "env": "local",
    });
    claims.to_string()
}

// === impl Running ===

impl Running {
    /// Status and length of one answer.
    fn call(&self, authorized: bool) -> std::io::Result<(u16, usize)> {
        let call = Call::get(self.path);
        let call = match &self.token {
            Some(token) if authorized => call.bearer(token),
            _ => call,
        };
        call.try_to(self.address).map(|response| (response.status, response.body.len()))
    }

    fn pids(&self) -> Vec<u32> {
        match &self.process {
            Process::None => Vec::new(),
            Process::Nginx { child, .. } => process::family(child.id()),
            Process::Crosscall(crosscall) => process::family(crosscall.pid()),
        }
    }

    /// Processor time of every process of it so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.pids().into_iter().map(process::cpu).sum()
    }

    /// Resident memory of every process of it, in MiB.
    pub(crate) fn rss(&self) -> f64 {
        self.pids().into_iter().map(process::rss).sum::<u64>() as f64 / f64::from(1 << 20)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Process::Nginx { child, .. } = &mut self.process {
            // The master ends its worker.
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

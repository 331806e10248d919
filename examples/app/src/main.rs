//! The example app as a process.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use http::{HeaderMap, Uri};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A back-end for examples: answers with what it received
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where it listens
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Its name in answers
    #[arg(long, value_name = "NAME", env = "HOSTNAME", default_value = "example")]
    app: String,
    /// Make one call through the proxy in place of listening: 0 if the answer is 2xx
    #[arg(long, value_name = "PATH")]
    call: Option<String>,
    /// The proxy
    #[arg(long, value_name = "URL", env = "CROSSCALL_URL", default_value = "http://127.0.0.1:4180")]
    proxy: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match &arguments.call {
        Some(path) => call(&arguments.proxy, path).await,
        None => listen(arguments).await.map(|()| ExitCode::SUCCESS),
    }
}

async fn listen(arguments: Arguments) -> anyhow::Result<()> {
    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.with_context(|| format!("failed to listen on {}", arguments.listen))?;
    // Process 1 of a container is not ended by a signal that it does not handle.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    crosscall_example::serve(arguments.app, listener, async {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    })
    .await;
    Ok(())
}

async fn call(proxy: &str, path: &str) -> anyhow::Result<ExitCode> {
    let url = format!("{}{path}", proxy.trim_end_matches('/'));
    let uri: Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
    let answer =
        crosscall_example::call(&uri, HeaderMap::new()).await.with_context(|| format!("failed to call {url}"))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{url}: {}", answer.status)?;
    out.write_all(&answer.body)?;
    Ok(if answer.status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! The app behind the proxies: as thin as it can be, and always the same.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The length of every answer's body.
pub(crate) const BODY: usize = 1024;

/// Below this prefix a request must carry a credential: a proxy that forgets it is found out.
const CREDENTIAL: &[u8] = b"GET /credential/";

/// Answers until it is killed.
pub(crate) fn serve(address: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let good: &[u8] = answer("200 OK").leak();
    let bad: &[u8] = answer("401 Unauthorized").leak();
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.unwrap();
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, good, bad));
            }
        }
    });
}

fn answer(status: &str) -> Vec<u8> {
    let body = "x".repeat(BODY);
    format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {BODY}\r\n\r\n{body}").into_bytes()
}

/// Requests without bodies, one after the other.
async fn connection(mut stream: TcpStream, good: &[u8], bad: &[u8]) {
    let _ = stream.set_nodelay(true);
    let (mut buffer, mut used) = (vec![0; 16 * 1024], 0);
    loop {
        match stream.read(&mut buffer[used..]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => used += read,
        }
        if buffer[..used].ends_with(b"\r\n\r\n") {
            let head = &buffer[..used];
            let answer = if head.starts_with(CREDENTIAL) && !carries_token(head) { bad } else { good };
            if stream.write_all(answer).await.is_err() {
                return;
            }
            used = 0;
        }
        if used == buffer.len() {
            return;
        }
    }
}

fn carries_token(head: &[u8]) -> bool {
    head.windows(22).any(|bytes| bytes.eq_ignore_ascii_case(b"authorization: bearer "))
}

//! Sockets to listen on, one per worker.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted.
pub(super) const BACKLOG: i32 = 4096;

/// As many sockets on one address as there are workers; the kernel spreads connections over them.
pub(super) fn bind(address: SocketAddr, workers: usize) -> std::io::Result<(SocketAddr, Vec<TcpListener>)> {
    // Sockets that share an address share it with any process of the same user. A first one that does not share makes
    // sure that the address is free. With several workers it never listens, so that nobody is let in by it.
    let first = bound(address, false)?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    if workers <= 1 {
        return Ok((address, vec![listen(first)?]));
    }
    drop(first);
    let all: std::io::Result<Vec<_>> = (0..workers).map(|_| listen(bound(address, true)?)).collect();
    Ok((address, all?))
}

fn bound(address: SocketAddr, shared: bool) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(socket: Socket) -> std::io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::mpsc::Sender;
    use std::thread::JoinHandle;

    use super::*;

    #[test]
    fn workers_share_one_address() {
        let (address, listeners) = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_eq!(listeners.len(), 3);
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap() == address));
    }

    #[test]
    fn an_address_in_use_is_an_error() {
        for workers in [1, 2] {
            let (address, _held) = bind("127.0.0.1:0".parse().unwrap(), workers).unwrap();
            assert!(bind(address, 1).is_err());
            assert!(bind(address, 2).is_err());
        }
    }

    #[test]
    fn a_bound_socket_lets_nobody_in() {
        assert!(!bound("127.0.0.1:0".parse().unwrap(), false).unwrap().is_listener().unwrap());
    }

    #[test]
    fn callers_are_let_in_for_good() {
        for _ in 0..200 {
            let (address, _) = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
            let (began, beginning) = std::sync::mpsc::channel();
            let callers: Vec<_> = (0..3).map(|_| call(address, began.clone())).collect();
            beginning.recv().unwrap();
            let (_, listeners) = bind(address, 2).unwrap();
            while !callers.iter().all(JoinHandle::is_finished) {
                for listener in &listeners {
                    if let Ok((mut accepted, _)) = listener.accept() {
                        accepted.write_all(b"x").unwrap();
                    }
                }
            }
            for caller in callers {
                assert_eq!(caller.join().unwrap(), 1);
            }
        }
    }

    /// Connects until it is let in, and reads a byte.
    fn call(address: SocketAddr, began: Sender<()>) -> JoinHandle<usize> {
        std::thread::spawn(move || {
            loop {
                // From another address: a socket could reach itself otherwise.
                let mut caller = bound("127.0.0.2:0".parse().unwrap(), false).unwrap();
                caller.set_nonblocking(false).unwrap();
                let connected = caller.connect(&address.into());
                // Only the first is waited for.
                let _ = began.send(());
                if connected.is_ok() {
                    return caller.read(&mut [0]).unwrap();
                }
            }
        })
    }
}

//! Sockets to listen on, one per worker.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// As many sockets on one address as there are workers; the kernel spreads connections over them.
pub(super) fn bind(address: SocketAddr, workers: usize) -> std::io::Result<(SocketAddr, Vec<TcpListener>)> {
    if workers <= 1 {
        let listener = one(address, false)?;
        return Ok((listener.local_addr()?, vec![listener]));
    }
    // Sockets that share an address share it with any process of the same user. A first one that does not share makes
    // sure that the address is free.
    let first = one(address, false)?;
    let address = first.local_addr()?;
    drop(first);
    let all: std::io::Result<Vec<_>> = (0..workers).map(|_| one(address, true)).collect();
    Ok((address, all?))
}

fn one(address: SocketAddr, shared: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
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
}

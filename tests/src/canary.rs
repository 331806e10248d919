//! A listener that nobody may connect to.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Notes who connects, and closes.
pub struct Canary {
    address: SocketAddr,
    visitors: Receiver<SocketAddr>,
}

// === impl Canary ===

impl Canary {
    /// Listens on a port of the system's choice.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, visitors) = channel();
        thread::spawn(move || note_visitors(&listener, &sender));
        Self { address, visitors }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there were since the last time this was asked.
    ///
    /// A visit of its own marks the end: the system hands connections over in the order in which they were made.
    pub fn hits(&self) -> usize {
        let own = TcpStream::connect(self.address).unwrap().local_addr().unwrap();
        self.visitors.iter().take_while(|visitor| *visitor != own).count()
    }
}

/// Ends when the canary is gone: the first visitor after that finds no receiver.
fn note_visitors(listener: &TcpListener, sender: &Sender<SocketAddr>) {
    while let Ok((_, visitor)) = listener.accept() {
        if sender.send(visitor).is_err() {
            return;
        }
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let (_, nobody) = channel();
        self.visitors = nobody;
        let _ = TcpStream::connect(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_is_counted_once() {
        let canary = Canary::start();
        assert_eq!(canary.hits(), 0);
        for _ in 0..3 {
            TcpStream::connect(canary.address()).unwrap();
        }
        assert_eq!(canary.hits(), 3);
        assert_eq!(canary.hits(), 0);
    }
}

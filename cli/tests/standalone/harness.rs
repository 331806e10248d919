//! A folder of resources, a process that serves it, and what it says.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crosscall_example::{Answer, Running, call};
use http::HeaderMap;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The example in a folder of its own, with apps on free ports.
pub(crate) struct Shop {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) orders: SocketAddr,
    pub(crate) stock: SocketAddr,
}

/// `crosscall serve`, and what it says on standard error.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

// === impl Shop ===

impl Shop {
    pub(crate) fn new() -> Self {
        let (orders, stock) = (free_port(), free_port());
        let shop = Self { folder: tempfile::tempdir().unwrap(), orders, stock };
        shop.write("shop.yaml", &shop.example());
        shop
    }

    /// The embedded example.
    pub(crate) fn example(&self) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/embedded/shop.yaml");
        let text = std::fs::read_to_string(file).unwrap();
        let text = text.replace("appPort: 9001", &format!("appPort: {}", self.orders.port()));
        text.replace("127.0.0.1:9002", &self.stock.to_string())
    }

    /// Replaces a file at one stroke, as editors and mounted volumes do.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let temporary = self.folder.path().join(".new");
        std::fs::write(&temporary, text).unwrap();
        std::fs::rename(temporary, self.folder.path().join(name)).unwrap();
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn apps(&self) -> [Running; 2] {
        [("orders", self.orders), ("stock", self.stock)].map(|(name, at)| crosscall_example::spawn(name, at).unwrap())
    }

    /// `crosscall serve` on ports that the system chooses.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crosscall"));
        command.arg("serve").arg("-f").arg(self.folder.path()).args(FREE_PORTS).args(arguments);
        Process::start(command)
    }
}

/// Ports that the system chooses.
pub(crate) const FREE_PORTS: [&str; 8] = [
    "--listen",
    "fr-api=127.0.0.1:0",
    "--exposed",
    "fr-api=127.0.0.1:0",
    "--inbound",
    "orders=127.0.0.1:0",
    "--admin",
    "127.0.0.1:0",
];

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

// === impl Process ===

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, said: Vec::new() }
    }

    /// The first line, said already or to come, that holds `part`.
    pub(crate) fn line_with(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut next = 0;
        loop {
            if let Some(line) = self.said[next..].iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            next = self.said.len();
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.said.push(line),
                Err(_) => panic!("no line with {part}: {:#?}", self.said),
            }
        }
    }

    /// The address in the table of listeners.
    pub(crate) fn address(&mut self, listener: &str) -> SocketAddr {
        let line = self.line_with(&format!(" {listener} "));
        let mut words = line.split_whitespace().filter_map(|word| word.parse().ok());
        words.next().unwrap_or_else(|| panic!("no address: {line}"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where the test waited for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    let url = format!("http://{address}{path}").parse().unwrap();
    call(&url, HeaderMap::new()).await.unwrap()
}

/// Asks until the answer has `status`.
pub(crate) async fn get_until(address: SocketAddr, path: &str, status: u16) -> Answer {
    let ask = async {
        loop {
            let answer = get(address, path).await;
            if answer.status == status {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.unwrap_or_else(|_| panic!("{path} never answered {status}"))
}

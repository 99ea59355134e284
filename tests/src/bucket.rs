//! A real object store with the S3 API.

use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use headwater_connectors::testing::workspace;

use crate::scripts;

/// The store's program.
const MOTO: &str = "moto[server]==5.2.5";

/// An object store for one test, with the empty bucket `risk`. It ends with this process, or on drop.
pub struct ObjectStore {
    server: Child,
    endpoint: String,
}

impl ObjectStore {
    /// Starts a store. `None`, with a sentence on standard error, where it cannot be installed.
    pub fn start() -> Result<Option<Self>> {
        Self::launch(None)
    }

    /// The same over TLS, with a certificate of its own: `ca.pem` in the folder.
    pub fn start_with_tls(folder: &Path) -> Result<Option<Self>> {
        Self::launch(Some(folder))
    }

    fn launch(of_tls: Option<&Path>) -> Result<Option<Self>> {
        let Some(python) = scripts::python(&[MOTO])? else { return Ok(None) };
        let mut server = Command::new(python)
            .arg(workspace().join("tests/src/bucket.py"))
            .args(of_tls)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(server.stdout.take().context("its output")?).read_line(&mut line)?;
        let endpoint = line.trim().to_owned();
        anyhow::ensure!(endpoint.starts_with("http"), "the object store did not start");
        Ok(Some(Self { server, endpoint }))
    }

    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Section `[bucket]` of a folder in the bucket.
    pub fn section(&self, folder: &str) -> String {
        section(&self.endpoint, folder)
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// Section `[bucket]` of a folder in the bucket `risk` of a store.
pub fn section(endpoint: &str, folder: &str) -> String {
    format!("[bucket]\nurl = \"s3://risk/{folder}\"\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\n")
}

/// The credentials of the store, which takes any.
pub fn with_credentials(command: &mut Command) -> &mut Command {
    command.env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s")
}

/// A way to a store that can be closed: connections then end, and new ones are ended at once.
pub struct Gate {
    address: String,
    state: Arc<State>,
}

struct State {
    is_closed: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// A way to the store, open.
    pub fn before(store: &ObjectStore) -> Result<Self> {
        let target = store.endpoint.strip_prefix("http://").context("an address")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State { is_closed: AtomicBool::new(false), open: Mutex::default() });
        let accepting = Arc::clone(&state);
        // Ends with the process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.is_closed.load(Ordering::Relaxed) {
                    continue;
                }
                let _ = carry(&accepting, client, &target);
            }
        });
        Ok(Self { address, state })
    }

    /// The address of the way.
    pub fn endpoint(&self) -> &str {
        &self.address
    }

    /// Ends all connections, and every new one until the gate is opened.
    pub fn close(&self) {
        self.state.is_closed.store(true, Ordering::Relaxed);
        for stream in self.state.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections pass again.
    pub fn open(&self) {
        self.state.is_closed.store(false, Ordering::Relaxed);
    }
}

/// Carries bytes both ways, on threads of their own.
fn carry(state: &State, client: TcpStream, target: &str) -> std::io::Result<()> {
    let store = TcpStream::connect(target)?;
    for (mut from, mut to) in [(client.try_clone()?, store.try_clone()?), (store.try_clone()?, client.try_clone()?)] {
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
    state.open.lock().unwrap_or_else(PoisonError::into_inner).extend([client, store]);
    Ok(())
}

//! The least of a client of PostgreSQL: simple queries, and how many rows come.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::bail;

/// Version 3.0 of the protocol.
const VERSION: u32 = 196_608;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection without a password.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream: BufReader::new(stream) };
        let mut body = VERSION.to_be_bytes().to_vec();
        body.extend_from_slice(b"user\0bench\0database\0headwater\0\0");
        client.send(None, &body)?;
        client.until_ready()?;
        Ok(client)
    }

    /// The number of rows of a statement.
    pub(crate) fn rows(&mut self, statement: &str) -> anyhow::Result<u64> {
        self.send(Some(b'Q'), &[statement.as_bytes(), b"\0"].concat())?;
        self.until_ready()
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> anyhow::Result<()> {
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend(u32::try_from(body.len() + 4)?.to_be_bytes());
        message.extend_from_slice(body);
        Ok(self.stream.get_mut().write_all(&message)?)
    }

    /// Reads messages until the server waits for the next statement; returns how many of them were rows.
    fn until_ready(&mut self) -> anyhow::Result<u64> {
        let (mut rows, mut refusal) = (0, None);
        loop {
            let mut head = [0; 5];
            self.stream.read_exact(&mut head)?;
            let [kind, length @ ..] = head;
            let mut body = vec![0; usize::try_from(u32::from_be_bytes(length))?.saturating_sub(4)];
            self.stream.read_exact(&mut body)?;
            match kind {
                b'D' => rows += 1,
                b'E' => refusal = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
                b'Z' => return refusal.map_or(Ok(rows), |refusal| bail!("the server refuses: {refusal}")),
                _ => {}
            }
        }
    }
}

//! Server-sent events of the console's API, as a client reads them that may break off at any time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// How long an event may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its id, with which a stream is resumed after it.
    pub id: String,
    /// Its data.
    pub data: Value,
}

/// A stream of events.
pub struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    /// Asks for a stream, after the event with an id.
    pub fn open(address: &str, path: &str, last: Option<&str>) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: text/event-stream\r\n");
        if let Some(last) = last {
            request.push_str(&format!("Last-Event-ID: {last}\r\n"));
        }
        (&stream).write_all(format!("{request}\r\n").as_bytes())?;
        let mut lines = BufReader::new(stream);
        let status = line(&mut lines)?.context("an answer")?;
        let mut is_stream = false;
        while let Some(header) = line(&mut lines)?.filter(|header| !header.is_empty()) {
            is_stream |= header.eq_ignore_ascii_case("content-type: text/event-stream");
        }
        if !is_stream {
            let mut text = String::new();
            lines.read_to_string(&mut text)?;
            bail!("{status}: {text}");
        }
        Ok(Self { lines })
    }

    /// The next event; none if the server ended the stream.
    pub fn read(&mut self) -> Result<Option<Event>> {
        let (mut id, mut kind, mut data) = (String::new(), String::new(), String::new());
        while let Some(line) = line(&mut self.lines)? {
            match line.split_once(": ") {
                Some(("id", value)) => value.clone_into(&mut id),
                Some(("data", value)) => data.push_str(value),
                Some(("event", value)) => value.clone_into(&mut kind),
                Some(_) => {}
                // A comment, which has no data, is no event.
                None if line.is_empty() && !data.is_empty() => {
                    ensure!(kind.is_empty(), "an event {kind} came: {data}");
                    let data = serde_json::from_str(&data).with_context(|| data.clone())?;
                    return Ok(Some(Event { id, data }));
                }
                None => ensure!(line.is_empty(), "{line:?} is no line of an event"),
            }
        }
        Ok(None)
    }
}

/// The next line; none at the end.
fn line(lines: &mut BufReader<TcpStream>) -> Result<Option<String>> {
    let mut line = String::new();
    match lines.read_line(&mut line) {
        // A server that is killed resets its connections.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(None),
        Err(error) => Err(error.into()),
        // Half a line is of an event that did not come.
        Ok(_) => Ok(line.strip_suffix('\n').map(|line| line.trim_end_matches('\r').to_owned())),
    }
}

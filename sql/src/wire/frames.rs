//! Messages of clients: read from the connection with a limit of size, and taken apart without trust in any length or count.
//!
//! The Rust crates for the protocol take these apart with reads that panic where a message is shorter than it says.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::encode::Format;
use super::problem::{Problem, code};

/// The largest message before a client has logged in.
const BEFORE_LOGIN: usize = 10_000;
/// The largest message of a client that has logged in.
const AFTER_LOGIN: usize = 16 * 1024 * 1024;
/// What a client may send ahead while its query runs.
const AHEAD: usize = 64 * 1024;
/// Bytes of answers that are collected before they are sent.
const FULL: usize = 64 * 1024;

/// The first message of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// A request for TLS.
    Tls,
    /// A request for encryption by GSSAPI.
    Gss,
    /// A request to cancel the query of another connection.
    Cancel { pid: u32, secret: u32 },
    /// The start of a session, with the minor version of the protocol.
    Start { minor: u16, parameters: Vec<(String, String)> },
}

/// A message of a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Query(String),
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind {
        portal: String,
        statement: String,
        formats: Vec<Format>,
        values: Vec<Option<Bytes>>,
        results: Vec<Format>,
    },
    DescribeStatement(String),
    DescribePortal(String),
    Execute {
        portal: String,
        max_rows: usize,
    },
    CloseStatement(String),
    ClosePortal(String),
    Flush,
    Sync,
    Password(Bytes),
    /// A part of a COPY, which nobody has begun.
    Copy,
    Terminate,
}

/// Why there is no message.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The client has gone.
    Gone(io::Error),
    /// The client does not follow the protocol.
    Protocol(Problem),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl From<Problem> for ReadError {
    fn from(problem: Problem) -> Self {
        Self::Protocol(problem)
    }
}

/// A connection, with what was received and not read yet, and what is to be sent.
pub(super) struct Frames<S> {
    stream: S,
    received: BytesMut,
    pub(super) out: BytesMut,
    is_logged_in: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, received: BytesMut::new(), out: BytesMut::new(), is_logged_in: false }
    }

    /// From now on messages may be large.
    pub(super) fn log_in(&mut self) {
        self.is_logged_in = true;
    }

    /// The stream, if the client has not sent anything ahead.
    pub(super) fn into_stream(self) -> Option<S> {
        self.received.is_empty().then_some(self.stream)
    }

    /// The first message.
    pub(super) async fn opening(&mut self) -> Result<Opening, ReadError> {
        let body = self.body(0).await?;
        opening(&body).map_err(ReadError::Protocol)
    }

    /// The next message.
    pub(super) async fn message(&mut self) -> Result<Message, ReadError> {
        self.fill(1).await?;
        let kind = self.received.first().copied().unwrap_or_default();
        let body = self.body(1).await?;
        message(kind, body).map_err(ReadError::Protocol)
    }

    /// The next body, after its kind and its length.
    async fn body(&mut self, kind: usize) -> Result<Bytes, ReadError> {
        let header = kind.saturating_add(4);
        self.fill(header).await?;
        let length = Body(self.received.get(kind..).unwrap_or_default()).u32()?;
        let limit = if self.is_logged_in { AFTER_LOGIN } else { BEFORE_LOGIN };
        let Some(length) = usize::try_from(length).ok().and_then(|length| length.checked_sub(4)).filter(|length| *length <= limit) else {
            return Err(Problem::protocol(format!("a message gives its length as {length} bytes: it may have 4 to {limit}")).into());
        };
        self.fill(header.saturating_add(length)).await?;
        self.received.advance(header);
        Ok(self.received.split_to(length).freeze())
    }

    /// Receives until there are as many bytes.
    async fn fill(&mut self, length: usize) -> Result<(), ReadError> {
        while self.received.len() < length {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        Ok(())
    }

    /// Waits until the client has gone; keeps what it sends meanwhile.
    pub(super) async fn gone(&mut self) -> io::Error {
        loop {
            if self.received.len() >= AHEAD {
                return std::future::pending().await;
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    /// Whether much was collected that is to be sent.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= FULL
    }

    /// Sends what was collected. A caller that stops waiting loses nothing: what was not sent yet is kept.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while self.out.has_remaining() {
            if self.stream.write_buf(&mut self.out).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.stream.flush().await
    }

    /// Ends the connection.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }
}

/// What is left of a message.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let too_short = || Problem::protocol("a message is shorter than its contents say");
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(too_short)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        self.bytes(N)?.try_into().map_err(|_| Problem::protocol("a message is shorter than its contents say"))
    }

    fn u8(&mut self) -> Result<u8, Problem> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, Problem> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Problem> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A text that ends with a zero byte.
    fn text(&mut self) -> Result<String, Problem> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| Problem::protocol("a text of a message has no end"))?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        let invalid = |_| Problem::new("22021", "a text of a message is not UTF-8: send client_encoding UTF8");
        std::str::from_utf8(text).map(str::to_owned).map_err(invalid)
    }

    /// As many items as the count in front of them says.
    fn items<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
        let count = self.u16()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn format(&mut self) -> Result<Format, Problem> {
        match self.u16()? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            other => Err(Problem::protocol(format!("there is no format {other}: give 0 for text or 1 for binary"))),
        }
    }

    fn value(&mut self) -> Result<Option<Bytes>, Problem> {
        match self.u32()?.cast_signed() {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| Problem::protocol(format!("a parameter has {length} bytes")))?;
                Ok(Some(Bytes::copy_from_slice(self.bytes(length)?)))
            }
        }
    }

    fn end<T>(self, message: T) -> Result<T, Problem> {
        if self.0.is_empty() { Ok(message) } else { Err(Problem::protocol("a message is longer than its contents")) }
    }
}

const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
const CANCEL: u32 = 80_877_102;
const MAJOR: u16 = 3;

fn opening(body: &[u8]) -> Result<Opening, Problem> {
    let mut body = Body(body);
    match body.u32()? {
        TLS => body.end(Opening::Tls),
        GSS => body.end(Opening::Gss),
        CANCEL => {
            let (pid, secret) = (body.u32()?, body.u32()?);
            body.end(Opening::Cancel { pid, secret })
        }
        version => start(version, body),
    }
}

fn start(version: u32, mut body: Body<'_>) -> Result<Opening, Problem> {
    let [a, b, c, d] = version.to_be_bytes();
    let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if major != MAJOR {
        return Err(Problem::protocol(format!("this is not version {MAJOR} of PostgreSQL's protocol, but {major}.{minor}")));
    }
    let mut parameters = Vec::new();
    loop {
        let name = body.text()?;
        if name.is_empty() {
            return body.end(Opening::Start { minor, parameters });
        }
        parameters.push((name, body.text()?));
    }
}

fn message(kind: u8, whole: Bytes) -> Result<Message, Problem> {
    let mut body = Body(&whole);
    let message = match kind {
        b'Q' => Message::Query(body.text()?),
        b'P' => Message::Parse { name: body.text()?, sql: body.text()?, types: body.items(Body::u32)? },
        b'B' => Message::Bind {
            portal: body.text()?,
            statement: body.text()?,
            formats: body.items(Body::format)?,
            values: body.items(Body::value)?,
            results: body.items(Body::format)?,
        },
        b'D' | b'C' => match (kind, body.u8()?, body.text()?) {
            (b'D', b'S', name) => Message::DescribeStatement(name),
            (b'D', b'P', name) => Message::DescribePortal(name),
            (_, b'S', name) => Message::CloseStatement(name),
            (_, b'P', name) => Message::ClosePortal(name),
            (_, other, _) => return Err(Problem::protocol(format!("there is nothing of kind {other} to describe or close"))),
        },
        // As in PostgreSQL, a limit below one is none.
        b'E' => Message::Execute { portal: body.text()?, max_rows: usize::try_from(body.u32()?.cast_signed()).unwrap_or(0) },
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        b'p' => return Ok(Message::Password(whole)),
        b'd' | b'c' | b'f' => return Ok(Message::Copy),
        b'F' => return Err(Problem::fatal(code::NOT_SUPPORTED, "calls of functions by their number are not supported: send a query")),
        other => return Err(Problem::protocol(format!("there is no message of kind {other}"))),
    };
    body.end(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bind() -> Vec<u8> {
        let mut body = b"portal\0statement\0".to_vec();
        body.extend([0, 1, 0, 1]);
        body.extend([0, 2, 0, 0, 0, 2, 7, 8, 0xff, 0xff, 0xff, 0xff]);
        body.extend([0, 1, 0, 0]);
        body
    }

    #[test]
    fn a_message_is_read_as_it_is_written() {
        let read = message(b'B', Bytes::from(bind())).unwrap();
        let expected = Message::Bind {
            portal: "portal".to_owned(),
            statement: "statement".to_owned(),
            formats: vec![Format::Binary],
            values: vec![Some(Bytes::from_static(&[7, 8])), None],
            results: vec![Format::Text],
        };
        assert_eq!(read, expected);
        assert_eq!(opening(&[0x04, 0xd2, 0x16, 0x2f]), Ok(Opening::Tls));
        let start = [&[0, 3, 0, 0][..], b"user\0ann\0\0"].concat();
        assert_eq!(opening(&start), Ok(Opening::Start { minor: 0, parameters: vec![("user".to_owned(), "ann".to_owned())] }));
        assert_eq!(message(b'E', Bytes::from_static(b"\0\xff\xff\xff\xff")), Ok(Message::Execute { portal: String::new(), max_rows: 0 }));
    }

    #[test]
    fn a_message_that_is_cut_or_too_long_is_an_error() {
        let whole = bind();
        for length in 0..whole.len() {
            assert!(message(b'B', Bytes::copy_from_slice(&whole[..length])).is_err(), "{length}");
        }
        assert!(message(b'B', Bytes::from([whole, vec![0]].concat())).is_err());
        assert!(message(b'Q', Bytes::from_static(b"SELECT \xff\0")).is_err());
        assert!(message(b'F', Bytes::new()).is_err_and(|problem| problem.is_fatal));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(kind in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = opening(&body);
            let _ = message(kind, Bytes::from(body));
        }
    }
}

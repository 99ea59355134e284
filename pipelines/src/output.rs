//! Standard output and standard error of the binary. Everything that a command prints goes through here: a reader that has seen
//! enough (`| head`) must not end the work of a command, and the macros of the standard library panic where nobody reads.

use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output")]
pub struct OutputError(#[source] io::Error);

/// A writer whose errors name standard output. A closed pipe is an error, which ends what does nothing but print, like a query.
pub struct Named<W>(W);

/// A writer for commands that do more than print: once the reader has closed the pipe, the rest is discarded, and the command
/// keeps its work and its exit code. Other errors name standard output.
pub struct Printer<W> {
    named: Named<W>,
    is_closed: bool,
}

impl<W: Write> Write for Named<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.write(text).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}

/// The error with the name of what failed. An interrupted write is tried again by the caller, by its kind.
fn named(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), OutputError(error))
}

impl<W: Write> Printer<W> {
    /// A printer on a writer, which is standard output except in tests.
    pub fn new(out: W) -> Self {
        Self { named: Named(out), is_closed: false }
    }

    /// The writer without the patience: a closed pipe is an error.
    pub fn until_closed(&mut self) -> &mut Named<W> {
        &mut self.named
    }

    /// The result, or a substitute from where the reader has closed the pipe.
    fn unless_closed<T>(&mut self, written: io::Result<T>, discarded: T) -> io::Result<T> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(discarded)
            }
            written => written,
        }
    }
}

impl<W: Write> Write for Printer<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(text.len());
        }
        let written = self.named.write(text);
        self.unless_closed(written, text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let flushed = self.named.flush();
        self.unless_closed(flushed, ())
    }
}

/// Standard error, for notices. A notice that cannot be written is lost: there is no other place for it, and the work is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notices;

impl Write for Notices {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

/// Writes a line to standard error.
pub fn notice(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    /// Takes some bytes, and then fails.
    struct Fails {
        takes: usize,
        kind: ErrorKind,
        written: Vec<u8>,
    }

    impl Write for Fails {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let taken = text.len().min(self.takes - self.written.len());
            if taken == 0 {
                return Err(self.kind.into());
            }
            self.written.extend(text.get(..taken).unwrap_or_default());
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            if self.written.len() == self.takes { Err(self.kind.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn a_closed_pipe_ends_the_printing_and_a_full_disk_is_an_error_of_standard_output() {
        for (name, kind, is_error) in [("a closed pipe", ErrorKind::BrokenPipe, false), ("a full disk", ErrorKind::StorageFull, true)] {
            let mut out = Printer::new(Fails { takes: 3, kind, written: Vec::new() });
            let results = [out.write_all(b"lines"), out.write_all(b"more"), out.flush()];
            for result in results {
                assert_eq!(result.is_err(), is_error, "{name}: {result:?}");
                let Err(error) = result else { continue };
                assert_eq!((error.kind(), error.to_string()), (kind, "standard output".to_owned()), "{name}");
                assert_eq!(error.source().map(ToString::to_string), Some(io::Error::from(kind).to_string()), "{name}");
            }
            assert_eq!(out.named.0.written, b"lin", "{name}");
        }
    }

    #[test]
    fn what_only_prints_learns_of_a_closed_pipe() {
        let mut out = Printer::new(Fails { takes: 0, kind: ErrorKind::BrokenPipe, written: Vec::new() });
        assert_eq!(out.until_closed().write_all(b"rows").map_err(|error| error.kind()), Err(ErrorKind::BrokenPipe));
    }
}

//! Messages of the server, appended to what is to be sent.

use bytes::{BufMut, BytesMut};

use super::encode::Format;
use super::problem::Problem;
use super::types::PgType;

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) pg_type: PgType,
    /// Of decimals, their numbers of digits; otherwise -1.
    pub(super) modifier: i32,
}

/// What a session is in, as `ReadyForQuery` gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    #[default]
    Idle,
    InTransaction,
    Failed,
}

impl Status {
    const fn letter(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::InTransaction => b'T',
            Self::Failed => b'E',
        }
    }
}

/// Appends a message: its kind, its length, its body. Returns what the body does.
pub(super) fn message<T>(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut) -> T) -> T {
    out.put_u8(kind);
    let start = out.len();
    out.put_u32(0);
    let written = body(out);
    let length = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start.saturating_add(4)) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    written
}

/// Appends a text with a zero byte at its end, so any zero byte within it is left out.
pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    text.bytes().filter(|byte| *byte != 0).for_each(|byte| out.put_u8(byte));
    out.put_u8(0);
}

/// The number of items in a message. The protocol counts them in 16 bits, which a plan's columns never need.
pub(super) fn put_count(out: &mut BytesMut, count: usize) {
    out.put_u16(u16::try_from(count).unwrap_or(u16::MAX));
}

pub(super) fn authentication(out: &mut BytesMut, step: u32, data: &[u8]) {
    message(out, b'R', |out| {
        out.put_u32(step);
        out.put_slice(data);
    });
}

pub(super) fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

pub(super) fn key_data(out: &mut BytesMut, pid: u32, secret: u32) {
    message(out, b'K', |out| {
        out.put_u32(pid);
        out.put_u32(secret);
    });
}

/// Answers a client that asks for a newer minor version, or for options of one: version 3.0 without options.
pub(super) fn negotiate_version(out: &mut BytesMut, options: &[&str]) {
    message(out, b'v', |out| {
        out.put_u32(0);
        out.put_u32(u32::try_from(options.len()).unwrap_or(u32::MAX));
        options.iter().for_each(|option| put_text(out, option));
    });
}

pub(super) fn ready(out: &mut BytesMut, status: Status) {
    message(out, b'Z', |out| out.put_u8(status.letter()));
}

pub(super) fn row_description(out: &mut BytesMut, columns: &[Column], formats: &[Format]) {
    message(out, b'T', |out| {
        put_count(out, columns.len());
        for (column, format) in columns.iter().zip(formats.iter().copied().chain(std::iter::repeat(Format::Text))) {
            put_text(out, &column.name);
            // Of no table's column, as far as the client knows.
            out.put_u32(0);
            out.put_u16(0);
            out.put_u32(column.pg_type.oid);
            out.put_i16(column.pg_type.size);
            out.put_i32(column.modifier);
            out.put_i16(format.number());
        }
    });
}

/// The start of a copy of columns, all in one format.
pub(super) fn copy_out(out: &mut BytesMut, columns: usize, format: Format) {
    message(out, b'H', |out| {
        out.put_u8(u8::from(format == Format::Binary));
        put_count(out, columns);
        (0..columns).for_each(|_| out.put_i16(format.number()));
    });
}

pub(super) fn parameter_description(out: &mut BytesMut, types: &[PgType]) {
    message(out, b't', |out| {
        put_count(out, types.len());
        types.iter().for_each(|pg_type| out.put_u32(pg_type.oid));
    });
}

pub(super) fn complete(out: &mut BytesMut, tag: &str) {
    message(out, b'C', |out| put_text(out, tag));
}

/// A message without a body.
pub(super) fn bare(out: &mut BytesMut, kind: u8) {
    message(out, kind, |_| {});
}

pub(super) const EMPTY_QUERY: u8 = b'I';
pub(super) const PARSE_COMPLETE: u8 = b'1';
pub(super) const BIND_COMPLETE: u8 = b'2';
pub(super) const CLOSE_COMPLETE: u8 = b'3';
pub(super) const NO_DATA: u8 = b'n';
pub(super) const COPY_DONE: u8 = b'c';
pub(super) const PORTAL_SUSPENDED: u8 = b's';

pub(super) fn error(out: &mut BytesMut, problem: &Problem) {
    report(out, b'E', if problem.is_fatal { "FATAL" } else { "ERROR" }, problem);
}

pub(super) fn notice(out: &mut BytesMut, problem: &Problem) {
    report(out, b'N', "WARNING", problem);
}

fn report(out: &mut BytesMut, kind: u8, severity: &str, problem: &Problem) {
    message(out, kind, |out| {
        let mut field = |name: u8, text: &str| {
            out.put_u8(name);
            put_text(out, text);
        };
        field(b'S', severity);
        field(b'V', severity);
        field(b'C', problem.code);
        field(b'M', &problem.message);
        if let Some(position) = problem.position {
            field(b'P', &position.to_string());
        }
        out.put_u8(0);
    });
}

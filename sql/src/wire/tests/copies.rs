//! `COPY … TO STDOUT`: what it sends in each format and protocol. What it refuses and its limits are with those of queries.

use super::attacks::Raw;
use super::{code, connect, copied, example, run, serve, simple, try_simple};
use crate::testing::{at, balance, changes};

#[test]
fn a_copy_has_the_rows_of_a_query_or_a_table_in_each_format() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        let query = "(SELECT account_id, posted, ts, true AS yes, NULL AS nothing FROM balances ORDER BY 1)";
        let text = "a\t1\t2026-01-05 14:30:00+00\tt\t\\N\nb\t-20\t2026-01-05 14:30:01+00\tt\t\\N\n";
        let csv = "a,1,2026-01-05 14:30:00+00,t,\nb,-20,2026-01-05 14:30:01+00,t,\n";
        let with_names = format!("account_id,posted,ts,yes,nothing\n{csv}");
        for (sql, expected) in [
            (format!("COPY {query} TO STDOUT"), text),
            (format!("/* x */ copy{query} to stdout (format \"text\");"), text),
            (format!("COPY {query} TO STDOUT WITH (FORMAT csv)"), csv),
            (format!("COPY {query} TO STDOUT CSV"), csv),
            (format!("COPY {query} TO STDOUT WITH CSV HEADER"), &with_names),
            (format!("COPY {query} TO STDOUT (FORMAT csv, HEADER)"), &with_names),
            ("COPY balances (posted, account_id) TO STDOUT".to_owned(), "1\ta\n-20\tb\n"),
            ("COPY public.\"balances\" (\"account_id\") TO STDOUT".to_owned(), "a\nb\n"),
            ("COPY (SELECT 1, 1, 'a,b' WHERE false) TO STDOUT CSV HEADER".to_owned(), "?column?,?column?,?column?\n"),
        ] {
            let copy = copied(&client, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            assert_eq!(String::from_utf8(copy).unwrap(), expected, "{sql}");
        }
        let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
        let row = b"\0\x02\0\0\0\x01a\0\0\0\x0a\0\x01\0\0\0\0\0\x09\0\x01";
        let binary = copied(&client, "COPY (SELECT account_id, posted FROM balances WHERE posted > 0) TO STDOUT (FORMAT binary)").await;
        assert_eq!(binary.unwrap(), [&header[..], row, b"\xff\xff"].concat());
        let nothing = copied(&client, "COPY (SELECT 1 WHERE false) TO STDOUT BINARY").await;
        assert_eq!(nothing.unwrap(), [&header[..], b"\xff\xff"].concat());
    });
}

/// The kinds of messages.
fn kinds(mut messages: &[u8]) -> String {
    let mut kinds = String::new();
    while let [kind, a, b, c, d, ..] = messages {
        kinds.push(char::from(*kind));
        messages = &messages[1 + usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap()..];
    }
    kinds
}

#[test]
fn both_protocols_copy_between_other_statements() {
    let data = example();
    let server = serve(&data);
    let mut raw = Raw::start(&server);
    raw.send(b'Q', b"SELECT 1; COPY balances TO STDOUT; COPY (SELECT 1 WHERE false) TO STDOUT BINARY; SELECT 2\0");
    // Prepared, described and executed with a limit of one row, which a copy does not have.
    raw.send(b'P', b"c\0COPY balances TO STDOUT\0\0\0");
    raw.send(b'D', b"Sc\0");
    raw.send(b'B', b"\0c\0\0\0\0\0\0\0");
    raw.send(b'D', b"P\0");
    raw.send(b'E', b"\0\0\0\0\x01");
    raw.send(b'S', b"");
    raw.send(b'X', b"");
    assert_eq!(kinds(&raw.rest()), "TDCHddcCHdcCTDCZ1tn2nHddcCZ");
}

#[test]
fn a_copy_that_fails_ends_with_the_error_and_the_connection_stays() {
    let mut data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        for (sql, expected) in [
            ("COPY (SELECT 1 / (20000 - value) FROM generate_series(1, 30000)) TO STDOUT", "22012"),
            ("COPY nothing TO STDOUT", "42P01"),
            ("COPY balances (nothing) TO STDOUT", "42703"),
            ("COPY balances TO STDOUT (DELIMITER ';')", "0A000"),
            ("COPY balances TO", "42601"),
        ] {
            assert_eq!(code(&copied(&client, sql).await.unwrap_err()), expected, "{sql}");
            assert_eq!(simple(&client, "SELECT 1").await, ["1"], "{sql}");
        }
        // It sees the commit of its transaction, and nothing in one that has failed.
        simple(&client, "BEGIN").await;
        data.commit(vec![changes(&[(balance("c", 7, at(6, 0)), 1)])]);
        let copy = "COPY (SELECT COUNT(*) FROM balances) TO STDOUT";
        assert_eq!(copied(&client, copy).await.unwrap(), b"2\n");
        assert!(try_simple(&client, "SELECT 1 / 0").await.is_err());
        assert_eq!(code(&copied(&client, copy).await.unwrap_err()), "25P02");
        simple(&client, "ROLLBACK").await;
        assert_eq!(copied(&client, copy).await.unwrap(), b"3\n");
    });
}

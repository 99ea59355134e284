//! What attackers try: to write, to read what is not theirs, to guess passwords, and to stop the server for others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{LONG, code, connect, connect_with, copied, example, run, serve, serve_with, settings, simple, try_simple};
use crate::SqlConfig;
use crate::wire::config::{ServeConfig, UserConfig};
use crate::wire::scram::Secret;
use crate::wire::server::{ServeError, Server};

#[test]
fn nothing_is_written_in_either_protocol() {
    let mut data = example();
    let server = serve(&data);
    let outside = data.path().join("out.csv");
    let to = outside.display().to_string();
    run(async {
        let client = connect(&server).await;
        let copies = [format!("COPY balances TO '{to}'"), format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{to}' STORED AS CSV")];
        for sql in [
            "INSERT INTO balances SELECT * FROM balances",
            "UPDATE balances SET posted = 0",
            "DELETE FROM balances",
            "TRUNCATE balances",
            "CREATE TABLE t AS SELECT 1",
            "CREATE TEMP TABLE t (a INT)",
            "CREATE VIEW v AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "CREATE DATABASE d",
            "CREATE FUNCTION f() RETURNS INT RETURN 1",
            "DROP TABLE balances",
            "DROP SCHEMA pg_catalog CASCADE",
            "ALTER TABLE balances RENAME TO b",
            "SELECT * INTO copy_of FROM balances",
            "EXPLAIN ANALYZE INSERT INTO balances SELECT * FROM balances",
            "COPY balances FROM STDIN",
            "COPY balances (account_id) FROM STDIN (FORMAT binary)",
            "COPY balances FROM '/etc/passwd'",
            "COPY balances FROM PROGRAM 'id'",
            "COPY balances TO PROGRAM 'cat'",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "COPY '/etc/passwd' TO STDOUT",
            "COPY \"/etc/passwd\" TO STDOUT",
            "COPY (SELECT * FROM '/etc/passwd') TO STDOUT",
            "COPY (DELETE FROM balances) TO STDOUT",
            "COPY (INSERT INTO balances SELECT * FROM balances) TO STDOUT",
            "COPY (WITH x AS (SELECT 1) INSERT INTO balances SELECT * FROM balances) TO STDOUT",
            "COPY (SELECT * INTO copy_of FROM balances) TO STDOUT",
            "COPY (COPY balances FROM STDIN) TO STDOUT",
            "COPY balances TO 's3://bucket/x' STORED AS PARQUET",
            "PREPARE p AS DELETE FROM balances",
            "DECLARE c CURSOR FOR DELETE FROM balances",
            "EXPLAIN COPY balances TO '/tmp/x.csv'",
            "MERGE INTO balances USING balances b ON true WHEN MATCHED THEN DELETE",
            "SELECT * FROM 'https://example.org/x.csv'",
            "SELECT * FROM parquet_metadata('/etc/passwd')",
            "WITH x AS (SELECT 1) INSERT INTO balances SELECT * FROM balances",
            "GRANT ALL ON balances TO ann",
            "VACUUM",
            "CALL f()",
            "BEGIN READ WRITE",
            "SET transaction_read_only = off",
            "SET datafusion.execution.batch_size = 1",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT lo_import('/etc/passwd')",
        ]
        .into_iter()
        .chain(copies.iter().map(String::as_str))
        {
            let allowed = ["25006", "25P01", "0A000", "42601", "42P01", "42883", "42704", "42000"];
            let in_simple = code(&try_simple(&client, sql).await.err().unwrap_or_else(|| panic!("{sql} was done")));
            assert!(allowed.contains(&in_simple.as_str()), "{sql}: {in_simple}");
            let in_extended = code(&client.query(sql, &[]).await.err().unwrap_or_else(|| panic!("{sql} was done")));
            assert!(allowed.contains(&in_extended.as_str()), "{sql}: {in_extended}");
        }
        assert_eq!(simple(&client, "SELECT COUNT(*) FROM balances").await, ["2"]);
    });
    assert!(!outside.exists());
    assert_eq!(data.commit(vec![]), 2, "no commit was made");
}

#[test]
fn a_client_that_goes_frees_its_place() {
    let data = example();
    let server = serve_with(&data, ServeConfig { max_queries: 1, ..ServeConfig::default() });
    run(async {
        let mut raw = Raw::start(&server);
        raw.send(b'Q', format!("{LONG}\0").as_bytes());
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(raw);
        let client = connect(&server).await;
        simple(&client, "SET statement_timeout = '20s'").await;
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
    });
}

fn with_users() -> ServeConfig {
    let user = |tables: Option<&[&str]>| UserConfig {
        secret: Secret::new("correct horse").unwrap(),
        tables: tables.map(|tables| tables.iter().map(|table| (*table).to_owned()).collect()),
        books: None,
        masked: Vec::new(),
        aml: true,
    };
    let users =
        [("ann".to_owned(), user(None)), ("bob".to_owned(), user(Some(&["balances", "commits", "trial_balance", "ledger_entries"])))];
    ServeConfig { users: users.into(), ..ServeConfig::default() }
}

#[test]
fn a_user_proves_the_password() {
    let data = example();
    let server = serve_with(&data, with_users());
    run(async {
        let mut config = settings(&server, "ann");
        let client = connect_with(config.password("correct horse")).await.unwrap();
        assert_eq!(simple(&client, "SELECT current_user").await, ["ann"]);
        for (user, password) in [("ann", "wrong"), ("nobody", "correct horse"), ("ANN", "correct horse")] {
            let error = connect_with(settings(&server, user).password(password)).await.err().unwrap();
            assert_eq!(code(&error), "28P01", "{user}");
        }
        assert!(connect_with(&settings(&server, "ann")).await.is_err(), "without a password");
    });
    // Messages of a session before the login do not start one.
    let mut raw = Raw::open(&server);
    raw.startup("ann");
    raw.send(b'Q', b"SELECT 1\0");
    let answer = raw.rest();
    assert!(answer.windows(5).any(|bytes| bytes == b"FATAL") && !answer.contains(&b'Z'), "{:?}", String::from_utf8_lossy(&answer));
}

#[test]
fn a_user_reads_the_tables_that_are_listed_and_no_other_by_any_path() {
    let data = example();
    let server = serve_with(&data, with_users());
    run(async {
        let mut config = settings(&server, "bob");
        let client = connect_with(config.password("correct horse")).await.unwrap();
        assert_eq!(simple(&client, "SELECT COUNT(*) FROM balances").await, ["2"]);
        assert_eq!(simple(&client, "SELECT COUNT(*) FROM trial_balance").await, ["0"]);
        for sql in [
            "SELECT * FROM positions",
            "SELECT * FROM headwater.public.positions",
            "SELECT 1 FROM balances WHERE EXISTS (SELECT 1 FROM alerts)",
            "WITH x AS (SELECT * FROM alerts) SELECT * FROM x",
            "SELECT * FROM balances_history",
            "SELECT (SELECT COUNT(*) FROM alerts)",
            "SELECT 1 FROM balances JOIN alerts ON true",
            "SELECT account_id FROM balances UNION SELECT alert_id FROM alerts",
            "SELECT * FROM (SELECT * FROM (SELECT * FROM alerts) a) b",
            "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x, alerts) SELECT * FROM x",
            "SHOW COLUMNS FROM alerts",
            "SELECT * FROM invariants",
            "DESCRIBE alerts",
            "EXPLAIN SELECT * FROM alerts",
        ] {
            assert_eq!(code(&try_simple(&client, sql).await.unwrap_err()), "42501", "simple: {sql}");
            assert_eq!(code(&client.query(sql, &[]).await.unwrap_err()), "42501", "extended: {sql}");
            if sql.starts_with(['S', 'W']) && !sql.starts_with("SHOW") {
                let copy = copied(&client, &format!("COPY ({sql}) TO STDOUT")).await;
                assert_eq!(code(&copy.unwrap_err()), "42501", "copied: {sql}");
            }
        }
        for copy in ["COPY alerts TO STDOUT", "COPY headwater.public.positions (account_id) TO STDOUT (FORMAT binary)"] {
            assert_eq!(code(&copied(&client, copy).await.unwrap_err()), "42501", "{copy}");
        }
        assert!(
            client.prepare("SELECT * FROM alerts WHERE alert_id = $1").await.is_err(),
            "no columns of a statement that is only prepared"
        );
        simple(&client, "BEGIN").await;
        assert_eq!(code(&try_simple(&client, "DECLARE c CURSOR FOR SELECT * FROM alerts").await.unwrap_err()), "42501");
        simple(&client, "ROLLBACK").await;
        assert_eq!(code(&try_simple(&client, "SELECT 'alerts'::regclass").await.unwrap_err()), "42P01");
        for nothing in [
            "SELECT table_name FROM information_schema.columns WHERE table_name = 'alerts'",
            "SELECT viewname FROM pg_views WHERE viewname = 'positions'",
            "SELECT description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid WHERE relname = 'alerts'",
            "SELECT relname FROM pg_class WHERE has_table_privilege('alerts', 'SELECT')",
        ] {
            assert_eq!(simple(&client, nothing).await, Vec::<String>::new(), "{nothing}");
        }
        let expected = ["balances", "commits", "ledger_entries", "trial_balance"];
        assert_eq!(simple(&client, "SELECT relname FROM pg_class ORDER BY relname").await, expected);
        let of_standard = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name";
        assert_eq!(simple(&client, of_standard).await, expected);
        let shown: Vec<_> = simple(&client, "SHOW TABLES").await;
        assert_eq!(shown.len(), expected.len(), "{shown:?}");
        assert_eq!(simple(&client, "SELECT COUNT(DISTINCT attrelid) FROM pg_attribute").await, ["4"]);
    });
}

#[test]
fn a_server_that_would_be_open_or_impossible_does_not_start() {
    let data = example();
    let start = |address: &str, config: ServeConfig| Server::start(data.path(), address, config, SqlConfig::default()).map(drop);
    assert!(matches!(start("0.0.0.0:0", ServeConfig::default()), Err(ServeError::Open(_))));
    assert!(matches!(start("[::]:0", ServeConfig::default()), Err(ServeError::Open(_))));
    let nowhere = data.path().join("nothing.pem");
    let tls = ServeConfig { tls_certificate: Some(nowhere.clone()), tls_key: Some(nowhere), ..ServeConfig::default() };
    assert!(matches!(start("127.0.0.1:0", tls), Err(ServeError::Tls(_))));
    let mut views = with_users();
    if let Some(bob) = views.users.get_mut("bob") {
        bob.tables = Some(vec!["balances".to_owned(), "dead_letters".to_owned()]);
        bob.books = Some(vec!["firm".to_owned()]);
    }
    assert!(matches!(start("127.0.0.1:0", views), Err(ServeError::Relation { relation, .. }) if relation == "dead_letters"));
}

/// A connection that sends what it likes.
pub(super) struct Raw(TcpStream);

impl Raw {
    fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(stream)
    }

    /// A session that is ready.
    pub(super) fn start(server: &Server) -> Self {
        let mut raw = Self::open(server);
        raw.startup("ann");
        let mut answer = Vec::new();
        while !answer.ends_with(b"Z\0\0\0\x05I") {
            let mut byte = [0];
            raw.0.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        raw
    }

    fn startup(&mut self, user: &str) {
        let body = [&[0, 3, 0, 0][..], format!("user\0{user}\0\0").as_bytes()].concat();
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        self.0.write_all(&[&length[..], &body].concat()).unwrap();
    }

    pub(super) fn send(&mut self, kind: u8, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        self.0.write_all(&[&[kind], &length[..], body].concat()).unwrap();
    }

    /// What is sent until the server ends the connection.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        let _ = self.0.read_to_end(&mut answer);
        answer
    }
}

#[test]
fn what_is_no_protocol_ends_its_connection_and_no_other() {
    let data = example();
    let server = serve(&data);
    let openings: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &[0, 0, 0, 0],
        &[0xff; 64],
        &[0, 0, 0, 8, 0, 2, 0, 0],
        &[0, 0, 0, 9, 0, 3, 0, 0, 1],
        &[0, 0, 0, 4],
        &[0, 0, 0, 12, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 1],
        &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01],
    ];
    let messages: [(u8, &[u8]); 12] = [
        (b'B', b""),
        (b'B', b"\0\0\xff\xff"),
        (b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff"),
        (b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe"),
        (b'P', b"\0SELECT 1\0\xff\xff"),
        (b'E', b"\0"),
        (b'D', b"X\0"),
        (b'Q', b"no end"),
        (b'Q', b"\xff\xfe\0"),
        (b'F', b"\0\0\0\x01"),
        (b'?', b"what"),
        (b'p', b"password\0"),
    ];
    run(async {
        let other = connect(&server).await;
        for bytes in openings {
            let mut raw = Raw::open(&server);
            raw.0.write_all(bytes).unwrap();
            let _ = raw.0.shutdown(std::net::Shutdown::Write);
            let _ = raw.rest();
            assert_eq!(simple(&other, "SELECT 1").await, ["1"], "{bytes:?}");
        }
        for (kind, body) in messages {
            let mut raw = Raw::start(&server);
            raw.send(kind, body);
            let _ = raw.0.shutdown(std::net::Shutdown::Write);
            let answer = raw.rest();
            assert!(answer.first() == Some(&b'E'), "{kind} {body:?}: {answer:?}");
            assert_eq!(simple(&other, "SELECT 1").await, ["1"], "{kind} {body:?}");
        }
        // A length that promises a gigabyte.
        let mut raw = Raw::start(&server);
        raw.0.write_all(&[b'Q', 0x3f, 0xff, 0xff, 0xff]).unwrap();
        assert!(raw.rest().first() == Some(&b'E'));
        // Out of order, in a session that goes on: errors up to Sync, and then it is ready.
        let mut raw = Raw::start(&server);
        for (kind, body) in
            [(b'E', &b"nothing\0\0\0\0\0"[..]), (b'D', b"Snothing\0"), (b'B', b"\0nothing\0\0\0\0\0\0\0"), (b'd', b"copy"), (b'S', b"")]
        {
            raw.send(kind, body);
        }
        raw.send(b'X', b"");
        let answer = raw.rest();
        assert_eq!(answer.iter().filter(|byte| **byte == b'Z').count(), 1, "{:?}", String::from_utf8_lossy(&answer));
        assert!(answer.ends_with(b"Z\0\0\0\x05I"));
    });
}

/// A server for one query at a time gives it to another client while the first does not take its rows.
#[test]
fn a_client_that_takes_no_rows_keeps_no_place() {
    let data = example();
    let server = serve_with(&data, ServeConfig { max_queries: 1, ..ServeConfig::default() });
    run(async {
        for (begin, end) in [("", ""), ("COPY (", ") TO STDOUT")] {
            let mut raw = Raw::start(&server);
            raw.send(b'Q', format!("{begin}SELECT value, REPEAT('x', 1000) FROM generate_series(1, 1000000000){end}\0").as_bytes());
            let mut first = [0];
            raw.0.read_exact(&mut first).unwrap();
            let client = connect(&server).await;
            simple(&client, "SET statement_timeout = '60s'").await;
            assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
            // It was not ended: its rows go on.
            let mut more = vec![0; 1 << 22];
            raw.0.read_exact(&mut more).unwrap();
        }
    });
}

#[test]
fn connections_that_do_not_log_in_take_no_place_of_others() {
    let data = example();
    let server = serve_with(&data, ServeConfig { max_connections: 1, ..ServeConfig::default() });
    let strangers: Vec<_> = (0..32).map(|_| Raw::open(&server)).collect();
    run(async {
        assert_eq!(simple(&connect(&server).await, "SELECT 1").await, ["1"]);
    });
    drop(strangers);
}

#[test]
fn connections_that_stop_at_their_login_delay_no_other() {
    let data = example();
    let server = serve_with(&data, with_users());
    let idle = |number: usize| {
        let mut raw = Raw::open(&server);
        match number % 4 {
            0 => {}
            1 => raw.0.write_all(&[0, 0, 0]).unwrap(),
            // A question for TLS, and a user who gives no password.
            2 => raw.0.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).unwrap(),
            _ => raw.startup("ann"),
        }
        raw
    };
    let mut strangers: Vec<_> = (0..300).map(idle).collect();
    run(async {
        let begin = Instant::now();
        let client = connect_with(settings(&server, "ann").password("correct horse")).await.unwrap();
        strangers.extend((0..300).map(idle));
        assert_eq!(simple(&client, "SELECT 1").await, ["1"], "they end no session");
        let other = connect_with(settings(&server, "bob").password("correct horse")).await.unwrap();
        assert_eq!(simple(&other, "SELECT 1").await, ["1"]);
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    });
    assert_eq!(strangers.first_mut().unwrap().0.read(&mut [0]).unwrap(), 0, "the oldest is closed");
}

#[test]
fn guesses_of_passwords_wait_for_each_other_and_too_many_are_refused() {
    let data = example();
    let server = serve_with(&data, with_users());
    run(async {
        let guess = |password: &str| {
            let mut config = settings(&server, "ann");
            config.password(password);
            async move { connect_with(&config).await.map(drop).map_err(|error| code(&error)) }
        };
        for wrong in ["one", "two", "three"] {
            assert_eq!(guess(wrong).await, Err("28P01".to_owned()));
        }
        let mut guesses = tokio::task::JoinSet::new();
        (0..100).for_each(|_| drop(guesses.spawn(guess("four"))));
        let mut is_refused = false;
        while let Some(Ok(answer)) = guesses.join_next().await {
            is_refused = answer == Err("28000".to_owned());
            if is_refused {
                break;
            }
        }
        assert!(is_refused, "a hundred guesses at once are too many");
    });
}

#[test]
fn texts_that_cost_much_to_read_are_refused_or_answered() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        assert_eq!(simple(&client, &";".repeat(200_000)).await, Vec::<String>::new());
        assert_eq!(simple(&client, &"SELECT 1;".repeat(100)).await.len(), 100);
        for (text, expected) in [
            (format!("SELECT 1{}", " = 1".repeat(50_000)), "54001"),
            (format!("SELECT 1{}", " IS NULL".repeat(50_000)), "54001"),
            (format!("SELECT {}1{}", "(".repeat(50_000), ")".repeat(50_000)), "42601"),
            (format!("SELECT '{}'", "x".repeat(2_000_000)), "54000"),
        ] {
            assert_eq!(code(&try_simple(&client, &text).await.unwrap_err()), expected, "simple: {}", &text[..20]);
            assert_eq!(code(&client.query(&text, &[]).await.unwrap_err()), expected, "extended: {}", &text[..20]);
        }
        let many = format!("SELECT {}", vec!["$1"; 1000].join(", "));
        assert_eq!(client.query_one(&many, &[&"x"]).await.unwrap().len(), 1000);
        let ones = vec![1_i64; 100_001];
        let error = client.query("SELECT 1 WHERE 1 = ANY($1::bigint[])", &[&ones]).await.unwrap_err();
        assert_eq!(code(&error), "22P02");
    });
}

/// Numbers that look random, and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

const TEXTS: [&str; 23] = [
    "SELECT 1",
    "SELECT $1::int + 1",
    "SELECT account_id, posted FROM balances WHERE account_id = $1 LIMIT $2",
    "SELECT posted * $1 FROM balances WHERE ts > $2",
    "SELECT $1 = ANY($2::bigint[])",
    "SELECT value FROM generate_series(1, 5)",
    "SELECT 'it''s', \"account_id\" FROM balances -- the end",
    "SELECT 1; SELECT 2;",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SHOW ALL",
    "SET statement_timeout = 1000",
    "SET headwater.commit = 1",
    "DECLARE c CURSOR FOR SELECT value FROM generate_series(1, 5)",
    "FETCH 2 FROM c",
    "COPY balances TO STDOUT (FORMAT csv, HEADER)",
    "COPY (SELECT account_id, posted FROM balances) TO STDOUT (FORMAT binary)",
    "COPY balances FROM STDIN",
    "CLOSE c",
    "DISCARD ALL",
    "DELETE FROM balances",
    "",
];
const NAMES: [&str; 4] = ["", "s", "c", "p"];
/// Types of parameters: unknown, bigint, integer, text, numeric, timestamptz, bigint[], text[], point.
const TYPES: [u32; 9] = [0, 20, 23, 25, 1700, 1184, 1016, 1009, 600];
const VALUES: [&[u8]; 9] = [
    b"",
    b"1",
    b"a",
    b"{1,2}",
    b"2026-01-31T09:30:00Z",
    &[0, 0, 0, 0, 0, 0, 0, 5],
    &[0, 0, 0, 7],
    &[0, 1, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1],
];

/// A message that a client could send: its kind and its body.
fn valid(numbers: &mut Numbers) -> (u8, Vec<u8>) {
    let text = |text: &str| [text.as_bytes(), b"\0"].concat();
    match numbers.below(10) {
        0 | 1 => (b'Q', text(numbers.of(&TEXTS))),
        2 | 3 => {
            let mut body = [text(numbers.of(&NAMES)), text(numbers.of(&TEXTS))].concat();
            let types = numbers.below(3);
            body.extend(u16::try_from(types).unwrap().to_be_bytes());
            (0..types).for_each(|_| body.extend(TYPES[numbers.below(TYPES.len())].to_be_bytes()));
            (b'P', body)
        }
        4 | 5 => {
            let mut body = [text(numbers.of(&NAMES)), text(numbers.of(&NAMES))].concat();
            body.extend([0, 1, 0, numbers.byte() % 2]);
            let values = numbers.below(3);
            body.extend(u16::try_from(values).unwrap().to_be_bytes());
            for _ in 0..values {
                let value = numbers.of(&VALUES);
                body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                body.extend(value);
            }
            body.extend([0, 1, 0, numbers.byte() % 2]);
            (b'B', body)
        }
        6 => (*numbers.of(&[&b'D', &b'C']), [&[*numbers.of(&[&b'S', &b'P'])], &text(numbers.of(&NAMES))[..]].concat()),
        7 => (b'E', [text(numbers.of(&NAMES)), vec![0, 0, 0, numbers.byte() % 3]].concat()),
        8 => (b'S', Vec::new()),
        _ => (*numbers.of(&[&b'H', &b'S', &b'd', &b'p']), Vec::new()),
    }
}

/// The bytes of a message, of which every other one is not as it should be.
fn mutated(numbers: &mut Numbers) -> Vec<u8> {
    let (mut kind, mut body) = valid(numbers);
    let mut lie = 8;
    match numbers.below(16) {
        0..=2 => {
            let place = numbers.below(body.len());
            if let Some(byte) = body.get_mut(place) {
                *byte = numbers.byte();
            }
        }
        3 => body.truncate(numbers.below(body.len())),
        4 => body.extend((0..numbers.below(8)).map(|_| numbers.byte()).collect::<Vec<_>>()),
        5 => kind = numbers.byte(),
        6 => lie = numbers.below(17),
        7 => body = (0..numbers.below(64)).map(|_| numbers.byte()).collect(),
        _ => {}
    }
    // Now and then the length is up to eight too large or too small.
    let length = (body.len() + 4 + lie).saturating_sub(8);
    [&[kind], &u32::try_from(length).unwrap().to_be_bytes()[..], &body].concat()
}

/// Messages in all; more with `HEADWATER_MESSAGES`.
const MESSAGES: usize = 10_000;
const MESSAGES_OF_A_CONVERSATION: usize = 40;

/// Threads of the server that panicked.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if thread::current().name().is_some_and(|name| name.starts_with("headwater")) {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        before(panic);
    }));
}

#[test]
fn mutated_conversations_harm_nobody() {
    count_panics();
    let data = example();
    let config = ServeConfig { timeout_seconds: 10, ..ServeConfig::default() };
    let server = serve_with(&data, config);
    let messages = std::env::var("HEADWATER_MESSAGES").ok().and_then(|number| number.parse().ok()).unwrap_or(MESSAGES);
    let conversation = |seed: usize| {
        let mut numbers = Numbers(u64::try_from(seed).unwrap());
        let mut raw = Raw::open(&server);
        raw.0.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut answers = raw.0.try_clone().unwrap();
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            answers.read_to_end(&mut all).map_err(|error| error.kind())
        });
        if numbers.below(20) > 0 {
            raw.startup("ann");
        }
        let bytes: Vec<u8> = (0..MESSAGES_OF_A_CONVERSATION).flat_map(|_| mutated(&mut numbers)).collect();
        // The server may have ended it before.
        let _ = raw.0.write_all(&bytes);
        let _ = raw.0.shutdown(std::net::Shutdown::Write);
        let ended = reader.join().unwrap();
        let waits = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
        assert!(!ended.is_err_and(|error| waits.contains(&error)), "conversation {seed} has no end");
    };
    thread::scope(|scope| {
        let conversation = &conversation;
        for part in 0..4 {
            scope.spawn(move || (part..messages / MESSAGES_OF_A_CONVERSATION).step_by(4).for_each(conversation));
        }
        scope.spawn(|| {
            run(async {
                let other = connect(&server).await;
                for _ in 0..50 {
                    assert_eq!(simple(&other, "SELECT COUNT(*) FROM balances").await, ["2"]);
                }
            });
        });
    });
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "threads of the server panicked");
    run(async { assert_eq!(simple(&connect(&server).await, "SELECT COUNT(*) FROM balances").await, ["2"]) });
}

#[test]
fn mutated_proofs_of_passwords_let_nobody_in() {
    let data = example();
    let server = serve_with(&data, with_users());
    let first = b"n,,n=,r=rOprNGfwEbeRWgbNEkqO";
    for seed in 0..200 {
        let mut numbers = Numbers(seed);
        let mut raw = Raw::open(&server);
        raw.startup("ann");
        let mut body = [&b"SCRAM-SHA-256\0"[..], &u32::try_from(first.len()).unwrap().to_be_bytes(), first].concat();
        match numbers.below(3) {
            0 => body.truncate(numbers.below(body.len())),
            1 => {
                let place = numbers.below(body.len());
                body[place] = numbers.byte();
            }
            _ => body = (0..numbers.below(64)).map(|_| numbers.byte()).collect(),
        }
        raw.send(b'p', &body);
        let _ = raw.0.shutdown(std::net::Shutdown::Write);
        let answer = raw.rest();
        assert!(!answer.ends_with(b"Z\0\0\0\x05I"), "{seed}: {body:?}");
    }
}

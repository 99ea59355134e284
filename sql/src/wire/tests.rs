//! The server with a real client, `tokio-postgres`, and with bytes that no client would send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::config::{ServeConfig, UserConfig};
use super::numeric;
use super::scram::Secret;
use super::server::{ServeError, Server};
use crate::SqlConfig;
use crate::testing::{TestData, at, balance, changes, facts, leg};
use headwater_schemas::Money;

/// A query that works for hours.
const LONG: &str = "SELECT SUM(a.value % 7 * b.value) FROM generate_series(1, 1000000) a CROSS JOIN generate_series(1, 1000000) b";

fn serve(data: &TestData) -> Server {
    serve_with(data, ServeConfig::default())
}

fn serve_with(data: &TestData, config: ServeConfig) -> Server {
    Server::start(data.path(), "127.0.0.1:0", config, SqlConfig { threads: 2, ..SqlConfig::default() }).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn settings(server: &Server, user: &str) -> Config {
    let mut config = Config::new();
    config.host(server.address().ip().to_string()).port(server.address().port()).user(user).dbname("headwater");
    config
}

async fn connect_with(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn connect(server: &Server) -> Client {
    connect_with(&settings(server, "ann")).await.unwrap()
}

/// The rows of a text of statements in the simple protocol; NULL is `NULL`.
async fn simple(client: &Client, sql: &str) -> Vec<String> {
    try_simple(client, sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

async fn try_simple(client: &Client, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let messages = client.simple_query(sql).await?;
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).unwrap_or("NULL").to_owned()).collect::<Vec<_>>().join("|"))
        }
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| format!("{error:?}"), |code| code.code().to_owned())
}

/// A number in the binary format.
#[derive(Debug, PartialEq)]
struct Number(String);

impl<'a> FromSql<'a> for Number {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(numeric::text(bytes).ok_or("no number")?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }
}

impl ToSql for Number {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        if numeric::append(&self.0, out) { Ok(IsNull::No) } else { Err("no number".into()) }
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }

    to_sql_checked!();
}

fn number(text: &str) -> Number {
    Number(text.to_owned())
}

fn example() -> TestData {
    let mut data = TestData::new();
    data.commit(vec![changes(&[(balance("a", 1, at(5, 52_200)), 1), (balance("b", -20, at(5, 52_201)), 1)])]);
    data
}

#[test]
fn both_protocols_answer_from_the_newest_commit() {
    let mut data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        let sql = "SELECT account_id, posted, ts FROM balances ORDER BY account_id";
        assert_eq!(simple(&client, sql).await, ["a|1|2026-01-05 14:30:00+00", "b|-20|2026-01-05 14:30:01+00"]);
        let rows = client.query(sql, &[]).await.unwrap();
        let [a, b] = rows.as_slice() else { panic!("{} rows", rows.len()) };
        assert_eq!((a.get::<_, &str>(0), a.get::<_, Number>("posted")), ("a", number("1")));
        assert_eq!(b.get::<_, SystemTime>("ts"), UNIX_EPOCH + Duration::from_secs(1_767_623_401));
        data.commit(vec![changes(&[(balance("c", 7, at(6, 0)), 1)])]);
        assert_eq!(simple(&client, "SELECT COUNT(*) FROM balances").await, ["3"]);
        assert_eq!(client.query_one("SELECT COUNT(*) FROM balances", &[]).await.unwrap().get::<_, i64>(0), 3);
    });
}

#[test]
fn values_of_every_type_are_the_same_in_text_and_binary() {
    let data = example();
    let server = serve(&data);
    let sql = "SELECT true AS b, CAST(-7 AS SMALLINT) AS s, CAST(-70000 AS INT) AS i, -7000000000 AS l, CAST(0.1 AS DOUBLE) AS d, \
               CAST('1.5' AS REAL) AS r, 'tëxt' AS t, X'00ff' AS y, DATE '2026-01-31' AS day, \
               CAST('2026-01-31T09:30:00.123456789' AS TIMESTAMP) AS ts, CAST('1969-12-31T23:59:59.999999999Z' AS TIMESTAMPTZ) AS tz, \
               [1, NULL, 2] AS list, NAMED_STRUCT('a', 1.50, 'b', 'x\"y') AS fields, NULL AS nothing, \
               CAST('99999999999999999999999999999.999999999' AS DECIMAL(38,9)) AS big, \
               CAST('-0.000000001' AS DECIMAL(38,9)) AS small, 1.0 / 3 AS third";
    let expected = "t|-7|-70000|-7000000000|0.1|1.5|tëxt|\\x00ff|2026-01-31|2026-01-31 09:30:00.123456|1969-12-31 23:59:59.999999+00|\
                    [1,null,2]|{\"a\":\"1.5\",\"b\":\"x\\\"y\"}|NULL|99999999999999999999999999999.999999999|-0.000000001|\
                    0.3333333333333333333333333333";
    run(async {
        let client = connect(&server).await;
        assert_eq!(simple(&client, sql).await, [expected]);
        let row = client.query_one(sql, &[]).await.unwrap();
        let types: Vec<_> = row.columns().iter().map(|column| column.type_().name()).collect();
        let names = [
            "bool",
            "int2",
            "int4",
            "int8",
            "float8",
            "float4",
            "text",
            "bytea",
            "date",
            "timestamp",
            "timestamptz",
            "json",
            "json",
            "text",
        ];
        assert_eq!(types, [&names[..], &["numeric", "numeric", "numeric"]].concat());
        assert!(row.get::<_, bool>("b"));
        assert_eq!((row.get::<_, i16>("s"), row.get::<_, i32>("i"), row.get::<_, i64>("l")), (-7, -70_000, -7_000_000_000));
        assert!((row.get::<_, f64>("d") - 0.1).abs() < f64::EPSILON && (row.get::<_, f32>("r") - 1.5).abs() < f32::EPSILON);
        assert_eq!((row.get::<_, &str>("t"), row.get::<_, &[u8]>("y")), ("tëxt", &[0, 255][..]));
        let micros = |time: SystemTime| time.duration_since(UNIX_EPOCH).map(|since| since.as_micros());
        assert_eq!(micros(row.get("ts")).unwrap(), 1_769_851_800_123_456);
        assert_eq!(row.get::<_, SystemTime>("tz"), UNIX_EPOCH - Duration::from_micros(1));
        assert_eq!(row.get::<_, Option<&str>>("nothing"), None);
        assert_eq!(row.get::<_, Number>("big"), number("99999999999999999999999999999.999999999"));
        assert_eq!(row.get::<_, Number>("small"), number("-0.000000001"));
        assert_eq!(row.get::<_, Number>("third"), number("0.3333333333333333333333333333"));
    });
}

#[test]
fn columns_of_every_table_are_described_and_sent() {
    let mut data = example();
    data.commit(vec![facts(&[leg("t1", 1, "a", "EUR", Money::whole(1), at(1, 0))])]);
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        let tables = simple(&client, "SELECT relname FROM pg_class ORDER BY relname").await;
        assert!(tables.len() > 50, "{}", tables.len());
        for table in tables {
            let in_text = simple(&client, &format!("SELECT * FROM {table}")).await;
            let in_binary = client.query(&format!("SELECT * FROM {table}"), &[]).await.unwrap_or_else(|error| panic!("{table}: {error:?}"));
            assert_eq!(in_text.len(), in_binary.len(), "{table}");
        }
    });
}

#[test]
fn parameters_are_exact_and_have_the_types_of_their_use() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        let statement =
            client.prepare("SELECT account_id, posted * $1 FROM balances WHERE account_id = $2 AND ts > $3 LIMIT $4").await.unwrap();
        let types: Vec<_> = statement.params().iter().map(Type::name).collect();
        assert_eq!(types, ["numeric", "text", "timestamptz", "int8"]);
        let product = "1234567890123456789012345.000000001";
        let row = client.query_one(&statement, &[&number(product), &"a", &UNIX_EPOCH, &5_i64]).await.unwrap();
        assert_eq!(row.get::<_, Number>(1), number(product));
        let nothing = client.query(&statement, &[&number("1"), &None::<&str>, &UNIX_EPOCH, &5_i64]).await.unwrap();
        assert!(nothing.is_empty(), "NULL equals nothing");
        let attack = "x' OR '1' = '1";
        let row = client.query_one("SELECT $1, LENGTH($1), $2::bigint + 1", &[&attack, &-2_i64]).await.unwrap();
        assert_eq!((row.get::<_, &str>(0), row.get::<_, i32>(1), row.get::<_, i64>(2)), (attack, 14, -1));
        let row = client
            .query_one("SELECT $1::double precision, $2::boolean, $3::date = DATE '2026-01-31'", &[&0.1_f64, &true, &Day(9527)])
            .await;
        let row = row.unwrap();
        assert!((row.get::<_, f64>(0) - 0.1).abs() < f64::EPSILON && row.get::<_, bool>(1) && row.get::<_, bool>(2));
        for wrong in ["SELECT $0", "SELECT $1 + balances.nothing FROM balances"] {
            assert!(client.prepare(wrong).await.is_err(), "{wrong}");
        }
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
    });
}

/// A day since 2000 in the binary format.
#[derive(Debug)]
struct Day(i32);

impl ToSql for Day {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::DATE
    }

    to_sql_checked!();
}

#[test]
fn a_portal_gives_rows_in_parts() {
    let data = example();
    let server = serve(&data);
    run(async {
        let mut client = connect(&server).await;
        let transaction = client.transaction().await.unwrap();
        let portal = transaction.bind("SELECT value FROM generate_series(1, 20005)", &[]).await.unwrap();
        let mut found = Vec::new();
        loop {
            let rows = transaction.query_portal(&portal, 4000).await.unwrap();
            found.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
            if rows.len() < 4000 {
                break;
            }
        }
        assert!(found.iter().copied().eq(1..=20_005));
        // The greatest limit that a client can give takes no memory by itself.
        let portal = transaction.bind("SELECT 1", &[]).await.unwrap();
        assert_eq!(transaction.query_portal(&portal, i32::MAX).await.unwrap().len(), 1);
        transaction.commit().await.unwrap();
    });
}

#[test]
fn one_text_may_have_several_statements_or_none() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        assert_eq!(simple(&client, "SELECT 1; SELECT 'a;b'; -- the end\nSELECT 3;").await, ["1", "a;b", "3"]);
        for empty in ["", ";", " ; -- nothing"] {
            assert_eq!(simple(&client, empty).await, Vec::<String>::new(), "{empty:?}");
        }
        client.execute("", &[]).await.unwrap();
        // After an error the others are not run.
        let error = try_simple(&client, "SELECT 1; SELECT nothing; SELECT 3").await.unwrap_err();
        assert_eq!(code(&error), "42703");
        assert_eq!(simple(&client, "SELECT 4").await, ["4"]);
    });
}

#[test]
fn errors_have_codes_and_positions_and_the_connection_stays() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        for (sql, expected) in [
            ("SELEC 1", "42601"),
            ("SELECT * FROM no_such_table", "42P01"),
            ("SELECT nothing FROM balances", "42703"),
            ("SELECT 1 / 0", "22012"),
            ("SELECT CAST('x' AS INT)", "22P02"),
            ("SELECT no_such_function(1)", "42883"),
            ("SHOW no_such_setting", "42704"),
            ("SELECT REPEAT('x', 2000000000)", "53200"),
        ] {
            assert_eq!(code(&try_simple(&client, sql).await.unwrap_err()), expected, "simple: {sql}");
            assert_eq!(code(&client.query(sql, &[]).await.unwrap_err()), expected, "extended: {sql}");
        }
        let error = try_simple(&client, "SELECT 1; SELEC 2").await.unwrap_err();
        let position = error.as_db_error().unwrap().position();
        assert!(matches!(position, Some(tokio_postgres::error::ErrorPosition::Original(11))), "{position:?}");
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
    });
}

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
            "COPY balances TO STDOUT",
            "COPY balances FROM PROGRAM 'id'",
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
            let allowed = ["25006", "0A000", "42601", "42P01", "42883", "42704", "42000"];
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
fn a_transaction_sees_one_commit_until_its_end() {
    let mut data = example();
    let server = serve(&data);
    let count = "SELECT COUNT(*) FROM balances";
    run(async {
        let client = connect(&server).await;
        simple(&client, "BEGIN TRANSACTION READ ONLY").await;
        data.commit(vec![changes(&[(balance("c", 7, at(6, 0)), 1)])]);
        assert_eq!(simple(&client, count).await, ["2"]);
        assert_eq!(simple(&connect(&server).await, count).await, ["3"], "another connection sees the newest");
        simple(&client, "COMMIT").await;
        assert_eq!(simple(&client, count).await, ["3"]);
        // A transaction that has failed does nothing until its end.
        simple(&client, "BEGIN").await;
        assert!(try_simple(&client, "SELECT 1 / 0").await.is_err());
        assert_eq!(code(&try_simple(&client, "SELECT 1").await.unwrap_err()), "25P02");
        assert_eq!(code(&client.query("SELECT 1", &[]).await.unwrap_err()), "25P02");
        simple(&client, "ROLLBACK").await;
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
    });
}

#[test]
fn an_earlier_commit_can_be_set() {
    let mut data = example();
    data.commit(vec![changes(&[(balance("c", 7, at(6, 0)), 1)])]);
    let server = serve(&data);
    let count = "SELECT COUNT(*), MAX(commit_id) FROM balances";
    run(async {
        let client = connect(&server).await;
        assert_eq!(simple(&client, count).await, ["3|2"]);
        simple(&client, "SET headwater.commit = 1").await;
        assert_eq!(simple(&client, count).await, ["2|1"]);
        assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 2);
        assert_eq!(simple(&client, "SHOW headwater.commit").await, ["1"]);
        assert_eq!(code(&try_simple(&client, "SET headwater.commit = 99").await.unwrap_err()), "22023");
        assert_eq!(simple(&client, count).await, ["2|1"], "a commit that there is not changes nothing");
        for newest in
            ["SET headwater.commit = 0", "SET headwater.commit = 1; SET headwater.commit TO DEFAULT", "SET headwater.commit = 1; RESET ALL"]
        {
            simple(&client, newest).await;
            assert_eq!(simple(&client, count).await, ["3|2"], "{newest}");
        }
        simple(&client, "BEGIN").await;
        assert_eq!(code(&try_simple(&client, "SET headwater.commit = 1").await.unwrap_err()), "25001");
        simple(&client, "ROLLBACK").await;
    });
}

#[test]
fn clients_find_the_settings_and_functions_that_they_ask_for() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        for (sql, expected) in [
            ("SHOW server_version_num", "150000"),
            ("SHOW transaction_isolation", "repeatable read"),
            ("SHOW TRANSACTION ISOLATION LEVEL", "repeatable read"),
            ("SHOW client_encoding", "UTF8"),
            ("SET application_name = 'x'; SHOW application_name", "x"),
            ("SET extra_float_digits = 3; SELECT current_setting('extra_float_digits')", "3"),
            ("SELECT current_database(), current_schema(), current_user, session_user", "headwater|public|ann|ann"),
            ("SELECT pg_backend_pid() > 0, pg_is_in_recovery()", "t|f"),
            ("SELECT setting FROM pg_settings WHERE name = 'TimeZone'", "UTC"),
            ("SELECT 'balances'::regclass::oid = (SELECT oid FROM pg_class WHERE relname = 'balances')", "t"),
            ("SELECT format_type(1700, 38 * 65536 + 9 + 4)", "numeric(38,9)"),
            ("SELECT has_table_privilege('balances', 'SELECT'), has_table_privilege('balances', 'INSERT')", "t|f"),
            (
                "SELECT description FROM pg_description WHERE objoid = 'commits'::regclass",
                "a commit: a range of ticks of all tables at once",
            ),
        ] {
            assert_eq!(simple(&client, sql).await, [expected], "{sql}");
        }
        assert!(simple(&client, "SELECT version()").await[0].starts_with("PostgreSQL 15.0 (Headwater "));
        assert_eq!(code(&try_simple(&client, "SET TimeZone = 'Europe/Berlin'").await.unwrap_err()), "22023");
        let names = client.query_one("SELECT 1, count(*), now()::date FROM balances", &[]).await.unwrap();
        let names: Vec<_> = names.columns().iter().map(|column| column.name().to_owned()).collect();
        assert_eq!(names, ["?column?", "count", "now"]);
        let plan = simple(&client, "EXPLAIN SELECT * FROM balances").await;
        assert!(plan.iter().any(|line| line.contains("logical_plan")), "{plan:?}");
        let described = client.query("DESCRIBE balances", &[]).await.unwrap();
        assert_eq!(described.first().map(|row| row.get::<_, String>(0)), Some("account_id".to_owned()));
    });
}

/// Cancels a query until it ends: a request before it works does nothing.
async fn until_cancelled<T>(query: impl Future<Output = T>, token: &tokio_postgres::CancelToken) -> T {
    tokio::pin!(query);
    loop {
        tokio::select! {
            biased;
            result = &mut query => return result,
            () = tokio::time::sleep(Duration::from_millis(200)) => token.cancel_query(NoTls).await.unwrap(),
        }
    }
}

#[test]
fn a_query_is_cancelled_and_the_connection_stays() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        let token = client.cancel_token();
        let result = until_cancelled(client.query(LONG, &[]), &token).await;
        assert_eq!(code(&result.unwrap_err()), "57014");
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
        // A request without a query cancels nothing later.
        token.cancel_query(NoTls).await.unwrap();
        assert_eq!(simple(&client, "SELECT 2").await, ["2"]);
    });
}

#[test]
fn a_statement_ends_with_its_time() {
    let data = example();
    let server = serve_with(&data, ServeConfig { timeout_seconds: 1, ..ServeConfig::default() });
    run(async {
        let client = connect(&server).await;
        let by_server = try_simple(&client, LONG).await.unwrap_err();
        assert_eq!(code(&by_server), "57014");
        assert!(by_server.as_db_error().unwrap().message().contains("after 1 s"));
        simple(&client, "SET statement_timeout = 200").await;
        let by_client = client.query(LONG, &[]).await.unwrap_err();
        assert!(by_client.as_db_error().unwrap().message().contains("statement_timeout"));
        simple(&client, "RESET statement_timeout").await;
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
    });
}

#[test]
fn rows_and_connections_have_limits() {
    let data = example();
    let server = serve_with(&data, ServeConfig { max_rows: 100, max_connections: 2, ..ServeConfig::default() });
    run(async {
        let client = connect(&server).await;
        let series = |count: usize| format!("SELECT value FROM generate_series(1, {count})");
        assert_eq!(simple(&client, &series(100)).await.len(), 100);
        assert_eq!(code(&try_simple(&client, &series(101)).await.unwrap_err()), "54000");
        assert_eq!(code(&client.query(&series(101), &[]).await.unwrap_err()), "54000");
        let second = connect(&server).await;
        assert_eq!(code(&connect_with(&settings(&server, "ann")).await.err().unwrap()), "53300");
        drop(second);
        let began = Instant::now();
        while connect_with(&settings(&server, "ann")).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "a connection that was closed counts no more");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
    });
}

#[test]
fn queries_wait_for_their_turn() {
    let data = example();
    let server = serve_with(&data, ServeConfig { max_queries: 1, ..ServeConfig::default() });
    run(async {
        let (first, second) = (connect(&server).await, connect(&server).await);
        let token = first.cancel_token();
        let long = first.simple_query(LONG);
        tokio::pin!(long);
        // Once the first works, the second waits until its time is over.
        simple(&second, "SET statement_timeout = 500").await;
        let waited = async {
            loop {
                if let Err(error) = try_simple(&second, "SELECT 1").await {
                    return error;
                }
            }
        };
        tokio::select! {
            ended = &mut long => panic!("it ended: {ended:?}"),
            waited = waited => assert_eq!(code(&waited), "57014"),
        }
        assert_eq!(code(&until_cancelled(long, &token).await.unwrap_err()), "57014");
        simple(&second, "RESET statement_timeout").await;
        assert_eq!(simple(&second, "SELECT 1").await, ["1"]);
    });
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
            "SELECT * FROM invariants",
            "DESCRIBE alerts",
            "EXPLAIN SELECT * FROM alerts",
        ] {
            assert_eq!(code(&try_simple(&client, sql).await.unwrap_err()), "42501", "simple: {sql}");
            assert_eq!(code(&client.query(sql, &[]).await.unwrap_err()), "42501", "extended: {sql}");
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
    assert!(start("0.0.0.0:0", with_users()).is_ok());
    let nowhere = data.path().join("nothing.pem");
    let tls = ServeConfig { tls_certificate: Some(nowhere.clone()), tls_key: Some(nowhere), ..ServeConfig::default() };
    assert!(matches!(start("127.0.0.1:0", tls), Err(ServeError::Tls(_))));
    let mut views = with_users();
    if let Some(bob) = views.users.get_mut("bob") {
        bob.tables = Some(vec!["positions".to_owned(), "holdings".to_owned()]);
    }
    assert!(matches!(start("127.0.0.1:0", views), Err(ServeError::Relation { relation, .. }) if relation == "positions"));
}

/// A connection that sends what it likes.
struct Raw(TcpStream);

impl Raw {
    fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(stream)
    }

    /// A session that is ready.
    fn start(server: &Server) -> Self {
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

    fn send(&mut self, kind: u8, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        self.0.write_all(&[&[kind], &length[..], body].concat()).unwrap();
    }

    /// What is sent until the server ends the connection.
    fn rest(&mut self) -> Vec<u8> {
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

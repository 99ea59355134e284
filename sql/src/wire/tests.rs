//! The server with a real client, `tokio-postgres`, and with bytes that no client would send.

mod access;
mod attacks;
mod clients;
mod copies;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{BufMut, BytesMut};
use futures::TryStreamExt;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::config::ServeConfig;
use super::numeric;
use super::server::Server;
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

/// What a `COPY` to the client sends.
async fn copied(client: &Client, sql: &str) -> Result<Vec<u8>, tokio_postgres::Error> {
    let parts: Vec<_> = client.copy_out(sql).await?.try_collect().await?;
    Ok(parts.concat())
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

/// An interval in the binary format.
#[derive(Debug)]
struct Lapse {
    micros: i64,
    days: i32,
    months: i32,
}

impl ToSql for Lapse {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_i64(self.micros);
        out.put_i32(self.days);
        out.put_i32(self.months);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::INTERVAL
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
fn a_cast_to_a_text_of_limited_length_is_cut_for_clients() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        assert_eq!(
            simple(&client, "SELECT 'abcdef'::varchar(3), CAST('abcdef' AS CHARACTER VARYING(4)), 'abcdef'::bpchar(2)").await,
            ["abc|abcd|ab"]
        );
        let row = client.query_one("SELECT $1::varchar(3), account_id::char(1) FROM balances LIMIT 1", &[&"abcdef"]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), "abc");
        assert_eq!(row.columns().get(1).map(|column| column.name()), Some("account_id"));
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
        // Up to a savepoint it can be taken back.
        simple(&client, "BEGIN; SAVEPOINT a; SAVEPOINT b").await;
        assert!(try_simple(&client, "SELECT 1 / 0").await.is_err());
        assert_eq!(code(&try_simple(&client, "ROLLBACK TO SAVEPOINT c").await.unwrap_err()), "3B001");
        simple(&client, "ROLLBACK TO SAVEPOINT a").await;
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
        assert_eq!(code(&try_simple(&client, "RELEASE SAVEPOINT b").await.unwrap_err()), "3B001");
        simple(&client, "ROLLBACK").await;
        assert_eq!(code(&try_simple(&client, "SAVEPOINT a").await.unwrap_err()), "25P01");
    });
}

#[test]
fn a_cursor_goes_forward_until_its_transaction_ends() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        let declare = "DECLARE c CURSOR FOR SELECT value FROM generate_series(1, 5)";
        assert_eq!(code(&try_simple(&client, declare).await.unwrap_err()), "25P01");
        simple(&client, "BEGIN").await;
        client.execute(declare, &[]).await.unwrap();
        assert_eq!(simple(&client, "FETCH 2 FROM c").await, ["1", "2"]);
        let rows = client.query("FETCH FORWARD 2 FROM c", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(simple(&client, "FETCH ALL FROM c").await, ["5"]);
        assert_eq!(simple(&client, "FETCH ALL FROM c; CLOSE c").await, Vec::<String>::new());
        assert_eq!(code(&try_simple(&client, "FETCH 1 FROM c").await.unwrap_err()), "34000");
        simple(&client, "ROLLBACK").await;
        simple(&client, &format!("BEGIN; {declare}; COMMIT; BEGIN")).await;
        assert_eq!(code(&try_simple(&client, "FETCH 1 FROM c").await.unwrap_err()), "34000");
        simple(&client, "ROLLBACK").await;
    });
}

#[test]
fn arrays_are_parameters() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        let named = "SELECT account_id FROM balances WHERE account_id = ANY($1) ORDER BY 1";
        let of = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>();
        assert_eq!(of(client.query(named, &[&vec!["b", "it's", "a"]]).await.unwrap()), ["a", "b"]);
        assert_eq!(of(client.query(named, &[&vec![Some("a"), None]]).await.unwrap()), ["a"]);
        assert_eq!(of(client.query(named, &[&Vec::<&str>::new()]).await.unwrap()), Vec::<String>::new());
        let others = "SELECT account_id FROM balances WHERE account_id <> ALL($1)";
        assert_eq!(of(client.query(others, &[&vec!["a"]]).await.unwrap()), ["b"]);
        let count = "SELECT COUNT(*) FROM generate_series(1, 10) WHERE value = ANY($1)";
        assert_eq!(client.query_one(count, &[&vec![1_i64, 5, 77]]).await.unwrap().get::<_, i64>(0), 2);
        let money = "SELECT COUNT(*) FROM balances WHERE posted = ANY($1)";
        assert_eq!(client.query_one(money, &[&vec![number("1"), number("-20.000000001")]]).await.unwrap().get::<_, i64>(0), 1);
        let written = "SELECT COUNT(*) FROM balances WHERE account_id = ANY('{a,b}') AND posted <> ALL(ARRAY[1, 2])";
        assert_eq!(simple(&client, written).await, ["1"]);
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
                "SELECT obj_description(oid, 'pg_class'), col_description(oid, 4) FROM pg_class WHERE relname = 'commits'",
                "a commit: a range of ticks of all tables at once|The first tick after those that it closed.",
            ),
            (
                "SELECT description FROM pg_description WHERE objoid = 'commits'::regclass AND objsubid = 0",
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

#[test]
fn an_interval_in_the_binary_format_is_a_parameter() {
    let data = example();
    let server = serve(&data);
    run(async {
        let client = connect(&server).await;
        // The balances are of 14:30:00 and 14:30:01 on the 5th of January.
        for (sql, lapse, expected) in [
            (
                "SELECT COUNT(*) FROM balances WHERE ts > '2026-01-05T15:00:00Z'::timestamptz - $1::interval",
                Lapse { micros: 1_800_000_000, days: 0, months: 0 },
                1,
            ),
            (
                "SELECT COUNT(*) FROM balances WHERE ts > '2026-01-05T15:00:00Z'::timestamptz - $1::interval",
                Lapse { micros: 1_800_000_001, days: 0, months: 0 },
                2,
            ),
            (
                "SELECT COUNT(*) FROM balances WHERE ts >= '2026-02-04T14:30:01Z'::timestamptz + $1::interval",
                Lapse { micros: 0, days: 1, months: -1 },
                1,
            ),
        ] {
            let count = client.query_one(sql, &[&lapse]).await.unwrap_or_else(|error| panic!("{lapse:?}: {error:?}"));
            assert_eq!(count.get::<_, i64>(0), expected, "{lapse:?}");
        }
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
        let result = until_cancelled(copied(&client, &format!("COPY ({LONG}) TO STDOUT")), &token).await;
        assert_eq!(code(&result.unwrap_err()), "57014");
        assert_eq!(simple(&client, "SELECT 1").await, ["1"]);
        // A request without a query cancels nothing later.
        token.cancel_query(NoTls).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
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
        assert_eq!(code(&copied(&client, &format!("COPY ({LONG}) TO STDOUT")).await.unwrap_err()), "57014");
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
        assert_eq!(copied(&client, &format!("COPY ({}) TO STDOUT", series(100))).await.unwrap().split(|byte| *byte == b'\n').count(), 101);
        assert_eq!(code(&copied(&client, &format!("COPY ({}) TO STDOUT", series(101))).await.unwrap_err()), "54000");
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

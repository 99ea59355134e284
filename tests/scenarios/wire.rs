//! SQL for PostgreSQL clients through the real binary, with real clients: psql, where it is installed, and those of Python.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use headwater_connectors::testing::workspace;
use headwater_tests::exposition::{free_address, wait_until};
use headwater_tests::maven::jars;
use headwater_tests::pipeline::{PLAIN, binary, run, succeed, write_log};
use headwater_tests::scripts::python;
use headwater_tests::serving::{Serving, figure, has_psql, psql};

const ACCOUNTS: &str = "{\"type\":\"opened\",\"account_id\":\"A1\",\"customer_id\":\"C1\",\"account_type\":\"checking\",\"currency\":\"USD\",\
                        \"ts\":\"2026-01-05T14:00:00Z\"}\n";

fn deposit(number: u32) -> String {
    format!(
        "{{\"transaction_id\":\"T{number}\",\"account_id\":\"A1\",\"type\":\"deposit\",\"amount\":\"100.25\",\"currency\":\"USD\",\
         \"ts\":\"2026-01-05T14:{number:02}:00Z\"}}\n"
    )
}

fn committed(folder: &Path) -> Result<std::path::PathBuf> {
    let (log, data) = (folder.join("log"), folder.join("data"));
    write_log(&log, "accounts", 0, ACCOUNTS)?;
    write_log(&log, "transactions", 0, &format!("{}{}", deposit(1), deposit(2)))?;
    run(&format!("log:{}", log.display()), &data, PLAIN)?;
    Ok(data)
}

#[test]
fn psql_finds_tables_columns_and_rows() -> Result<()> {
    if !has_psql() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let data = committed(folder.path())?;
    let server = Serving::start(&data, "")?;
    assert_eq!(server.printed(&["-Atc", "SELECT account_id, posted FROM balances WHERE account_id = 'A1'"])?, "A1|200.5\n");
    assert_eq!(server.printed(&["-Atc", "SELECT 1; SELECT 2"])?, "1\n2\n");
    let tables = server.printed(&["-Atc", "\\dt"])?;
    assert!(tables.lines().any(|line| line == "public|balances|table|headwater"), "{tables}");
    assert!(!tables.contains("positions|"), "a view is no table");
    let views = server.printed(&["-Atc", "\\dv"])?;
    assert!(views.lines().any(|line| line == "public|positions|view|headwater"), "{views}");
    for command in [
        "\\d",
        "\\d balances",
        "\\d positions",
        "\\d+ balances",
        "\\d+ positions",
        "\\dt+",
        "\\dv+",
        "\\l",
        "\\l+",
        "\\dn",
        "\\du",
        "\\df",
        "\\dT",
        "\\dp",
        "\\dx",
        "\\db",
        "\\db+",
        "\\dF",
        "\\sv positions",
        "\\conninfo",
    ] {
        server.printed(&["-c", command]).with_context(|| format!("{command} fails"))?;
    }
    let databases = server.printed(&["-Atc", "\\l+"])?;
    assert!(databases.starts_with("headwater|headwater|UTF8|") && databases.contains("|pg_default|"), "{databases}");
    let balances = server.printed(&["-c", "\\d+ balances"])?;
    for expected in ["Table \"public.balances\"", "posted", "numeric(38,9)", "timestamp with time zone", "not null"] {
        assert!(balances.contains(expected), "{expected} in {balances}");
    }
    let failed = server.psql(&["-c", "DELETE FROM balances"], &[])?;
    let message = String::from_utf8(failed.stderr)?;
    assert!(!failed.status.success() && message.contains("tables are written by the pipeline alone"), "{message}");
    let misplaced = String::from_utf8(server.psql(&["-c", "SELECT 1 +"], &[])?.stderr)?;
    assert!(misplaced.starts_with("ERROR:  this is not SQL"), "{misplaced}");
    let copied = server.printed(&["-c", "\\copy balances (account_id, posted) to stdout csv header"])?;
    assert!(copied.starts_with("account_id,posted\n") && copied.contains("\nA1,200.5\n"), "{copied}");
    let in_parts = server.printed(&["-Atv", "FETCH_COUNT=2", "-c", "SELECT value FROM generate_series(1, 5)"])?;
    assert_eq!(in_parts, "1\n2\n3\n4\n5\n");
    Ok(())
}

#[test]
fn a_run_serves_its_new_commits() -> Result<()> {
    if !has_psql() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (log, data, config) = (folder.path().join("log"), folder.path().join("data"), folder.path().join("run.toml"));
    write_log(&log, "accounts", 0, ACCOUNTS)?;
    write_log(&log, "transactions", 0, &deposit(1))?;
    let address = free_address()?;
    let text = format!(
        "[http]\naddress = \"\"\n[serve]\naddress = \"{address}\"\n[outbox]\ntopics = []\n[commit]\ninterval = \"100ms\"\n\
         [valuation]\ninterval = \"100ms\"\n[time]\nhorizon = \"87600h\"\n"
    );
    std::fs::write(&config, text)?;
    let mut command = Command::new(binary()?);
    command.args(["run", "--source", &format!("log:{}", log.display()), "--data"]).arg(&data).arg("--config").arg(&config);
    let process = command.stdout(Stdio::null()).spawn()?;
    let (_, port) = address.rsplit_once(':').context("a port")?;
    let _serving = Serving { process, port: port.to_owned() };
    let posted = || -> Result<String> {
        Ok(String::from_utf8(psql(port, &["-Atc", "SELECT posted FROM balances WHERE account_id = 'A1'"], &[])?.stdout)?)
    };
    wait_until("the first deposit", || Ok(posted()? == "100.25\n"))?;
    write_log(&log, "transactions", 0, &deposit(2))?;
    wait_until("the second deposit", || Ok(posted()? == "200.5\n"))
}

#[test]
fn users_prove_passwords_over_tls_and_nothing_is_sent_without_it() -> Result<()> {
    if !has_psql() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let data = committed(folder.path())?;
    let (certificate, key) = (folder.path().join("server.crt"), folder.path().join("server.key"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext"]);
    openssl.args(["subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    let Ok(made) = openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate).output() else {
        println!("skipped: this machine has no openssl");
        return Ok(());
    };
    succeed(made)?;
    let secret = secret_of("ann", "correct horse")?;
    let config = format!("[serve]\ntls_certificate = \"server.crt\"\ntls_key = \"server.key\"\n{secret}tables = [\"balances\"]\n");
    let server = Serving::start(&data, &config)?;
    let root = certificate.display().to_string();
    let connect = |mode: &str, password: &str, query: &str| -> Result<(bool, String)> {
        let output = server.psql(&["-Atc", query], &[("PGSSLMODE", mode), ("PGSSLROOTCERT", &root), ("PGPASSWORD", password)])?;
        Ok((output.status.success(), String::from_utf8([output.stdout, output.stderr].concat())?))
    };
    let count = "SELECT COUNT(*) FROM balances WHERE account_id = 'A1'";
    assert_eq!(connect("verify-full", "correct horse", count)?, (true, "1\n".to_owned()));
    for (mode, password, query, expected) in [
        ("verify-full", "wrong", count, "password authentication failed"),
        ("disable", "correct horse", count, "only encrypted connections"),
        ("verify-full", "correct horse", "SELECT * FROM alerts", "permission denied for table alerts"),
    ] {
        let (succeeded, printed) = connect(mode, password, query)?;
        assert!(!succeeded && printed.contains(expected), "{mode}, {query}: {printed}");
    }
    // What is configured and cannot be loaded keeps the server from starting.
    std::fs::write(&key, "no key")?;
    let mut again = Command::new(binary()?);
    again.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data).arg("--config").arg(data.with_extension("serve.toml"));
    let refused = again.output()?;
    let message = String::from_utf8(refused.stderr)?;
    assert!(!refused.status.success() && message.contains("serve.tls_key"), "{message}");
    Ok(())
}

/// What `headwater serve --password` prints.
fn secret_of(name: &str, password: &str) -> Result<String> {
    let mut command = Command::new(binary()?);
    command.args(["serve", "--password", name]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn()?;
    process.stdin.take().context("input")?.write_all(format!("{password}\n").as_bytes())?;
    let output = process.wait_with_output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn an_address_that_everybody_reaches_needs_users() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = committed(folder.path())?;
    let output = Command::new(binary()?).args(["serve", "--listen", "0.0.0.0:0", "--data"]).arg(&data).output()?;
    let message = String::from_utf8(output.stderr)?;
    assert!(!output.status.success() && message.contains("can be reached from other machines, and no users are configured"), "{message}");
    Ok(())
}

/// Decimals, dates, JSON and parameters as Python's driver reads them, in text and binary.
const PYTHON: &str = r#"
import sys, decimal, datetime, psycopg
with psycopg.connect(f"host=127.0.0.1 port={sys.argv[1]} user=ann dbname=headwater") as connection:
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            cursor.execute("SELECT account_id, posted, ts FROM balances WHERE posted > %s ORDER BY 1 LIMIT %s", (decimal.Decimal("0.000000001"), 5))
            rows = cursor.fetchall()
            assert [row[:2] for row in rows] == [("A1", decimal.Decimal("200.5"))], rows
            assert rows[0][2].tzinfo is not None, rows
            cursor.execute("SELECT CAST('99999999999999999999999999999.999999999' AS DECIMAL(38,9)), [1, NULL], DATE '2026-01-31', true")
            row = cursor.fetchone()
            assert row == (decimal.Decimal("99999999999999999999999999999.999999999"), [1, None], datetime.date(2026, 1, 31), True), row
            cursor.execute("SELECT %s, %s, %s, %s", ("it's", -5, 0.1, None))
            assert cursor.fetchone() == ("it's", -5, 0.1, None)
try:
    with psycopg.connect(f"host=127.0.0.1 port={sys.argv[1]} user=ann dbname=headwater") as connection:
        connection.execute("DELETE FROM balances")
    raise SystemExit("it was deleted")
except psycopg.errors.ReadOnlySqlTransaction:
    pass
"#;

/// Tables and columns as SQLAlchemy finds them, and rows as pandas reads them.
const PANDAS: &str = r#"
import sys, sqlalchemy, pandas
engine = sqlalchemy.create_engine(f"postgresql+psycopg://ann@127.0.0.1:{sys.argv[1]}/headwater")
found = sqlalchemy.inspect(engine)
assert "balances" in found.get_table_names() and "positions" in found.get_view_names()
columns = {column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns("balances")}
assert columns["posted"] == ("NUMERIC(38, 9)", False) and columns["ts"] == ("TIMESTAMP", False), columns
assert found.has_table("balances") and not found.has_table("nothing")
assert found.get_schema_names() == ["information_schema", "public"] and found.default_schema_name == "public"
assert found.get_view_names(schema="public") == found.get_view_names() and found.get_materialized_view_names() == []
for name in ("get_foreign_keys", "get_indexes", "get_unique_constraints", "get_check_constraints"):
    assert getattr(found, name)("balances") == [], name
assert found.get_pk_constraint("balances")["constrained_columns"] == []
assert found.get_table_comment("balances")["text"].startswith("An account's balance"), found.get_table_comment("balances")
assert "SELECT" in found.get_view_definition("trial_balance")
assert found.get_enums() == [] and found.get_domains() == [] and found.get_sequence_names() == []
everything = sqlalchemy.MetaData()
everything.reflect(engine, views=True)
assert len(everything.tables) == len(found.get_table_names()) + len(found.get_view_names())
query = sqlalchemy.text("SELECT account_id, posted FROM balances WHERE account_id = :account")
rows = pandas.read_sql(query, engine, params={"account": "A1"})
assert rows.values.tolist() == [["A1", 200.5]], rows
with engine.connect().execution_options(stream_results=True) as connection:
    parts = list(pandas.read_sql("SELECT value FROM generate_series(1, 2500)", connection, chunksize=1000))
    assert [len(part) for part in parts] == [1000, 1000, 500]
"#;

/// Binary values, arrays and cursors as asyncpg sends and reads them, and its pool, which resets connections.
const ASYNCPG: &str = r#"
import asyncio, decimal, sys, asyncpg
from datetime import date, datetime, timedelta, timezone
number = decimal.Decimal
ARRAYS = {
    "3 = ANY($1::smallint[])": [1, 3, None],
    "3 = ANY($1::int[])": [1, 3],
    "3 = ANY($1::bigint[])": [1, 3],
    "3 = ANY($1)": [3],
    "4 <> ALL($1::int[])": [1, 3],
    "commit_id <> ALL($1)": [-7_000_000_000],
    "posted = ANY($1)": [number("200.5"), number("-0.000000001")],
    "posted <> ALL($1::numeric[])": [number(200), number("99999999999999999999999999999.999999999")],
    "ts = ANY($1)": [datetime(2026, 1, 5, 14, 2, tzinfo=timezone.utc)],
    "ts = ANY($1::timestamptz[])": [None, datetime(2026, 1, 5, 14, 2, tzinfo=timezone.utc)],
    "TIMESTAMP '2026-01-05 01:00:00' = ANY($1::timestamp[])": [datetime(2026, 1, 5, 1)],
    "DATE '2026-01-05' = ANY($1)": [date(2026, 1, 5)],
    "CAST(ts AS DATE) = ANY($1::date[])": [date(1969, 12, 31), date(2026, 1, 5)],
    "true = ANY($1)": [False, True],
    "(posted > 0) = ANY($1::bool[])": [True],
    "CAST(0.5 AS DOUBLE) = ANY($1)": [0.5],
    "CAST(0.1 AS DOUBLE) = ANY($1::float8[])": [1e300, 0.1],
    "CAST(0.5 AS REAL) = ANY($1::real[])": [0.5],
    "X'00ff' = ANY($1::bytea[])": [b"\0\xff"],
    "account_id = ANY($1::varchar[])": ["it's", "A1"],
}
async def main():
    async with asyncpg.create_pool(host="127.0.0.1", port=int(sys.argv[1]), user="ann", database="headwater", min_size=1) as pool:
        async with pool.acquire() as connection:
            row = await connection.fetchrow("SELECT account_id, posted FROM balances WHERE account_id = ANY($1) AND posted > $2",
                                            ["A1", "x"], decimal.Decimal("0.5"))
            assert tuple(row) == ("A1", decimal.Decimal("200.5")), row
            for condition, values in ARRAYS.items():
                found = await connection.fetch("SELECT account_id FROM balances WHERE account_id = 'A1' AND " + condition, values)
                assert len(found) == 1, condition
                found = await connection.fetch("SELECT account_id FROM balances WHERE account_id = 'A1' AND " + condition, [])
                assert len(found) == ("ALL" in condition), condition
            later = "SELECT count(*) FROM balances WHERE account_id = 'A1' AND ts > $1::timestamptz - $2::interval"
            for lapse, count in [(timedelta(minutes=1), 1), (timedelta(seconds=1, microseconds=5), 0), (timedelta(days=40), 1)]:
                assert await connection.fetchval(later, datetime(2026, 1, 5, 14, 2, 30, tzinfo=timezone.utc), lapse) == count, lapse
            assert await connection.fetchval("SELECT $1::interval", timedelta(days=-1, seconds=90)) == timedelta(days=-1, seconds=90)
            async with connection.transaction():
                assert sum([row[0] async for row in connection.cursor("SELECT value FROM generate_series(1, 1000)", prefetch=100)]) == 500500
        assert await asyncio.gather(*[pool.fetchval("SELECT $1::int", number) for number in range(20)]) == list(range(20))
asyncio.run(main())
"#;

/// The clients, as the programs import them.
const CLIENTS: [&str; 4] = ["asyncpg==0.32.0", "pandas==3.1.1", "psycopg[binary]==3.3.9", "sqlalchemy==2.1.9"];

/// Tables as DuckDB's extension `postgres` finds them, and exact values as it reads them, by COPY and in the text protocol.
const DUCKDB: &str = r#"
import datetime, decimal, pathlib, sys, duckdb, duckdb_extension_postgres_scanner
# DuckDB checks the signature of the file.
[extension] = pathlib.Path(duckdb_extension_postgres_scanner.__file__).parent.rglob("*.duckdb_extension")
connection = duckdb.connect()
connection.execute(f"LOAD '{extension}'")
connection.execute(f"ATTACH 'host=127.0.0.1 port={sys.argv[1]} user=ann dbname=headwater' AS hw (TYPE postgres, READ_ONLY)")
def rows(query):
    return connection.execute(query).fetchall()
types = dict(rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'balances'"))
assert types["posted"] == "DECIMAL(38,9)" and types["ts"] == "TIMESTAMP WITH TIME ZONE", types
number = decimal.Decimal
values = {
    "CAST('99999999999999999999999999999.999999999' AS DECIMAL(38,9))": number("99999999999999999999999999999.999999999"),
    "CAST('-0.000000001' AS DECIMAL(38,9))": number("-0.000000001"),
    "CAST('-1000000000000000000000000.5' AS DECIMAL(38,9))": number("-1000000000000000000000000.5"),
    "CAST(0 AS DECIMAL(38,9))": number(0),
    "CAST(NULL AS DECIMAL(38,9))": None,
    "CAST('12.50' AS DECIMAL(5,2))": number("12.5"),
    "'a\tb\nc\\d''\"ü'": "a\tb\nc\\d'\"ü",
    "''": "",
    "NULL": None,
    "true": True,
    "-7000000000": -7000000000,
    "CAST(0.1 AS DOUBLE)": 0.1,
    "X'00ff'": b"\0\xff",
    "DATE '1969-12-31'": datetime.date(1969, 12, 31),
    "CAST('2026-01-31T09:30:00.123456789' AS TIMESTAMP)": datetime.datetime(2026, 1, 31, 9, 30, 0, 123456),
    "[1, NULL]": "[1,null]",
}
query = "SELECT " + ", ".join(f"{value} AS c{place}" for place, value in enumerate(values))
for is_text in (False, True):
    connection.execute(f"SET pg_use_text_protocol = {is_text}")
    [row] = rows("SELECT * FROM postgres_query('hw', '" + query.replace("'", "''") + "')")
    assert list(row) == list(values.values()), (is_text, row)
    found = rows("SELECT account_id, posted, epoch_us(ts) FROM hw.balances WHERE account_id = 'A1'")
    assert found == [("A1", number("200.5"), 1767621720000000)], (is_text, found)
    series = rows("SELECT COUNT(*), SUM(value) FROM postgres_query('hw', 'SELECT value FROM generate_series(1, 20000)')")
    assert series == [(20000, 200010000)], (is_text, series)
joined = rows("SELECT account_id, SUM(amount) FROM hw.balances JOIN hw.ledger_entries USING (account_id) WHERE account_id = 'A1' GROUP BY ALL")
assert joined == [("A1", number("200.5"))], joined
assert rows("SELECT COUNT(*) FROM hw.positions") == [(0,)]
for write in ("DELETE FROM hw.balances", "CALL postgres_execute('hw', 'DELETE FROM balances')"):
    try:
        connection.execute(write)
    except duckdb.Error:
        continue
    raise SystemExit(f"{write} was done")
"#;

/// The driver of JDBC, as Maven's registry has it.
const JDBC: &str = "org.postgresql:postgresql:42.7.7";

/// A set of its own: it is of an older DuckDB than the one that reads exports.
const DUCKDB_POSTGRES: [&str; 1] = ["duckdb-extension-postgres-scanner==1.5.5"];

/// Runs a program with some packages on a server.
fn run_python(packages: &[&str], program: &str) -> Result<()> {
    let Some(python) = python(packages)? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let data = committed(folder.path())?;
    let server = Serving::start(&data, "")?;
    succeed(Command::new(&python).args(["-c", program, &server.port]).output()?)
}

#[test]
fn psycopg_reads_exact_values() -> Result<()> {
    run_python(&CLIENTS, PYTHON)
}

#[test]
fn sqlalchemy_finds_tables_and_pandas_reads_them() -> Result<()> {
    run_python(&CLIENTS, PANDAS)
}

#[test]
fn asyncpg_sends_arrays_and_reads_in_parts() -> Result<()> {
    run_python(&CLIENTS, ASYNCPG)
}

#[test]
fn duckdb_attaches_a_server_and_reads_exact_values() -> Result<()> {
    run_python(&DUCKDB_POSTGRES, DUCKDB)
}

#[test]
fn jdbc_tells_tools_what_there_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(jars) = jars(&[JDBC], folder.path())? else { return Ok(()) };
    let data = committed(folder.path())?;
    let server = Serving::start(&data, "")?;
    let program = workspace().join("tests/scenarios/wire.java");
    succeed(Command::new("java").arg("-cp").arg(format!("{}/*", jars.display())).arg(program).arg(&server.port).output()?)
}

/// The most memory that a process had.
const PEAK: &str = "VmHWM";

#[test]
fn a_result_larger_than_the_memory_is_sent_as_it_is_computed() -> Result<()> {
    if !has_psql() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let data = committed(folder.path())?;
    let server = Serving::start(&data, "")?;
    server.printed(&["-Atc", "SELECT COUNT(*) FROM balances"])?;
    let Some(before) = figure(server.process.id(), PEAK) else {
        println!("skipped: this system does not tell how much memory a process had");
        return Ok(());
    };
    let query = "SELECT value, REPEAT('x', 1000) FROM generate_series(1, 300000)";
    assert_eq!(server.printed(&["-Atv", "FETCH_COUNT=1000", "-c", query])?.lines().count(), 300_000);
    let copied = server.psql(&["-c", &format!("COPY ({query}) TO STDOUT")], &[])?.stdout;
    assert_eq!(copied.split(|byte| *byte == b'\n').count(), 300_001);
    let growth = figure(server.process.id(), PEAK).context("memory")?.saturating_sub(before);
    assert!(growth < 100_000, "of twice 300 MB sent, the server had {growth} KiB at once");
    Ok(())
}

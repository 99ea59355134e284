//! Metrics and health.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use headwater_connectors::parquet::commit::Committed;
use headwater_connectors::source::SourceCounters;
use headwater_connectors::transport::OffsetUnit;
use headwater_schemas::Tick;

use crate::http::serve;
use crate::metrics::{Metrics, MetricsSettings};

const SETTINGS: MetricsSettings =
    MetricsSettings { lag_unit: OffsetUnit::Bytes, publishes_commits: true, fresh_for: Duration::from_secs(30) };

#[test]
fn a_server_ends_while_clients_have_sent_half_a_request() -> anyhow::Result<()> {
    let server = serve("127.0.0.1:0", Some(Arc::new(Metrics::new(SETTINGS)?)), None)?;
    let address = server.address.context("an address")?;
    let mut whole = TcpStream::connect(address)?;
    whole.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    whole.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut halves = Vec::new();
    for sent in ["", "GET /met", "GET /metrics HTTP/1.1\r\nHost: x\r\n"] {
        let mut half = TcpStream::connect(address)?;
        half.write_all(sent.as_bytes())?;
        halves.push(half);
    }
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    Ok(())
}

#[test]
fn a_run_that_has_failed_is_not_ready() -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new(SETTINGS)?);
    let server = serve("127.0.0.1:0", Some(Arc::clone(&metrics)), None)?;
    let address = server.address.context("an address")?;
    let status = || -> anyhow::Result<String> {
        let mut client = TcpStream::connect(address)?;
        client.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        client.read_to_string(&mut answer)?;
        Ok(answer.get(9..12).unwrap_or_default().to_owned())
    };
    let failed = Arc::new(AtomicBool::new(false));
    metrics.follow(Arc::new(SourceCounters::default()), Arc::default());
    metrics.follow_failure(Arc::clone(&failed));
    assert_eq!(status()?, "503", "there is no commit yet");
    metrics.on_commit(Committed { commit_id: 1, end_tick: Tick::new(1), is_cut: false });
    assert_eq!(status()?, "200");
    failed.store(true, Ordering::Relaxed);
    assert_eq!(status()?, "503");
    Ok(())
}

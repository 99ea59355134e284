//! Boards of `dashboards/`: they are well formed, and each query gives the frame that its panel draws.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use headwater_connectors::testing::workspace;
use headwater_schemas::EventTime;
use headwater_sql::Catalog;
use headwater_tests::boards::{Board, Panel, boards};
use headwater_tests::grafana::{Choice, Frame, Kind, Range, chosen, expanded, run};
use headwater_tests::market;
use headwater_tests::page::drawn;
use headwater_tests::pipeline::{PLAIN, command_with, rows, succeed, write_log};
use headwater_tests::serving::{Serving, has_psql};
use serde_json::{Value, json};

/// Panels without rows in the run of this test, and why.
const EMPTY: [(&str, &str, &str); 2] =
    [("ledger.json", "What is broken", "the ledger is healthy"), ("trading.json", "Open lots", "the simulated accounts have average cost")];

/// Grafana's types of panels that `dashboards/render/draw.js` draws.
const DRAWN: [&str; 4] = ["table", "stat", "timeseries", "barchart"];

#[test]
fn boards_are_distinct_and_their_panels_have_titles_units_and_places() -> Result<()> {
    let (boards, mut uids, mut names) = (boards()?, BTreeSet::new(), BTreeSet::new());
    let readme = std::fs::read_to_string(workspace().join("docs/dashboards.md"))?;
    for board in &boards {
        let file = &board.file;
        assert!(uids.insert(board.text("/uid")?.to_owned()), "{file}: its uid is that of another board");
        assert!(names.insert(board.text("/title")?.to_owned()), "{file}: its title is that of another board");
        assert_eq!(board.schema_version(), Some(42), "{file}");
        assert!(readme.contains(&format!("| `{file}` |")), "docs/dashboards.md does not list {file}");
        let (sources, mut titles) = (board.sources(), BTreeSet::new());
        for panel in board.panels() {
            let title = panel.title();
            assert!(!title.is_empty() && titles.insert(title), "{file}: two panels are called {title:?}");
            assert!(panel.text("/description").ends_with('.'), "{file}, {title}: no description");
            assert!(!panel.text("/fieldConfig/defaults/unit").is_empty(), "{file}, {title}: no unit");
            let source = (panel.text("/datasource/type").to_owned(), variable_of(panel.text("/datasource/uid"))?);
            assert!(sources.contains(&source), "{file}, {title}: {source:?} is none of the board's data sources");
        }
        assert_nothing_overlaps(board)?;
    }
    assert_eq!(boards.len(), 8);
    Ok(())
}

#[test]
fn every_query_of_every_board_gives_the_frame_that_its_panel_draws() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = simulated(folder.path())?;
    let catalog = Catalog::open(&data, None)?;
    let ranges = ranges(&data)?;
    for board in boards()?.iter().filter(|board| is_on_tables(board)) {
        for choice in [Choice::AsOpened, Choice::One] {
            let values = chosen(&catalog, &board.variables()?, choice).with_context(|| board.file.clone())?;
            for panel in board.panels() {
                let frames = frames(&catalog, panel, &values, &ranges).with_context(|| format!("{}, {}", board.file, panel.title()))?;
                let has_rows = frames.iter().any(|frame| !frame.rows.is_empty());
                let may_be_empty = EMPTY.iter().any(|(file, title, _)| (*file, *title) == (&board.file, panel.title()));
                if choice == Choice::AsOpened {
                    assert_eq!(has_rows, !may_be_empty, "{}, {}: has rows", board.file, panel.title());
                }
                frames.iter().for_each(|frame| assert_can_be_drawn(board, panel, frame));
                assert_overrides_are_of_columns(board, panel, &frames);
            }
        }
    }
    Ok(())
}

#[test]
fn figures_of_boards_agree_with_the_tables() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = simulated(folder.path())?;
    let catalog = Catalog::open(&data, None)?;
    let ranges = ranges(&data)?;
    assert_last_points_are_current_rows(&catalog, ranges[0])?;
    assert_exceeded_limits_have_alerts(&catalog, &data, &ranges)?;
    Ok(())
}

#[test]
fn the_server_answers_every_query_of_every_board() -> Result<()> {
    if !has_psql() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let data = simulated(folder.path())?;
    let (catalog, server, [range, _]) = (Catalog::open(&data, None)?, Serving::start(&data, "")?, ranges(&data)?);
    for board in boards()?.iter().filter(|board| is_on_tables(board)) {
        let values = chosen(&catalog, &board.variables()?, Choice::AsOpened)?;
        for panel in board.panels() {
            let sql = expanded(panel.sql()?.context("a panel without SQL")?, &values, range)?;
            let frame = run(&catalog, &sql)?;
            // As one statement in text, which is how Grafana asks.
            let printed = server.printed(&["-A", "-c", &sql]).with_context(|| format!("{}, {}", board.file, panel.title()))?;
            let names: Vec<_> = frame.columns.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(printed.lines().next(), Some(names.join("|").as_str()), "{}, {}", board.file, panel.title());
            let count = if frame.rows.len() == 1 { "(1 row)".to_owned() } else { format!("({} rows)", frame.rows.len()) };
            assert_eq!(printed.lines().last(), Some(count.as_str()), "{}, {}", board.file, panel.title());
        }
    }
    Ok(())
}

#[test]
fn a_browser_draws_every_board() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = simulated(folder.path())?;
    let catalog = Catalog::open(&data, None)?;
    let ranges = ranges(&data)?;
    let pictures = std::env::var_os("HEADWATER_BOARDS");
    for board in boards()?.iter().filter(|board| is_on_tables(board)) {
        let values = chosen(&catalog, &board.variables()?, Choice::AsOpened)?;
        let mut panels = Vec::new();
        for panel in board.panels() {
            let frames = frames(&catalog, panel, &values, &ranges)?;
            let mut json = panel.json().clone();
            let fields = json.as_object_mut().context("a panel that is no object")?;
            fields.insert("frames".to_owned(), json!(frames.iter().take(1).map(Frame::json).collect::<Vec<_>>()));
            panels.push(json);
        }
        let count = panels.len();
        let [Range { from, to }, _] = ranges;
        let page = board.page(panels, from.nanos() / 1_000_000, to.nanos() / 1_000_000)?;
        let picture = pictures.as_ref().map(|folder| Path::new(folder).join(board.file.replace(".json", ".png")));
        let Some(html) = drawn(folder.path(), &page, picture.as_deref())? else { return Ok(()) };
        assert_eq!(html.matches("class=\"panel\"").count(), count, "{}: panels that were drawn", board.file);
        assert!(!html.contains("class=\"panel failed\""), "{}: {html}", board.file);
    }
    Ok(())
}

/// Half a minute of the simulated market and bank, and an alert that somebody suppressed.
fn simulated(folder: &Path) -> Result<std::path::PathBuf> {
    let (log, data) = (folder.join("log"), folder.join("data"));
    let (files, _) = market::half_a_minute(2, 1);
    market::write(&log, &files)?;
    let suppression = json!({ "rule": "price_crossed", "author": "ann", "reason": "watched prices are tested",
        "expires_at": "2036-01-01T00:00:00Z", "ts": "2026-01-01T00:00:00Z" });
    write_log(&log, "suppressions", 0, &format!("{suppression}\n"))?;
    succeed(command_with(&format!("log:{}", log.display()), &data, PLAIN, "", "200ms")?.output()?)?;
    Ok(data)
}

/// The time of the events, and the wall clock's, which commits have.
fn ranges(data: &Path) -> Result<[Range; 2]> {
    let between = |table: &str, column: &str| -> Result<Range> {
        let found = rows(data, &format!("SELECT CAST(MIN({column}) AS BIGINT), CAST(MAX({column}) AS BIGINT) FROM {table}"))?;
        let (from, to) = found.first().and_then(|row| row.split_once(',')).with_context(|| format!("no rows of {table}"))?;
        let margin = 2_000_000_000;
        Ok(Range { from: EventTime::from_nanos(from.parse::<i64>()? - margin), to: EventTime::from_nanos(to.parse::<i64>()? + margin) })
    };
    Ok([between("executions", "ts")?, between("commits", "committed_at")?])
}

/// The frames of a panel in each range.
fn frames(catalog: &Catalog, panel: Panel<'_>, values: &[(String, String)], ranges: &[Range]) -> Result<Vec<Frame>> {
    let sql = panel.sql()?.context("a panel without SQL")?;
    let mut frames = ranges.iter().map(|range| run(catalog, &expanded(sql, values, *range)?)).collect::<Result<Vec<_>>>()?;
    // A panel that has rows in one of the ranges is drawn with these.
    frames.sort_by_key(|frame| frame.rows.is_empty());
    Ok(frames)
}

fn is_on_tables(board: &Board) -> bool {
    board.sources().iter().any(|(kind, _)| kind == "grafana-postgresql-datasource")
}

/// The name in `${name}`.
fn variable_of(uid: &str) -> Result<String> {
    let name = uid.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.map(str::to_owned).with_context(|| format!("a data source that is no variable: {uid:?}"))
}

fn assert_nothing_overlaps(board: &Board) -> Result<()> {
    let panels = board.panels();
    for (number, panel) in panels.iter().enumerate() {
        let [left, top, right, bottom] = panel.place()?;
        assert!(right <= 24, "{}, {}: beyond the right margin", board.file, panel.title());
        for other in panels.iter().take(number) {
            let [x, y, end, low] = other.place()?;
            let apart = right <= x || end <= left || bottom <= y || low <= top;
            assert!(apart, "{}: {} covers {}", board.file, panel.title(), other.title());
        }
    }
    Ok(())
}

fn assert_can_be_drawn(board: &Board, panel: Panel<'_>, frame: &Frame) {
    let about = format!("{}, {}", board.file, panel.title());
    let sql = panel.sql().ok().flatten().unwrap_or_default();
    let names: BTreeSet<_> = frame.columns.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), frame.columns.len(), "{about}: two columns have the same name");
    let numbers = frame.columns.iter().filter(|(_, kind)| *kind == Kind::Number).count();
    assert!(DRAWN.contains(&panel.kind()), "{about}: is a {}", panel.kind());
    match panel.kind() {
        "timeseries" => {
            assert_eq!(panel.text("/targets/0/format"), "time_series", "{about}");
            assert!(sql.contains("$__timeFilter("), "{about}: reads all times");
            assert_is_a_time_series(&about, frame);
        }
        "stat" => assert!(frame.rows.len() == 1 && frame.columns.len() == 1 && numbers == 1, "{about}: is not one number"),
        "barchart" => {
            let label = panel.text("/options/xField");
            assert_eq!(frame.columns.first(), Some(&(label.to_owned(), Kind::Text)), "{about}: the bars have no names");
            assert!(sql.contains("LIMIT") && numbers + 1 == frame.columns.len(), "{about}: a name, and numbers");
        }
        _ => assert!(sql.contains("LIMIT"), "{about}: has as many rows as the table"),
    }
}

/// Asserts what Grafana needs to make series of rows: times that rise, and numbers, with a column `metric` that names them.
fn assert_is_a_time_series(about: &str, frame: &Frame) {
    assert_eq!(frame.columns.first(), Some(&("time".to_owned(), Kind::Time)), "{about}: the first column is not the time");
    let times: Option<Vec<_>> = frame.column("time").into_iter().flatten().map(Value::as_f64).collect();
    let times = times.unwrap_or_default();
    assert_eq!(times.len(), frame.rows.len(), "{about}: a row without a time");
    assert!(times.is_sorted(), "{about}: times do not rise");
    let others: Vec<_> = frame.columns.iter().skip(1).collect();
    let numbers = others.iter().filter(|(name, kind)| *kind == Kind::Number && name != "metric").count();
    let is_named = others.iter().any(|(name, kind)| name == "metric" && *kind == Kind::Text);
    // With a metric and more than one number, Grafana joins both names.
    assert!(
        if is_named { numbers == 1 && others.len() == 2 } else { numbers == others.len() && numbers > 0 },
        "{about}: {:?}",
        frame.columns
    );
}

/// Asserts that a panel sets colors, units and widths of columns and series that it has.
fn assert_overrides_are_of_columns(board: &Board, panel: Panel<'_>, frames: &[Frame]) {
    let columns = frames.iter().flat_map(|frame| frame.columns.iter().map(|(name, _)| name.as_str()));
    let metrics = frames.iter().flat_map(|frame| frame.column("metric").unwrap_or_default()).filter_map(Value::as_str);
    let known: BTreeSet<_> = columns.chain(metrics).collect();
    for name in panel.overridden().unwrap_or_default() {
        let may_come = panel.kind() == "timeseries" && ["approve", "review", "block"].contains(&name);
        assert!(known.contains(name) || may_come, "{}, {}: overrides {name}, which it does not have", board.file, panel.title());
    }
}

/// Asserts that the last point of each book's P&L is that of the book's current row.
fn assert_last_points_are_current_rows(catalog: &Catalog, range: Range) -> Result<()> {
    // Twelve hours have intervals of a minute, in which a book has many values: the last one counts.
    let wide = Range { from: EventTime::from_nanos(range.to.nanos() - 12 * 3_600_000_000_000), ..range };
    let series = frame_of(catalog, "trading.json", "P&L by book", &[wide])?;
    let current =
        run(catalog, "SELECT substr(scope, 6) AS book, realized_pnl + unrealized_pnl AS pnl FROM portfolios WHERE scope LIKE 'book:%'")?;
    assert!(!current.rows.is_empty(), "there are no books");
    for row in &current.rows {
        let [book, pnl] = row.as_slice() else { continue };
        let last = series.rows.iter().rev().find(|point| point.get(1) == Some(book));
        assert_eq!(last.and_then(|point| point.get(2)), Some(pnl), "the last P&L of {book}");
    }
    Ok(())
}

/// Asserts that every figure above its limit has an open alert: the board compares as the pipeline does.
fn assert_exceeded_limits_have_alerts(catalog: &Catalog, data: &Path, ranges: &[Range]) -> Result<()> {
    let utilized = frame_of(catalog, "risk.json", "Utilization of limits", ranges)?;
    let alerts = rows(data, "SELECT rule || ' ' || subject FROM open_alerts WHERE kind IN ('limit', 'risk')")?;
    let mut exceeded = 0;
    for row in &utilized.rows {
        let [scope, kind, symbol, _, _, utilization] = row.as_slice() else { continue };
        if utilization.as_f64().is_none_or(|share| share <= 1.0) {
            continue;
        }
        exceeded += 1;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut alert = format!("{} {}", text(kind), text(scope));
        if !symbol.is_null() {
            alert += &format!("|{}", text(symbol));
        }
        assert!(alerts.contains(&alert), "{alert} is at {utilization} of its limit, without an alert: {alerts:?}");
    }
    assert!(exceeded > 0, "no limit is exceeded");
    Ok(())
}

/// The frame of one panel, as the board opens.
fn frame_of(catalog: &Catalog, file: &str, title: &str, ranges: &[Range]) -> Result<Frame> {
    let boards = boards()?;
    let board = boards.iter().find(|board| board.file == file).with_context(|| file.to_owned())?;
    let values = chosen(catalog, &board.variables()?, Choice::AsOpened)?;
    let panel = board.panels().into_iter().find(|panel| panel.title() == title).with_context(|| title.to_owned())?;
    frames(catalog, panel, &values, ranges)?.into_iter().next().context("no range")
}

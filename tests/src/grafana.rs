//! What Grafana does to a query of a board before it runs it, and the frame that comes back.
//!
//! The rules are those of Grafana's PostgreSQL data source: variables first, then `$__interval`, then the macros.

use anyhow::{Context, Result, bail, ensure};
use arrow::datatypes::DataType;
use headwater_schemas::EventTime;
use headwater_sql::Catalog;
use serde_json::{Value, json};

use crate::boards::Variable;
use crate::pipeline::objects;

/// The time range of a board.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// First moment.
    pub from: EventTime,
    /// Last moment.
    pub to: EventTime,
}

/// What a user chose in the variables of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing: the values with which the board opens.
    AsOpened,
    /// The last value of each list.
    One,
}

/// Kinds of columns that a panel can draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A time, or seconds since the Unix epoch in a column called `time`.
    Time,
    /// A number.
    Number,
    /// A text.
    Text,
}

/// The rows of a query.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Names and kinds of the columns.
    pub columns: Vec<(String, Kind)>,
    /// Values: numbers as numbers, everything else as text.
    pub rows: Vec<Vec<Value>>,
}

/// Lengths of `$__interval` in seconds that Grafana chooses from. The boards ask for a second or more.
const INTERVALS: [i64; 18] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600];

/// Width of a panel in points, one for each interval at most.
const POINTS: i64 = 1000;

impl Range {
    fn seconds(self) -> i64 {
        self.to.nanos().saturating_sub(self.from.nanos()) / 1_000_000_000
    }

    fn interval(self) -> i64 {
        let needed = self.seconds() / POINTS;
        INTERVALS.into_iter().find(|interval| *interval >= needed).unwrap_or(86_400)
    }
}

impl Frame {
    /// The values of a column; `None` if there is no such column.
    pub fn column(&self, name: &str) -> Option<Vec<&Value>> {
        let place = self.columns.iter().position(|(column, _)| column == name)?;
        Some(self.rows.iter().filter_map(|row| row.get(place)).collect())
    }

    /// As `dashboards/render/draw.js` reads it.
    pub fn json(&self) -> Value {
        let kind = |kind| match kind {
            Kind::Time => "time",
            Kind::Number => "number",
            Kind::Text => "text",
        };
        let columns: Vec<_> = self.columns.iter().map(|(name, of)| json!({ "name": name, "kind": kind(*of) })).collect();
        json!({ "columns": columns, "rows": self.rows })
    }
}

/// Runs a query. Boards reach the tables through here alone.
pub fn run(catalog: &Catalog, sql: &str) -> Result<Frame> {
    let answer = catalog.query(sql).with_context(|| sql.to_owned())?;
    let columns = answer.schema().fields().iter().map(|field| Ok((field.name().clone(), kind_of(field.name(), field.data_type())?)));
    let columns = columns.collect::<Result<Vec<_>>>().with_context(|| sql.to_owned())?;
    let row = |object: &Value| columns.iter().map(|(name, kind)| shown(object.get(name), *kind)).collect();
    let rows = objects(answer).with_context(|| sql.to_owned())?.iter().map(row).collect::<Result<_>>()?;
    Ok(Frame { columns, rows })
}

fn kind_of(name: &str, of: &DataType) -> Result<Kind> {
    Ok(match of {
        DataType::Timestamp(..) => Kind::Time,
        of if of.is_numeric() && name == "time" => Kind::Time,
        of if of.is_numeric() => Kind::Number,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        // Grafana shows a date as midnight in the browser's time zone, and a list as JSON.
        of => bail!("column {name} is {of}: cast it to a text"),
    })
}

/// Decimals are texts in JSON, so that they stay exact; Grafana draws them as floating point.
fn shown(value: Option<&Value>, kind: Kind) -> Result<Value> {
    match (value, kind) {
        (Some(Value::String(number)), Kind::Number) => Ok(json!(number.parse::<f64>().with_context(|| number.clone())?)),
        // `$__timeGroup` makes decimals of seconds.
        (Some(Value::String(time)), Kind::Time) => Ok(time.parse::<f64>().map_or_else(|_| json!(time), |seconds| json!(seconds))),
        (Some(value), _) => Ok(value.clone()),
        (None, _) => bail!("a column without a value"),
    }
}

/// The values of variables, as their text in a query.
pub fn chosen(catalog: &Catalog, variables: &[Variable], choice: Choice) -> Result<Vec<(String, String)>> {
    variables.iter().map(|variable| Ok((variable.name.clone(), value_of(catalog, variable, choice)?))).collect()
}

fn value_of(catalog: &Catalog, variable: &Variable, choice: Choice) -> Result<String> {
    let Some(query) = &variable.query else { return variable.current.clone().context("a constant without a value") };
    let values = run(catalog, query)?;
    let options: Vec<_> = values.rows.iter().filter_map(|row| row.first()?.as_str()).collect();
    let last = options.last().with_context(|| format!("{}: there is nothing to choose from", variable.name))?;
    let known = |current: &&str| options.contains(current);
    let opened = variable.current.as_deref().filter(known).or(options.first().copied()).unwrap_or(last);
    Ok(match (choice, &variable.all) {
        (Choice::AsOpened, Some(all)) => all.clone(),
        (Choice::AsOpened, None) => escaped(opened),
        (Choice::One, _) if variable.is_list => format!("'{}'", escaped(last)),
        (Choice::One, _) => escaped(last),
    })
}

fn escaped(value: &str) -> String {
    value.replace('\'', "''")
}

/// A query as Grafana sends it.
pub fn expanded(sql: &str, values: &[(String, String)], range: Range) -> Result<String> {
    let mut values: Vec<_> = values.iter().collect();
    // `$account_type` is no `$account`.
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut text = sql.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    let seconds = range.interval();
    text = text.replace("$__interval_ms", &(seconds * 1000).to_string()).replace("$__interval", &format!("{seconds}s"));
    let text = with_macros(&text, range).with_context(|| sql.to_owned())?;
    ensure!(!text.contains('$'), "a variable that the board does not have: {text}");
    Ok(text)
}

fn with_macros(text: &str, range: Range) -> Result<String> {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("$__") {
        let (name, after) = after.split_once('(').context("a macro without arguments")?;
        let (arguments, after) = after.split_once(')').context("a macro that does not end")?;
        let arguments: Vec<_> = arguments.split(',').map(str::trim).collect();
        done = done + before + &of_macro(name, &arguments, range)?;
        rest = after;
    }
    Ok(done + rest)
}

fn of_macro(name: &str, arguments: &[&str], Range { from, to }: Range) -> Result<String> {
    Ok(match (name, arguments) {
        ("timeFilter", [column]) => format!("{column} BETWEEN '{from}' AND '{to}'"),
        ("timeFrom", [""]) => format!("'{from}'"),
        ("timeTo", [""]) => format!("'{to}'"),
        ("timeGroup", [column, interval]) => grouped(column, interval)?,
        ("timeGroupAlias", [column, interval]) => grouped(column, interval)? + " AS \"time\"",
        _ => bail!("Grafana has no macro $__{name} with {} arguments, or the tests do not know it", arguments.len()),
    })
}

fn grouped(column: &str, interval: &str) -> Result<String> {
    let seconds: i64 =
        interval.trim_matches('\'').strip_suffix('s').and_then(|number| number.parse().ok()).context("an interval in seconds")?;
    Ok(format!("floor(extract(epoch from {column})/{seconds})*{seconds}"))
}

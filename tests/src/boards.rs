//! Grafana's boards of `dashboards/`: their panels, variables and queries, read from their JSON.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::pipeline::names_in;
use crate::prometheus::dashboard;

/// Type of Grafana's PostgreSQL data source.
const SQL: &str = "grafana-postgresql-datasource";

/// A board.
#[derive(Debug)]
pub struct Board {
    /// Its file in `dashboards/`.
    pub file: String,
    json: Value,
}

/// A panel that draws something: no heading of a row.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    json: &'a Value,
}

/// A variable that queries can name.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name, without `$`.
    pub name: String,
    /// Whether the value is a list, which Grafana quotes.
    pub is_list: bool,
    /// Text that stands for all values, unquoted.
    pub all: Option<String>,
    /// The value when the board is opened, unless it is all of them.
    pub current: Option<String>,
    /// SQL whose first column lists the values; `None` for a constant.
    pub query: Option<String>,
}

/// All boards, by file name.
pub fn boards() -> Result<Vec<Board>> {
    names_in(&dashboard(""), ".json")?.into_iter().map(|name| Board::read(name + ".json")).collect()
}

impl Board {
    fn read(file: String) -> Result<Self> {
        let text = std::fs::read_to_string(dashboard(&file))?;
        let json = serde_json::from_str(&text).with_context(|| file.clone())?;
        Ok(Self { file, json })
    }

    /// A text at a pointer, or an error that names it.
    pub fn text(&self, pointer: &str) -> Result<&str> {
        text(&self.json, pointer).with_context(|| self.file.clone())
    }

    /// The number of Grafana's schema.
    pub fn schema_version(&self) -> Option<u64> {
        self.json.get("schemaVersion")?.as_u64()
    }

    /// Its panels, without the headings of rows.
    pub fn panels(&self) -> Vec<Panel<'_>> {
        list(&self.json, "/panels").iter().map(|json| Panel { json }).filter(|panel| panel.kind() != "row").collect()
    }

    /// Types of data sources that its user can choose, with the name of the variable.
    pub fn sources(&self) -> Vec<(String, String)> {
        let of = |variable: &Value| Some((text(variable, "/query").ok()?.to_owned(), text(variable, "/name").ok()?.to_owned()));
        let variables = list(&self.json, "/templating/list").iter();
        variables.filter(|variable| text(variable, "/type").is_ok_and(|kind| kind == "datasource")).filter_map(of).collect()
    }

    /// Variables whose values come from SQL, and constants.
    pub fn variables(&self) -> Result<Vec<Variable>> {
        let mut variables = Vec::new();
        for json in list(&self.json, "/templating/list") {
            let is_sql = text(json, "/datasource/type").is_ok_and(|kind| kind == SQL);
            let is_constant = text(json, "/type")? == "constant";
            if !is_sql && !is_constant {
                continue;
            }
            let query = text(json, "/query")?.to_owned();
            let (query, constant) = if is_constant { (None, Some(query)) } else { (Some(query), None) };
            let flag = |name: &str| json.get(name).and_then(Value::as_bool).unwrap_or_default();
            variables.push(Variable {
                name: text(json, "/name")?.to_owned(),
                is_list: flag("multi") || flag("includeAll"),
                all: text(json, "/allValue").ok().map(str::to_owned),
                current: constant.or_else(|| text(json, "/current/value").ok().map(str::to_owned)),
                query,
            });
        }
        Ok(variables)
    }

    /// The board for `dashboards/render/page.html`, with the given panels.
    pub fn page(&self, panels: Vec<Value>, from_ms: i64, to_ms: i64) -> Result<Value> {
        let (title, description) = (self.text("/title")?, self.text("/description")?);
        Ok(serde_json::json!({ "title": title, "description": description, "from": from_ms, "to": to_ms, "panels": panels }))
    }
}

impl<'a> Panel<'a> {
    /// Its JSON.
    pub const fn json(self) -> &'a Value {
        self.json
    }

    /// Its type: `timeseries`, `table`, ….
    pub fn kind(self) -> &'a str {
        text(self.json, "/type").unwrap_or_default()
    }

    /// Its title; empty without one.
    pub fn title(self) -> &'a str {
        text(self.json, "/title").unwrap_or_default()
    }

    /// A text at a pointer; empty without one.
    pub fn text(self, pointer: &str) -> &'a str {
        text(self.json, pointer).unwrap_or_default()
    }

    /// Left, top, right and bottom on the grid of 24 columns.
    pub fn place(self) -> Result<[u64; 4]> {
        let at =
            |name: &str| self.json.pointer(&format!("/gridPos/{name}")).and_then(Value::as_u64).with_context(|| self.title().to_owned());
        let (x, y) = (at("x")?, at("y")?);
        Ok([x, y, x + at("w")?, y + at("h")?])
    }

    /// Its targets.
    pub fn targets(self) -> &'a [Value] {
        list(self.json, "/targets")
    }

    /// Its SQL; `None` for a panel on metrics. A panel has one query, whose frame it draws.
    pub fn sql(self) -> Result<Option<&'a str>> {
        if text(self.json, "/datasource/type")? != SQL {
            return Ok(None);
        }
        let [target] = self.targets() else { anyhow::bail!("{}: a panel on SQL has one query", self.title()) };
        ensure!(target.get("datasource") == self.json.get("datasource"), "{}: its query has another data source", self.title());
        text(target, "/rawSql").map(Some)
    }

    /// Names of columns and series that its overrides are for.
    pub fn overridden(self) -> Result<Vec<&'a str>> {
        let overrides = list(self.json, "/fieldConfig/overrides").iter();
        let by_name = overrides.filter(|one| text(one, "/matcher/id").is_ok_and(|id| id == "byName"));
        by_name.map(|one| text(one, "/matcher/options")).collect()
    }
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no text at {pointer}"))
}

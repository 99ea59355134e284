//! The console's fixed queries: one file of `pipelines/console/panels/` each. A browser asks for one by its name.
//!
//! `{name}` in a query is a value that the request has to give, and `{section.key}` one of the configuration. Both become literals.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use headwater_sql::{Reader, quoted};

use super::api::Json;
use super::desk::Desk;
use super::parameters::Parameters;
use super::refusal::Refusal;
use crate::config::Config;

/// Rows of a panel.
const ROWS_MAX: usize = 500;

/// A query of the console.
pub(super) struct Panel {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
    /// The values that it needs.
    pub(super) parameters: &'static [&'static str],
}

macro_rules! panels {
    ($($name:literal $parameters:expr),* $(,)?) => {
        &[$(Panel { name: $name, sql: include_str!(concat!("../../console/panels/", $name, ".sql")), parameters: &$parameters }),*]
    };
}

/// All of them.
pub(super) const PANELS: &[Panel] = panels! {
    "books" [],
    "positions" [],
    "limits" [],
    "symbols" [],
    "depth" ["symbol"],
    "alerts" [],
    "verdicts" [],
    "decisions" [],
    "dead_letters" [],
};

/// `GET /api/panels/{name}`
pub(super) async fn panel(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    Extension(reader): Extension<Reader>,
) -> Result<Json, Refusal> {
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "no_panel", format!("there is no panel {name:?}: {}", names()));
    let panel = PANELS.iter().find(|panel| panel.name == name).ok_or_else(unknown)?;
    let parameters = Parameters::read(query.as_deref(), panel.parameters)?;
    Ok(Json(reader.query(&panel.statement(&parameters, desk.configured())?, ROWS_MAX).await?.into_json()))
}

fn names() -> String {
    format!("there are {}", PANELS.iter().map(|panel| panel.name).collect::<Vec<_>>().join(", "))
}

impl Panel {
    /// The statement with the values that were given, and those of the configuration.
    fn statement(&self, parameters: &Parameters, configured: &Configured) -> Result<String, Refusal> {
        let mut statement = self.sql.to_owned();
        // What a request gives comes last, so that nothing in it is taken for a placeholder.
        for (key, value) in &configured.0 {
            let literal = value.as_deref().map_or_else(|| "CAST(NULL AS VARCHAR)".to_owned(), quoted);
            statement = statement.replace(&format!("{{{key}}}"), &literal);
        }
        for name in self.parameters {
            statement = statement.replace(&format!("{{{name}}}"), &quoted(parameters.required(name)?));
        }
        Ok(statement)
    }
}

/// Values of the configuration that panels are about, by section and key.
#[derive(Clone, Debug)]
pub struct Configured(BTreeMap<&'static str, Option<String>>);

impl Configured {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        let Config { limits, risk, .. } = config;
        Self(BTreeMap::from([
            ("limits.position_value", Some(limits.position_value.to_string())),
            ("limits.gross_exposure", limits.gross_exposure.map(|limit| limit.to_string())),
            ("limits.leverage", Some(limits.leverage.to_string())),
            ("limits.concentration", Some(limits.concentration.to_string())),
            ("limits.var", Some(limits.var.to_string())),
            ("risk.limit_confidence", Some(risk.limit_confidence.to_string())),
            ("risk.limit_method", risk.limit_method().map(|method| method.to_string())),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled_and_a_value_stays_one_literal() {
        let configured = Configured::of(&Config::default());
        for panel in PANELS {
            let query: Vec<_> = panel.parameters.iter().map(|name| format!("{name}=x%27%20OR%201%3D1%20--")).collect();
            let parameters = Parameters::read(Some(&query.join("&")), panel.parameters).expect("parameters");
            let statement = panel.statement(&parameters, &configured).expect("a statement");
            assert!(!statement.contains(['{', '}']), "{}: {statement}", panel.name);
            assert_eq!(statement.contains("'x'' OR 1=1 --'"), !panel.parameters.is_empty(), "{}", panel.name);
            let without = panel.statement(&Parameters::default(), &configured);
            assert_eq!(without.is_ok(), panel.parameters.is_empty(), "{}", panel.name);
        }
    }
}

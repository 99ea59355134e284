//! The functions of `pg_catalog` that clients call.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListBuilder, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility};

use super::pg_catalog::{self, OWNER_NAME};
use super::relations::Relations;
use super::settings::Settings;
use super::types;
use crate::session::{CATALOG, SCHEMA};
use crate::statement::double_quoted;

/// What the functions of a session answer from.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) relations: Arc<Relations>,
    pub(super) settings: Settings,
    pub(super) user: String,
    pub(super) pid: u32,
}

/// What a function gives, from its arguments as text.
#[derive(Clone, Copy, Debug)]
enum Gives {
    /// Always the same text.
    Text(fn(&Context) -> String),
    /// Always the same number.
    Number(fn(&Context) -> i64),
    True,
    False,
    /// Nothing that there is here.
    Null,
    /// Whether the last argument, a list of privileges, has the only one that there is.
    Privilege(&'static str),
    /// A text of the arguments.
    OfTexts(fn(&Context, &[Option<&str>]) -> Option<String>),
    /// A list of texts.
    List(fn(&[Option<&str>]) -> Option<Vec<String>>),
}

const FUNCTIONS: &[(&str, Gives)] = &[
    ("col_description", Gives::OfTexts(col_description)),
    ("current_catalog", Gives::Text(|_| CATALOG.to_owned())),
    ("current_database", Gives::Text(|_| CATALOG.to_owned())),
    ("current_role", Gives::Text(|context| context.user.clone())),
    ("current_schema", Gives::Text(|_| SCHEMA.to_owned())),
    ("current_schemas", Gives::List(current_schemas)),
    ("current_setting", Gives::OfTexts(|context, texts| Some(context.settings.show(texts.first().copied()??).ok()?.1))),
    ("current_user", Gives::Text(|context| context.user.clone())),
    ("format_type", Gives::OfTexts(format_type)),
    ("getdatabaseencoding", Gives::Text(|_| "UTF8".to_owned())),
    ("has_any_column_privilege", Gives::Privilege("select")),
    ("has_column_privilege", Gives::Privilege("select")),
    ("has_database_privilege", Gives::Privilege("connect")),
    ("has_function_privilege", Gives::Privilege("execute")),
    ("has_schema_privilege", Gives::Privilege("usage")),
    ("has_table_privilege", Gives::OfTexts(has_table_privilege)),
    ("inet_client_addr", Gives::Null),
    ("inet_server_addr", Gives::Null),
    ("inet_server_port", Gives::Null),
    ("obj_description", Gives::OfTexts(|context, texts| Some(relation(context, texts)?.about.clone()))),
    ("parse_ident", Gives::List(|texts| parts_of_name(texts.first().copied()??))),
    ("pg_advisory_unlock_all", Gives::Null),
    ("pg_backend_pid", Gives::Number(|context| i64::from(context.pid))),
    ("pg_client_encoding", Gives::Text(|_| "UTF8".to_owned())),
    ("pg_collation_is_visible", Gives::True),
    ("pg_database_size", Gives::Null),
    ("pg_encoding_to_char", Gives::Text(|_| "UTF8".to_owned())),
    ("pg_function_is_visible", Gives::True),
    ("pg_get_constraintdef", Gives::Null),
    ("pg_get_expr", Gives::Null),
    ("pg_get_indexdef", Gives::Null),
    ("pg_get_partkeydef", Gives::Null),
    ("pg_get_ruledef", Gives::Null),
    ("pg_get_statisticsobjdef_columns", Gives::Null),
    ("pg_get_triggerdef", Gives::Null),
    ("pg_get_userbyid", Gives::Text(|_| OWNER_NAME.to_owned())),
    ("pg_get_viewdef", Gives::OfTexts(|context, texts| Some(relation(context, texts)?.definition?.to_owned()))),
    ("pg_is_in_recovery", Gives::False),
    ("pg_is_other_temp_schema", Gives::False),
    ("pg_opclass_is_visible", Gives::True),
    ("pg_relation_is_publishable", Gives::False),
    ("pg_relation_size", Gives::Null),
    ("pg_size_pretty", Gives::Null),
    ("pg_stat_get_numscans", Gives::Null),
    ("pg_table_is_visible", Gives::True),
    ("pg_table_size", Gives::Null),
    ("pg_tablespace_location", Gives::Null),
    ("pg_tablespace_size", Gives::Null),
    ("pg_total_relation_size", Gives::Null),
    ("pg_type_is_visible", Gives::True),
    ("quote_ident", Gives::OfTexts(|_, texts| Some(quoted(texts.first().copied()??)))),
    ("regclass_name", Gives::OfTexts(regclass_name)),
    ("regclass_oid", Gives::OfTexts(|context, texts| Some(context.relations.oid(texts.first().copied()??)?.to_string()))),
    ("session_user", Gives::Text(|context| context.user.clone())),
    ("set_config", Gives::OfTexts(set_config)),
    ("shobj_description", Gives::Null),
    ("to_regtype", Gives::OfTexts(|_, texts| Some(types::named(texts.first().copied()??)?.oid.to_string()))),
    ("user", Gives::Text(|context| context.user.clone())),
    ("version", Gives::Text(version)),
];

/// The function that gives the name of a relation with a number: what a cast to `regclass` becomes.
pub(super) const REGCLASS_NAME: &str = "regclass_name";
/// The function that gives the number of a relation with a name: what a cast to `regclass` and on to `oid` becomes.
pub(super) const REGCLASS_OID: &str = "regclass_oid";
/// The function that gives the name of a type with a number.
pub(super) const FORMAT_TYPE: &str = "format_type";

/// The functions of a session.
pub(super) fn functions(context: &Arc<Context>) -> impl Iterator<Item = ScalarUDF> {
    let context = Arc::clone(context);
    FUNCTIONS.iter().map(move |(name, gives)| {
        let signature = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Stable);
        ScalarUDF::new_from_impl(OfCatalog { name, gives: *gives, context: Arc::clone(&context), signature })
    })
}

fn version(_: &Context) -> String {
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("PostgreSQL 15.0 (Headwater {}) on {machine}-{system}", env!("CARGO_PKG_VERSION"))
}

/// The schemas in which names are looked up; with `true`, also the one that is there without being named.
fn current_schemas(texts: &[Option<&str>]) -> Option<Vec<String>> {
    let implicit = (texts.first().copied()?? == "true").then(|| pg_catalog::NAME.to_owned());
    Some(implicit.into_iter().chain([SCHEMA.to_owned()]).collect())
}

/// The parts of a name like `public."Table"`.
fn parts_of_name(name: &str) -> Option<Vec<String>> {
    let (mut parts, mut part, mut is_quoted) = (Vec::new(), String::new(), false);
    for character in name.trim().chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(std::mem::take(&mut part)),
            other if is_quoted => part.push(other),
            other => part.extend(other.to_lowercase()),
        }
    }
    parts.push(part);
    (!is_quoted).then_some(parts)
}

/// A name as SQL needs it written.
pub(crate) fn quoted(name: &str) -> String {
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    match name.chars().all(is_plain) && !name.starts_with(|first: char| first.is_ascii_digit()) && !name.is_empty() {
        true => name.to_owned(),
        false => double_quoted(name),
    }
}

/// The value of a setting without effect, such as `jit`, as if it was set; for others there is `SET`.
fn set_config(_: &Context, texts: &[Option<&str>]) -> Option<String> {
    let [Some(name), Some(value), ..] = texts else { return None };
    Settings::is_without_effect(name).then(|| (*value).to_owned())
}

fn relation<'a>(context: &'a Context, texts: &[Option<&str>]) -> Option<&'a super::relations::Described> {
    context.relations.with_oid(texts.first().copied()??.parse().ok()?)
}

/// The description of a column, by its relation and number.
fn col_description(context: &Context, texts: &[Option<&str>]) -> Option<String> {
    let number: usize = texts.get(1).copied()??.parse().ok()?;
    let about = relation(context, texts)?.columns_about.get(number.checked_sub(1)?)?;
    (!about.is_empty()).then(|| (*about).to_owned())
}

fn regclass_name(context: &Context, texts: &[Option<&str>]) -> Option<String> {
    let given = texts.first().copied()??;
    Some(relation(context, texts).map_or_else(|| given.to_owned(), |relation| relation.name.clone()))
}

/// Whether the table can be read: it is one of those that are listed, and reading is what is asked about.
fn has_table_privilege(context: &Context, texts: &[Option<&str>]) -> Option<String> {
    let [.., table, privilege] = texts else { return None };
    let table = (*table)?;
    let is_there = context.relations.oid(table).is_some() || table.parse().is_ok_and(|oid| context.relations.with_oid(oid).is_some());
    Some((is_there && (*privilege)?.to_lowercase().contains("select")).to_string())
}

/// The name of a type as SQL writes it, with its numbers of digits.
fn format_type(_: &Context, texts: &[Option<&str>]) -> Option<String> {
    let pg_type = types::with_oid(texts.first().copied()??.parse().ok()?);
    let Some(pg_type) = pg_type else { return Some("???".to_owned()) };
    let modifier = texts.get(1).copied().flatten().and_then(|text| text.parse::<i32>().ok()).filter(|modifier| *modifier >= 4);
    Some(match modifier.filter(|_| pg_type == types::NUMERIC).and_then(|modifier| modifier.checked_sub(4)) {
        Some(digits) => format!("{}({},{})", pg_type.sql_name, digits >> 16, digits & 0xffff),
        None => pg_type.sql_name.to_owned(),
    })
}

#[derive(Debug)]
struct OfCatalog {
    name: &'static str,
    gives: Gives,
    context: Arc<Context>,
    signature: Signature,
}

/// Two functions are the same if they have the same name: a session has one context.
impl PartialEq for OfCatalog {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OfCatalog {}

impl std::hash::Hash for OfCatalog {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl OfCatalog {
    fn column(&self, arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
        let rows = arguments.number_rows;
        let texts = |of: fn(&Context, &[Option<&str>]) -> Option<String>| of_each_row(arguments, |texts| of(&self.context, texts));
        Ok(match self.gives {
            Gives::Text(of) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(of(&self.context), rows))),
            Gives::Number(of) => Arc::new(Int64Array::from_iter_values(std::iter::repeat_n(of(&self.context), rows))),
            Gives::True => Arc::new(BooleanArray::from(vec![true; rows])),
            Gives::False => Arc::new(BooleanArray::from(vec![false; rows])),
            Gives::Null => Arc::new(StringArray::new_null(rows)),
            Gives::Privilege(only) => {
                let has = |texts: &[Option<&str>]| texts.last().copied().flatten().map(|asked| asked.to_lowercase().contains(only));
                Arc::new(of_each_row(arguments, has)?.into_iter().collect::<BooleanArray>())
            }
            Gives::OfTexts(of) if self.name == "has_table_privilege" => {
                Arc::new(texts(of)?.into_iter().map(|text| text.map(|text| text == "true")).collect::<BooleanArray>())
            }
            Gives::OfTexts(of) => Arc::new(texts(of)?.into_iter().collect::<StringArray>()),
            Gives::List(of) => {
                let mut lists = ListBuilder::new(StringBuilder::new());
                for list in of_each_row(arguments, of)? {
                    let is_there = list.is_some();
                    list.iter().flatten().for_each(|text| lists.values().append_value(text));
                    lists.append(is_there);
                }
                Arc::new(lists.finish())
            }
        })
    }
}

/// What a function gives for each row of its arguments, as text.
fn of_each_row<T>(arguments: &ScalarFunctionArgs, of: impl Fn(&[Option<&str>]) -> T) -> Result<Vec<T>> {
    let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
    let columns = columns.iter().map(|column| cast(column, &DataType::Utf8)).collect::<std::result::Result<Vec<_>, _>>()?;
    let row = |row: usize| {
        let value = |column: &ArrayRef| {
            let texts = column.as_string::<i32>();
            let row = if texts.len() == 1 { 0 } else { row };
            (row < texts.len() && texts.is_valid(row)).then(|| texts.value(row).to_owned())
        };
        let values: Vec<Option<String>> = columns.iter().map(value).collect();
        of(&values.iter().map(Option::as_deref).collect::<Vec<_>>())
    };
    Ok((0..arguments.number_rows).map(row).collect())
}

impl ScalarUDFImpl for OfCatalog {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        if self.name == "current_setting" && arguments.is_empty() {
            return plan_err!("current_setting needs the name of a setting");
        }
        Ok(match self.gives {
            Gives::Number(_) => DataType::Int64,
            Gives::True | Gives::False | Gives::Privilege(_) => DataType::Boolean,
            Gives::OfTexts(_) if self.name == "has_table_privilege" => DataType::Boolean,
            Gives::List(_) => DataType::new_list(DataType::Utf8, true),
            _ => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Array(self.column(&arguments)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_listed_by_name() {
        assert!(FUNCTIONS.is_sorted_by_key(|(name, _)| name));
    }

    #[test]
    fn names_are_taken_apart_and_quoted() {
        for (name, expected) in [("balances", vec!["balances"]), ("Public.\"A.b\"", vec!["public", "A.b"])] {
            assert_eq!(parts_of_name(name), Some(expected.into_iter().map(str::to_owned).collect()), "{name}");
        }
        assert_eq!(parts_of_name("\"no end"), None);
        for (name, expected) in
            [("balances_2", "balances_2"), ("Balances", "\"Balances\""), ("a\"b", "\"a\"\"b\""), ("2a", "\"2a\""), ("", "\"\"")]
        {
            assert_eq!(quoted(name), expected, "{name}");
        }
    }
}

//! PostgreSQL's spellings in DataFusion's: qualified functions and types, `OPERATOR(pg_catalog.~)`, `COLLATE`, casts to `regclass`.
//!
//! Clients also read tables of `pg_catalog` that never have rows here, in ways that DataFusion does not plan (`ARRAY(SELECT …)`,
//! `oid = ANY (polroles)`). A `SELECT` from such a table has no rows whatever else it says, so it becomes one without rows and without
//! the table.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType as SqlType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    GroupByExpr, Ident, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement as Sql, TableFactor,
    TableWithJoins, Value, VisitMut, VisitorMut,
};

use super::functions::{FORMAT_TYPE, REGCLASS_NAME};
use super::pg_catalog;
use super::relations::Relations;
use super::types;
use crate::error::QueryError;
use crate::readable::unknown_table;

/// Rewrites a statement.
pub(super) fn rewrite(statement: &mut Parsed, relations: &Relations) -> Result<(), QueryError> {
    match statement {
        Parsed::Statement(sql) => rewrite_sql(sql, relations),
        Parsed::Explain(explain) => rewrite(&mut explain.statement, relations),
        _ => Ok(()),
    }
}

fn rewrite_sql(sql: &mut Sql, relations: &Relations) -> Result<(), QueryError> {
    let mut rewriter = Rewriter { relations };
    match VisitMut::visit(sql, &mut rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter<'a> {
    relations: &'a Relations,
}

impl VisitorMut for Rewriter<'_> {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        if query.with.is_none() && without_rows(query.body.as_mut()) {
            query.order_by = None;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<QueryError> {
        if let [ObjectNamePart::Identifier(single)] = name.0.as_slice()
            && pg_catalog::has(&single.value.to_lowercase())
        {
            *name = ObjectName::from(vec![Ident::new(pg_catalog::NAME), single.clone()]);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        match expr {
            Expr::Function(function) => {
                unqualify(&mut function.name);
                // What is selected from a table without rows is an empty array.
                if matches!(&function.args, FunctionArguments::Subquery(query) if is_without_rows(query)) {
                    *expr = Expr::value(Value::Null);
                }
            }
            Expr::Collate { expr: inner, .. } => *expr = std::mem::replace(inner.as_mut(), Expr::value(Value::Null)),
            Expr::Subquery(query) if is_without_rows(query) => *expr = Expr::value(Value::Null),
            Expr::BinaryOp { op, .. } => plain_operator(op),
            Expr::Cast { expr: inner, data_type, kind, .. } => {
                let inner = std::mem::replace(inner, Box::new(Expr::value(Value::Null)));
                match self.cast(*inner, data_type, kind) {
                    Ok(cast) => *expr = cast,
                    Err(error) => return ControlFlow::Break(error),
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter<'_> {
    fn cast(&self, inner: Expr, data_type: &SqlType, kind: &CastKind) -> Result<Expr, QueryError> {
        let plain = |inner: Expr, data_type: SqlType| Expr::Cast {
            kind: kind.clone(),
            expr: Box::new(inner),
            data_type,
            array: false,
            format: None,
        };
        let name = match data_type {
            SqlType::Regclass => "regclass".to_owned(),
            SqlType::JSON | SqlType::JSONB | SqlType::Uuid => "text".to_owned(),
            SqlType::CharacterVarying(_) | SqlType::CharVarying(_) | SqlType::Character(_) | SqlType::Varchar(_) => "text".to_owned(),
            SqlType::Custom(name, _) => match name.0.last().and_then(ObjectNamePart::as_ident) {
                Some(last) => last.value.to_lowercase(),
                None => return Ok(plain(inner, data_type.clone())),
            },
            other => return Ok(plain(inner, other.clone())),
        };
        Ok(match name.as_str() {
            "regclass" => match literal(&inner).map(str::to_owned) {
                Some(name) if name.parse::<u32>().is_err() => {
                    let oid = self.relations.oid(&name).ok_or_else(|| QueryError::Statement(unknown_table(&name)))?;
                    plain(Expr::value(Value::Number(oid.to_string(), false)), SqlType::IntUnsigned(None))
                }
                _ => call(REGCLASS_NAME, vec![inner]),
            },
            "regtype" => match literal(&inner).and_then(types::named) {
                Some(pg_type) => plain(Expr::value(Value::Number(pg_type.oid.to_string(), false)), SqlType::IntUnsigned(None)),
                None => call(FORMAT_TYPE, vec![inner, Expr::value(Value::Null)]),
            },
            "oid" | "xid" | "cid" => plain(inner, SqlType::IntUnsigned(None)),
            "int2" => plain(inner, SqlType::SmallInt(None)),
            "int4" => plain(inner, SqlType::Int(None)),
            "int8" => plain(inner, SqlType::BigInt(None)),
            "float4" => plain(inner, SqlType::Real),
            "float8" => plain(inner, SqlType::DoublePrecision),
            "bool" => plain(inner, SqlType::Boolean),
            "timestamptz" => plain(inner, SqlType::Timestamp(None, datafusion::sql::sqlparser::ast::TimezoneInfo::Tz)),
            "text" | "name" | "char" | "bpchar" | "varchar" | "regproc" | "regprocedure" | "regnamespace" | "regrole"
            | "sql_identifier" | "character_data" | "cardinal_number" | "yes_or_no" | "cstring" | "aclitem" | "json" | "jsonb" | "uuid" => {
                plain(inner, SqlType::Text)
            }
            _ => plain(inner, data_type.clone()),
        })
    }
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// Removes the schema from the name of a function.
fn unqualify(name: &mut ObjectName) {
    if let [ObjectNamePart::Identifier(schema), function] = name.0.as_slice()
        && matches!(schema.value.to_lowercase().as_str(), pg_catalog::NAME | "information_schema")
    {
        *name = ObjectName(vec![function.clone()]);
    }
}

/// `OPERATOR(pg_catalog.~)` is `~`.
fn plain_operator(op: &mut BinaryOperator) {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else { return };
    let plain = match parts.last().map(String::as_str) {
        Some("~") => BinaryOperator::PGRegexMatch,
        Some("~*") => BinaryOperator::PGRegexIMatch,
        Some("!~") => BinaryOperator::PGRegexNotMatch,
        Some("!~*") => BinaryOperator::PGRegexNotIMatch,
        Some("=") => BinaryOperator::Eq,
        Some("<>") => BinaryOperator::NotEq,
        Some("<") => BinaryOperator::Lt,
        Some("<=") => BinaryOperator::LtEq,
        Some(">") => BinaryOperator::Gt,
        Some(">=") => BinaryOperator::GtEq,
        Some("+") => BinaryOperator::Plus,
        Some("||") => BinaryOperator::StringConcat,
        _ => return,
    };
    *op = plain;
}

/// Whether a query has no rows, as it was found before its parts were visited.
fn is_without_rows(query: &Query) -> bool {
    match query.body.as_ref() {
        SetExpr::Select(select) => is_emptied(select),
        _ => false,
    }
}

/// What [`empty`] leaves.
fn is_emptied(select: &Select) -> bool {
    select.from.is_empty() && select.selection == Some(Expr::value(Value::Boolean(false)))
}

/// Empties every `SELECT` of a query that reads from a table without rows; true if all of them do.
fn without_rows(body: &mut SetExpr) -> bool {
    match body {
        SetExpr::Select(select) if reads_nothing(select) => {
            empty(select);
            true
        }
        SetExpr::SetOperation { left, right, .. } => {
            let (left, right) = (without_rows(left), without_rows(right));
            left && right
        }
        _ => false,
    }
}

/// Whether a `SELECT` gives no rows because a table that it reads, and does not only add, has none.
fn reads_nothing(select: &Select) -> bool {
    let has_groups = !matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty());
    let can_be_named = select.projection.iter().all(|item| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }));
    can_be_named && (has_groups || !select.projection.iter().any(aggregates)) && select.from.iter().any(is_empty_join)
}

fn is_empty_join(from: &TableWithJoins) -> bool {
    use JoinOperator::{CrossJoin, Inner, Join, Left, LeftOuter};
    let keeps_the_left =
        from.joins.iter().all(|join| matches!(join.join_operator, Join(_) | Inner(_) | CrossJoin(_) | Left(_) | LeftOuter(_)));
    let has_empty =
        from.joins.iter().any(|join| matches!(join.join_operator, Join(_) | Inner(_) | CrossJoin(_)) && is_empty_table(&join.relation));
    keeps_the_left && (has_empty || is_empty_table(&from.relation))
}

fn is_empty_table(table: &TableFactor) -> bool {
    let TableFactor::Table { name, args: None, .. } = table else { return false };
    let parts: Vec<String> = name.0.iter().filter_map(ObjectNamePart::as_ident).map(|part| part.value.to_lowercase()).collect();
    match parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [table] | [pg_catalog::NAME, table] | [_, pg_catalog::NAME, table] => pg_catalog::is_empty(table),
        _ => false,
    }
}

/// Whether an item computes something over all rows, and so has a row even of none.
fn aggregates(item: &SelectItem) -> bool {
    const NAMES: [&str; 9] = ["count", "sum", "min", "max", "avg", "array_agg", "string_agg", "bool_and", "bool_or"];
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return true };
    let found = datafusion::sql::sqlparser::ast::visit_expressions(expr, |expr| match expr {
        Expr::Function(Function { name, .. })
            if name.0.last().and_then(ObjectNamePart::as_ident).is_some_and(|name| NAMES.contains(&name.value.to_lowercase().as_str())) =>
        {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// Keeps the names of the columns, and nothing else.
fn empty(select: &mut Select) {
    for (number, item) in select.projection.iter_mut().enumerate() {
        let alias = match &*item {
            SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => name.clone(),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned().unwrap_or_else(|| Ident::new("column")),
            _ => Ident::new(format!("column{}", number.saturating_add(1))),
        };
        *item = SelectItem::ExprWithAlias { expr: Expr::value(Value::Null), alias };
    }
    select.from = vec![];
    select.distinct = None;
    select.selection = Some(Expr::value(Value::Boolean(false)));
    select.group_by = GroupByExpr::Expressions(vec![], vec![]);
    select.having = None;
}

#[cfg(test)]
mod tests {
    use super::super::command::{self, Command};
    use super::*;

    fn rewritten(text: &str) -> String {
        let Ok(Some(Command::Rows(mut statement))) = command::parse(text) else { panic!("{text}") };
        rewrite(&mut statement, &Relations::default()).unwrap();
        statement.to_string()
    }

    #[test]
    fn spellings_of_postgresql_become_plain() {
        for (text, expected) in [
            ("SELECT pg_catalog.format_type(1, 2)", "SELECT format_type(1, 2)"),
            ("SELECT a OPERATOR(pg_catalog.~) 'x' COLLATE pg_catalog.default", "SELECT a ~ 'x'"),
            ("SELECT * FROM pg_class", "SELECT * FROM pg_catalog.pg_class"),
            ("SELECT * FROM balances", "SELECT * FROM balances"),
            ("SELECT 'pg_class'::regclass::oid", "SELECT 1259::INT UNSIGNED::INT UNSIGNED"),
            ("SELECT c.oid::pg_catalog.regclass", "SELECT regclass_name(c.oid)"),
            ("SELECT a::name, b::pg_catalog.text", "SELECT a::TEXT, b::TEXT"),
        ] {
            assert_eq!(rewritten(text), expected, "{text}");
        }
        let Ok(Some(Command::Rows(mut statement))) = command::parse("SELECT 'nothing'::regclass") else { panic!("no rows") };
        assert!(rewrite(&mut statement, &Relations::default()).is_err());
    }

    #[test]
    fn a_select_from_a_table_without_rows_has_none() {
        for (text, expected) in [
            ("SELECT p.a, f(b) AS c FROM pg_policy p ORDER BY p.a", "SELECT NULL AS a, NULL AS c WHERE false"),
            ("SELECT a FROM pg_class JOIN pg_catalog.pg_am ON x", "SELECT NULL AS a WHERE false"),
            ("SELECT x, (SELECT d FROM pg_attrdef)", "SELECT x, NULL"),
        ] {
            assert_eq!(rewritten(text), expected, "{text}");
        }
        for kept in [
            "SELECT a FROM pg_catalog.pg_class LEFT JOIN pg_catalog.pg_am ON x",
            "SELECT count(*) FROM pg_catalog.pg_am",
            "SELECT * FROM pg_catalog.pg_am",
        ] {
            assert_eq!(rewritten(kept), kept);
        }
    }
}

//! Operations that may fail, and guards around their operands.
//!
//! `b <> 0 AND a / b > 1` becomes `b <> 0 AND a / CASE WHEN b <> 0 THEN b END > 1`. The operation has NULL where an earlier condition
//! decides, and so does not fail there; the value of the whole is the same, since it does not depend on the later condition there. The guard
//! goes with the operation wherever the optimizer puts it, and the conditions themselves stay as they are, so that they are pushed to the
//! files and compared with their statistics. DataFusion 55 makes AND and OR of a CASE of conditions, so its branches have guards, too.

use std::cell::Cell;
use std::rc::Rc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, TableReference};
use datafusion::logical_expr::expr::{AggregateFunction, BinaryExpr, Case, Cast, ScalarFunction};
use datafusion::logical_expr::utils::{conjunction, split_binary_owned};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};
use rustc_hash::FxHashSet;

/// Maximum number of parts of a condition that is repeated in guards.
const PARTS_OF_CONDITION_MAX: usize = 256;
/// Maximum number of parts of all guards of a condition: a program may write thousands of conditions, each of which would repeat those
/// before it. What is beyond has no guards.
const PARTS_MAX: usize = 8192;

/// Functions that fail for some of their arguments, and give NULL for NULL.
const FAILING: [&str; 31] = [
    "as_numeric",
    "checked_difference",
    "checked_negation",
    "checked_product",
    "checked_sum",
    "chr",
    "date_bin",
    "decode",
    "div",
    "factorial",
    "interval_divided",
    "interval_times",
    "ln",
    "log",
    "log10",
    "log2",
    "make_date",
    "make_time",
    "pow",
    "power",
    "repeat",
    "split_part",
    "sqrt",
    "substr",
    "substring",
    "to_date",
    "to_number",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_seconds",
];

/// Whether an expression, other than its parts, may fail for some rows.
pub(crate) fn may_fail(expr: &Expr, schema: &DFSchema) -> bool {
    let is_risky = match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide | Operator::Modulo, right }) => {
            !is_never_zero(right) && [left, right].into_iter().all(|side| !is_floating(side, schema))
        }
        Expr::Cast(Cast { expr, field }) => match expr.get_type(schema) {
            Ok(from) => may_cast_fail(&from, field.data_type()),
            Err(_) => false,
        },
        Expr::ScalarFunction(function) => FAILING.contains(&function.func.name()),
        _ => false,
    };
    is_risky && expr.any_column_refs()
}

fn is_floating(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| data_type.is_floating())
}

/// Whether a divisor is a number other than zero, or NULL in place of zero.
fn is_never_zero(divisor: &Expr) -> bool {
    let is_number = |value: &ScalarValue| !value.is_null() && ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| zero != *value);
    match divisor {
        Expr::Literal(value, _) => is_number(value),
        Expr::Alias(alias) => is_never_zero(&alias.expr),
        // To more digits, in divisions.
        Expr::Cast(Cast { expr, field }) => field.data_type().is_decimal() && is_never_zero(expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) => match args.as_slice() {
            [_, zero] => func.name() == "nullif" && is_zero(zero),
            _ => false,
        },
        _ => false,
    }
}

fn is_zero(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| zero == *value),
        Expr::Alias(alias) => is_zero(&alias.expr),
        Expr::Cast(Cast { expr, .. }) => is_zero(expr),
        _ => false,
    }
}

fn may_cast_fail(from: &DataType, to: &DataType) -> bool {
    let from = match from {
        DataType::Dictionary(_, value) => value.as_ref(),
        from => from,
    };
    let is_bytes = |data_type: &DataType| {
        use DataType::{Binary, BinaryView, LargeBinary};
        data_type.is_string() || matches!(data_type, Binary | LargeBinary | BinaryView | DataType::Dictionary(..))
    };
    let is_narrowed = from.is_numeric() && to.is_integer() && (!from.is_integer() || from.primitive_width() > to.primitive_width());
    is_narrowed || from.is_string() && !is_bytes(to) || from.is_floating() && to.is_decimal()
}

/// Whether an expression or a part of it may fail for some rows.
pub(crate) fn contains_failing(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    expr.exists(|part| Ok(may_fail(part, schema)))
}

/// Conditions that decide before an operation is evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Guards {
    conditions: Vec<Expr>,
    /// The number of parts that may still be added, to what has these guards and those that were made of them.
    parts_left: Rc<Cell<usize>>,
}

impl Default for Guards {
    fn default() -> Self {
        Self { conditions: vec![], parts_left: Rc::new(Cell::new(PARTS_MAX)) }
    }
}

impl Guards {
    /// Adds a condition that has to be true, if it may be repeated.
    pub(crate) fn add(&mut self, condition: Expr) {
        if may_be_repeated(&condition) {
            self.conditions.push(condition);
        }
    }

    /// Adds a condition that is evaluated after its own.
    pub(crate) fn add_after(&mut self, condition: &Expr, schema: &DFSchema) -> Result<()> {
        let condition = guarded(condition.clone(), self, schema)?.data;
        self.add(condition);
        Ok(())
    }

    /// Adds the conditions of others, which are evaluated after its own.
    pub(crate) fn add_all_after(&mut self, others: &Self, schema: &DFSchema) -> Result<()> {
        others.conditions.iter().try_for_each(|condition| self.add_after(condition, schema))
    }

    fn with(&self, condition: Expr) -> Self {
        let mut guards = self.clone();
        guards.add(condition);
        guards
    }

    /// The conditions in terms of other columns, other than those that have no such terms.
    pub(crate) fn filter_map(&self, replace: impl Fn(&Expr) -> Option<Expr>) -> Self {
        let mut guards = Self { conditions: vec![], parts_left: Rc::clone(&self.parts_left) };
        self.conditions.iter().filter_map(replace).for_each(|condition| guards.add(condition));
        guards
    }

    /// What an operand is where all conditions are true, and else NULL. Conditions on other relations are left out, as in PostgreSQL: they
    /// would keep the operation from the relation that it belongs to.
    fn around(&self, operand: Expr, relations: &FxHashSet<Option<TableReference>>) -> Result<Expr> {
        let mut conditions: Vec<Expr> = Vec::new();
        for condition in self.conditions.iter().filter(|condition| relations_of(condition).is_subset(relations)) {
            let Some(left) = self.parts_left.get().checked_sub(parts_of(condition)?) else { break };
            if !conditions.contains(condition) {
                self.parts_left.set(left);
                conditions.push(condition.clone());
            }
        }
        Ok(match conjunction(conditions) {
            Some(condition) => Expr::Case(Case::new(None, vec![(Box::new(condition), Box::new(operand))], None)),
            None => operand,
        })
    }
}

fn may_be_repeated(condition: &Expr) -> bool {
    let is_of_row = |expr: &Expr| {
        use Expr::{AggregateFunction, Exists, InSubquery, OuterReferenceColumn, ScalarSubquery, SetComparison, Unnest, WindowFunction};
        !matches!(
            expr,
            AggregateFunction(_)
                | Exists(_)
                | InSubquery(_)
                | OuterReferenceColumn(..)
                | ScalarSubquery(_)
                | SetComparison(_)
                | Unnest(_)
                | WindowFunction(_)
        )
    };
    let is_small = parts_of(condition).is_ok_and(|parts| parts <= PARTS_OF_CONDITION_MAX);
    is_small && !condition.is_volatile() && condition.exists(|expr| Ok(!is_of_row(expr))).is_ok_and(|found| !found)
}

fn parts_of(expr: &Expr) -> Result<usize> {
    let mut parts = 0_usize;
    expr.apply(|_| {
        parts = parts.saturating_add(1);
        Ok(if parts > PARTS_OF_CONDITION_MAX { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(parts)
}

fn relations_of(expr: &Expr) -> FxHashSet<Option<TableReference>> {
    expr.column_refs().into_iter().map(|column| column.relation.clone()).collect()
}

/// An expression whose operations that may fail are evaluated only where the conditions before them leave them open.
pub(crate) fn guarded(expr: Expr, guards: &Guards, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if !contains_failing(&expr, schema)? {
        return Ok(Transformed::no(expr));
    }
    let relations = relations_of(&expr);
    let context = Context { schema, relations: &relations };
    context.guarded(expr, guards)
}

/// The conditions of a row, each after those before it.
pub(crate) fn in_order(conditions: Vec<Expr>, guards: &Guards, schema: &DFSchema) -> Result<Transformed<Vec<Expr>>> {
    let mut guards = guards.clone();
    let mut ordered = Vec::with_capacity(conditions.len());
    let mut is_changed = false;
    for condition in conditions {
        let condition = guarded(condition, &guards, schema)?;
        is_changed |= condition.transformed;
        guards.add(condition.data.clone());
        ordered.push(condition.data);
    }
    Ok(Transformed::new_transformed(ordered, is_changed))
}

struct Context<'a> {
    schema: &'a DFSchema,
    /// Those of the whole condition.
    relations: &'a FxHashSet<Option<TableReference>>,
}

impl Context<'_> {
    fn guarded(&self, expr: Expr, guards: &Guards) -> Result<Transformed<Expr>> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => self.operands(expr, op, guards),
            Expr::Case(case) if self.is_condition(&case) => self.branches(case, guards),
            Expr::ScalarFunction(function) if function.func.name() == "coalesce" => self.alternatives(function, guards),
            Expr::AggregateFunction(aggregate) => self.arguments(aggregate, guards),
            expr if may_fail(&expr, self.schema) => {
                let inner = expr.map_children(|part| self.guarded(part, guards))?;
                let is_changed = inner.transformed || !guards.conditions.is_empty();
                Ok(Transformed::new_transformed(self.around_operand(inner.data, guards)?, is_changed))
            }
            expr => expr.map_children(|part| self.guarded(part, guards)),
        }
    }

    /// An operation with a guard around the operand that it fails for, or whose NULL makes it NULL.
    fn around_operand(&self, operation: Expr, guards: &Guards) -> Result<Expr> {
        let around = |operand: Expr| guards.around(operand, self.relations);
        Ok(match operation {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                Expr::BinaryExpr(BinaryExpr { left, op, right: Box::new(under_its_name(*right, around)?) })
            }
            Expr::Cast(Cast { expr, field }) => Expr::Cast(Cast { expr: Box::new(around(*expr)?), field }),
            Expr::ScalarFunction(ScalarFunction { func, mut args }) => {
                if let Some(argument) = args.iter_mut().find(|argument| argument.any_column_refs()) {
                    *argument = around(argument.clone())?;
                }
                Expr::ScalarFunction(ScalarFunction { func, args })
            }
            other => other,
        })
    }

    /// Operands of AND are evaluated unless one before them is false, those of OR unless one before them is true.
    fn operands(&self, expr: Expr, op: Operator, guards: &Guards) -> Result<Transformed<Expr>> {
        let mut guards = guards.clone();
        let mut is_changed = false;
        let mut whole: Option<Expr> = None;
        for operand in split_binary_owned(expr, op) {
            let operand = self.guarded(operand, &guards)?;
            is_changed |= operand.transformed;
            let is_open = operand.data.clone();
            guards.add(if op == Operator::And { is_open.is_not_false() } else { is_open.is_not_true() });
            whole = Some(match whole {
                None => operand.data,
                Some(before) => Expr::BinaryExpr(BinaryExpr::new(Box::new(before), op, Box::new(operand.data))),
            });
        }
        Ok(Transformed::new_transformed(whole.unwrap_or_default(), is_changed))
    }

    fn is_condition(&self, case: &Case) -> bool {
        let values = case.when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(case.else_expr.as_deref());
        let mut types = values.filter_map(|value| value.get_type(self.schema).ok());
        case.expr.is_none() && types.any(|data_type| data_type == DataType::Boolean)
    }

    fn branches(&self, case: Case, guards: &Guards) -> Result<Transformed<Expr>> {
        let mut guards = guards.clone();
        let mut is_changed = false;
        let mut branches = Vec::with_capacity(case.when_then_expr.len());
        for (when, then) in case.when_then_expr {
            let when = self.guarded(*when, &guards)?;
            let then = self.guarded(*then, &guards.with(when.data.clone()))?;
            is_changed |= when.transformed || then.transformed;
            guards.add(when.data.clone().is_not_true());
            branches.push((Box::new(when.data), Box::new(then.data)));
        }
        let otherwise = match case.else_expr {
            Some(value) => {
                let value = self.guarded(*value, &guards)?;
                is_changed |= value.transformed;
                Some(Box::new(value.data))
            }
            None => None,
        };
        Ok(Transformed::new_transformed(Expr::Case(Case::new(None, branches, otherwise)), is_changed))
    }

    /// Arguments of `coalesce` are evaluated where those before them are NULL.
    fn alternatives(&self, function: ScalarFunction, guards: &Guards) -> Result<Transformed<Expr>> {
        let is_of_conditions = function.args.iter().any(|argument| argument.get_type(self.schema).is_ok_and(|is| is == DataType::Boolean));
        let mut guards = guards.clone();
        let mut is_changed = false;
        let mut args = Vec::with_capacity(function.args.len());
        for argument in function.args {
            let argument = self.guarded(argument, &guards)?;
            is_changed |= argument.transformed;
            if is_of_conditions {
                guards.add(argument.data.clone().is_null());
            }
            args.push(argument.data);
        }
        Ok(Transformed::new_transformed(Expr::ScalarFunction(ScalarFunction { func: function.func, args }), is_changed))
    }

    /// What an aggregate takes is evaluated for the rows that its FILTER leaves.
    fn arguments(&self, aggregate: AggregateFunction, guards: &Guards) -> Result<Transformed<Expr>> {
        let AggregateFunction { func, mut params } = aggregate;
        let mut is_changed = false;
        let mut inner = guards.clone();
        if let Some(filter) = params.filter.take() {
            let filter = self.guarded(*filter, guards)?;
            is_changed |= filter.transformed;
            inner.add(filter.data.clone());
            params.filter = Some(Box::new(filter.data));
        }
        for argument in &mut params.args {
            let guarded = self.guarded(std::mem::take(argument), &inner)?;
            is_changed |= guarded.transformed;
            *argument = guarded.data;
        }
        Ok(Transformed::new_transformed(Expr::AggregateFunction(AggregateFunction { func, params }), is_changed))
    }
}

/// Changes what has a name inside it: that of a division has the names of both operands.
fn under_its_name(expr: Expr, change: impl FnOnce(Expr) -> Result<Expr>) -> Result<Expr> {
    match expr {
        Expr::Alias(mut alias) => {
            *alias.expr = change(*alias.expr)?;
            Ok(Expr::Alias(alias))
        }
        expr => change(expr),
    }
}

/// An expression in terms of other columns; `None` if one of its columns has no such terms.
pub(crate) fn replace_columns(expr: &Expr, replace: impl Fn(&Column) -> Option<Expr>) -> Option<Expr> {
    let mut is_complete = true;
    let replaced = expr.clone().transform_up(|part| {
        Ok(match part {
            Expr::Column(column) => match replace(&column) {
                Some(other) => Transformed::yes(other),
                None => {
                    is_complete = false;
                    Transformed::no(Expr::Column(column))
                }
            },
            part => Transformed::no(part),
        })
    });
    replaced.data().ok().filter(|_| is_complete)
}

//! Type checking of expressions. Collects all errors, so that one mistake does not hide another.

use headwater_schemas::Text;

use super::parse::{KEYWORDS, Kind, Tree};
use super::{Comparison, Fault, Node, Operator, Type, constant};
use crate::rules::field::Words;
use crate::rules::geo::KM_PER_MILE;

/// The node and type of a name.
pub(in crate::rules) type Resolved = (Node, Type);

/// Resolves the names that an expression may use.
pub(in crate::rules) trait Names {
    /// The meaning of a name, or the error; `None` as the error if it was reported already.
    fn resolve(&self, name: &str) -> Result<Resolved, Option<String>>;
}

struct Function {
    name: &'static str,
    usage: &'static str,
}

const FUNCTIONS: &[Function] = &[
    Function { name: "exists", usage: "exists(value)" },
    Function { name: "known", usage: "known(value)" },
    Function { name: "km", usage: "km(location, location)" },
    Function { name: "miles", usage: "miles(location, location)" },
    Function { name: "speed_kmh", usage: "speed_kmh(from, to, time between)" },
];

/// Whether a name is a keyword of the language. A feature may have the name of a function: the brackets distinguish them.
pub(in crate::rules) fn is_reserved(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

/// Checks an expression and returns it with its type.
pub(super) fn check(tree: &Tree, names: &dyn Names, expected: Option<Type>) -> Result<Resolved, Vec<Fault>> {
    let mut checker = Checker { names, faults: Vec::new() };
    let found = match expected {
        Some(expected) => checker.of_type(tree, expected).map(|node| (node, expected)),
        None => checker.any(tree),
    };
    match found {
        Some(found) if checker.faults.is_empty() => Ok(found),
        _ => Err(checker.faults),
    }
}

struct Checker<'a> {
    names: &'a dyn Names,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn fault<T>(&mut self, at: usize, reason: impl Into<String>) -> Option<T> {
        self.faults.push(Fault::new(at, reason));
        None
    }

    fn any(&mut self, tree: &Tree) -> Option<Resolved> {
        Some(match &tree.kind {
            Kind::Bool(value) => (Node::Bool(*value), Type::Bool),
            Kind::Number(units) => (Node::Number(*units), Type::Number),
            Kind::Span(nanos) => (Node::Span(*nanos), Type::Span),
            Kind::Text(text) => (Node::Text(Text::new(text)), Type::Text),
            Kind::Name(name) => match self.names.resolve(name) {
                Ok(resolved) => resolved,
                Err(reason) => {
                    self.faults.extend(reason.map(|reason| Fault::new(tree.at, reason)));
                    return None;
                }
            },
            Kind::Call(name, arguments) => self.call(tree.at, name, arguments)?,
            Kind::Not(inner) => (Node::Not(Box::new(self.of_type(inner, Type::Bool)?)), Type::Bool),
            Kind::And(parts) => (Node::And(self.conditions(parts)?), Type::Bool),
            Kind::Or(parts) => (Node::Or(self.conditions(parts)?), Type::Bool),
            Kind::Negate(inner) => self.negate(inner)?,
            Kind::Compare(comparison, sides) => (self.compare(tree.at, *comparison, sides)?, Type::Bool),
            Kind::Among(left, choices) => (self.among(tree.at, left, choices)?, Type::Bool),
            Kind::Arithmetic(operator, sides) => self.arithmetic(tree.at, *operator, sides)?,
        })
    }

    fn of_type(&mut self, tree: &Tree, expected: Type) -> Option<Node> {
        let (node, found) = self.any(tree)?;
        if found != expected {
            return self.fault(tree.at, format!("this is {found}, but {expected} is needed here"));
        }
        Some(node)
    }

    fn conditions(&mut self, parts: &[Tree]) -> Option<Vec<Node>> {
        // All parts are checked before an error returns.
        let nodes: Vec<_> = parts.iter().map(|part| self.of_type(part, Type::Bool)).collect();
        nodes.into_iter().collect()
    }

    fn negate(&mut self, inner: &Tree) -> Option<Resolved> {
        let (node, found) = self.any(inner)?;
        match (node, found) {
            (Node::Number(units), Type::Number) => Some((Node::Number(-units), Type::Number)),
            (node, Type::Number | Type::Estimate | Type::Span) => Some((Node::Negate(Box::new(node)), found)),
            _ => self.fault(inner.at, format!("this is {found}, which has no opposite")),
        }
    }

    fn call(&mut self, at: usize, name: &str, arguments: &[Tree]) -> Option<Resolved> {
        let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
            let known: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
            return self.fault(at, format!("there is no function `{name}`: use one of {}", known.join(", ")));
        };
        match (function.name, arguments) {
            ("exists", [value]) => self.any(value).map(|(node, _)| (Node::Exists(Box::new(node)), Type::Bool)),
            ("known", [value]) => self.any(value).map(|(node, _)| (Node::Known(Box::new(node)), Type::Bool)),
            ("km", [from, to]) => self.distance(1.0, from, to),
            ("miles", [from, to]) => self.distance(KM_PER_MILE, from, to),
            ("speed_kmh", [from, to, span]) => {
                let places = (self.of_type(from, Type::Location), self.of_type(to, Type::Location));
                let span = self.of_type(span, Type::Span)?;
                Some((Node::Speed(Box::new([places.0?, places.1?, span])), Type::Estimate))
            }
            _ => self.fault(at, format!("write {}", function.usage)),
        }
    }

    fn distance(&mut self, unit: f64, from: &Tree, to: &Tree) -> Option<Resolved> {
        let (from, to) = (self.of_type(from, Type::Location), self.of_type(to, Type::Location));
        Some((Node::Distance(unit, Box::new([from?, to?])), Type::Estimate))
    }

    /// Reads a text as a word if the other side is a list of words.
    fn side(&mut self, tree: &Tree, other: Option<Type>) -> Option<Resolved> {
        match (&tree.kind, other) {
            (Kind::Text(text), Some(Type::Word(words))) => self.word(tree.at, words, text),
            _ => self.any(tree),
        }
    }

    fn word(&mut self, at: usize, words: Words, text: &str) -> Option<Resolved> {
        match words.code(text) {
            Some(code) => Some((Node::Word(words, code), Type::Word(words))),
            None => self.fault(at, format!("{text:?} is no {}: use one of {}", words.noun(), words.all().join(", "))),
        }
    }

    fn compare(&mut self, at: usize, comparison: Comparison, sides: &[Tree; 2]) -> Option<Node> {
        let [left_tree, right_tree] = sides;
        // A literal gets its type from the other side.
        let (left, right) = if matches!(left_tree.kind, Kind::Text(_)) {
            let right = self.any(right_tree);
            (self.side(left_tree, right.as_ref().map(|right| right.1)), right)
        } else {
            let left = self.any(left_tree);
            let other = left.as_ref().map(|left| left.1);
            (left, self.side(right_tree, other))
        };
        let ((left, left_type), (right, right_type)) = (left?, right?);
        if let Some(reason) = incomparable(comparison, left_type, right_type) {
            return self.fault(at, reason);
        }
        if let Some(reason) = constant::tells_nothing(comparison, &left, &right) {
            return self.fault(at, reason);
        }
        Some(Node::Compare(comparison, Box::new([left, right])))
    }

    fn among(&mut self, at: usize, left: &Tree, choices: &[Tree]) -> Option<Node> {
        let (node, type_of) = self.any(left)?;
        if choices.is_empty() {
            return self.fault(at, "the list is empty: nothing is in it");
        }
        let checked: Vec<_> = choices.iter().map(|choice| (choice.at, self.side(choice, Some(type_of)))).collect();
        let mut nodes = Vec::new();
        for (at, choice) in checked {
            let (choice, choice_type) = choice?;
            if let Some(reason) = incomparable(Comparison::Equal, type_of, choice_type) {
                return self.fault(at, reason);
            }
            if let Some(reason) = constant::tells_nothing(Comparison::Equal, &node, &choice) {
                return self.fault(at, reason);
            }
            nodes.push(choice);
        }
        Some(Node::Among(Box::new(node), nodes))
    }

    fn arithmetic(&mut self, at: usize, operator: Operator, sides: &[Tree; 2]) -> Option<Resolved> {
        let [left, right_tree] = sides;
        let (left, right) = (self.any(left), self.any(right_tree));
        let ((left, left_type), (right, right_type)) = (left?, right?);
        let Some(result) = result_type(operator, left_type, right_type) else {
            return self.fault(at, format!("{left_type} and {right_type} can not be {}", operator.participle()));
        };
        if operator == Operator::Divide && constant::is_zero(&right) {
            return self.fault(right_tree.at, "this is zero, and nothing can be divided by it");
        }
        Some((Node::Arithmetic(operator, Box::new([left, right])), result))
    }
}

/// Why two types cannot be compared.
fn incomparable(comparison: Comparison, left: Type, right: Type) -> Option<String> {
    let equality = matches!(comparison, Comparison::Equal | Comparison::Different);
    match (left, right) {
        (Type::Estimate, Type::Number | Type::Estimate) | (Type::Number, Type::Estimate) => {
            equality.then(|| "an estimate is never exactly equal to anything: compare it with < or >".to_owned())
        }
        (Type::Number, Type::Number) | (Type::Time, Type::Time) | (Type::Span, Type::Span) => None,
        (Type::Text, Type::Text) | (Type::Word(_), Type::Word(_)) if left == right => {
            (!equality).then(|| "texts have no order here: compare them with == or !=".to_owned())
        }
        (Type::Span, Type::Number) | (Type::Number, Type::Span) => {
            Some("a length of time is compared with a length of time: give the number its unit, like 10m".to_owned())
        }
        _ if left == right => Some(format!("{left} can not be compared")),
        _ => Some(format!("{left} can not be compared with {right}")),
    }
}

fn result_type(operator: Operator, left: Type, right: Type) -> Option<Type> {
    let additive = matches!(operator, Operator::Add | Operator::Subtract);
    match (left, right) {
        (Type::Number, Type::Number) => Some(Type::Number),
        (Type::Number | Type::Estimate, Type::Number | Type::Estimate) => Some(Type::Estimate),
        (Type::Time, Type::Time) if operator == Operator::Subtract => Some(Type::Span),
        (Type::Time, Type::Span) if additive => Some(Type::Time),
        (Type::Span, Type::Span) if additive => Some(Type::Span),
        _ => None,
    }
}

impl Operator {
    const fn participle(self) -> &'static str {
        match self {
            Self::Add => "added",
            Self::Subtract => "subtracted",
            Self::Multiply => "multiplied",
            Self::Divide => "divided",
        }
    }
}

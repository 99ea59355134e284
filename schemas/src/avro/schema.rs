//! Avro schemas, compiled for reading.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is not JSON.
    #[error("the schema is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// An attribute is missing or has the wrong JSON type.
    #[error("the schema's {of} has no valid {attribute:?}")]
    Attribute {
        /// The attribute.
        attribute: &'static str,
        /// The type that needs it.
        of: String,
    },
    /// A type that neither Avro nor the schema defines.
    #[error("the schema names the type {0:?}, which it does not define")]
    UnknownType(String),
    /// Two types have one name.
    #[error("the schema defines the type {0:?} twice")]
    DefinedTwice(String),
}

/// A writer's schema. Types refer to each other by their place in a list, so that a type may contain itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub(super) types: Vec<Type>,
    pub(super) root: usize,
}

/// A type, with its logical type if that is valid for it. As Avro demands, one that is not valid or not known is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    /// `int` and `long`, which are encoded alike.
    Integer,
    Float,
    Double,
    Bytes,
    Text,
    Date,
    Timestamp {
        unit: Unit,
        /// Whether it is a local time, without an offset.
        is_local: bool,
    },
    /// A decimal in `bytes`, or in `fixed` of a size.
    Decimal {
        size: Option<usize>,
        scale: usize,
    },
    /// A UUID of 16 bytes.
    Uuid,
    Fixed(usize),
    /// Each symbol as JSON.
    Enum(Vec<Box<str>>),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<Field>),
}

/// Unit of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    /// Nanoseconds in one.
    pub(super) const fn nanos(self) -> i64 {
        match self {
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos => 1,
        }
    }
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    /// The name as it begins a member of a JSON object: `"name":`.
    pub(super) member: Box<str>,
    /// The place of its type.
    pub(super) of: usize,
}

/// The greatest scale of a decimal that is read as one.
const MAX_SCALE: u64 = 1_000;

impl Schema {
    /// Reads a schema. `references` are the schemas that define types which it names, each after those that it names itself.
    pub fn parse(text: &str, references: &[String]) -> Result<Self, SchemaError> {
        let mut compiler = Compiler { types: Vec::new(), names: BTreeMap::new() };
        let mut root = 0;
        for text in references.iter().map(String::as_str).chain([text]) {
            root = compiler.add(&serde_json::from_str(text).map_err(SchemaError::NotJson)?, "")?;
        }
        Ok(Self { types: compiler.types, root })
    }
}

struct Compiler {
    types: Vec<Type>,
    /// The places of named types, by full name.
    names: BTreeMap<String, usize>,
}

impl Compiler {
    /// Adds a schema that is inside a namespace; returns its place.
    fn add(&mut self, schema: &Value, namespace: &str) -> Result<usize, SchemaError> {
        match schema {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => {
                let place = self.push(Type::Null);
                let branches = branches.iter().map(|branch| self.add(branch, namespace)).collect::<Result<_, _>>()?;
                self.set(place, Type::Union(branches));
                Ok(place)
            }
            Value::Object(object) => self.object(object, namespace),
            other => Err(SchemaError::UnknownType(other.to_string())),
        }
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<usize, SchemaError> {
        let kind = match object.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(inner @ (Value::Object(_) | Value::Array(_))) => return self.add(inner, namespace),
            _ => return Err(attribute("type", "object")),
        };
        match kind {
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let symbols = object.get("symbols").and_then(Value::as_array).ok_or_else(|| attribute("symbols", "enum"))?;
                let symbol = |symbol: &Value| symbol.is_string().then(|| symbol.to_string().into_boxed_str());
                let symbols = symbols.iter().map(symbol).collect::<Option<_>>().ok_or_else(|| attribute("symbols", "enum"))?;
                let (place, _) = self.define(object, namespace)?;
                self.set(place, Type::Enum(symbols));
                Ok(place)
            }
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| attribute("size", "fixed"))?;
                let (place, _) = self.define(object, namespace)?;
                self.set(place, logical(object, Type::Fixed(size)));
                Ok(place)
            }
            "array" => {
                let place = self.push(Type::Null);
                let items = self.add(object.get("items").ok_or_else(|| attribute("items", "array"))?, namespace)?;
                self.set(place, Type::Array(items));
                Ok(place)
            }
            "map" => {
                let place = self.push(Type::Null);
                let values = self.add(object.get("values").ok_or_else(|| attribute("values", "map"))?, namespace)?;
                self.set(place, Type::Map(values));
                Ok(place)
            }
            name => match primitive(name) {
                Some(primitive) => Ok(self.push(logical(object, primitive))),
                None => self.named(name, namespace),
            },
        }
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<usize, SchemaError> {
        let (place, namespace) = self.define(object, namespace)?;
        let missing = || attribute("fields", "record");
        let mut fields = Vec::new();
        for field in object.get("fields").and_then(Value::as_array).ok_or_else(missing)? {
            let name = field.get("name").and_then(Value::as_str).ok_or_else(|| attribute("name", "field"))?;
            let of = self.add(field.get("type").ok_or_else(|| attribute("type", "field"))?, &namespace)?;
            fields.push(Field { name: name.into(), member: format!("{}:", Value::from(name)).into(), of });
        }
        self.set(place, Type::Record(fields));
        Ok(place)
    }

    /// Reserves the place of a named type, so that it can be named from inside. Returns the namespace inside it, too.
    fn define(&mut self, object: &Map<String, Value>, enclosing: &str) -> Result<(usize, String), SchemaError> {
        let name = object.get("name").and_then(Value::as_str).ok_or_else(|| attribute("name", "named type"))?;
        let (namespace, name) = match name.rsplit_once('.') {
            Some(parts) => parts,
            None => (object.get("namespace").and_then(Value::as_str).unwrap_or(enclosing), name),
        };
        let (full, place) = (full_name(name, namespace), self.types.len());
        if self.names.insert(full.clone(), place).is_some() {
            return Err(SchemaError::DefinedTwice(full));
        }
        Ok((self.push(Type::Null), namespace.to_owned()))
    }

    /// The place of a type that is named.
    fn named(&mut self, name: &str, namespace: &str) -> Result<usize, SchemaError> {
        if let Some(primitive) = primitive(name) {
            return Ok(self.push(primitive));
        }
        let full = if name.contains('.') { name.to_owned() } else { full_name(name, namespace) };
        let place = self.names.get(&full).or_else(|| self.names.get(name));
        place.copied().ok_or_else(|| SchemaError::UnknownType(name.to_owned()))
    }

    fn push(&mut self, of: Type) -> usize {
        self.types.push(of);
        self.types.len() - 1
    }

    fn set(&mut self, place: usize, of: Type) {
        if let Some(reserved) = self.types.get_mut(place) {
            *reserved = of;
        }
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn attribute(attribute: &'static str, of: &str) -> SchemaError {
    SchemaError::Attribute { attribute, of: of.to_owned() }
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" | "long" => Type::Integer,
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "string" => Type::Text,
        _ => return None,
    })
}

/// A type with its logical type.
fn logical(object: &Map<String, Value>, of: Type) -> Type {
    let (kind, logical) = (object.get("type").and_then(Value::as_str), object.get("logicalType").and_then(Value::as_str));
    let Some(logical) = logical else { return of };
    match (&of, logical) {
        (Type::Integer, "date") if kind == Some("int") => Type::Date,
        (Type::Integer, name) if kind == Some("long") => timestamp(name).unwrap_or(of),
        (Type::Bytes, "decimal") => scale(object).map_or(of, |scale| Type::Decimal { size: None, scale }),
        (Type::Fixed(size), "decimal") => scale(object).map_or(of.clone(), |scale| Type::Decimal { size: Some(*size), scale }),
        (Type::Fixed(16), "uuid") => Type::Uuid,
        _ => of,
    }
}

fn timestamp(name: &str) -> Option<Type> {
    let (unit, is_local) = match name.strip_prefix("local-") {
        Some(unit) => (unit, true),
        None => (name, false),
    };
    let unit = match unit.strip_prefix("timestamp-")? {
        "millis" => Unit::Millis,
        "micros" => Unit::Micros,
        "nanos" => Unit::Nanos,
        _ => return None,
    };
    Some(Type::Timestamp { unit, is_local })
}

/// The scale of a decimal; `None` if the decimal is not valid.
fn scale(object: &Map<String, Value>) -> Option<usize> {
    let precision = object.get("precision").and_then(Value::as_u64).filter(|precision| *precision > 0)?;
    let scale = object.get("scale").map_or(Some(0), Value::as_u64)?;
    usize::try_from(scale).ok().filter(|_| scale <= precision && scale <= MAX_SCALE)
}

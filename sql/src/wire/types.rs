//! PostgreSQL's types: the object identifiers and sizes that the protocol names them by, and which one an Arrow type becomes.

use arrow::datatypes::DataType;

/// A type of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PgType {
    pub(super) oid: u32,
    /// Its name in `pg_type`.
    pub(super) name: &'static str,
    /// Its name in SQL, as `format_type` gives it.
    pub(super) sql_name: &'static str,
    /// Bytes of a value; -1 if it varies.
    pub(super) size: i16,
    /// The letter of its category in `pg_type`.
    pub(super) category: &'static str,
    /// Of arrays, the object identifier of the elements' type; otherwise 0.
    pub(super) element: u32,
}

const fn array(oid: u32, name: &'static str, sql_name: &'static str, element: PgType) -> PgType {
    PgType { oid, name, sql_name, size: -1, category: "A", element: element.oid }
}

/// Declares types that are no arrays, and the list of them.
macro_rules! scalars {
    ($($name:ident: $oid:literal, $pg_name:literal, $sql_name:literal, $size:literal, $category:literal;)+) => {
        $(pub(super) const $name: PgType =
            PgType { oid: $oid, name: $pg_name, sql_name: $sql_name, size: $size, category: $category, element: 0 };)+

        /// All that are no arrays.
        const SCALARS: &[PgType] = &[$($name),+];
    };
}

scalars! {
    BOOL: 16, "bool", "boolean", 1, "B";
    BYTEA: 17, "bytea", "bytea", -1, "U";
    CHAR: 18, "char", "\"char\"", 1, "Z";
    NAME: 19, "name", "name", 64, "S";
    INT8: 20, "int8", "bigint", 8, "N";
    INT2: 21, "int2", "smallint", 2, "N";
    INT4: 23, "int4", "integer", 4, "N";
    TEXT: 25, "text", "text", -1, "S";
    OID: 26, "oid", "oid", 4, "N";
    JSON: 114, "json", "json", -1, "U";
    FLOAT4: 700, "float4", "real", 4, "N";
    FLOAT8: 701, "float8", "double precision", 8, "N";
    UNKNOWN: 705, "unknown", "unknown", -2, "X";
    BPCHAR: 1042, "bpchar", "character", -1, "S";
    VARCHAR: 1043, "varchar", "character varying", -1, "S";
    DATE: 1082, "date", "date", 4, "D";
    TIME: 1083, "time", "time without time zone", 8, "D";
    TIMESTAMP: 1114, "timestamp", "timestamp without time zone", 8, "D";
    TIMESTAMPTZ: 1184, "timestamptz", "timestamp with time zone", 8, "D";
    INTERVAL: 1186, "interval", "interval", 16, "T";
    NUMERIC: 1700, "numeric", "numeric", -1, "N";
    UUID: 2950, "uuid", "uuid", 16, "U";
    JSONB: 3802, "jsonb", "jsonb", -1, "U";
}

/// The arrays of them.
const ARRAYS: [PgType; 22] = [
    array(199, "_json", "json[]", JSON),
    array(1000, "_bool", "boolean[]", BOOL),
    array(1001, "_bytea", "bytea[]", BYTEA),
    array(1002, "_char", "\"char\"[]", CHAR),
    array(1003, "_name", "name[]", NAME),
    array(1005, "_int2", "smallint[]", INT2),
    array(1007, "_int4", "integer[]", INT4),
    array(1009, "_text", "text[]", TEXT),
    array(1014, "_bpchar", "character[]", BPCHAR),
    array(1015, "_varchar", "character varying[]", VARCHAR),
    array(1016, "_int8", "bigint[]", INT8),
    array(1021, "_float4", "real[]", FLOAT4),
    array(1022, "_float8", "double precision[]", FLOAT8),
    array(1028, "_oid", "oid[]", OID),
    array(1115, "_timestamp", "timestamp without time zone[]", TIMESTAMP),
    array(1182, "_date", "date[]", DATE),
    array(1183, "_time", "time without time zone[]", TIME),
    array(1185, "_timestamptz", "timestamp with time zone[]", TIMESTAMPTZ),
    array(1187, "_interval", "interval[]", INTERVAL),
    array(1231, "_numeric", "numeric[]", NUMERIC),
    array(2951, "_uuid", "uuid[]", UUID),
    array(3807, "_jsonb", "jsonb[]", JSONB),
];

/// All types.
pub(super) fn all() -> impl Iterator<Item = PgType> {
    SCALARS.iter().copied().chain(ARRAYS)
}

/// The type of arrays with elements of a type.
pub(super) fn array_of(element: PgType) -> Option<PgType> {
    ARRAYS.into_iter().find(|array| array.element == element.oid)
}

/// The type of an array's elements.
pub(super) fn element_of(array: PgType) -> Option<PgType> {
    SCALARS.iter().copied().find(|element| element.oid == array.element)
}

/// The type with an object identifier.
pub(super) fn with_oid(oid: u32) -> Option<PgType> {
    all().find(|known| known.oid == oid)
}

/// The type with a name, in any of its spellings.
pub(super) fn named(name: &str) -> Option<PgType> {
    all().find(|known| known.name == name || known.sql_name == name)
}

/// The type that values of an Arrow type are sent as. Lists and structs are JSON. `oid` is how the tables of `pg_catalog` refer to
/// each other, and no other table has unsigned integers of 32 bits.
pub(super) fn of_arrow(data_type: &DataType) -> PgType {
    match data_type {
        DataType::Boolean => BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => INT2,
        DataType::Int32 | DataType::UInt16 => INT4,
        DataType::UInt32 => OID,
        DataType::Int64 | DataType::UInt64 => INT8,
        DataType::Float16 | DataType::Float32 => FLOAT4,
        DataType::Float64 => FLOAT8,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => NUMERIC,
        DataType::Date32 | DataType::Date64 => DATE,
        DataType::Time32(_) | DataType::Time64(_) => TIME,
        DataType::Timestamp(_, None) => TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => INTERVAL,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => BYTEA,
        DataType::Dictionary(_, value) => of_arrow(value),
        DataType::RunEndEncoded(_, value) => of_arrow(value.data_type()),
        data_type if data_type.is_nested() => JSON,
        _ => TEXT,
    }
}

/// The name in SQL of the type that values of an Arrow type are sent as.
pub(crate) fn type_name(data_type: &DataType) -> &'static str {
    of_arrow(data_type).sql_name
}

/// The modifier of a column's type: of decimals, the numbers of digits.
pub(super) fn modifier(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            ((i32::from(*precision) << 16) | i32::from(*scale)).saturating_add(4)
        }
        _ => -1,
    }
}

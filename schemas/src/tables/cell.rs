//! Values of columns: how each becomes Arrow, and how it is read back.

use std::sync::Arc;

use crate::value::{
    Amount, Blob, Date, Decimal, Digest, EventTime, Factor, Id, Money, Name, Price, Quantity, Size, Statistic, Text, Total, fixed,
};
use crate::{EffectiveTime, Offset, Sequence, Tick};
use arrow::array::{
    Array, ArrayBuilder, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryBuilder, BooleanArray, BooleanBuilder, Date32Builder,
    Decimal128Builder, FixedSizeBinaryArray, FixedSizeBinaryBuilder, Float64Builder, Int32Builder, Int64Builder, ListArray, ListBuilder,
    PrimitiveArray, RecordBatch, StringArray, StringBuilder, TimestampNanosecondBuilder,
};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampNanosecondType};

/// A column that does not match its table's declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// The column has another Arrow type, or a NULL where the table allows none.
    #[error("column {column}, row {row}: expected {expected}")]
    Unexpected {
        /// The column's name.
        column: &'static str,
        /// The row within its batch.
        row: usize,
        /// The type that the table declares.
        expected: String,
    },
    /// The table has no such column.
    #[error("there is no column {0}")]
    MissingColumn(&'static str),
}

/// A value of a column.
pub trait Cell: Sized {
    /// Arrow builder that collects the values of a column.
    type Builder: ArrayBuilder;
    /// Arrow array of the values of a column.
    type Column: Array + 'static;
    /// Whether the column may have NULLs.
    const NULLABLE: bool = false;
    /// All texts that the column may have; empty if it is no text, or may have any.
    const WORDS: &'static [&'static str] = &[];
    /// The Arrow type.
    fn data_type() -> DataType;
    /// An empty builder.
    fn builder(room: Room) -> Self::Builder;
    /// Adds the value.
    fn append(&self, column: &mut Self::Builder);
    /// Adds a missing value.
    fn append_null(column: &mut Self::Builder);
    /// Reads the value of a row back; `None` when it is missing.
    fn read(column: &Self::Column, row: usize) -> Option<Self>;
    /// The room that the value takes in a builder.
    fn room(&self) -> Room {
        Room::FIXED
    }
    /// Bytes in whose order the values are, if there are such bytes.
    fn sort_bytes(&self) -> Option<&[u8]> {
        None
    }
}

/// Room in a builder, so that it does not grow while values are added: growing moves all that it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Values of the column.
    values: usize,
    /// Elements of lists.
    elements: usize,
    /// Bytes of texts.
    bytes: usize,
}

impl Room {
    /// A value that takes as much as every other one.
    const FIXED: Self = Self { values: 1, elements: 0, bytes: 0 };

    const fn of_text(bytes: usize) -> Self {
        Self { values: 1, elements: 0, bytes }
    }

    fn of_list(elements: usize, bytes: impl Iterator<Item = usize>) -> Self {
        Self { values: 1, elements, bytes: bytes.sum() }
    }

    /// The number of lists.
    pub(crate) const fn lists(self) -> usize {
        self.values
    }

    /// The room for the elements of lists.
    const fn of_elements(self) -> Self {
        Self { values: self.elements, elements: 0, bytes: self.bytes }
    }
}

/// An empty builder with room for values.
pub(crate) fn builder_for<'a, C: Cell + 'a>(values: impl ExactSizeIterator<Item = &'a C>) -> C::Builder {
    C::builder(room_for(values))
}

/// The room that values take if texts and lists are as long as the first ones are: nearly always, since a column has ids of one form.
fn room_for<'a, C: Cell + 'a>(values: impl ExactSizeIterator<Item = &'a C>) -> Room {
    const SAMPLED: usize = 64;
    let count = values.len();
    let sampled = values.take(SAMPLED).map(C::room).fold(Room::default(), |sum, room| Room {
        values: sum.values + room.values,
        elements: sum.elements + room.elements,
        bytes: sum.bytes + room.bytes,
    });
    // An eighth more, since some are longer.
    let expected = |of_sampled: usize| if count > SAMPLED { of_sampled.saturating_mul(count) / SAMPLED / 8 * 9 } else { of_sampled };
    Room { values: count, elements: expected(sampled.elements), bytes: expected(sampled.bytes) }
}

/// A column of a batch, read as values of one type. It is looked for once, not for every row.
#[derive(Debug)]
pub struct Column<'a, C: Cell> {
    name: &'static str,
    values: &'a C::Column,
}

impl<'a, C: Cell> Column<'a, C> {
    /// Finds the column of a name.
    pub fn of(batch: &'a RecordBatch, name: &'static str) -> Result<Self, CellError> {
        let column = batch.column_by_name(name).ok_or(CellError::MissingColumn(name))?;
        let values = column.as_any().downcast_ref().ok_or_else(|| unexpected::<C>(name, 0))?;
        Ok(Self { name, values })
    }

    /// The value of a row.
    pub fn at(&self, row: usize) -> Result<C, CellError> {
        C::read(self.values, row).ok_or_else(|| unexpected::<C>(self.name, row))
    }
}

fn unexpected<C: Cell>(column: &'static str, row: usize) -> CellError {
    CellError::Unexpected { column, row, expected: C::data_type().to_string() }
}

fn primitive<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

impl<C: Cell> Cell for Option<C> {
    type Builder = C::Builder;
    type Column = C::Column;
    const NULLABLE: bool = true;
    const WORDS: &'static [&'static str] = C::WORDS;
    fn data_type() -> DataType {
        C::data_type()
    }
    fn builder(room: Room) -> C::Builder {
        C::builder(room)
    }
    fn room(&self) -> Room {
        self.as_ref().map_or(Room::FIXED, C::room)
    }
    #[inline]
    fn append(&self, column: &mut C::Builder) {
        match self {
            Some(value) => value.append(column),
            None => C::append_null(column),
        }
    }
    fn append_null(column: &mut C::Builder) {
        C::append_null(column);
    }
    fn read(column: &C::Column, row: usize) -> Option<Self> {
        if row < column.len() && column.is_null(row) { Some(None) } else { C::read(column, row).map(Some) }
    }
}

/// Fraction digits of every decimal column, as many as the numbers have.
const DECIMAL_SCALE: i8 = 9;
const _: () = assert!(DECIMAL_SCALE as usize == fixed::FRACTION_DIGITS);

macro_rules! decimal_cell {
    ($digits:literal: $($name:ident)+) => {$(
        impl Cell for $name {
            type Builder = Decimal128Builder;
            type Column = PrimitiveArray<Decimal128Type>;
            fn data_type() -> DataType { DataType::Decimal128($digits, DECIMAL_SCALE) }
            fn builder(room: Room) -> Decimal128Builder {
                Decimal128Builder::with_capacity(room.values).with_data_type(Self::data_type())
            }
            #[inline]
            fn append(&self, column: &mut Decimal128Builder) { column.append_value(self.units()) }
            fn append_null(column: &mut Decimal128Builder) { column.append_null() }
            fn read(column: &Self::Column, row: usize) -> Option<Self> { primitive(column, row).map(Self::from_units) }
        }
    )+};
}
decimal_cell!(28: Price Quantity Size Amount Money Factor Decimal);
decimal_cell!(38: Total);

macro_rules! primitive_cell {
    ($name:ty, $arrow:ty, $builder:ty, $data_type:expr, $into:expr, $from:expr) => {
        impl Cell for $name {
            type Builder = $builder;
            type Column = PrimitiveArray<$arrow>;
            fn data_type() -> DataType {
                $data_type
            }
            fn builder(room: Room) -> $builder {
                <$builder>::with_capacity(room.values).with_data_type($data_type)
            }
            #[inline]
            fn append(&self, column: &mut $builder) {
                column.append_value($into(*self))
            }
            fn append_null(column: &mut $builder) {
                column.append_null()
            }
            fn read(column: &Self::Column, row: usize) -> Option<Self> {
                primitive(column, row).and_then($from)
            }
        }
    };
}
primitive_cell!(i64, Int64Type, Int64Builder, DataType::Int64, std::convert::identity, Some);
primitive_cell!(i32, Int32Type, Int32Builder, DataType::Int32, std::convert::identity, Some);
/// A number as SQL engines handle it best, signed. Ticks, offsets, times and counts stay far below 2^63.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}
primitive_cell!(u64, Int64Type, Int64Builder, DataType::Int64, signed, unsigned);
macro_rules! number_cell {
    ($($name:ident)+) => {$(
        primitive_cell!($name, Int64Type, Int64Builder, DataType::Int64, |number: $name| signed(number.get()), |number| {
            unsigned(number).map($name::new)
        });
    )+};
}
number_cell!(Tick Offset Sequence EffectiveTime);
primitive_cell!(Statistic, Float64Type, Float64Builder, DataType::Float64, Statistic::value, Statistic::new);
primitive_cell!(Date, Date32Type, Date32Builder, DataType::Date32, Date::days, |days| Some(Date::from_days(days)));
primitive_cell!(
    EventTime,
    TimestampNanosecondType,
    TimestampNanosecondBuilder,
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
    EventTime::nanos,
    |nanos| Some(EventTime::from_nanos(nanos))
);

impl<const N: usize> Cell for Digest<N> {
    type Builder = FixedSizeBinaryBuilder;
    type Column = FixedSizeBinaryArray;
    fn data_type() -> DataType {
        DataType::FixedSizeBinary(Self::WIDTH)
    }
    fn builder(room: Room) -> FixedSizeBinaryBuilder {
        FixedSizeBinaryBuilder::with_capacity(room.values, Self::WIDTH)
    }
    fn append(&self, column: &mut FixedSizeBinaryBuilder) {
        // The builder was made for this width, so the value fits.
        let _ = column.append_value(self.0);
    }
    fn append_null(column: &mut FixedSizeBinaryBuilder) {
        column.append_null();
    }
    fn read(column: &Self::Column, row: usize) -> Option<Self> {
        (row < column.len() && column.is_valid(row)).then(|| column.value(row).try_into().ok().map(Self)).flatten()
    }
    fn sort_bytes(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

impl Cell for Blob {
    type Builder = BinaryBuilder;
    type Column = BinaryArray;
    fn data_type() -> DataType {
        DataType::Binary
    }
    fn builder(room: Room) -> BinaryBuilder {
        BinaryBuilder::with_capacity(room.values, room.bytes)
    }
    fn room(&self) -> Room {
        Room::of_text(self.len())
    }
    fn append(&self, column: &mut BinaryBuilder) {
        column.append_value(&**self);
    }
    fn append_null(column: &mut BinaryBuilder) {
        column.append_null();
    }
    fn read(column: &Self::Column, row: usize) -> Option<Self> {
        (row < column.len() && column.is_valid(row)).then(|| Self::from(column.value(row)))
    }
}

impl Cell for bool {
    type Builder = BooleanBuilder;
    type Column = BooleanArray;
    fn data_type() -> DataType {
        DataType::Boolean
    }
    fn builder(room: Room) -> BooleanBuilder {
        BooleanBuilder::with_capacity(room.values)
    }
    fn append(&self, column: &mut BooleanBuilder) {
        column.append_value(*self);
    }
    fn append_null(column: &mut BooleanBuilder) {
        column.append_null();
    }
    fn read(column: &Self::Column, row: usize) -> Option<Self> {
        (row < column.len() && column.is_valid(row)).then(|| column.value(row))
    }
}

/// The text in a string column.
pub(crate) fn read_text(column: &StringArray, row: usize) -> Option<&str> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

/// An empty builder of texts.
pub(crate) fn text_builder(room: Room) -> StringBuilder {
    StringBuilder::with_capacity(room.values, room.bytes)
}

/// The room of a text.
pub(crate) const fn room_of_text(text: &str) -> Room {
    Room::of_text(text.len())
}

macro_rules! text_cell {
    ($name:ty $(where $kind:ident)?, $as_str:expr, $from:expr $(; $in_order_of_text:ident)? $(, words $words:expr)?) => {
        impl$(<$kind>)? $crate::tables::Cell for $name {
            type Builder = arrow::array::StringBuilder;
            type Column = arrow::array::StringArray;
            $(const WORDS: &'static [&'static str] = $words;)?
            fn data_type() -> arrow::datatypes::DataType {
                arrow::datatypes::DataType::Utf8
            }
            fn builder(room: $crate::tables::Room) -> arrow::array::StringBuilder {
                $crate::tables::cell::text_builder(room)
            }
            fn room(&self) -> $crate::tables::Room {
                $crate::tables::cell::room_of_text($as_str(self))
            }
            #[inline]
            fn append(&self, column: &mut arrow::array::StringBuilder) {
                column.append_value($as_str(self))
            }
            fn append_null(column: &mut arrow::array::StringBuilder) {
                column.append_null()
            }
            fn read(column: &arrow::array::StringArray, row: usize) -> Option<Self> {
                $crate::tables::cell::read_text(column, row).and_then($from)
            }
            $(fn $in_order_of_text(&self) -> Option<&[u8]> {
                Some($as_str(self).as_bytes())
            })?
        }
    };
}
pub(crate) use text_cell;
text_cell!(Id, Id::as_str, |text| Some(Id::derived(text)); sort_bytes);
text_cell!(Text, Text::as_str, |text| Some(Text::new(text)); sort_bytes);
text_cell!(Name<K> where K, Name::as_str, |text| Some(Name::derived(text)); sort_bytes);

/// The values of a list.
pub(super) fn list(column: &ListArray, row: usize) -> Option<ArrayRef> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

macro_rules! list_cell {
    ($($name:ident)+) => {$(
        impl Cell for Vec<$name> {
            type Builder = ListBuilder<StringBuilder>;
            type Column = ListArray;
            fn data_type() -> DataType {
                list_of(DataType::Utf8)
            }
            fn builder(room: Room) -> Self::Builder {
                ListBuilder::with_capacity(text_builder(room.of_elements()), room.values)
            }
            fn room(&self) -> Room {
                Room::of_list(self.len(), self.iter().map(|text| text.as_str().len()))
            }
            fn append(&self, column: &mut Self::Builder) {
                for text in self {
                    column.values().append_value(text.as_str());
                }
                column.append(true);
            }
            fn append_null(column: &mut Self::Builder) {
                column.append(false);
            }
            fn read(column: &Self::Column, row: usize) -> Option<Self> {
                let texts = list(column, row)?;
                let texts = texts.as_any().downcast_ref()?;
                (0..StringArray::len(texts)).map(|index| $name::read(texts, index)).collect()
            }
        }
    )+};
}
list_cell!(Id Text);

impl Cell for Vec<EventTime> {
    type Builder = ListBuilder<TimestampNanosecondBuilder>;
    type Column = ListArray;
    fn data_type() -> DataType {
        list_of(EventTime::data_type())
    }
    fn builder(room: Room) -> Self::Builder {
        ListBuilder::with_capacity(EventTime::builder(room.of_elements()), room.values)
    }
    fn room(&self) -> Room {
        Room::of_list(self.len(), std::iter::empty())
    }
    fn append(&self, column: &mut Self::Builder) {
        self.iter().for_each(|time| time.append(column.values()));
        column.append(true);
    }
    fn append_null(column: &mut Self::Builder) {
        column.append(false);
    }
    fn read(column: &Self::Column, row: usize) -> Option<Self> {
        let times = list(column, row)?;
        let times = times.as_any().downcast_ref()?;
        (0..<EventTime as Cell>::Column::len(times)).map(|index| EventTime::read(times, index)).collect()
    }
}

/// A list of structs, each field of which is a value of a column.
macro_rules! struct_list_cell {
    ($row:ident { $($field:ident: $value:ty),+ $(,)? }) => {
        impl $crate::tables::Cell for Vec<$row> {
            type Builder = arrow::array::ListBuilder<arrow::array::StructBuilder>;
            type Column = arrow::array::ListArray;
            fn data_type() -> arrow::datatypes::DataType {
                let fields = vec![$($crate::tables::cell::field::<$value>(stringify!($field))),+];
                $crate::tables::cell::list_of(arrow::datatypes::DataType::Struct(fields.into()))
            }
            fn builder(room: $crate::tables::Room) -> Self::Builder {
                let fields = vec![$($crate::tables::cell::field::<$value>(stringify!($field))),+];
                let columns: Vec<Box<dyn arrow::array::ArrayBuilder>> = vec![$(Box::new(<$value as $crate::tables::Cell>::builder(Default::default()))),+];
                arrow::array::ListBuilder::with_capacity(arrow::array::StructBuilder::new(fields, columns), room.lists())
            }
            fn append(&self, column: &mut Self::Builder) {
                let parts = column.values();
                for row in self {
                    let mut places = 0..;
                    $(
                        let part = places.next().and_then(|place| parts.field_builder::<<$value as $crate::tables::Cell>::Builder>(place));
                        if let Some(part) = part {
                            row.$field.append(part);
                        }
                    )+
                    parts.append(true);
                }
                column.append(true);
            }
            fn append_null(column: &mut Self::Builder) {
                column.append(false);
            }
            fn read(column: &Self::Column, row: usize) -> Option<Self> {
                let rows = $crate::tables::cell::list(column, row)?;
                let rows = rows.as_any().downcast_ref::<arrow::array::StructArray>()?;
                $(let $field = rows.column_by_name(stringify!($field))?.as_any().downcast_ref()?;)+
                let value = |index| Some($row { $($field: <$value as $crate::tables::Cell>::read($field, index)?),+ });
                (0..arrow::array::Array::len(rows)).map(value).collect()
            }
        }
    };
}
pub(crate) use struct_list_cell;

/// A field of a struct.
pub(super) fn field<C: Cell>(name: &str) -> Field {
    Field::new(name, C::data_type(), C::NULLABLE)
}

/// The type of lists with elements of a type.
pub(super) fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_has_room_for_all_values_and_for_texts_as_long_as_the_first_ones() {
        let texts = |count: usize| (0..count).map(|number| Text::new(format!("{number:010}"))).collect::<Vec<_>>();
        assert_eq!(room_for(texts(3).iter()), Room { values: 3, elements: 0, bytes: 30 }, "exactly, for a few");
        assert_eq!(room_for(texts(6_400).iter()), Room { values: 6_400, elements: 0, bytes: 72_000 }, "64 kB and an eighth");
        assert_eq!(room_for([Some(Text::new("seven b")), None].iter()), Room { values: 2, elements: 0, bytes: 7 });
        assert_eq!(room_for([texts(2), Vec::new()].iter()), Room { values: 2, elements: 2, bytes: 20 });
        assert_eq!(room_for([Blob::from(&b"four"[..])].iter()), Room { values: 1, elements: 0, bytes: 4 });
        let amounts = vec![Amount::whole(1); 5_000];
        assert!(builder_for(amounts.iter()).capacity() >= 5_000, "it does not grow");
    }
}

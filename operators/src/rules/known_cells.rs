//! The fields of an event that the packs read, without those that it does not have.
//!
//! There is one for each remembered event, so they are packed into bytes: a tag, and as many bytes as the value needs.

use super::cells::Cell;
use super::expression::Value;
use super::geo::Location;

/// Values by their places. What is unknown takes no room: of the fields that all packs read together, an event has few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownCells {
    /// The places that are known, a bit for each.
    places: u64,
    /// Their values, in the order of the places.
    bytes: Box<[u8]>,
}

/// Tags. Up to `LONGEST_NUMBER` a tag is a number's count of bytes, and from `SHORT_TEXT` on it tells a text's.
mod tag {
    pub(super) const LONGEST_NUMBER: u8 = 8;
    pub(super) const TIME: u8 = 9;
    pub(super) const WORD: u8 = 10;
    pub(super) const LARGE: u8 = 11;
    pub(super) const LOCATION: u8 = 12;
    pub(super) const LONG_TEXT: u8 = 13;
    pub(super) const SHORT_TEXT: u8 = 32;
}

fn bit(place: u8) -> u64 {
    1_u64.checked_shl(place as u32).unwrap_or(0)
}

impl KnownCells {
    /// The index of a place's value, whether it is there or not.
    fn index(&self, place: u8) -> usize {
        (self.places & bit(place).wrapping_sub(1)).count_ones() as usize
    }

    /// The value of a place.
    pub(super) fn get(&self, place: u8) -> Value<'_> {
        if self.places & bit(place) == 0 {
            return Value::Unknown;
        }
        Packed(&self.bytes).nth(self.index(place)).map_or(Value::Unknown, value)
    }

    /// The values of the first places.
    pub(super) fn first(&self, count: usize) -> impl Iterator<Item = Value<'_>> {
        let mut values = Packed(&self.bytes);
        (0..=u8::MAX).take(count).map(move |place| {
            let packed = if self.places & bit(place) == 0 { None } else { values.next() };
            packed.map_or(Value::Unknown, value)
        })
    }

    /// The number of known values.
    pub(super) const fn count(&self) -> usize {
        self.places.count_ones() as usize
    }

    /// Sets the value of a place.
    pub(super) fn set(&mut self, place: u8, cell: &Cell) {
        let (index, was_known) = (self.index(place), self.places & bit(place) != 0);
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut values = Packed(&self.bytes);
        values.by_ref().take(index).for_each(|PackedValue { tag, content }| {
            bytes.push(tag);
            bytes.extend(content);
        });
        pack(cell, &mut bytes);
        if was_known {
            values.next();
        }
        bytes.extend(values.0);
        self.bytes = bytes.into_boxed_slice();
        self.places = if *cell == Cell::Unknown { self.places & !bit(place) } else { self.places | bit(place) };
    }
}

impl FromIterator<Cell> for KnownCells {
    fn from_iter<C: IntoIterator<Item = Cell>>(cells: C) -> Self {
        let (mut places, mut bytes) = (0, Vec::with_capacity(64));
        for (place, cell) in (0..=u8::MAX).zip(cells).filter(|(_, cell)| *cell != Cell::Unknown) {
            places |= bit(place);
            pack(&cell, &mut bytes);
        }
        Self { places, bytes: bytes.as_slice().into() }
    }
}

/// Appends a value; nothing for what is unknown.
fn pack(cell: &Cell, bytes: &mut Vec<u8>) {
    match cell {
        Cell::Unknown => {}
        Cell::Number(units) => {
            // The low bytes, up to one that has the sign.
            let spare = units.unsigned_abs().leading_zeros().saturating_sub(1) / 8;
            let count = if *units == 0 { 0 } else { tag::LONGEST_NUMBER.saturating_sub(u8::try_from(spare).unwrap_or_default()) };
            bytes.push(count);
            bytes.extend(units.to_le_bytes().iter().take(count.into()));
        }
        Cell::Large(units) => {
            bytes.push(tag::LARGE);
            bytes.extend(units.to_le_bytes());
        }
        Cell::Text(text) => {
            match u8::try_from(text.len()).ok().and_then(|length| length.checked_add(tag::SHORT_TEXT)) {
                Some(short) => bytes.push(short),
                None => {
                    bytes.push(tag::LONG_TEXT);
                    bytes.extend(text.len().to_le_bytes());
                }
            }
            bytes.extend(text.as_bytes());
        }
        Cell::Word(code) => bytes.extend([tag::WORD, *code]),
        Cell::Time(nanos) => {
            bytes.push(tag::TIME);
            bytes.extend(nanos.to_le_bytes());
        }
        Cell::Location(place) => {
            bytes.push(tag::LOCATION);
            place.pack(bytes);
        }
    }
}

/// Packed values, one after the other.
struct Packed<'a>(&'a [u8]);

/// A packed value: its tag, and what follows.
struct PackedValue<'a> {
    tag: u8,
    content: &'a [u8],
}

impl<'a> Iterator for Packed<'a> {
    type Item = PackedValue<'a>;

    fn next(&mut self) -> Option<PackedValue<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let length = match tag {
            0..=tag::LONGEST_NUMBER => tag.into(),
            tag::TIME => 8,
            tag::WORD => 1,
            tag::LARGE | tag::LOCATION => 16,
            tag::LONG_TEXT => size_of::<usize>().saturating_add(usize::from_le_bytes(*rest.first_chunk()?)),
            _ => tag.saturating_sub(tag::SHORT_TEXT).into(),
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(PackedValue { tag, content })
    }
}

fn value(PackedValue { tag, content }: PackedValue<'_>) -> Value<'_> {
    let read = match tag {
        0..=tag::LONGEST_NUMBER => Some(Value::Number(number(content).into())),
        tag::TIME => content.first_chunk().map(|bytes| Value::Time(i64::from_le_bytes(*bytes))),
        tag::WORD => content.first().map(|code| Value::Word(*code)),
        tag::LARGE => content.first_chunk().map(|bytes| Value::Number(i128::from_le_bytes(*bytes))),
        tag::LOCATION => Location::packed(content).map(Value::Location),
        tag::LONG_TEXT => content.get(size_of::<usize>()..).and_then(text),
        _ => text(content),
    };
    read.unwrap_or(Value::Unknown)
}

fn text(bytes: &[u8]) -> Option<Value<'_>> {
    str::from_utf8(bytes).ok().map(Value::Text)
}

/// A number from its low bytes.
fn number(low: &[u8]) -> i64 {
    let mut bytes = [if low.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 }; 8];
    bytes.iter_mut().zip(low).for_each(|(byte, low)| *byte = *low);
    i64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Text;

    use super::*;
    use crate::rules::field::Field;

    #[test]
    fn a_place_has_the_value_that_was_set_last() {
        let all = [Cell::Unknown, Cell::Number(1), Cell::Unknown, Cell::Word(3), Cell::Unknown];
        let mut cells: KnownCells = all.iter().cloned().collect();
        assert!(cells.first(5).eq(all.iter().map(Cell::value)));
        for (place, cell) in [(3, Cell::Number(4)), (0, Cell::Word(0)), (4, Cell::Time(5)), (1, Cell::Unknown), (2, Cell::Unknown)] {
            cells.set(place, &cell);
        }
        let expected = [Cell::Word(0), Cell::Unknown, Cell::Unknown, Cell::Number(4), Cell::Time(5)];
        assert!(cells.first(5).eq(expected.iter().map(Cell::value)));
        assert_eq!(cells.count(), 3);
        assert_eq!(cells, expected.into_iter().collect());
    }

    #[test]
    fn every_value_is_read_back() {
        let numbers = [0, 1, -1, 127, 128, -128, -129, 255, 256, 32_767, -32_768, 67_150_000_000, i64::MAX, i64::MIN];
        let texts = [0, 1, 223, 224, 255, 256, 5_000].map(|length| Cell::Text(Text::from("ä".repeat(length))));
        let place = Location::new("-40.5".parse().ok(), "74".parse().ok()).map_or(Cell::Unknown, Cell::Location);
        let others = [Cell::Large(Box::new(i128::MIN)), Cell::Word(255), Cell::Time(-1), place];
        let all: Vec<_> = numbers.into_iter().map(Cell::Number).chain(texts).chain(others).collect();
        let cells: KnownCells = all.iter().cloned().collect();
        for (place, cell) in (0..).zip(&all) {
            assert_eq!(cells.get(place), cell.value(), "{cell:?}");
        }
        let amount: KnownCells = [Cell::Number(67_150_000_000)].into_iter().collect();
        assert_eq!(amount.bytes.len(), 6, "an amount takes as many bytes as it needs, and one");
    }

    #[test]
    fn every_field_has_a_bit() {
        assert!(Field::ALL.len() <= 64);
    }
}

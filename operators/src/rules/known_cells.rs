//! The fields of an event that the packs read, without those that it does not have.

use super::cells::Cell;

/// Cells by their places. What is unknown takes no room: of the fields that all packs read together, an event has few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownCells {
    /// The places that are known, a bit for each.
    places: u64,
    /// Their cells, in the order of the places.
    cells: Box<[Cell]>,
}

fn bit(place: u8) -> u64 {
    1_u64.checked_shl(place as u32).unwrap_or(0)
}

impl KnownCells {
    /// The index of a place's cell, whether it is there or not.
    fn index(&self, place: u8) -> usize {
        (self.places & bit(place).wrapping_sub(1)).count_ones() as usize
    }

    /// The cell of a place; none if it is unknown.
    pub(super) fn get(&self, place: u8) -> Option<&Cell> {
        if self.places & bit(place) == 0 {
            return None;
        }
        self.cells.get(self.index(place))
    }

    /// The cells of the first places, unknown ones among them.
    pub(super) fn first(&self, count: usize) -> impl Iterator<Item = &Cell> {
        (0..=u8::MAX).take(count).map(|place| self.get(place).unwrap_or(&Cell::Unknown))
    }

    /// The number of cells that are known.
    pub(super) const fn count(&self) -> usize {
        self.cells.len()
    }

    /// Sets the cell of a place.
    pub(super) fn set(&mut self, place: u8, cell: Cell) {
        let (index, was_known) = (self.index(place), self.get(place).is_some());
        let is_known = cell != Cell::Unknown;
        let mut cells = std::mem::take(&mut self.cells).into_vec();
        cells.splice(index..index + usize::from(was_known), is_known.then_some(cell));
        self.cells = cells.into_boxed_slice();
        self.places = if is_known { self.places | bit(place) } else { self.places & !bit(place) };
    }
}

impl FromIterator<Cell> for KnownCells {
    fn from_iter<C: IntoIterator<Item = Cell>>(cells: C) -> Self {
        let mut places = 0;
        let known = (0..=u8::MAX).zip(cells).filter(|(_, cell)| *cell != Cell::Unknown);
        let cells = known.inspect(|(place, _)| places |= bit(*place)).map(|(_, cell)| cell).collect();
        Self { places, cells }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::field::Field;

    #[test]
    fn a_place_has_the_cell_that_was_set_last() {
        let all = [Cell::Unknown, Cell::Number(1), Cell::Unknown, Cell::Word(3), Cell::Unknown];
        let mut cells: KnownCells = all.iter().cloned().collect();
        assert!(cells.first(5).eq(&all));
        for (place, cell) in [(3, Cell::Number(4)), (0, Cell::Word(0)), (4, Cell::Time(5)), (1, Cell::Unknown), (2, Cell::Unknown)] {
            cells.set(place, cell);
        }
        assert!(cells.first(5).eq(&[Cell::Word(0), Cell::Unknown, Cell::Unknown, Cell::Number(4), Cell::Time(5)]));
        assert_eq!(cells.cells.len(), 3);
    }

    #[test]
    fn every_field_has_a_bit() {
        assert!(Field::ALL.len() <= 64);
    }
}

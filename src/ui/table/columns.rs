//! Which columns fit, and how wide they are.

use crate::model::Column;

/// The least that a column which takes the rest needs to say anything. Beyond that it wants half
/// of the room: what it says is why the table is read.
const LEAST: u16 = 12;

/// The columns that are shown, left to right, with their widths. The least worth drops first;
/// the first column and the one with the most worth stay.
pub(in crate::ui) fn fit(columns: &[Column], room: u16, shift: usize) -> Vec<(usize, u16)> {
    let least = LEAST.max(room / 2);
    let width = |c: &Column| if c.width == 0 { least } else { c.width };
    let mut shown: Vec<usize> =
        (0..columns.len()).filter(|index| *index == 0 || *index > shift.min(columns.len() - 1)).collect();
    let needed = |shown: &[usize]| -> u32 {
        shown
            .iter()
            .filter_map(|i| columns.get(*i))
            .map(|c| u32::from(width(c)) + 1)
            .sum::<u32>()
            .saturating_sub(1)
    };
    while shown.len() > 1 && needed(&shown) > u32::from(room) {
        let worth = |place: &usize| columns.get(shown[*place]).map_or(0, |c| c.worth);
        let Some(least) = (0..shown.len()).rev().min_by_key(worth) else { break };
        shown.remove(least);
    }
    let spare = room.saturating_sub(u16::try_from(needed(&shown)).unwrap_or(u16::MAX));
    let wide = |index: usize| {
        let Some(column) = columns.get(index) else { return 0 };
        let own = width(column);
        let own = if column.width == 0 { own.saturating_add(spare) } else { own };
        own.min(room)
    };
    shown.into_iter().map(|index| (index, wide(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_worth_drops_first_and_one_takes_the_rest() {
        let columns = [
            Column::left("since", 5, 8),
            Column::left("what", 0, 9),
            Column::left("where", 11, 7),
            Column::right("blast", 13, 6),
            Column::left("owner", 12, 1),
        ];
        let widths = |room, shift| fit(&columns, room, shift);
        assert_eq!(widths(100, 0), vec![(0, 5), (1, 55), (2, 11), (3, 13), (4, 12)]);
        assert_eq!(widths(77, 0), vec![(0, 5), (1, 45), (2, 11), (3, 13)]);
        assert_eq!(widths(50, 0), vec![(0, 5), (1, 32), (2, 11)]);
        assert_eq!(widths(20, 0), vec![(0, 5), (1, 14)]);
        assert_eq!(widths(6, 0), vec![(1, 6)]);
        assert_eq!(widths(100, 2), vec![(0, 5), (3, 13), (4, 12)]);
        assert_eq!(fit(&[], 10, 0), vec![]);
        for room in 0..120 {
            let total: u16 = widths(room, 0).iter().map(|(_, w)| w + 1).sum();
            assert!(total <= room + 1, "{room}");
        }
    }
}

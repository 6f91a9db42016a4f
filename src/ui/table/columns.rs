//! Which columns fit, and how wide they are.

use crate::model::Column;

/// The least that a column which takes the rest needs to say anything.
const LEAST: u16 = 12;

/// The columns that are shown, left to right, with their widths. `widest` is the widest cell of
/// each: no column gets more than it can use while another wants room. The least worth drops
/// first; the first column and the one with the most worth stay.
pub(in crate::ui) fn fit(columns: &[Column], widest: &[u16], room: u16, shift: usize) -> Vec<(usize, u16)> {
    let width = |index: usize| {
        let widest = widest.get(index).copied().unwrap_or(u16::MAX);
        match columns.get(index).map_or(1, |column| column.width) {
            // What takes the rest is why the table is read: up to half of the room is its own.
            0 => widest.clamp(LEAST, LEAST.max(room / 2)),
            declared => declared.min(widest),
        }
    };
    let mut shown: Vec<usize> =
        (0..columns.len()).filter(|index| *index == 0 || *index > shift.min(columns.len() - 1)).collect();
    let needed = |shown: &[usize]| {
        let widths: u32 = shown.iter().map(|index| u32::from(width(*index)) + 1).sum();
        widths.saturating_sub(1)
    };
    while shown.len() > 1 && needed(&shown) > u32::from(room) {
        let worth = |place: &usize| columns.get(shown[*place]).map_or(0, |c| c.worth);
        let Some(least) = (0..shown.len()).rev().min_by_key(worth) else { break };
        shown.remove(least);
    }
    let spare = room.saturating_sub(u16::try_from(needed(&shown)).unwrap_or(u16::MAX));
    let takes_rest = |index: usize| columns.get(index).is_some_and(|column| column.width == 0);
    let wide = |index: usize| {
        let own = if takes_rest(index) { width(index).saturating_add(spare) } else { width(index) };
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
        let widths = |room, shift| fit(&columns, &[5, 90, 11, 13, 12], room, shift);
        assert_eq!(widths(100, 0), vec![(0, 5), (1, 55), (2, 11), (3, 13), (4, 12)]);
        assert_eq!(widths(77, 0), vec![(0, 5), (1, 45), (2, 11), (3, 13)]);
        assert_eq!(widths(50, 0), vec![(0, 5), (1, 32), (2, 11)]);
        assert_eq!(widths(20, 0), vec![(0, 5), (1, 14)]);
        assert_eq!(widths(6, 0), vec![(1, 6)]);
        assert_eq!(widths(100, 2), vec![(0, 5), (3, 13), (4, 12)]);
        assert_eq!(fit(&[], &[], 10, 0), vec![]);
        // What needs little leaves room for others.
        assert_eq!(fit(&columns, &[5, 20, 9, 13, 4], 77, 0), vec![(0, 5), (1, 42), (2, 9), (3, 13), (4, 4)]);
        for room in 0..120 {
            let total: u16 = widths(room, 0).iter().map(|(_, w)| w + 1).sum();
            assert!(total <= room + 1, "{room}");
        }
    }
}

//! Which columns fit, and how wide they are.

use crate::model::Column;

/// The least that a column which takes the rest needs to say anything.
const LEAST: u16 = 12;

/// How many blanks at most what takes the rest puts between itself and the next column: farther
/// apart the eye loses the row.
const APART: u16 = 24;

/// The columns that are shown, left to right, with their widths. `widest` is the widest cell of
/// each: no column gets more than it can use while another wants room.
///
/// What takes the rest is why the table is read, so it stays whatever its worth. Columns of less
/// worth drop to let it say up to half a line; before those of more worth do, it shrinks to its
/// least. The first column stays too, unless it is of the least worth of all.
pub(in crate::ui) fn fit(columns: &[Column], widest: &[u16], room: u16, shift: usize) -> Vec<(usize, u16)> {
    let takes_rest = |index: usize| columns.get(index).is_some_and(|column| column.width == 0);
    let worth = |index: usize| columns.get(index).map_or(0, |column| column.worth);
    let width = |index: usize, most: u16| {
        let widest = widest.get(index).copied().unwrap_or(u16::MAX);
        match columns.get(index).map_or(1, |column| column.width) {
            0 => widest.clamp(LEAST, LEAST.max(most)),
            declared => declared.min(widest),
        }
    };
    let needed = |shown: &[usize], most: u16| {
        let widths: u32 = shown.iter().map(|index| u32::from(width(*index, most)) + 1).sum();
        widths.saturating_sub(1)
    };
    let mut shown: Vec<usize> =
        (0..columns.len()).filter(|index| *index == 0 || *index > shift.min(columns.len() - 1)).collect();
    let asks = shown.iter().copied().find(|index| takes_rest(*index)).map_or(u8::MAX, worth);
    for (most, below) in [(room / 2, asks), (LEAST, u8::MAX)] {
        while shown.len() > 1 && needed(&shown, most) > u32::from(room) {
            let droppable = |place: &usize| {
                let index = shown[*place];
                !takes_rest(index) && (worth(index) < below || below == u8::MAX)
            };
            let least = (0..shown.len()).rev().filter(droppable).min_by_key(|place| worth(shown[*place]));
            let Some(least) = least else { break };
            shown.remove(least);
        }
    }
    let most = if needed(&shown, room / 2) > u32::from(room) { LEAST } else { room / 2 };
    let spare = room.saturating_sub(u16::try_from(needed(&shown, most)).unwrap_or(u16::MAX));
    let wide = |index: usize| {
        let own = width(index, most);
        if !takes_rest(index) {
            return own.min(room);
        }
        let content = widest.get(index).copied().unwrap_or(u16::MAX).saturating_add(APART);
        own.saturating_add(spare).min(content.max(own)).min(room)
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
        // What takes the rest is of little worth: it shrinks, and stays when others drop.
        let cause = [Column::right("when", 8, 9), Column::left("cause", 0, 5), Column::right("lead", 6, 6)];
        let widths_of = |room| fit(&cause, &[8, 60, 6], room, 0);
        assert_eq!(widths_of(60), vec![(0, 8), (1, 44), (2, 6)]);
        assert_eq!(widths_of(30), vec![(0, 8), (1, 14), (2, 6)]);
        assert_eq!(widths_of(24), vec![(0, 8), (1, 15)]);
        assert_eq!(widths_of(14), vec![(1, 14)]);
        // What needs little leaves room for others.
        assert_eq!(fit(&columns, &[5, 20, 9, 13, 4], 77, 0), vec![(0, 5), (1, 42), (2, 9), (3, 13), (4, 4)]);
        // On a wide screen it does not put the others out of sight.
        assert_eq!(fit(&columns, &[5, 20, 9, 13, 4], 200, 0), vec![(0, 5), (1, 44), (2, 9), (3, 13), (4, 4)]);
        for room in 0..120 {
            let total: u16 = widths(room, 0).iter().map(|(_, w)| w + 1).sum();
            assert!(total <= room + 1, "{room}");
        }
    }
}

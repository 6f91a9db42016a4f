//! The rows of a sheet: made, or written one by one as they are looked at.

use std::borrow::Cow;

use super::{RowId, SheetRow};
use crate::model::{Cell, Tone};
use crate::views::objects::{Listed, Listing};

/// The rows of a sheet. A pane that sums up makes its few rows; a table of every object of a kind
/// would be mostly rows that nobody looks at, so those are written when they are.
#[derive(Clone, Debug)]
pub enum SheetRows {
    /// All there, in order.
    Made(Vec<SheetRow>),
    /// Written when they are looked at.
    Listed(Box<Listing>),
}

/// A row, looked at without writing it whole.
pub enum RowView<'a> {
    /// One that is there.
    Made(&'a SheetRow),
    /// One that is not written.
    Listed(Listed<'a>),
}

impl SheetRows {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            SheetRows::Made(rows) => rows.len(),
            SheetRows::Listed(listing) => listing.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One row.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Cow<'_, SheetRow>> {
        self.look(index).map(RowView::row)
    }

    /// One row, not written.
    #[must_use]
    pub fn look(&self, index: usize) -> Option<RowView<'_>> {
        match self {
            SheetRows::Made(rows) => rows.get(index).map(RowView::Made),
            SheetRows::Listed(listing) => listing.get(index).map(RowView::Listed),
        }
    }

    /// All rows in order, each written as it comes.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, SheetRow>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Where a row is.
    #[must_use]
    pub fn find(&self, id: &RowId) -> Option<usize> {
        match (self, id) {
            (SheetRows::Made(rows), _) => rows.iter().position(|row| row.id == *id),
            (SheetRows::Listed(listing), RowId::Object(key)) => listing.find(key),
            (SheetRows::Listed(_), _) => None,
        }
    }

    /// The rows that are there, to be changed; those that are not written have nothing to change.
    pub fn made_mut(&mut self) -> &mut [SheetRow] {
        match self {
            SheetRows::Made(rows) => rows,
            SheetRows::Listed(_) => &mut [],
        }
    }
}

impl<'a> RowView<'a> {
    /// The whole row.
    #[must_use]
    pub fn row(self) -> Cow<'a, SheetRow> {
        match self {
            RowView::Made(row) => Cow::Borrowed(row),
            RowView::Listed(listed) => Cow::Owned(listed.row()),
        }
    }

    /// How worrying it is.
    #[must_use]
    pub fn tone(&self) -> Tone {
        match self {
            RowView::Made(row) => row.tone,
            RowView::Listed(listed) => listed.tone(),
        }
    }

    /// One of its cells.
    #[must_use]
    pub fn cell(&self, column: usize) -> Option<Cow<'_, Cell>> {
        match self {
            RowView::Made(row) => row.cells.get(column).map(Cow::Borrowed),
            RowView::Listed(listed) => listed.cell(column).map(Cow::Owned),
        }
    }
}

impl Default for SheetRows {
    fn default() -> SheetRows {
        SheetRows::Made(Vec::new())
    }
}

impl From<Vec<SheetRow>> for SheetRows {
    fn from(rows: Vec<SheetRow>) -> SheetRows {
        SheetRows::Made(rows)
    }
}

impl FromIterator<SheetRow> for SheetRows {
    fn from_iter<I: IntoIterator<Item = SheetRow>>(rows: I) -> SheetRows {
        SheetRows::Made(rows.into_iter().collect())
    }
}

impl PartialEq for SheetRows {
    fn eq(&self, other: &SheetRows) -> bool {
        self.iter().eq(other.iter())
    }
}

/// One of the rows that are there.
#[cfg(test)]
impl std::ops::Index<usize> for SheetRows {
    type Output = SheetRow;

    fn index(&self, index: usize) -> &SheetRow {
        match self {
            SheetRows::Made(rows) => &rows[index],
            SheetRows::Listed(_) => panic!("these rows are written when they are looked at: use get"),
        }
    }
}

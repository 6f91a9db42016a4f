//! JSON lists, a page at a time: a JSON reader can borrow from a slice only, so pages are kept
//! small (500 items) and read as a whole, item by item.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::declare::others;
use super::{ListEnd, ListMeta, Message, Slot, Str, WireError};

/// Reads a page of a JSON list and hands out its items. `metadata` may stand before the items or
/// behind them.
///
/// An item that is not an object, or that only breaks a rule of JSON's text (an impossible
/// escape), is counted as bad and costs itself only. Items are read in place; a page with such
/// an item is read a second time from there on, each item cut out first.
pub fn read_page<'a, M: Message<'a>>(page: &'a [u8], each: &mut impl FnMut(M)) -> Result<ListEnd, WireError> {
    let mut end = ListEnd::default();
    let mut whole = Page { each, end: &mut end, cut_from: usize::MAX, item: PhantomData };
    if let Err(error) = whole.read(page) {
        let (items, bad) = (end.items, end.bad);
        end = ListEnd { items, ..ListEnd::default() };
        let mut cut = Page { each, end: &mut end, cut_from: items + bad, item: PhantomData };
        // the second error would be of the same bytes; the first says more exactly where
        cut.read(page).map_err(|_| WireError::json(&error, page))?;
    }
    end.check().map_err(|kind| WireError::new(kind, 0))?;
    Ok(end)
}

struct Page<'p, F, M> {
    each: &'p mut F,
    end: &'p mut ListEnd,
    /// the first item to be cut out before it is read; those before it were handed out already
    cut_from: usize,
    item: PhantomData<M>,
}

impl<'de, F: FnMut(M), M: Message<'de>> Page<'_, F, M> {
    fn read(&mut self, page: &'de [u8]) -> Result<(), serde_json::Error> {
        let mut source = serde_json::Deserializer::from_slice(page);
        source.deserialize_any(ListVisitor(self))?;
        source.end()
    }
}

struct ListVisitor<'v, 'p, F, M>(&'v mut Page<'p, F, M>);

impl<'de, F: FnMut(M), M: Message<'de>> Visitor<'de> for ListVisitor<'_, '_, F, M> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let page = self.0;
        while let Some(key) = map.next_key::<Str<'de>>()? {
            match key.as_str() {
                "metadata" => {
                    let mut meta = ListMeta::default();
                    map.next_value_seed(Slot(&mut meta))?;
                    page.end.meta(&meta);
                }
                "kind" => page.end.kind = map.next_value::<Str<'de>>()?.to_string(),
                "items" => {
                    map.next_value_seed(Items(page))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(true)
    }

    others!('de: bool, number, text, unit, seq);
}

struct Items<'v, 'p, F, M>(&'v mut Page<'p, F, M>);

impl<'de, F: FnMut(M), M: Message<'de>> DeserializeSeed<'de> for Items<'_, '_, F, M> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<bool, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de, F: FnMut(M), M: Message<'de>> Visitor<'de> for Items<'_, '_, F, M> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the items of a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let page = self.0;
        if page.cut_from == usize::MAX {
            loop {
                let mut item = M::default();
                match seq.next_element_seed(Slot(&mut item))? {
                    Some(fits) => page.hand_out(fits.then_some(item)),
                    None => return Ok(true),
                }
            }
        }
        let mut index = 0;
        while let Some(raw) = seq.next_element::<&'de RawValue>()? {
            let mut item = M::default();
            let mut source = serde_json::Deserializer::from_str(raw.get());
            let fits = item.read_json(&mut source).unwrap_or(false);
            match index < page.cut_from {
                // handed out by the first reading, which counted it too if it was good
                true => page.end.bad += usize::from(!fits),
                false => page.hand_out(fits.then_some(item)),
            }
            index += 1;
        }
        Ok(true)
    }

    others!('de: bool, number, text, unit, map);
}

impl<F: FnMut(M), M> Page<'_, F, M> {
    fn hand_out(&mut self, item: Option<M>) {
        match item {
            Some(item) => {
                self.end.items += 1;
                (self.each)(item);
            }
            None => self.end.bad += 1,
        }
    }
}

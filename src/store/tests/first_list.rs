//! What a first list tells of the time before.

use super::*;

fn born(n: u32, second: i64) -> Record {
    let meta = Meta { created: Some(at(second)), ..meta(n, u64::from(n)) };
    Record::from(Node { meta, ..Node::default() })
}

#[test]
fn nodes_that_came_within_the_hour_are_told_of_by_their_birth() {
    let (mut store, told) = store();
    list(&mut store, Kind::Node, vec![born(3, -30), born(1, -7200), born(2, -60)], 10);
    let first = [(uid(2), None, Some(2)), (uid(3), None, Some(3))];
    assert_eq!(*told.0.lock().unwrap(), first);
    // The same again is no news.
    list(&mut store, Kind::Node, vec![born(3, -30), born(1, -7200), born(2, -60)], 11);
    assert_eq!(*told.0.lock().unwrap(), first);
}

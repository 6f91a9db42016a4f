//! What every room says in the same way: so many of something, and what was probably meant.

use super::grouped;

/// So many of what one is called `one`: `1 cluster`, `1,204 clusters`.
#[must_use]
pub fn many(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(count as u64)) }
}

/// The word among these that was probably meant: at most a third of its letters are other ones, and
/// three at most.
#[must_use]
pub fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = among.into_iter().map(|other| (strsim::damerau_levenshtein(word, other), other));
    let most = |other: &str| (other.chars().count().max(word.chars().count()) / 3).min(3);
    near.filter(|(far, other)| *far <= most(other)).min().map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_said_as_one() {
        assert_eq!([many(0, "pod"), many(1, "pod"), many(1204, "pod")], ["0 pods", "1 pod", "1,204 pods"]);
    }

    #[test]
    fn what_was_meant_is_named_only_when_it_is_near() {
        assert_eq!(nearest("podz", ["nodes", "pods"]), Some("pods"));
        assert_eq!(nearest("drian", ["drain", "train"]), Some("drain"));
        assert_eq!(nearest("ip-10-0-1-8", ["ip-10-0-1-9", "gke-a"]), Some("ip-10-0-1-9"));
        assert_eq!(nearest("zebra", ["nodes", "pods"]), None);
        assert_eq!(nearest("po", ["no"]), None, "half of it is another word");
    }
}

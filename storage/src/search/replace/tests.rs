#![allow(clippy::unwrap_used)]

use crate::search::sealed::{Damage, SealedDirectory};
use crate::search::tests::{Opened, ask, key, numbers, open, turn};
use crate::search::{Search, SearchChange};
use auricle_domain::code::Lang;
use std::path::Path;
use tantivy::Index;
use tantivy::schema::{STRING, Schema};

fn words() -> Vec<SearchChange> {
    vec![turn(1, Lang::En, "parking"), turn(2, Lang::En, "opening hours")]
}

/// B-04: while another index is built beside it, the old one answers in full and takes in what happens; then the new one is there
/// for all who had the old one open, and again at the next start.
#[test]
fn an_index_is_replaced_while_it_answers() {
    let Opened { search, directory } = open(words());
    let (path, other) = (directory.path().join("search"), search.clone());
    let beside = search.beside().unwrap();
    assert_eq!((beside.cursor(), search.cursor()), (0, 7));
    beside.apply(vec![turn(1, Lang::En, "parking")], 3).unwrap();
    assert_eq!((numbers(&other, &ask("opening")), numbers(&other, &ask("parking"))), (vec![2], vec![1]));
    search.apply(vec![turn(3, Lang::En, "vaccination")], 8).unwrap();
    assert_eq!(numbers(&other, &ask("vaccination")), [3], "what happens is found meanwhile");
    // What the old one has and the new one has not shows which of them answers.
    beside.apply(vec![turn(3, Lang::En, "inoculation")], 8).unwrap();
    search.replace_with(beside).unwrap();
    for search in [&search, &other] {
        assert_eq!(search.cursor(), 8);
        assert_eq!((numbers(search, &ask("inoculation")), numbers(search, &ask("vaccination"))), (vec![3], vec![]));
    }
    other.apply(vec![turn(4, Lang::En, "garage")], 9).unwrap();
    assert_eq!(numbers(&search, &ask("garage")), [4], "it goes on taking in what happens");
    drop((search, other));
    let search = Search::open(&path, &key()).unwrap();
    assert_eq!((search.cursor(), numbers(&search, &ask("inoculation"))), (9, vec![3]));
    assert_eq!(names(directory.path()), ["search"], "nothing is left beside it");
}

/// B-04: an index that was not finished, because of a crash, changes nothing and does not stay.
#[test]
fn what_was_not_finished_is_removed_at_the_next_start() {
    let Opened { search, directory } = open(words());
    let beside = search.beside().unwrap();
    beside.apply(vec![turn(1, Lang::En, "half")], 3).unwrap();
    drop((search, beside));
    assert_eq!(names(directory.path()), ["search", "search.new"]);
    let search = Search::open(&directory.path().join("search"), &key()).unwrap();
    assert_eq!((search.cursor(), numbers(&search, &ask("parking"))), (7, vec![1]));
    assert_eq!(names(directory.path()), ["search"]);
    // One that is begun again begins from nothing.
    drop(search.beside().unwrap());
    assert_eq!(search.beside().unwrap().cursor(), 0);
}

/// B-04, B-17: an index that was damaged while another was built is whole again once that has taken its place; a new one that cannot
/// take its place leaves the old one as it was.
#[test]
fn a_damaged_index_is_replaced_and_a_lost_new_one_replaces_nothing() {
    let Opened { search, directory } = open(words());
    let beside = search.beside().unwrap();
    beside.apply(words(), 7).unwrap();
    std::fs::remove_dir_all(directory.path().join("search.new")).unwrap();
    assert!(search.replace_with(beside).is_err());
    assert!(!*search.damage().borrow());
    assert_eq!((search.cursor(), numbers(&search, &ask("parking"))), (7, vec![1]));
    search.apply(vec![turn(3, Lang::En, "garage")], 8).unwrap();
    assert_eq!(numbers(&search, &ask("garage")), [3]);

    let beside = search.beside().unwrap();
    beside.apply(words(), 8).unwrap();
    std::fs::remove_dir_all(directory.path().join("search")).unwrap();
    assert!(search.apply(vec![turn(4, Lang::En, "hello")], 9).is_err());
    assert!(*search.damage().borrow());
    search.replace_with(beside).unwrap();
    assert!(!*search.damage().borrow());
    assert_eq!((search.cursor(), numbers(&search, &ask("parking"))), (8, vec![1]));
}

/// B-04: an index with other fields, as an older version made it, is begun anew: its cursor is 0, and all events are taken in again.
#[test]
fn an_index_with_other_fields_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("search");
    std::fs::create_dir(&path).unwrap();
    let mut schema = Schema::builder();
    schema.add_text_field("key", STRING);
    let older = SealedDirectory::open(&path, &key(), Damage::default()).unwrap();
    drop(Index::open_or_create(older, schema.build()).unwrap());
    let search = Search::open(&path, &key()).unwrap();
    assert_eq!(search.cursor(), 0);
    search.apply(words(), 7).unwrap();
    assert_eq!(numbers(&search, &ask("parking")), [1]);
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#![allow(clippy::unwrap_used)]

use super::*;
use auricle_domain::Timestamp;
use auricle_domain::code::{Channel, Outcome};
use auricle_domain::id::{AccountId, CallId, PassageId};
use tantivy::Directory;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn document(kind: SearchKind, n: u8, language: Lang, title: &str, text: &str) -> SearchDocument {
    SearchDocument {
        kind,
        id: PassageId::new(at(0), [n; 10]).to_string(),
        parent: Some("house".to_owned()),
        call: None,
        at: at(i64::from(n)),
        start_ms: None,
        title: title.to_owned(),
        text: text.to_owned(),
        language: Some(language),
        outcome: None,
        agent: None,
        channel: None,
    }
}

pub(super) fn key() -> SearchKey {
    SearchKey::new(crate::seal::SealKey::new(&[9; 32]))
}

pub(super) fn put(document: SearchDocument) -> SearchChange {
    SearchChange::Put(Box::new(document))
}

pub(super) fn passage(n: u8, language: Lang, title: &str, text: &str) -> SearchChange {
    put(document(SearchKind::Passage, n, language, title, text))
}

pub(super) fn turn(n: u8, language: Lang, text: &str) -> SearchChange {
    put(document(SearchKind::Turn, n, language, "", text))
}

pub(super) struct Opened {
    pub(super) search: Search,
    pub(super) directory: tempfile::TempDir,
}

pub(super) fn open(changes: Vec<SearchChange>) -> Opened {
    let directory = tempfile::tempdir().unwrap();
    let search = Search::open(&directory.path().join("search"), &key()).unwrap();
    search.apply(changes, 7).unwrap();
    Opened { search, directory }
}

pub(super) fn ask(text: &str) -> SearchQuery {
    SearchQuery { text: text.to_owned(), limit: 10, ..SearchQuery::default() }
}

pub(super) fn numbers(search: &Search, query: &SearchQuery) -> Vec<i64> {
    let hits = search.query(query).unwrap().hits;
    hits.iter().map(|hit| hit.at.as_second() - 1_800_000_000).collect()
}

#[test]
fn words_are_found_in_any_form_case_and_without_diacritics() {
    let Opened { search, directory: _kept } = open(vec![
        turn(1, Lang::En, "I would like to book two appointments for my daughters."),
        turn(2, Lang::Es, "¿Cuándo abre la clínica para las vacunaciones?"),
        turn(3, Lang::Cs, "Kdy máte ordinační hodiny a kde je parkoviště?"),
    ]);
    for (text, found) in [
        ("appointment daughter", 1),
        ("CLINICA vacunación", 2),
        ("hodinách parkovani", 3),
        ("ordinacni hodina", 3),
        ("apointment", 1),
        ("vacunacoines", 2),
    ] {
        assert_eq!(numbers(&search, &ask(text)), [found], "{text}");
    }
    assert_eq!(numbers(&search, &ask("appointment parkoviště")), [0; 0], "every word must be there");
    assert_eq!(numbers(&search, &ask("?!")), [0; 0]);
}

#[test]
fn a_word_as_written_stands_before_one_that_resembles_it() {
    let Opened { search, directory: _kept } =
        open(vec![turn(1, Lang::En, "The parling was full today."), turn(2, Lang::En, "The parking was full today.")]);
    assert_eq!(numbers(&search, &ask("parking")), [2, 1]);
    assert_eq!(numbers(&search, &ask("park")), [2]);
}

#[test]
fn a_number_is_found_by_its_end_however_it_is_grouped() {
    let call = |n, number| put(document(SearchKind::Call, n, Lang::Cs, number, ""));
    let Opened { search, directory: _kept } =
        open(vec![call(1, "+420777123456"), call(2, "Jana Nová, 608 555 123"), call(3, "reception")]);
    for (text, found) in [
        ("777123456", vec![1]),
        ("777 123 456", vec![1]),
        ("+420 777-123-456", vec![1]),
        ("123456", vec![1]),
        ("608555123", vec![2]),
        ("777123", vec![]),
        ("23456", vec![]),
    ] {
        assert_eq!(numbers(&search, &ask(text)), found, "{text}");
    }
}

#[test]
fn a_phrase_is_found_only_as_it_stands() {
    let Opened { search, directory: _kept } = open(vec![
        turn(1, Lang::En, "There is free parking behind the house."),
        turn(2, Lang::En, "Parking is not free."),
    ]);
    assert_eq!(numbers(&search, &ask("\"free parking\"")), [1]);
    assert_eq!(numbers(&search, &ask("free parking")).len(), 2);
}

#[test]
fn filters_narrow_and_do_not_change_the_order() {
    let mut booked = document(SearchKind::Call, 3, Lang::En, "+420 777 123 456", "opening hours");
    booked.outcome = Some(Outcome::Booked);
    booked.call = Some(CallId::new(at(0), [3; 10]));
    let (agent, other) = (AccountId::new(at(0), [5; 10]), AccountId::new(at(0), [6; 10]));
    (booked.agent, booked.channel) = (Some(agent), Some(Channel::Phone));
    let Opened { search, directory: _kept } = open(vec![
        turn(1, Lang::En, "opening hours"),
        turn(2, Lang::Cs, "opening hours"),
        put(booked),
        passage(4, Lang::En, "Opening hours", "opening hours"),
    ]);
    let all = ask("opening");
    let with = |change: fn(&mut SearchQuery)| {
        let mut query = all.clone();
        change(&mut query);
        let mut found = numbers(&search, &query);
        found.sort_unstable();
        found
    };
    assert_eq!(with(|query| query.kinds = vec![SearchKind::Turn, SearchKind::Call]), [1, 2, 3]);
    assert_eq!(with(|query| query.language = Some(Lang::Cs)), [2]);
    assert_eq!(with(|query| query.outcome = Some(Outcome::Booked)), [3]);
    assert_eq!(with(|query| query.channel = Some(Channel::Phone)), [3]);
    assert_eq!(numbers(&search, &SearchQuery { agent: Some(agent), ..all.clone() }), [3]);
    assert_eq!(numbers(&search, &SearchQuery { agent: Some(other), ..all.clone() }), [0; 0]);
    assert_eq!(with(|query| query.from = Some(at(2))), [2, 3, 4]);
    assert_eq!(with(|query| query.to = Some(at(3))), [1, 2]);
    assert_eq!(with(|query| query.text = "777123".to_owned()), [0; 0]);
    assert_eq!(with(|query| query.text = "777 123".to_owned()), [3]);
    let score = |query: &SearchQuery| search.query(query).unwrap().hits[0].score;
    let filtered = SearchQuery { kinds: vec![SearchKind::Passage], language: Some(Lang::En), ..all.clone() };
    assert!((score(&filtered) - score(&all)).abs() < 1e-6, "the passage is best both times");
}

#[test]
fn without_words_everything_comes_newest_first_page_by_page() {
    let Opened { search, directory: _kept } = open((1..=5).map(|n| turn(n, Lang::En, "hello")).collect());
    let mut query = SearchQuery { limit: 2, ..ask("") };
    let mut found = Vec::new();
    loop {
        let page = search.query(&query).unwrap();
        assert_eq!(page.seq, 7);
        found.extend(page.hits.iter().map(|hit| hit.at.as_second() - 1_800_000_000));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(found, [5, 4, 3, 2, 1]);
    query.after = Some("x".to_owned());
    assert_eq!(search.query(&query), Err(StoreError::BadCursor));
    query.after = Some("99999999999".to_owned());
    assert!(search.query(&query).unwrap().hits.is_empty());
}

#[test]
fn a_snippet_shows_where_the_words_stand() {
    let filler = "Nothing of interest is said here at all. ".repeat(20);
    let text = format!("{filler}Příští týden máme očkování proti chřipce, zavolejte. {filler}");
    let Opened { search, directory: _kept } = open(vec![turn(1, Lang::Cs, &text)]);
    let hit = search.query(&ask("ockovani chripka")).unwrap().hits.remove(0);
    let characters: Vec<char> = hit.snippet.chars().collect();
    let marked: Vec<String> = hit.highlights.iter().map(|(from, to)| characters[*from..*to].iter().collect()).collect();
    assert_eq!(marked, ["očkování", "chřipce"]);
    assert!(hit.snippet.len() < 300, "{}", hit.snippet.len());
}

/// KB-05
#[test]
fn passages_answer_a_question_and_say_how_much_of_it_they_cover() {
    let Opened { search, directory: _kept } = open(vec![
        passage(1, Lang::En, "Parking", "There are twenty free places behind the building."),
        passage(2, Lang::En, "Opening hours", "We are open from eight to four on weekdays."),
        passage(3, Lang::Cs, "Parkování", "Parkoviště je za budovou."),
        turn(4, Lang::En, "where can I park my car"),
    ]);
    let ask = |text, language| search.passages(text, language, 5).unwrap();
    let id = |n| PassageId::new(at(0), [n; 10]);
    let hits = ask("Where can I park, please?", Some(Lang::En));
    assert_eq!(hits.iter().map(|hit| hit.passage).collect::<Vec<_>>(), [id(1)]);
    assert!((hits[0].coverage - 1.0).abs() < 1e-6);
    let hits = ask("are you open on weekdays in Brno", Some(Lang::En));
    assert_eq!(hits[0].passage, id(2));
    assert!((hits[0].coverage - 2.0 / 3.0).abs() < 1e-6);
    assert_eq!(ask("kde se dá parkovat", Some(Lang::Cs))[0].passage, id(3));
    assert!(ask("is there a swimming pool", Some(Lang::En)).is_empty());
    assert!(ask("", None).is_empty());
}

#[test]
fn a_document_is_replaced_and_removed() {
    let Opened { search, directory: _kept } =
        open(vec![passage(1, Lang::En, "", "old words"), passage(2, Lang::En, "", "old other")]);
    search.apply(vec![passage(1, Lang::En, "", "new words")], 8).unwrap();
    assert_eq!(numbers(&search, &ask("old")), [2]);
    let id = PassageId::new(at(0), [1; 10]).to_string();
    search.apply(vec![SearchChange::Remove { kind: SearchKind::Passage, id }], 9).unwrap();
    assert_eq!(numbers(&search, &ask("words")), [0; 0]);
    search
        .apply(vec![SearchChange::RemoveChildren { kind: SearchKind::Passage, parent: "house".to_owned() }], 10)
        .unwrap();
    assert_eq!(numbers(&search, &ask("")), [0; 0]);
    // Within one batch the order counts.
    let removal = SearchChange::RemoveChildren { kind: SearchKind::Passage, parent: "house".to_owned() };
    search.apply(vec![passage(1, Lang::En, "", "first"), removal, passage(2, Lang::En, "", "second")], 11).unwrap();
    assert_eq!(numbers(&search, &ask("")), [2]);
}

#[test]
fn a_long_text_is_indexed_to_its_limit() {
    let Opened { search, directory: _kept } =
        open(vec![passage(1, Lang::Cs, &"ž".repeat(5_000), &format!("začátek {}konec", "ž ".repeat(10_000)))]);
    assert_eq!(numbers(&search, &ask("začátek")), [1]);
    assert_eq!(numbers(&search, &ask("konec")), [0; 0]);
}

#[test]
fn the_cursor_is_committed_with_the_documents() {
    let Opened { search, directory } = open(vec![turn(1, Lang::En, "hello")]);
    drop(search);
    let search = Search::open(&directory.path().join("search"), &key()).unwrap();
    assert_eq!((search.cursor(), numbers(&search, &ask("hello"))), (7, vec![1]));
}

#[test]
fn a_lost_or_damaged_index_begins_again_and_comes_out_the_same() {
    let changes = || vec![turn(1, Lang::En, "parking"), turn(2, Lang::En, "opening hours")];
    let Opened { search, directory } = open(changes());
    let before = search.query(&ask("parking")).unwrap();
    drop(search);
    let path = directory.path().join("search");
    let lose = || std::fs::remove_dir_all(&path).unwrap();
    let damage = || std::fs::write(path.join("meta.json"), b"{").unwrap();
    let outdate = || {
        let (directory, name) =
            (SealedDirectory::open(&path, &key(), Damage::default()).unwrap(), Path::new("meta.json"));
        let meta = String::from_utf8(directory.atomic_read(name).unwrap()).unwrap();
        directory.atomic_write(name, meta.replace("1:7", "0:7").as_bytes()).unwrap();
    };
    for spoil in [&lose as &dyn Fn(), &damage, &outdate] {
        spoil();
        let search = Search::open(&path, &key()).unwrap();
        assert_eq!(search.cursor(), 0);
        search.apply(changes(), 7).unwrap();
        assert_eq!(search.query(&ask("parking")).unwrap(), before);
    }
}

#[test]
fn an_index_in_use_is_not_taken_for_a_damaged_one() {
    let Opened { search, directory } = open(vec![turn(1, Lang::En, "hello")]);
    assert!(Search::open(&directory.path().join("search"), &key()).is_err());
    assert_eq!(numbers(&search, &ask("hello")), [1]);
}

/// B-17: no word of what is searched stands in a file of the index, and another key finds nothing in it.
#[test]
fn nothing_that_is_searched_is_readable_in_the_index() {
    let Opened { search, directory } = open(vec![
        passage(1, Lang::En, "Penicillin", "Bartholomew is allergic to penicillin"),
        turn(2, Lang::En, "When may I fetch the prescription for Bartholomew"),
    ]);
    drop(search);
    let path = directory.path().join("search");
    let mut files = 0;
    for entry in std::fs::read_dir(&path).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        for word in ["artholomew", "enicillin", "allerg", "prescri", "passage", "plain"] {
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
        }
    }
    assert!(files > 3, "{files}");
    assert_eq!(numbers(&Search::open(&path, &key()).unwrap(), &ask("penicillin")), [1]);
    let other = SearchKey::new(crate::seal::SealKey::new(&[8; 32]));
    let again = Search::open(&path, &other).unwrap();
    assert_eq!((again.cursor(), numbers(&again, &ask("penicillin"))), (0, vec![]), "it is begun anew");
}

/// B-17: an index that was damaged is built again, whatever was done to it.
#[test]
fn a_damaged_index_is_begun_anew() {
    let Opened { search, directory } = open(vec![passage(1, Lang::En, "Parking", "The garage is free")]);
    drop(search);
    let path = directory.path().join("search");
    let files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in files.iter().filter(|file| std::fs::metadata(file).unwrap().len() > 0) {
        let whole = std::fs::read(file).unwrap();
        for damage in
            [whole[..whole.len() / 2].to_vec(), [&whole[..whole.len() - 1], &[!whole[whole.len() - 1]]].concat()]
        {
            let folder = tempfile::tempdir().unwrap();
            for other in &files {
                std::fs::copy(other, folder.path().join(other.file_name().unwrap())).unwrap();
            }
            std::fs::write(folder.path().join(file.file_name().unwrap()), damage).unwrap();
            let search = Search::open(folder.path(), &key()).unwrap();
            let found = numbers(&search, &ask("garage"));
            assert!(search.cursor() == 0 && found.is_empty() || found == [1], "{}: {found:?}", file.display());
        }
    }
}

/// B-17: an index whose directory is deleted while it is open says so, and begins anew in place.
#[test]
fn an_index_deleted_while_open_is_begun_anew_in_place() {
    let changes = || vec![passage(1, Lang::En, "Parking", "The garage is free")];
    let Opened { search, directory } = open(changes());
    let (path, other) = (directory.path().join("search"), search.clone());
    std::fs::remove_dir_all(&path).unwrap();
    assert!(!*search.damage().borrow());
    assert!(search.apply(vec![turn(2, Lang::En, "hello")], 8).is_err());
    assert!(*search.damage().borrow());
    search.reset().unwrap();
    assert!(!*search.damage().borrow());
    assert_eq!((other.cursor(), numbers(&other, &ask("garage"))), (0, vec![]));
    search.apply([changes(), vec![turn(2, Lang::En, "hello")]].concat(), 8).unwrap();
    assert_eq!(
        (other.cursor(), numbers(&other, &ask("garage")), numbers(&other, &ask("hello"))),
        (8, vec![1], vec![2])
    );
    drop((search, other));
    assert_eq!(Search::open(&path, &key()).unwrap().cursor(), 8, "it lies where it lay");
}

/// B-17: damage that only a query meets is an error in words, and is noted.
#[test]
fn damage_that_a_query_meets_is_noted_and_healed() {
    let texts =
        || (1..=200).map(|n| turn(n, Lang::En, &format!("garage {}", crate::hex::encode(&[n; 3_000])))).collect();
    let Opened { search, directory } = open(texts());
    drop(search);
    let path = directory.path().join("search");
    let store = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    let store: Vec<_> = store.filter(|file| file.extension().is_some_and(|end| end == "store")).collect();
    for file in &store {
        // The first chunk, which opening does not read.
        let mut bytes = std::fs::read(file).unwrap();
        assert!(bytes.len() > 40 << 10, "{}", bytes.len());
        bytes[1_000] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }
    assert!(!store.is_empty());
    let search = Search::open(&path, &key()).unwrap();
    assert!(!*search.damage().borrow());
    let all = SearchQuery { limit: 100, ..ask("garage") };
    let first = search.query(&all);
    let error = first.and_then(|_| search.query(&SearchQuery { after: Some("100".to_owned()), ..all })).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(*search.damage().borrow());
    search.reset().unwrap();
    search.apply(texts(), 7).unwrap();
    assert_eq!(numbers(&search, &ask("garage")).len(), 10);
}

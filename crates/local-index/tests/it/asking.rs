//! What is found of a question, and what is said of what is not.

use backend_conformance::samples::{Sample, question};
use domain::IndexId;
use domain::SpaceKey;
use domain::index::Remote;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::query::{Confidence, Filters, Found, RetrievalQuery};
use local_index::{LocalIndex, LocalIndexOptions, Place};

struct Asked {
    index: LocalIndex,
    remote: Remote,
}

impl Asked {
    async fn with(pages: &[(&str, &str, &str)]) -> Self {
        let index = LocalIndex::open(Place::Memory, LocalIndexOptions::default()).unwrap();
        let spec = StoreSpec {
            index: IndexId::generate(),
            agent: "asking".parse().unwrap(),
        };
        let remote = index.ensure(&spec, None).await.unwrap();
        let documents: Vec<_> = pages
            .iter()
            .map(|(id, title, text)| Sample::new(id, title, text).document(spec.index))
            .collect();
        index.upsert(&remote, &documents).await.unwrap();
        Self { index, remote }
    }

    async fn ask(&self, text: &str) -> Found {
        self.index
            .search(&self.remote, &question(text))
            .await
            .unwrap()
    }

    async fn pages(&self, text: &str) -> Vec<String> {
        let found = self.ask(text).await.passages.into_iter();
        let ids = found.map(|passage| passage.document.page().unwrap().1.to_string());
        ids.collect()
    }
}

async fn wiki() -> Asked {
    Asked::with(&[
        ("1", "Meeting rooms", "A reservation of a room is made in the calendar. Reservations end after an hour."),
        ("2", "Cleaning", "The vacuum cleaner stands in the cellar, and the vacuums of the other floors in the hall."),
        ("3", "Deadlines", "Set SYNC_UPLOAD_DEADLINE and retryAfter in /etc/sync/app.conf when uploads are slow."),
        ("4", "Urlaub", "Die Urlaubstage werden mit den Vorgesetzten besprochen und in den Kalender eingetragen, damit alle davon wissen."),
        ("5", "Ticket INC-2041", "The host of the gateway was replaced after a fault in its power supply."),
        ("6", "手册", "部署回滚手册在这里。"),
    ])
    .await
}

#[tokio::test]
async fn words_are_found_as_they_stand_and_by_their_stems() {
    let wiki = wiki().await;
    for (question, page) in [
        ("how do I reserve rooms", "1"),
        ("reservations", "1"),
        ("vacuuming", "2"),
        ("Urlaubstag", "4"),
        ("sync_upload_deadline", "3"),
        ("UPLOAD DEADLINE", "3"),
        ("retry-after", "3"),
        ("retryafter", "3"),
        ("app.conf", "3"),
        ("inc 2041", "5"),
        ("INC2041", "5"),
        ("回滚", "6"),
        ("册", "6"),
    ] {
        assert_eq!(
            wiki.pages(question).await.first().map(String::as_str),
            Some(page),
            "{question}"
        );
    }
}

#[tokio::test]
async fn an_unknown_word_is_spelled_as_the_index_knows_it_and_that_is_told() {
    let wiki = wiki().await;
    let found = wiki.ask("resrvation of rooms").await;
    assert_eq!(
        found.passages[0].document.page().unwrap().1.to_string(),
        "1"
    );
    let unknown = &found.diagnostics.unknown_words;
    assert_eq!(unknown.len(), 1);
    assert_eq!(
        (unknown[0].word.as_str(), unknown[0].searched_for.as_deref()),
        ("resrvation", Some("reservation"))
    );
    assert_eq!(wiki.pages("gatweay hsot").await, ["5"]);
    // Too short to be spelled by guess.
    let short = wiki.ask("rom").await;
    assert_eq!(
        (
            short.passages.len(),
            short.diagnostics.unknown_words[0].searched_for.clone()
        ),
        (0, None)
    );
}

#[tokio::test]
async fn what_stands_in_no_page_is_said() {
    let wiki = wiki().await;
    let nothing = wiki.ask("cryptocurrency").await;
    assert_eq!(nothing.passages, []);
    assert_eq!(nothing.diagnostics.confidence, Confidence::None);
    assert_eq!(
        (
            nothing.diagnostics.candidates,
            nothing.diagnostics.best_score
        ),
        (Some(0), None)
    );
    assert_eq!(nothing.diagnostics.unknown_words[0].word, "cryptocurrency");

    // One word of several stands somewhere: passages, but no answer.
    let missed = wiki.ask("vacation allowance policy calendar").await;
    assert_eq!(missed.passages.len(), 1);
    assert_eq!(missed.diagnostics.confidence, Confidence::Low);
    let unknown: Vec<&str> = missed
        .diagnostics
        .unknown_words
        .iter()
        .map(|word| word.word.as_str())
        .collect();
    assert_eq!(unknown, ["vacation", "allowance", "policy"]);

    let met = wiki.ask("room reservation calendar").await;
    assert_eq!(met.diagnostics.confidence, Confidence::High);
    assert_eq!(
        (
            met.diagnostics.unknown_words.len(),
            met.diagnostics.missing_words.len()
        ),
        (0, 0)
    );
    assert_eq!(met.diagnostics.languages, ["english", "german"]);
}

#[tokio::test]
async fn a_filter_that_leaves_nothing_is_named() {
    let wiki = wiki().await;
    let query = RetrievalQuery {
        filters: Filters {
            space: Some(SpaceKey::from("NONE")),
            ..Filters::default()
        },
        ..question("vacuum")
    };
    let found = wiki.index.search(&wiki.remote, &query).await.unwrap();
    assert_eq!(found.passages, []);
    assert_eq!(found.diagnostics.emptied_by, ["space"]);

    // Without the filter nothing would be found either, once the page is gone.
    let page = Sample::new("2", "", "").document_id();
    wiki.index.delete(&wiki.remote, &[page]).await.unwrap();
    let found = wiki.index.search(&wiki.remote, &query).await.unwrap();
    assert_eq!(found.diagnostics.emptied_by, Vec::<String>::new());
}

#[tokio::test]
async fn passages_come_with_their_surroundings_as_far_as_there_is_room() {
    let sections: String = (1..=9)
        .map(|n| format!("## Step {n}\n\nThe lantern of step {n} is lit.\n\n"))
        .collect();
    let asked = Asked::with(&[
        (
            "1",
            "Short",
            "## One\n\nThe walrus sleeps.\n\n## Two\n\nIt dreams of fish.",
        ),
        ("2", "Long", &sections),
    ])
    .await;
    let query = RetrievalQuery {
        room: 1_900,
        ..question("walrus")
    };
    let found = asked.index.search(&asked.remote, &query).await.unwrap();
    assert_eq!(found.passages.len(), 1);
    assert!(
        found.passages[0].text.contains("walrus")
            && found.passages[0].text.contains("dreams of fish")
    );
    assert_eq!(found.passages[0].heading_path, ["One"]);
    // Alone where there is no room.
    assert!(!asked.ask("walrus").await.passages[0].text.contains("fish"));
    // What is shown beside one hit is not told again as another.
    let query = RetrievalQuery {
        room: 1_900,
        ..question("lantern step 5")
    };
    let found = asked.index.search(&asked.remote, &query).await.unwrap();
    let told: usize = found
        .passages
        .iter()
        .map(|passage| passage.text.matches("of step 5 is").count())
        .sum();
    assert_eq!(told, 1);
}

#[tokio::test]
async fn a_page_has_two_passages_before_others_had_theirs() {
    let many: String = (1..=6)
        .map(|n| format!("## Lantern {n}\n\nThe lantern, a lantern, lantern {n}.\n\n"))
        .collect();
    let asked = Asked::with(&[
        ("1", "Lantern", &many),
        (
            "2",
            "Cellar",
            "There is one lantern in the cellar, beside many other things that are of no use.",
        ),
    ])
    .await;
    assert_eq!(
        asked.pages("lantern").await,
        ["1", "1", "2", "1", "1", "1", "1"]
    );
    let scores: Vec<f64> = asked
        .ask("lantern")
        .await
        .passages
        .iter()
        .map(|passage| passage.score)
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
}

#[tokio::test]
async fn age_counts_where_it_is_wanted_and_not_much() {
    let today = chrono::Utc::now().timestamp() / 86_400;
    let old = Sample::new(
        "1",
        "Backups",
        "Backups are made by the tape robot at night.",
    );
    let new = Sample {
        day: today - 30,
        ..Sample::new(
            "2",
            "Backups",
            "Backups are made by the tape robot at night.",
        )
    };
    let elsewhere = Sample {
        day: today,
        ..Sample::new("3", "Robots", "A robot cleans the cellar.")
    };
    for (decay_years, first) in [(None, "1"), (Some(2), "2")] {
        let options = LocalIndexOptions {
            decay_years,
            ..LocalIndexOptions::default()
        };
        let index = LocalIndex::open(Place::Memory, options).unwrap();
        let spec = StoreSpec {
            index: IndexId::generate(),
            agent: "asking".parse().unwrap(),
        };
        let remote = index.ensure(&spec, None).await.unwrap();
        let documents = [&old, &new, &elsewhere].map(|sample| sample.document(spec.index));
        index.upsert(&remote, &documents).await.unwrap();
        let found = index
            .search(&remote, &question("tape robot backups"))
            .await
            .unwrap();
        let pages: Vec<String> = found
            .passages
            .iter()
            .map(|passage| passage.document.page().unwrap().1.to_string())
            .collect();
        assert_eq!(pages[0], first);
        // An old page that answers stands before a new one that does not.
        assert_eq!((pages.len(), pages[2].as_str()), (3, "3"));
        assert!(found.passages.is_sorted_by(|a, b| a.score >= b.score));
        assert_eq!(found.diagnostics.confidence, Confidence::High);
    }
}

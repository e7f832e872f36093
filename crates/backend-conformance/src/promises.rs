//! The promises, one function each; a broken one panics.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::document::Document;
use domain::index::Remote;
use domain::ports::retrieval::{
    BackendError, ItemOutcome, RetrievalBackend, StoreSpec, StoredDocument,
};
use domain::query::{Filters, Passage, RetrievalQuery, Under};
use domain::{DocumentId, IndexId, PageId, SpaceKey};

use crate::samples::{Sample, day, question};
use crate::{Subject, settle};

fn spec(agent: &str) -> StoreSpec {
    StoreSpec {
        index: IndexId::generate(),
        agent: agent.parse().expect("an agent id"),
    }
}

fn ids(documents: &[Document]) -> Vec<DocumentId> {
    documents
        .iter()
        .map(|document| document.id.clone())
        .collect()
}

async fn made<B: RetrievalBackend>(backend: &B, spec: &StoreSpec) -> Remote {
    backend.ensure(spec, None).await.expect("ensure")
}

/// Stores documents and waits until each is searchable.
async fn store<B: RetrievalBackend>(backend: &B, remote: &Remote, documents: &[Document]) {
    let outcomes = backend.upsert(remote, documents).await.expect("upsert");
    assert_eq!(outcomes, vec![ItemOutcome::Accepted; documents.len()]);
    backend.commit(remote).await.expect("commit");
    let report = settle(backend, remote, &ids(documents), &[]).await;
    assert_eq!((report.failed, report.working), (vec![], vec![]));
    let searchable: BTreeSet<DocumentId> = report.searchable.into_iter().collect();
    assert_eq!(searchable, ids(documents).into_iter().collect());
}

async fn search<B: RetrievalBackend>(
    backend: &B,
    remote: &Remote,
    query: &RetrievalQuery,
) -> Vec<Passage> {
    backend
        .search(remote, query)
        .await
        .expect("search")
        .passages
}

async fn found<B: RetrievalBackend>(backend: &B, remote: &Remote, text: &str) -> BTreeSet<String> {
    documents_of(&search(backend, remote, &question(text)).await)
}

fn documents_of(passages: &[Passage]) -> BTreeSet<String> {
    passages
        .iter()
        .map(|passage| passage.document.as_str().to_owned())
        .collect()
}

fn set(samples: &[&Sample<'_>]) -> BTreeSet<String> {
    samples
        .iter()
        .map(|sample| sample.document_id().as_str().to_owned())
        .collect()
}

async fn listed<B: RetrievalBackend>(backend: &B, remote: &Remote) -> Vec<StoredDocument> {
    let (mut all, mut cursor) = (Vec::new(), None);
    for _ in 0..1000 {
        let (page, next) = backend.list(remote, cursor.as_deref()).await.expect("list");
        all.extend(page);
        match next {
            Some(_) => cursor = next,
            None => return all,
        }
    }
    panic!("the list has no end");
}

/// Passages that hold a word; for stores that answer with whatever is nearest.
fn with_word<'a>(passages: &'a [Passage], word: &str) -> Vec<&'a Passage> {
    passages
        .iter()
        .filter(|passage| passage.text.contains(word))
        .collect()
}

/// The same object, remembered or not; one object in the store.
pub async fn ensure_finds_its_own_object_again<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("finder"));
    let first = made(backend, &spec).await;
    assert_eq!(first.name, "confluence-finder");
    let remembered = backend
        .ensure(&spec, Some(&first))
        .await
        .expect("ensure, remembered");
    let forgotten = backend
        .ensure(&spec, None)
        .await
        .expect("ensure, forgotten");
    assert_eq!((&remembered.id, &forgotten.id), (&first.id, &first.id));
    assert_eq!(subject.objects_named("confluence-finder").await, 1);
}

/// What is remembered and not there any more is made again.
pub async fn ensure_makes_a_lost_object_anew<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("lost"));
    let first = made(backend, &spec).await;
    backend.remove(&spec, &first).await.expect("remove");
    let second = backend.ensure(&spec, Some(&first)).await.expect("ensure");
    let sample = Sample::new("1", "Lantern", "The lantern hangs above the door.");
    store(backend, &second, &[sample.document(spec.index)]).await;
    assert_eq!(found(backend, &second, "lantern").await, set(&[&sample]));
}

/// An index whose agent was renamed keeps its object and its documents; the old name is free for another.
pub async fn ensure_follows_a_new_agent_id<S: Subject>(subject: &S) {
    let backend = subject.backend();
    let old = spec("before");
    let first = made(backend, &old).await;
    let sample = Sample::new("1", "Lantern", "The lantern hangs above the door.");
    store(backend, &first, &[sample.document(old.index)]).await;
    let new = StoreSpec {
        agent: "afterwards".parse().expect("an agent id"),
        ..old.clone()
    };
    let renamed = backend.ensure(&new, Some(&first)).await.expect("ensure");
    assert_eq!(renamed.name, "confluence-afterwards");
    assert_eq!(found(backend, &renamed, "lantern").await, set(&[&sample]));
    made(backend, &spec("before")).await;
    assert_eq!(subject.objects_named("confluence-afterwards").await, 1);
}

/// An object that somebody else made stays as it is.
pub async fn a_foreign_object_is_neither_adopted_nor_removed<S: Subject>(subject: &S) {
    let backend = subject.backend();
    subject.plant_foreign("confluence-taken").await;
    let taken = spec("taken");
    let refused = backend.ensure(&taken, None).await;
    assert_eq!(
        refused,
        Err(BackendError::NotOurs {
            name: "confluence-taken".to_owned()
        })
    );
    assert_eq!(subject.objects_named("confluence-taken").await, 1);

    let ours = spec("ours");
    let remote = made(backend, &ours).await;
    let stranger = StoreSpec {
        index: IndexId::generate(),
        ..ours.clone()
    };
    assert!(matches!(
        backend.remove(&stranger, &remote).await,
        Err(BackendError::NotOurs { .. })
    ));
    assert!(matches!(
        backend.ensure(&stranger, None).await,
        Err(BackendError::NotOurs { .. })
    ));
    assert_eq!(subject.objects_named("confluence-ours").await, 1);
}

/// Removing what is gone already is a success.
pub async fn removing_twice_is_a_success<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("twice"));
    let remote = made(backend, &spec).await;
    backend.remove(&spec, &remote).await.expect("first");
    backend.remove(&spec, &remote).await.expect("second");
    assert_eq!(subject.objects_named("confluence-twice").await, 0);
}

/// Using a removed object says so, so that the caller can make it anew.
pub async fn a_removed_object_is_told_as_gone<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("gone"));
    let remote = made(backend, &spec).await;
    backend.remove(&spec, &remote).await.expect("remove");
    let document = Sample::new("1", "Lantern", "Text.").document(spec.index);
    let gone = BackendError::ObjectGone {
        id: remote.id.clone(),
    };
    assert_eq!(
        backend.upsert(&remote, &[document]).await,
        Err(gone.clone())
    );
    assert_eq!(
        backend.search(&remote, &question("lantern")).await,
        Err(gone.clone())
    );
    assert_eq!(backend.list(&remote, None).await, Err(gone));
}

/// A stored document is found by its words, and its passages lead back to it.
pub async fn what_is_stored_is_found<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("reader"));
    let remote = made(backend, &spec).await;
    let roll_back = Sample::new(
        "11",
        "Rolling back",
        "## Steps\n\nStop the conveyor and restore the former artefact.\n",
    );
    let holidays = Sample::new("12", "Holidays", "Ask the bursar two weeks before.\n");
    store(
        backend,
        &remote,
        &[
            roll_back.document(spec.index),
            holidays.document(spec.index),
        ],
    )
    .await;
    let passages = search(backend, &remote, &question("conveyor artefact")).await;
    assert_eq!(
        passages.first().map(|passage| passage.document.clone()),
        Some(roll_back.document_id())
    );
    assert!(
        passages[0].text.contains("restore the former artefact"),
        "{}",
        passages[0].text
    );
    if backend.capabilities().knows_sections {
        assert_eq!(passages[0].heading_path, ["Steps"]);
        let anchor = passages[0].anchor.as_deref().unwrap_or_default();
        assert!(anchor.eq_ignore_ascii_case("steps"), "{anchor:?}");
    }
    let passages = search(backend, &remote, &question("bursar")).await;
    assert_eq!(
        passages.first().map(|passage| passage.document.clone()),
        Some(holidays.document_id())
    );
}

/// A new revision replaces every chunk of the old one.
pub async fn a_replaced_document_is_found_by_its_new_text_only<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("editor"));
    let remote = made(backend, &spec).await;
    let long = (0..60)
        .map(|n| format!("## Part {n}\n\nThe walrus sings verse {n}.\n\n"))
        .collect::<String>();
    let old = Sample::new("21", "Songs", &long);
    let new = Sample {
        markdown: "The heron is silent.",
        version: 2,
        ..old.clone()
    };
    store(backend, &remote, &[old.document(spec.index)]).await;
    assert!(
        !with_word(
            &search(backend, &remote, &question("walrus")).await,
            "walrus"
        )
        .is_empty()
    );
    store(backend, &remote, &[new.document(spec.index)]).await;
    let passages = search(backend, &remote, &question("walrus")).await;
    assert_eq!(with_word(&passages, "walrus"), Vec::<&Passage>::new());
    assert_eq!(
        with_word(&search(backend, &remote, &question("heron")).await, "heron").len(),
        1
    );
    let hash = new.document(spec.index).metadata.hash;
    let list = listed(backend, &remote).await;
    assert_eq!(
        list,
        [StoredDocument {
            id: new.document_id(),
            hash: Some(hash),
            index: Some(spec.index)
        }]
    );
}

/// Storing what is there already leaves one document and one passage.
pub async fn storing_the_same_again_changes_nothing<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("again"));
    let remote = made(backend, &spec).await;
    let document = Sample::new("31", "Kettle", "The kettle whistles.").document(spec.index);
    store(backend, &remote, std::slice::from_ref(&document)).await;
    store(backend, &remote, std::slice::from_ref(&document)).await;
    assert_eq!(
        with_word(
            &search(backend, &remote, &question("kettle")).await,
            "whistles"
        )
        .len(),
        1
    );
    assert_eq!(listed(backend, &remote).await.len(), 1);
}

/// Deleted documents are in no answer and in no list; the others stay.
pub async fn deleted_documents_are_gone<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("eraser"));
    let remote = made(backend, &spec).await;
    let stays = Sample::new("41", "Harbour", "The harbour is deep.");
    let goes = Sample::new("42", "Harbour master", "The harbour master is away.");
    store(
        backend,
        &remote,
        &[stays.document(spec.index), goes.document(spec.index)],
    )
    .await;
    assert_eq!(
        found(backend, &remote, "harbour").await,
        set(&[&stays, &goes])
    );
    let outcomes = backend
        .delete(&remote, &[goes.document_id()])
        .await
        .expect("delete");
    assert_eq!(outcomes, [ItemOutcome::Accepted]);
    backend.commit(&remote).await.expect("commit");
    let report = settle(backend, &remote, &[], &[goes.document_id()]).await;
    assert_eq!(
        (report.gone, report.working),
        (vec![goes.document_id()], vec![])
    );
    assert_eq!(found(backend, &remote, "harbour").await, set(&[&stays]));
    let list: Vec<DocumentId> = listed(backend, &remote)
        .await
        .into_iter()
        .map(|stored| stored.id)
        .collect();
    assert_eq!(list, [stays.document_id()]);
}

/// Deleting what was never there is accepted, and it is gone.
pub async fn unknown_ids_can_be_deleted<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("unknown"));
    let remote = made(backend, &spec).await;
    let sample = Sample::new("51", "Nobody", "Nothing.");
    let outcomes = backend
        .delete(&remote, &[sample.document_id()])
        .await
        .expect("delete");
    assert_eq!(outcomes, [ItemOutcome::Accepted]);
    let report = settle(backend, &remote, &[], &[sample.document_id()]).await;
    assert_eq!(report.gone, [sample.document_id()]);
}

/// The list names every document once, with its hash and index, over as many pages as it takes.
pub async fn the_list_names_every_document_once<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("lister"));
    let remote = made(backend, &spec).await;
    let numbers: Vec<String> = (0..230).map(|n| (7000 + n).to_string()).collect();
    let documents: Vec<Document> = numbers
        .iter()
        .map(|id| Sample::new(id, "Register", "One line.").document(spec.index))
        .collect();
    for batch in documents.chunks(backend.capabilities().max_batch_documents) {
        backend.upsert(&remote, batch).await.expect("upsert");
    }
    backend.commit(&remote).await.expect("commit");
    settle(backend, &remote, &ids(&documents), &[]).await;
    let mut list = listed(backend, &remote).await;
    list.sort_by(|a, b| a.id.cmp(&b.id));
    let mut expected: Vec<StoredDocument> = documents
        .iter()
        .map(|d| StoredDocument {
            id: d.id.clone(),
            hash: Some(d.metadata.hash.clone()),
            index: Some(spec.index),
        })
        .collect();
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(list, expected);
}

/// The same page in two indexes: each answers for itself, and removing one leaves the other.
pub async fn indexes_do_not_mix<S: Subject>(subject: &S) {
    let backend = subject.backend();
    let (one, two) = (spec("one"), spec("two"));
    let (first, second) = (made(backend, &one).await, made(backend, &two).await);
    let here = Sample::new("61", "Orchard", "The quinces are ripe.");
    let there = Sample {
        markdown: "The medlars are ripe.",
        ..here.clone()
    };
    store(backend, &first, &[here.document(one.index)]).await;
    store(backend, &second, &[there.document(two.index)]).await;
    assert_eq!(
        with_word(
            &search(backend, &first, &question("medlars ripe")).await,
            "medlars"
        )
        .len(),
        0
    );
    assert_eq!(
        with_word(
            &search(backend, &second, &question("medlars ripe")).await,
            "medlars"
        )
        .len(),
        1
    );
    backend.remove(&two, &second).await.expect("remove");
    assert_eq!(found(backend, &first, "quinces").await, set(&[&here]));
}

/// Three pages that differ in space, time and label.
async fn three<'a, S: Subject>(subject: &S, spec: &StoreSpec) -> (Remote, [Sample<'a>; 3]) {
    let remote = made(subject.backend(), spec).await;
    let samples = [
        Sample {
            space: "ENG",
            day: 10,
            labels: &["runbook"],
            ..Sample::new("71", "Pump", "The pump hums in the cellar.")
        },
        Sample {
            space: "~me",
            day: 20,
            labels: &["run", "book"],
            ..Sample::new("72", "Pump", "The pump hums in the attic.")
        },
        Sample {
            space: "ENGINE",
            day: 30,
            labels: &[],
            ..Sample::new("73", "Pump", "The pump hums in the yard.")
        },
    ];
    let documents: Vec<Document> = samples
        .iter()
        .map(|sample| sample.document(spec.index))
        .collect();
    store(subject.backend(), &remote, &documents).await;
    (remote, samples)
}

async fn filtered<B: RetrievalBackend>(
    backend: &B,
    remote: &Remote,
    filters: Filters,
) -> BTreeSet<String> {
    documents_of(
        &search(
            backend,
            remote,
            &RetrievalQuery {
                filters,
                ..question("pump hums")
            },
        )
        .await,
    )
}

/// A space filter lets that space through and no other, nor one whose key begins alike.
pub async fn answers_keep_to_the_space<S: Subject>(subject: &S) {
    let spec = spec("spaces");
    let (remote, [eng, personal, _]) = three(subject, &spec).await;
    let in_space = |key: &str| Filters {
        space: Some(SpaceKey::from(key)),
        ..Filters::default()
    };
    assert_eq!(
        filtered(subject.backend(), &remote, in_space("ENG")).await,
        set(&[&eng])
    );
    assert_eq!(
        filtered(subject.backend(), &remote, in_space("~me")).await,
        set(&[&personal])
    );
    assert_eq!(
        filtered(subject.backend(), &remote, in_space("NONE")).await,
        set(&[])
    );
}

/// Only pages modified after the moment, by number and not by letters; together with a space, both hold.
pub async fn answers_keep_to_the_time<S: Subject>(subject: &S) {
    let spec = spec("times");
    let (remote, [_, personal, engine]) = three(subject, &spec).await;
    let backend = subject.backend();
    let after = |number| Filters {
        updated_after: Some(day(number)),
        ..Filters::default()
    };
    assert_eq!(
        filtered(backend, &remote, after(10)).await,
        set(&[&personal, &engine])
    );
    assert_eq!(filtered(backend, &remote, after(5000)).await, set(&[]));
    let both = Filters {
        space: Some(SpaceKey::from("ENGINE")),
        ..after(10)
    };
    assert_eq!(filtered(backend, &remote, both).await, set(&[&engine]));
}

/// A label filter takes whole labels; a store that cannot filter by label ignores it and answers all the same.
pub async fn answers_keep_to_the_label_where_the_store_filters<S: Subject>(subject: &S) {
    let spec = spec("labels");
    let (remote, [eng, personal, engine]) = three(subject, &spec).await;
    let backend = subject.backend();
    let labelled = |label: &str| Filters {
        label: Some(label.to_owned()),
        ..Filters::default()
    };
    if backend.capabilities().filters_labels {
        assert_eq!(
            filtered(backend, &remote, labelled("runbook")).await,
            set(&[&eng])
        );
        assert_eq!(
            filtered(backend, &remote, labelled("run")).await,
            set(&[&personal])
        );
        assert_eq!(filtered(backend, &remote, labelled("runb")).await, set(&[]));
    } else {
        assert_eq!(
            filtered(backend, &remote, labelled("runbook")).await,
            set(&[&eng, &personal, &engine])
        );
    }
}

/// Only the pages that are named.
pub async fn answers_keep_to_what_is_under_a_page<S: Subject>(subject: &S) {
    let spec = spec("under");
    let (remote, [eng, personal, _]) = three(subject, &spec).await;
    let under = |pages: &[&Sample<'_>]| Filters {
        under: Some(Under {
            page: "any".to_owned(),
            pages: Arc::new(pages.iter().map(|sample| PageId::from(sample.id)).collect()),
        }),
        ..Filters::default()
    };
    let backend = subject.backend();
    for pages in [&[&eng, &personal][..], &[&eng], &[]] {
        assert_eq!(filtered(backend, &remote, under(pages)).await, set(pages));
    }
}

/// Falling scores, no more than asked for, and the same order when asked again.
pub async fn answers_are_the_best_first_and_no_more_than_asked_for<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("order"));
    let remote = made(backend, &spec).await;
    let numbers: Vec<String> = (0..12).map(|n| (8100 + n).to_string()).collect();
    let mut documents: Vec<Document> = numbers
        .iter()
        .map(|id| Sample::new(id, "Weather", "It may rain on some days.").document(spec.index))
        .collect();
    let best = Sample::new(
        "8200",
        "Monsoon rain",
        "Monsoon rain: when the monsoon comes, rain falls. Monsoon!",
    );
    documents.push(best.document(spec.index));
    store(backend, &remote, &documents).await;
    let query = RetrievalQuery {
        top_k: 5,
        ..question("monsoon rain")
    };
    let passages = search(backend, &remote, &query).await;
    assert_eq!(passages.len(), 5);
    assert_eq!(passages[0].document, best.document_id());
    assert!(
        passages
            .windows(2)
            .all(|pair| pair[0].score >= pair[1].score),
        "{passages:?}"
    );
    assert_eq!(search(backend, &remote, &query).await, passages);
}

/// Other scripts, diacritics and emoji come back whole; a question is words, whatever its punctuation.
pub async fn any_script_and_any_punctuation_can_be_searched<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("scripts"));
    let remote = made(backend, &spec).await;
    let german = Sample::new(
        "91",
        "Größenänderung 🚀",
        "Die Prüfung der Größe läuft über Nacht. „Zitat“ & <b>kein HTML</b> \u{1F9EA}",
    );
    let greek = Sample::new("92", "Οδηγός", "Η εγκατάσταση διαρκεί δύο λεπτά.");
    store(
        backend,
        &remote,
        &[german.document(spec.index), greek.document(spec.index)],
    )
    .await;
    let passages = search(backend, &remote, &question("Prüfung")).await;
    assert_eq!(
        passages.first().map(|p| p.document.clone()),
        Some(german.document_id())
    );
    assert!(
        passages[0]
            .text
            .contains("„Zitat“ & <b>kein HTML</b> \u{1F9EA}"),
        "{}",
        passages[0].text
    );
    let passages = search(backend, &remote, &question("εγκατάσταση")).await;
    assert_eq!(
        passages.first().map(|p| p.document.clone()),
        Some(greek.document_id())
    );
    for hostile in [
        "\"Prüfung",
        "Prüfung AND (",
        "NEAR(Prüfung",
        "title:Prüfung*",
        "Prüfung' OR 1=1 --",
        "^Prüfung + -",
        "{Prüfung}",
    ] {
        let passages = search(backend, &remote, &question(hostile)).await;
        assert!(
            passages.iter().any(|p| p.document == german.document_id()),
            "{hostile}: {passages:?}"
        );
    }
    search(backend, &remote, &question("?!… — \"'")).await;
}

/// A page with nothing on it still has a title.
pub async fn a_page_without_text_is_found_by_its_title<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("empty"));
    let remote = made(backend, &spec).await;
    let empty = Sample::new("95", "Gazebo inventory", "");
    store(backend, &remote, &[empty.document(spec.index)]).await;
    assert_eq!(found(backend, &remote, "gazebo").await, set(&[&empty]));
}

/// A batch as large as the store says it takes.
pub async fn the_largest_batch_is_taken<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("bulk"));
    let remote = made(backend, &spec).await;
    let capabilities = backend.capabilities();
    let each = capabilities.max_batch_bytes / capabilities.max_batch_documents - 200;
    let text = "A sentence about bulk goods. ".repeat(each / 29);
    let numbers: Vec<String> = (0..capabilities.max_batch_documents)
        .map(|n| (100_000 + n).to_string())
        .collect();
    let documents: Vec<Document> = numbers
        .iter()
        .map(|id| Sample::new(id, "Bulk", &text).document(spec.index))
        .collect();
    store(backend, &remote, &documents).await;
    let all = ids(&documents);
    for some in all.chunks(capabilities.max_batch_deletes) {
        backend.delete(&remote, some).await.expect("delete");
    }
    backend.commit(&remote).await.expect("commit");
    let report = settle(backend, &remote, &[], &all).await;
    assert_eq!((report.gone.len(), report.working), (all.len(), vec![]));
}

/// Progress claims nothing that the store does not have.
pub async fn nothing_is_searchable_that_was_never_stored<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("doubter"));
    let remote = made(backend, &spec).await;
    let stored = Sample::new("97", "Real", "It is there.");
    store(backend, &remote, &[stored.document(spec.index)]).await;
    let never = Sample::new("98", "Unreal", "It is not there.").document_id();
    let report = backend
        .progress(&remote, &[stored.document_id(), never.clone()], &[])
        .await
        .expect("progress");
    assert_eq!(report.searchable, [stored.document_id()]);
    assert!(
        report.failed.iter().any(|(id, _)| *id == never) || report.working.contains(&never),
        "{report:?}"
    );
}

/// A document on which the store fails is told as failed, with a reason; the others become searchable.
pub async fn a_failure_is_told_with_its_document<S: Subject>(subject: &S) {
    let (backend, spec) = (subject.backend(), spec("failure"));
    let remote = made(backend, &spec).await;
    let good = Sample::new("101", "Good", "A good page.");
    let bad = Sample::new("102", "Bad", "A bad page.");
    if !subject.fail_on(&bad.document_id()).await {
        return;
    }
    backend
        .upsert(
            &remote,
            &[good.document(spec.index), bad.document(spec.index)],
        )
        .await
        .expect("upsert");
    backend.commit(&remote).await.expect("commit");
    let report = settle(
        backend,
        &remote,
        &[good.document_id(), bad.document_id()],
        &[],
    )
    .await;
    assert_eq!(report.searchable, [good.document_id()]);
    assert_eq!(
        report
            .failed
            .iter()
            .map(|(id, _)| id.clone())
            .collect::<Vec<_>>(),
        [bad.document_id()]
    );
    assert!(!report.failed[0].1.is_empty());
}

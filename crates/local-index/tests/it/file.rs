//! The file: reopening, languages, refusals.

use backend_conformance::samples::{Sample, question};
use domain::IndexId;
use domain::index::Remote;
use domain::ports::retrieval::{ItemOutcome, RetrievalBackend, StoreSpec};
use local_index::{LocalIndex, LocalIndexError, LocalIndexOptions, Place};

use crate::hits;

fn spec() -> StoreSpec {
    StoreSpec {
        index: IndexId::generate(),
        agent: "file".parse().unwrap(),
    }
}

fn language(language: &str) -> LocalIndexOptions {
    LocalIndexOptions {
        language: language.to_owned(),
        ..LocalIndexOptions::default()
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let (path, spec) = (folder.path().join("index.db"), spec());
    let sample = Sample::new("1", "Lantern", "The lantern hangs above the door.");
    let remote = {
        let index = LocalIndex::open(&path, language("english")).unwrap();
        let remote = index.ensure(&spec, None).await.unwrap();
        index
            .upsert(&remote, &[sample.document(spec.index)])
            .await
            .unwrap();
        remote
    };
    let index = LocalIndex::open(&path, language("english")).unwrap();
    assert_eq!(index.ensure(&spec, None).await.unwrap(), remote);
    assert_eq!(hits(&index, &remote, "lantern").await, 1);
}

#[tokio::test]
async fn another_language_is_followed_by_what_is_made_anew_and_asked_for_by_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (path, spec) = (folder.path().join("index.db"), spec());
    let sample = Sample::new(
        "1",
        "Lanterns",
        "The lanterns were hanging above the doors. 部署回滚手册",
    );
    let mut remote = None;
    let mut by_setting = Vec::new();
    for name in ["english", "none", "auto", "english,german"] {
        let index = LocalIndex::open(&path, language(name)).unwrap();
        let asked = async |there: &Remote| {
            let mut found = Vec::new();
            for text in ["hang", "hanging", "回滚手", "手册"] {
                found.push(hits(&index, there, text).await);
            }
            found
        };
        match &remote {
            None => {
                let there = index.ensure(&spec, None).await.unwrap();
                let document = sample.document(spec.index);
                index.upsert(&there, &[document]).await.unwrap();
                assert_eq!(index.outgrown(&there), None);
                remote = Some(there);
            }
            Some(there) => {
                // A known object stays as it was made, and so does what is stored in it.
                assert_eq!(index.ensure(&spec, Some(there)).await.unwrap(), *there);
                let (before, found) = by_setting.last().unwrap();
                let outgrown = index.outgrown(there).unwrap();
                assert_eq!(
                    (outgrown.setting, &*outgrown.present, &*outgrown.wanted),
                    ("SEARCH_LANGUAGE", *before, name)
                );
                assert_eq!(asked(there).await, *found);
                let lamps = Sample::new("2", "Lamps", "Lamps are shining.");
                let document = lamps.document(spec.index);
                index.upsert(there, &[document]).await.unwrap();
                let by_stem = hits(&index, there, "shine").await;
                assert_eq!(by_stem, usize::from(*before != "none"), "{before}");
                let id = lamps.document(spec.index).id;
                index.delete(there, &[id]).await.unwrap();

                // One that is made anew follows.
                assert_eq!(index.ensure(&spec, None).await.unwrap(), *there);
                assert_eq!(index.outgrown(there), None);
            }
        }
        let found = asked(remote.as_ref().unwrap()).await;
        by_setting.push((name, found));
    }
    let expected = [
        ("english", [1, 1, 1, 1]),
        ("none", [0, 1, 1, 1]),
        ("auto", [1, 1, 1, 1]),
        ("english,german", [1, 1, 1, 1]),
    ];
    assert_eq!(
        by_setting,
        expected.map(|(name, found)| (name, found.to_vec()))
    );
}

#[tokio::test]
async fn in_memory_it_works_alike_and_leaves_nothing() {
    let index = LocalIndex::open(Place::Memory, LocalIndexOptions::default()).unwrap();
    let spec = spec();
    let remote = index.ensure(&spec, None).await.unwrap();
    let documents: Vec<_> = (0..20)
        .map(|n| n.to_string())
        .map(|id| {
            Sample::new(&id, "Lantern", "The lantern hangs above the door.").document(spec.index)
        })
        .collect();
    index.upsert(&remote, &documents).await.unwrap();
    let lantern = question("lantern");
    let searches = (0..16).map(|_| index.search(&remote, &lantern));
    for answer in futures_util::future::join_all(searches).await {
        assert_eq!(answer.unwrap().passages.len(), 10);
    }
}

#[tokio::test]
async fn a_document_of_another_index_is_refused_and_the_rest_taken() {
    let index = LocalIndex::open(Place::Memory, LocalIndexOptions::default()).unwrap();
    let spec = spec();
    let remote = index.ensure(&spec, None).await.unwrap();
    let strange = Sample::new("1", "Strange", "Text.").document(IndexId::generate());
    let ours = Sample::new("2", "Ours", "Text.").document(spec.index);
    let outcomes = index.upsert(&remote, &[strange, ours]).await.unwrap();
    assert!(
        matches!(&outcomes[..], [ItemOutcome::Refused(reason), ItemOutcome::Accepted] if reason.contains("confluence-file"))
    );
}

#[test]
fn a_file_that_is_no_index_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(
        &path,
        "just some notes, long enough to be read as a header of a database file, one would think",
    )
    .unwrap();
    let error = LocalIndex::open(&path, LocalIndexOptions::default())
        .err()
        .unwrap();
    assert!(
        matches!(&error, LocalIndexError::Open { .. }) && error.to_string().contains("notes.txt"),
        "{error}"
    );
    let folder_itself = LocalIndex::open(folder.path(), LocalIndexOptions::default())
        .err()
        .unwrap();
    assert!(
        matches!(folder_itself, LocalIndexError::Open { .. }),
        "{folder_itself}"
    );
}

#[test]
fn a_file_of_a_newer_release_is_left_alone() {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    drop(LocalIndex::open(&path, LocalIndexOptions::default()).unwrap());
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    connection
        .batch_execute("PRAGMA user_version = 99")
        .unwrap();
    let error = LocalIndex::open(&path, LocalIndexOptions::default())
        .err()
        .unwrap();
    assert!(
        matches!(error, LocalIndexError::Newer { found: 99, .. }),
        "{error}"
    );
}

/// Searches go on beside a long series of writes, and never see half a batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_see_whole_batches_only() {
    let folder = tempfile::tempdir().unwrap();
    let index =
        LocalIndex::open(folder.path().join("index.db"), LocalIndexOptions::default()).unwrap();
    let spec = spec();
    let remote = index.ensure(&spec, None).await.unwrap();
    let batch = |word: &'static str, version| {
        let ids = ["1", "2", "3", "4", "5"];
        ids.map(|id| {
            Sample {
                version,
                ..Sample::new(id, "Lantern", word)
            }
            .document(spec.index)
        })
    };
    index
        .upsert(&remote, &batch("red lantern", 1))
        .await
        .unwrap();
    let writes = async {
        for version in 2..40 {
            let word = if version % 2 == 0 {
                "green lantern"
            } else {
                "red lantern"
            };
            index.upsert(&remote, &batch(word, version)).await.unwrap();
        }
    };
    let reads = async {
        for _ in 0..200 {
            let found = index.search(&remote, &question("lantern")).await.unwrap();
            let passages = found.passages;
            let red = passages
                .iter()
                .filter(|passage| passage.text.contains("red"))
                .count();
            assert!(
                passages.len() == 5 && (red == 0 || red == 5),
                "{passages:?}"
            );
        }
    };
    tokio::join!(writes, reads);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_file_or_its_logs() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let index = LocalIndex::open(&path, LocalIndexOptions::default()).unwrap();
    index.ensure(&spec(), None).await.unwrap();
    let modes = || {
        ["index.db", "index.db-shm", "index.db-wal"].map(|name| {
            let found = std::fs::metadata(folder.path().join(name)).unwrap();
            found.permissions().mode() & 0o777
        })
    };
    assert_eq!(modes(), [0o600; 3]);
    // As an earlier version left them.
    for file in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::set_permissions(file.unwrap().path(), PermissionsExt::from_mode(0o644)).unwrap();
    }
    LocalIndex::open(&path, LocalIndexOptions::default()).unwrap();
    assert_eq!(modes(), [0o600; 3]);
    drop(index);
}

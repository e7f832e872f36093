//! A file of format 1 is read anew by itself.

use backend_conformance::samples::Sample;
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use domain::IndexId;
use domain::index::Remote;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use local_index::{LocalIndex, LocalIndexOptions};

use crate::hits;

/// What this format has more than format 1, taken away; and what that one had, put in its place.
const BACK_TO_1: &str = "
DROP TABLE segments;
DROP TABLE vectors;
DROP TABLE filled;
DROP TABLE embedded;
DROP TABLE models;
DROP TABLE next_chunk;
DROP TABLE postings;
ALTER TABLE documents DROP COLUMN first_chunk;
ALTER TABLE documents DROP COLUMN chunks;
UPDATE collections SET tokenizer = 'porter unicode61 remove_diacritics 2';
PRAGMA user_version = 1;
";

/// The same for format 2.
const BACK_TO_2: &str = "
DROP TABLE vectors;
DROP TABLE filled;
DROP TABLE embedded;
DROP TABLE models;
DROP TABLE next_chunk;
PRAGMA user_version = 2;
";

#[tokio::test]
async fn a_file_of_the_second_format_keeps_its_lists_and_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "old".parse().unwrap(),
    };
    let open = || LocalIndex::open(&path, LocalIndexOptions::default()).unwrap();
    let put = async |index: &LocalIndex, remote: &Remote, id: &str, title: &str| {
        let document = Sample::new(id, title, &format!("About a {title}.")).document(spec.index);
        index.upsert(remote, &[document]).await.unwrap();
    };
    let remote = {
        let index = open();
        let remote = index.ensure(&spec, None).await.unwrap();
        put(&index, &remote, "1", "Lantern").await;
        remote
    };
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    connection.batch_execute(BACK_TO_2).unwrap();
    drop(connection);
    let index = open();
    put(&index, &remote, "2", "Walrus").await;
    assert_eq!(hits(&index, &remote, "lantern").await, 1);
    assert_eq!(hits(&index, &remote, "walruses").await, 1);
}

#[tokio::test]
async fn a_file_of_the_first_format_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let spec = StoreSpec {
        index: IndexId::generate(),
        agent: "old".parse().unwrap(),
    };
    let open = || LocalIndex::open(&path, LocalIndexOptions::default()).unwrap();
    let remote = {
        let index = open();
        let remote = index.ensure(&spec, None).await.unwrap();
        let pages = [("1", "Lantern"), ("2", "Walrus")];
        let documents = pages.map(|(id, title)| {
            Sample::new(
                id,
                title,
                &format!("## One\n\nAbout a {title}.\n\n## Two\n\nMore of it."),
            )
            .document(spec.index)
        });
        index.upsert(&remote, &documents).await.unwrap();
        remote
    };
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    connection.batch_execute(BACK_TO_1).unwrap();
    let collection = &remote.id;
    connection
        .batch_execute(&format!("CREATE VIRTUAL TABLE chunks_fts_{collection} USING fts5(title, headings, breadcrumb, text, content = '', contentless_delete = 1)"))
        .unwrap();
    drop(connection);

    let index = open();
    assert_eq!(index.ensure(&spec, None).await.unwrap(), remote);
    assert_eq!(hits(&index, &remote, "walruses").await, 2);
    let page = Sample {
        version: 2,
        ..Sample::new("2", "Narwhal", "About a narwhal.")
    };
    index
        .upsert(&remote, &[page.document(spec.index)])
        .await
        .unwrap();
    assert_eq!(hits(&index, &remote, "walruses").await, 0);
    assert_eq!(hits(&index, &remote, "narwhals").await, 1);
    assert_eq!(hits(&index, &remote, "lantern").await, 2);
}

//! The promises of every retrieval backend, kept by the embedded index in a file.

use backend_conformance::Subject;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::{DocumentId, IndexId};
use local_index::{LocalIndex, LocalIndexOptions};
use tempfile::TempDir;

struct Embedded {
    index: LocalIndex,
    _folder: TempDir,
}

async fn embedded() -> Embedded {
    let folder = tempfile::tempdir().unwrap();
    let index = LocalIndex::open(
        folder.path().join("new/index.db"),
        LocalIndexOptions::default(),
    )
    .unwrap();
    Embedded {
        index,
        _folder: folder,
    }
}

impl Subject for Embedded {
    type Backend = LocalIndex;

    fn backend(&self) -> &LocalIndex {
        &self.index
    }

    /// Here everything bears the mark of some index; somebody else is another index.
    async fn plant_foreign(&self, name: &str) {
        let agent = name.strip_prefix("confluence-").unwrap().parse().unwrap();
        self.index
            .ensure(
                &StoreSpec {
                    index: IndexId::generate(),
                    agent,
                },
                None,
            )
            .await
            .unwrap();
    }

    async fn fail_on(&self, _: &DocumentId) -> bool {
        false
    }

    async fn objects_named(&self, name: &str) -> usize {
        let agent = name.strip_prefix("confluence-").unwrap().parse().unwrap();
        let stranger = StoreSpec {
            index: IndexId::generate(),
            agent,
        };
        // Names are unique in the file: taken or not.
        match self.index.ensure(&stranger, None).await {
            Ok(made) => {
                self.index.remove(&stranger, &made).await.unwrap();
                0
            }
            Err(_) => 1,
        }
    }
}

backend_conformance::suite!(embedded);

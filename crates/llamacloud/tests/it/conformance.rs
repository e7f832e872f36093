//! The promises of every retrieval backend, kept by both generations: on a service that does everything at once, and on
//! one that takes its time, waits for the sync, and drifts.

use std::time::Duration;

use llamacloud::IndexApi;
use simulators::llamacloud::{DuplicateId, IndexIds, NodeMetadata, Switches};

use crate::subject::{Account, MS, account};

fn slow() -> Switches {
    Switches {
        needs_sync: true,
        not_started_for: 15 * MS,
        ingestion_takes: 40 * MS,
        deletion_takes: 60 * MS,
        node_metadata: NodeMetadata::Metadata,
        unknown_fields: true,
        unknown_enums: true,
        latency: Duration::from_millis(1),
        ..Switches::default()
    }
}

mod pipelines {
    use super::*;

    async fn quick() -> Account {
        account(IndexApi::V1, Switches::default()).await
    }

    backend_conformance::suite!(quick);
}

mod slow_pipelines {
    use super::*;

    async fn drifting() -> Account {
        account(IndexApi::V1, slow()).await
    }

    backend_conformance::suite!(drifting);
}

mod directories {
    use super::*;

    async fn quick() -> Account {
        account(IndexApi::V2, Switches::default()).await
    }

    backend_conformance::suite!(quick);
}

mod slow_directories {
    use super::*;

    async fn drifting() -> Account {
        let switches = Switches {
            index_sync_takes: 60 * MS,
            stale_ready_for: 20 * MS,
            sync_running_status: 429,
            index_ids: IndexIds::ByOperation,
            duplicate_unique_id: DuplicateId::SecondEntry,
            parser_page_bytes: Some(64 << 10),
            ..slow()
        };
        account(IndexApi::V2, switches).await
    }

    backend_conformance::suite!(drifting);
}

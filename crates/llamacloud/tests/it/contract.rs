//! Every request of ours is one that the official OpenAPI document allows: path, method, query and body.
//!
//! Needs `CONFLUENCE_SPECS_DIR`, the folder with `llamacloud.openapi.json`; without it the test says that it was skipped.

use backend_conformance::samples::{Sample, day, question};
use backend_conformance::settle;
use domain::SpaceKey;
use domain::ports::retrieval::{RetrievalBackend, StoreSpec};
use domain::query::{Filters, RetrievalQuery};
use llamacloud::{IndexApi, LlamaCloud, LlamaCloudConfig};
use simulators::llamacloud::Switches;
use simulators::spec_check::Specs;

use crate::subject::{account, config, ids, pages};

#[tokio::test]
async fn every_request_is_in_the_official_document() {
    let Some(official) = Specs::from_env("LlamaCloud requests against the official document")
    else {
        return;
    };
    let official = official.unwrap();
    for api in [IndexApi::V1, IndexApi::V2] {
        let account = account(
            api,
            Switches {
                unknown_fields: true,
                ..Switches::default()
            },
        )
        .await;
        let with_project = LlamaCloudConfig {
            project_id: Some(account.sim.project_id()),
            openai_api_key: Some("sk-test".to_owned().into()),
            ..config(&account.sim, api)
        };
        let backend = LlamaCloud::new(with_project).unwrap();
        let spec = StoreSpec {
            index: domain::IndexId::generate(),
            agent: "contract".parse().unwrap(),
        };
        let remote = backend.ensure(&spec, None).await.unwrap();
        let renamed = StoreSpec {
            agent: "renamed".parse().unwrap(),
            ..spec.clone()
        };
        let remote = backend.ensure(&renamed, Some(&remote)).await.unwrap();
        let mut documents = pages(&spec, 4);
        documents.push(
            Sample {
                labels: &["a", "b"],
                ..Sample::new("77", "Täglich", "Text.")
            }
            .document(spec.index),
        );
        account.sim.switches(|switches| {
            switches
                .failing_documents
                .insert(documents[1].id.to_string());
        });
        backend.upsert(&remote, &documents).await.unwrap();
        backend.upsert(&remote, &documents[..1]).await.unwrap();
        backend.commit(&remote).await.unwrap();
        settle(&backend, &remote, &ids(&documents), &[]).await;
        let filters = Filters {
            space: Some(SpaceKey::from("ENG")),
            label: Some("a".into()),
            updated_after: Some(day(3)),
            under: None,
            readable: None,
        };
        backend
            .search(
                &remote,
                &RetrievalQuery {
                    filters,
                    ..question("lantern")
                },
            )
            .await
            .unwrap();
        backend
            .search(
                &remote,
                &RetrievalQuery {
                    top_k: 50,
                    ..question("lantern")
                },
            )
            .await
            .unwrap();
        backend.list(&remote, None).await.unwrap();
        backend
            .delete(&remote, &ids(&documents)[..2])
            .await
            .unwrap();
        backend.commit(&remote).await.unwrap();
        settle(&backend, &remote, &[], &ids(&documents)[..2]).await;
        backend.remove(&renamed, &remote).await.unwrap();

        let requests = account.sim.requests();
        assert!(requests.len() > 12, "{:?}", account.sim.counts());
        let wrong: Vec<String> = official
            .check_requests(&requests)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(wrong, Vec::<String>::new());
    }
}

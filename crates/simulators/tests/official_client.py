"""Runs LlamaIndex's own Python client against the LlamaCloud simulator: if it works there, the simulator is right.

Not part of `cargo test` (it needs PyPI). Both generations of the client are of use:

    cargo run -p simulators --example serve -- --llamacloud-port 18080
    pip install 'llama-cloud==2.19.0'    # current: pipelines, directories, indexes, retrieval
    pip install 'llama-cloud<0.2'        # old: pipelines only
    python crates/simulators/tests/official_client.py http://127.0.0.1:18080
"""

import sys

KEY = "llx-sim-key"
TEXT = "How to drain a Kafka broker"


def current(base_url):
    from llama_cloud import LlamaCloud, NotFoundError

    client = LlamaCloud(api_key=KEY, base_url=base_url)
    assert [p.name for p in client.projects.list()] == ["Default"]
    pipeline = client.pipelines.upsert(name="official-client")
    documents = [
        {"id": "page-1", "text": TEXT, "metadata": {"cf_space": "OPS", "cf_version": 3}},
        {"id": "page-2", "text": "Holiday policy", "metadata": {"cf_space": "HR", "cf_version": 1}},
    ]
    client.pipelines.documents.upsert(pipeline.id, body=documents)
    client.pipelines.sync.create(pipeline.id)
    assert client.pipelines.documents.get_status("page-1", pipeline_id=pipeline.id).status == "SUCCESS"
    assert client.pipelines.get_status(pipeline.id).status == "SUCCESS"
    assert [d.id for d in client.pipelines.documents.list(pipeline.id)] == ["page-1", "page-2"]
    assert client.pipelines.documents.get_chunks("page-1", pipeline_id=pipeline.id)[0].text == TEXT
    only_ops = {"filters": [{"key": "cf_space", "value": "OPS", "operator": "=="}]}
    found = client.pipelines.retrieve(pipeline.id, query="kafka policy", search_filters=only_ops)
    assert [n.node.text for n in found.retrieval_nodes] == [TEXT]
    assert found.retrieval_nodes[0].node.extra_info["cf_space"] == "OPS"
    client.pipelines.documents.delete("page-1", pipeline_id=pipeline.id)
    try:
        client.pipelines.documents.get("page-1", pipeline_id=pipeline.id)
        raise AssertionError("a deleted document is still there")
    except NotFoundError:
        pass
    client.pipelines.delete(pipeline.id)

    directory = client.beta.directories.create(name="official-client")
    file = client.beta.directories.files.upload(
        directory.id, upload_file=("a.md", TEXT.encode()), unique_id="page-1@v1", metadata='{"cf_page_id": "1"}'
    )
    index = client.indexes.create(source_directory_id=directory.id, name="official-client")
    index = client.indexes.get(index.id, expand=["sync_in_progress"])
    assert index.metadata["status"] == "ready" and index.sync_in_progress is False
    only_one = {"cf_page_id": {"operator": "eq", "value": "1"}}
    found = client.retrieval.retrieve(index_id=index.export_config_id, query="kafka", custom_filters=only_one)
    assert [r.content for r in found.results] == [TEXT]
    assert [f.file_name for f in client.retrieval.find(index_id=index.id)] == ["a.md"]
    assert [f.unique_id for f in client.beta.directories.files.list(directory.id)] == ["page-1@v1"]
    client.indexes.sync(index.id)
    client.indexes.delete(index.id)
    client.beta.directories.files.delete(file.id, directory_id=directory.id)
    client.beta.directories.delete(directory.id)


def old(base_url):
    from llama_cloud.client import LlamaCloud
    from llama_cloud.types import CloudDocumentCreate, MetadataFilter, MetadataFilters, PipelineCreate

    client = LlamaCloud(token=KEY, base_url=base_url)
    pipeline = client.pipelines.upsert_pipeline(request=PipelineCreate(name="old-official-client"))
    document = CloudDocumentCreate(
        id="page-1", text=TEXT, metadata={"cf_space": "OPS"}, excluded_embed_metadata_keys=[], excluded_llm_metadata_keys=[]
    )
    client.pipelines.upsert_batch_pipeline_documents(pipeline.id, request=[document])
    client.pipelines.sync_pipeline(pipeline.id)
    assert client.pipelines.get_pipeline_document_status("page-1", pipeline.id).status == "SUCCESS"
    assert client.pipelines.get_pipeline_status(pipeline.id).status == "SUCCESS"
    assert client.pipelines.paginated_list_pipeline_documents(pipeline.id).total_count == 1
    only_ops = MetadataFilters(filters=[MetadataFilter(key="cf_space", value="OPS", operator="==")])
    found = client.pipelines.run_search(pipeline.id, query="kafka", search_filters=only_ops)
    assert [n.node.text for n in found.retrieval_nodes] == [TEXT]
    client.pipelines.delete_pipeline_document("page-1", pipeline.id)
    assert [p.name for p in client.pipelines.search_pipelines(pipeline_name="old-official-client")] == ["old-official-client"]
    client.pipelines.delete_pipeline(pipeline.id)


if __name__ == "__main__":
    from importlib.metadata import version

    installed = version("llama-cloud")
    (old if installed.startswith("0.") else current)(sys.argv[1])
    print(f"llama-cloud {installed}: every call went through")

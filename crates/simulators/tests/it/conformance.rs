//! Every endpoint's answer against the official documents, and the request checker against good and bad requests.

use std::collections::BTreeSet;

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use simulators::LoggedRequest;
use simulators::confluence::{
    Account, ConfluenceSim, EVERYONE_GROUP, Kind, Principal, RoleMode, Site,
};
use simulators::llamacloud::LlamaCloudSim;
use simulators::spec_check::{Specs, Violation};

use crate::support::{self, client, confluence, get, llama};

fn specs(what: &str) -> Option<Specs> {
    Specs::from_env(what).map(|specs| specs.unwrap_or_else(|error| panic!("{error}")))
}

/// Endpoints that are answered but stand in no document.
const UNDOCUMENTED: &[&str] = &[
    "/wiki/rest/api/content/{id}/restriction/byOperation/{operationKey}/user",
    "/api/v1/pipelines/{pipeline_id}/force-delete",
    "/api/v1/pipelines/{pipeline_id}/sync/cancel",
];

fn covers(log: &[LoggedRequest], endpoints: Vec<(&'static str, &'static str)>) {
    let seen: BTreeSet<(String, String)> = log
        .iter()
        .map(|r| (r.method.clone(), r.template.clone()))
        .collect();
    let missed: Vec<_> = endpoints
        .into_iter()
        .filter(|(m, t)| {
            !UNDOCUMENTED.contains(t) && !seen.contains(&((*m).to_owned(), (*t).to_owned()))
        })
        .collect();
    assert!(
        missed.is_empty(),
        "endpoints without a conformance check: {missed:#?}"
    );
}

fn rich_site() -> (Site, Vec<String>) {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    site.add_space("~712020abc", "Ada");
    site.describe_space("ENG", "How we build");
    let (space, home) = (site.space_id("ENG"), site.homepage("ENG"));
    let page = site.create_page(
        "ENG",
        Some(home),
        "Deploy & roll back",
        "<p>See <ac:link><ri:page ri:content-title=\"Engineering Home\" /></ac:link></p>",
    );
    let folder = site.create_folder("ENG", Some(home), "Archive");
    let deep = site.create_page("ENG", Some(folder), "Old notes", "<p>old</p>");
    let board = site.create_container(Kind::Whiteboard, "ENG", Some(home), "Sketch");
    let database = site.create_container(Kind::Database, "ENG", Some(home), "Assets");
    let embed = site.create_container(Kind::Embed, "ENG", Some(home), "Chart");
    site.create_live_doc("ENG", Some(home), "Live", "<p>now</p>");
    site.edit(page, "<p>twice</p>");
    site.label(page, "runbook");
    let group = site.add_group("eng", &["557058:51b7c0de-sync"]);
    site.restrict_to_group(page, &group);
    site.restrict_to_user(page, "557058:51b7c0de-sync");
    let post = site.create_blog_post("ENG", "News", "<p>news</p>");
    site.label(post, "news");
    let comment = site.comment(page, "<p>Good</p>");
    site.reply(comment, "<p>Indeed</p>");
    let inline = site.inline_comment(page, "twice", "<p>Really?</p>");
    site.reply(inline, "<p>Yes</p>");
    site.comment(post, "<p>Nice</p>");
    site.inline_comment(post, "news", "<p>which?</p>");
    let file = site.attach(page, "plan.pdf", "application/pdf", b"%PDF");
    site.label(file, "plan");
    site.attach(post, "photo.png", "image/png", b"png");
    let v2 = |rest: String| format!("/wiki/api/v2{rest}");
    let v1 = |rest: String| format!("/wiki/rest/api{rest}");
    let cql = "type%3Dpage";
    let expand = "version,space,ancestors,history,body.storage,metadata.labels,childTypes.page,restrictions.read.restrictions.user,restrictions.read.restrictions.group";
    let mut paths = vec![
        v2("/spaces?limit=1&sort=-name&description-format=plain".into()),
        v2(format!(
            "/spaces?keys=ENG,~712020abc&status=current&ids={space}&type=global"
        )),
        v2(format!("/spaces/{space}?include-labels=true")),
        v2(format!(
            "/spaces/{space}/pages?depth=root&status=current&sort=-modified-date&limit=250"
        )),
        v2(format!("/spaces/{space}/blogposts?body-format=storage")),
        v2(format!("/spaces/{space}/labels?limit=10")),
        v2(format!("/spaces/{space}/permissions")),
        v2(format!(
            "/pages?id={page}&id={deep}&space-id={space}&body-format=storage&status=current,archived&limit=250"
        )),
        v2("/pages?body-format=atlas_doc_format&limit=3&subtype=page".into()),
        v2(format!(
            "/pages/{page}?body-format=export_view&include-labels=true&include-versions=true&include-likes=true"
        )),
        v2(format!(
            "/pages/{page}?body-format=view&include-properties=true&include-operations=true&version=1"
        )),
        v2(format!(
            "/pages/{page}/versions?body-format=storage&sort=-modified-date"
        )),
        v2(format!("/pages/{page}/versions/1")),
        v2(format!("/pages/{page}/labels?prefix=global&sort=name")),
        v2(format!("/pages/{deep}/ancestors?limit=5")),
        v2(format!("/pages/{home}/direct-children?sort=id&limit=2")),
        v2(format!("/pages/{home}/children")),
        v2(format!("/pages/{home}/descendants?depth=5")),
        v2(format!(
            "/pages/{page}/footer-comments?body-format=storage&sort=-modified-date"
        )),
        v2(format!(
            "/pages/{page}/inline-comments?body-format=storage&resolution-status=open"
        )),
        v2(format!(
            "/pages/{page}/attachments?filename=plan.pdf&mediaType=application/pdf"
        )),
        v2("/blogposts?sort=-modified-date&body-format=storage".into()),
        v2(format!("/blogposts/{post}?body-format=storage")),
        v2(format!("/blogposts/{post}/versions")),
        v2(format!("/blogposts/{post}/labels")),
        v2(format!(
            "/blogposts/{post}/footer-comments?body-format=storage"
        )),
        v2(format!("/blogposts/{post}/inline-comments")),
        v2(format!("/blogposts/{post}/attachments")),
        v2(format!("/folders/{folder}")),
        v2(format!("/folders/{folder}/direct-children")),
        v2(format!("/folders/{folder}/ancestors")),
        v2(format!("/folders/{folder}/descendants?limit=5")),
        v2(format!("/whiteboards/{board}")),
        v2(format!("/databases/{database}")),
        v2(format!("/embeds/{embed}")),
        v2("/footer-comments?sort=-modified-date&limit=1&body-format=atlas_doc_format".into()),
        v2(format!(
            "/footer-comments/{comment}/children?body-format=storage"
        )),
        v2(format!("/footer-comments/{comment}?body-format=storage")),
        v2("/inline-comments?body-format=storage".into()),
        v2(format!("/inline-comments/{inline}?body-format=storage")),
        v2(format!("/inline-comments/{inline}/children")),
        v2("/attachments?sort=-modified-date&status=current,trashed&limit=1".into()),
        v2(format!("/attachments/att{file}")),
        v2(format!("/attachments/{file}/labels")),
        v1(format!("/content/search?cql={cql}&expand={expand}&limit=2")),
        v1(format!(
            "/search?cql={cql}&expand=content.version&excerpt=none&limit=2&includeArchivedSpaces=true"
        )),
        v1("/search?cql=type%20in%20(comment,attachment)&expand=content.container".into()),
        v1(
            "/content/search?cql=type%20in%20(comment,attachment)&expand=container,ancestors,version,extensions.inlineProperties,extensions.resolution,body.storage"
                .into(),
        ),
        v1(format!("/content/{page}/restriction?start=0&limit=50")),
        v1(format!("/content/{page}/restriction/byOperation")),
        v1(format!(
            "/content/{page}/restriction/byOperation/read?expand=restrictions.user,restrictions.group"
        )),
        v1("/user/current".into()),
        v1("/user?accountId=557058:51b7c0de-sync".into()),
        v1("/user/bulk?accountId=557058:51b7c0de-sync&accountId=nobody".into()),
        v1("/group?limit=5".into()),
        v1(format!("/group/{group}/membersByGroupId")),
        v1("/settings/systemInfo".into()),
        v1("/audit?startDate=0&start=0&limit=2".into()),
        v1(format!(
            "/content/{page}/child/attachment/att{file}/download"
        )),
    ];
    paths.push(page.to_string());
    (site, paths)
}

#[actix_rt::test]
async fn confluence_answers_as_the_documents_say() {
    let Some(specs) = specs("conformance of the Confluence simulator") else {
        return;
    };
    let (site, mut paths) = rich_site();
    let page = paths.pop().unwrap();
    // Whoever may see the audit log.
    let account = Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).admin();
    let sim = ConfluenceSim::builder().site(site).account(account);
    let sim = sim.start().await.unwrap();
    let mut problems = Vec::new();
    for path in &paths {
        let response = get(&sim, path).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert!(
            status == 200 || (status == 302 && path.ends_with("/download")),
            "{path}: {status} {text}"
        );
        let body: Option<Value> = serde_json::from_str(&text).ok();
        problems.extend(specs.check_answer("GET", path, status, body.as_ref()));
        if let Some(list) = body
            .as_ref()
            .and_then(|b| b.get("results"))
            .and_then(Value::as_array)
        {
            let may_be_empty = path.contains("/labels?limit=10");
            assert!(
                !list.is_empty() || may_be_empty,
                "{path} shows nothing, so it proves nothing"
            );
        }
    }
    let posts = [
        (
            "/wiki/api/v2/users-bulk".to_owned(),
            json!({"accountIds": ["557058:51b7c0de-sync", "nobody"]}),
        ),
        (
            "/wiki/api/v2/content/convert-ids-to-types".to_owned(),
            json!({"contentIds": [page, "1"]}),
        ),
        (
            format!("/wiki/rest/api/content/{page}/permission/check"),
            json!({"subject": {"type": "user", "identifier": "557058:51b7c0de-sync"}, "operation": "read"}),
        ),
    ];
    for (path, body) in posts {
        let url = format!("{}{path}", sim.base_url());
        let request = client()
            .post(url)
            .basic_auth(ConfluenceSim::EMAIL, Some(ConfluenceSim::TOKEN));
        let response = request.json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        problems.extend(
            specs
                .check_answer("POST", &path, status, Some(&answer))
                .into_iter()
                .filter(|p| {
                    // The document does not know the null that live answers give for ids that cannot be seen.
                    !(path.ends_with("convert-ids-to-types") && p.problem.contains("null"))
                }),
        );
    }
    problems.extend(specs.check_requests(&sim.requests()));
    assert!(
        problems.is_empty(),
        "{}",
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    );
    problems.extend(of_roles(&specs, &sim).await);
    assert!(problems.is_empty(), "{problems:#?}");
    covers(&sim.requests(), ConfluenceSim::endpoints());
}

/// The answers of a site in each of the forms in which it says who may use its spaces.
async fn of_roles(specs: &Specs, sim: &ConfluenceSim) -> Vec<Violation> {
    let space = sim.site().space_id("ENG");
    let person = Principal::User(sim.account_id());
    let group = Principal::Group(EVERYONE_GROUP.to_owned());
    sim.site().limit_space_to("ENG", &[person, group]);
    let mut problems = Vec::new();
    for mode in [RoleMode::PreRoles, RoleMode::Transition, RoleMode::Roles] {
        sim.switches(|s| s.role_mode = mode);
        let everywhere = [
            "/wiki/api/v2/space-role-mode".to_owned(),
            format!("/wiki/api/v2/spaces/{space}/permissions?limit=250"),
        ];
        let with_roles = [
            "/wiki/api/v2/space-roles?limit=250".to_owned(),
            format!("/wiki/api/v2/spaces/{space}/role-assignments?limit=2"),
        ];
        let with_roles = with_roles.iter().filter(|_| mode != RoleMode::PreRoles);
        for path in everywhere.iter().chain(with_roles) {
            let answer = support::json(sim, path).await;
            assert_ne!(answer["results"], json!([]), "{path} shows nothing");
            problems.extend(specs.check_answer("GET", path, 200, Some(&answer)));
        }
    }
    problems.extend(specs.check_requests(&sim.requests()));
    problems
}

struct Llama<'a> {
    sim: &'a LlamaCloudSim,
    specs: &'a Specs,
    problems: Vec<String>,
}

impl Llama<'_> {
    async fn call(&mut self, method: &str, path: &str, body: Option<Value>) -> Value {
        let request = client().request(
            method.parse().unwrap(),
            format!("{}{path}", self.sim.base_url()),
        );
        let request = request.bearer_auth(LlamaCloudSim::KEY);
        self.send(
            method,
            path,
            match body {
                Some(body) => request.json(&body),
                None => request,
            },
        )
        .await
    }

    async fn upload(&mut self, path: &str, form: Form) -> Value {
        let request = client()
            .post(format!("{}{path}", self.sim.base_url()))
            .bearer_auth(LlamaCloudSim::KEY);
        self.send("POST", path, request.multipart(form)).await
    }

    async fn send(&mut self, method: &str, path: &str, request: reqwest::RequestBuilder) -> Value {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {text}"
        );
        let value: Option<Value> = serde_json::from_str(&text).ok();
        self.problems.extend(
            self.specs
                .check_answer(method, path, status, value.as_ref())
                .iter()
                .map(ToString::to_string),
        );
        value.unwrap_or(Value::Null)
    }
}

fn markdown(name: &str) -> Part {
    Part::text("# Title\n\nSome text about brokers").file_name(name.to_owned())
}

#[actix_rt::test]
async fn llamacloud_answers_as_the_document_says() {
    let Some(specs) = specs("conformance of the LlamaCloud simulator") else {
        return;
    };
    let sim = llama().await;
    let mut llama = Llama {
        sim: &sim,
        specs: &specs,
        problems: Vec::new(),
    };
    let projects = llama.call("GET", "/api/v1/projects", None).await;
    let project = projects[0]["id"].as_str().unwrap().to_owned();
    llama
        .call("GET", &format!("/api/v1/projects/{project}"), None)
        .await;
    llama.call("GET", "/api/v2/projects", None).await;
    llama
        .call("GET", &format!("/api/v2/projects/{project}"), None)
        .await;
    let settings = json!({"name": "confluence-a", "pipeline_type": "MANAGED", "embedding_config": null,
        "transform_config": {"mode": "auto", "chunk_size": 512, "chunk_overlap": 50}, "data_sink_id": null,
        "metadata_config": {"excluded_embed_metadata_keys": ["cf_hash"], "excluded_llm_metadata_keys": []}});
    llama
        .call("POST", "/api/v1/pipelines", Some(json!({"name": "other"})))
        .await;
    let pipeline = llama
        .call(
            "PUT",
            &format!("/api/v1/pipelines?project_id={project}"),
            Some(settings),
        )
        .await;
    let base = format!("/api/v1/pipelines/{}", pipeline["id"].as_str().unwrap());
    llama
        .call(
            "GET",
            "/api/v1/pipelines?pipeline_name=confluence-a&pipeline_type=MANAGED",
            None,
        )
        .await;
    llama
        .call("GET", "/api/v2/pipelines?page_size=1", None)
        .await;
    llama.call("GET", &base, None).await;
    llama
        .call("PUT", &base, Some(json!({"name": "confluence-a"})))
        .await;
    sim.switches(|s| {
        s.failing_documents.insert("page-2".into());
    });
    let document = |id: &str| {
        json!({"id": id, "text": "Draining a broker", "metadata": {"cf_space": "OPS", "cf_version": 3},
        "excluded_embed_metadata_keys": ["cf_version"], "excluded_llm_metadata_keys": [], "page_positions": null})
    };
    llama
        .call(
            "PUT",
            &format!("{base}/documents"),
            Some(json!([document("page-1"), document("page-2")])),
        )
        .await;
    llama
        .call(
            "POST",
            &format!("{base}/documents"),
            Some(json!([document("page-3")])),
        )
        .await;
    for path in [
        "documents?skip=0&limit=2",
        "documents/paginated?skip=1&limit=1&status_refresh_policy=ttl",
        "documents/status-counts",
        "documents/page-1",
        "documents/page-1/status",
        "documents/page-2/status",
        "documents/page-1/chunks",
        "status?full_details=true",
        "files2?limit=5",
    ] {
        llama.call("GET", &format!("{base}/{path}"), None).await;
    }
    llama.call("POST", &format!("{base}/sync"), None).await;
    llama
        .call("POST", &format!("{base}/documents/page-2/sync"), None)
        .await;
    llama
        .call(
            "POST",
            &format!("{base}/documents/force-sync-all?batch_size=50&only_failed=true"),
            None,
        )
        .await;
    let query = json!({"query": "brokers", "dense_similarity_top_k": 8, "sparse_similarity_top_k": 8, "alpha": 0.0,
        "enable_reranking": true, "rerank_top_n": 8, "retrieval_mode": "chunks", "search_filters": {"condition": "and", "filters": [
            {"key": "cf_space", "operator": "in", "value": ["OPS"]}, {"key": "cf_version", "operator": ">=", "value": 3}]}});
    let found = llama
        .call("POST", &format!("{base}/retrieve"), Some(query))
        .await;
    assert!(!found["retrieval_nodes"].as_array().unwrap().is_empty());
    llama
        .call("DELETE", &format!("{base}/documents/page-1"), None)
        .await;
    let file = llama
        .upload(
            "/api/v1/files",
            Form::new().part("upload_file", markdown("a.md")),
        )
        .await;
    let path = format!("/api/v1/files/{}", file["id"].as_str().unwrap());
    llama.call("GET", &path, None).await;
    llama
        .call(
            "PUT",
            &format!("{base}/files"),
            Some(json!([{"file_id": file["id"], "custom_metadata": {"a": "b"}}])),
        )
        .await;
    llama.call("GET", &format!("{base}/files2"), None).await;
    llama
        .call(
            "GET",
            &format!("{base}/files/{}/status", file["id"].as_str().unwrap()),
            None,
        )
        .await;
    llama
        .call(
            "DELETE",
            &format!("{base}/files/{}", file["id"].as_str().unwrap()),
            None,
        )
        .await;
    llama.call("DELETE", &path, None).await;
    llama.call("DELETE", &base, None).await;

    let form = Form::new()
        .part("file", markdown("b.md"))
        .text("purpose", "user_data")
        .text("external_file_id", "ext-1");
    let file = llama.upload("/api/v1/beta/files", form).await;
    let file_id = file["id"].as_str().unwrap().to_owned();
    llama
        .call("GET", "/api/v1/beta/files?page_size=5", None)
        .await;
    llama
        .call("GET", &format!("/api/v1/beta/files/{file_id}"), None)
        .await;
    let directories = "/api/v1/beta/directories";
    let directory = llama
        .call(
            "POST",
            directories,
            Some(json!({"name": "confluence-a", "type": "user"})),
        )
        .await;
    let one = format!("{directories}/{}", directory["id"].as_str().unwrap());
    llama
        .call(
            "GET",
            &format!("{directories}?name=confluence-a&type=user"),
            None,
        )
        .await;
    llama.call("GET", &one, None).await;
    llama
        .call("PATCH", &one, Some(json!({"name": "confluence-b"})))
        .await;
    let added = json!({"file_id": file_id, "unique_id": "page-1@v1", "display_name": "One.md", "metadata": {"cf_version": 1}});
    llama
        .call("POST", &format!("{one}/files"), Some(added))
        .await;
    let form = Form::new()
        .part("upload_file", markdown("c.md"))
        .text("unique_id", "page-2@v1")
        .text(
            "metadata",
            json!({"cf_version": 1, "cf_flags": ["x"]}).to_string(),
        );
    let uploaded = llama.upload(&format!("{one}/files/upload"), form).await;
    let uploaded = format!("{one}/files/{}", uploaded["id"].as_str().unwrap());
    llama
        .call(
            "GET",
            &format!("{one}/files?unique_id=page-2@v1&page_size=10"),
            None,
        )
        .await;
    llama.call("GET", &uploaded, None).await;
    llama
        .call(
            "PATCH",
            &uploaded,
            Some(json!({"display_name": "Two.md", "metadata": {"cf_version": 2}})),
        )
        .await;
    let create = json!({"source_directory_id": directory["id"], "name": "confluence-b", "sync_frequency": "manual"});
    let index = llama.call("POST", "/api/v1/indexes", Some(create)).await;
    let id = index["id"].as_str().unwrap().to_owned();
    llama.call("GET", "/api/v1/indexes?page_size=5", None).await;
    llama
        .call(
            "GET",
            &format!("/api/v1/indexes/{id}?expand=sync_in_progress"),
            None,
        )
        .await;
    llama
        .call("POST", &format!("/api/v1/indexes/{id}/sync"), None)
        .await;
    sim.switches(|s| s.index_sync_takes = std::time::Duration::from_secs(60));
    llama
        .call("POST", &format!("/api/v1/indexes/{id}/sync"), None)
        .await;
    llama
        .call("POST", &format!("/api/v1/indexes/{id}/sync/cancel"), None)
        .await;
    let query = json!({"index_id": id, "query": "brokers", "top_k": 5, "rerank": {"enabled": true, "top_n": 5},
        "custom_filters": {"cf_version": [{"operator": "gte", "value": 1}, {"operator": "lt", "value": 9}]}});
    let found = llama
        .call("POST", "/api/v1/retrieval/retrieve", Some(query))
        .await;
    assert_eq!(found["results"].as_array().unwrap().len(), 2);
    let files = llama
        .call(
            "POST",
            "/api/v1/retrieval/files/find",
            Some(json!({"index_id": id, "page_size": 1})),
        )
        .await;
    let parsed = files["items"][0]["file_id"].clone();
    llama
        .call(
            "POST",
            "/api/v1/retrieval/files/grep",
            Some(json!({"index_id": id, "file_id": parsed, "pattern": "b.okers"})),
        )
        .await;
    llama
        .call(
            "POST",
            "/api/v1/retrieval/files/read",
            Some(json!({"index_id": id, "file_id": parsed, "offset": 2})),
        )
        .await;
    llama
        .call("DELETE", &format!("/api/v1/indexes/{id}"), None)
        .await;
    llama.call("DELETE", &uploaded, None).await;
    llama.call("DELETE", &one, None).await;
    llama
        .call("DELETE", &format!("/api/v1/beta/files/{file_id}"), None)
        .await;

    let mut problems = llama.problems;
    problems.extend(
        specs
            .check_requests(&sim.requests())
            .iter()
            .map(ToString::to_string),
    );
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    covers(&sim.requests(), LlamaCloudSim::endpoints());
}

#[actix_rt::test]
async fn the_checker_names_what_is_not_allowed() {
    let Some(specs) = specs("the request checker") else {
        return;
    };
    let sim = confluence(Site::new()).await;
    let bad = [
        ("/wiki/api/v2/pages?limit=251", "limit"),
        ("/wiki/api/v2/pages?sort=modified", "sort"),
        ("/wiki/api/v2/pages?status=current,gone", "status"),
        (
            "/wiki/api/v2/pages?space_id=1",
            "unknown query parameter space_id",
        ),
        ("/wiki/api/v2/pages?id=abc", "id"),
        ("/wiki/api/v2/pages?body-format=view", "body-format"),
        ("/wiki/api/v2/pages/1/direct-children?sort=colour", "sort"),
        ("/wiki/api/v2/nonsense", "no such path"),
        ("/wiki/rest/api/content/search?limit=5", "cql is required"),
        ("/somewhere", "none of the documents"),
    ];
    for (path, problem) in bad {
        sim.reset_log();
        let _ = get(&sim, path).send().await.unwrap();
        let found = specs.check_requests(&sim.requests());
        assert!(
            found.iter().any(|v| v.problem.contains(problem)),
            "{path}: {found:?}"
        );
    }
    sim.reset_log();
    let url = format!("{}/wiki/api/v2/users-bulk", sim.base_url());
    for body in [
        json!({"accountIds": []}),
        json!({"accountIds": [1]}),
        json!({}),
    ] {
        let _ = client().post(&url).json(&body).send().await.unwrap();
    }
    let _ = client().get(&url).send().await.unwrap();
    let found = specs.check_requests(&sim.requests());
    assert!(
        found
            .iter()
            .any(|v| v.problem.contains("does not allow GET")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|v| v.problem.contains("/accountIds")),
        "{found:?}"
    );
    assert!(found.len() >= 3, "{found:?}");
    let ids: Vec<String> = (1..=251).map(|n| n.to_string()).collect();
    sim.reset_log();
    let _ = get(
        &sim,
        &format!("/wiki/api/v2/pages?limit=250&id={}", ids.join(",")),
    )
    .send()
    .await
    .unwrap();
    assert_eq!(specs.check_requests(&sim.requests()).len(), 1);
    sim.reset_log();
    let url = format!(
        "{}/wiki/api/v2/pages?limit=250&id={}",
        sim.gateway_url(),
        ids[..250].join(",")
    );
    let _ = client().get(url).send().await.unwrap();
    assert_eq!(specs.check_requests(&sim.requests()), []);
}

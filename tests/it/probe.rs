//! `probe` as people run it: within its budget, with a table, what to do, and a file that may be shown to anybody.

use simulators::Fault;
use simulators::confluence::ConfluenceSim;
use simulators::llamacloud::LlamaCloudSim;
use test_database::Database;

use crate::process::{borrowed, program, text};
use crate::support::{pairs, site};

/// Exit code and output of `probe`; its shapes are in the file `shapes.json` of the folder.
async fn probe(
    sim: &ConfluenceSim,
    store: &LlamaCloudSim,
    folder: &Database,
) -> (Option<i32>, String) {
    let extra = [
        ("LLAMA_CLOUD_API_KEY", LlamaCloudSim::KEY),
        ("LLAMA_CLOUD_BASE_URL", store.base_url()),
    ];
    let settings: Vec<_> = pairs(sim, folder, &extra).into_iter().collect();
    let arguments = ["probe", "--out", "shapes.json"];
    let mut command = program(folder, &arguments, &borrowed(&settings));
    let ended = actix_web::web::block(move || command.output().unwrap());
    let ended = ended.await.unwrap();
    assert!(ended.stderr.is_empty(), "{}", text(&ended.stderr));
    (ended.status.code(), text(&ended.stdout))
}

#[actix_web::test]
async fn probe_tells_what_holds_what_does_not_and_what_to_do_within_its_budget() {
    let site = site(260);
    site.alias_space("ENG", "TEAM");
    let handbook = site.find("ENG", "Handbook").unwrap();
    let comment = site.comment(handbook, "<p>A secret remark.</p>");
    site.reply(comment, "<p>Another.</p>");
    site.attach(handbook, "wages.txt", "text/plain", b"secret");
    site.create_folder("ENG", Some(handbook), "Folder");
    // Whichever of them is looked at.
    for n in (0..260).step_by(50) {
        let host = site.find("OPS", &format!("Host {n}")).unwrap();
        site.restrict_to_user(host, "557058:51b7c0de-sync");
    }
    let sim = ConfluenceSim::builder().site(site).start().await.unwrap();
    let store = LlamaCloudSim::builder().start().await.unwrap();
    let folder = Database::new();

    let (code, said) = probe(&sim, &store, &folder).await;
    assert_eq!(code, Some(0), "{said}");
    let asked = sim.request_count() + store.request_count();
    assert!(asked <= 60, "{asked}");
    let end = format!("30 held, 0 not held, 2 not seen; {asked} requests.");
    assert!(said.contains(&end), "{said}");
    assert_eq!(store.pipelines(), Vec::<String>::new());
    assert_eq!(store.directories(), Vec::<String>::new());
    let shapes = std::fs::read_to_string(folder.path().join("shapes.json")).unwrap();
    for secret in [
        "secret",
        "wages",
        "Handbook",
        "zebra",
        "ENG",
        "TEAM",
        "127.0.0.1",
        ConfluenceSim::EMAIL,
        ConfluenceSim::TOKEN,
        LlamaCloudSim::KEY,
    ] {
        assert!(
            !shapes.contains(secret) && !said.contains(secret),
            "{secret}"
        );
    }
    let report: serde_json::Value = serde_json::from_str(&shapes).unwrap();
    let answers = report["answers"].as_array().unwrap();
    assert_eq!(answers.len() as u64, asked, "each answer has its shape");

    sim.switches(|s| s.ids_answered = 100);
    store.fail_always("/v1/pipelines", Fault::Status(418));
    let (code, said) = probe(&sim, &store, &folder).await;
    assert_eq!(code, Some(1), "{said}");
    for told in [
        "250 pages can be asked for by their ids: 100 of 250 came; 150 of the rest are listed still.",
        "What to do: do not sync: pages that are there could count as gone; report how many came",
        "v1: pipelines come as an array: refused with 418.",
        "What to do: set LLAMA_CLOUD_INDEX_API=v2; report the shape",
        " 2 not held, ",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
}

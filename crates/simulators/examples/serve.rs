//! Serves both simulators until it is stopped: for trying things by hand and for measurements in another process.
//!
//! `cargo run -p simulators --example serve -- --spaces 20 --pages 10000 --latency-ms 40` prints the settings to use.
//! Without `--pages` it serves the sample site; with `--people` a small one of which no two people may read the same, and it prints
//! who may read what.

use std::time::Duration;

use simulators::confluence::{Account, ConfluenceSim, Principal, Site};
use simulators::llamacloud::LlamaCloudSim;

fn number(name: &str) -> Option<usize> {
    let mut arguments = std::env::args();
    arguments.find(|a| a == name)?;
    arguments.next()?.parse().ok()
}

/// People of the site of `--people`, with addresses that it shows.
const PEOPLE: [(&str, &str); 3] = [
    ("712020:ann", "ann@example.org"),
    ("712020:bob", "bob@example.org"),
    // A letter beyond Latin-1, which no header can hold as it is.
    ("712020:zofia", "\u{17e}ofia@example.org"),
];

/// Two spaces, one of them for a group, and restricted pages; every page tells of a zebra.
fn people() -> Site {
    let site = Site::new();
    let user = |account: &str| Principal::User(account.to_owned());
    let [ann, bob, zofia] = PEOPLE.map(|(account, email)| {
        site.add_user(account, email, email);
        account
    });
    let sync = user(&Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).account_id);
    let group = |name, members: &[&str]| Principal::Group(site.add_group(name, members));
    let engineers = group("engineers", &[ann, zofia]);
    let operators = group("operators", &[bob, zofia]);
    site.add_space("ENG", "Engineering");
    site.add_space("OPS", "Operations");
    site.limit_space_to("ENG", &[engineers, user(bob), sync.clone()]);
    let add = |space, parent, title: &str| {
        let body = format!("<h2>About {title}</h2><p>A zebra and a {title}.</p>");
        site.create_page(space, parent, title, &body)
    };
    let guide = add("ENG", None, "Guidebook");
    let payroll = add("ENG", Some(guide), "Payrollplan");
    add("ENG", Some(payroll), "Bonustable");
    let letter = add("ENG", Some(guide), "Bobsletter");
    let runbook = add("OPS", None, "Runbookhome");
    let keys = add("OPS", Some(runbook), "Keyholder");
    add("OPS", Some(keys), "Keycabinet");
    site.restrict(payroll, &[user(ann), sync.clone()]);
    site.restrict(letter, &[user(bob), sync.clone()]);
    site.restrict(keys, &[operators, sync]);
    for (account, email) in PEOPLE {
        let pages = site.every_page().into_iter();
        let may = pages.filter(|page| site.may_read(account, page.id));
        let titles: Vec<String> = may.map(|page| page.title).collect();
        println!("MAY_READ {email} {}", titles.join(","));
    }
    site
}

fn main() -> std::io::Result<()> {
    let site = match number("--pages") {
        None if std::env::args().any(|a| a == "--people") => people(),
        None => simulators::demo::site(),
        Some(pages) => {
            let spaces = number("--spaces").unwrap_or(1).max(1);
            let site = Site::new();
            for n in 0..spaces {
                let key = format!("S{n}");
                site.add_space(&key, &format!("Space {n}"));
                // The home page counts.
                site.populate(
                    &key,
                    (pages / spaces).saturating_sub(1),
                    number("--body-bytes").unwrap_or(3000),
                );
            }
            site
        }
    };
    let port = |name| {
        number(name)
            .and_then(|p| u16::try_from(p).ok())
            .unwrap_or(0)
    };
    let confluence = ConfluenceSim::builder()
        .site(site)
        .port(port("--confluence-port"))
        .start_blocking()?;
    let llamacloud = LlamaCloudSim::builder()
        .port(port("--llamacloud-port"))
        .start_blocking()?;
    let latency = |name| Duration::from_millis(number(name).unwrap_or(0) as u64);
    confluence.switches(|s| s.latency = latency("--latency-ms"));
    llamacloud.switches(|s| s.latency = latency("--store-latency-ms"));
    println!("CONFLUENCE_BASE_URL={}", confluence.base_url());
    println!("CONFLUENCE_EMAIL={}", ConfluenceSim::EMAIL);
    println!("CONFLUENCE_API_TOKEN={}", ConfluenceSim::TOKEN);
    println!(
        "CONFLUENCE_CLOUD_ID={}  # only to go through the gateway",
        confluence.cloud_id()
    );
    println!("CONFLUENCE_GATEWAY_URL={}", confluence.base_url());
    println!("LLAMA_CLOUD_BASE_URL={}", llamacloud.base_url());
    println!("LLAMA_CLOUD_API_KEY={}", LlamaCloudSim::KEY);
    let mut seen = 0;
    loop {
        std::thread::sleep(Duration::from_secs(10));
        let now = confluence.request_count() + llamacloud.request_count();
        if now != seen {
            eprintln!(
                "Confluence {} requests, LlamaCloud {}",
                confluence.request_count(),
                llamacloud.request_count()
            );
            seen = now;
        }
    }
}

//! Who may use a space, who is in a group, whom a restriction names, and that all of it says the same as the check.

use serde_json::{Value, json};
use simulators::confluence::{
    Account, ConfluenceSim, ContentId, EVERYONE_GROUP, Principal, RoleMode, Site,
};

use crate::support::{client, confluence, each, get, json, status_of};

fn site() -> (Site, ContentId) {
    let site = Site::new();
    site.add_space("ENG", "Engineering");
    let home = site.homepage("ENG");
    let page = site.create_page("ENG", Some(home), "Page", "<p>words</p>");
    (site, page)
}

fn people(site: &Site, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|n| format!("person-{n:03}")).collect();
    for id in &ids {
        site.add_user(id, id, &format!("{id}@example.com"));
    }
    ids
}

/// Kind and id of who may read the space, by rows of permissions.
async fn by_rows(sim: &ConfluenceSim) -> Vec<(String, String)> {
    let space = sim.site().space_id("ENG");
    let rows = json(
        sim,
        &format!("/wiki/api/v2/spaces/{space}/permissions?limit=250"),
    )
    .await;
    let rows = rows["results"].as_array().unwrap();
    let reads = rows
        .iter()
        .filter(|row| row["operation"] == json!({"key": "read", "targetType": "space"}));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    reads
        .map(|row| {
            (
                text(&row["principal"]["type"]),
                text(&row["principal"]["id"]),
            )
        })
        .collect()
}

/// The same of those with roles.
async fn by_roles(sim: &ConfluenceSim) -> Vec<(String, String)> {
    let space = sim.site().space_id("ENG");
    let path = format!("/wiki/api/v2/spaces/{space}/role-assignments?limit=250");
    let rows = json(sim, &path).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = rows["results"].as_array().unwrap().iter();
    rows.map(|row| &row["principal"])
        .map(|who| (text(&who["principalType"]), text(&who["principalId"])))
        .collect()
}

fn pair(kind: &str, id: &str) -> (String, String) {
    (kind.to_owned(), id.to_owned())
}

#[actix_rt::test]
async fn a_space_says_who_may_use_it_in_the_form_that_the_switch_names() {
    let (site, _) = site();
    let sim = confluence(site.clone()).await;
    let mode = "/wiki/api/v2/space-role-mode";
    let roles = "/wiki/api/v2/space-roles";
    let admins = pair("ACCESS_CLASS", "all-product-admins");
    assert_eq!(json(&sim, mode).await, json!({"mode": "PRE_ROLES"}));
    assert_eq!(by_rows(&sim).await, [pair("group", EVERYONE_GROUP)]);
    assert_eq!(status_of(&sim, roles).await, 404);
    sim.switches(|s| s.role_mode = RoleMode::Untold);
    assert_eq!(
        (status_of(&sim, mode).await, by_rows(&sim).await.len()),
        (404, 1)
    );
    sim.switches(|s| s.role_mode = RoleMode::Transition);
    assert_eq!(json(&sim, mode).await, json!({"mode": "ROLES_TRANSITION"}));
    assert_eq!(by_rows(&sim).await, [pair("group", EVERYONE_GROUP)]);
    assert_eq!(by_roles(&sim).await, std::slice::from_ref(&admins));
    let group = site.add_group("team", &[]);
    let person = sim.account_id();
    let both = [
        Principal::User(person.clone()),
        Principal::Group(group.clone()),
    ];
    site.limit_space_to("ENG", &both);
    assert_eq!(by_rows(&sim).await, [pair("user", &person)]);
    assert_eq!(
        by_roles(&sim).await,
        [admins.clone(), pair("GROUP", &group)]
    );
    sim.switches(|s| s.role_mode = RoleMode::Roles);
    assert_eq!(json(&sim, mode).await, json!({"mode": "ROLES"}));
    let named = [admins.clone(), pair("USER", &person), pair("GROUP", &group)];
    assert_eq!(by_roles(&sim).await, named);
    assert_eq!(by_rows(&sim).await[0].0, "role");
    site.open_space("ENG");
    let all = pair("ACCESS_CLASS", "all-licensed-users");
    assert_eq!(by_roles(&sim).await, [admins, all]);
    let known = json(&sim, roles).await;
    let reads = |role: &&Value| {
        let permissions = role["spacePermissions"].as_array().unwrap();
        permissions.contains(&json!("read/space"))
    };
    let known = known["results"].as_array().unwrap();
    assert_eq!(known.iter().filter(reads).count(), 3);
    site.limit_space_to("ENG", &[]);
    let space = site.space_id("ENG");
    let hidden = format!("/wiki/api/v2/spaces/{space}/role-assignments");
    assert_eq!(status_of(&sim, &hidden).await, 404);
}

#[actix_rt::test]
async fn rows_of_permissions_come_in_parts() {
    let (site, _) = site();
    let sim = confluence(site.clone()).await;
    let mut readers: Vec<Principal> = people(&site, 99).into_iter().map(Principal::User).collect();
    readers.push(Principal::User(sim.account_id()));
    site.limit_space_to("ENG", &readers);
    let space = site.space_id("ENG");
    let mut path = format!("/wiki/api/v2/spaces/{space}/permissions?limit=250");
    let (mut ids, mut answers) = (Vec::new(), 0);
    loop {
        let part = json(&sim, &path).await;
        ids.extend(each(&part, "results", "id"));
        answers += 1;
        let Some(next) = part["_links"]["next"].as_str() else {
            break;
        };
        next.clone_into(&mut path);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), answers), (600, 3));
}

#[actix_rt::test]
async fn restrictions_are_told_in_parts() {
    let (site, page) = site();
    let sim = confluence(site.clone()).await;
    let mut named: Vec<Principal> = people(&site, 249)
        .into_iter()
        .map(Principal::User)
        .collect();
    named.push(Principal::User(sim.account_id()));
    named.push(Principal::Group("no more".to_owned()));
    site.restrict(page, &named);
    let of = format!("/wiki/rest/api/content/{page}/restriction/byOperation/read");
    let lists = async |query: &str| {
        let told = json(&sim, &format!("{of}?{query}")).await;
        let size = |list: &str| {
            let list = &told["restrictions"][list];
            let results = list["results"].as_array().unwrap();
            assert_eq!(list["size"], results.len());
            (results.len(), list["limit"].as_u64().unwrap())
        };
        (size("user"), size("group"))
    };
    assert_eq!(lists("limit=200").await, ((200, 200), (1, 200)));
    assert_eq!(lists("start=200&limit=200").await, ((50, 200), (0, 200)));
    assert_eq!(lists("limit=1000").await, ((200, 200), (1, 200)));
    sim.switches(|s| s.restriction_cap = 90);
    assert_eq!(lists("limit=200").await, ((90, 90), (1, 90)));
    assert_eq!(lists("start=180&limit=200").await, ((70, 90), (0, 90)));
    let expand = "restrictions.read.restrictions.user";
    let cql = format!("/wiki/rest/api/content/search?cql=id={page}&expand={expand}");
    let found = json(&sim, &cql).await;
    let users = &found["results"][0]["restrictions"]["read"]["restrictions"]["user"];
    assert_eq!((&users["size"], &users["limit"]), (&json!(90), &json!(90)));
}

#[actix_rt::test]
async fn members_come_in_parts_that_may_be_short() {
    let (site, _) = site();
    let everybody = people(&site, 450);
    let refs: Vec<&str> = everybody.iter().map(String::as_str).collect();
    let group = site.add_group("all hands", &refs);
    let sim = confluence(site.clone()).await;
    let of = format!("/wiki/rest/api/group/{group}/membersByGroupId");
    let part = async |query: &str| {
        let told = json(&sim, &format!("{of}?{query}")).await;
        let shown = told["results"].as_array().unwrap().len();
        assert_eq!(told["size"], shown);
        (shown, told["limit"].as_u64().unwrap())
    };
    assert_eq!(part("start=400&limit=200").await, (50, 200));
    assert_eq!(part("start=450&limit=200").await, (0, 200));
    sim.switches(|s| s.members_cap = 90);
    assert_eq!(part("start=0&limit=200").await, (90, 200));
    site.set_members(&group, &[&everybody[0], &everybody[1], "unheard-of"]);
    site.set_email(&everybody[0], None);
    site.set_email(&everybody[1], Some("other@example.com"));
    let told = json(&sim, &of).await;
    let emails = each(&told, "results", "email");
    assert_eq!(emails, ["", "other@example.com", ""]);
    sim.switches(|s| s.hide_emails = true);
    let hidden = each(&json(&sim, &of).await, "results", "email");
    assert_eq!(hidden, ["", "", ""]);
    site.delete_group(&group);
    assert_eq!(status_of(&sim, &of).await, 404);
}

#[actix_rt::test]
async fn everybody_is_a_group_whose_members_come_and_go() {
    let (site, _) = site();
    site.add_user("ada", "Ada", "");
    let sim = confluence(site.clone()).await;
    let of = format!("/wiki/rest/api/group/{EVERYONE_GROUP}/membersByGroupId");
    let ids = async || each(&json(&sim, &of).await, "results", "accountId");
    assert!(ids().await.contains(&"ada".to_owned()));
    site.close_user("ada");
    assert!(!ids().await.contains(&"ada".to_owned()));
    let groups = json(&sim, "/wiki/rest/api/group").await;
    assert_eq!(each(&groups, "results", "id"), [EVERYONE_GROUP]);
    let nobody = get(&sim, "/wiki/rest/api/group/none/membersByGroupId");
    assert_eq!(nobody.send().await.unwrap().status(), 404);
}

#[actix_rt::test]
async fn the_check_says_what_is_true() {
    let (site, page) = site();
    let team = site.add_group("team", &["ada"]);
    for who in ["ada", "bob", "cleo"] {
        site.add_user(who, who, "");
    }
    let account = Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).admin();
    let bot = account.account_id.clone();
    let sim = ConfluenceSim::builder()
        .site(site.clone())
        .account(account)
        .start()
        .await
        .unwrap();
    let ask = async |who: &str| {
        let base = sim.base_url();
        let url = format!("{base}/wiki/rest/api/content/{page}/permission/check");
        let request = client()
            .post(url)
            .basic_auth(ConfluenceSim::EMAIL, Some(ConfluenceSim::TOKEN))
            .json(&json!({"subject": {"type": "user", "identifier": who}, "operation": "read"}));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["hasPermission"].as_bool().unwrap()
    };
    let changes: [(&str, &dyn Fn()); 5] = [
        ("open", &|| {}),
        ("restricted", &|| {
            site.restrict_to_group(page, &team);
            site.restrict_to_user(page, "bob");
            site.restrict_to_user(page, &bot);
        }),
        ("another team", &|| site.set_members(&team, &["cleo"])),
        ("a space of few", &|| {
            let few = ["bob", bot.as_str()].map(|id| Principal::User(id.to_owned()));
            site.limit_space_to("ENG", &few);
        }),
        ("a closed account", &|| site.close_user("bob")),
    ];
    let mut told = Vec::new();
    for (what, change) in changes {
        change();
        let mut may = Vec::new();
        for who in ["ada", "bob", "cleo", "nobody"] {
            let truth = site.may_read(who, page);
            assert_eq!(ask(who).await, truth, "{what}: {who}");
            if truth {
                may.push(who);
            }
        }
        told.push(may);
    }
    let expected: [&[&str]; 5] = [
        &["ada", "bob", "cleo"],
        &["ada", "bob"],
        &["bob", "cleo"],
        &["bob"],
        &[],
    ];
    assert_eq!(told, expected);
    assert!(site.may_read(&bot, page));
    site.trash(page);
    assert!(!site.may_read(&bot, page));
    site.purge(page);
    assert!(!site.may_read(&bot, page));
}

//! Permissions of the simulated site: everybody is named, in every form of the site, and who may read is what the site itself says.

use std::collections::{BTreeMap, BTreeSet};

use confluence::ConfluenceClient;
use domain::access::{Grantee, Member};
use domain::content::ContentKind::Page;
use domain::content::{ContentFacts, Restriction};
use domain::ports::source::{AccessNeeds, ContentSource, SourceError};
use domain::{AccountId, GroupId, PageId};
use simulators::Fault;
use simulators::confluence::{
    Account, ConfluenceSim, ContentId, EVERYONE_GROUP, Principal, RoleMode, Site,
};

use super::endpoints::all_official;
use super::{client, eng, facts, page_id, site_of, start};
use crate::support::name;

/// People by the number.
fn people(site: &Site, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|n| format!("557058:p{n:03}")).collect();
    for id in &ids {
        site.add_user(id, &format!("Person {id}"), "");
    }
    ids
}

fn refs(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

fn restrict_to(site: &Site, page: ContentId, people: &[String]) {
    let people: Vec<Principal> = people.iter().cloned().map(Principal::User).collect();
    site.restrict(page, &people);
}

#[tokio::test]
async fn a_restriction_names_everybody_however_long_it_is() {
    let (site, made) = site_of(3);
    let everybody = people(&site, 250);
    // Whoever the account is not, it does not see.
    restrict_to(&site, made.restricted, &everybody);
    let sim = start(&site).await;
    let client = client(&sim);
    for (cap, in_bulk, alone) in [(200, 2, 3), (100, 3, 4)] {
        sim.switches(|s| s.restriction_cap = cap);
        sim.reset_log();
        let all = facts(&client, "ENG").await.unwrap();
        assert_eq!(sim.requests().len(), in_bulk, "{cap}");
        let salaries = all.iter().find(|f| f.id == page_id(made.restricted));
        let salaries = salaries.unwrap();
        let mut wanted: Vec<Grantee> = everybody
            .iter()
            .map(|id| Grantee::Person(id.as_str().into()))
            .collect();
        wanted.push(Grantee::Group(made.group.as_str().into()));
        assert_eq!(salaries.readers, wanted);
        let open = all.iter().filter(|f| f.restriction == Restriction::Open);
        assert!(open.clone().count() > 3 && open.clone().all(|f| f.readers.is_empty()));
        sim.reset_log();
        let one = client.facts_of(Page, &salaries.id).await.unwrap().unwrap();
        assert_eq!(one.readers, wanted);
        assert_eq!(sim.requests().len(), alone, "{cap}: with its labels");
        all_official(&sim);
    }
}

#[tokio::test]
async fn a_deleted_group_is_named_and_has_nobody() {
    let (site, made) = site_of(3);
    let gone = site.add_group("temps", &["557058:ada"]);
    site.restrict_to_group(made.restricted, &gone);
    site.delete_group(&gone);
    let sim = start(&site).await;
    let client = client(&sim);
    let all = facts(&client, "ENG").await.unwrap();
    let salaries = all.iter().find(|f| f.id == page_id(made.restricted));
    let groups = [made.group.as_str(), &gone].map(|id| Grantee::Group(id.into()));
    let groups: BTreeSet<Grantee> = groups.into();
    let named: BTreeSet<Grantee> = salaries.unwrap().readers.iter().cloned().collect();
    assert_eq!(named, groups);
    sim.reset_log();
    let members = client.group_members(&gone.as_str().into()).await;
    assert_eq!(members, Ok(vec![]));
    assert_eq!(sim.requests().len(), 1);
}

#[tokio::test]
async fn a_group_of_450_is_read_whole_in_full_and_in_short_answers() {
    let (site, _) = site_of(1);
    let everybody = people(&site, 450);
    let group: GroupId = site.add_group("all hands", &refs(&everybody)).into();
    site.set_email(&everybody[0], Some("first@example.com"));
    site.set_email(&everybody[1], None);
    let sim = start(&site).await;
    let client = client(&sim);
    for (cap, requests) in [(200, 4), (190, 4), (90, 6)] {
        sim.switches(|s| s.members_cap = cap);
        sim.reset_log();
        let members = client.group_members(&group).await.unwrap();
        let ids: Vec<&str> = members.iter().map(|m| m.account.as_str()).collect();
        assert_eq!(ids, refs(&everybody));
        let shown: Vec<&str> = members.iter().filter_map(|m| m.email.as_deref()).collect();
        assert_eq!(shown, ["first@example.com"]);
        assert_eq!(sim.requests().len(), requests, "{cap}");
        all_official(&sim);
    }
    sim.switches(|s| s.hide_emails = true);
    let members = client.group_members(&group).await.unwrap();
    assert!(members.iter().all(|member| member.email.is_none()));
    site.set_members(group.as_str(), &["557058:ada"]);
    sim.reset_log();
    let members = client.group_members(&group).await.unwrap();
    let ada = Member {
        account: "557058:ada".into(),
        email: None,
    };
    assert_eq!(members, [ada]);
    assert_eq!(sim.requests().len(), 2);
}

#[tokio::test]
async fn a_space_names_whom_it_is_limited_to_in_every_form_of_the_site() {
    let (site, made) = site_of(1);
    let everybody = people(&site, 100);
    let mut readers: Vec<Principal> = everybody.iter().cloned().map(Principal::User).collect();
    readers.push(Principal::Group(made.group.clone()));
    let wanted: BTreeSet<Grantee> = everybody
        .iter()
        .map(|id| Grantee::Person(id.as_str().into()))
        .chain([Grantee::Group(made.group.as_str().into())])
        .collect();
    let sim = start(&site).await;
    let space = eng(&client(&sim)).await;
    site.limit_space_to("ENG", &readers);
    // One for the form; 101 principals with six permissions each in answers of 250; one for the roles.
    for (mode, requests) in [
        (RoleMode::Untold, 4),
        (RoleMode::PreRoles, 4),
        (RoleMode::Transition, 6),
        (RoleMode::Roles, 3),
    ] {
        sim.switches(|s| s.role_mode = mode);
        sim.reset_log();
        let told = client(&sim).space_readers(&space).await.unwrap();
        assert_eq!(told, wanted, "{mode:?}");
        assert_eq!(sim.requests().len(), requests, "{mode:?}");
        all_official(&sim);
    }
    // One that the account does not see any more is not there, in either form.
    site.limit_space_to("ENG", &[]);
    for mode in [RoleMode::PreRoles, RoleMode::Roles] {
        sim.switches(|s| s.role_mode = mode);
        let hidden = client(&sim).space_readers(&space).await.unwrap_err();
        assert_eq!(name(&hidden), "not found");
    }
    // Open to all: the group of all, or the class.
    site.open_space("ENG");
    for (mode, all) in [
        (RoleMode::PreRoles, Grantee::Group(EVERYONE_GROUP.into())),
        (RoleMode::Transition, Grantee::Group(EVERYONE_GROUP.into())),
        (RoleMode::Roles, Grantee::Licensed),
    ] {
        sim.switches(|s| s.role_mode = mode);
        let told = client(&sim).space_readers(&space).await.unwrap();
        assert_eq!(told, BTreeSet::from([all]), "{mode:?}");
    }
}

#[tokio::test]
async fn an_account_that_may_not_read_permissions_is_told_so() {
    let (site, _) = site_of(1);
    let sim = start(&site).await;
    let client = client(&sim);
    let space = eng(&client).await;
    sim.fail_always("/permissions", Fault::Status(403));
    sim.fail_always("/space-role-mode", Fault::Status(403));
    sim.fail_always("/membersByGroupId", Fault::Status(403));
    sim.reset_log();
    let error = client.space_readers(&space).await.unwrap_err();
    assert_eq!((name(&error), sim.requests().len()), ("forbidden", 2));
    let error = client.group_members(&EVERYONE_GROUP.into()).await;
    assert_eq!(name(&error.unwrap_err()), "forbidden");
    let needs = AccessNeeds {
        permissions: true,
        ..AccessNeeds::default()
    };
    let checks = client.access(needs, None).await;
    let refused = checks.iter().filter(|check| check.outcome.is_err());
    let refused: Vec<_> = refused.map(|check| (check.what, check.scope)).collect();
    assert_eq!(
        refused,
        [("permissions of spaces", "read:space:confluence")]
    );
    let others = client
        .may_read(&"557058:ada".into(), &page_id(site.homepage("ENG")))
        .await;
    assert!(matches!(others, Err(SourceError::Forbidden { .. })));
}

#[tokio::test]
async fn access_to_permissions_is_checked_in_the_form_of_the_site() {
    let (site, _) = site_of(1);
    let sim = start(&site).await;
    let needs = AccessNeeds {
        permissions: true,
        ..AccessNeeds::default()
    };
    for (mode, whats) in [
        (RoleMode::Untold, &["permissions of spaces"][..]),
        (RoleMode::PreRoles, &["permissions of spaces"]),
        (
            RoleMode::Transition,
            &["permissions of spaces", "roles in spaces"],
        ),
        (RoleMode::Roles, &["roles in spaces"]),
    ] {
        sim.switches(|s| s.role_mode = mode);
        sim.reset_log();
        let checks = client(&sim).access(needs, None).await;
        assert!(checks.iter().all(|check| check.outcome.is_ok()));
        let told: Vec<&str> = checks[3..].iter().map(|check| check.what).collect();
        let expected = [&["the form of permissions"], whats, &["groups"]].concat();
        assert_eq!(told, expected, "{mode:?}");
        assert_eq!(sim.requests().len(), checks.len(), "{mode:?}");
        all_official(&sim);
    }
}

/// Records name what they are about, in answers as short as the site pleases; only an administrator reads them.
#[tokio::test]
async fn the_audit_log_is_read_whole_by_an_administrator_alone() {
    let since = "2026-02-01T10:00:00Z".parse().unwrap();
    let (site, _) = site_of(1);
    let page = site.homepage("ENG");
    let group = site.add_group("crew", &[]);
    site.at("2026-02-01T09:59:59Z".parse().unwrap())
        .restrict_to_user(page, "557058:ada");
    let then = site.at(since);
    then.set_members(&group, &["557058:ada"]);
    then.unrestrict(page);
    then.limit_space_to("ENG", &[]);
    then.open_space("ENG");
    then.delete_group(&group);
    let needs = AccessNeeds {
        audit_log: true,
        ..AccessNeeds::default()
    };
    let account = Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN);
    for account in [account.clone().admin(), account] {
        let builder = ConfluenceSim::builder().site(site.clone());
        let sim = builder.account(account.clone()).start().await.unwrap();
        sim.switches(|s| s.audit_cap = 2);
        let client = client(&sim);
        let checks = client.access(needs, None).await;
        let check = checks.iter().find(|check| check.what == "the audit log");
        let check = check.unwrap();
        assert_eq!(check.scope, "read:audit-log:confluence");
        assert_eq!(check.outcome.is_ok(), account.is_admin);
        sim.reset_log();
        match client.audited(since).await {
            Err(error) => assert_eq!((name(&error), account.is_admin), ("forbidden", false)),
            Ok(records) => {
                // Oldest first, without what the site came with.
                let ours = records.iter().rev().filter(|record| record.at == since);
                let told = ours.map(|record| record.names.join(", "));
                let of_page = "Engineering Home, Engineering";
                let space = "Engineering";
                assert_eq!(
                    told.collect::<Vec<_>>(),
                    ["crew", of_page, space, space, "crew"]
                );
                assert_eq!(records.len(), 6);
                assert_eq!(sim.requests().len(), 4, "the last one is empty");
            }
        }
        all_official(&sim);
    }
}

/// What was read of a site, enough to say who may read what.
struct Known {
    spaces: BTreeMap<String, BTreeSet<Grantee>>,
    groups: BTreeMap<GroupId, BTreeSet<AccountId>>,
    facts: BTreeMap<PageId, ContentFacts>,
}

impl Known {
    async fn read(client: &ConfluenceClient) -> Known {
        let mut known = Known {
            spaces: BTreeMap::new(),
            groups: BTreeMap::new(),
            facts: BTreeMap::new(),
        };
        for space in client.visible_spaces().await.unwrap() {
            let readers = client.space_readers(&space.id).await.unwrap();
            known.spaces.insert(space.key.to_string(), readers);
            let all = facts(client, space.key.as_str()).await.unwrap();
            known
                .facts
                .extend(all.into_iter().map(|f| (f.id.clone(), f)));
        }
        let of_spaces = known.spaces.values().flatten();
        let of_items = known.facts.values().flat_map(|f| &f.readers);
        let named: BTreeSet<GroupId> = of_spaces
            .chain(of_items)
            .filter_map(|grantee| match grantee {
                Grantee::Group(id) => Some(id.clone()),
                Grantee::Licensed | Grantee::Person(_) => None,
            })
            .collect();
        for group in named {
            let members = client.group_members(&group).await.unwrap();
            let members = members.into_iter().map(|member| member.account);
            known.groups.insert(group, members.collect());
        }
        known
    }

    fn lets_in<'a>(&self, who: &AccountId, readers: impl IntoIterator<Item = &'a Grantee>) -> bool {
        readers.into_iter().any(|grantee| match grantee {
            Grantee::Licensed => true,
            Grantee::Person(id) => id == who,
            Grantee::Group(id) => self.groups[id].contains(who),
        })
    }

    fn may_read(&self, who: &AccountId, space: &str, page: &PageId) -> bool {
        let own = &self.facts[page];
        let above = own.ancestors.iter().flatten();
        let way = above.filter_map(|id| self.facts.get(id)).chain([own]);
        let mut guards = way.filter(|f| f.restriction != Restriction::Open);
        self.lets_in(who, &self.spaces[space]) && guards.all(|f| self.lets_in(who, &f.readers))
    }
}

/// Three ways to the same answer: what the site says of itself, what its check says, and what was read of it in bulk.
#[tokio::test]
async fn who_may_read_is_what_the_site_says() {
    let (site, made) = site_of(4);
    let everybody = people(&site, 4);
    let team = site.add_group("team", &refs(&everybody[..2]));
    let bot = "557058:51b7c0de-sync";
    site.restrict_to_group(made.folder, &team);
    site.restrict_to_user(made.folder, bot);
    restrict_to(&site, made.labelled, &everybody[1..3]);
    site.restrict_to_user(made.labelled, bot);
    let gone = site.add_group("gone", &[]);
    site.delete_group(&gone);
    site.restrict_to_group(made.labelled, &gone);
    let readers = [everybody[0].as_str(), bot].map(|id| Principal::User(id.into()));
    site.limit_space_to("~712020abc", &readers);
    let admin = Account::classic(ConfluenceSim::EMAIL, ConfluenceSim::TOKEN).admin();
    let sim = ConfluenceSim::builder()
        .site(site.clone())
        .account(admin)
        .start()
        .await
        .unwrap();
    for mode in [RoleMode::PreRoles, RoleMode::Transition, RoleMode::Roles] {
        sim.switches(|s| s.role_mode = mode);
        let client = client(&sim);
        let known = Known::read(&client).await;
        let mut told = BTreeSet::new();
        for who in everybody
            .iter()
            .map(String::as_str)
            .chain(["557058:ada", bot])
        {
            let account = AccountId::from(who);
            for page in sim.truth() {
                let id = page_id(page.id);
                let truth = site.may_read(who, page.id);
                let what = format!("{mode:?}: {who} and {}", page.title);
                let checked = client.may_read(&account, &id).await;
                assert_eq!(checked, Ok(truth), "{what}");
                assert_eq!(
                    known.may_read(&account, &page.space_key, &id),
                    truth,
                    "{what}"
                );
                told.insert((page.title, truth));
            }
        }
        assert!(told.iter().any(|(_, may)| !may) && told.iter().any(|(_, may)| *may));
    }
    let nobody = site.may_read("nobody", site.homepage("ENG"));
    assert!(!nobody);
}

//! Answers that differ by person, at random, over every route and tool of the program: random trees, groups, permissions of spaces,
//! restrictions and people. Each person is told of exactly the pages that the simulated site would show that person, after a first sync
//! and after changes; while permissions cannot be read, of no more.
//!
//! `PEOPLE_VIEWS=200` makes so many sites, `PEOPLE_VIEWS_FROM` begins at another seed; a failing seed is named.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use simulators::Fault;
use simulators::confluence::{ContentId, Principal, Rights, RoleMode, Site};

use crate::access::{KEY, Person, SYNC, World, assert_sees, per_user, token, user};
use crate::support::{Service, answer, start_program};

const PEOPLE: [&str; 5] = ["a:ann", "a:bob", "a:cat", "a:dan", "a:eve"];
const SPACES: [&str; 2] = ["ENG", "OPS"];
/// A title is two of these and an ending: none is part of another, and no other word has them.
const PARTS: [&str; 8] = [
    "bram", "clor", "drev", "fisk", "glun", "jorp", "kwib", "vast",
];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|n| n.parse().ok())
}

#[actix_web::test]
async fn every_route_tells_each_person_what_confluence_would_show() {
    let from = number("PEOPLE_VIEWS_FROM").unwrap_or(1);
    let count = number("PEOPLE_VIEWS").unwrap_or(3);
    for seed in from..from + count {
        eprintln!("PEOPLE_VIEWS_FROM={seed} PEOPLE_VIEWS=1");
        site_of(seed).await;
    }
}

fn address(account: &str) -> String {
    format!("{}@example.org", &account[2..])
}

struct Random {
    luck: StdRng,
    world: World,
    groups: Vec<String>,
}

impl Random {
    fn new(seed: u64) -> Random {
        let mut luck = StdRng::seed_from_u64(seed);
        let site = Site::new();
        for account in PEOPLE {
            site.add_user(account, &account[2..], &address(account));
        }
        for key in SPACES {
            site.add_space(key, &format!("Space {key}"));
        }
        site.set_switches(|switches| {
            let modes = [RoleMode::Untold, RoleMode::Transition, RoleMode::Roles];
            switches.role_mode = modes[luck.random_range(0..modes.len())];
            switches.restriction_cap = luck.random_range(1..20);
            switches.members_cap = luck.random_range(1..4);
        });
        let world = World {
            site,
            eng: String::new(),
            pages: Vec::new(),
        };
        let mut random = Random {
            luck,
            world,
            groups: Vec::new(),
        };
        for name in ["Engineers", "Operators"] {
            let members = random.people();
            let group = random.world.site.add_group(name, &members);
            random.groups.push(group);
        }
        for _ in 0..random.luck.random_range(5..11) {
            random.page();
        }
        for _ in 0..random.luck.random_range(3..8) {
            random.change();
        }
        random
    }

    fn people(&mut self) -> Vec<&'static str> {
        let mut people = PEOPLE.to_vec();
        people.retain(|_| self.luck.random_bool(0.5));
        people
    }

    fn page(&mut self) {
        let at = self.world.pages.len();
        let title = format!("{}{}plan", PARTS[at % 8], PARTS[(at / 8 + at) % 8]);
        let title = title[..1].to_uppercase() + &title[1..];
        let body = format!("<h2>About {title}</h2><p>A zebra and a {title}.</p>");
        let space = SPACES[self.luck.random_range(0..2)];
        let parent = self.any_page().filter(|_| self.luck.random_bool(0.7));
        let parent = parent.filter(|page| self.space_of(*page) == space);
        let page = self.world.site.create_page(space, parent, &title, &body);
        self.world.pages.push((title, page));
    }

    fn any_page(&mut self) -> Option<ContentId> {
        let page = self.world.pages.choose(&mut self.luck);
        page.map(|(_, page)| *page)
    }

    fn space_of(&self, page: ContentId) -> String {
        let page = self.world.site.true_page(page);
        page.map(|page| page.space_key).unwrap_or_default()
    }

    /// A few people and groups, and the account of the service.
    fn named(&mut self) -> Vec<Principal> {
        let mut named = vec![user(SYNC)];
        for _ in 0..self.luck.random_range(1..3) {
            named.push(match self.luck.random() {
                true => Principal::Group(self.groups[self.luck.random_range(0..2)].clone()),
                false => user(PEOPLE[self.luck.random_range(0..5)]),
            });
        }
        named
    }

    /// One thing that changes who may read what.
    fn change(&mut self) {
        let Some(page) = self.any_page() else {
            return;
        };
        let named = self.named();
        let site = self.world.site.clone();
        match self.luck.random_range(0..10) {
            0..=3 => site.restrict(page, &named),
            4 => site.unrestrict(page),
            5 => {
                let members = self.people();
                site.set_members(&self.groups[self.luck.random_range(0..2)], &members);
            }
            6 => site.limit_space_to(SPACES[self.luck.random_range(0..2)], &named),
            7 => site.open_space(SPACES[self.luck.random_range(0..2)]),
            8 => {
                let here = self.space_of(page);
                let below = site.children(page);
                let above = self.any_page().filter(|above| {
                    *above != page && below.is_empty() && self.space_of(*above) == here
                });
                site.move_under(page, above);
            }
            _ => self.page(),
        }
    }
}

async fn site_of(seed: u64) {
    let mut random = Random::new(seed);
    let service = start_program(random.world.site.clone(), &[("API_KEY", KEY)]).await;
    // Whose an address is, is told elsewhere.
    let mapped = PEOPLE
        .iter()
        .map(|account| (address(account), json!(account)));
    let mapped = json!({"mapped": serde_json::Map::from_iter(mapped)});
    let put = service.request(Method::PUT, "/api/people").json(&mapped);
    assert_eq!(answer(put).await.0, 200);
    let index = per_user(&service, "per_user").await;
    let token = token(&service, &index, true).await;
    for round in 0..3 {
        if round > 0 {
            for _ in 0..random.luck.random_range(1..6) {
                random.change();
            }
            service.swept(&index).await;
        }
        assert_all(&service, &random, &index, &token).await;
    }
    // Whatever changes now, nobody is shown more than what was read before and what is so now would let in together.
    let mut possible = Rights::now(&random.world.site);
    let refused = ["/permissions", "/role-assignments", "membersByGroupId"];
    let refused = refused[random.luck.random_range(0..refused.len())];
    service.sim.fail_always(refused, Fault::Status(403));
    for _ in 0..random.luck.random_range(1..6) {
        random.change();
    }
    possible.join(&Rights::now(&random.world.site));
    service.swept(&index).await;
    for account in PEOPLE {
        let email = address(account);
        let person = Person {
            service: &service,
            token: &token,
            email: &email,
        };
        let found = person.asks(json!({"query": "zebra", "top_k": 50})).await;
        let told = random.world.titles_in(&found.to_string());
        let pages = random.world.pages.iter();
        let mut leaked = pages.filter(|(title, page)| {
            told.contains(title.as_str()) && !possible.may_read(account, *page)
        });
        let leaked = leaked.next();
        assert!(leaked.is_none(), "{account} without {refused}: {leaked:?}");
    }
}

async fn assert_all(service: &Service, random: &Random, index: &Value, token: &str) {
    for account in PEOPLE {
        let email = address(account);
        let person = Person {
            service,
            token,
            email: &email,
        };
        let session = person.session().await;
        let may = random.world.readable(account);
        assert_sees(&random.world, index, &session, &person, &may).await;
    }
}

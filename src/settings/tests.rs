use super::*;

const FOUR: &[(&str, &str)] = &[
    ("CONFLUENCE_BASE_URL", "https://example.atlassian.net/wiki/"),
    ("CONFLUENCE_EMAIL", "a@example.com"),
    ("CONFLUENCE_API_TOKEN", "confluence-secret"),
    ("LLAMA_CLOUD_API_KEY", "llama-secret"),
];

fn pairs(of: &[&[(&str, &str)]]) -> Pairs {
    of.iter()
        .flat_map(|part| part.iter())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn troubles(of: &[&[(&str, &str)]], need: Need) -> Vec<String> {
    match Settings::from_pairs(&pairs(of), need) {
        Ok(_) => Vec::new(),
        Err(error) => error
            .0
            .into_iter()
            .map(|trouble| trouble.variable)
            .collect(),
    }
}

#[test]
fn four_values_are_enough_to_serve() {
    let (settings, warnings) = Settings::from_pairs(&pairs(&[FOUR]), Need::Serve).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(
        settings.confluence.unwrap().base_url.as_str(),
        "https://example.atlassian.net/wiki/"
    );
    assert_eq!(settings.default_backend, BackendKind::LlamaCloud);
    assert_eq!(
        (settings.http.host.to_string().as_str(), settings.http.port),
        ("127.0.0.1", 8001)
    );
    assert_eq!(
        settings.database.file(),
        Some(std::path::Path::new("./confluence_sync.db"))
    );
    assert_eq!(settings.sync.check_interval, Duration::from_secs(300));
}

#[test]
fn without_a_key_for_llamacloud_the_embedded_index_is_used() {
    let (settings, _) = Settings::from_pairs(&pairs(&[&FOUR[..3]]), Need::Serve).unwrap();
    assert_eq!(settings.default_backend, BackendKind::Local);
    assert_eq!(
        troubles(
            &[&FOUR[..3], &[("RETRIEVAL_BACKEND", "llamacloud")]],
            Need::Serve
        ),
        ["LLAMA_CLOUD_API_KEY"]
    );
}

#[test]
fn every_problem_is_named_at_once_and_no_value_is_shown() {
    let bad = [
        ("API_PORT", "no-port-4711"),
        ("SYNC_MAX_DELETE_PERCENT", "101"),
        ("LOG_FORMAT", "yaml-4711"),
        ("CONFLUENCE_BASE_URL", "http://far-4711.example.com"),
        ("DATABASE_URL", "mysql://user:pass-4711@db"),
    ];
    let error = Settings::from_pairs(&pairs(&[&bad]), Need::Serve).unwrap_err();
    let mut named: Vec<_> = error
        .0
        .iter()
        .map(|trouble| trouble.variable.as_str())
        .collect();
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "API_PORT",
            "CONFLUENCE_API_TOKEN",
            "CONFLUENCE_BASE_URL",
            "CONFLUENCE_EMAIL",
            "DATABASE_URL",
            "LOG_FORMAT",
            "SYNC_MAX_DELETE_PERCENT"
        ]
    );
    assert!(!error.to_string().contains("4711"), "{error}");
}

#[test]
fn commands_without_confluence_need_no_account() {
    assert!(troubles(&[&[]], Need::Local).is_empty());
    assert_eq!(
        troubles(&[&[]], Need::Confluence),
        [
            "CONFLUENCE_BASE_URL",
            "CONFLUENCE_EMAIL",
            "CONFLUENCE_API_TOKEN"
        ]
    );
}

#[test]
fn an_address_reachable_from_outside_needs_credentials() {
    let outside = [("API_HOST", "0.0.0.0")];
    assert_eq!(troubles(&[FOUR, &outside], Need::Serve), ["API_HOST"]);
    for enough in [
        [("API_KEY", "long-enough-key")],
        [("AUTH_DISABLED", "true")],
    ] {
        assert!(troubles(&[FOUR, &outside, &enough], Need::Serve).is_empty());
    }
    assert!(
        troubles(
            &[
                FOUR,
                &outside,
                &[
                    ("OAUTH_ISSUER", "https://idp.example.com"),
                    ("OAUTH_AUDIENCE", "us")
                ]
            ],
            Need::Serve
        )
        .is_empty()
    );
    assert!(
        troubles(&[FOUR, &outside], Need::Confluence).is_empty(),
        "`sync` does not listen"
    );
    let warned = |more: &[(&str, &str)], need| {
        let (_, warnings) = Settings::from_pairs(&pairs(&[FOUR, more]), need).unwrap();
        let mut names = warnings.into_iter().map(|warning| warning.variable);
        names.any(|name| name == "AUTH_DISABLED")
    };
    let open = [("API_HOST", "0.0.0.0"), ("AUTH_DISABLED", "true")];
    assert!(warned(&open, Need::Serve) && !warned(&open, Need::Local));
    assert!(!warned(&open[1..], Need::Serve));
    let closed = [open[0], open[1], ("API_KEY", "a-key-that-is-long-enough")];
    assert!(!warned(&closed, Need::Serve));
}

#[test]
fn signing_in_at_an_issuer_needs_a_client_a_role_and_an_address_to_come_back_to() {
    const GOOD: [(&str, &str); 3] = [
        ("OIDC_ISSUER", "https://idp.example.com/realms/x"),
        ("OIDC_CLIENT_ID", "confluence-sync"),
        ("OIDC_READERS", "staff, Ann@example.org"),
    ];
    let (settings, warnings) = Settings::from_pairs(&pairs(&[FOUR, &GOOD]), Need::Serve).unwrap();
    let oidc = settings.auth.oidc.unwrap();
    assert!(warnings.is_empty() && oidc.client_secret.is_none());
    assert_eq!(
        [&*oidc.name, &*oidc.scopes, &*oidc.roles_claim],
        ["idp.example.com", "openid email profile", "groups"]
    );
    assert_eq!(oidc.readers, ["staff", "Ann@example.org"]);
    let outside = ("API_HOST", "0.0.0.0");
    let public = |url| ("PUBLIC_BASE_URL", url);
    for (change, named) in [
        (vec![("OIDC_ISSUER", "")], "OIDC_ISSUER"),
        (
            vec![("OIDC_ISSUER", "http://idp.example.com")],
            "OIDC_ISSUER",
        ),
        (vec![("OIDC_CLIENT_ID", "")], "OIDC_CLIENT_ID"),
        (vec![("OIDC_READERS", " , ")], "OIDC_ADMINISTRATORS"),
        (vec![("OIDC_READERS", "a@b@c")], "OIDC_READERS"),
        (vec![("OIDC_SCOPES", "email")], "OIDC_SCOPES"),
        (vec![outside], "PUBLIC_BASE_URL"),
        (vec![public("http://sync.example.com")], "PUBLIC_BASE_URL"),
    ] {
        assert_eq!(troubles(&[FOUR, &GOOD, &change], Need::Serve), [named]);
    }
    for change in [
        vec![outside, public("https://sync.example.com/sync")],
        vec![public("http://127.0.0.1:8001")],
        vec![("OIDC_ISSUER", "http://127.0.0.1:9")],
    ] {
        let found = troubles(&[FOUR, &GOOD, &change], Need::Serve);
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn trusted_proxies_are_addresses_and_networks() {
    let proxies = |text: &str| {
        let set = pairs(&[&[("TRUSTED_PROXIES", text)]]);
        Settings::from_pairs(&set, Need::Local).map(|(settings, _)| settings.http.trusted_proxies)
    };
    assert_eq!(proxies("").unwrap(), []);
    let named: Vec<String> = proxies("10.0.0.5, 172.16.0.0/12,::1, fd00::/8")
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        named,
        ["10.0.0.5/32", "172.16.0.0/12", "::1/128", "fd00::/8"]
    );
    for bad in ["nginx", "10.0.0.5;10.0.0.6", "10.0.0.0/33", "*"] {
        let error = proxies(bad).unwrap_err();
        assert_eq!(error.0[0].variable, "TRUSTED_PROXIES", "{bad}");
    }
}

#[test]
fn a_short_key_is_refused_or_warned_of() {
    let with_key = |key: &str| Settings::from_pairs(&pairs(&[&[("API_KEY", key)]]), Need::Local);
    assert_eq!(with_key("7-chars").unwrap_err().0[0].variable, "API_KEY");
    for (key, warned) in [
        ("8-chars!", true),
        ("15-characters!!", true),
        ("16-characters!!!", false),
    ] {
        let (_, warnings) = with_key(key).unwrap();
        assert_eq!(
            warnings.iter().any(|warning| warning.variable == "API_KEY"),
            warned,
            "{key}"
        );
    }
}

#[test]
fn a_secret_may_stand_in_a_file_but_not_in_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "from-the-file\n").unwrap();
    let file = file.to_str().unwrap();
    let by_file = [("CONFLUENCE_API_TOKEN_FILE", file)];

    let (settings, warnings) =
        Settings::from_pairs(&pairs(&[&FOUR[..2], &by_file]), Need::Serve).unwrap();
    assert!(warnings.is_empty());
    let ConfluenceCredentials::Basic { api_token, .. } = settings.confluence.unwrap().credentials
    else {
        panic!("a token is set");
    };
    assert_eq!(
        secrecy::ExposeSecret::expose_secret(&api_token),
        "from-the-file"
    );

    assert_eq!(
        troubles(&[FOUR, &by_file], Need::Serve),
        ["CONFLUENCE_API_TOKEN"]
    );
    assert_eq!(
        troubles(
            &[
                &FOUR[..2],
                &[("CONFLUENCE_API_TOKEN_FILE", "/nowhere/at/all")]
            ],
            Need::Serve
        ),
        ["CONFLUENCE_API_TOKEN_FILE"]
    );
}

#[test]
fn an_unknown_variable_is_a_warning_that_names_the_nearest() {
    let (_, warnings) = Settings::from_pairs(
        &pairs(&[
            FOUR,
            &[
                ("CONFLUENCE_API_TOKN", "x"),
                ("PATH", "/bin"),
                ("SYNC_RETENTION", "3"),
            ],
        ]),
        Need::Serve,
    )
    .unwrap();
    let said: Vec<_> = warnings
        .iter()
        .map(|w| format!("{} {}", w.variable, w.message))
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].contains("CONFLUENCE_API_TOKN ") && said[0].ends_with("CONFLUENCE_API_TOKEN?"),
        "{said:?}"
    );
    assert!(said[1].ends_with("SYNC_RETENTION_DAYS?"), "{said:?}");
}

#[test]
fn database_urls_name_files_as_documented() {
    for (url, file) in [
        ("sqlite:///relative/a.db", "relative/a.db"),
        ("sqlite:////absolute/a.db", "/absolute/a.db"),
        ("sqlite://relative.db", "relative.db"),
    ] {
        let (settings, _) =
            Settings::from_pairs(&pairs(&[&[("DATABASE_URL", url)]]), Need::Local).unwrap();
        assert_eq!(
            settings.database.file(),
            Some(std::path::Path::new(file)),
            "{url}"
        );
        let index = file.replace(".db", ".index.db");
        assert_eq!(settings.embedded_index(), std::path::Path::new(&index));
        assert_eq!(settings.on_disk(), [std::path::Path::new(file)]);
    }
    let elsewhere = [("EMBEDDED_INDEX_DIR", "/data")];
    let (settings, _) = Settings::from_pairs(&pairs(&[&elsewhere]), Need::Local).unwrap();
    let files = ["./confluence_sync.db", "/data/confluence_sync.index.db"];
    assert_eq!(settings.on_disk(), files.map(std::path::Path::new));
    let server = [("DATABASE_URL", "postgres://u:p@h/db")];
    #[cfg(not(feature = "postgres"))]
    assert_eq!(troubles(&[&server], Need::Local), ["DATABASE_URL"]);
    #[cfg(feature = "postgres")]
    {
        let (settings, _) = Settings::from_pairs(&pairs(&[&server]), Need::Local).unwrap();
        assert_eq!(settings.database.to_string(), "postgres://h:5432/db");
        let usual = std::path::Path::new("confluence_sync.index.db");
        assert_eq!(settings.on_disk(), [usual]);
        let pairs = pairs(&[&server, &elsewhere]);
        let (settings, _) = Settings::from_pairs(&pairs, Need::Local).unwrap();
        let there = std::path::Path::new("/data/confluence_sync.index.db");
        assert_eq!(settings.on_disk(), [there]);
        let scheduled = [("BACKUP_SCHEDULE", "02:00 Europe/Berlin")];
        assert_eq!(
            troubles(&[&server, &scheduled], Need::Local),
            ["BACKUP_SCHEDULE"]
        );
    }
}

#[test]
fn secrets_are_not_printed() {
    let with_key = [
        ("API_KEY", "the-admin-secret"),
        (
            "NOTIFY_WEBHOOK_URL",
            "https://hooks.example.com/hook-secret",
        ),
    ];
    let (settings, _) = Settings::from_pairs(&pairs(&[FOUR, &with_key]), Need::Serve).unwrap();
    assert!(
        !format!("{settings:?}").contains("secret\""),
        "{settings:?}"
    );
    assert!(!format!("{settings:?}").contains("hook-secret"));
}

#[test]
fn embeddings_need_an_endpoint_or_a_folder_and_are_off_without() {
    let read = |more: &[(&str, &str)]| {
        let (settings, warnings) =
            Settings::from_pairs(&pairs(&[FOUR, more]), Need::Serve).unwrap();
        assert_eq!(warnings, []);
        settings.embeddings
    };
    assert!(read(&[]).is_none());
    let settings = read(&[
        ("EMBEDDINGS_URL", "http://ollama:11434/v1"),
        ("EMBEDDINGS_MODEL", "e5-small"),
        ("EMBEDDINGS_DIMENSIONS", "384"),
        ("EMBEDDINGS_QUESTION_PREFIX", "query: "),
    ])
    .unwrap();
    let EmbeddingsSettings::Endpoint(EmbeddingsEndpoint { recipe, .. }) = settings else {
        panic!("{settings:?}");
    };
    assert_eq!(
        (recipe.model.as_str(), recipe.dimensions),
        ("e5-small", Some(384))
    );
    assert_eq!(
        (
            recipe.question_prefix.as_str(),
            recipe.passage_prefix.as_str()
        ),
        ("query: ", "")
    );
    for (more, wrong) in [
        (&[("EMBEDDINGS_MODEL", "m")][..], "EMBEDDINGS_URL"),
        (
            &[("EMBEDDINGS_URL", "https://api.openai.com/v1")],
            "EMBEDDINGS_MODEL",
        ),
        (
            &[
                ("EMBEDDINGS_URL", "http://api.openai.com/v1"),
                ("EMBEDDINGS_MODEL", "m"),
            ],
            "EMBEDDINGS_URL",
        ),
        (
            &[
                ("EMBEDDINGS_URL", "https://api.openai.com/v1"),
                ("EMBEDDINGS_MODEL", "m"),
                ("EMBEDDINGS_DIMENSIONS", "0"),
            ],
            "EMBEDDINGS_DIMENSIONS",
        ),
        (
            &[
                ("EMBEDDINGS_URL", "https://api.openai.com/v1"),
                ("EMBEDDINGS_MODEL", "m"),
                ("EMBEDDINGS_MODEL_DIR", "/models/m"),
            ],
            "EMBEDDINGS_MODEL_DIR",
        ),
    ] {
        assert_eq!(troubles(&[FOUR, more], Need::Serve), [wrong]);
    }
}

#[test]
fn a_models_folder_needs_a_program_that_can_use_it_and_no_name_of_a_model() {
    const FOLDER: &[(&str, &str)] = &[
        ("EMBEDDINGS_MODEL_DIR", "/models/m"),
        ("EMBEDDINGS_PASSAGE_PREFIX", "passage:"),
    ];
    let read = Settings::from_pairs(&pairs(&[FOUR, FOLDER]), Need::Serve);
    if cfg!(feature = "local-model") {
        let settings = read.unwrap().0.embeddings.unwrap();
        let EmbeddingsSettings::Folder(folder) = settings else {
            panic!("{settings:?}");
        };
        assert_eq!(folder.folder.to_str(), Some("/models/m"));
        assert_eq!(folder.passage_prefix, "passage: ");
        let more = &[("EMBEDDINGS_MODEL", "m")][..];
        assert_eq!(
            troubles(&[FOUR, FOLDER, more], Need::Serve),
            ["EMBEDDINGS_MODEL"]
        );
    } else {
        let error = read.unwrap_err().to_string();
        assert!(
            error.contains("EMBEDDINGS_MODEL_DIR") && error.contains("--features local-model"),
            "{error}"
        );
    }
}

/// `config/.env.example` and the list of variables say the same, and what it sets is accepted.
#[test]
fn the_example_file_documents_every_setting() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/.env.example");
    let text = std::fs::read_to_string(path).unwrap();
    let mut documented: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let (name, _) = line.trim_start_matches("# ").split_once('=')?;
            let is_name =
                name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && !name.is_empty();
            is_name.then(|| name.to_owned())
        })
        .collect();
    documented.sort_unstable();
    let mut known: Vec<String> = variables::names().collect();
    known.sort_unstable();
    assert_eq!(documented, known);

    let set = env_file::read(path, &text).unwrap();
    assert!(set.warnings.is_empty(), "{:?}", set.warnings);
    // As it is, it says that nothing of it is filled in.
    let refused = Settings::from_pairs(&set.pairs, Need::Local).unwrap_err();
    let mut named: Vec<_> = refused.0.iter().map(|trouble| &*trouble.variable).collect();
    named.sort_unstable();
    assert_eq!(named, set.pairs.keys().collect::<Vec<_>>());
    let empty = set.pairs.into_keys().map(|name| (name, String::new()));
    let (_, warnings) = Settings::from_pairs(&empty.collect(), Need::Local).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn the_network_is_read_with_the_rest_and_its_password_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "the certificates").unwrap();
    let network = [
        ("HTTPS_PROXY", "http://me:hush@proxy.example:3128"),
        ("EXTRA_CA_FILE", file.to_str().unwrap()),
    ];
    let (settings, _) = Settings::from_pairs(&pairs(&[FOUR, &network]), Need::Serve).unwrap();
    assert_eq!(
        settings.network.extra_ca_pem.as_deref(),
        Some(&b"the certificates"[..])
    );
    assert!(settings.network.proxy.is_some());
    assert!(!format!("{settings:?}").contains("hush"));

    std::fs::remove_file(&file).unwrap();
    assert_eq!(troubles(&[FOUR, &network], Need::Serve), ["EXTRA_CA_FILE"]);
}

#[test]
fn what_is_probably_miswritten_is_told_whatever_it_begins_with() {
    let odd = [
        ("RETREIVAL_BACKEND", "local"),
        ("DATABASE_URI", "a.db"),
        // Of other programs.
        ("HOSTNAME", "a"),
        ("PYTHONPATH", "a"),
        ("HTTP_PROXY", "http://proxy"),
        // Beside the right one.
        ("LOG_FORMATS", "text"),
        ("LOG_FORMAT", "text"),
        ("RUST_LOG", "loud"),
    ];
    let (settings, warnings) = Settings::from_pairs(&pairs(&[FOUR, &odd]), Need::Serve).unwrap();
    let told: Vec<_> = warnings
        .iter()
        .map(|warning| (&*warning.variable, warning.message.as_str()))
        .collect();
    let meant = |name| format!("is not a setting; did you mean {name}?");
    assert_eq!(
        told[..2],
        [
            ("DATABASE_URI", &*meant("DATABASE_URL")),
            ("RETREIVAL_BACKEND", &*meant("RETRIEVAL_BACKEND")),
        ],
        "{told:?}"
    );
    assert_eq!((told[2].0, told.len()), ("RUST_LOG", 3), "{told:?}");
    assert_eq!(settings.log.filter, "info,loud");
}

#[test]
fn age_counts_only_where_somebody_says_from_when_on() {
    let (unset, _) = Settings::from_pairs(&pairs(&[FOUR]), Need::Serve).unwrap();
    assert_eq!(unset.rank_decay_years, None);
    let set = [("RANK_DECAY_YEARS", "3")];
    let (set, _) = Settings::from_pairs(&pairs(&[FOUR, &set]), Need::Serve).unwrap();
    assert_eq!(set.rank_decay_years, Some(3));
    let bad = [("RANK_DECAY_YEARS", "-1")];
    assert_eq!(troubles(&[FOUR, &bad], Need::Serve), ["RANK_DECAY_YEARS"]);
}

#[test]
fn questions_are_kept_only_where_somebody_says_for_how_long() {
    let kept = |days: &str| {
        let pairs = pairs(&[FOUR, &[("QUESTIONS_KEPT_DAYS", days)]]);
        Settings::from_pairs(&pairs, Need::Serve)
            .unwrap()
            .0
            .questions_kept_days
    };
    let (unset, _) = Settings::from_pairs(&pairs(&[FOUR]), Need::Serve).unwrap();
    assert_eq!(unset.questions_kept_days, None);
    assert_eq!((kept("0"), kept("30")), (None, Some(30)));
    let bad = [("QUESTIONS_KEPT_DAYS", "366")];
    assert_eq!(
        troubles(&[FOUR, &bad], Need::Serve),
        ["QUESTIONS_KEPT_DAYS"]
    );
}

#[test]
fn who_asked_what_is_kept_only_where_somebody_says_so() {
    let (unset, _) = Settings::from_pairs(&pairs(&[FOUR]), Need::Serve).unwrap();
    assert_eq!(
        (unset.audit.questions, unset.audit.kept_days),
        (KeptOfQuestions::Nothing, 30)
    );
    for (word, kept) in [
        ("off", KeptOfQuestions::Nothing),
        ("pages", KeptOfQuestions::Pages),
        ("Text", KeptOfQuestions::Text),
    ] {
        let set = [
            ("AUDIT_QUESTIONS", word),
            ("AUDIT_QUESTIONS_KEPT_DAYS", "365"),
        ];
        let (settings, _) = Settings::from_pairs(&pairs(&[FOUR, &set]), Need::Serve).unwrap();
        let audit = settings.audit;
        assert_eq!((audit.questions, audit.kept_days), (kept, 365));
    }
    let bad = [
        ("AUDIT_QUESTIONS", "all"),
        ("AUDIT_QUESTIONS_KEPT_DAYS", "0"),
    ];
    assert_eq!(
        troubles(&[FOUR, &bad], Need::Serve),
        ["AUDIT_QUESTIONS", "AUDIT_QUESTIONS_KEPT_DAYS"]
    );
}

#[test]
fn the_pool_of_connections_has_a_size() {
    let size = |text: &str| {
        let set = [("DATABASE_POOL_SIZE", text)];
        let read = Settings::from_pairs(&pairs(&[FOUR, &set]), Need::Serve);
        read.map(|(settings, _)| settings.store_options().pool_size)
    };
    assert_eq!(size("3").unwrap(), 3);
    assert_eq!(size("100").unwrap(), 100);
    for bad in ["2", "101", "many"] {
        let error = size(bad).unwrap_err().to_string();
        assert!(error.contains("DATABASE_POOL_SIZE"), "{error}");
        assert!(error.contains("from 3 to 100"), "{error}");
    }
    let (usual, _) = Settings::from_pairs(&pairs(&[FOUR]), Need::Serve).unwrap();
    assert_eq!(usual.database_pool_size, 9);
}

#[test]
fn backups_and_the_token_of_collectors_are_checked() {
    let good = [
        ("BACKUP_SCHEDULE", "03:00 Europe/Berlin"),
        ("BACKUP_KEEP", "3"),
        ("METRICS_TOKEN", "0123456789abcdef"),
    ];
    let (settings, _) = Settings::from_pairs(&pairs(&[FOUR, &good]), Need::Serve).unwrap();
    let backups = settings.backups.unwrap();
    assert_eq!(
        (backups.at.to_string().as_str(), backups.keep),
        ("03:00 Europe/Berlin", 3)
    );
    let bad = [
        ("BACKUP_SCHEDULE", "nightly"),
        ("BACKUP_KEEP", "0"),
        ("METRICS_TOKEN", "short"),
    ];
    assert_eq!(
        troubles(&[FOUR, &bad], Need::Serve),
        ["METRICS_TOKEN", "BACKUP_KEEP", "BACKUP_SCHEDULE"]
    );
}

#[test]
fn whom_trouble_is_told_and_who_may_ask_for_a_poll_is_checked() {
    let good = [
        ("NOTIFY_WEBHOOK_URL", "https://hooks.example/a-secret"),
        ("NOTIFY_FORM", "Slack"),
        ("NOTIFY_SECRET", "0123456789abcdef"),
        ("HOOK_SECRET", "0123456789abcdef"),
    ];
    let (settings, _) = Settings::from_pairs(&pairs(&[FOUR, &good]), Need::Serve).unwrap();
    let notices = settings.notices.as_ref().unwrap();
    assert_eq!(notices.form, NoticeForm::Slack);
    assert!(notices.secret.is_some() && settings.auth.hook_secret.is_some());
    let shown = format!("{settings:?}");
    assert!(
        !shown.contains("a-secret") && !shown.contains("0123"),
        "{shown}"
    );
    let bad = [
        ("HOOK_SECRET", "short"),
        ("NOTIFY_FORM", "fax"),
        ("NOTIFY_SECRET", "short"),
    ];
    assert_eq!(
        troubles(&[FOUR, &bad], Need::Serve),
        [
            "HOOK_SECRET",
            "NOTIFY_FORM",
            "NOTIFY_WEBHOOK_URL",
            "NOTIFY_SECRET"
        ]
    );
}

#[test]
fn a_changed_setting_asks_unless_the_administrator_has_agreed() {
    for (word, on_change) in [
        (None, OnChange::Ask),
        (Some("ask"), OnChange::Ask),
        (Some("yes"), OnChange::Rebuild),
    ] {
        let set: Vec<_> = word
            .into_iter()
            .map(|word| ("REBUILD_ON_CHANGE", word))
            .collect();
        let (settings, _) = Settings::from_pairs(&pairs(&[FOUR, &set]), Need::Serve).unwrap();
        assert_eq!(settings.on_change, on_change, "{word:?}");
    }
    let bad = [("REBUILD_ON_CHANGE", "maybe")];
    assert_eq!(troubles(&[FOUR, &bad], Need::Serve), ["REBUILD_ON_CHANGE"]);
}

#[test]
fn confluence_is_asked_by_an_api_token_or_as_an_app() {
    let key = "00".repeat(32);
    let app = [
        ("CONFLUENCE_BASE_URL", "https://x.atlassian.net"),
        ("CONFLUENCE_OAUTH_CLIENT_ID", "app"),
        ("CONFLUENCE_OAUTH_CLIENT_SECRET", "app-secret"),
        ("SECRETS_KEY", key.as_str()),
    ];
    let (settings, _) = Settings::from_pairs(&pairs(&[&app]), Need::Serve).unwrap();
    let ConfluenceCredentials::OAuth(read) = settings.confluence.unwrap().credentials else {
        panic!("an app is set");
    };
    assert!(
        read.scopes
            .split(' ')
            .any(|scope| scope == "read:page:confluence")
    );
    assert!(!format!("{read:?}").contains("app-secret"));

    let account = [("CONFLUENCE_EMAIL", "a@b.c"), ("CONFLUENCE_API_TOKEN", "t")];
    let id = "CONFLUENCE_OAUTH_CLIENT_ID";
    let secret = "CONFLUENCE_OAUTH_CLIENT_SECRET";
    assert_eq!(troubles(&[&app, &account], Need::Serve), [id]);
    assert_eq!(troubles(&[&app, &account[..1]], Need::Serve), [id]);
    assert_eq!(troubles(&[FOUR, &app[2..3]], Need::Serve), [id]);
    assert_eq!(troubles(&[&app[..2]], Need::Serve), [secret, "SECRETS_KEY"]);
    for bad in ["", "00", "not base64!", &"00".repeat(33), &"00".repeat(31)] {
        let found =
            Settings::from_pairs(&pairs(&[&app[..3], &[("SECRETS_KEY", bad)]]), Need::Serve);
        let error = found.unwrap_err();
        assert_eq!(error.0[0].variable, "SECRETS_KEY");
        assert!(error.0[0].message.contains("32 bytes"), "{error}");
        assert!(
            bad.is_empty() || !error.to_string().contains(&format!(": {bad}")),
            "{error}"
        );
    }
    // Who consents is sent back to an address of ours.
    let outside = [("API_HOST", "0.0.0.0"), ("API_KEY", "long-enough-key-1234")];
    assert_eq!(
        troubles(&[&app, &outside], Need::Serve),
        ["PUBLIC_BASE_URL"]
    );
}

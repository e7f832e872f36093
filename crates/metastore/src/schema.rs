//! The tables as diesel sees them; kept by hand in step with `migrations/` (a test compares the two).

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    sites (id) {
        id -> Integer,
        base_url -> Nullable<Text>,
    }
}

table! {
    indexes (id) {
        id -> Text,
        name -> Text,
        name_lower -> Text,
        agent_id -> Text,
        interval_minutes -> Integer,
        enabled -> Bool,
        include_blog_posts -> Bool,
        include_comments -> Bool,
        include_attachments -> Bool,
        labels -> Text,
        exclude_labels -> Text,
        root_page_ids -> Text,
        restricted_pages -> Text,
        status -> Text,
        status_reason -> Nullable<Text>,
        next_run_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        watermark -> Nullable<Timestamp>,
        last_sweep_at -> Nullable<Timestamp>,
        synced_at -> Nullable<Timestamp>,
        scope_revision -> Integer,
        applied_scope_revision -> Integer,
        awaiting_confirmation -> Nullable<Text>,
        deletions_accepted -> Bool,
        guard_answered_at -> Nullable<Timestamp>,
        deletions_refused -> Bool,
        guarded_pages -> Text,
        applied_settings -> Nullable<Text>,
        quiet_hours -> Nullable<Text>,
        site_id -> Integer,
        guard_answered_by -> Nullable<Text>,
        access -> Text,
    }
}

table! {
    index_spaces (index_id, space_key) {
        index_id -> Text,
        space_key -> Text,
        position -> Integer,
        space_id -> Nullable<Text>,
        current_key -> Nullable<Text>,
        name -> Nullable<Text>,
        url -> Nullable<Text>,
        state -> Text,
        reason -> Nullable<Text>,
        last_sync_at -> Nullable<Timestamp>,
        alias -> Nullable<Text>,
    }
}

table! {
    sync_runs (id) {
        id -> Text,
        index_id -> Text,
        kind -> Text,
        status -> Text,
        dry_run -> Bool,
        plan -> Nullable<Text>,
        follow_up -> Nullable<Text>,
        created_at -> Timestamp,
        heartbeat_at -> Timestamp,
        started_at -> Nullable<Timestamp>,
        finished_at -> Nullable<Timestamp>,
        seen -> BigInt,
        fetched -> BigInt,
        uploaded -> BigInt,
        searchable -> BigInt,
        deleted -> BigInt,
        unchanged -> BigInt,
        skipped -> BigInt,
        failed -> BigInt,
        requests_confluence -> BigInt,
        requests_store -> BigInt,
        eta_seconds -> Nullable<BigInt>,
        error -> Nullable<Text>,
        follow_up_run_id -> Nullable<Text>,
    }
}

table! {
    synced_pages (index_id, page_id) {
        index_id -> Text,
        page_id -> Text,
        kind -> Text,
        status -> Text,
        title -> Text,
        title_lower -> Text,
        space_id -> Text,
        parent_id -> Nullable<Text>,
        parent_kind -> Nullable<Text>,
        version -> Integer,
        modified -> Timestamp,
        url -> Text,
        labels -> Text,
        restriction -> Text,
        breadcrumb -> Text,
        body_version -> Nullable<Integer>,
        markdown_hash -> Nullable<Text>,
        state -> Text,
        reason -> Nullable<Text>,
        attempts -> Integer,
        next_try_at -> Nullable<Timestamp>,
        seen_in_run -> Nullable<Text>,
        vanished_at -> Nullable<Timestamp>,
        changed_at -> Timestamp,
        body_due -> Bool,
        comments_hash -> Nullable<Text>,
        media_type -> Nullable<Text>,
        file_size -> Nullable<BigInt>,
        links -> Nullable<Text>,
        belongs -> Bool,
        standing -> Text,
        kept -> Bool,
        document -> Bool,
        lost_reads -> Integer,
        readers -> Nullable<Text>,
        guards -> Nullable<Text>,
        guarded -> Bool,
    }
}

table! {
    access_changes (index_id) {
        index_id -> Text,
        number -> BigInt,
    }
}

table! {
    read_restrictions (index_id, space_id) {
        index_id -> Text,
        space_id -> Text,
        read_at -> Timestamp,
    }
}

table! {
    space_readers (site_id, space_id) {
        site_id -> Integer,
        space_id -> Text,
        readers -> Text,
        read_at -> Timestamp,
    }
}

table! {
    read_groups (site_id, group_id) {
        site_id -> Integer,
        group_id -> Text,
        read_at -> Timestamp,
    }
}

table! {
    group_members (site_id, group_id, account_id) {
        site_id -> Integer,
        group_id -> Text,
        account_id -> Text,
    }
}

table! {
    member_emails (site_id, account_id) {
        site_id -> Integer,
        account_id -> Text,
        email -> Text,
    }
}

table! {
    closed_accounts (site_id, account_id) {
        site_id -> Integer,
        account_id -> Text,
    }
}

table! {
    mapped_emails (site_id, email) {
        site_id -> Integer,
        email -> Text,
        account_id -> Text,
        from_file -> Bool,
    }
}

table! {
    document_counts (index_id, space_id) {
        index_id -> Text,
        space_id -> Text,
        documents -> BigInt,
    }
}

table! {
    store_objects (id) {
        id -> BigInt,
        index_id -> Text,
        agent_id -> Nullable<Text>,
        backend -> Text,
        remote -> Nullable<Text>,
        role -> Text,
        since -> Timestamp,
        attempts -> Integer,
        next_try_at -> Nullable<Timestamp>,
    }
}

table! {
    holdings (object_id, page_id) {
        object_id -> BigInt,
        page_id -> Text,
        kind -> Text,
        want -> Nullable<Text>,
        have -> Text,
        in_doubt -> Bool,
        claimed_by -> Nullable<Text>,
        accepted_at -> Nullable<Timestamp>,
        attempts -> Integer,
        failed_at -> Nullable<Timestamp>,
        next_try_at -> Nullable<Timestamp>,
        last_error -> Nullable<Text>,
        since -> Timestamp,
        open -> Bool,
    }
}

table! {
    bodies (site_id, page_id) {
        site_id -> Integer,
        page_id -> Text,
        kind -> Text,
        version -> Integer,
        converter -> Integer,
        markdown_hash -> Text,
        stored_bytes -> BigInt,
        text_bytes -> BigInt,
        markdown -> Binary,
        storage -> Binary,
        rendered -> Nullable<Binary>,
    }
}

table! {
    body_totals (site_id) {
        site_id -> Integer,
        bodies -> BigInt,
        stored_bytes -> BigInt,
    }
}

table! {
    comments (site_id, comment_id) {
        site_id -> Integer,
        comment_id -> Text,
        page_id -> Text,
        parent_id -> Nullable<Text>,
        place -> Text,
        version -> Integer,
        modified -> Timestamp,
        author -> Nullable<Text>,
        standing -> Text,
        quoted -> Nullable<Text>,
        url -> Text,
        converter -> Integer,
        absent_since -> Nullable<Timestamp>,
        markdown -> Binary,
        storage -> Binary,
    }
}

table! {
    people (site_id, account_id) {
        site_id -> Integer,
        account_id -> Text,
        display_name -> Text,
    }
}

table! {
    checkpoints (index_id, walk) {
        index_id -> Text,
        walk -> Text,
        cursor -> Text,
        updated_at -> Timestamp,
    }
}

table! {
    events (seq) {
        seq -> BigInt,
        at -> Timestamp,
        kind -> Text,
        index_id -> Text,
        run_id -> Nullable<Text>,
        data -> Text,
    }
}

table! {
    notices (run_id) {
        run_id -> Text,
        run -> Text,
        index_name -> Text,
        agent_id -> Text,
        at -> Timestamp,
        attempts -> Integer,
        next_try_at -> Nullable<Timestamp>,
        delivered_at -> Nullable<Timestamp>,
        last_error -> Nullable<Text>,
    }
}

table! {
    told (index_id) {
        index_id -> Text,
        state -> Text,
    }
}

table! {
    tokens (id) {
        id -> Text,
        role -> Text,
        name -> Text,
        prefix -> Text,
        secret_hash -> Text,
        created_at -> Timestamp,
        created_by -> Nullable<Text>,
        last_used_at -> Nullable<Timestamp>,
        expires_at -> Nullable<Timestamp>,
        speaks_for_others -> Bool,
        subject -> Nullable<Text>,
        email -> Nullable<Text>,
    }
}

table! {
    token_indexes (token_id, index_id) {
        token_id -> Text,
        index_id -> Text,
    }
}

table! {
    audit (id) {
        id -> BigInt,
        at -> Timestamp,
        actor -> Text,
        token_id -> Nullable<Text>,
        address -> Nullable<Text>,
        action -> Text,
        outcome -> Text,
        index_id -> Nullable<Text>,
        subject -> Nullable<Text>,
        detail -> Nullable<Text>,
        kind -> Text,
        person -> Nullable<Text>,
    }
}

table! {
    remembered (name) {
        name -> Text,
        value -> Text,
    }
}

table! {
    mcp_sessions (id) {
        id -> Text,
        owner -> Text,
        opening -> Text,
        used_at -> Timestamp,
    }
}

table! {
    page_sessions (hash) {
        hash -> Text,
        ends_at -> Timestamp,
        token_id -> Nullable<Text>,
    }
}

table! {
    run_pages (run_id, page_id) {
        run_id -> Text,
        page_id -> Text,
        kind -> Text,
        change -> Text,
        reason -> Nullable<Text>,
        title -> Nullable<Text>,
        url -> Nullable<Text>,
    }
}

table! {
    page_links (index_id, target_id, page_id) {
        index_id -> Text,
        target_id -> Text,
        page_id -> Text,
    }
}

allow_tables_to_appear_in_same_query!(tokens, token_indexes);
allow_tables_to_appear_in_same_query!(read_groups, group_members, member_emails);
table! {
    section_edits (site_id, page_id, version) {
        site_id -> Integer,
        page_id -> Text,
        version -> Integer,
        at -> Timestamp,
        changes -> Text,
    }
}

table! {
    questions (index_id, id) {
        index_id -> Text,
        id -> Text,
        question -> Text,
        times -> BigInt,
        first_asked_at -> Timestamp,
        last_asked_at -> Timestamp,
        found -> Text,
        unknown_words -> Text,
    }
}

table! {
    evaluations (index_id) {
        index_id -> Text,
        questions -> Text,
        schedule -> Nullable<Text>,
        set_at -> Timestamp,
        wanted_at -> Nullable<Timestamp>,
        ran_at -> Nullable<Timestamp>,
        error -> Nullable<Text>,
        unknown_pages -> Text,
        missed -> Text,
    }
}

table! {
    evaluation_results (index_id, at, kind) {
        index_id -> Text,
        at -> Timestamp,
        kind -> Text,
        figures -> Text,
    }
}

table! {
    confluence_grants (site_id) {
        site_id -> Integer,
        client_id -> Text,
        cloud_id -> Text,
        site_url -> Text,
        scopes -> Text,
        granted_by -> Text,
        granted_at -> Timestamp,
        refresh_token -> Binary,
        access_token -> Binary,
        refreshed_at -> Timestamp,
        access_ends_at -> Timestamp,
        refused -> Nullable<Text>,
    }
}

allow_tables_to_appear_in_same_query!(
    indexes,
    index_spaces,
    sync_runs,
    synced_pages,
    page_links,
    store_objects,
    holdings,
    bodies,
    comments
);

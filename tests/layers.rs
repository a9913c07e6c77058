//! Who may import whom inside the library. The compiler holds the walls between crates; this test holds the others.
//!
//! The table is the rule: a module that is missing, or an import that is not listed, fails the test. Adding a line is a
//! decision that a reviewer should see.

use crate::support::tree::{root, rust_files};
use std::collections::{BTreeMap, BTreeSet};

/// Words for groups of modules that many may import.
const BASE: &[&str] = &["error", "clock", "page", "config", "tasks"];
const USE_CASES: &[&str] = &[
    "accounts",
    "appointments",
    "audit",
    "backups",
    "calls",
    "carriers",
    "clinic",
    "contacts",
    "conversations",
    "knowledge",
    "music",
    "outbound",
    "reasons",
    "recordings",
    "search",
    "secrets",
    "sessions",
    "softphone",
    "storage",
    "tasks_owed",
    "texts",
    "trunks",
    "phones",
];

/// Module, and what it may import beside [`BASE`].
const ALLOWED: &[(&str, &[&str])] = &[
    // Foundations: nothing above them.
    ("error", &[]),
    ("clock", &[]),
    ("page", &[]),
    ("config", &[]),
    ("tasks", &[]),
    ("log", &[]),
    ("notes", &[]),
    ("password", &[]),
    // The core: vendors, facts, identity, telephony, the floor.
    ("providers", &[]),
    ("events", &[]),
    ("errands", &["events"]),
    ("auth", &["events"]),
    ("voice", &["providers"]),
    ("floor", &["events", "providers", "voice", "recordings"]),
    // Use-cases see the core and the shared state, and each other; never HTTP.
    ("accounts", &["app", "auth", "events", "password", "sessions", "softphone"]),
    ("appointments", &["app", "auth", "events", "contacts", "voice"]),
    ("calls", &["app", "auth", "clinic", "events", "floor", "outbound", "phones", "reasons", "trunks"]),
    ("carriers", &["app", "auth", "events", "texts", "voice"]),
    ("clinic", &["app", "auth", "events"]),
    ("contacts", &["app", "auth", "events"]),
    ("conversations", &["app", "auth", "calls", "events", "reasons"]),
    ("knowledge", &["app", "auth", "events", "providers"]),
    ("music", &["app", "auth", "events", "providers", "voice"]),
    ("outbound", &["app", "auth", "clinic", "events", "trunks"]),
    ("reasons", &["app", "auth", "clinic", "events"]),
    ("recordings", &["app", "auth", "calls", "events", "reasons", "voice"]),
    ("search", &["app", "auth", "errands", "events", "notes", "reasons"]),
    ("sessions", &["app", "auth", "events", "accounts", "password"]),
    ("tasks_owed", &["app", "auth", "events"]),
    ("texts", &["app", "auth", "calls", "events", "outbound"]),
    ("audit", &["app", "auth"]),
    ("backups", &["errands", "events", "notes"]),
    ("storage", &["app", "auth", "backups", "errands", "search"]),
    ("secrets", &["events", "notes"]),
    ("softphone", &["app", "auth", "floor", "voice"]),
    ("trunks", &["app", "auth", "events"]),
    ("phones", &["app", "auth", "events"]),
    // What the receptionist does with records: use-cases behind the trait that `voice` declares.
    ("tools", &["events", "voice", "appointments", "contacts", "knowledge", "tasks_owed", "providers"]),
];

/// Modules that stand above everything and may import all of it, each with its reason.
const EDGES: &[(&str, &str)] = &[
    ("app", "starts and stops every part"),
    ("http", "speaks for the use-cases"),
    ("jobs", "follows the feed for the use-cases"),
    ("cli", "the command line starts everything"),
    ("demo", "plays a whole clinic"),
];

/// `src/a/b.rs` belongs to module `a`.
fn module_of(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

/// Modules named after `crate::` or, in the binary, after `auricle::`.
fn imports(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for prefix in ["crate::", "auricle::"] {
        for (at, _) in text.match_indices(prefix) {
            let rest = &text[at + prefix.len()..];
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
            if end > 0 {
                found.insert(&rest[..end]);
            }
        }
    }
    found
}

#[test]
fn modules_import_only_what_stands_below_them() {
    let table: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        if path.starts_with("src/domain") || path == "src/lib.rs" || path == "src/main.rs" {
            continue;
        }
        let module = module_of(&path);
        if EDGES.iter().any(|(edge, _)| *edge == module) {
            continue;
        }
        let Some(allowed) = table.get(module) else {
            wrong.push(format!("{path}: module `{module}` is not in the table of tests/layers.rs"));
            continue;
        };
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        for import in imports(&text) {
            let fine = import == module || BASE.contains(&import) || allowed.contains(&import);
            let known = table.contains_key(import) || EDGES.iter().any(|(edge, _)| *edge == import);
            if known && !fine {
                wrong.push(format!("{path} imports `{import}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_below_the_edges_knows_http() {
    for path in rust_files("src") {
        let module = module_of(&path);
        if matches!(module, "http" | "app" | "cli" | "lib" | "demo") {
            continue;
        }
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        assert!(!text.contains("crate::http") && !text.contains("axum::"), "{path} knows HTTP");
    }
}

#[test]
fn every_use_case_is_in_the_table() {
    for module in USE_CASES {
        assert!(ALLOWED.iter().any(|(name, _)| name == module), "{module}");
    }
}

/// Vendors stay in their own file: their crates are named nowhere else.
#[test]
fn vendor_types_never_leave_their_file() {
    for (vendor, home) in [("async_openai", "src/providers/openai"), ("libloading", "src/providers/pocketsphinx")] {
        for path in rust_files("src") {
            let text = std::fs::read_to_string(root().join(&path)).unwrap();
            assert!(!text.contains(&format!("{vendor}::")) || path.starts_with(home), "{path} names {vendor}");
        }
    }
}

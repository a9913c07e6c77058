//! The documents tell the truth about the tree.

use crate::support::tree::root;

/// Every path in backticks of these documents exists.
#[test]
fn every_path_in_the_documents_exists() {
    let mut missing = Vec::new();
    for document in ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", "docs/running.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let tops = ["src/", "media/", "storage/", "tui/", "webui/", "config/", "tests/", "docs/", "benches/"];
            let is_path = tops.iter().any(|top| word.starts_with(top)) && !word.contains(['<', '*', ' ', '{']);
            if is_path && word != "webui/build" && !root().join(word).exists() {
                missing.push(format!("{document}: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Relative links lead somewhere.
#[test]
fn every_link_in_the_documents_leads_somewhere() {
    for document in ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", "docs/running.md"] {
        let path = root().join(document);
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                assert!(path.parent().unwrap().join(target).exists(), "{document}: {link}");
            }
        }
    }
}

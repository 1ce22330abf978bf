//! MITRE ATT&CK and PCI DSS, from the tags of the rule.

use super::document::{Block, Reference, Section};
use crate::incident::{Fact, Facts, Sentence};

/// ATT&CK's tactics for enterprises: id, name as tags write it, name.
const TACTICS: [(&str, &str, &str); 14] = [
    ("TA0043", "reconnaissance", "Reconnaissance"),
    ("TA0042", "resource_development", "Resource Development"),
    ("TA0001", "initial_access", "Initial Access"),
    ("TA0002", "execution", "Execution"),
    ("TA0003", "persistence", "Persistence"),
    ("TA0004", "privilege_escalation", "Privilege Escalation"),
    ("TA0005", "defense_evasion", "Defense Evasion"),
    ("TA0006", "credential_access", "Credential Access"),
    ("TA0007", "discovery", "Discovery"),
    ("TA0008", "lateral_movement", "Lateral Movement"),
    ("TA0009", "collection", "Collection"),
    ("TA0010", "exfiltration", "Exfiltration"),
    ("TA0011", "command_and_control", "Command and Control"),
    ("TA0040", "impact", "Impact"),
];

pub(super) fn section(facts: &Facts<'_>) -> Option<Section> {
    let tags = facts.tags()?;
    let mut references: Vec<Reference> = Vec::new();
    for tag in tags.value {
        let found = reference(tag, &tags.from);
        if let Some(found) = found
            && !references.contains(&found)
        {
            references.push(found);
        }
    }
    (!references.is_empty())
        .then(|| Section::new("references", "References", vec![Block::References { references }]))
}

fn reference(tag: &str, from: &[String]) -> Option<Reference> {
    let tactic = TACTICS.iter().find(|(id, name, _)| tag == *id || tag.strip_prefix("mitre_") == Some(name));
    if let Some((id, _, name)) = tactic {
        let what = Sentence::new(&format!("MITRE ATT&CK tactic {name} ({id})")).because(from);
        return Some(Reference { what, url: Some(format!("https://attack.mitre.org/tactics/{id}/")) });
    }
    if let Some(number) = tag.strip_prefix('T').filter(|rest| is_technique(rest)) {
        let what = Sentence::new(&format!("MITRE ATT&CK technique T{number}")).because(from);
        let path = number.replace('.', "/");
        return Some(Reference { what, url: Some(format!("https://attack.mitre.org/techniques/T{path}/")) });
    }
    let requirement = tag.strip_prefix("PCI_DSS_")?;
    let number = Fact { value: requirement.to_owned(), from: from.to_vec() };
    let sound = requirement.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    sound.then(|| Reference {
        what: Sentence::new("PCI DSS requirement ")
            .value(&number)
            .words("; the tag names no version of the standard"),
        url: None,
    })
}

/// `1059` or `1059.004`
fn is_technique(text: &str) -> bool {
    let (number, sub) = text.split_once('.').unwrap_or((text, "000"));
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(number, 4) && digits(sub, 3)
}

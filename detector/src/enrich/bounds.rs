//! What is kept of a container's texts: users put anything into them, and every event of a container carries them.

use std::collections::BTreeMap;

use crate::event::{ContainerMetadata, Healthcheck, Mount};

/// Longest name of a label that is kept.
const NAME_BYTES: usize = 512;
/// Longest value of a label that is kept.
const VALUE_BYTES: usize = 4096;
/// Bytes of all labels of a container together.
const TOTAL_BYTES: usize = 64 * 1024;

/// Longest other text that is kept; one more than the longest path.
const TEXT_BYTES: usize = 4096;
/// Mounts that are kept.
const MOUNTS: usize = 256;
/// Arguments of a health check that are kept.
const ARGUMENTS: usize = 64;

/// Cuts every text and list of a container to its bound. Labels are bounded where they are set.
pub(super) fn clip(container: &mut ContainerMetadata) {
    let texts = [
        &mut container.name,
        &mut container.image,
        &mut container.image_id,
        &mut container.image_repository,
        &mut container.image_tag,
        &mut container.image_digest,
        &mut container.ip,
        &mut container.cni_json,
    ];
    texts.into_iter().flatten().for_each(clip_text);
    if let Some(pod) = &mut container.pod {
        let texts = [&mut pod.name, &mut pod.namespace, &mut pod.uid, &mut pod.sandbox_id, &mut pod.ip];
        texts.into_iter().flatten().for_each(clip_text);
    }
    if let Some(mounts) = &mut container.mounts {
        mounts.truncate(MOUNTS);
        for Mount { source, destination, mode, propagation, .. } in mounts {
            [source, destination, mode, propagation].into_iter().for_each(clip_text);
        }
    }
    if let Some(Healthcheck::Command(arguments)) = &mut container.healthcheck {
        arguments.truncate(ARGUMENTS);
        arguments.iter_mut().for_each(clip_text);
    }
}

fn clip_text(text: &mut String) {
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// About how many bytes a container takes.
pub(super) fn weight(container: &ContainerMetadata) -> usize {
    let map = |labels: &Option<BTreeMap<String, String>>| -> usize {
        labels.iter().flatten().map(|(name, value)| name.len() + value.len() + 64).sum()
    };
    let mounts: usize = container
        .mounts
        .iter()
        .flatten()
        .map(|mount| mount.source.len() + mount.destination.len() + mount.propagation.len() + 128)
        .sum();
    let pod = container.pod.as_ref().map_or(0, |pod| map(&pod.labels));
    1024 + map(&container.labels) + mounts + pod + container.cni_json.as_ref().map_or(0, String::len)
}

/// What is kept of some labels, and how many were not.
pub(super) fn bounded(
    labels: impl IntoIterator<Item = (String, String)>,
) -> (BTreeMap<String, String>, usize) {
    let (mut kept, mut cut, mut total) = (BTreeMap::new(), 0, 0);
    for (name, value) in labels {
        let size = name.len() + value.len();
        if name.len() > NAME_BYTES || value.len() > VALUE_BYTES || total + size > TOTAL_BYTES {
            cut += 1;
            continue;
        }
        total += size;
        kept.insert(name, value);
    }
    (kept, cut)
}

/// Gives a container its labels.
pub(super) fn set_labels(
    container: &mut ContainerMetadata,
    labels: impl IntoIterator<Item = (String, String)>,
) {
    let (kept, cut) = bounded(labels);
    container.labels = Some(kept);
    container.cut_labels = cut;
}

#[cfg(test)]
mod tests {
    use super::{MOUNTS, TEXT_BYTES, TOTAL_BYTES, VALUE_BYTES, bounded, clip, weight};
    use crate::event::{ContainerMetadata, Mount, Runtime};

    #[test]
    fn texts_and_lists_are_cut() {
        let mut container = ContainerMetadata::new("x", Runtime::Docker);
        container.name = Some("é".repeat(1 << 20));
        container.mounts = Some(vec![Mount { source: "s".repeat(1 << 16), ..Mount::default() }; 10_000]);
        let before = weight(&container);
        clip(&mut container);
        assert_eq!(container.name.as_ref().unwrap().len(), TEXT_BYTES);
        assert_eq!(container.mounts.as_ref().unwrap().len(), MOUNTS);
        assert!(weight(&container) < before / 100);
    }

    fn label(name: &str, length: usize) -> (String, String) {
        (name.to_owned(), "v".repeat(length))
    }

    #[test]
    fn ordinary_labels_are_kept() {
        let (kept, cut) = bounded([label("app", 4), label("long", VALUE_BYTES), label("empty", 0)]);
        assert_eq!((kept.len(), cut), (3, 0));
    }

    #[test]
    fn a_label_of_a_megabyte_is_left_out_and_counted() {
        let (kept, cut) =
            bounded([label("app", 4), label("giant", 1 << 20), (("n").repeat(1 << 20), "v".into())]);
        assert_eq!((kept.len(), cut), (1, 2));
        assert_eq!(kept["app"], "vvvv");
    }

    #[test]
    fn all_labels_together_are_bounded() {
        let many = (0..1000).map(|number| label(&format!("l{number}"), 1000));
        let (kept, cut) = bounded(many);
        let total: usize = kept.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(total <= TOTAL_BYTES && kept.len() + cut == 1000 && cut > 0);
    }
}

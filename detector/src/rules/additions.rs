//! What the configuration and `-p` add to the outputs of rules, in the style of one generation of Falco or the other.

use std::collections::BTreeMap;

use super::resolve::{AppendOutput, LoadOptions};

/// Shown of the container where nobody asks for more.
const CONTAINER: &str = "container_id=%container.id container_name=%container.name";
/// `-pc` of 2024.
const CONTAINER_AND_IMAGE: &str = "container_id=%container.id container_image=%container.image.repository \
    container_image_tag=%container.image.tag container_name=%container.name";
/// What `-pk` of 2024 adds to that.
const POD: &str = " k8s_ns=%k8s.ns.name k8s_pod_name=%k8s.pod.name";
/// What `-pcg` and `-pkg` of 2024 put before it.
const NUMBERS: &str = "vpid=%proc.vpid vtid=%thread.vtid ";
/// Fields that today's container plugin suggests, in its order.
const SUGGESTED: [&str; 6] = [
    "container.id",
    "container.name",
    "container.image.repository",
    "container.image.tag",
    "k8s.pod.name",
    "k8s.ns.name",
];

/// What `%container.info` and the tail of an output are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OutputStyle {
    /// As Falco 0.41 and later: suggested fields behind the output.
    #[default]
    Current,
    /// As Falco of 2024 (0.38 to 0.40): `%container.info` stands for the container, `-p` for more of it.
    Classic,
}

/// An entry of `append_output`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// What it adds, and to which rules.
    pub output: AppendOutput,
    /// It adds the suggested fields, too.
    pub suggested: bool,
}

/// Everything that is added to outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputAdditions {
    /// Of which generation.
    pub style: OutputStyle,
    /// `append_output`; `None` = what the style does by itself.
    pub appended: Option<Vec<Appended>>,
    /// What `-p` asks for.
    pub print: Option<String>,
    /// `static_fields`: fields `static.NAME` with these values.
    pub static_fields: BTreeMap<String, String>,
}

impl OutputAdditions {
    pub(super) fn load_options(&self) -> LoadOptions {
        let by_itself = [Appended { suggested: self.style == OutputStyle::Current, ..Appended::default() }];
        let appended = self.appended.as_deref().unwrap_or(&by_itself);
        let mut append_output = Vec::new();
        for one in appended {
            append_output.push(one.output.clone());
            if one.suggested {
                let format = self.suggested();
                append_output.push(AppendOutput { format, fields: Vec::new(), ..one.output.clone() });
            }
        }
        let (known, format) = match self.print.as_deref() {
            Some(print) => match self.known_print(print) {
                Some(known) => (Some(known), None),
                None => (None, Some(print)),
            },
            None => (None, None),
        };
        append_output.extend(
            format.map(|format| AppendOutput { format: format.to_owned(), ..AppendOutput::default() }),
        );
        let container_info = match self.style {
            OutputStyle::Current => String::new(),
            OutputStyle::Classic => known.clone().unwrap_or_else(|| CONTAINER.to_owned()),
        };
        LoadOptions {
            container_info_everywhere: known.is_some_and(|known| !known.is_empty()),
            container_info,
            append_output,
        }
    }

    /// What a word behind `-p` stands for; `None` for what is a format.
    fn known_print(&self, print: &str) -> Option<String> {
        let pod = |before: &str| format!("{before}{CONTAINER_AND_IMAGE}{POD}");
        match (self.style, print) {
            // The suggested fields have made them superfluous.
            (OutputStyle::Current, "c" | "container" | "k" | "kubernetes") => Some(String::new()),
            (OutputStyle::Classic, "c" | "container") => Some(CONTAINER_AND_IMAGE.to_owned()),
            (OutputStyle::Classic, "k" | "kubernetes") => Some(pod("")),
            (OutputStyle::Classic, "cg" | "container-gvisor") => {
                Some(format!("{NUMBERS}{CONTAINER_AND_IMAGE}"))
            }
            (OutputStyle::Classic, "kg" | "kubernetes-gvisor") => Some(pod(NUMBERS)),
            _ => None,
        }
    }

    /// `a_b=%a.b` for each suggested field: those of the configuration first, as Falco knows them first.
    fn suggested(&self) -> String {
        let fixed = self.static_fields.keys().map(|name| format!("static.{name}"));
        let fields = fixed.chain(SUGGESTED.map(str::to_owned));
        fields.map(|field| format!("{}=%{field}", field.replace('.', "_"))).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Appended, OutputAdditions, OutputStyle};
    use crate::rules::resolve::AppendOutput;

    fn formats(additions: &OutputAdditions) -> Vec<String> {
        let options = additions.load_options();
        options.append_output.into_iter().map(|one| one.format).filter(|format| !format.is_empty()).collect()
    }

    fn printed(style: OutputStyle, print: &str) -> OutputAdditions {
        OutputAdditions { style, print: Some(print.to_owned()), ..OutputAdditions::default() }
    }

    #[test]
    fn today_the_suggested_fields_follow_and_the_words_of_print_do_nothing() {
        let tail = "container_id=%container.id container_name=%container.name \
            container_image_repository=%container.image.repository container_image_tag=%container.image.tag \
            k8s_pod_name=%k8s.pod.name k8s_ns_name=%k8s.ns.name";
        assert_eq!(formats(&OutputAdditions::default()), [tail]);
        for word in ["c", "container", "k", "kubernetes"] {
            let additions = printed(OutputStyle::Current, word);
            assert_eq!(formats(&additions), [tail]);
            assert!(!additions.load_options().container_info_everywhere);
        }
        assert_eq!(formats(&printed(OutputStyle::Current, "pid=%proc.pid")), [tail, "pid=%proc.pid"]);
    }

    #[test]
    fn in_2024_print_says_what_stands_for_the_container() {
        let info = |print| {
            let options = printed(OutputStyle::Classic, print).load_options();
            (options.container_info, options.container_info_everywhere)
        };
        let image = "container_id=%container.id container_image=%container.image.repository \
            container_image_tag=%container.image.tag container_name=%container.name";
        assert_eq!(info("c"), (image.to_owned(), true));
        assert_eq!(
            info("kubernetes"),
            (format!("{image} k8s_ns=%k8s.ns.name k8s_pod_name=%k8s.pod.name"), true)
        );
        assert!(info("kg").0.starts_with("vpid=%proc.vpid vtid=%thread.vtid container_id="));
        let default = "container_id=%container.id container_name=%container.name".to_owned();
        assert_eq!(info("x=%proc.pid"), (default, false));
        assert_eq!(formats(&printed(OutputStyle::Classic, "x=%proc.pid")), ["x=%proc.pid"]);
        assert!(formats(&printed(OutputStyle::Classic, "c")).is_empty());
    }

    #[test]
    fn fields_of_the_configuration_are_suggested_first() {
        let mut additions = OutputAdditions::default();
        additions.static_fields.insert("rack.row".to_owned(), "7".to_owned());
        assert!(formats(&additions)[0].starts_with("static_rack_row=%static.rack.row container_id="));
    }

    #[test]
    fn what_is_appended_replaces_what_the_style_does_by_itself() {
        let output =
            AppendOutput { format: "a".to_owned(), rule: Some("r".to_owned()), ..AppendOutput::default() };
        let only = |suggested| OutputAdditions {
            appended: Some(vec![Appended { output: output.clone(), suggested }]),
            ..OutputAdditions::default()
        };
        assert_eq!(formats(&only(false)), ["a"]);
        let options = only(true).load_options();
        assert!(options.append_output.iter().all(|one| one.rule.as_deref() == Some("r")));
        assert_eq!(options.append_output.len(), 2);
    }
}

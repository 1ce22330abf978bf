//! The settings of all outputs, with Falco's keys.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{SettingError, keys, values::Values};
use crate::{
    config::{Kind, Tree},
    output::{
        FileSettings, HttpSettings, OutputSettings, Overflow, ProgramSettings, Protocol, SpoolSettings,
        SyslogSettings, TlsSettings,
    },
};

/// Where Falco looks for our certificate and its key.
const CLIENT_CERT: &str = "/etc/ssl/certs/client.crt";
const CLIENT_KEY: &str = "/etc/ssl/certs/client.key";
/// What may wait on disk when no size is given.
const SPOOL_BYTES: u64 = 64 << 20;
/// The least that a spool can work with.
const LEAST_SPOOL_BYTES: u64 = 1 << 20;

pub(super) fn read(values: &mut Values<'_>) -> OutputSettings {
    let settings = OutputSettings {
        queue_capacity: values.number("outputs_queue.capacity", 0),
        overflow: overflow(values, "outputs_queue.overflow"),
        timeout: values.millis("output_timeout", Duration::from_secs(2)),
        buffered: values.bool("buffered_outputs", false),
        stdout: values.bool("stdout_output.enabled", true),
        file: enabled(values, "file_output.enabled", file),
        syslog: enabled(values, "syslog_output.enabled", |_| Some(SyslogSettings::default())),
        program: enabled(values, "program_output.enabled", program),
        http: enabled(values, "http_output.enabled", http),
        otlp: enabled(values, "otlp_output.enabled", otlp),
    };
    if values.errors.is_empty() && none_enabled(&settings) {
        values.errors.push(SettingError::NoOutput);
    }
    settings
}

fn none_enabled(settings: &OutputSettings) -> bool {
    let OutputSettings { stdout, file, syslog, program, http, otlp, .. } = settings;
    !stdout && file.is_none() && syslog.is_none() && program.is_none() && http.is_none() && otlp.is_none()
}

fn enabled<S>(values: &mut Values<'_>, key: &str, read: impl Fn(&mut Values<'_>) -> Option<S>) -> Option<S> {
    values.bool(key, false).then(|| read(values)).flatten()
}

/// Text that an enabled output cannot do without.
fn needed(values: &mut Values<'_>, section: &'static str, key: &str) -> Option<String> {
    let path = format!("{section}.{key}");
    let text = values.text(&path);
    if text.is_none() {
        let place = values.place(&path);
        values.errors.push(SettingError::Needed { place, section, key: path });
    }
    text
}

fn overflow(values: &mut Values<'_>, key: &str) -> Overflow {
    match values.word(key, keys::OVERFLOW) {
        Some(1) => Overflow::DropOldest,
        _ => Overflow::DropNewest,
    }
}

fn file(values: &mut Values<'_>) -> Option<FileSettings> {
    let path = PathBuf::from(needed(values, "file_output", "filename")?);
    Some(FileSettings { path, keep_alive: values.bool("file_output.keep_alive", false) })
}

fn program(values: &mut Values<'_>) -> Option<ProgramSettings> {
    let command = needed(values, "program_output", "program")?;
    Some(ProgramSettings { command, keep_alive: values.bool("program_output.keep_alive", false) })
}

fn http(values: &mut Values<'_>) -> Option<HttpSettings> {
    let defaults = HttpSettings::default();
    Some(HttpSettings {
        user_agent: values.text("http_output.user_agent").unwrap_or(defaults.user_agent),
        echo: values.bool("http_output.echo", defaults.echo),
        keep_alive: values.bool("http_output.keep_alive", defaults.keep_alive),
        ..receiver(values, "http_output")?
    })
}

fn otlp(values: &mut Values<'_>) -> Option<HttpSettings> {
    Some(HttpSettings {
        protocol: Protocol::Otlp,
        user_agent: concat!("detector/", env!("CARGO_PKG_VERSION")).to_owned(),
        headers: texts_by_name(values, "otlp_output.headers").into_iter().collect(),
        keep_alive: true,
        ..receiver(values, "otlp_output")?
    })
}

/// What all outputs that post to a receiver have.
fn receiver(values: &mut Values<'_>, section: &'static str) -> Option<HttpSettings> {
    let defaults = HttpSettings::default();
    let key = |name: &str| format!("{section}.{name}");
    Some(HttpSettings {
        url: needed(values, section, "url")?,
        tls: tls(values, section),
        timeout: values.duration(&key("timeout"), defaults.timeout),
        retry_initial: values.duration(&key("retry_initial"), defaults.retry_initial),
        retry_max: values.duration(&key("retry_max"), defaults.retry_max),
        max_refusals: values.number(&key("max_refusals"), defaults.max_refusals),
        spool: spool(values, section),
        ..defaults
    })
}

/// A map of names and texts.
pub(super) fn texts_by_name(values: &mut Values<'_>, path: &str) -> BTreeMap<String, String> {
    let Some(value) = values.at(path) else { return BTreeMap::new() };
    match &value.kind {
        Kind::Map(entries) => {
            let mut entry = |(name, value): &(String, Tree)| {
                Some((name.clone(), values.as_text(&format!("{path}.{name}"), value)?))
            };
            entries.iter().filter_map(&mut entry).collect()
        }
        Kind::Null => BTreeMap::new(),
        _ => {
            values.wrong(path, value, "a map of names and texts");
            BTreeMap::new()
        }
    }
}

fn tls(values: &mut Values<'_>, section: &str) -> TlsSettings {
    let mut path = |key: &str| values.text(&format!("{section}.{key}")).map(PathBuf::from);
    let certificate = path("client_cert").unwrap_or_else(|| CLIENT_CERT.into());
    let key = path("client_key").unwrap_or_else(|| CLIENT_KEY.into());
    let (ca_cert, ca_bundle, ca_path) = (path("ca_cert"), path("ca_bundle"), path("ca_path"));
    TlsSettings {
        insecure: values.bool(&format!("{section}.insecure"), false),
        client: values.bool(&format!("{section}.mtls"), false).then_some((certificate, key)),
        ca_cert,
        ca_bundle,
        ca_path,
    }
}

fn spool(values: &mut Values<'_>, section: &str) -> Option<SpoolSettings> {
    let key = |name: &str| format!("{section}.spool.{name}");
    let folder = PathBuf::from(values.text(&key("path"))?);
    let max_bytes = values.size(&key("max_size"), SPOOL_BYTES);
    if max_bytes < LEAST_SPOOL_BYTES {
        let place = values.place(&key("max_size"));
        values.errors.push(SettingError::SmallSpool { place, bytes: max_bytes, least: LEAST_SPOOL_BYTES });
    }
    Some(SpoolSettings { folder, max_bytes, overflow: overflow(values, &key("overflow")) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::read;
    use crate::{
        config,
        output::{OutputSettings, Overflow, Protocol},
        settings::{SettingError, values::Values},
    };

    fn outputs(overrides: &[&str]) -> (OutputSettings, Vec<SettingError>) {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let loaded = config::load(None, &overrides).unwrap();
        let mut values = Values::new(&loaded.tree);
        let settings = read(&mut values);
        (settings, values.errors)
    }

    #[test]
    fn every_key_is_read() {
        let (settings, errors) = outputs(&[
            "outputs_queue.capacity=7",
            "outputs_queue.overflow=drop_oldest",
            "output_timeout=300",
            "buffered_outputs=true",
            "stdout_output.enabled=false",
            "file_output={enabled: true, filename: /f, keep_alive: true}",
            "syslog_output.enabled=true",
            "program_output={enabled: true, program: cat, keep_alive: true}",
            "http_output={enabled: true, url: 'https://h/', user_agent: me, echo: true, keep_alive: true}",
            "http_output.insecure=true",
            "http_output.mtls=true",
            "http_output.client_cert=/c",
            "http_output.client_key=/k",
            "http_output.ca_cert=/a",
            "http_output.ca_bundle=/b",
            "http_output.ca_path=/p",
            "http_output.timeout=3s",
            "http_output.retry_initial=10ms",
            "http_output.retry_max=1m",
            "http_output.max_refusals=3",
            "http_output.spool={path: /s, max_size: 2 MiB, overflow: drop_oldest}",
        ]);
        assert_eq!(errors, []);
        assert_eq!((settings.queue_capacity, settings.overflow), (7, Overflow::DropOldest));
        assert_eq!(
            (settings.timeout, settings.buffered, settings.stdout),
            (Duration::from_millis(300), true, false)
        );
        assert!(settings.file.is_some_and(|file| file.keep_alive && file.path.as_os_str() == "/f"));
        assert!(settings.syslog.is_some());
        assert!(settings.program.is_some_and(|program| program.keep_alive && program.command == "cat"));
        let http = settings.http.unwrap();
        assert_eq!((http.url.as_str(), http.user_agent.as_str()), ("https://h/", "me"));
        assert!(http.echo && http.keep_alive && http.tls.insecure);
        assert_eq!(http.tls.client, Some(("/c".into(), "/k".into())));
        let trusted = [http.tls.ca_cert, http.tls.ca_bundle, http.tls.ca_path];
        assert_eq!(trusted, ["/a", "/b", "/p"].map(|path| Some(path.into())));
        assert_eq!(
            [http.timeout, http.retry_initial, http.retry_max].map(|time| time.as_millis()),
            [3000, 10, 60_000]
        );
        let spool = http.spool.unwrap();
        assert_eq!((spool.max_bytes, spool.overflow, http.max_refusals), (2 << 20, Overflow::DropOldest, 3));
    }

    #[test]
    fn otlp_has_the_keys_of_a_receiver_and_its_own() {
        let (settings, errors) = outputs(&[
            "otlp_output={enabled: true, url: 'https://h/v1/logs', headers: {x-tenant: a}}",
            "otlp_output.ca_cert=/a",
            "otlp_output.max_refusals=3",
            "otlp_output.spool.path=/o",
        ]);
        assert_eq!(errors, []);
        let otlp = settings.otlp.unwrap();
        assert_eq!((otlp.protocol, otlp.url.as_str()), (Protocol::Otlp, "https://h/v1/logs"));
        assert_eq!(otlp.headers, [("x-tenant".to_owned(), "a".to_owned())]);
        assert_eq!((otlp.tls.ca_cert, otlp.max_refusals), (Some("/a".into()), 3));
        assert!(otlp.spool.is_some() && otlp.user_agent.starts_with("detector/") && settings.http.is_none());
        let (_, errors) = outputs(&["otlp_output={enabled: true, url: x, headers: [a]}"]);
        assert!(errors[0].to_string().contains("`otlp_output.headers` takes a map"), "{errors:?}");
    }

    #[test]
    fn an_enabled_output_says_what_it_lacks() {
        let (_, errors) =
            outputs(&["file_output.enabled=true", "program_output.enabled=true", "http_output.enabled=true"]);
        assert_eq!(errors.len(), 3);
        let text = errors[0].to_string();
        assert!(
            text.starts_with("-o file_output.enabled=true") && text.contains("file_output.filename"),
            "{text}"
        );
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let (_, errors) = outputs(&[
            "outputs_queue.capacity=-1",
            "output_timeout=2s",
            "outputs_queue.overflow=newest",
            "http_output={enabled: true, url: x, timeout: 10, spool: {path: /s, max_size: 3}}",
        ]);
        assert_eq!(errors.len(), 5, "{errors:?}");
    }
}

//! Days of noise and planted attacks, made anew from each seed: the proposal silences the one and none of the other.

use serde_json::{Value, json};

use super::{Cause, Exception, Gathering, Options, verify};
use crate::{
    incident::{AlertReader, Execution, PastAlert},
    retrial::{Jury, Verdict},
    rules::{RuleChoice, files::RuleFile},
};

const RULE: &str = "Drop and execute new binary in container";

/// A generator of numbers (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % sides
    }

    fn word(&mut self, letters: &str, length: u64) -> String {
        let letters = letters.as_bytes();
        (0..length)
            .map(|_| char::from(letters[usize::try_from(self.roll(letters.len() as u64)).unwrap()]))
            .collect()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }

    fn random(&mut self) -> String {
        self.word("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 8)
    }

    fn number(&mut self) -> u64 {
        self.roll(900_000_000) + 100_000_000
    }
}

fn alert(image: &str, path: &str, parent: &str, above: &str, user: &str) -> Value {
    let name: String = path.rsplit('/').next().unwrap_or_default().chars().take(15).collect();
    json!({"rule": RULE, "priority": "Critical", "hostname": "h", "time": "2024-10-05T12:03:22.000456789Z",
        "output_fields": {"evt.type": "execve", "evt.arg.flags": "EXE_WRITABLE|EXE_UPPER_LAYER",
            "container.id": "0123456789ab", "container.name": "c", "container.image.repository": image,
            "proc.exepath": path, "proc.name": name, "proc.pname": parent, "proc.aname[2]": above, "proc.tty": 0,
            "user.name": user, "user.uid": if user == "root" { 0 } else { 1000 }}})
}

/// Kinds of noise that users report, each with its own way of varying.
fn noise(kind: u64, dice: &mut Dice) -> Value {
    match kind {
        0 => {
            let browser = dice.pick(&["chromium", "firefox", "chromium_headless_shell"]);
            let path = format!(
                "/opt/ms-playwright/{browser}-{}/{}/{browser}",
                dice.roll(400) + 1000,
                dice.pick(&["chrome-linux", "bin"])
            );
            alert("registry.example/e2e", &path, "node", "npm", "pwuser")
        }
        1 => {
            let script = dice.pick(&["postinst", "preinst", "prerm", "postrm"]);
            let path = format!("/var/lib/dpkg/info/{}.{script}", dice.word("abcdefghij-", 7));
            alert("registry.example/ci/base", &path, "dpkg", "apt-get", "root")
        }
        2 => {
            let path = format!(
                "/tmp/go-build{}/b{:03}/{}",
                dice.number(),
                dice.roll(300),
                dice.pick(&["exe/main", "pkg.test"])
            );
            alert("registry.example/ci/go", &path, "go", "bash", "root")
        }
        3 => {
            let path = format!("/opt/agent/{}.{}.{}/bin/agentd", dice.roll(3), dice.roll(20), dice.roll(9));
            alert("vendor.example/agent", &path, "updater", "tini", "agent")
        }
        4 => {
            let path = format!(
                "/tmp/pip-build-env-{}/overlay/bin/{}",
                dice.random(),
                dice.pick(&["ninja", "cmake", "cython"])
            );
            alert(
                "registry.example/ci/python",
                &path,
                dice.pick(&["pip", "pip3", "python3"]),
                "pip",
                "builder",
            )
        }
        5 => {
            let path = format!(
                "/builds/group/project-{}/target/debug/deps/it-{}",
                dice.roll(4),
                dice.word("0123456789abcdef", 16)
            );
            alert("registry.example/ci/rust", &path, "cargo", "sh", "root")
        }
        6 => {
            let path = format!(
                "/home/jenkins/workspace/{}/node_modules/.bin/esbuild-{}",
                dice.word("abcdef", 6),
                dice.random()
            );
            alert("registry.example/jenkins", &path, "node", "npm", "jenkins")
        }
        7 => alert(
            "registry.example/shop",
            "/usr/local/bin/migrate",
            dice.pick(&["sh", "entrypoint.sh"]),
            "containerd-shim",
            "shop",
        ),
        8 => {
            let path = format!("/tmp/tmp.{}/installer", dice.random());
            alert("registry.example/setup", &path, "setup.sh", "bash", "root")
        }
        _ => {
            let path = format!(
                "/usr/share/app/plugins/{}-{}/run",
                dice.pick(&["report", "export", "import"]),
                dice.number()
            );
            alert("registry.example/app", &path, "java", "tini", "app")
        }
    }
}

/// What attackers do, also in the images that the noise comes from.
fn attack(number: u64, dice: &mut Dice) -> Value {
    let images = [
        "registry.example/e2e",
        "registry.example/ci/base",
        "registry.example/ci/go",
        "vendor.example/agent",
        "registry.example/ci/python",
        "registry.example/ci/rust",
        "registry.example/shop",
        "registry.example/app",
    ];
    let image = dice.pick(&images);
    let (random, user) = (dice.random(), dice.pick(&["root", "www-data", "app", "builder"]));
    let (path, parent, above) = match number % 10 {
        0 => (format!("/tmp/{random}"), "sh", "nginx"),
        1 => (format!("/tmp/.{random}/xmrig"), "bash", "sshd"),
        2 => ("/dev/shm/kinsing".to_owned(), "sh", "cron"),
        3 => (format!("/var/tmp/{random}"), "curl", "sh"),
        4 => ("/usr/bin/ps".to_owned(), "bash", "containerd-shim"),
        5 => (format!("/tmp/tmp.{random}/x"), "perl", "apache2"),
        6 => ("/usr/local/bin/kworker".to_owned(), "sh", "node"),
        7 => (format!("/root/.ssh/{random}"), "bash", "bash"),
        8 => (format!("/opt/{random}/bin/agentd"), "sh", "python3"),
        _ => (format!("/home/{random}/go-build1/x"), "php-fpm", "tini"),
    };
    alert(image, &path, parent, above, user)
}

pub(super) fn read(all: &[Value]) -> Vec<PastAlert> {
    let text: String = all.iter().map(Value::to_string).collect();
    let mut reader = AlertReader::new("in", text.as_bytes());
    let mut alerts = Vec::new();
    while let Some(alert) = reader.next_alert().unwrap() {
        alerts.push(alert);
    }
    alerts
}

fn proposed(alerts: &[PastAlert]) -> (Vec<Exception>, Vec<PastAlert>) {
    let mut gathering = Gathering::default();
    for alert in alerts {
        gathering.add(alert.clone());
    }
    let options = Options::default();
    let (causes, kept) = gathering.finish(options.least);
    let often = causes.iter().filter(|cause| cause.count >= options.least);
    (
        often.enumerate().filter_map(|(number, cause)| Exception::of(cause, number + 1, &options)).collect(),
        kept,
    )
}

fn silenced(exceptions: &[Exception], alerts: &[PastAlert]) -> Vec<String> {
    let file = super::rule_file(exceptions, super::Account::default());
    let jury =
        Jury::new(&RuleChoice::default(), vec![RuleFile::from_bytes("proposal", file.into_bytes())]).unwrap();
    let silent = |alert: &&PastAlert| jury.rule(RULE).unwrap().verdict(alert) != Verdict::Fires;
    alerts
        .iter()
        .filter(silent)
        .map(|alert| alert.fields.text("proc.exepath").unwrap_or_default().to_owned())
        .collect()
}

/// 450 alerts of 6 causes, chosen by the seed, and 20 attacks.
pub(super) fn day(seed: u64) -> (Vec<Value>, Vec<Value>) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut kinds: Vec<u64> = (0..10).collect();
    while kinds.len() > 6 {
        let gone = usize::try_from(dice.roll(kinds.len() as u64)).unwrap();
        kinds.swap_remove(gone);
    }
    // Each cause at least 10 times, the rest as it comes.
    let mut noisy: Vec<Value> = Vec::new();
    for at in 0..450_u64 {
        let kind = if at < 60 {
            kinds[usize::try_from(at % 6).unwrap()]
        } else {
            kinds[usize::try_from(dice.roll(6)).unwrap()]
        };
        let one = noise(kind, &mut dice);
        let place = usize::try_from(dice.roll(noisy.len() as u64 + 1)).unwrap();
        noisy.insert(place, one);
    }
    (noisy, (0..20).map(|number| attack(number, &mut dice)).collect())
}

const SEEDS: std::ops::Range<u64> = 1..13;

#[test]
fn a_day_of_noise_becomes_at_most_six_exceptions_that_spare_every_attack() {
    for seed in SEEDS {
        let (noise, attacks) = day(seed);
        let (noise, attacks) = (read(&noise), read(&attacks));
        let (exceptions, kept) = proposed(&noise);
        let file = super::rule_file(&exceptions, super::Account::default());
        assert!(exceptions.len() <= 6, "seed {seed}: {} exceptions\n{file}", exceptions.len());
        let verified = verify(&RuleChoice::default(), &exceptions, &kept).unwrap();
        assert_eq!((verified.silenced, verified.left), (450, 0), "seed {seed}\n{file}");
        assert_eq!(silenced(&exceptions, &attacks), Vec::<String>::new(), "seed {seed}\n{file}");
    }
}

/// The days are no use if the attacks are far from the noise: exceptions by image alone, as one writes them in a hurry,
/// have to silence some attacks of every day, and the attacks have to fire while there are no exceptions.
#[test]
fn the_attacks_of_each_day_are_near_enough_to_be_silenced_by_a_careless_exception() {
    for seed in SEEDS {
        let (noise, attacks) = day(seed);
        let (noise, attacks) = (read(&noise), read(&attacks));
        assert_eq!(silenced(&[], &attacks), Vec::<String>::new(), "seed {seed}");
        let images: std::collections::BTreeSet<&str> =
            noise.iter().filter_map(|alert| alert.fields.text("container.image.repository")).collect();
        assert_eq!((noise.len(), images.len()), (450, 6), "seed {seed}");
        let careless = format!(
            "- list: known_drop_and_execute_containers\n  items: [{}]\n  override: {{items: append}}\n",
            images.into_iter().collect::<Vec<_>>().join(", ")
        );
        let careless = RuleFile::from_bytes("careless", careless.into_bytes());
        let jury = Jury::new(&RuleChoice::default(), vec![careless]).unwrap();
        let silent = |alerts: &[PastAlert]| alerts.iter().filter(|one| jury.fires(one).0.is_empty()).count();
        assert_eq!(silent(&noise), 450, "seed {seed}");
        assert!(silent(&attacks) >= 3, "seed {seed}: {} of the attacks", silent(&attacks));
    }
}

#[test]
fn attacks_among_the_noise_are_left_alone() {
    for seed in SEEDS {
        let (mut all, attacks) = day(seed);
        let mut dice = Dice(seed | 1);
        for attack in &attacks {
            let place = usize::try_from(dice.roll(all.len() as u64)).unwrap();
            all.insert(place, attack.clone());
        }
        let (exceptions, _) = proposed(&read(&all));
        let file = super::rule_file(&exceptions, super::Account::default());
        assert!(exceptions.len() <= 6, "seed {seed}: {} exceptions\n{file}", exceptions.len());
        assert_eq!(silenced(&exceptions, &read(&attacks)), Vec::<String>::new(), "seed {seed}\n{file}");
    }
}

#[test]
fn tomorrows_noise_is_silenced_as_well() {
    for seed in SEEDS {
        let mut dice = Dice(seed | 1);
        let kind = dice.roll(10);
        let today: Vec<Value> = (0..60).map(|_| noise(kind, &mut dice)).collect();
        let tomorrow: Vec<Value> = (0..60).map(|_| noise(kind, &mut dice)).collect();
        let (exceptions, _) = proposed(&read(&today));
        let silent = silenced(&exceptions, &read(&tomorrow)).len();
        let file = super::rule_file(&exceptions, super::Account::default());
        assert!(silent >= 57, "seed {seed}, kind {kind}: only {silent} of 60\n{file}");
    }
}

#[test]
fn hostile_values_make_a_file_that_loads_or_none() {
    for value in [
        "/opt/a b/x",
        "/opt/it's \"x\"/y",
        "/opt/a,b/(c)",
        "/opt/x\n- rule: y",
        "/opt/[a]*?\\",
        "/opt/\u{202e}x",
        "/opt/#x: y",
        "/opt/{a}/%evt",
    ] {
        let one = alert("registry.example/x", value, value, "bash", "root");
        let alerts = read(&vec![one; 5]);
        let (exceptions, kept) = proposed(&alerts);
        if exceptions.is_empty() {
            continue;
        }
        let verified = verify(&RuleChoice::default(), &exceptions, &kept).unwrap();
        assert_eq!(
            verified.silenced,
            5,
            "{value}\n{}",
            super::rule_file(&exceptions, super::Account::default())
        );
    }
}

/// The file that runs is the interpreter, which is the image's: an exception with its path would silence every script.
#[test]
fn an_exception_for_a_script_names_the_script_and_not_its_interpreter() {
    let mut one = alert("registry.example/ci/base", "/bin/busybox", "dpkg", "apt-get", "root");
    one["output_fields"]["drop.script.path"] = "/opt/agent/hooks/start.sh".into();
    let mut other = one.clone();
    other["output_fields"]["drop.script.path"] = "/tmp/run.sh".into();
    let (exceptions, _) = proposed(&read(&vec![one.clone(); 5]));
    let [exception] = exceptions.as_slice() else { panic!("{exceptions:?}") };
    let fields: Vec<&str> = exception.conditions.iter().map(|condition| condition.field).collect();
    assert!(fields.contains(&"drop.script.path") && !fields.contains(&"proc.exepath"), "{fields:?}");
    assert_eq!(silenced(&exceptions, &read(&[one])).len(), 1);
    assert_eq!(silenced(&exceptions, &read(&[other])), Vec::<String>::new());
}

#[test]
fn alerts_without_an_image_are_covered_with_a_warning() {
    let mut one = alert("", "/opt/agent/bin/agentd", "updater", "tini", "agent");
    one["output_fields"].as_object_mut().unwrap().remove("container.image.repository");
    let (exceptions, _) = proposed(&read(&vec![one; 5]));
    assert!(exceptions[0].warnings[0].contains("every image"), "{exceptions:?}");
}

/// What a rare attack or a sweep looks like: nothing in common with anything else.
fn stray(dice: &mut Dice) -> Value {
    let (image, path, parent) = (
        format!("registry.example/{}", dice.pick(&["a", "b", "c"])),
        format!("/srv/{}/{}", dice.random(), dice.random()),
        dice.random(),
    );
    alert(&image, &path, &parent, "tini", "root")
}

/// Each alert was once compared with every cause: 300 MB of different files did not come to an end.
#[test]
fn noise_is_found_among_more_different_files_than_are_told_apart() {
    let mut dice = Dice(77);
    let mut gathering = Gathering::default();
    let mut strays = 0_u64;
    for at in 0..6_000_u64 {
        let one = if at % 20 == 0 { noise(at / 20 % 6, &mut dice) } else { stray(&mut dice) };
        strays += u64::from(at % 20 != 0);
        gathering.add(read(&[one]).remove(0));
    }
    let (all, unsorted) = (gathering.alerts, gathering.unsorted);
    let options = Options::default();
    let (causes, _) = gathering.finish(options.least);
    assert!(causes.len() <= 1_000, "{}", causes.len());
    assert_eq!(causes.iter().map(|cause| cause.count).sum::<u64>() + unsorted, all);
    assert!(unsorted > 0 && unsorted <= strays, "{unsorted}");
    let often: Vec<_> = causes.iter().filter(|cause| cause.count >= options.least).collect();
    let covered: u64 = often.iter().map(|cause| cause.count).sum();
    assert!(often.len() <= 8 && covered >= (all - strays) * 9 / 10, "{covered} by {}", often.len());
}

#[test]
fn how_narrow_two_are_as_one_is_known_before_they_are_joined() {
    let (noise, attacks) = day(3);
    let causes: Vec<Cause> = read(&[noise, attacks].concat())
        .into_iter()
        .map(|first| Cause::of(&Execution { first, count: 1, last_ns: None }))
        .collect();
    let mut pairs = 0;
    for (at, one) in causes.iter().enumerate() {
        for other in &causes[at + 1..] {
            let Some(told) = one.fit(other, true) else { continue };
            assert_eq!(told, one.joined(other).narrowness(), "{one:?}\n{other:?}");
            pairs += 1;
        }
    }
    assert!(pairs > 5_000, "{pairs}");
}

#[test]
fn alerts_that_name_no_rule_are_counted_and_nothing_is_proposed_for_them() {
    let alerts = read(&vec![alert("registry.example/x", "/opt/x/y", "updater", "tini", "root"); 5]);
    let mut gathering = Gathering::default();
    for mut alert in alerts {
        alert.rule = None;
        gathering.add(alert);
    }
    assert_eq!((gathering.alerts, gathering.unnamed), (5, 5));
    assert!(gathering.finish(3).0.is_empty());
}

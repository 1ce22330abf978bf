//! Values as words of a shell's command line.

use super::inert::is_hidden;

/// The value as one word for a POSIX shell. `None` for a value that cannot be shown as it is: a command that does not
/// look like what it does is worse than none.
#[must_use]
pub fn quote(value: &str) -> Option<String> {
    if value.is_empty() || value.chars().any(is_hidden) || value.contains('\u{fffd}') {
        return None;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+=,-".contains(&byte);
    // A first `=` or `~` means something to some shells, a first `-` to most commands.
    if value.bytes().all(plain) && !value.starts_with('=') {
        return Some(value.to_owned());
    }
    Some(format!("'{}'", value.replace('\'', r"'\''")))
}

/// The value as a word that no command takes for an option; `None` also for what begins like one.
#[must_use]
pub fn operand(value: &str) -> Option<String> {
    if value.starts_with('-') { None } else { quote(value) }
}

/// An id or name of a container, pod or namespace, if it is made of the letters that those may have.
#[must_use]
pub fn name(value: &str) -> Option<&str> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let sound = value.bytes().all(letter)
        && value.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && value.len() <= 253;
    sound.then_some(value)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::{prop_assert_eq, prop_assume, proptest};

    use super::{name, operand, quote};

    #[test]
    fn hostile_words_stay_words() {
        assert_eq!(quote("/tmp/x y").unwrap(), "'/tmp/x y'");
        assert_eq!(quote("a'; reboot #").unwrap(), r"'a'\''; reboot #'");
        assert_eq!((quote("a\nb"), quote("\u{202e}x"), quote("")), (None, None, None));
        assert_eq!((operand("-rf"), operand("x").as_deref()), (None, Some("x")));
        assert_eq!(
            (name("web-1"), name("-x"), name("a b"), name("$(id)")),
            (Some("web-1"), None, None, None)
        );
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]
        #[test]
        fn a_shell_reads_back_what_was_quoted(value in "[ -~äß]{1,40}") {
            prop_assume!(quote(&value).is_some());
            let script = format!("printf %s {}", quote(&value).unwrap());
            let told = Command::new("sh").arg("-c").arg(script).output().unwrap();
            prop_assert_eq!(String::from_utf8(told.stdout).unwrap(), value);
        }
    }
}

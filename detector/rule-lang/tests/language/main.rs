//! The language from outside: what is accepted, what is refused and with which words, what each operator means.
//! One file for each operator or family of them; [`event`] is the event and catalog they all use. `cfg(test)` is
//! always set here and tells clippy so.

#[cfg(test)]
mod accept_reject;
#[cfg(test)]
mod deep;
#[cfg(test)]
mod equality;
#[cfg(test)]
mod event;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod names;
#[cfg(test)]
mod ordering;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod transformers;
#[cfg(test)]
mod whole_program;

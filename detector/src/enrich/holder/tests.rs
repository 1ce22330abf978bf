//! The waiting, with time that the tests turn themselves.

use std::time::Duration;

use tokio::time::{Instant, advance, timeout};

use super::{Answer, Holder, Released, Wanted};
use crate::{
    enrich::{cache::Key, disk::Found, sample::container},
    event::{ContainerId, ExecEvent, MissingReason, Names, Runtime},
};

const BOUND: Duration = Duration::from_millis(500);
const BOTH: Wanted = Wanted { container: true, users: true, ancestors: false, examination: false };
const CONTAINER: Wanted = Wanted { container: true, users: false, ancestors: false, examination: false };

fn event(number: u64, late: Wanted) -> Released {
    let event = ExecEvent { number, ..container(7, "/") };
    Released { event, found: None, users: None, examined: None, late }
}

/// A container of its own.
fn lane(number: u32) -> Key {
    Key::of(&container(number, "/"), &ContainerId::named("x", Runtime::Docker))
}

fn numbers(released: &[Released]) -> Vec<u64> {
    released.iter().map(|released| released.event.number).collect()
}

fn found(name: &str) -> Found {
    let id = ContainerId::named(name, Runtime::Docker);
    Found { id, facts: None, why: MissingReason::Source, route: None }
}

fn users() -> Names {
    Names::default()
}

#[tokio::test(start_paused = true)]
async fn an_event_goes_on_when_all_its_answers_are_there() {
    let mut holder = Holder::new(BOUND, 8);
    let ticket = holder.hold(lane(1), event(1, BOTH)).unwrap();
    let answers = holder.answers();
    answers.send((ticket, Answer::All(found("a")))).await.unwrap();
    assert!(timeout(BOUND / 2, holder.next()).await.is_err(), "the user is missing");
    answers.send((ticket, Answer::Users(users()))).await.unwrap();
    let released = holder.next().await;
    assert_eq!((released.event.number, released.late), (1, Wanted::default()));
    assert!(released.found.is_some() && released.users.is_some());
    assert_eq!(holder.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_it_goes_on_at_its_bound_and_not_before() {
    let mut holder = Holder::new(BOUND, 8);
    let start = Instant::now();
    let _ = holder.hold(lane(1), event(1, BOTH)).unwrap();
    let released = holder.next().await;
    assert_eq!((released.late, start.elapsed().as_millis() / 10), (BOTH, 50));
}

#[tokio::test(start_paused = true)]
async fn what_came_by_then_is_kept() {
    let mut holder = Holder::new(BOUND, 8);
    let ticket = holder.hold(lane(1), event(1, BOTH)).unwrap();
    holder.answers().send((ticket, Answer::Some(found("half")))).await.unwrap();
    let released = holder.next().await;
    assert_eq!(released.late, BOTH);
    assert_eq!(released.found.unwrap().id.short().as_deref(), Some("half"));
}

#[tokio::test(start_paused = true)]
async fn none_waits_behind_another_container() {
    let mut holder = Holder::new(BOUND, 8);
    let _hangs = holder.hold(lane(1), event(1, CONTAINER)).unwrap();
    let quick = holder.hold(lane(2), event(2, CONTAINER)).unwrap();
    let start = Instant::now();
    holder.answers().send((quick, Answer::All(found("b")))).await.unwrap();
    assert_eq!(holder.next().await.event.number, 2);
    assert!(start.elapsed() < BOUND / 10);
    assert_eq!(holder.next().await.event.number, 1);
}

#[tokio::test(start_paused = true)]
async fn each_has_its_own_bound() {
    let mut holder = Holder::new(BOUND, 8);
    let start = Instant::now();
    let _ = holder.hold(lane(1), event(1, CONTAINER)).unwrap();
    advance(BOUND / 2).await;
    let _ = holder.hold(lane(2), event(2, CONTAINER)).unwrap();
    assert_eq!(holder.next().await.event.number, 1);
    assert_eq!(start.elapsed().as_millis() / 10, 50);
    assert_eq!(holder.next().await.event.number, 2);
    assert_eq!(start.elapsed().as_millis() / 10, 75);
}

#[tokio::test(start_paused = true)]
async fn without_room_an_event_comes_back_at_once_and_nothing_is_lost() {
    let mut holder = Holder::new(BOUND, 2);
    let mut back = Vec::new();
    for number in 1..=5_u32 {
        if let Err(refused) = holder.hold(lane(number), event(number.into(), CONTAINER)) {
            back.push(refused.event.number);
        }
    }
    assert_eq!((back, holder.waiting()), (vec![3, 4, 5], 2));
    let released = [holder.next().await.event.number, holder.next().await.event.number];
    assert_eq!(released, [1, 2]);
    assert!(holder.hold(lane(6), event(6, CONTAINER)).is_ok(), "there is room again");
}

#[tokio::test(start_paused = true)]
async fn answers_that_come_too_late_or_twice_change_nothing() {
    let mut holder = Holder::new(BOUND, 8);
    let gone = holder.hold(lane(1), event(1, CONTAINER)).unwrap();
    let _ = holder.next().await;
    let other = holder.hold(lane(2), event(2, CONTAINER)).unwrap();
    for _ in 0..2 {
        holder.answers().send((gone, Answer::All(found("late")))).await.unwrap();
    }
    assert!(timeout(BOUND / 2, holder.next()).await.is_err());
    holder.answers().send((other, Answer::All(found("b")))).await.unwrap();
    let released = holder.next().await;
    assert_eq!((released.event.number, released.found.unwrap().id.short().as_deref()), (2, Some("b")));
}

#[tokio::test(start_paused = true)]
async fn with_nothing_held_it_waits_for_ever() {
    let mut holder = Holder::new(BOUND, 8);
    assert!(timeout(Duration::from_secs(3600), holder.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn being_dropped_half_way_loses_nothing() {
    let mut holder = Holder::new(BOUND, 8);
    let ticket = holder.hold(lane(1), event(1, BOTH)).unwrap();
    for _ in 0..10 {
        assert!(timeout(BOUND / 100, holder.next()).await.is_err());
    }
    holder.answers().send((ticket, Answer::All(found("a")))).await.unwrap();
    assert!(timeout(BOUND / 100, holder.next()).await.is_err());
    let released = holder.next().await;
    assert!(released.found.is_some(), "the answer taken by a dropped call is still there");
    assert_eq!(released.late, Wanted { container: false, users: true, ancestors: false, examination: false });
}

#[tokio::test(start_paused = true)]
async fn those_of_one_container_come_out_in_their_order() {
    let mut holder = Holder::new(BOUND, 8);
    let first = holder.hold(lane(1), event(1, CONTAINER)).unwrap();
    let second = holder.hold(lane(1), event(2, CONTAINER)).unwrap();
    assert!(holder.is_taken(&lane(1)) && !holder.is_taken(&lane(2)));
    // Nothing is missing of this one but its turn.
    let _third = holder.hold(lane(1), event(3, Wanted::default())).unwrap();
    holder.answers().send((second, Answer::All(found("b")))).await.unwrap();
    assert!(timeout(BOUND / 2, holder.next()).await.is_err(), "the first is not ready");
    holder.answers().send((first, Answer::All(found("a")))).await.unwrap();
    let released = [holder.next().await, holder.next().await, holder.next().await];
    assert_eq!(numbers(&released), [1, 2, 3]);
    assert!(released.iter().all(|released| released.late == Wanted::default()));
    assert!(holder.waiting() == 0 && !holder.is_taken(&lane(1)));
}

#[tokio::test(start_paused = true)]
async fn a_place_in_the_order_does_not_lengthen_the_wait() {
    let mut holder = Holder::new(BOUND, 8);
    let start = Instant::now();
    let _first = holder.hold(lane(1), event(1, CONTAINER)).unwrap();
    advance(BOUND / 2).await;
    let second = holder.hold(lane(1), event(2, CONTAINER)).unwrap();
    holder.answers().send((second, Answer::All(found("b")))).await.unwrap();
    let released = [holder.next().await, holder.next().await];
    assert_eq!(numbers(&released), [1, 2]);
    assert_eq!(released.map(|released| released.late), [CONTAINER, Wanted::default()]);
    assert_eq!(start.elapsed().as_millis() / 10, 50, "the bound of the first");
}

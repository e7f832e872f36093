use super::*;

const A: &str = "GET /a";
const B: &str = "GET /b";
const SECOND: Duration = Duration::from_secs(1);

fn limiter(per_second: u32, max_in_flight: usize) -> Arc<RateLimiter> {
    RateLimiter::new(LimiterSettings {
        per_second: NonZeroU32::new(per_second).unwrap(),
        per_minute: None,
        pauses: Pauses::default(),
        max_in_flight,
        patience: 90 * SECOND,
        slow_factor: 4.0,
    })
}

/// Sends `count` requests that each take `takes`, and answers how long all of it took.
async fn send(
    limiter: &Arc<RateLimiter>,
    count: usize,
    takes: Duration,
    outcome: Outcome,
) -> Duration {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..count {
        let limiter = Arc::clone(limiter);
        tasks.spawn(async move {
            let permit = limiter.acquire(A).await.unwrap();
            tokio::time::sleep(takes).await;
            permit.ended(outcome);
        });
    }
    tasks.join_all().await;
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_quota_is_steady() {
    let limiter = limiter(10, 8);
    let took = send(&limiter, 110, Duration::from_millis(40), Outcome::Answered).await;
    // Ten at once, then ten a second.
    assert!((9.9..10.6).contains(&took.as_secs_f64()), "{took:?}");
    assert_eq!(limiter.health().requests, 110);
    assert_eq!(limiter.health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn the_limit_rises_while_all_goes_well_and_falls_once_a_round_trip() {
    let limiter = limiter(1000, 8);
    let start = limiter.health().concurrency_limit;
    assert!((1..8).contains(&start), "starts low");
    send(&limiter, 200, Duration::from_millis(100), Outcome::Answered).await;
    assert_eq!(limiter.health().concurrency_limit, 8);
    send(&limiter, 8, Duration::from_millis(100), Outcome::PushedBack).await;
    assert_eq!(
        limiter.health().concurrency_limit,
        5,
        "eight failures of one window count once"
    );
    for _ in 0..30 {
        send(&limiter, 1, SECOND, Outcome::PushedBack).await;
    }
    assert_eq!(limiter.health().concurrency_limit, 1, "never below one");
}

#[tokio::test(start_paused = true)]
async fn slow_answers_of_an_endpoint_lower_the_limit() {
    let limiter = limiter(1000, 8);
    send(&limiter, 200, Duration::from_millis(200), Outcome::Answered).await;
    let before = limiter.health().concurrency_limit;
    send(&limiter, 4, 3 * SECOND, Outcome::Answered).await;
    assert!(limiter.health().concurrency_limit < before);
}

#[tokio::test(start_paused = true)]
async fn never_more_in_flight_than_the_limit() {
    let limiter = limiter(1000, 4);
    let highest = Arc::new(Mutex::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..60 {
        let (limiter, highest) = (Arc::clone(&limiter), Arc::clone(&highest));
        tasks.spawn(async move {
            let permit = limiter.acquire(A).await.unwrap();
            {
                let mut highest = highest.lock().unwrap();
                *highest = (*highest).max(limiter.health().in_flight);
            }
            tokio::time::sleep(Duration::from_millis(10 + n % 7)).await;
            // Some callers give up in the middle: their place must come back.
            if n % 5 == 0 {
                drop(permit)
            } else {
                permit.ended(Outcome::Answered)
            }
        });
    }
    tasks.join_all().await;
    assert!((2..=4).contains(&*highest.lock().unwrap()));
    assert_eq!(limiter.health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_common_pause_holds_everyone_and_only_grows() {
    let limiter = limiter(1000, 8);
    limiter.pause(LimitScope::Everything, A, 30 * SECOND);
    limiter.pause(LimitScope::Everything, A, 5 * SECOND);
    assert!(limiter.health().paused_until.is_some());
    let began = Instant::now();
    let (a, b) = tokio::join!(limiter.acquire(A), limiter.acquire(B));
    assert!(a.is_ok() && b.is_ok());
    assert!((30.0..31.0).contains(&began.elapsed().as_secs_f64()));
    assert!(limiter.health().paused_until.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_paused_endpoint_does_not_hold_the_others() {
    let limiter = limiter(1000, 8);
    limiter.pause(LimitScope::Endpoint, A, 30 * SECOND);
    let began = Instant::now();
    let waiting = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.acquire(A).await.map(drop) }
    });
    tokio::task::yield_now().await;
    drop(limiter.acquire(B).await.unwrap());
    assert!(began.elapsed() < SECOND);
    waiting.await.unwrap().unwrap();
    assert!(began.elapsed() >= 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_patience_is_told_at_once() {
    let limiter = limiter(1000, 8);
    limiter.pause(LimitScope::Everything, A, 1800 * SECOND);
    let began = Instant::now();
    let TooLong(wait) = limiter.acquire(A).await.err().unwrap();
    assert!(wait > 1700 * SECOND && began.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_comes_up_while_waiting_holds_too() {
    let limiter = limiter(1, 8);
    drop(limiter.acquire(A).await.unwrap());
    let began = Instant::now();
    let waiting = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.acquire(A).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    limiter.pause(LimitScope::Everything, B, 20 * SECOND);
    waiting.await.unwrap().unwrap();
    assert!(began.elapsed() >= 20 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served() {
    let limiter = limiter(1000, 1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let first = limiter.acquire(A).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (limiter, order) = (Arc::clone(&limiter), Arc::clone(&order));
        tasks.spawn(async move {
            let _permit = limiter
                .acquire(if n % 2 == 0 { A } else { B })
                .await
                .unwrap();
            order.lock().unwrap().push(n);
        });
        tokio::task::yield_now().await;
    }
    drop(first);
    tasks.join_all().await;
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_block_the_line() {
    let limiter = limiter(1000, 1);
    let held = limiter.acquire(A).await.unwrap();
    let gone = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.acquire(A).await.map(drop) }
    });
    tokio::task::yield_now().await;
    let next = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { limiter.acquire(A).await.map(drop) }
    });
    tokio::task::yield_now().await;
    gone.abort();
    drop(held);
    tokio::time::timeout(SECOND, next)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

/// The service's account: so many points an hour, all requests refused once they are used up.
#[derive(Clone)]
struct Points(Arc<Mutex<(u64, u64)>>);

impl Points {
    const AN_HOUR: u64 = 65_000;

    fn new() -> Self {
        Self(Arc::new(Mutex::new((0, 0))))
    }

    /// Charges a request at this moment of its life; what its answer tells, or `None` for a refusal.
    fn charge(&self, at: Duration, cost: u64) -> Option<QuotaSeen> {
        let mut state = self.0.lock().unwrap();
        let hour = at.as_secs() / 3600;
        if state.0 < hour {
            *state = (hour, 0);
        }
        if state.1 >= Self::AN_HOUR {
            return None;
        }
        state.1 += cost;
        let remaining = Self::AN_HOUR.saturating_sub(state.1);
        Some(QuotaSeen {
            remaining,
            refill_in: Duration::from_secs((hour + 1) * 3600) - at,
            near: remaining * 5 < Self::AN_HOUR,
        })
    }
}

/// Asks as a run does that waits and asks again where the limiter has no patience. Answers whether the site took it.
async fn spend(limiter: &Arc<RateLimiter>, points: &Points, began: Instant, cost: u64) -> bool {
    let permit = loop {
        match limiter.acquire(A).await {
            Ok(permit) => break permit,
            Err(TooLong(wait)) => tokio::time::sleep(wait).await,
        }
    };
    tokio::time::sleep(Duration::from_millis(40)).await;
    let Some(seen) = points.charge(began.elapsed(), cost) else {
        return false;
    };
    limiter.observe_quota(seen);
    permit.ended(Outcome::Answered);
    true
}

#[tokio::test(start_paused = true)]
async fn a_quota_by_points_is_stretched_and_never_overdrawn() {
    let (limiter, points, began) = (limiter(10, 8), Points::new(), Instant::now());
    // A sync of 150,000 points by eight at a time.
    let left = Arc::new(Mutex::new(600));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (limiter, points, left) = (Arc::clone(&limiter), points.clone(), Arc::clone(&left));
        tasks.spawn(async move {
            loop {
                {
                    let mut left = left.lock().unwrap();
                    if *left == 0 {
                        return;
                    }
                    *left -= 1;
                }
                assert!(
                    spend(&limiter, &points, began, 251).await,
                    "refused after {:?}",
                    began.elapsed()
                );
            }
        });
    }
    tasks.join_all().await;
    let hours = began.elapsed().as_secs_f64() / 3600.0;
    // Two refills are needed; what is left over in an hour is little.
    assert!((2.0..2.5).contains(&hours), "{hours}");
}

#[tokio::test(start_paused = true)]
async fn a_pace_ends_with_the_refill() {
    let (limiter, began) = (limiter(1000, 8), Instant::now());
    limiter.observe_quota(QuotaSeen {
        remaining: 10,
        refill_in: 60 * SECOND,
        near: true,
    });
    drop(limiter.acquire(A).await.unwrap());
    let first = began.elapsed();
    assert!((6.0..7.0).contains(&first.as_secs_f64()), "{first:?}");
    tokio::time::sleep(54 * SECOND).await;
    let refilled = Instant::now();
    for _ in 0..20 {
        drop(limiter.acquire(A).await.unwrap());
    }
    assert!(refilled.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn slow_answers_say_nothing_where_requests_differ_in_size() {
    let limiter = RateLimiter::new(LimiterSettings {
        per_second: NonZeroU32::new(1000).unwrap(),
        per_minute: None,
        pauses: Pauses::default(),
        max_in_flight: 8,
        patience: 90 * SECOND,
        slow_factor: f64::INFINITY,
    });
    send(&limiter, 200, Duration::from_millis(200), Outcome::Answered).await;
    send(&limiter, 4, 3 * SECOND, Outcome::Answered).await;
    assert_eq!(limiter.health().concurrency_limit, 8);
}

#[tokio::test(start_paused = true)]
async fn slots_come_back_whatever_became_of_their_request() {
    let limiter = limiter(1000, 2);
    let (first, _second) = (
        limiter.acquire(A).await.unwrap(),
        limiter.acquire(A).await.unwrap(),
    );
    let third = tokio::time::timeout(SECOND, limiter.acquire(A));
    assert!(third.await.is_err(), "two slots only");
    drop(first);
    tokio::time::timeout(SECOND, limiter.acquire(A))
        .await
        .expect("a slot came back")
        .unwrap();
}

fn of_a_plan(per_minute: u32) -> Arc<RateLimiter> {
    RateLimiter::new(LimiterSettings {
        per_second: NonZeroU32::new(10).unwrap(),
        per_minute: NonZeroU32::new(per_minute),
        pauses: Pauses::default(),
        max_in_flight: 4,
        patience: 90 * SECOND,
        slow_factor: f64::INFINITY,
    })
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_requests_a_minute_is_kept_evenly() {
    let limiter = of_a_plan(20);
    let took = send(&limiter, 21, SECOND / 10, Outcome::Answered).await;
    assert!((60.0..60.3).contains(&took.as_secs_f64()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_waits_for_goes_before_the_queue_which_goes_later() {
    let limiter = of_a_plan(20);
    let queue = tokio::spawn({
        let limiter = Arc::clone(&limiter);
        async move { send(&limiter, 21, SECOND / 10, Outcome::Answered).await }
    });
    tokio::time::sleep(10 * SECOND).await;
    for _ in 0..5 {
        let began = Instant::now();
        let permit = limiter.acquire_urgent(B, SECOND).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        permit.ended(Outcome::Answered);
    }
    let took = queue.await.unwrap();
    assert!(
        (75.0..75.4).contains(&took.as_secs_f64()),
        "26 in all: {took:?}"
    );
    limiter.pause(LimitScope::Everything, A, 30 * SECOND);
    let TooLong(wait) = limiter.acquire_urgent(B, SECOND).await.err().unwrap();
    assert!(wait > 29 * SECOND);
}

/// More questions than the plan allows: every fourth turn is the queue's all the same, and what it owes is bounded.
#[tokio::test(start_paused = true)]
async fn what_waits_is_never_starved_by_what_goes_before_it() {
    let limiter = of_a_plan(60);
    let asking = Arc::clone(&limiter);
    let questions = tokio::spawn(async move {
        for _ in 0..2_000 {
            let permit = asking.acquire_urgent(B, SECOND).await.unwrap();
            permit.ended(Outcome::Answered);
            tokio::time::sleep(SECOND / 4).await;
        }
    });
    tokio::time::sleep(10 * SECOND).await;
    let took = send(&limiter, 100, Duration::ZERO, Outcome::Answered).await;
    assert!((394..=402).contains(&took.as_secs()), "{took:?}");
    questions.await.unwrap();
    let owed = limiter.lock().owed;
    assert!(owed <= 60, "{owed}");
}

/// A service that lets so many requests through in a minute, from the first of them on, and refuses the others without a word.
#[tokio::test(start_paused = true)]
async fn a_rate_that_nobody_told_is_learned_from_few_refusals() {
    let limiter = limiter(10, 4);
    let window = Arc::new(Mutex::new((Instant::now(), 0_u32)));
    let (mut sent, mut passed) = (0, 0);
    while passed < 200 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (limiter, window) = (Arc::clone(&limiter), Arc::clone(&window));
            tasks.spawn(async move {
                let permit = limiter.acquire(A).await.unwrap();
                tokio::time::sleep(SECOND / 20).await;
                let fits = {
                    let mut window = window.lock().unwrap();
                    if window.0.elapsed() >= 60 * SECOND {
                        *window = (Instant::now(), 0);
                    }
                    window.1 += 1;
                    window.1 <= 20
                };
                if fits {
                    permit.ended(Outcome::Answered);
                } else {
                    limiter.refused(permit);
                }
                fits
            });
        }
        let answers = tasks.join_all().await;
        sent += answers.len();
        passed += answers.iter().filter(|fits| **fits).count();
    }
    assert!(sent * 10 <= passed * 11, "{sent} sent for {passed}");
    // Ten full minutes at the least, and not much more.
    let took = limiter.started.elapsed();
    assert!(took < 780 * SECOND, "{took:?}");
}

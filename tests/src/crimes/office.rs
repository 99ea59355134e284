//! A week of a bank's staff: who looks at what, who enters and who approves, and honest mistakes.

use super::diary::{Attempt, DAY, Diary, HOUR, MINUTE, SECOND};

/// Writes a week of this many people.
pub fn ordinary(diary: &mut Diary, staff: usize) {
    let actors: Vec<String> = (0..staff).map(|_| diary.name("clerk")).collect();
    let mut open = Vec::new();
    for day in 0..5 {
        for actor in &actors {
            for _ in 0..diary.between(3, 9) {
                let at = day * DAY + diary.between(8 * HOUR, 18 * HOUR);
                work(diary, actor, at, &mut open);
            }
            // A password is mistyped once, and then typed well.
            if diary.chance(2) {
                let at = day * DAY + diary.between(8 * HOUR, 10 * HOUR);
                attempt(diary, at, actor, "login", "workstation", "denied");
                attempt(diary, at + 20 * SECOND, actor, "login", "workstation", "success");
            }
        }
        // The one on call restarts a program at night, on two days of the week.
        if day % 2 == 1 {
            let at = day * DAY + diary.between(HOUR, 4 * HOUR);
            actors.iter().take(1).for_each(|actor| attempt(diary, at, actor, "restart", "batch", "success"));
        }
    }
    // Somebody else approves what was entered.
    for (maker, entity, at) in open {
        let others: Vec<&String> = actors.iter().filter(|actor| **actor != maker).collect();
        let (Some(checker), after) = (diary.pick(&others).copied(), diary.between(5 * MINUTE, 90 * MINUTE)) else { continue };
        attempt(diary, at + after, checker, "approve", &entity, "success");
    }
}

/// Looks at something, corrects it, or enters something that has to be approved.
fn work(diary: &mut Diary, actor: &str, at: i64, open: &mut Vec<(String, String, i64)>) {
    match diary.between(0, 9) {
        0 => {
            let entity = diary.name("order-");
            attempt(diary, at, actor, "create", &entity, "success");
            // What one enters one may read and correct.
            attempt(diary, at + 40 * SECOND, actor, "update", &entity, "success");
            open.push((actor.to_owned(), entity, at));
        }
        _ => {
            let entity = format!("customer-{}", diary.between(1, 400));
            attempt(diary, at, actor, "view", &entity, "success");
        }
    }
}

fn attempt(diary: &mut Diary, at: i64, actor: &str, action: &str, entity: &str, outcome: &str) {
    diary.attempt(at, Attempt { actor, action, entity, outcome });
}

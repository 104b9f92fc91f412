//! Tests of `budget`. In a file of their own, because `tests/loom.rs` also compiles `budget.rs`.

use proptest::prelude::*;

use crate::budget::Budget;

#[derive(Clone, Debug)]
enum Action {
    Take(u32),
    Drop,
    Spend,
    Give(u32),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        (0_u32..600).prop_map(Action::Take),
        Just(Action::Drop),
        Just(Action::Spend),
        (0_u32..600).prop_map(Action::Give),
    ];
    prop::collection::vec(action, 0..50)
}

proptest! {
    /// Compares the budget with plain arithmetic.
    #[test]
    fn budget_stays_between_zero_and_its_size(size in 0_u32..600, actions in actions()) {
        let budget = Budget::new(size);
        let mut permits = Vec::new();
        let mut left = size;
        for action in actions {
            match action {
                Action::Take(cost) => {
                    let permit = budget.take(cost);
                    prop_assert_eq!(permit.is_some(), cost <= left);
                    if let Some(permit) = permit {
                        left -= cost;
                        permits.push((permit, cost));
                    }
                }
                Action::Drop => if let Some((permit, cost)) = permits.pop() {
                    drop(permit);
                    left = (left + cost).min(size);
                }
                Action::Spend => if let Some((permit, _)) = permits.pop() {
                    permit.spend();
                }
                Action::Give(tokens) => {
                    budget.give(tokens);
                    left = (left + tokens).min(size);
                }
            }
            prop_assert_eq!(budget.left(), left);
            prop_assert!(left <= size);
        }
    }
}

//! Apart from `budget`, which `tests/loom.rs` compiles too.

use proptest::prelude::*;

use crate::budget::Budget;

#[derive(Clone, Debug)]
enum Deed {
    Take(u32),
    Drop,
    Spend,
    Give(u32),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        (0_u32..600).prop_map(Deed::Take),
        Just(Deed::Drop),
        Just(Deed::Spend),
        (0_u32..600).prop_map(Deed::Give),
    ];
    prop::collection::vec(deed, 0..50)
}

proptest! {
    /// Held against plain arithmetic.
    #[test]
    fn it_is_never_below_zero_nor_above_its_size(size in 0_u32..600, deeds in deeds()) {
        let budget = Budget::new(size);
        let mut permits = Vec::new();
        let mut left = size;
        for deed in deeds {
            match deed {
                Deed::Take(cost) => {
                    let permit = budget.take(cost);
                    prop_assert_eq!(permit.is_some(), cost <= left);
                    if let Some(permit) = permit {
                        left -= cost;
                        permits.push((permit, cost));
                    }
                }
                Deed::Drop => if let Some((permit, cost)) = permits.pop() {
                    drop(permit);
                    left = (left + cost).min(size);
                }
                Deed::Spend => if let Some((permit, _)) = permits.pop() {
                    permit.spend();
                }
                Deed::Give(tokens) => {
                    budget.give(tokens);
                    left = (left + tokens).min(size);
                }
            }
            prop_assert_eq!(budget.left(), left);
            prop_assert!(left <= size);
        }
    }
}

//! Stories of the matching rules, one each.

use super::script::tells;

#[test]
fn a_trade_happens_at_the_resting_orders_price() {
    tells(
        "
        > s1 ann sells 5 @ 10
          s1 accepted, 5 left
        > b1 bob buys 8 @ 12
          5 @ 10: b1* buys from s1
          b1 accepted, 8 left
          s1 filled, 5 done
          b1 partially_filled, 3 left, 5 done
        > book
          bid 12: b1 3
        ",
    );
}

#[test]
fn the_better_price_comes_first_and_at_one_price_the_earlier_order() {
    tells(
        "
        > s1 ann sells 1 @ 11
          s1 accepted, 1 left
        > s2 ann sells 2 @ 10
          s2 accepted, 2 left
        > s3 eve sells 3 @ 10
          s3 accepted, 3 left
        > book
          ask 11: s1 1
          ask 10: s2 2, s3 3
        > b1 bob buys 6 @ 11
          2 @ 10: b1* buys from s2
          3 @ 10: b1* buys from s3
          1 @ 11: b1* buys from s1
          b1 accepted, 6 left
          s2 filled, 2 done
          b1 partially_filled, 4 left, 2 done
          s3 filled, 3 done
          b1 partially_filled, 1 left, 5 done
          s1 filled, 1 done
          b1 filled, 6 done
        > book
          empty
        ",
    );
}

#[test]
fn what_is_left_of_a_market_order_is_cancelled() {
    tells(
        "
        > b1 bob buys 5 market
          b1 accepted, 5 left
          b1 cancelled: no_liquidity
        > s1 ann sells 2 @ 10
          s1 accepted, 2 left
        > b2 bob buys 5 market
          2 @ 10: b2* buys from s1
          b2 accepted, 5 left
          s1 filled, 2 done
          b2 partially_filled, 3 left, 2 done
          b2 cancelled, 2 done: no_liquidity
        ",
    );
}

#[test]
fn immediate_or_cancel_takes_what_there_is() {
    tells(
        "
        > s1 ann sells 2 @ 10
          s1 accepted, 2 left
        > b1 bob buys 5 @ 10 ioc
          2 @ 10: b1* buys from s1
          b1 accepted, 5 left
          s1 filled, 2 done
          b1 partially_filled, 3 left, 2 done
          b1 cancelled, 2 done: immediate_or_cancel
        ",
    );
}

#[test]
fn fill_or_kill_takes_all_or_nothing_and_hidden_quantity_counts() {
    tells(
        "
        > s1 ann sells 6 @ 10 show 2
          s1 accepted, 6 left
        > s2 ann sells 2 @ 11
          s2 accepted, 2 left
        > b1 bob buys 7 @ 10 fok
          b1 accepted, 7 left
          b1 cancelled: fill_or_kill
        > b2 bob buys 7 @ 11 fok
          2 @ 10: b2* buys from s1
          2 @ 10: b2* buys from s1
          2 @ 10: b2* buys from s1
          1 @ 11: b2* buys from s2
          b2 accepted, 7 left
          s1 partially_filled, 4 left, 2 done
          b2 partially_filled, 5 left, 2 done
          s1 partially_filled, 2 left, 4 done
          b2 partially_filled, 3 left, 4 done
          s1 filled, 6 done
          b2 partially_filled, 1 left, 6 done
          s2 partially_filled, 1 left, 1 done
          b2 filled, 7 done
        ",
    );
}

#[test]
fn fill_or_kill_does_not_count_its_owners_orders() {
    tells(
        "
        # Bob's own order is behind the others: it is not needed, and not met.
        > s1 ann sells 3 @ 10
          s1 accepted, 3 left
        > s2 bob sells 3 @ 10
          s2 accepted, 3 left
        > b1 bob buys 4 @ 10 fok
          b1 accepted, 4 left
          b1 cancelled: fill_or_kill
        > b2 bob buys 3 @ 10 fok
          3 @ 10: b2* buys from s1
          b2 accepted, 3 left
          s1 filled, 3 done
          b2 filled, 3 done
        # It is before the others: meeting it would cancel part of what must be whole.
        > s3 ann sells 3 @ 10
          s3 accepted, 3 left
        > b3 bob buys 3 @ 10 fok
          b3 accepted, 3 left
          b3 cancelled: fill_or_kill
        # Unless it is the older one that goes.
        > b4 bob buys 3 @ 10 fok cancel_oldest
          3 @ 10: b4* buys from s3
          b4 accepted, 3 left
          s2 cancelled: self_trade
          s3 filled, 3 done
          b4 filled, 3 done
        > s4 bob sells 1 @ 10
          s4 accepted, 1 left
        > b5 bob buys 1 @ 10 fok allow
          1 @ 10: b5* buys from s4
          b5 accepted, 1 left
          s4 filled, 1 done
          b5 filled, 1 done
        ",
    );
}

#[test]
fn fill_or_kill_does_not_count_what_hides_behind_its_owners_order() {
    tells(
        "
        > s1 ann sells 6 @ 10 show 2
          s1 accepted, 6 left
        > s2 bob sells 1 @ 10
          s2 accepted, 1 left
        > b1 bob buys 4 @ 10 fok
          b1 accepted, 4 left
          b1 cancelled: fill_or_kill
        > b2 bob buys 2 @ 10 fok
          2 @ 10: b2* buys from s1
          b2 accepted, 2 left
          s1 partially_filled, 4 left, 2 done
          b2 filled, 2 done
        > book
          ask 10: s2 1, s1 2 of 4
        ",
    );
}

#[test]
fn a_refill_goes_to_the_back_of_its_level() {
    tells(
        "
        > s1 ann sells 5 @ 10 show 2
          s1 accepted, 5 left
        > s2 eve sells 2 @ 10
          s2 accepted, 2 left
        > book
          ask 10: s1 2 of 5, s2 2
        > b1 bob buys 1 @ 10
          1 @ 10: b1* buys from s1
          b1 accepted, 1 left
          s1 partially_filled, 4 left, 1 done
          b1 filled, 1 done
        > book
          ask 10: s1 1 of 4, s2 2
        > b2 bob buys 2 @ 10
          1 @ 10: b2* buys from s1
          1 @ 10: b2* buys from s2
          b2 accepted, 2 left
          s1 partially_filled, 3 left, 2 done
          b2 partially_filled, 1 left, 1 done
          s2 partially_filled, 1 left, 1 done
          b2 filled, 2 done
        > book
          ask 10: s2 1, s1 2 of 3
        # The last part is what is left.
        > b3 bob buys 3 @ 10
          1 @ 10: b3* buys from s2
          2 @ 10: b3* buys from s1
          b3 accepted, 3 left
          s2 filled, 2 done
          b3 partially_filled, 2 left, 1 done
          s1 partially_filled, 1 left, 4 done
          b3 filled, 3 done
        > book
          ask 10: s1 1
        ",
    );
}

#[test]
fn an_iceberg_that_comes_takes_with_all_that_it_has() {
    tells(
        "
        > s1 ann sells 5 @ 10
          s1 accepted, 5 left
        > b1 bob buys 9 @ 10 show 3
          5 @ 10: b1* buys from s1
          b1 accepted, 9 left
          s1 filled, 5 done
          b1 partially_filled, 4 left, 5 done
        > book
          bid 10: b1 3 of 4
        ",
    );
}

#[test]
fn post_only_is_rejected_if_it_would_trade() {
    tells(
        "
        > s1 ann sells 5 @ 10
          s1 accepted, 5 left
        > b1 bob buys 5 @ 10 post_only
          b1 rejected: post_only
        > b2 bob buys 5 @ 9 post_only
          b2 accepted, 5 left
        > b3 bob buys 5 market post_only
          b3 rejected: post_only
        > b4 bob buys 5 stop 11 post_only
          b4 rejected: post_only
        # An amendment that would make it trade is refused, and leaves it as it is.
        > amend b2 bob 4 @ 10
          b2 rejected, 5 left: post_only
        > amend b2 bob 4
          b2 amended, 4 left
        > book
          ask 10: s1 5
          bid 9: b2 4
        ",
    );
}

#[test]
fn cancelling_ends_an_order_once() {
    tells(
        "
        > b1 bob buys 5 @ 10
          b1 accepted, 5 left
        > s1 ann sells 2 @ 10
          2 @ 10: b1 buys from s1*
          s1 accepted, 2 left
          b1 partially_filled, 3 left, 2 done
          s1 filled, 2 done
        > cancel b1 eve
          b1 rejected: wrong_account
        > cancel b1 bob
          b1 cancelled, 2 done
        > cancel b1 bob
          b1 rejected: unknown_order
        > cancel s1 ann
          s1 rejected: unknown_order
        > amend b9 bob 5
          b9 rejected: unknown_order
        ",
    );
}

#[test]
fn an_order_of_a_resting_orders_name_is_rejected_and_the_other_stays() {
    tells(
        "
        > b1 bob buys 5 @ 10
          b1 accepted, 5 left
        > b1 bob buys 7 @ 11
          b1 rejected: duplicate_order
        > b1 bob buys 1 stop 12
          b1 rejected: duplicate_order
        > book
          bid 10: b1 5
        ",
    );
}

#[test]
fn two_accounts_may_have_orders_of_one_name() {
    tells(
        "
        > 1 ann buys 5 @ 10
          1 accepted, 5 left
        > 1 bob buys 7 @ 10
          1 accepted, 7 left
        > 1 ann buys 1 @ 11
          1 rejected: duplicate_order
        > amend 1 bob 6
          1 amended, 6 left
        > book
          bid 10: 1 5, 1 6
        > cancel 1 ann
          1 cancelled
        > cancel 1 eve
          1 rejected: wrong_account
        > 1 eve sells 2 @ 10
          2 @ 10: 1 buys from 1*
          1 accepted, 2 left
          1 partially_filled, 4 left, 2 done
          1 filled, 2 done
        > book
          bid 10: 1 4
        ",
    );
}

#[test]
fn amending_to_less_keeps_the_place_in_the_queue() {
    tells(
        "
        > b1 bob buys 5 @ 10
          b1 accepted, 5 left
        > b2 eve buys 5 @ 10
          b2 accepted, 5 left
        > amend b1 bob 3
          b1 amended, 3 left
        > amend b1 bob 3 @ 10
          b1 amended, 3 left
        > book
          bid 10: b1 3, b2 5
        ",
    );
}

#[test]
fn amending_to_more_or_to_another_price_loses_it() {
    tells(
        "
        > b1 bob buys 5 @ 10
          b1 accepted, 5 left
        > b2 eve buys 5 @ 10
          b2 accepted, 5 left
        > amend b1 bob 6
          b1 amended, 6 left
        > book
          bid 10: b2 5, b1 6
        > amend b2 eve @ 9
          b2 amended, 5 left
        > amend b2 eve @ 10
          b2 amended, 5 left
        > book
          bid 10: b1 6, b2 5
        ",
    );
}

#[test]
fn an_amended_price_may_trade() {
    tells(
        "
        > s1 ann sells 2 @ 12
          s1 accepted, 2 left
        > b1 bob buys 5 @ 10
          b1 accepted, 5 left
        > amend b1 bob 4 @ 13
          2 @ 12: b1* buys from s1
          b1 amended, 4 left
          s1 filled, 2 done
          b1 partially_filled, 2 left, 2 done
        > book
          bid 13: b1 2
        ",
    );
}

#[test]
fn an_amended_quantity_is_the_whole_and_at_or_below_the_filled_it_cancels() {
    tells(
        "
        > b1 bob buys 5 @ 10
          b1 accepted, 5 left
        > s1 ann sells 2 @ 10
          2 @ 10: b1 buys from s1*
          s1 accepted, 2 left
          b1 partially_filled, 3 left, 2 done
          s1 filled, 2 done
        > amend b1 bob 4
          b1 amended, 2 left, 2 done
        > amend b1 bob 2
          b1 cancelled, 2 done: amended_away
        > b2 bob buys 5 @ 10
          b2 accepted, 5 left
        > s2 ann sells 3 @ 10
          3 @ 10: b2 buys from s2*
          s2 accepted, 3 left
          b2 partially_filled, 2 left, 3 done
          s2 filled, 3 done
        > amend b2 bob 1 @ 20
          b2 cancelled, 3 done: amended_away
        > b3 bob buys 5 @ 10
          b3 accepted, 5 left
        > amend b3 bob 0
          b3 cancelled: amended_away
        ",
    );
}

#[test]
fn amending_an_iceberg_to_less_takes_from_what_is_hidden_first() {
    tells(
        "
        > s1 ann sells 9 @ 10 show 3
          s1 accepted, 9 left
        > s2 eve sells 1 @ 10
          s2 accepted, 1 left
        > amend s1 ann 4
          s1 amended, 4 left
        > book
          ask 10: s1 3 of 4, s2 1
        > amend s1 ann 2
          s1 amended, 2 left
        > amend s1 ann 8
          s1 amended, 8 left
        > book
          ask 10: s2 1, s1 3 of 8
        ",
    );
}

#[test]
fn a_stop_buys_from_its_price_up_and_sells_from_its_price_down() {
    tells(
        "
        > s1 ann sells 1 @ 10
          s1 accepted, 1 left
        > up eve buys 1 stop 11
          up accepted, 1 left
        > down eve sells 1 @ 8 stop 9
          down accepted, 1 left
        > book
          ask 10: s1 1
          up 1 waits for 11
          down 1 waits for 9 @ 8
        > b1 bob buys 1 @ 10
          1 @ 10: b1* buys from s1
          b1 accepted, 1 left
          s1 filled, 1 done
          b1 filled, 1 done
        > s2 ann sells 1 @ 11
          s2 accepted, 1 left
        > s3 ann sells 1 @ 12
          s3 accepted, 1 left
        > b2 bob buys 1 @ 11
          1 @ 11: b2* buys from s2
          1 @ 12: up* buys from s3
          b2 accepted, 1 left
          s2 filled, 1 done
          b2 filled, 1 done
          up triggered, 1 left
          s3 filled, 1 done
          up filled, 1 done
        > b3 bob buys 1 @ 9
          b3 accepted, 1 left
        > s4 ann sells 1 @ 9
          1 @ 9: b3 buys from s4*
          s4 accepted, 1 left
          b3 filled, 1 done
          s4 filled, 1 done
          down triggered, 1 left
        > book
          ask 8: down 1
        ",
    );
}

#[test]
fn a_stop_whose_price_was_passed_already_is_triggered_at_once() {
    tells(
        "
        > s1 ann sells 2 @ 10
          s1 accepted, 2 left
        > b1 bob buys 1 @ 10
          1 @ 10: b1* buys from s1
          b1 accepted, 1 left
          s1 partially_filled, 1 left, 1 done
          b1 filled, 1 done
        > b2 bob buys 1 stop 10
          1 @ 10: b2* buys from s1
          b2 accepted, 1 left
          b2 triggered, 1 left
          s1 filled, 2 done
          b2 filled, 1 done
        ",
    );
}

#[test]
fn stops_of_one_trade_enter_in_order_of_arrival_and_cascade_until_quiet() {
    tells(
        "
        > x2 eve buys 1 @ 12 stop 10.5
          x2 accepted, 1 left
        > x1 eve buys 1 @ 12 stop 10
          x1 accepted, 1 left
        > x3 eve buys 1 stop 12
          x3 accepted, 1 left
        > s1 ann sells 1 @ 10.5
          s1 accepted, 1 left
        > s2 ann sells 1 @ 12
          s2 accepted, 1 left
        > s3 ann sells 1 @ 13
          s3 accepted, 1 left
        # x2 came before x1, though x1's price is passed first. x2's trade triggers x3, which comes behind x1.
        > b1 bob buys 1 market
          1 @ 10.5: b1* buys from s1
          1 @ 12: x2* buys from s2
          1 @ 13: x3* buys from s3
          b1 accepted, 1 left
          s1 filled, 1 done
          b1 filled, 1 done
          x2 triggered, 1 left
          s2 filled, 1 done
          x2 filled, 1 done
          x1 triggered, 1 left
          x3 triggered, 1 left
          s3 filled, 1 done
          x3 filled, 1 done
        > book
          bid 12: x1 1
        ",
    );
}

#[test]
fn every_trade_of_an_order_triggers_and_not_only_the_last() {
    tells(
        "
        > s0 ann sells 1 @ 11
          s0 accepted, 1 left
        > b0 bob buys 1 @ 11
          1 @ 11: b0* buys from s0
          b0 accepted, 1 left
          s0 filled, 1 done
          b0 filled, 1 done
        > x1 eve sells 1 @ 20 stop 10
          x1 accepted, 1 left
        > s1 ann sells 1 @ 10
          s1 accepted, 1 left
        > s2 ann sells 1 @ 12
          s2 accepted, 1 left
        # The last price goes from 11 to 10 and on to 12.
        > b1 bob buys 2 @ 12
          1 @ 10: b1* buys from s1
          1 @ 12: b1* buys from s2
          b1 accepted, 2 left
          s1 filled, 1 done
          b1 partially_filled, 1 left, 1 done
          s2 filled, 1 done
          b1 filled, 2 done
          x1 triggered, 1 left
        > book
          ask 20: x1 1
        ",
    );
}

#[test]
fn a_triggered_stop_keeps_its_terms() {
    tells(
        "
        > x1 eve buys 5 @ 12 stop 10 fok
          x1 accepted, 5 left
        > x2 eve buys 5 @ 12 stop 10 ioc
          x2 accepted, 5 left
        > x3 eve buys 5 @ 12 stop 10 post_only
          x3 accepted, 5 left
        > x4 eve buys 5 stop 10
          x4 accepted, 5 left
        > s1 ann sells 1 @ 10
          s1 accepted, 1 left
        > s2 ann sells 3 @ 11
          s2 accepted, 3 left
        > b1 bob buys 1 @ 10
          1 @ 10: b1* buys from s1
          3 @ 11: x2* buys from s2
          b1 accepted, 1 left
          s1 filled, 1 done
          b1 filled, 1 done
          x1 triggered, 5 left
          x1 cancelled: fill_or_kill
          x2 triggered, 5 left
          s2 filled, 3 done
          x2 partially_filled, 2 left, 3 done
          x2 cancelled, 3 done: immediate_or_cancel
          x3 triggered, 5 left
          x4 triggered, 5 left
          x4 cancelled: no_liquidity
        > book
          bid 12: x3 5
        ",
    );
}

#[test]
fn a_post_only_stop_that_would_trade_when_triggered_is_cancelled() {
    tells(
        "
        > x1 eve buys 5 @ 12 stop 10 post_only
          x1 accepted, 5 left
        > s1 ann sells 2 @ 10
          s1 accepted, 2 left
        > b1 bob buys 1 @ 10
          1 @ 10: b1* buys from s1
          b1 accepted, 1 left
          s1 partially_filled, 1 left, 1 done
          b1 filled, 1 done
          x1 triggered, 5 left
          x1 cancelled: post_only
        ",
    );
}

#[test]
fn stops_can_be_amended_and_cancelled_while_they_wait() {
    tells(
        "
        > x1 eve buys 5 @ 12 stop 10
          x1 accepted, 5 left
        > x2 eve buys 5 stop 10
          x2 accepted, 5 left
        > amend x1 eve 4
          x1 amended, 4 left
        > book
          x1 4 waits for 10 @ 12
          x2 5 waits for 10
        > amend x1 eve @ 11
          x1 amended, 4 left
        > amend x2 eve @ 11
          x2 rejected, 5 left: unexpected_price
        > book
          x2 5 waits for 10
          x1 4 waits for 10 @ 11
        > cancel x2 eve
          x2 cancelled
        ",
    );
}

#[test]
fn a_gtd_order_ends_at_the_first_event_at_or_behind_its_time() {
    tells(
        "
        > b2 bob buys 2 @ 10 until 50
          b2 accepted, 2 left
        > b1 bob buys 1 @ 10 until 40
          b1 accepted, 1 left
        > x1 bob buys 1 stop 20 until 50
          x1 accepted, 1 left
        > at 49
        > s1 ann sells 1 @ 10 until 50
          1 @ 10: b2 buys from s1*
          b1 expired: expires_at
          s1 accepted, 1 left
          b2 partially_filled, 1 left, 1 done
          s1 filled, 1 done
        > at 50
        # Even an event that changes nothing. Those that end together end by priority.
        > cancel b2 bob
          b2 expired, 1 done: expires_at
          x1 expired: expires_at
          b2 rejected: unknown_order
        > b3 bob buys 1 @ 10 until 50
          b3 rejected: already_expired
        ",
    );
}

#[test]
fn a_day_order_ends_when_the_symbol_closes() {
    tells(
        "
        > b1 bob buys 1 @ 10 day
          b1 accepted, 1 left
        > b2 bob buys 1 @ 10
          b2 accepted, 1 left
        > x1 bob buys 1 stop 20 day
          x1 accepted, 1 left
        > phase closed
          b1 expired: end_of_day
          x1 expired: end_of_day
        > book
          bid 10: b2 1
        ",
    );
}

#[test]
fn a_market_order_stops_at_the_price_band_and_the_rest_is_cancelled() {
    tells(
        "
        > band 500 around 9.2
        > s1 ann sells 1 @ 9.66
          s1 accepted, 1 left
        > s2 ann sells 5 @ 10.4
          s2 accepted, 5 left
        > b1 bob buys 3 market
          1 @ 9.66: b1* buys from s1
          b1 accepted, 3 left
          s1 filled, 1 done
          b1 partially_filled, 2 left, 1 done
          b1 cancelled, 1 done: price_band
        > book
          ask 10.4: s2 5
        # The band is around the last price now: up to 10.143, and down to 9.177.
        > b2 bob buys 1 market
          b2 accepted, 1 left
          b2 cancelled: price_band
        > b3 bob buys 1 @ 9.17
          b3 accepted, 1 left
        > s3 ann sells 1 market
          s3 accepted, 1 left
          s3 cancelled: price_band
        # A limit is its owner's word.
        > b4 bob buys 1 @ 10.4
          1 @ 10.4: b4* buys from s2
          b4 accepted, 1 left
          s2 partially_filled, 4 left, 1 done
          b4 filled, 1 done
        ",
    );
}

#[test]
fn a_market_orders_own_trades_do_not_move_its_band() {
    tells(
        "
        > band 1000 around 100
        > s1 ann sells 1 @ 110
          s1 accepted, 1 left
        > s2 ann sells 1 @ 121
          s2 accepted, 1 left
        > b1 bob buys 2 market
          1 @ 110: b1* buys from s1
          b1 accepted, 2 left
          s1 filled, 1 done
          b1 partially_filled, 1 left, 1 done
          b1 cancelled, 1 done: price_band
        > b2 bob buys 1 market
          1 @ 121: b2* buys from s2
          b2 accepted, 1 left
          s2 filled, 1 done
          b2 filled, 1 done
        ",
    );
}

#[test]
fn a_triggered_stop_stops_at_the_band_around_the_price_that_triggered_it() {
    tells(
        "
        > band 500 around 10
        > x1 eve buys 3 stop 10
          x1 accepted, 3 left
        > s1 ann sells 1 @ 10
          s1 accepted, 1 left
        > s2 ann sells 1 @ 10.5
          s2 accepted, 1 left
        > s3 ann sells 5 @ 11
          s3 accepted, 5 left
        > b1 bob buys 1 @ 10
          1 @ 10: b1* buys from s1
          1 @ 10.5: x1* buys from s2
          b1 accepted, 1 left
          s1 filled, 1 done
          b1 filled, 1 done
          x1 triggered, 3 left
          s2 filled, 1 done
          x1 partially_filled, 2 left, 1 done
          x1 cancelled, 1 done: price_band
        ",
    );
}

#[test]
fn a_market_order_that_could_be_filled_only_beyond_the_band_is_killed() {
    tells(
        "
        > band 500 around 10
        > s1 ann sells 1 @ 10
          s1 accepted, 1 left
        > s2 ann sells 1 @ 11
          s2 accepted, 1 left
        > b1 bob buys 2 market fok
          b1 accepted, 2 left
          b1 cancelled: fill_or_kill
        > b2 bob buys 1 market fok
          1 @ 10: b2* buys from s1
          b2 accepted, 1 left
          s1 filled, 1 done
          b2 filled, 1 done
        ",
    );
}

#[test]
fn own_orders_do_not_meet_and_the_newest_goes() {
    tells(
        "
        > s1 ann/desk sells 2 @ 10
          s1 accepted, 2 left
        > s2 eve sells 2 @ 10
          s2 accepted, 2 left
        # Two accounts of one owner.
        > b1 bob/desk buys 3 @ 10
          b1 accepted, 3 left
          b1 cancelled: self_trade
        > s3 eve sells 1 @ 9
          s3 accepted, 1 left
        # What it trades before stands.
        > b2 bob/desk buys 3 @ 10
          1 @ 9: b2* buys from s3
          b2 accepted, 3 left
          s3 filled, 1 done
          b2 partially_filled, 2 left, 1 done
          b2 cancelled, 1 done: self_trade
        > book
          ask 10: s1 2, s2 2
        ",
    );
}

#[test]
fn self_trade_prevention_has_the_mode_of_the_order_that_comes() {
    tells(
        "
        > s1 ann sells 2 @ 10 cancel_newest
          s1 accepted, 2 left
        > s2 eve sells 1 @ 10
          s2 accepted, 1 left
        > b1 ann buys 3 @ 10 cancel_oldest
          1 @ 10: b1* buys from s2
          b1 accepted, 3 left
          s1 cancelled: self_trade
          s2 filled, 1 done
          b1 partially_filled, 2 left, 1 done
        > s3 ann sells 5 @ 10 cancel_both
          s3 accepted, 5 left
          b1 cancelled, 1 done: self_trade
          s3 cancelled: self_trade
        > s4 ann sells 5 @ 10
          s4 accepted, 5 left
        > b2 ann buys 2 @ 10 allow
          2 @ 10: b2* buys from s4
          b2 accepted, 2 left
          s4 partially_filled, 3 left, 2 done
          b2 filled, 2 done
        ",
    );
}

#[test]
fn decrement_cancels_the_smaller_and_reduces_the_larger() {
    tells(
        "
        > s1 ann sells 5 @ 10 show 3
          s1 accepted, 5 left
        > b1 ann buys 1 @ 10 decrement
          b1 accepted, 1 left
          s1 amended, 4 left: self_trade
          b1 cancelled: self_trade
        > book
          ask 10: s1 3 of 4
        > b2 ann buys 6 @ 10 decrement
          b2 accepted, 6 left
          s1 cancelled: self_trade
          b2 amended, 2 left: self_trade
        > s2 ann sells 2 @ 10 decrement
          s2 accepted, 2 left
          b2 cancelled: self_trade
          s2 cancelled: self_trade
        > book
          empty
        ",
    );
}

#[test]
fn a_halt_accepts_cancels_only() {
    tells(
        "
        > b1 bob buys 5 @ 10
          b1 accepted, 5 left
        > b2 bob buys 5 @ 10
          b2 accepted, 5 left
        > phase halted
        > s1 ann sells 5 @ 10
          s1 rejected: wrong_phase
        > x1 ann sells 5 stop 10
          x1 rejected: wrong_phase
        > amend b1 bob 4
          b1 rejected, 5 left: wrong_phase
        > cancel b1 bob
          b1 cancelled
        > phase continuous
        > s2 ann sells 5 @ 10
          5 @ 10: b2 buys from s2*
          s2 accepted, 5 left
          b2 filled, 5 done
          s2 filled, 5 done
        ",
    );
}

#[test]
fn a_closed_symbol_rejects_new_orders() {
    tells(
        "
        > b1 bob buys 5 @ 10
          b1 accepted, 5 left
        > phase closed
        > s1 ann sells 5 @ 10
          s1 rejected: wrong_phase
        > amend b1 bob @ 11
          b1 rejected, 5 left: wrong_phase
        > cancel b1 bob
          b1 cancelled
        ",
    );
}

#[test]
fn an_auction_gathers_and_uncrosses_at_the_price_of_most_volume() {
    tells(
        "
        > phase auction
        > b1 bob buys 5 @ 12
          b1 accepted, 5 left
        > b2 bob buys 5 @ 11
          b2 accepted, 5 left
        > b3 bob buys 5 @ 10
          b3 accepted, 5 left
        > s1 ann sells 4 @ 9
          s1 accepted, 4 left
        > s2 ann sells 4 @ 11
          s2 accepted, 4 left
        > s3 ann sells 4 @ 12
          s3 accepted, 4 left
        > book
          ask 12: s3 4
          ask 11: s2 4
          ask 9: s1 4
          bid 12: b1 5
          bid 11: b2 5
          bid 10: b3 5
        #  price  demand  supply  volume
        #     12       5      12       5
        #     11      10       8       8
        #     10      15       4       4
        > phase continuous tick 1
          4 @ 11: b1 buys from s1
          1 @ 11: b1 buys from s2
          3 @ 11: b2 buys from s2
          b1 partially_filled, 1 left, 4 done
          s1 filled, 4 done
          b1 filled, 5 done
          s2 partially_filled, 3 left, 1 done
          b2 partially_filled, 2 left, 3 done
          s2 filled, 4 done
        > book
          ask 12: s3 4
          bid 11: b2 2
          bid 10: b3 5
        ",
    );
}

#[test]
fn among_prices_of_one_volume_the_least_surplus_wins() {
    tells(
        "
        > phase pre_open
        > b1 bob buys 5 @ 12
          b1 accepted, 5 left
        > b2 bob buys 2 @ 10
          b2 accepted, 2 left
        > s1 ann sells 5 @ 10
          s1 accepted, 5 left
        > s2 ann sells 2 @ 12
          s2 accepted, 2 left
        # At 10 two buyers are left over, at 12 two sellers, at 11 nobody: though nobody asked for 11.
        > phase continuous tick 1 reference 15
          5 @ 11: b1 buys from s1
          b1 filled, 5 done
          s1 filled, 5 done
        ",
    );
}

#[test]
fn among_equal_prices_the_nearest_to_the_reference_wins_and_then_the_lower() {
    for (reference, price) in
        [("", 10), ("reference 8", 10), ("reference 11", 11), ("reference 30", 13), ("reference 11.5", 11), ("reference 11.75", 12)]
    {
        // From 10 to 13 the volume is five, with no surplus.
        tells(
            &format!(
                "
            > phase auction
            > b1 bob buys 5 @ 13
              b1 accepted, 5 left
            > s1 ann sells 5 @ 10
              s1 accepted, 5 left
            > phase continuous tick 1 {reference}
              5 @ {price}: b1 buys from s1
              b1 filled, 5 done
              s1 filled, 5 done
            "
            )
            .replace(" \n", "\n"),
        );
    }
}

#[test]
fn the_last_price_is_the_reference_before_the_instruments() {
    tells(
        "
        > s0 ann sells 1 @ 12
          s0 accepted, 1 left
        > b0 bob buys 1 @ 12
          1 @ 12: b0* buys from s0
          b0 accepted, 1 left
          s0 filled, 1 done
          b0 filled, 1 done
        > phase auction
        > b1 bob buys 5 @ 13
          b1 accepted, 5 left
        > s1 ann sells 5 @ 10
          s1 accepted, 5 left
        > phase continuous tick 1 reference 10
          5 @ 12: b1 buys from s1
          b1 filled, 5 done
          s1 filled, 5 done
        ",
    );
}

#[test]
fn market_orders_come_first_in_an_auction_and_their_rest_is_cancelled() {
    tells(
        "
        > phase auction
        > b1 bob buys 2 @ 12
          b1 accepted, 2 left
        > b2 bob buys 4 market
          b2 accepted, 4 left
        > s1 ann sells 3 @ 10
          s1 accepted, 3 left
        > book
          ask 10: s1 3
          bid market: b2 4
          bid 12: b1 2
        > phase continuous tick 1
          3 @ 10: b2 buys from s1
          b2 partially_filled, 1 left, 3 done
          s1 filled, 3 done
          b2 cancelled, 3 done: no_liquidity
        > book
          bid 12: b1 2
        ",
    );
}

#[test]
fn a_market_order_does_not_trade_in_an_auction_beyond_the_price_band() {
    tells(
        "
        # Up to 9.66 and down to 8.74, from the reference.
        > band 500 around 9.2
        > phase auction
        > s1 ann sells 5 @ 9.67
          s1 accepted, 5 left
        > b1 bob buys 3 market
          b1 accepted, 3 left
        > phase continuous tick 0.01 reference 9.2
          b1 cancelled: price_band
        > book
          ask 9.67: s1 5
        # An order with a limit may, and the market orders then have no part in it.
        > phase auction
        > b2 bob buys 2 market
          b2 accepted, 2 left
        > b3 bob buys 4 @ 9.7
          b3 accepted, 4 left
        > phase continuous tick 0.01 reference 9.2
          4 @ 9.67: b3 buys from s1
          b3 filled, 4 done
          s1 partially_filled, 1 left, 4 done
          b2 cancelled: price_band
        > book
          ask 9.67: s1 1
        ",
    );
}

#[test]
fn a_market_order_is_filled_in_an_auction_up_to_the_edge_of_the_band_and_no_further() {
    tells(
        "
        > band 500 around 10
        > phase auction
        > s1 ann sells 2 @ 10.5
          s1 accepted, 2 left
        > s2 ann sells 4 @ 10.51
          s2 accepted, 4 left
        > b1 bob buys 5 market
          b1 accepted, 5 left
        # All six would trade at 10.51, beyond the edge. At it, two do.
        > phase continuous tick 0.01 reference 10
          2 @ 10.5: b1 buys from s1
          b1 partially_filled, 3 left, 2 done
          s1 filled, 2 done
          b1 cancelled, 2 done: price_band
        > phase auction
        # The last price is 10.5 now: the band is down to 9.975.
        > b2 bob buys 1 @ 9.97
          b2 accepted, 1 left
        > s3 eve sells 1 market
          s3 accepted, 1 left
        > phase closed tick 0.01
          s3 cancelled: price_band
        ",
    );
}

#[test]
fn a_second_uncrossing_whose_reference_is_beyond_the_band_clears_at_its_upper_edge() {
    tells(
        "
        > band 500 around 10
        > phase auction
        > s1 ann sells 5 @ 10
          s1 accepted, 5 left
        > s2 carl sells 5 @ 10.6
          s2 accepted, 5 left
        > b0 bob buys 1 @ 10.6
          b0 accepted, 1 left
        > b1 ann buys 10 @ 10.6
          b1 accepted, 10 left
        > m1 dan buys 2 market
          m1 accepted, 2 left
        # At 10.6 ten would trade, but after b0 the next in line is b1, of the owner of s1. What is left trades with m1 at any price
        # from 10 to the edge, 10.5, which is the nearest to the last price, 10.6.
        > phase continuous tick 0.01 reference 10
          1 @ 10.6: b0 buys from s1
          2 @ 10.5: m1 buys from s1
          b0 filled, 1 done
          s1 partially_filled, 4 left, 1 done
          b1 cancelled: self_trade
          m1 filled, 2 done
          s1 partially_filled, 2 left, 3 done
        > book
          ask 10.6: s2 5
          ask 10: s1 2
        ",
    );
}

#[test]
fn a_second_uncrossing_whose_reference_is_beyond_the_band_clears_at_its_lower_edge() {
    tells(
        "
        > band 500 around 10
        > phase auction
        > b1 ann buys 5 @ 10
          b1 accepted, 5 left
        > b2 carl buys 5 @ 9.4
          b2 accepted, 5 left
        > s0 bob sells 1 @ 9.4
          s0 accepted, 1 left
        > s1 ann sells 10 @ 9.4
          s1 accepted, 10 left
        > m1 dan sells 2 market
          m1 accepted, 2 left
        # What is left after s1, of the owner of b1, trades with m1 at any price from the edge, 9.5, to 10. The last price is 9.4.
        > phase continuous tick 0.01 reference 10
          1 @ 9.4: b1 buys from s0
          2 @ 9.5: b1 buys from m1
          b1 partially_filled, 4 left, 1 done
          s0 filled, 1 done
          s1 cancelled: self_trade
          b1 partially_filled, 2 left, 3 done
          m1 filled, 2 done
        > book
          bid 10: b1 2
          bid 9.4: b2 5
        ",
    );
}

#[test]
fn a_market_order_does_not_drive_an_auction_beyond_what_was_named() {
    tells(
        "
        > phase auction
        > b1 bob buys 4 market
          b1 accepted, 4 left
        > b2 bob buys 2 @ 12
          b2 accepted, 2 left
        > s1 ann sells 4 @ 10
          s1 accepted, 4 left
        # From 13 on, nothing would be left over. But the highest price that anybody named is 12.
        > phase continuous tick 1
          4 @ 10: b1 buys from s1
          b1 filled, 4 done
          s1 filled, 4 done
        ",
    );
}

#[test]
fn market_orders_alone_trade_at_the_reference_or_not_at_all() {
    tells(
        "
        > phase auction
        > b1 bob buys 2 market
          b1 accepted, 2 left
        > s1 ann sells 2 market
          s1 accepted, 2 left
        > phase continuous tick 1
          b1 cancelled: no_liquidity
          s1 cancelled: no_liquidity
        > phase auction
        > b2 bob buys 2 market
          b2 accepted, 2 left
        > s2 ann sells 3 market
          s2 accepted, 3 left
        > phase continuous tick 1 reference 7
          2 @ 7: b2 buys from s2
          b2 filled, 2 done
          s2 partially_filled, 1 left, 2 done
          s2 cancelled, 2 done: no_liquidity
        > phase auction
        > b3 bob buys 2 market
          b3 accepted, 2 left
        > s3 ann sells 2 market
          s3 accepted, 2 left
        # The last price is 7; prices are multiples of 2 now.
        > phase continuous tick 2
          2 @ 6: b3 buys from s3
          b3 filled, 2 done
          s3 filled, 2 done
        ",
    );
}

#[test]
fn orders_that_must_trade_at_once_cannot_gather() {
    tells(
        "
        > phase auction
        > b1 bob buys 2 @ 10 ioc
          b1 rejected: wrong_phase
        > b2 bob buys 2 market fok
          b2 rejected: wrong_phase
        # A stop waits in any case.
        > b3 bob buys 2 @ 10 stop 11 ioc
          b3 accepted, 2 left
        # A post-only order may not cross what has gathered; later orders may cross it.
        > s1 ann sells 1 @ 10
          s1 accepted, 1 left
        > b4 bob buys 2 @ 10 post_only
          b4 rejected: post_only
        > b5 bob buys 2 @ 9 post_only
          b5 accepted, 2 left
        > s2 ann sells 1 @ 9
          s2 accepted, 1 left
        > phase continuous tick 1
          1 @ 9: b5 buys from s2
          b5 partially_filled, 1 left, 1 done
          s2 filled, 1 done
        ",
    );
}

#[test]
fn an_auction_that_ends_in_the_close_uncrosses_before_day_orders_end() {
    tells(
        "
        > phase auction
        > b1 bob buys 5 @ 10 day
          b1 accepted, 5 left
        > s1 ann sells 3 @ 10
          s1 accepted, 3 left
        > x1 eve buys 1 stop 10
          x1 accepted, 1 left
        > phase closed tick 1
          3 @ 10: b1 buys from s1
          b1 partially_filled, 2 left, 3 done
          s1 filled, 3 done
          b1 expired, 3 done: end_of_day
        # The closing price triggers stops once there is trading again.
        > phase pre_open
        > s2 ann sells 1 @ 11
          s2 accepted, 1 left
        > phase continuous tick 1
          1 @ 11: x1* buys from s2
          x1 triggered, 1 left
          s2 filled, 1 done
          x1 filled, 1 done
        ",
    );
}

#[test]
fn what_gathered_before_a_halt_uncrosses_after_it() {
    tells(
        "
        > phase auction
        > b1 bob buys 5 @ 11
          b1 accepted, 5 left
        > s1 ann sells 3 @ 10
          s1 accepted, 3 left
        > phase halted
        > phase continuous tick 1 reference 11
          3 @ 11: b1 buys from s1
          b1 partially_filled, 2 left, 3 done
          s1 filled, 3 done
        ",
    );
}

#[test]
fn an_own_order_that_cannot_trade_at_the_auctions_price_rests() {
    tells(
        "
        > phase auction
        > a1 ann buys 5 @ 105
          a1 accepted, 5 left
        > a2 ann sells 8 @ 104
          a2 accepted, 8 left
        > b1 bob sells 10 @ 99
          b1 accepted, 10 left
        > phase continuous tick 1 reference 100
          5 @ 100: a1 buys from b1
          a1 filled, 5 done
          b1 partially_filled, 5 left, 5 done
        > book
          ask 104: a2 8
          ask 99: b1 5
        ",
    );
}

#[test]
fn an_auctions_price_is_found_from_all_orders_and_the_volume_of_an_own_pair_goes_to_the_next() {
    tells(
        "
        > phase auction
        > b1 bob/desk buys 5 @ 12
          b1 accepted, 5 left
        > s1 ann/desk sells 3 @ 10
          s1 accepted, 3 left
        > s2 ann/desk sells 2 @ 10 decrement
          s2 accepted, 2 left
        > s3 eve sells 4 @ 11
          s3 accepted, 4 left
        # At 10 five would trade and nothing would be left over, but only s3 is another's, and it asks for 11.
        > phase continuous tick 1
          3 @ 11: b1 buys from s3
          s1 cancelled: self_trade
          b1 amended, 3 left: self_trade
          s2 cancelled: self_trade
          b1 filled, 3 done
          s3 partially_filled, 1 left, 3 done
        > book
          ask 11: s3 1
        # The next in the queue, at the same price.
        > phase auction
        > b2 bob/desk buys 5 @ 10
          b2 accepted, 5 left
        > s4 ann/desk sells 5 @ 9
          s4 accepted, 5 left
        > s5 eve sells 4 @ 9
          s5 accepted, 4 left
        > b3 kim buys 3 @ 9
          b3 accepted, 3 left
        > phase continuous tick 1
          4 @ 9: b2 buys from s5
          s4 cancelled: self_trade
          b2 partially_filled, 1 left, 4 done
          s5 filled, 4 done
        > book
          ask 11: s3 1
          bid 10: b2 1
          bid 9: b3 3
        ",
    );
}

#[test]
fn own_orders_of_an_auction_that_allow_it_trade_with_each_other() {
    tells(
        "
        > phase auction
        > b1 ann buys 5 @ 10
          b1 accepted, 5 left
        > s1 ann sells 3 @ 10 allow
          s1 accepted, 3 left
        > s2 ann sells 3 @ 10 cancel_both
          s2 accepted, 3 left
        > phase continuous tick 1
          3 @ 10: b1 buys from s1
          b1 partially_filled, 2 left, 3 done
          s1 filled, 3 done
          b1 cancelled, 3 done: self_trade
          s2 cancelled: self_trade
        > book
          empty
        ",
    );
}

#[test]
fn an_iceberg_takes_part_in_an_auction_with_all_that_it_has() {
    tells(
        "
        > phase auction
        > s1 ann sells 9 @ 10 show 2
          s1 accepted, 9 left
        > s2 eve sells 3 @ 10
          s2 accepted, 3 left
        > b1 bob buys 3 @ 10
          b1 accepted, 3 left
        > b2 bob buys 2 @ 10
          b2 accepted, 2 left
        > phase continuous tick 1
          3 @ 10: b1 buys from s1
          2 @ 10: b2 buys from s1
          b1 filled, 3 done
          s1 partially_filled, 6 left, 3 done
          b2 filled, 2 done
          s1 partially_filled, 4 left, 5 done
        > book
          ask 10: s2 3, s1 2 of 4
        ",
    );
}

#[test]
fn prices_may_be_negative() {
    tells(
        "
        > s1 ann sells 1 @ -3
          s1 accepted, 1 left
        > s2 ann sells 1 @ -2
          s2 accepted, 1 left
        > b1 bob buys 1 @ -5
          b1 accepted, 1 left
        > x1 eve sells 1 @ -4 stop -3
          x1 accepted, 1 left
        > b2 bob buys 1 @ -2
          1 @ -3: b2* buys from s1
          b2 accepted, 1 left
          s1 filled, 1 done
          b2 filled, 1 done
          x1 triggered, 1 left
        > book
          ask -2: s2 1
          ask -4: x1 1
          bid -5: b1 1
        ",
    );
}

#[test]
fn a_level_that_no_column_could_hold_is_refused() {
    let huge = "999999999999999999";
    let mut story = String::new();
    // Ten fit: a column has one integer digit more than an order's quantity.
    for number in 1..=10 {
        story += &format!("> b{number} bob buys {huge} @ 10\nb{number} accepted, {huge} left\n");
    }
    story += &format!("> b11 bob buys {huge} @ 10\nb11 rejected: overflow\n> b12 bob buys {huge} @ 11\nb12 accepted, {huge} left\n");
    story += &format!("> amend b12 bob @ 10\nb12 rejected, {huge} left: overflow\n> amend b10 bob 5\nb10 amended, 5 left\n");
    tells(&story);
}

#[test]
fn an_order_that_lacks_what_its_kind_needs_is_refused() {
    tells(
        "
        > b1 bob buys 1
          b1 rejected: missing_price
        > b2 bob buys 0 @ 10
          b2 rejected: no_quantity
        > b3 bob buys 1 @ 10 show 0
          b3 rejected: no_quantity
        > b4 bob buys 1 @ 10 gtd
          b4 rejected: missing_expires_at
        ",
    );
}

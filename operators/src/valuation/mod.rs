//! valuation.

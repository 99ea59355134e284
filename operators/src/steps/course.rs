//! The course of a process: its steps, legal and illegal.

use headwater_schemas::{EffectiveTime, EventTime, Placed};

/// A process that goes from step to step. The default is the process before its first step.
pub(crate) trait Process: Default {
    /// A step.
    type Step;

    /// The process after a step; `None` if the step is illegal.
    fn after(&self, step: &Self::Step) -> Option<Self>;

    /// The step's own time, and its position among steps of equal times.
    fn own_order(step: &Self::Step) -> (EventTime, u8);
}

/// The steps of a process that have arrived.
///
/// Steps count in the order of arrival, which is that of their partition. If some are illegal in that order, and fewer in the
/// order of the steps' own times, that order counts: a step that is only late takes its proper position. So the course depends on
/// the steps that have arrived, not on when they were looked at.
#[derive(Debug)]
pub(crate) struct Course<'a, P: Process> {
    /// The process after the legal steps.
    pub(crate) reached: P,
    /// The legal steps, in the order that counts.
    pub(crate) legal: Vec<&'a Placed<P::Step>>,
    /// The illegal steps, in that order.
    pub(crate) illegal: Vec<&'a Placed<P::Step>>,
}

impl<'a, P: Process> Course<'a, P> {
    /// The course of steps that are listed in the order of arrival.
    pub(crate) fn of(steps: &'a [Placed<P::Step>]) -> Self {
        let by_arrival = Self::in_order(steps.iter());
        if by_arrival.illegal.is_empty() {
            return by_arrival;
        }
        let mut ordered: Vec<_> = steps.iter().collect();
        ordered.sort_by_key(|step| (P::own_order(&step.event), step.place));
        let by_own_time = Self::in_order(ordered.into_iter());
        if by_own_time.illegal.len() < by_arrival.illegal.len() { by_own_time } else { by_arrival }
    }

    fn in_order(steps: impl Iterator<Item = &'a Placed<P::Step>>) -> Self {
        let mut course = Self { reached: P::default(), legal: Vec::new(), illegal: Vec::new() };
        for step in steps {
            match course.reached.after(&step.event) {
                Some(next) => {
                    course.reached = next;
                    course.legal.push(step);
                }
                None => course.illegal.push(step),
            }
        }
        course
    }

    /// The effective time at which the last of the legal steps arrived.
    pub(crate) fn moved_at(&self) -> Option<EffectiveTime> {
        self.legal.iter().map(|step| step.place.time).max()
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Offset, Place, Topic};

    use super::*;

    /// Counts 1, 2, 3; a step is a number and its own time.
    #[derive(Default)]
    struct Counting(u8);

    impl Process for Counting {
        type Step = (u8, i64);

        fn after(&self, (number, _): &(u8, i64)) -> Option<Self> {
            (*number == self.0 + 1).then_some(Self(*number))
        }

        fn own_order((number, ts): &(u8, i64)) -> (EventTime, u8) {
            (EventTime::from_nanos(*ts), *number)
        }
    }

    #[test]
    fn the_order_of_arrival_counts_unless_own_times_make_more_steps_legal() {
        for (name, steps, legal, illegal) in [
            ("in order", vec![(1, 10), (2, 20), (3, 30)], vec![1, 2, 3], vec![]),
            ("in order, by clocks that differ", vec![(1, 10), (2, 9), (3, 8)], vec![1, 2, 3], vec![]),
            ("a late step", vec![(1, 10), (3, 30), (2, 20)], vec![1, 2, 3], vec![]),
            ("a late first step", vec![(2, 20), (3, 30), (1, 10)], vec![1, 2, 3], vec![]),
            ("late steps of one time", vec![(3, 10), (2, 10), (1, 10)], vec![1, 2, 3], vec![]),
            ("a step that was made too early", vec![(1, 10), (3, 15), (2, 20)], vec![1, 2], vec![3]),
            ("nothing before the first step", vec![(2, 20), (3, 30)], vec![], vec![2, 3]),
        ] {
            let placed = |(number, step): (u64, (u8, i64))| Placed {
                place: Place::of_record(EffectiveTime::new(number), Topic::Transfers, 0, Offset::new(number)),
                event: step,
            };
            let steps: Vec<_> = (1..).zip(steps).map(placed).collect();
            let course = Course::<Counting>::of(&steps);
            let numbers = |steps: &[&Placed<(u8, i64)>]| steps.iter().map(|step| step.event.0).collect::<Vec<_>>();
            assert_eq!((numbers(&course.legal), numbers(&course.illegal)), (legal, illegal), "{name}");
        }
    }
}

"""What the comparison rests on: `python3 -m unittest discover benches/peers/tests`."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

from harness import compare, measure, statements  # noqa: E402

OURS = "account_id,quantity,average\nA1,10,1.000000001\nA2,-3.50,7\n"


class Compared(unittest.TestCase):
    """Two answers, Headwater's and a peer's."""

    def outcome(self, theirs: str, ours: str = OURS, key: tuple = ("account_id",), **near: str):
        """The exit code and what is printed."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / name for name in ("ours.csv", "theirs.csv", "spec")]
            for path, text in zip(paths, (ours, theirs)):
                path.write_text(text, encoding="utf-8")
            others = {"peer": {"path": str(paths[1]), "near": {}}}
            table = {"key": key, "near": near, "others": others}
            table["reference"] = ["Headwater", str(paths[0])]
            paths[2].write_text(json.dumps({"table": table}), encoding="utf-8")
            printed = io.StringIO()
            with mock.patch.object(sys, "argv", ["compare", str(paths[2])]):
                with contextlib.redirect_stdout(printed):
                    return compare.main(), printed.getvalue()

    def test_order_of_rows_and_columns_and_trailing_zeros_do_not_matter(self):
        code, printed = self.outcome(
            "average,account_id,quantity\n7.0,A2,-3.5\n1.000000001,A1,10.00\n"
        )
        self.assertEqual(code, 0, printed)
        self.assertIn("2 rows equal in quantity, average", printed)

    def test_a_column_that_a_peer_does_not_keep_is_left_out_and_told(self):
        code, printed = self.outcome("account_id,quantity\nA1,10\nA2,-3.5\n")
        self.assertEqual((code, "average" in printed), (0, False))

    def test_a_different_value_a_missing_row_and_one_too_many_are_differences(self):
        for theirs, problem in (
            ("account_id,quantity\nA1,11\nA2,-3.5\n", "quantity 10 and 11"),
            ("account_id,quantity\nA1,10\n", "is missing"),
            ("account_id,quantity\nA1,10\nA2,-3.5\nA3,0\n", "is too many"),
            ("account_id,price\nA1,10\nA2,-3.5\n", "not comparable"),
        ):
            code, printed = self.outcome(theirs)
            self.assertEqual((code, problem in printed), (1, True), printed)

    def test_a_tolerance_is_absolute_or_relative(self):
        theirs = "account_id,average\nA1,1.000000002\nA2,7.000000001\n"
        self.assertEqual(self.outcome(theirs)[0], 1)
        self.assertEqual(self.outcome(theirs, average="0.000000001")[0], 0)
        self.assertEqual(self.outcome(theirs, average="1e-9r")[0], 0)
        self.assertEqual(self.outcome(theirs, average="1e-12r")[0], 1)

    def test_without_a_key_order_counts_and_times_are_compared_as_times(self):
        ours = "ts\n2026-01-05T14:30:00.500Z\n2026-01-05T14:31:00Z\n"
        theirs = "ts\n2026-01-05 14:30:00.500000+00:00\n2026-01-05 14:31:00+00:00\n"
        self.assertEqual(self.outcome(theirs, ours, ())[0], 0)
        lines = theirs.splitlines()
        swapped = "\n".join([lines[0], lines[2], lines[1]])
        self.assertEqual(self.outcome(swapped, ours, ())[0], 1)

    def test_no_row_at_all_is_a_difference(self):
        self.assertEqual(self.outcome("account_id,quantity\n", "account_id,quantity\n")[0], 1)


class Measured(unittest.TestCase):
    """Programs that are run."""

    def test_a_program_that_exceeds_its_limit_is_ended(self):
        with tempfile.TemporaryDirectory() as folder:
            runner = measure.Runner(pathlib.Path(folder), 1)
            with self.assertRaisesRegex(measure.ProgramError, "exceeded the limit of 1 s"):
                runner.run(["sleep", "30"])

    def test_a_program_that_fails_is_named_with_what_it_printed(self):
        with tempfile.TemporaryDirectory() as folder:
            runner = measure.Runner(pathlib.Path(folder), 10)
            with self.assertRaisesRegex(measure.ProgramError, "ended with 3:\nwhy"):
                runner.run(["sh", "-c", "echo why >&2; exit 3"])

    def test_cost_beyond_another_run_is_per_part(self):
        whole, base = measure.Cost(5.0, 9.0, 70), measure.Cost(1.0, 1.0, 50)
        self.assertEqual(whole.less(base, 4), measure.Cost(1.0, 2.0, 70))


class Statements(unittest.TestCase):
    """The file of statements."""

    def test_every_statement_has_a_name_and_is_one_line(self):
        queries = statements.queries()
        self.assertEqual(len(queries), statements.STATEMENTS_FILE.read_text().count(";\n"))
        self.assertTrue(all(query.startswith("SELECT ") for query in queries.values()))


if __name__ == "__main__":
    unittest.main()

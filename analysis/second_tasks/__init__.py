"""Second tasks: what free heads can be taught, beside controls, what earlier tasks lose, and whether they are kept."""

from analysis.second_tasks.tables import SecondTasks, second_tasks

__all__ = ["SecondTasks", "second_tasks"]

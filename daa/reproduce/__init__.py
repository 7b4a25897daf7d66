"""The paper's tables, row by row: what a row costs, and running it."""

from daa.reproduce.tables import Row, Table, find_table, load_tables

__all__ = ["Row", "Table", "find_table", "load_tables"]

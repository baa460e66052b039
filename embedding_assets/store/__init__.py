"""The only SQL. Functions take the caller's transaction first and never commit.

Modules here do not import each other, but for `database`, `queries` and the names of tables in `vectors`.
"""

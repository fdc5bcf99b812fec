"""How a database becomes what this release needs: the tables (branch `schema`) and what data revisions call.

`orchestrator.migrations.catalog` has the functions for revisions of the branch `data`, which lie in the folder
`migrations` of the package that holds the products and workflows.
"""

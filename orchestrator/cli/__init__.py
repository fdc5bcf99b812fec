"""The command line. `main.build_group` is the way in; each command lies in a module of its own, loaded when it is used.

`up`, `demo` and `flower` start processes; the others call services or storage directly, as the API does.
"""

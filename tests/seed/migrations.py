"""The migration parameters of the document."""

# ruff: noqa: C408

# fmt: off
params_create = dict(
    name="create_node_enrollment",
    target="CREATE",
    description="Create Node Enrollment Service",
    tag="NodeEnrollment",
    search_phrase="Node Enrollment%",
)

params_validate = dict(
    name="validate_node_enrollment",
    target="SYSTEM",
    description="Validate Node Enrollment before production",
    tag="NodeEnrollment",
    search_phrase="Node Enrollment%",
)

params_modify = dict(
    name="modify_node_enrollment",
    target="MODIFY",
    description="Modify Node Enrollment",
    tag="NodeEnrollment",
    search_phrase="Node Enrollment%"
)

params_terminate = dict(
    name="terminate_node_enrollment",
    target="TERMINATE",
    description="Terminate Node Enrollment subscription",
    tag="NodeEnrollment",
    search_phrase="Node Enrollment%",
)

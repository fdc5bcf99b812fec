"""From blocks to all that they refer to, however far away, without reading any other block."""

from __future__ import annotations

from typing import Final, LiteralString

# One step down in a recursion `reach (node)`. The planner cannot know how few blocks that is, and would read the table
# of everybody's references for it: OFFSET keeps it from joining this any other way than block by block.
STEP_DOWN: Final[LiteralString] = """
reach CROSS JOIN LATERAL (
    SELECT depends_on_id FROM subscription_instance_relations WHERE in_use_by_id = reach.node OFFSET 0) AS l
"""

# The subscriptions whose blocks were reached.
OWNERS_OF_REACHED: Final[LiteralString] = """
SELECT subscription_id FROM subscription_instances
WHERE subscription_instance_id = ANY (ARRAY(SELECT node FROM reach))
"""

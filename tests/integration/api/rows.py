"""Rows for the tests of the API, and one workflow with code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select

from orchestrator.language.steps import begin, done, step
from orchestrator.language.vocabulary import State, Target
from orchestrator.language.workflows import workflow
from orchestrator.storage.database import Database
from orchestrator.storage.tables import (
    AuditTable,
    Base,
    ProcessSubscriptionTable,
    ProcessTable,
    ProductBlockTable,
    ProductTable,
    ResourceTypeTable,
    ScheduleTable,
    SubscriptionInstanceRelationTable,
    SubscriptionInstanceTable,
    SubscriptionTable,
    WorkflowTable,
    WorkflowVersionTable,
    product_block_resource_types,
    product_product_blocks,
    products_workflows,
)

DAY_ONE = datetime(2026, 3, 1, 12, tzinfo=UTC)


@step("Look at the port")
def look_at_port() -> State:
    return {}


@workflow("Look after a port", target=Target.MODIFY)
def look_after_port() -> Any:
    return begin >> look_at_port >> done


class Rows:
    """Inserts rows, with values that a test need not care about."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, *rows: Base) -> None:
        with self.database.transaction("tests") as session:
            for row in rows:
                session.add(row)
                session.flush()

    def change(self, table: type[Base], key: Any, **values: Any) -> None:
        with self.database.transaction("tests") as session:
            row = session.get_one(table, key)
            for name, value in values.items():
                setattr(row, name, value)

    def product(self, name: str = "Port 1G", *, tag: str = "PORT", product_type: str = "Port") -> UUID:
        product_id = uuid4()
        self.add(ProductTable(product_id=product_id, name=name, tag=tag, product_type=product_type))
        return product_id

    def block(self, product_id: UUID, name: str = "Port", *resource_types: str) -> UUID:
        block_id = uuid4()
        self.add(ProductBlockTable(product_block_id=block_id, name=name, tag=name.upper()))
        with self.database.transaction("tests") as session:
            session.execute(product_product_blocks.insert().values(product_id=product_id, product_block_id=block_id))
            for resource_type in resource_types:
                row = ResourceTypeTable(resource_type_id=uuid4(), resource_type=resource_type)
                session.add(row)
                session.flush()
                session.execute(
                    product_block_resource_types.insert().values(
                        product_block_id=block_id, resource_type_id=row.resource_type_id
                    )
                )
        return block_id

    def workflow(self, product_id: UUID | None, name: str, target: str = "MODIFY", **values: Any) -> UUID:
        workflow_id = uuid4()
        self.add(
            WorkflowTable(workflow_id=workflow_id, name=name, target=target, description=f"About {name}", **values)
        )
        if product_id is not None:
            with self.database.transaction("tests") as session:
                session.execute(products_workflows.insert().values(product_id=product_id, workflow_id=workflow_id))
        return workflow_id

    def link_builtin(self, product_id: UUID, name: str) -> None:
        """Make a built-in workflow, which is there, one of the product's."""
        with self.database.transaction("tests") as session:
            workflow_id = session.execute(select(WorkflowTable.workflow_id).filter_by(name=name)).scalar_one()
            session.execute(products_workflows.insert().values(product_id=product_id, workflow_id=workflow_id))

    def subscription(self, product_id: UUID, description: str = "Port of somebody", **values: Any) -> UUID:
        subscription_id = uuid4()
        given = {"customer_id": "acme", "status": "active", "insync": True, **values}
        self.add(
            SubscriptionTable(subscription_id=subscription_id, product_id=product_id, description=description, **given)
        )
        return subscription_id

    def subscriptions(self, product_id: UUID, count: int, **values: Any) -> list[UUID]:
        """Numbered ones, each started a day after the one before."""
        made = [
            SubscriptionTable(
                subscription_id=uuid4(),
                product_id=product_id,
                description=f"Port {number}",
                **{
                    "customer_id": "acme",
                    "status": "active",
                    "insync": True,
                    "start_date": DAY_ONE + timedelta(days=number),
                    **values,
                },
            )
            for number in range(count)
        ]
        self.add(*made)
        return [row.subscription_id for row in made]

    def process(self, workflow_id: UUID, subscription_id: UUID | None, status: str, *, is_task: bool = False) -> UUID:
        process_id = uuid4()
        version = WorkflowVersionTable(workflow_name="any", hash=uuid4().hex, steps=[])
        self.add(version)
        process = ProcessTable(
            process_id=process_id,
            workflow_id=workflow_id,
            version_id=version.version_id,
            target="MODIFY",
            status=status,
            created_by="tests",
            is_task=is_task,
        )
        self.add(process)
        if subscription_id is not None:
            self.add(ProcessSubscriptionTable(process_seq=process.seq, subscription_id=subscription_id))
        return process_id

    def schedule(self, workflow_name: str, subscription_id: UUID) -> UUID:
        schedule_id = uuid4()
        self.add(
            ScheduleTable(
                schedule_id=schedule_id,
                name="Every hour",
                workflow_name=workflow_name,
                pages=[{"subscription_id": str(subscription_id)}],
                subscription_id=subscription_id,
                every=3600.0,
                start_at=DAY_ONE,
                owner="operator",
                created_by="operator",
            )
        )
        return schedule_id

    def uses(self, block_id: UUID, user: UUID, used: UUID) -> None:
        """A block of subscription `user` refers to one of subscription `used`."""
        upper, lower = (
            SubscriptionInstanceTable(
                subscription_instance_id=uuid4(),
                subscription_id=owner,
                product_block_id=block_id,
                root_attribute="port",
            )
            for owner in (user, used)
        )
        self.add(upper, lower)
        self.add(
            SubscriptionInstanceRelationTable(
                in_use_by_id=upper.subscription_instance_id,
                depends_on_id=lower.subscription_instance_id,
                domain_model_attr="lower",
                order_id=0,
            )
        )

    def audit(self) -> list[AuditTable]:
        with self.database.reading() as session:
            return list(session.execute(select(AuditTable).order_by(AuditTable.audit_id)).scalars())

    def count(self, table: type[Base]) -> int:
        with self.database.reading() as session:
            return session.execute(select(func.count()).select_from(table)).scalar_one()

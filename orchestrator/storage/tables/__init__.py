"""All tables. One module for each subject; `Base.metadata` is the schema that the migrations are compared with."""

from orchestrator.storage.tables.callbacks import CallbackTable
from orchestrator.storage.tables.catalog import (
    FixedInputTable,
    ProductBlockRelationTable,
    ProductBlockTable,
    ProductTable,
    ResourceTypeTable,
    WorkflowTable,
    WorkflowVersionTable,
    product_block_resource_types,
    product_product_blocks,
    products_workflows,
)
from orchestrator.storage.tables.declarative import Base
from orchestrator.storage.tables.processes import (
    EngineSettingsTable,
    IdempotencyKeyTable,
    ProcessInputTable,
    ProcessStartTable,
    ProcessStepTable,
    ProcessSubscriptionTable,
    ProcessTable,
)
from orchestrator.storage.tables.records import AuditTable, SubscriptionChangeTable
from orchestrator.storage.tables.retired import RetiredRowTable, RetiredValueTable
from orchestrator.storage.tables.schedules import ScheduleRunTable, ScheduleTable
from orchestrator.storage.tables.subscriptions import (
    SubscriptionInstanceRelationTable,
    SubscriptionInstanceTable,
    SubscriptionTable,
)

__all__ = [
    "AuditTable",
    "Base",
    "CallbackTable",
    "EngineSettingsTable",
    "FixedInputTable",
    "IdempotencyKeyTable",
    "ProcessInputTable",
    "ProcessStartTable",
    "ProcessStepTable",
    "ProcessSubscriptionTable",
    "ProcessTable",
    "ProductBlockRelationTable",
    "ProductBlockTable",
    "ProductTable",
    "ResourceTypeTable",
    "RetiredRowTable",
    "RetiredValueTable",
    "ScheduleRunTable",
    "ScheduleTable",
    "SubscriptionChangeTable",
    "SubscriptionInstanceRelationTable",
    "SubscriptionInstanceTable",
    "SubscriptionTable",
    "WorkflowTable",
    "WorkflowVersionTable",
    "product_block_resource_types",
    "product_product_blocks",
    "products_workflows",
]

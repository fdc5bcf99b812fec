"""Arguments in a module whose annotations are evaluated, unlike those of its neighbours."""

from uuid import UUID

from orchestrator.language.arguments import build_arguments
from orchestrator.language.vocabulary import State


class Model:
    @classmethod
    def from_subscription(cls, subscription_id):
        return cls()


class Loader:
    def load(self, annotation, identifier):
        return annotation, identifier


def function(state: State, subscription: Model, later: "Model | None", many: list["Model"], number: int = 3) -> State:
    return {}


def test_evaluated_and_quoted_annotations_may_be_mixed():
    identifier = UUID(int=7)
    state = {"subscription": str(identifier), "many": [str(identifier)]}

    assert build_arguments(function, state, Loader()) == {
        "state": state,
        "subscription": (Model, identifier),
        "later": None,
        "many": [(Model, identifier)],
        "number": 3,
    }

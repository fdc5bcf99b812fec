"""Forms walked page by page."""

from __future__ import annotations

import pytest

from orchestrator.testing import AnswersMissing, AnswersRefused, Refused, Workbench


def test_a_form_is_walked_page_by_page_and_submitted(workbench: Workbench) -> None:
    form = workbench.form("create_box", product="Box")
    assert (form.page.number, form.page.fields, form.page.required) == (2, ("customer", "colour"), ("customer",))
    assert form.page.defaults == {"colour": "red"}
    assert form.page.choices("colour") == ["red", "green"]
    assert form.page.choices("customer") == []
    assert form.page.has_next is True

    form.answer(customer="alice")
    assert form.page.schema["properties"]["size"]["title"] == "Size of the Box of alice"
    assert (form.page.defaults, form.page.has_next, form.is_complete) == ({"size": 5}, False, False)
    with pytest.raises(AssertionError, match="asks for page 3"):
        form.submit()
    with pytest.raises(AssertionError, match="asks for page 3"):
        form.entered  # noqa: B018

    form.answer(size=2)
    assert form.is_complete
    assert form.entered.items() >= {"customer": "alice", "colour": "red", "size": 2, "product_name": "Box"}.items()
    assert workbench.processes == []
    process = form.submit().expect("completed")
    assert process.subscription.values["box"]["size"] == 2
    with pytest.raises(AssertionError, match="all pages are filled in"):
        form.answer(more=1)


def test_an_answer_that_does_not_fit_is_refused_and_asked_for_again(workbench: Workbench) -> None:
    form = workbench.form("create_box", product="Box")
    assert form.errors(customer="a", colour="blue") == {
        "customer": "String should have at least 2 characters",
        "colour": "Input should be 'red' or 'green'",
    }
    assert form.errors({"customer": "bob"}) == {}
    with pytest.raises(AnswersRefused, match="page 2 of the form does not fit\n  customer: field required"):
        form.answer()
    assert form.answer(customer="bob").errors(size=0) == {"size": "Input should be greater than or equal to 1"}
    assert form.page.number == 3


def test_the_first_page_chooses_the_product_or_the_subscription(workbench: Workbench) -> None:
    form = workbench.form("create_box")
    assert form.page.choices("product") == [str(workbench.product_id("Box"))]
    box = form.answer(product=form.page.choices("product")[0]).answer(customer="al").answer().submit().subscription

    assert workbench.form("modify_box", subscription=box).submit().form().answer(new_size=4).submit().status == (
        "completed"
    )
    with pytest.raises(AnswersRefused, match="There is no subscription"):
        workbench.form("modify_box", subscription=workbench.processes[0].process_id)
    with pytest.raises(AnswersMissing, match=r"asks for page 1 'modify_box'\n  subscription_id \(uuid, required\)"):
        workbench.start("modify_box")


def test_answers_that_were_given_all_at_once_are_told_by_their_page(workbench: Workbench) -> None:
    with pytest.raises(AnswersRefused, match="page 3 of the form does not fit\n  size: Input should be a valid int"):
        workbench.start("create_box", product="Box", answers=[{"customer": "al"}, {"size": "large"}])
    with pytest.raises(AnswersMissing) as missing:
        workbench.start("create_box", product="Box", answers=[{"customer": "al"}])
    assert (missing.value.page.number, missing.value.page.fields) == (3, ("size",))
    with pytest.raises(Refused, match="more than the form has"):
        workbench.start("create_box", product="Box", answers=[{"customer": "al"}, {}, {}])
    assert workbench.processes == []


def test_what_is_no_id_of_a_subscription_is_refused_with_what_would_be_one(workbench: Workbench) -> None:
    with pytest.raises(ValueError, match="'nix' is no id of a subscription: give its UUID, its model"):
        workbench.start("modify_box", subscription="nix")

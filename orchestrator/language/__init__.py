"""The authoring language: steps, step lists, workflows, outcomes, arguments. Values, no input or output."""

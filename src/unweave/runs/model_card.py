"""The model card of a shared run: what a reader needs to judge it, written from what the run recorded."""

import re
from collections.abc import Mapping
from typing import Any

from unweave import registry
from unweave.method import find_method
from unweave.runs.run import Run

BIBTEX = "```bibtex\n{}\n```"


def card_of(run: Run, half: bool) -> str:
    """Markdown with the front matter of the Hub: data, budget, hardware, seed, scores with protocols, citation.

    With `half` it is the card of weights that are others than those that were scored.
    """
    method, training = run.settings.method.model_dump(mode="json"), run.settings.training.model_dump(mode="json")
    record, state, scores = run.record(), run.state(), None if half else run.own_scores()
    module = registry.trainable(run.method_name)
    citations = [find_method(run.method_name).citation, record.get("data", {}).get("citation", "")]
    weights = "averaged where the method averages, float16" if half else state["sha256"]["weights.safetensors"]
    data = record.get("data", {})
    name, title = str(method["name"]), data.get("title", "unnamed images")
    settings = {key: value for key, value in method.items() if key != "name"}
    origin = {
        "images seen": f"{state['seen']:,} of {training['images']:,}, in batches of {training['batch']}",
        "seed": training["seed"],
        "time": f"{state['seconds']:.0f} s",
        "hardware": f"{record.get('device', 'not recorded')}, {record.get('threads', '?')} threads, "
        f"{record.get('processes', 1)} process(es)",
        "precision": record.get("precision", training["precision"]),
        "versions": ", ".join(f"{key} {value}" for key, value in record.get("versions", {}).items()) or "not recorded",
        "weights (raw: their sha256)": weights,
    }
    parts = [
        "---\nlibrary_name: unweave\ntags: [disentanglement, unsupervised, image-editing]\n---",
        f"# {name} on {as_text(title)}",
        (module.__doc__ or "").strip(),
        "Trained without labels by [unweave]: images in, a set of units out, each to be changed on its own.",
        *(["![reconstructions and swaps](preview.png)"] if run.preview() else []),
        "## Use",
        '```python\nimport unweave\n\nrun = unweave.from_pretrained(".")  # this folder, or owner/name on the Hub\n'
        'codes = unweave.encode(run, images=["photo.png"])\n```',
        "## Data",
        markdown_table({key: data[key] for key in ("title", "source", "licence", "notes", "digest") if data.get(key)}),
        "The licence of the data, where there is one, may bind what is trained on them.",
        "## Training",
        markdown_table(origin),
        "## Settings",
        markdown_table(settings),
        "## Scores",
        scores_table(scores),
        "## Citation",
        *(BIBTEX.format(entry.strip()) for entry in citations if entry.strip().startswith("@")),
        *(entry.strip() for entry in citations if entry.strip() and not entry.strip().startswith("@")),
        "[unweave]: https://pypi.org/project/unweave",
    ]
    return "\n\n".join(parts) + "\n"


def scores_table(scores: Mapping[str, Any] | None) -> str:
    """One row per protocol and score, with its interval and what that is an interval of."""
    if not scores:
        return "Not scored: the data have no factors, or nobody ran `unweave evaluate`."
    rows = ["| protocol | score | value | interval |", "|---|---|--:|---|"]
    for protocol, numbers in scores["protocols"].items():
        for name, score in numbers.items():
            low, high = score.get("low"), score.get("high")
            interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
            rows.append(f"| {protocol} | {name} | {score['value']:.3f} | {interval} |")
    note = f"{scores['rows']:,} rows, seed {scores['seed']}, weights {scores['weights']}; "
    return "\n".join(rows) + f"\n\n{note}intervals are metric noise of this one training run."


def markdown_table(facts: Mapping[str, Any]) -> str:
    """A Markdown table of names and values."""
    rows = [f"| {key} | {as_text(str(value))} |" for key, value in facts.items()]
    return "\n".join(["| | |", "|---|---|", *rows])


def as_text(value: str) -> str:
    """A value in Markdown, so that nothing in it is markup: names of data are anybody's."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(value.split()))

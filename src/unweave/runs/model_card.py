"""The model card of a shared run: what a reader needs to judge it, written from what the run recorded."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from unweave import registry
from unweave.method import find_method
from unweave.runs.run import Run


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
    card = ModelCard.from_template(
        ModelCardData(
            library_name="unweave",
            tags=["disentanglement", "unsupervised", "image-editing"],
            model_name=f"{name} on {title}",
            eval_results=eval_results(scores, title, data.get("digest", "unnamed")),
        ),
        template_path=str(Path(__file__).with_suffix(".md.j2")),
        name=name,
        title=as_text(title),
        about=(module.__doc__ or "").strip(),
        preview=run.preview(),
        data=markdown_table(
            {key: data[key] for key in ("title", "source", "licence", "notes", "digest") if data.get(key)}
        ),
        training=markdown_table(origin),
        settings=markdown_table(settings),
        scores=scores_table(scores),
        citations=[entry.strip() for entry in citations if entry.strip()],
    )
    return re.sub(r"\n{3,}", "\n\n", str(card)).rstrip() + "\n"


def eval_results(scores: Mapping[str, Any] | None, title: str, digest: str) -> list[EvalResult]:
    """The scores as the Hub reads them: the protocol is the configuration of the metric."""
    protocols = scores["protocols"].items() if scores else ()
    return [
        EvalResult(
            task_type="image-feature-extraction", dataset_type=digest, dataset_name=title, metric_type=name,
            metric_value=score["value"], metric_config=protocol,
        )
        for protocol, numbers in protocols
        for name, score in numbers.items()
    ]  # fmt: skip


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

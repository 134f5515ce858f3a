"""Everything that a report says of a run: its factors, and its units one by one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.data.views import base_dataset
from unweave.evaluation.factor_aside import measure_aside
from unweave.evaluation.factor_names import EncodedRows
from unweave.evaluation.find_factors import ROWS
from unweave.evaluation.memorised import measure_memorised
from unweave.evaluation.report.learning import learning_of
from unweave.evaluation.report.map_part import code_parts, measure_map
from unweave.evaluation.report.measure_factors import measure_factors
from unweave.evaluation.report.measure_units import FAINT_BELOW, measure_units, select_units
from unweave.evaluation.report.pictures import ReportPictures
from unweave.evaluation.report.unit_values import COPIES_FROM
from unweave.evaluation.run_editor import RunEditor
from unweave.evaluation.swap_pictures import PAIRS, SwapPictures, shuffled, swaps_of_rows
from unweave.factors.factor import Factor
from unweave.method import Generative, Sampling
from unweave.runs.codes import code_table, how_to_decode
from unweave.runs.report_facts import ReportData, ReportFacts, ReportSettings
from unweave.runs.run import Run
from unweave.runs.units import unit_names

NO_DECODER = "{} has no decoder, so nothing is known of what its units draw: the rows of a unit are real images; {}."


class ReportRows(NamedTuple):
    """What a report is made from."""

    encoded: EncodedRows
    swaps: SwapPictures | None  # None of a method without a decoder
    settings: ReportSettings


def report_rows(run: Run, dataset: Dataset, sampling: Sampling, seed: int) -> ReportRows:
    """5,000 rows with their codes, and 64 random pairs of them in which units and factors are swapped, all from the x_T
    of one seed. Raises ValueError for fewer than two images, TypeError for a foundation.
    """
    rows = sample_rows(len(dataset), ROWS, seed)
    if len(rows) < 2:
        raise ValueError(f"{dataset.name} has {len(rows)} image: there is nothing that varies.")
    method = run.method()
    encoded = EncodedRows(dataset, rows, code_table(run, dataset, rows, seed, "averaged"))
    swaps = None
    if isinstance(method, Generative):
        swaps = swaps_of_rows(RunEditor(method, dataset, sampling, seed), rows)
    return ReportRows(encoded, swaps, ReportSettings(len(rows), PAIRS, seed, sampling, COPIES_FROM, FAINT_BELOW))


def measure_run(run: Run, looked_at: ReportRows, factors: Sequence[Factor]) -> tuple[ReportFacts, ReportPictures]:
    """The facts of a report (but for the seconds that it took), and the pictures that go with them.

    At most 32 units are looked at, those that vary most (see `measure_units`); `factors` are those of the run, the
    strongest first (see `measure_factors`).
    """
    encoded, swaps, settings = looked_at
    groups, omitted = select_units(run.method(), encoded.codes, unit_names(run))
    units = measure_units(encoded, groups, omitted, shuffled(encoded.rows, settings.seed), swaps)
    found = measure_factors(factors, encoded, swaps, settings.seed)
    drawn, data = units.drawn, _about_data(run, encoded.dataset)
    memorised = None
    if swaps is not None and data.trained_on:
        mixed = [*(group.units for group in groups), omitted]
        memorised = measure_memorised(swaps.editor, encoded, mixed, settings.seed)
    seen_at_once = measure_map(encoded, code_parts(encoded, found.facts, units.facts), settings.seed)
    map_facts, map_pictures = (None, None) if seen_at_once is None else seen_at_once
    facts = ReportFacts(
        run=str(run.path),
        method=run.method_title(),
        data=data,
        weights=run.digest(),
        images_seen=run.state()["seen"],
        settings=settings,
        not_looked_at=len(omitted),
        reconstruction=None if drawn is None else drawn.reconstruction,
        swap_consistency=None if drawn is None else drawn.swaps.consistency,
        no_edits=None if drawn is not None else NO_DECODER.format(run.method_name, how_to_decode(run)),
        units=units.facts,
        seconds=0.0,
        factors=found.facts,
        learning=learning_of(run.history()),
        memorised=memorised,
        map=map_facts,
        aside=measure_aside(encoded, settings.seed),
    )
    return facts, replace(units.pictures, factors=found.pictures, map=map_pictures)


def _about_data(run: Run, dataset: Dataset) -> ReportData:
    trained_on = run.record().get("data", {}).get("digest")
    return ReportData(
        name=dataset.name,
        digest=dataset.digest(),
        images=len(dataset),
        shape=list(dataset.shape),
        trained_on=trained_on in (None, dataset.digest()),
        left_out=list(base_dataset(dataset).left_out),
    )

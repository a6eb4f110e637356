"""From a design, a family, links and priors to the numbers that the joint density reads, and their names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.families.links.parameter import Parameter
from nutslite.families.record.censoring import kernel_rows
from nutslite.formula.columns.lent import for_kernels
from nutslite.formula.correlated import EffectGroup, Member, effect_groups
from nutslite.formula.records import BasisTerm, LinearPredictor
from nutslite.formula.terms.kinds import TermQuantity
from nutslite.posterior.assembly.basis_columns import basis_columns, level_factors
from nutslite.posterior.assembly.coded_columns import CodesBuilder, sorted_by_groups, with_paying_codes
from nutslite.posterior.assembly.derived_columns import with_derived_columns
from nutslite.posterior.assembly.effect_blocks import EffectBlock, Part, effect_places, rows_of_all
from nutslite.posterior.assembly.known_columns import known_columns
from nutslite.posterior.assembly.shrunk_columns import ShrunkColumns, has_weights, shrunk_rows, take_apart, uncentre
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.inventory import Inventory
from nutslite.posterior.record.layout import (
    NO_MIX,
    HeadBuilder,
    Layout,
    Variable,
    is_constant,
    named_arguments,
    stacked,
)
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.shared_work import nothing_shared
from nutslite.posterior.record.warp import no_warp
from nutslite.priors.coefficient_priors import of_level
from nutslite.priors.prior import Prior

FloatArray = NDArray[np.float64]


def assemble(spec: ModelSpec, inventory: Inventory, *, coded: bool = True) -> Assembled:
    """Numbers of a model, under the names of its inventory; `coded` allows columns that are read by code."""
    return _Assembler(spec, inventory, coded).run()


class _Assembler:
    """One pass over the parameters of the family; every method adds to the head, the blocks and the names."""

    def __init__(self, spec: ModelSpec, inventory: Inventory, coded: bool = True) -> None:
        self.spec = spec
        self.head = HeadBuilder(inventory)
        self.inventory = inventory
        self.predictors = np.full((len(spec.family.eta_parameters), md.PREDICTOR_FIELDS), -1, dtype=np.int64)
        self.groups = effect_groups(spec.design.predictors, spec.correlations)
        self.blocks: list[EffectBlock] = []
        self.across: dict[int, EffectBlock] = {}  # by place in `groups`, blocks of several predictors
        self.shrunk: dict[str, dict[int, list[tuple[int, ShrunkColumns]]]] = {}  # by parameter and row of eta: places
        self.columns: list[FloatArray] = []
        self.coefficients: list[NDArray[np.int64]] = []
        self.codes = CodesBuilder(sortable=not sorted_by_groups(spec.design, has_weights(spec)), search=coded)
        self.offsets: list[FloatArray] = []
        self.z: list[FloatArray] = []

    def run(self) -> Assembled:
        first = 0
        for parameter in self.spec.family.parameters:
            self._parameter(first, parameter)
            first += parameter.size
        starts, strides = effect_places(self.blocks, [self._n_levels(block.factor) for block in self.blocks])
        effect_variables = self._effect_variables(starts, strides)
        for of, rows in self.shrunk.items():
            uncentre(self.head, of, [[(starts[place], own) for place, own in blocks] for blocks in rows.values()])
        data = with_paying_codes(self._data(starts, strides))
        dimension = self.head.size + data.centring.size
        variables = (*self.head.named(), *effect_variables)
        layout = Layout(dimension, self.head.size, variables, self.inventory.coords)
        return Assembled(self.spec, data, layout, self.inventory)

    def _parameter(self, first: int, parameter: Parameter) -> None:
        """Add a parameter whose rows of eta begin with `first`: numbers, or a linear predictor for each row."""
        predictor = self.spec.design.predictors.get(parameter.name)
        if predictor is None:
            self._constant(first, parameter)
            return
        before = len(self.head.variables)
        for j in range(first, first + parameter.size):
            self._predictor(j, predictor)
        if parameter.dim:
            self.head.variables[before:] = stacked(self.head.variables[before:], parameter.dim)

    def _dims(self, j: int, name: str) -> tuple[str, ...]:
        """Dimensions of a variable of one row of eta: without the one along the rows, where there are several."""
        dims = self.inventory.dims[name]
        return dims[1:] if self.spec.family.eta_parameters[j].dim else dims

    def _place(self, j: int) -> int:
        """Which of its parameter's rows of eta one is."""
        names = [parameter.name for parameter in self.spec.family.eta_parameters]
        return j - names.index(names[j])

    def _constant(self, first: int, parameter: Parameter) -> None:
        prior = self.spec.priors.constants[parameter.name]
        rows = self.predictors[first : first + parameter.size]
        rows[:, [md.VARIES, md.N_COEFFICIENTS]] = 0, 0
        rows[:, [md.COLUMN_START, md.COLUMN_STOP]] = self._n_columns()
        if isinstance(prior, Prior):
            dims = self.inventory.dims[parameter.name]
            rows[:, md.CONSTANT] = self.head.add(
                parameter.name, prior, length=parameter.size, dims=dims, ordered=parameter.ordered
            )
        else:  # references until `_data`
            numbers = np.broadcast_to(np.asarray(prior, dtype=float), parameter.size)
            rows[:, md.CONSTANT] = [self.head.constant(number) for number in numbers]

    def _n_columns(self) -> int:
        return sum(matrix.shape[0] for matrix in self.columns)

    def _predictor(self, j: int, predictor: LinearPredictor) -> None:
        predictor, shrunk = take_apart(self.spec, predictor)
        row = self.predictors[j]
        row[md.VARIES] = 1
        row[md.N_COEFFICIENTS] = predictor.matrix.shape[0]
        intercept_variable = None
        if predictor.intercept:
            prior = of_level(self.spec.priors.terms[predictor.parameter]["Intercept"], self._place(j))
            name = self.inventory.name_of(predictor.parameter, "Intercept")
            row[md.INTERCEPT] = self.head.add(name, prior, length=1, dims=())[0]
            intercept_variable = self.head.variables.pop()
        slot = len(self.head.variables)
        first: int | None = None
        for term, at in zip(predictor.terms, self._coefficients(j, predictor), strict=True):
            first = at[0] if first is None else first
            if at[0] != first + term.start:
                raise AssertionError("coefficients of a predictor must be contiguous")
        row[md.COEFFICIENTS] = -1 if first is None else first
        own = np.arange(predictor.matrix.shape[0]) + row[md.COEFFICIENTS]
        matrix, means, coefficients, spans = with_derived_columns(self.head, predictor, own, self.spec)
        if intercept_variable is not None:
            raw = Variable(intercept_variable.name, (), "values", intercept_variable.index, coefficients, means)
            self.head.variables.insert(slot, raw)
            if not self.spec.center_predictors:
                self.head.shifts[int(row[md.INTERCEPT])] = (coefficients, means)
        self._columns(j, matrix, means, spans, coefficients)
        if predictor.offset is not None:
            row[md.OFFSET] = len(self.offsets)
            self.offsets.append(predictor.offset)
        for block in shrunk:
            self._shrunk(j, block, predictor.parameter)
        for basis in predictor.basis_terms:
            if basis.weights is not None:
                self._basis_term(j, basis, basis.weights, predictor.parameter)
        self._group_terms(j, predictor.parameter)

    def _columns(
        self,
        j: int,
        matrix: FloatArray,
        means: FloatArray,
        spans: list[tuple[int, int]],
        coefficients: NDArray[np.int64],
    ) -> None:
        """Add the common columns, centred: some by code, the others as they are; each term has one span of them."""
        dense = self.codes.take(j, matrix, means, spans, coefficients)
        matrix = matrix if dense.size == means.size else matrix[dense]
        self.predictors[j, md.COLUMN_START] = self._n_columns()
        self.columns.append(matrix - means[dense, None])
        self.predictors[j, md.COLUMN_STOP] = self._n_columns()
        self.coefficients.append(coefficients[dense])

    def _coefficients(self, j: int, predictor: LinearPredictor) -> list[NDArray[np.int64]]:
        """Add the coefficients of all common terms, contiguously."""
        own = self.spec.priors.terms[predictor.parameter]
        priors = {term.name: of_level(own[term.name], self._place(j)) for term in predictor.terms}
        places, names = [], [self.inventory.name_of(predictor.parameter, term.name) for term in predictor.terms]
        before: list[list[list[int]] | None] = []  # hyperparameters, so that the coefficients follow one another
        for name, term in zip(names, predictor.terms, strict=True):
            prior, size = priors[term.name], term.stop - term.start
            given = None
            if isinstance(prior, Prior) and prior.hierarchical:
                given = self.head.references(name, prior, size, self._dims(j, name), shared=True)
            before.append(given)
        for name, term, given in zip(names, predictor.terms, before, strict=True):
            prior, dims = priors[term.name], self._dims(j, name)
            places.append(self.head.add(name, prior, length=term.stop - term.start, dims=dims, references=given))
        return places

    def _one_level(self, parts: list[Part], rows: list[list[int]], matrix: FloatArray) -> None:
        """Add a block without a factor; `rows` are those of its columns, without their places in `z`."""
        block = self._new_block(None)
        block.rows = [[len(self.z) + column, *row] for column, row in enumerate(rows)]
        block.parts = parts
        self.z += list(matrix)

    def _basis_term(self, j: int, term: BasisTerm, weights: TermQuantity, parameter: str) -> None:
        """Add the weights of a term of a special kind, and what their scales depend on."""
        name = self.inventory.name_of(parameter, term.name, weights.name)
        rows = basis_columns(self.head, term, parameter, self.spec.priors)
        self._one_level([Part(j, name, weights.shape)], rows, term.matrix)

    def _shrunk(self, j: int, shrunk: ShrunkColumns, parameter: str) -> None:
        """Add columns whose coefficients have hyperpriors or a shrinkage prior, and what their scales depend on."""
        self.shrunk.setdefault(parameter, {}).setdefault(j, []).append((len(self.blocks), shrunk))
        parts = [
            Part(j, self.inventory.name_of(parameter, term.name), () if term.scalar else (term.stop - term.start,))
            for term in shrunk.terms
        ]
        rows = shrunk_rows(self.head, shrunk, parameter, self.spec, self._dims(j, parts[0].name))
        self._one_level(parts, rows, shrunk.matrix)

    def _group_terms(self, j: int, parameter: str) -> None:
        """Add what the predictor has of each group of effects; independent ones of a factor share a block."""
        together: dict[str, EffectBlock] = {}
        factors = level_factors(self.head, self.spec, parameter)
        for place, group in enumerate(self.groups):
            own = [member for member in group.members if member.parameter == parameter]
            if not own:
                continue
            if self.spec.design.factors[group.factor].takes_columns:
                self._column_term(j, group.members[0])
                continue
            if group.correlated:
                block = self.across.get(place) or self._new_block(group.factor)
            else:
                block = together.get(group.factor) or self._new_block(group.factor)
                together[group.factor] = block
            block.factors = factors.get(group.factor)
            for member in own:
                self._group_term(j, block, member)
            if len(group.parameters) > 1:
                self.across[place] = block
            if group.correlated and len(block.parts) == len(group.members):
                self._correlation(block, group)

    def _column_term(self, j: int, member: Member) -> None:
        """Add effects whose levels are columns."""
        term, name = member.term, self.inventory.name_of(member.parameter, member.term.name)
        prior = self.spec.priors.terms[member.parameter][term.name]
        factor = self.spec.design.factors[term.factor]
        rows, columns = known_columns(self.head, name, term, factor, prior, self._dims(j, name)[:-1])
        block = self._new_block(None)
        for row, column in zip(rows, columns, strict=True):
            block.rows.append([len(self.z), *row])
            self.z.append(column)
        mix = NO_MIX if factor.covariance is None else factor.covariance.factor
        shape = (*(() if term.scalar else (term.columns,)), len(rows) // term.columns)
        block.parts.append(Part(j, name, shape, mix))

    def _new_block(self, factor: str | None) -> EffectBlock:
        self.blocks.append(EffectBlock(factor))
        return self.blocks[-1]

    def _group_term(self, j: int, block: EffectBlock, member: Member) -> None:
        term, parameter = member.term, member.parameter
        name = self.inventory.name_of(parameter, term.name)
        prior = self.spec.priors.terms[parameter][term.name]
        dims = self._dims(j, name)[:-1]
        density = prior.density
        location = -1 if density.location is None or density.scale is None else density.location
        scale = -1 if density.location is None or density.scale is None else density.scale
        references = [self.head.argument(name, key, value, term.columns, dims) for key, value in named_arguments(prior)]
        block.parts.append(Part(j, name, () if term.scalar else (term.columns,)))
        for column in range(term.columns):
            z_row = -1
            if term.matrix is not None:
                z_row = len(self.z)
                self.z.append(term.matrix[column])
            padded = [*(reference[column] for reference in references), -1, -1, -1, -1][:4]
            block.rows.append([z_row, density.code, location, scale, *padded])

    def _correlation(self, block: EffectBlock, group: EffectGroup) -> None:
        names = tuple(self.inventory.name_of(member.parameter, member.term.name) for member in group.members)
        block.order_as(names)
        q = block.columns
        block.eta = self.head.constant(self.spec.correlations.get(group.factor, 1.0))
        block.correlation = self.head.add_block(q * (q - 1) // 2)
        name = self.inventory.correlations_of(names)
        index = np.arange(block.correlation, self.head.size)
        self.head.variables.append(Variable(name, self.inventory.dims[name], "correlation", index))

    def _n_levels(self, factor: str | None) -> int:
        return 1 if factor is None else len(self.spec.design.factors[factor].levels)

    def _levels(self, factor: str | None) -> NDArray[np.int32]:
        """The level of each row."""
        design = self.spec.design
        if factor is None:
            return np.zeros(design.n_rows, dtype=np.int32)
        return for_kernels(design.factors[factor].index, np.int32)

    def _effect_variables(self, starts: list[int], strides: list[int]) -> list[Variable]:
        by_parameter: dict[str, list[Variable]] = {parameter.name: [] for parameter in self.spec.family.parameters}
        for block, start, stride in zip(self.blocks, starts, strides, strict=True):
            places = block.places(start, stride, self._n_levels(block.factor))
            for part, index in zip(block.parts, places, strict=True):
                own = by_parameter[self.spec.family.eta_parameters[part.predictor].name]
                along = self._dims(part.predictor, part.name)
                own.append(Variable(part.name, along, "effects", index, mix=part.mix))
        dims = {parameter.name: parameter.dim for parameter in self.spec.family.parameters}
        return [
            variable
            for name, variables in by_parameter.items()
            for variable in (stacked(variables, dims[name]) if dims[name] else variables)
        ]

    def _data(self, starts: list[int], strides: list[int]) -> ModelData:
        design, head = self.spec.design, self.head
        n = design.n_rows
        factors = list(dict.fromkeys(block.factor for block in self.blocks))
        rows: list[NDArray[np.int64]] = []
        added: list[NDArray[np.int64]] = []
        columns: list[list[int]] = []
        for block, start, stride in zip(self.blocks, starts, strides, strict=True):
            row = np.zeros(md.BLOCK_FIELDS, dtype=np.int64)
            runs = block.runs()
            row[md.PREDICTOR] = runs[0][0] if len(runs) == 1 else -1
            row[md.FACTOR] = factors.index(block.factor)
            row[md.N_LEVELS] = self._n_levels(block.factor)
            row[md.N_COLUMNS] = block.columns
            row[md.EFFECT_START], row[md.EFFECT_STRIDE] = start, stride
            row[md.COLUMN_TABLE] = len(columns)
            row[md.CORRELATION] = block.correlation
            row[md.LKJ_ETA] = head.resolve_reference(block.eta)
            row[md.LEVEL_FACTORS] = -1 if block.factors is None else head.resolve_reference(block.factors)
            rows.append(row)
            added += [md.part_of(row, *run) for run in runs]
            for column in block.rows:
                references = [head.resolve_reference(reference) for reference in column[md.ARGUMENTS :]]
                columns.append([*column[: md.ARGUMENTS], *references])
        predictors = self.predictors.copy()
        for predictor in predictors:
            if predictor[md.VARIES] == 0:
                predictor[md.CONSTANT] = head.resolve_reference(int(predictor[md.CONSTANT]))
        blocks = np.array(rows, dtype=np.int64).reshape(-1, md.BLOCK_FIELDS)
        block_columns = np.array(columns, dtype=np.int64).reshape(-1, md.BLOCK_COLUMN_FIELDS)
        centring = self._centring(starts, strides)
        codes = self.codes.build(len(factors), centring.size, block_columns.shape[0])
        codes = codes._replace(coefficients=head.resolved(codes.coefficients))
        levels = [*(self._levels(name) for name in factors), *self.codes.levels]
        seen = kernel_rows(self.spec.family, design.response)
        data = ModelData(
            y=seen.y,
            weights=np.empty(0) if design.weights is None else np.ascontiguousarray(design.weights, dtype=float),
            matrix=np.ascontiguousarray(self.columns[0]) if len(self.columns) == 1 else rows_of_all(self.columns, n),
            coefficients=head.resolved(np.concatenate([np.empty(0, dtype=np.int64), *self.coefficients])),
            offsets=rows_of_all([offset[None, :] for offset in self.offsets], n),
            z=rows_of_all([column[None, :] for column in self.z], n),
            levels=levels[0].reshape(1, n) if len(levels) == 1 else np.array(levels, dtype=np.int32).reshape(-1, n),
            links=self._link_codes(),
            predictors=predictors,
            blocks=blocks,
            added=np.array([*added, *codes.blocks[:, : md.ADDED_FIELDS]], dtype=np.int64).reshape(-1, md.ADDED_FIELDS),
            z_rows=np.append(block_columns[:, md.Z_ROW], -1),
            block_columns=block_columns,
            centring=centring,
            typical_scales=np.ones(len(columns)),
            head=head.build(),
            sorted_factor=-1,
            row_starts=np.empty(0, dtype=np.int64),
            segments=md.one_segment(n, len(predictors), seen.bounds_start),
            codes=codes,
            shared=nothing_shared(),
            warp=no_warp(),
        )
        if seen.is_plain:
            return data
        return md.in_segments(data, seen.kernels, seen.bounds)

    def _link_codes(self) -> NDArray[np.int64]:
        family = self.spec.family
        varies = self.predictors[:, md.VARIES] == 1
        varying = {parameter.name for parameter, own in zip(family.eta_parameters, varies, strict=True) if own}
        return family.link_codes(self.spec.links, varying)

    def _centring(self, starts: list[int], strides: list[int]) -> FloatArray:
        """0 for non-centred terms; 1 for centred ones and for those whose scale is fixed (nothing to decouple from)."""
        sizes = [block.columns * self._n_levels(block.factor) for block in self.blocks]
        centring = np.zeros(sum(sizes))
        for block, start, stride in zip(self.blocks, starts, strides, strict=True):
            n_levels = self._n_levels(block.factor)
            for c, (name, row) in enumerate(zip(block.column_names, block.rows, strict=True)):
                scale = row[md.SCALE_ARGUMENT]
                fixed_scale = scale < 0 or (is_constant(row[md.ARGUMENTS + scale]) and block.factors is None)
                if fixed_scale or not self.spec.noncentered.get(name, True):
                    centring[start + c + stride * np.arange(n_levels)] = 1.0
        return centring

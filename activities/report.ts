import { cohortNameOf, readModel } from '../pipelines/generation/model-file.ts';
import { readScoredCohort } from '../pipelines/metrics/scorecard-file.ts';
import { traceLineage } from '../pipelines/report/lineage-trace.ts';
import { reportPage } from '../pipelines/report/page.ts';
import { assembleReport, type ReportInput } from '../pipelines/report/report-data.ts';
import type { FittedModel } from '../pipelines/report/training-sizes.ts';
import { syntheticOrigin, tokenCohortHeader } from '../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { StageError } from '../schemas/errors.ts';
import { report as contract } from '../schemas/stages/report.ts';
import { branchOf } from '../schemas/stages/train.ts';
import type { OpenArtifact } from '../schemas/store.ts';
import { vocabulary as vocabularySchema } from '../schemas/vocabulary.ts';
import { defineBody } from './stage-body.ts';

type Open = (ref: ArtifactRef) => Promise<OpenArtifact>;

/** Digest of an artifact → what people know it by. Branches that differ in name alone share artifacts. */
type Names = Map<string, string[]>;

const addName = (names: Names, { digest }: ArtifactRef, name: string): void => {
  const known = names.get(digest) ?? [];
  if (!known.includes(name)) names.set(digest, [...known, name]);
};

/** The artifact of a slot that an artifact was made from. */
const madeFrom = ({ manifest }: OpenArtifact, slot: string): ArtifactRef | undefined =>
  manifest.lineage.inputs[slot]?.[0];

/** The name of a model that no scorecard leads to, with its digest where the name is taken. */
const ownName = (names: Names, { digest }: ArtifactRef, own: string): string =>
  [...names.values()].flat().includes(own) ? `${own} (${digest.slice(0, 10)})` : own;

/**
 * Scorecards, and by their lineage the names of their cohorts. Throws InvalidConfig where two cohorts share a
 * name.
 */
const readCards = async (
  refs: readonly ArtifactRef[],
  open: Open,
  names: Names,
): Promise<ReportInput['cards']> => {
  const cards: ReportInput['cards'] = [];
  const cohortOf = new Map<string, string>();
  for (const ref of refs) {
    const artifact = await open(ref);
    const scored = await readScoredCohort(artifact);
    const { card } = scored;
    cards.push(scored);
    addName(names, ref, card.generator);
    const cohort = madeFrom(artifact, 'synthetic');
    if (!cohort) continue;
    const known = cohortOf.get(card.generator) ?? cohort.digest;
    if (known !== cohort.digest)
      throw new StageError(
        'InvalidConfig',
        `input cards of report: scorecards of one cohort per name expected, found two cohorts called ${card.generator}; score them with different \`branch\` params`,
      );
    cohortOf.set(card.generator, known);
    addName(names, cohort, card.generator);
  }
  return cards;
};

/**
 * How the cohorts were made, as far as their artifacts state it, and by their lineage the names of their
 * models.
 */
const readOrigins = async (
  refs: readonly ArtifactRef[],
  open: Open,
  names: Names,
): Promise<NonNullable<ReportInput['origins']>> => {
  const origins: NonNullable<ReportInput['origins']> = [];
  for (const ref of refs) {
    const artifact = await open(ref);
    const header = tokenCohortHeader.parse(await artifact.json('token-cohort.json'));
    const { success, data: origin } = syntheticOrigin.safeParse(header);
    const model = madeFrom(artifact, 'model');
    for (const generator of names.get(ref.digest) ?? []) {
      if (success) origins.push({ generator, origin });
      if (model) addName(names, model, generator);
    }
  }
  return origins;
};

const readModels = async (
  refs: readonly ArtifactRef[],
  open: Open,
  names: Names,
): Promise<Pick<ReportInput, 'curves'> & Required<Pick<ReportInput, 'models'>>> => {
  const curves: ReportInput['curves'] = [];
  const models: FittedModel[] = [];
  for (const ref of distinct(refs)) {
    const artifact = await open(ref);
    const { card, curve } = await readModel(artifact);
    const { earlyStopping } = artifact.manifest.summary;
    if (!names.has(ref.digest)) addName(names, ref, ownName(names, ref, cohortNameOf(card)));
    for (const name of names.get(ref.digest) ?? []) {
      models.push({ name, branch: branchOf(name), patients: card.subset?.patients });
      curves.push({
        generator: name,
        curve,
        earlyStopping: typeof earlyStopping === 'string' ? earlyStopping : undefined,
      });
    }
  }
  return { curves, models };
};

const distinct = (refs: readonly ArtifactRef[]): ArtifactRef[] => [
  ...new Map(refs.map((ref) => [ref.digest, ref])).values(),
];

/** Scorecards, curves and lineage to `report.html`, which is self-contained, and `report.json`. */
export const report = defineBody(contract, {
  code: import.meta.url,
  async *run({ params, inputs }, { open, draft }) {
    const real = await open(inputs.real);
    const vocabulary = vocabularySchema.parse(await real.json('vocabulary.json'));
    const names: Names = new Map();
    const cards = await readCards(inputs.cards, open, names);
    const origins = await readOrigins(distinct(inputs.synthetic), open, names);
    const fitted = await readModels(inputs.models, open, names);
    yield { step: 1, of: 3, phase: 'scorecards read' };
    const sources = [inputs.real, ...inputs.models, ...inputs.synthetic, ...inputs.cards];
    const lineage = await traceLineage(sources, open, names);
    yield { step: 2, of: 3, phase: 'lineage traced' };
    const data = assembleReport({ ...params, vocabulary, cards, ...fitted, lineage, origins });
    await draft.write('report.html', reportPage(data));
    await draft.write('report.json', `${JSON.stringify(data, null, 2)}\n`);
    yield { step: 3, of: 3, phase: 'page written' };
    const [first] = data.generators;
    return {
      page: 'report.html',
      generators: data.generators.length,
      ...(first && { first: first.name }),
      verdict: data.verdict.sentence,
    };
  },
});

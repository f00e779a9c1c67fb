import type { LearningCurve } from '../pipelines/generation/learning-curve.ts';
import { cohortNameOf, readModel } from '../pipelines/generation/model-file.ts';
import { readScoredCohort } from '../pipelines/metrics/scorecard-file.ts';
import { traceLineage } from '../pipelines/report/lineage-trace.ts';
import { reportPage } from '../pipelines/report/page.ts';
import { assembleReport, type ReportInput } from '../pipelines/report/report-data.ts';
import { syntheticOrigin, tokenCohortHeader } from '../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { report as contract } from '../schemas/stages/report.ts';
import type { OpenArtifact } from '../schemas/store.ts';
import { vocabulary as vocabularySchema } from '../schemas/vocabulary.ts';
import { defineBody } from './stage-body.ts';

type Open = (ref: ArtifactRef) => Promise<OpenArtifact>;

const readCards = async (refs: readonly ArtifactRef[], open: Open): Promise<ReportInput['cards']> => {
  const cards: ReportInput['cards'] = [];
  for (const ref of refs) {
    cards.push(await readScoredCohort(await open(ref)));
  }
  return cards;
};

const readModels = async (refs: readonly ArtifactRef[], open: Open) => {
  const curves: { generator: string; curve: LearningCurve }[] = [];
  const models: NonNullable<ReportInput['models']> = [];
  for (const ref of refs) {
    const artifact = await open(ref);
    const { card, curve } = await readModel(artifact);
    const generator = cohortNameOf(card);
    models.push({
      name: generator,
      generator: card.generator,
      ...(card.subset && { patients: card.subset.patients }),
    });
    curves.push({ generator, curve });
  }
  return { curves, models };
};

/** How the cohorts were sampled; cohorts without this information are left out. */
const readOrigins = async (
  refs: readonly ArtifactRef[],
  open: Open,
): Promise<NonNullable<ReportInput['origins']>> => {
  const origins: NonNullable<ReportInput['origins']> = [];
  for (const ref of refs) {
    const header = tokenCohortHeader.parse(await (await open(ref)).json('token-cohort.json'));
    const { success, data } = syntheticOrigin.safeParse(header);
    if (success && header.generator !== undefined)
      origins.push({ generator: header.generator, origin: data });
  }
  return origins;
};

/** Scorecards, curves and lineage to `report.html`, which is self-contained, and `report.json`. */
export const report = defineBody(contract, {
  code: import.meta.url,
  async *run({ params, inputs }, { open, draft }) {
    const real = await open(inputs.real);
    const vocabulary = vocabularySchema.parse(await real.json('vocabulary.json'));
    const cards = await readCards(inputs.cards, open);
    const fitted = await readModels(inputs.models, open);
    const origins = await readOrigins(inputs.synthetic, open);
    yield { step: 1, of: 3, phase: 'scorecards read' };
    const sources = [inputs.real, ...inputs.models, ...inputs.synthetic, ...inputs.cards];
    const lineage = await traceLineage(sources, open);
    yield { step: 2, of: 3, phase: 'lineage traced' };
    const data = assembleReport({ ...params, vocabulary, cards, ...fitted, lineage, origins });
    await draft.write('report.html', reportPage(data));
    await draft.write('report.json', `${JSON.stringify(data, null, 2)}\n`);
    yield { step: 3, of: 3, phase: 'page written' };
    const [first] = data.generators;
    return {
      page: 'report.html',
      generators: data.generators.length,
      ...(first ? { first: first.name } : {}),
    };
  },
});

import { StageError } from '../../schemas/errors.ts';
import { type Scorecard, type ScorecardSeries, scorecard, scorecardSeries } from '../../schemas/scorecard.ts';
import type { Draft, OpenArtifact } from '../../schemas/store.ts';

/** A scorecard and what its plots draw. */
export interface ScoredCohort {
  card: Scorecard;
  series: ScorecardSeries;
}

type Source = Pick<OpenArtifact, 'json'>;

const malformed = (file: string): StageError =>
  new StageError('SourceMalformed', `${file} of the scorecard has another shape than ours`);

/** A scorecard as the text of its file. Equal cards give equal text. */
export const scorecardText = (card: Scorecard): string => `${JSON.stringify(card, null, 2)}\n`;

/** Writes the two files of a scorecard artifact: `scorecard.json` and, for plots, `series.json`. */
export const writeScorecard = async (
  draft: Pick<Draft, 'write'>,
  { card, series }: ScoredCohort,
): Promise<void> => {
  await draft.write('scorecard.json', scorecardText(card));
  await draft.write('series.json', `${JSON.stringify(series)}\n`);
};

/** Reads the scorecard without its series. Throws SourceMalformed where it has another shape. */
export const readScorecard = async (source: Source): Promise<Scorecard> => {
  const { success, data } = scorecard.safeParse(await source.json('scorecard.json'));
  if (success) return data;
  throw malformed('scorecard.json');
};

/** Reads a scorecard artifact whole. Throws SourceMalformed where a file has another shape. */
export const readScoredCohort = async (source: Source): Promise<ScoredCohort> => {
  const card = await readScorecard(source);
  const series = scorecardSeries.safeParse(await source.json('series.json'));
  if (!series.success) throw malformed('series.json');
  return { card, series: series.data };
};

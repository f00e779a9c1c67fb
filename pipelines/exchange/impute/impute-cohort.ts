import { modalities } from '../../../schemas/ehr.ts';
import { StageError } from '../../../schemas/errors.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { Imputation, ImputeRequest } from '../../generation/generator.ts';
import type { Model } from '../../generation/model-file.ts';
import { generatorNamed, openModel } from '../../generators/registry.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';
import { patientCount, visitCount } from '../../patients/visit-columns.ts';
import { readModelFolder } from '../models/model-folder.ts';
import { malformed } from '../read/outside-cohort.ts';
import { readCohort } from '../read/read-cohort.ts';
import { knownFacts } from './known-facts.ts';
import { type SpokenCohort, speakVocabulary } from './to-vocabulary.ts';

/** What is to be filled in, and by which model. */
export interface ImputationRequest extends Pick<ImputeRequest, 'task' | 'kinds' | 'top'> {
  /** Folder of the model. */
  model: string;
  /** The patients, in any layout that can be evaluated. */
  input: string;
  /** `name=value`, true of every patient. */
  demographics: readonly string[];
  /** Folder for what is written on the way; patient data, so on a disk of one's own. */
  scratch: string;
}

/** What was found, in the patients' order, and what to mind. */
export interface ImputedCohort {
  imputation: Imputation;
  vocabulary: Vocabulary;
  generator: string;
  layout: string;
  patients: number;
  visits: number;
  notes: string[];
}

const checkKinds = ({ task, kinds }: ImputationRequest, { vocabulary, card: { generator } }: Model): void => {
  const there = new Set(vocabulary.codes.map(({ modality }) => modality));
  const absent = kinds?.filter((kind) => !there.has(kind)) ?? [];
  if (absent.length > 0)
    throw new StageError(
      'InvalidUsage',
      `this model (${generator}) knows no ${absent.join(', ')} code; it knows ${[...there].join(', ')}`,
    );
  if (task === 'cross-modal' && kinds?.length !== 1)
    throw new StageError(
      'InvalidUsage',
      `cross-modal fills in one kind from the others: name it, one of ${[...there].join(', ')}`,
    );
};

const notesOf = (spoken: SpokenCohort, model: Model): string[] => {
  const { unknown, known, labeled } = spoken;
  const all = known + unknown.occurrences;
  if (known === 0 && all > 0)
    throw malformed(
      `the model knows none of the ${unknown.codes} codes of these patients; it knows ${model.vocabulary.codes.length} others: ` +
        'they seem to be written in different code systems',
    );
  return [
    ...(unknown.codes > 0
      ? [
          `the model does not know ${unknown.codes} codes of these patients (${unknown.occurrences} of ${all} occurrences): they are passed over`,
        ]
      : []),
    ...(labeled || model.vocabulary.labels.length === 0
      ? []
      : ['these patients do not tell the labels of the model, which takes them for unknown']),
  ];
};

/**
 * Reads patients, puts them into the model's tokens and asks it what their records do not say. Throws as the readers
 * do, and InvalidUsage for what this model cannot be asked.
 */
export async function* imputeCohort(request: ImputationRequest): AsyncSteps<ImputedCohort> {
  const { task, kinds, top, demographics, input, scratch } = request;
  const model = await readModelFolder(request.model);
  const { generator } = model.card;
  if (!generatorNamed(generator).capabilities.includes('impute'))
    throw new StageError('InvalidUsage', `${generator} cannot fill in what a record does not have`);
  checkKinds(request, model);
  yield { step: 0, of: 1, phase: 'reading patients' };
  const { cohort, layout } = await readCohort(input, { scratch, modalities });
  const spoken = speakVocabulary(cohort, model.vocabulary);
  const notes = [...cohort.notes, ...notesOf(spoken, model)];
  const sampler = await openModel(model);
  try {
    if (!sampler.impute) throw new RangeError(`${generator} declares impute, and its sampler has none`);
    const patients = patientCount(spoken.columns);
    const given = knownFacts(demographics, sampler.features, patients, generator);
    const facts = { ...spoken.columns.demographics, ...given };
    const columns = { ...spoken.columns, ...(Object.keys(facts).length > 0 && { demographics: facts }) };
    const imputation = yield* sampler.impute({
      columns,
      task,
      ...(kinds && { kinds }),
      ...(top !== undefined && { top }),
    });
    const visits = visitCount(columns);
    return { imputation, vocabulary: model.vocabulary, generator, layout, patients, visits, notes };
  } finally {
    sampler.dispose();
  }
}

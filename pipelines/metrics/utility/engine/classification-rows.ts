import type { PartialRow, Parts } from '../../metric.ts';
import { measureRow } from '../../rows/measure-row.ts';
import type { Measure } from '../../statistics/measure.ts';
import type { ClassificationMeasures } from './summarize.ts';

const measures: Record<keyof ClassificationMeasures, { row: string; title: string; about: string }> = {
  accuracy: { row: 'accuracy', title: 'Accuracy', about: 'share classified correctly, of balanced patients' },
  f1: { row: 'f1', title: 'F1', about: 'harmonic mean of precision and recall' },
  auc: {
    row: 'auc',
    title: 'AUC',
    about: 'probability that a patient with the label scores above one without: 0.5 is guessing',
  },
  averagePrecision: {
    row: 'average-precision',
    title: 'Average precision',
    about: 'mean precision over the patients with the label, highest score first',
  },
};

const everyMeasure = ['auc', 'accuracy', 'f1', 'averagePrecision'] as const;

/** What a set of measures is about: row prefix, what was trained on what, over which labels. */
interface Subject {
  prefix: string;
  /** Goes after the name of the measure: `trained on synthetic patients, mean over labels`. */
  title: string;
  /** The same when trained on real patients. */
  real?: ClassificationMeasures;
  only?: readonly (keyof ClassificationMeasures)[];
  patients?: number;
  /** The note of a row that has no other. */
  note?: string;
  /** What the measures are a mean over, where it is not patients. */
  nIs?: 'keys';
  /** The labels that the measures are a mean over, where each has rows of its own. */
  parts?: Parts;
}

const extras = ({ patients, note, nIs, parts }: Subject): Partial<PartialRow> => ({
  patients,
  note,
  nIs,
  parts,
});

/** A row for each measure. */
export const classificationRows = (found: ClassificationMeasures, subject: Subject): PartialRow[] =>
  (subject.only ?? everyMeasure).map((name) => {
    const { row, title, about } = measures[name];
    return measureRow(
      { row: `${subject.prefix}${row}`, title: `${title}, ${subject.title}`, about },
      found[name],
      { ...extras(subject), real: subject.real?.[name].value },
    );
  });

/** A row for each difference of a measure from a baseline. */
export const gapRows = (found: ClassificationMeasures, subject: Subject): PartialRow[] =>
  (subject.only ?? everyMeasure).map((name) => {
    const { row, title } = measures[name];
    return measureRow(
      {
        row: `${subject.prefix}${row}`,
        title: `${title}, ${subject.title}`,
        about:
          'mean difference over the labels that both could be measured for: 0 is as good, below 0 is worse',
      },
      found[name],
      { ...extras(subject), range: [-1, 1], nIs: 'keys' },
    );
  });

/** One column per arrangement for a plot of labels; labels that lack one of them are left out. */
export const labelSeries = (
  labels: readonly { name: string; patients: number; values: Record<string, Measure> }[],
) => {
  const complete = labels.filter(({ values }) => Object.values(values).every(({ value }) => value !== null));
  const arrangements = Object.keys(labels[0]?.values ?? {});
  return {
    label: complete.map(({ name }) => name),
    patients: complete.map(({ patients }) => patients),
    ...Object.fromEntries(
      arrangements.map((name) => [name, complete.map(({ values }) => values[name]?.value ?? 0)]),
    ),
  };
};

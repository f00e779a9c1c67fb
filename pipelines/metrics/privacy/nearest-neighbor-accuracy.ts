import { z } from 'zod';
import { phase } from '../../kernel/steps.ts';
import { defineMetric, type PartialRow } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { type NnaaForm, type NnaaResult, nnaa } from './engine/nnaa.ts';

const forms: { form: NnaaForm; prefix: string; title: string; note?: string }[] = [
  { form: 'corrected', prefix: '', title: '' },
  {
    form: 'published',
    prefix: 'reference-halo-',
    title: ', as published',
    note: 'Computed as in the HALO script, which ignores every distance of 0: an exact copy is not detected.',
  },
  {
    form: 'pyhealth',
    prefix: 'reference-pyhealth-',
    title: ", PyHealth's way",
    note: 'Computed as in PyHealth: labels are not compared, and records without codes are dropped.',
  },
];

const rowsOf = (result: NnaaResult, { prefix, title, note }: (typeof forms)[number]): PartialRow[] => {
  const accuracy = (name: 'testAccuracy' | 'trainAccuracy', row: string, who: string) =>
    measureRow(
      {
        row: `${prefix}${row}`,
        title: `Adversarial accuracy against ${who}${title}`,
        about: `share of patients whose nearest neighbor is of their own kind, among ${who} and synthetic ones: 0.5 when they are indistinguishable, 1 when they are far apart, 0 for copies`,
      },
      result[name],
      { better: 'closer-to-real', real: 0.5, note },
    );
  return [
    measureRow(
      {
        row: `${prefix}loss`,
        title: `Privacy loss${title}`,
        about:
          'adversarial accuracy against real non-members (patients not used for training), less that against training patients: 0 when training patients are no nearer than others, towards 1 when they were copied',
      },
      result.loss,
      { range: [-1, 1], note },
    ),
    accuracy('testAccuracy', 'holdout-accuracy', 'real non-members'),
    accuracy('trainAccuracy', 'train-accuracy', 'training patients'),
  ];
};

/** Yale et al. 2020; HALO (Theodorou et al. 2023), supplement; evaluate_privacy_nearest.py lines 24–76. */
export default defineMetric({
  name: 'nearest-neighbor-accuracy',
  family: 'privacy',
  title: 'Nearest neighbor adversarial accuracy',
  about:
    'Are synthetic patients nearer to training patients than to other real ones? The loss is the difference; equally many patients are taken from each cohort.',
  better: 'lower',
  range: [-1, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'halves',
  headline: { loss: 'Nearest neighbor, privacy loss' },
  options: z.object({
    size: z.int().positive().optional().describe('most patients taken from each cohort; HALO takes 5000'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options: { size } }) {
    const rows: PartialRow[] = [];
    for (const [i, form] of forms.entries()) {
      const options = { form: form.form, seed, replicates, size };
      const steps = nnaa({ train, test: holdout, synthetic }, options);
      rows.push(...rowsOf(yield* phase(form.form, i, forms.length, steps), form));
    }
    return { rows };
  },
});

import test from 'ava';
import { type LabChoice, unitFactor } from '../../../pipelines/cohort/lab-values.ts';
import { assembleRows, type EventRows } from './event-tables.ts';

const lab = (item_id: number, hour: number, number?: number | string, unit?: string) => ({
  subject_id: 1,
  hadm_id: 10,
  item_id,
  time: `2150-01-01 ${String(hour).padStart(2, '0')}:00:00`,
  ...(number !== undefined && { number }),
  ...(unit !== undefined && { unit }),
});

const withLabs = (labs: NonNullable<EventRows['labs']>): EventRows => ({
  patients: [{ subject_id: 1, sex: 'F', birth_time: '2100-01-01 00:00:00' }],
  admissions: [
    { subject_id: 1, hadm_id: 10, admit_time: '2150-01-01 00:00:00', discharge_time: '2150-01-03 00:00:00' },
  ],
  labs,
});

/** Code → number of the one admission. */
const valuesOf = async (labs: NonNullable<EventRows['labs']>, labValue: LabChoice = 'last') => {
  const { cohort, dropped } = await assembleRows(withLabs(labs), { labValue });
  const entries = [...cohort.codes.lab.indices].map((index, i) => [
    cohort.dictionary.lab[index]?.code,
    Number((cohort.labValues[i] as number).toPrecision(6)),
  ]);
  return { values: Object.fromEntries(entries), dropped, dictionary: cohort.dictionary.lab };
};

test('one measurement stands for the admission: the last, the first, or the middle one', async (t) => {
  // Not in order of time, and the middle one is neither first nor last.
  const labs = [lab(1, 5, 7), lab(1, 2, 9), lab(1, 8, 1), lab(1, 8, 2), lab(2, 4, 3), lab(2, 3, 4)];
  t.deepEqual((await valuesOf(labs, 'last')).values, { 1: 2, 2: 3 });
  t.deepEqual((await valuesOf(labs, 'first')).values, { 1: 9, 2: 4 });
  // Of an even number the lower middle one: a number that was measured.
  t.deepEqual((await valuesOf(labs, 'median')).values, { 1: 2, 2: 3 });
});

test('a test without a number is present and has no value', async (t) => {
  const { values, dropped } = await valuesOf([lab(1, 1), lab(2, 1, 5), lab(2, 2), lab(3, 1, 'nan')]);
  t.deepEqual(values, { 1: Number.NaN, 2: 5, 3: Number.NaN });
  t.deepEqual(dropped.labNumbers, { rows: 4, withoutNumber: 3, otherUnit: 0, superseded: 0 });
});

test('numbers are in the commonest unit of their test: converted by powers of ten, else left out', async (t) => {
  const { values, dropped, dictionary } = await valuesOf([
    lab(1, 1, 10, 'mg/dL'),
    lab(1, 2, 11, 'MG/DL'),
    lab(1, 3, 250, 'mg/L'),
    lab(2, 1, 5, 'mEq/L'),
    lab(2, 2, 6, 'mEq/L'),
    lab(2, 3, 800, 'mg/dL'),
    lab(3, 1, 30, '%'),
    lab(3, 2, 40),
    lab(4, 1, 1),
  ]);
  t.deepEqual(values, { 1: 25, 2: 6, 3: 40, 4: 1 });
  t.deepEqual(dropped.labNumbers, { rows: 9, withoutNumber: 0, otherUnit: 1, superseded: 4 });
  t.deepEqual(dropped.labUnits, { converted: 1, assumed: 1 });
  t.deepEqual(dictionary, [
    { code: '1', unit: 'MG/DL' },
    { code: '2', unit: 'mEq/L' },
    { code: '3', unit: '%' },
    { code: '4' },
  ]);
});

test('units convert by powers of ten or not at all', (t) => {
  t.is(unitFactor('mg/l', 'mg/dl'), 0.1);
  t.is(unitFactor('g/dl', 'mg/dl'), 1000);
  t.is(unitFactor('ng/ml', 'ug/l'), 1);
  t.is(unitFactor('uu/ml', 'uiu/ml'), 1);
  t.is(unitFactor('seconds', 'sec'), 1);
  t.is(unitFactor('', 'mmol/l'), 1);
  t.is(unitFactor('mmol/l', 'mg/dl'), undefined);
  t.is(unitFactor('eu/dl', 'mg/dl'), undefined);
});

test('every lab row of an admission of the demo is accounted for', async (t) => {
  const { cohort, dropped } = await assembleRows('demo');
  const { rows = 0, ...reasons } = dropped.labNumbers;
  const numbers = cohort.labValues.filter((value) => !Number.isNaN(value)).length;
  t.is(rows, 61812);
  t.is(rows - Object.values(reasons).reduce((sum, n) => sum + n, 0), numbers);
  t.is(reasons['withoutNumber'], 61812 - 54485);
  // Pairs of admission and test with any number, counted in another way, less those whose unit cannot be converted.
  t.true(numbers > 7400 && numbers <= 7435, String(numbers));
  t.is(cohort.labValues.length, cohort.codes.lab.indices.length);
  t.is(cohort.dictionary.lab.find(({ code }) => code === '50912')?.unit, 'mg/dL');
});

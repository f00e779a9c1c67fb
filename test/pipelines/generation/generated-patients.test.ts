import test from 'ava';
import { GeneratedPatients } from '../../../pipelines/generation/generated-patients.ts';
import { decodeSaved, encodeSaved } from '../../../pipelines/kernel/safetensors.ts';
import {
  type Demographic,
  selectPatients,
  type VisitColumns,
  VisitColumnsBuilder,
} from '../../../pipelines/patients/visit-columns.ts';

const cohort = (): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (const visits of [[[0, 2], [1]], [], [[3]], [[4], [], [0]]]) builder.addPatient(visits, [1, 0]);
  return {
    ...builder.build(),
    values: Float32Array.of(1, Number.NaN, 3, 4, 5, 6),
    demographics: {
      age: { kind: 'numeric', values: Float32Array.of(50, Number.NaN, 70, 80) },
      sex: { kind: 'categorical', levels: ['F', 'M'], values: Int32Array.of(0, 1, -1, 0) },
    },
  };
};
const parts = (columns: VisitColumns, sizes: number[]): VisitColumns[] => {
  let first = 0;
  return sizes.map((size) => {
    const indices = Array.from({ length: size }, (_, i) => first + i);
    first += size;
    return selectPatients(columns, indices);
  });
};
const gathered = (batches: VisitColumns[]): GeneratedPatients => {
  const generated = new GeneratedPatients();
  for (const batch of batches) generated.append(batch);
  return generated;
};

test('batches put together are the cohort, demographics and values with it', (t) => {
  for (const sizes of [[4], [1, 1, 1, 1], [0, 3, 1], [2, 2]])
    t.deepEqual(gathered(parts(cohort(), sizes)).columns, cohort(), `${sizes}`);
});

test('put away and taken up, it goes on', (t) => {
  const [before, after] = parts(cohort(), [3, 1]) as [VisitColumns, VisitColumns];
  const other = new GeneratedPatients();
  other.load(decodeSaved(encodeSaved(gathered([before]).save())));
  t.is(other.count, 3);
  other.append(after);
  t.deepEqual(other.columns, cohort());
});

test('a cohort without demographics stays without', (t) => {
  const { demographics: _, values: __, ...bare } = cohort();
  const generated = gathered(parts(bare, [2, 2]));
  t.deepEqual(generated.columns, bare);
  const other = new GeneratedPatients();
  other.load(decodeSaved(encodeSaved(generated.save())));
  t.deepEqual(other.columns, bare);
});

test('batches that tell other facts are refused', (t) => {
  const refused = (demographics: Record<string, Demographic>, message: RegExp) =>
    t.throws(() => gathered([cohort(), { ...cohort(), demographics }]), { instanceOf: RangeError, message });
  const sex = (levels: string[]): Demographic => ({
    kind: 'categorical',
    levels,
    values: Int32Array.of(0, 0, 0, 0),
  });
  const age: Demographic = { kind: 'numeric', values: new Float32Array(4) };
  refused({ age }, /sex/);
  refused({ age, sex: sex(['M', 'F']) }, /sex has another kind or other levels/);
  refused({ age: sex(['old']), sex: sex(['F', 'M']) }, /age has another kind or other levels/);
  const { values: _, ...valueless } = cohort();
  t.throws(() => gathered([cohort(), valueless]), { message: /one has values and one has not/ });
});

test('a checkpoint of something else is refused', (t) => {
  const saved = gathered([cohort()]).save();
  const { codes: _, ...others } = saved.arrays;
  t.throws(() => new GeneratedPatients().load({ ...saved, arrays: others }), { name: 'ArtifactCorrupt' });
  t.throws(() => new GeneratedPatients().load({ ...saved, json: {} }), {
    name: 'ArtifactCorrupt',
    message: /levels of sex/,
  });
});

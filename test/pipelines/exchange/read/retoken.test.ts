import test from 'ava';
import { retoken } from '../../../../pipelines/exchange/read/retoken.ts';
import { VisitColumnsBuilder } from '../../../../pipelines/patients/visit-columns.ts';

test('numbers stay with their tokens, whatever the new order', (t) => {
  const builder = new VisitColumnsBuilder();
  builder.addPatient([[0, 1, 3], [2]], []);
  builder.addPatient([[1], [0, 2, 3]], []);
  const values = Float32Array.of(Number.NaN, 1.5, 3.5, Number.NaN, 10.5, Number.NaN, Number.NaN, 30.5);
  const { columns } = retoken({ ...builder.build(), values }, [2, 0, -1, 1]);
  t.deepEqual([...columns.codes], [0, 1, 2, 0, 1, 2]);
  t.deepEqual([...(columns.values ?? [])], [1.5, 3.5, Number.NaN, 10.5, 30.5, Number.NaN]);
});

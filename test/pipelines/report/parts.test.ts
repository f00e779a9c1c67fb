import test from 'ava';
import { counted, decimal, integer, listed, percent } from '../../../pipelines/kernel/number-format.ts';
import { lengthBins } from '../../../pipelines/metrics/statistics/length-bins.ts';
import { traceLineage } from '../../../pipelines/report/lineage-trace.ts';
import { html, inlineJson } from '../../../pipelines/report/markup.ts';
import type { ArtifactRef, Manifest } from '../../../schemas/artifact.ts';
import { StageError } from '../../../schemas/errors.ts';

test('lengths keep a bin each while enough patients stand behind it, and the tail is pooled', (t) => {
  const real = [0, 60, 30, 12, 3, 2, 0, 1];
  const synthetic = [0, 50, 30, 20, 0, 0, 0, 0];
  const bins = lengthBins({ real, synthetic, patients: real }, 11);
  t.deepEqual(
    bins.map(({ label }) => label),
    ['1', '2', '3+'],
  );
  t.true(Math.abs(bins.reduce((sum, bin) => sum + bin.real, 0) - 1) < 1e-12);
  t.true(Math.abs(bins.reduce((sum, bin) => sum + bin.synthetic, 0) - 1) < 1e-12);
});

test('lengths: a thin middle widens all bins, a thin cohort has one, an empty one none', (t) => {
  const gap = [0, 20, 20, 5, 20, 20, 20];
  t.deepEqual(
    lengthBins({ real: gap, synthetic: gap, patients: gap }, 11).map(({ label }) => label),
    ['1–2', '3–4', '5+'],
  );
  t.deepEqual(
    lengthBins({ real: [0, 3, 1], synthetic: [0, 3, 1], patients: [0, 3, 1] }, 11).map(({ label }) => label),
    ['1+'],
  );
  t.deepEqual(lengthBins({ real: [], synthetic: [], patients: [] }, 11), []);
  t.deepEqual(
    lengthBins({ real: [0], synthetic: [0], patients: [0] }, 11).map(({ real }) => real),
    [0],
  );
});

test('lengths: what is shorter than any real one stands in a bin of its own', (t) => {
  const [first] = lengthBins({ real: [0, 20, 20], synthetic: [10, 20, 10], patients: [0, 20, 20] }, 11);
  t.deepEqual(first, { label: '0', real: 0, synthetic: 0.25 });
});

test('lengths: never more than 24 bins', (t) => {
  const flat = Array.from({ length: 200 }, () => 50);
  t.is(lengthBins({ real: flat, synthetic: flat, patients: flat }, 11).length, 23);
});

test('numbers as people write them', (t) => {
  t.deepEqual([0, 0.5, 0.043, 0.0043, 0.00043].map(percent), ['0%', '50%', '4.3%', '0.43%', '0.043%']);
  t.deepEqual([0.65702, -4.8426, -0.0001, 1234.56].map(decimal), ['0.657', '−4.843', '0.000', '1234.6']);
  t.is(integer(46520), '46,520');
  t.is(counted(1, 'patient'), '1 patient');
  t.is(listed(['a', 'b', 'c']), 'a, b and c');
});

test('markup escapes what is put in, and inline JSON cannot end its element', (t) => {
  t.is(
    html`<p title="${'"'}">${'<'}${[html`<i>`, '&']}${false}</p>`.text,
    '<p title="&quot;">&lt;<i>&amp;</p>',
  );
  t.is(inlineJson({ a: '</script>' }).text, '{"a":"\\u003c/script>"}');
});

test('lineage comes sources first, each once, and names what was deleted', async (t) => {
  const digest = (letter: string) => letter.repeat(64);
  const ref = (letter: string): ArtifactRef => ({ kind: 'token-cohort', digest: digest(letter) });
  const lineages: Record<string, Manifest['lineage']> = {
    [digest('b')]: {
      stage: 'tokenize',
      version: 1,
      params: {},
      inputs: { cohort: [ref('a')] },
      code: 'c',
      engine: 'e',
    },
    [digest('c')]: {
      stage: 'train',
      version: 1,
      params: { generator: 'halo' },
      inputs: { cohort: [ref('b')] },
      code: 'c',
      engine: 'e',
    },
    [digest('d')]: {
      stage: 'generate',
      version: 1,
      params: {},
      inputs: { model: [ref('c')], cohort: [ref('b')] },
      code: 'c',
      engine: 'e',
    },
  };
  const steps = await traceLineage([ref('d'), ref('b')], async ({ kind, digest: wanted }) => {
    const lineage = lineages[wanted];
    if (!lineage) throw new StageError('ArtifactMissing', 'gone');
    const recorded = { at: '2026-01-01T00:00:00Z', seconds: 1, attempt: 1 };
    return { manifest: { kind, digest: wanted, files: [], lineage, summary: {}, recorded } };
  });
  t.deepEqual(
    steps.map(({ title }) => title),
    ['token-cohort, deleted', 'tokenize', 'train halo', 'generate halo'],
  );
});

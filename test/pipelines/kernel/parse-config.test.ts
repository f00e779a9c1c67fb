import test from 'ava';
import { z } from 'zod';
import { parseWholeConfig } from '../../../pipelines/kernel/parse-config.ts';
import { metrics } from '../../../pipelines/metrics/registry.ts';
import { metricOptions } from '../../../pipelines/metrics/score-metric.ts';

const schema = z.object({
  share: z.number().default(0.5),
  attacker: z.object({ updates: z.int().default(100) }).prefault({}),
  tasks: z.array(z.string()).default([]),
});
const parse = (given: unknown) => parseWholeConfig(schema, given, 'privacy.options.x');
const refused = { code: 'InvalidConfig' };

test('defaults are filled in, and given values kept', (t) => {
  t.deepEqual(parse({ attacker: { updates: 3 } }), { share: 0.5, attacker: { updates: 3 }, tasks: [] });
});

test('a key that does not exist is an error at any depth, with the nearest that does', (t) => {
  t.throws(() => parse({ shar: 0.1 }), {
    ...refused,
    message: 'privacy.options.x: no key shar here; did you mean share? (keys: share, attacker, tasks)',
  });
  t.throws(() => parse({ attacker: { update: 3 } }), {
    ...refused,
    message: 'privacy.options.x.attacker: no key update here; did you mean updates? (keys: updates)',
  });
});

test('no metric ignores a setting that it does not have', (t) => {
  for (const metric of metrics.values())
    t.throws(
      () => metricOptions(metric, { nearShar: 1 }),
      { ...refused, message: /: no key nearShar here/ },
      metric.name,
    );
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Bodies } from '../../activities/index.ts';
import { defineBody } from '../../activities/stage-body.ts';
import type { Checkpointable, Saved } from '../../pipelines/kernel/checkpointable.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { StageError } from '../../schemas/errors.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { OpenArtifact } from '../../schemas/store.ts';

const code = import.meta.url;

/** How a toy training behaves; it stands in for a generator's config. */
const toyConfig = z.object({
  steps: z.int().default(5),
  sleepMs: z.number().default(0),
  /** Step at which it fails for good, with `Diverged`. */
  divergeAt: z.int().optional(),
  /** Step at which it fails when it came there without a checkpoint: once, if it saves. */
  stumbleAt: z.int().optional(),
});

/** Half its weight is the past, half the number of the step: a wrong order or a lost step changes it. */
class ToyState implements Checkpointable {
  weight = 0;
  step = 0;
  advance(): void {
    this.step += 1;
    this.weight = this.weight / 2 + this.step;
  }
  save() {
    return {
      arrays: { weight: { shape: [1], data: Float64Array.of(this.weight) } },
      json: { step: this.step },
    };
  }
  load({ arrays, json }: Saved): void {
    this.weight = Number(arrays['weight']?.data[0]);
    this.step = Number(json['step']);
  }
}

const text = (artifact: OpenArtifact): Promise<string> =>
  artifact.bytes('text').then((bytes) => new TextDecoder().decode(bytes));

const passOn = async (open: (ref: ArtifactRef) => Promise<OpenArtifact>, refs: ArtifactRef[]) =>
  (await Promise.all(refs.map(async (ref) => text(await open(ref))))).join('+');

/** Deliberately small stand-ins for the science, to see the clockwork around it at work. */
export const toyBodies: Bodies = {
  extract: defineBody(stages.extract, {
    code,
    fingerprint: async ({ source }) => readFile(join(source, 'rows.txt'), 'utf8').catch(() => 'none'),
    async *run({ params }, { draft }) {
      yield { step: 1, of: 1 };
      await draft.write('text', await readFile(join(params.source, 'rows.txt'), 'utf8'));
      return { rows: 1 };
    },
  }),
  assemble: defineBody(stages.assemble, {
    code,
    async *run({ inputs }, { draft, open }) {
      yield { step: 1, of: 1 };
      await draft.write('text', `a(${await passOn(open, [inputs.events])})`);
      return {};
    },
  }),
  tokenize: defineBody(stages.tokenize, {
    code,
    async *run({ inputs }, { draft, open }) {
      yield { step: 1, of: 1 };
      await draft.write('text', `t(${await passOn(open, [inputs.cohort])})`);
      return {};
    },
  }),
  'import-model': defineBody(stages['import-model'], {
    code,
    fingerprint: async ({ model }) => model,
    async *run({ params }, { draft }) {
      yield { step: 1, of: 1 };
      if (params.model === 'none') throw new StageError('SourceMissing', 'there is no such model');
      await draft.write('text', `m(${params.generator})`);
      return {};
    },
  }),
  train: defineBody(stages.train, {
    code,
    async *run({ params, inputs }, { draft, open, resume, log }) {
      const config = toyConfig.parse(params.config);
      const state = new ToyState();
      const start = await resume(state);
      try {
        while (state.step < config.steps) {
          if (config.sleepMs) await sleep(config.sleepMs);
          state.advance();
          if (state.step === config.divergeAt)
            throw new StageError('Diverged', `loss is NaN at step ${state.step}`);
          yield { step: state.step, of: config.steps, phase: 'toy', metrics: { loss: 1 / state.step } };
          if (state.step === config.stumbleAt && start === 0)
            throw new StageError('DeviceLost', 'a passing failure');
        }
      } finally {
        log.debug('toy training let go');
      }
      const begun = inputs.from.length > 0 ? `<${await passOn(open, inputs.from)}` : '';
      await draft.write('text', `${params.generator}${begun}:${state.weight}`);
      return { steps: state.step };
    },
  }),
  generate: defineBody(stages.generate, {
    code,
    async *run({ inputs }, { draft, open }) {
      yield { step: 1, of: 1 };
      await draft.write('text', `g(${await passOn(open, [inputs.model])})`);
      return {};
    },
  }),
  similarity: defineBody(stages.similarity, {
    code,
    async *run({ inputs }, { draft, open }) {
      yield { step: 1, of: 1 };
      await draft.write('text', `s(${await passOn(open, [inputs.synthetic])})`);
      return {};
    },
  }),
  utility: defineBody(stages.utility, {
    code,
    async *run({ inputs }, { draft, open }) {
      yield { step: 1, of: 1 };
      await draft.write('text', `u(${await passOn(open, [inputs.synthetic])})`);
      return {};
    },
  }),
  privacy: defineBody(stages.privacy, {
    code,
    async *run({ inputs }, { draft, open }) {
      yield { step: 1, of: 1 };
      await draft.write('text', `p(${await passOn(open, [inputs.synthetic])})`);
      return {};
    },
  }),
  report: defineBody(stages.report, {
    code,
    async *run({ inputs }, { draft, open }) {
      yield { step: 1, of: 1 };
      await draft.write('text', await passOn(open, inputs.cards));
      return { cards: inputs.cards.length };
    },
  }),
  export: defineBody(stages.export, {
    code,
    async *run({ inputs }, { draft, open }) {
      yield { step: 1, of: 1 };
      await draft.write('text', `e(${await passOn(open, [inputs.synthetic, inputs.report])})`);
      return {};
    },
  }),
};

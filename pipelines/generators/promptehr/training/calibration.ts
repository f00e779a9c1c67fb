/**
 * What a model writes is what it reads next, so that small errors feed on themselves, and a span that jumps ahead in
 * canonical order has lost what it jumped over. Here the heads' biases are shifted, round by round, until records as
 * they are drawn have the training visits' prevalences. The paper has nothing like it.
 */
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import type { Saved } from '../../../kernel/checkpointable.ts';
import { openOps } from '../../../nn/ops/open-ops.ts';
import type { VisitColumns } from '../../../patients/visit-columns.ts';
import { openNetwork } from '../network/network.ts';
import { headName } from '../network/weight-layout.ts';
import { type PromptModel, readPromptModel } from '../records/prompt-model.ts';
import { PromptSampler } from '../sampling/sampler.ts';
import { headShares, prevalenceBias } from './initial-weights.ts';

/** Visits that a drawn share is pulled toward the real one by, so that what was drawn a few times decides little. */
const pull = 20;

/** Weight of the way to go in a round: codes raise each other. */
const stride = 0.8;

/** What to add to each head's bias, after one look at `drawn` records. */
const shifts = (
  { streams, settings }: PromptModel,
  real: VisitColumns,
  drawn: VisitColumns,
): Float32Array[] => {
  const wanted = headShares(streams, real);
  const visits = drawn.codeOffsets.length - 1;
  const found = headShares(streams, drawn).map((shares, head) =>
    shares.map((share, output) => (share * visits + pull * (wanted[head]?.[output] ?? 0)) / (visits + pull)),
  );
  const before = prevalenceBias(found, settings.order);
  return prevalenceBias(wanted, settings.order).map((bias, head) =>
    bias.map((value, output) => stride * (value - (before[head]?.[output] ?? 0))),
  );
};

/** Seeds of other patients than a person asks for. */
const farSeed = 2 ** 45;

/** Adds to the biases of a model's heads, in place. Throws RangeError for a model whose heads have none. */
export const shiftBiases = (
  { arrays }: Saved,
  { streams }: PromptModel,
  shift: readonly Float32Array[],
): void => {
  for (const [head, { name }] of streams.heads.entries()) {
    const bias = arrays[headName(name, 'bias')];
    if (!bias) throw new RangeError(`head ${name} has no bias to shift`);
    shift[head]?.forEach((by, output) => {
      bias.data[output] = Number(bias.data[output]) + by;
    });
  }
};

/** The shift of each head's bias after all rounds; those of `saved` are shifted on the way. */
export const calibrate = async (
  saved: Saved,
  vocabulary: Vocabulary,
  train: VisitColumns,
  { rounds, patients, seed }: { rounds: number; patients: number; seed: number },
): Promise<Float32Array[]> => {
  const model = readPromptModel(saved.json, vocabulary);
  const total = model.streams.heads.map(({ tokens }) => new Float32Array(tokens.length));
  for (let round = 0; round < rounds; round++) {
    const ops = await openOps();
    const sampler = new PromptSampler(await openNetwork(ops, model.architecture, saved.arrays), model);
    try {
      const request = { first: 0, count: patients, seed: seed + farSeed * (round + 1) };
      const shift = shifts(model, train, await sampler.sample(request));
      shiftBiases(saved, model, shift);
      for (const [head, own] of total.entries())
        own.forEach((value, output) => {
          own[output] = value + (shift[head]?.[output] ?? 0);
        });
    } finally {
      sampler.dispose();
    }
  }
  return total;
};

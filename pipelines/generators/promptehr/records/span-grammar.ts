import type { PromptModel } from './prompt-model.ts';

/**
 * What a span may consist of: the outputs of its head, of which 0 closes it and the others are codes,
 * ascending.
 */
export interface SpanRules {
  outputs: number;
  /** Canonical: every code is higher than the one before. Shuffled: any code that is not written yet. */
  order: 'canonical' | 'shuffled';
  /** Fewest and most codes; never more than there are. */
  least: number;
  most: number;
  /** Outputs that may not come. */
  without: ReadonlySet<number>;
  /** `[outputs]` those of one group exclude each other; -1: in no group. */
  groups: Int32Array;
}

/** Rules that can be kept: bounds no higher than the number of codes that may come. */
export const spanRules = (wanted: Pick<SpanRules, 'outputs' | 'order'> & Partial<SpanRules>): SpanRules => {
  const { outputs, order, least = 0, without = new Set() } = wanted;
  const groups = wanted.groups ?? new Int32Array(outputs).fill(-1);
  const most = Math.min(wanted.most ?? outputs, outputs - 1 - without.size);
  return { outputs, order, most, least: Math.min(least, most), without, groups };
};

/** The rules of a span of one kind, for a model's codes and their order. */
export const kindRules = (
  { streams, settings }: Pick<PromptModel, 'streams' | 'settings'>,
  kind: number,
  bounds: Pick<Partial<SpanRules>, 'least' | 'most' | 'without'>,
): SpanRules => {
  const groups = streams.groups[kind] ?? new Int32Array(1);
  return spanRules({ outputs: groups.length, order: settings.order, groups, ...bounds });
};

/**
 * `[outputs]`, 1 where the output may come after those `written`: no repeats, nothing that excludes what is
 * written, no lower code under canonical order, no code after which too few are left to reach `least` (groups
 * not counted: they may leave fewer). One output at least may always come, so that every span gets closed.
 */
export const allowedOutputs = (
  { outputs, order, least, most, without, groups }: SpanRules,
  written: readonly number[],
): Uint8Array => {
  const allowed = new Uint8Array(outputs);
  const needed = least - written.length;
  const canonical = order === 'canonical';
  let open = 0;
  if (written.length < most) {
    allowed.fill(1, 1 + (canonical ? (written.at(-1) ?? 0) : 0));
    for (const output of written) allowed[output] = 0;
    for (const output of without) allowed[output] = 0;
    const taken = new Set(written.map((output) => groups[output]).filter((group) => group !== -1));
    if (taken.size > 0)
      for (let output = 1; output < outputs; output++) if (taken.has(groups[output])) allowed[output] = 0;
    for (let output = 1; output < outputs; output++) open += allowed[output] as number;
  }
  // So many have to be left above.
  let spared = canonical ? Math.max(0, Math.min(needed, open) - 1) : 0;
  for (let output = outputs - 1; spared > 0; output--) {
    spared -= allowed[output] as number;
    allowed[output] = 0;
  }
  if (needed <= 0 || open === 0) allowed[0] = 1;
  return allowed;
};

/** Whether nothing but the end may come after those `written`: then the network need not run. */
export const mustClose = (rules: SpanRules, written: readonly number[]): boolean =>
  written.length >= rules.most || !allowedOutputs(rules, written).includes(1, 1);

/** What a span may say: the outputs of its head, of which 0 closes it and the others are codes, ascending. */
export interface SpanRules {
  outputs: number;
  /** Canonical: every code is higher than the one before. Shuffled: any code that was not said yet. */
  order: 'canonical' | 'shuffled';
  /** Fewest and most codes; never more than there are. */
  least: number;
  most: number;
  /** Outputs that may not be said. */
  without: ReadonlySet<number>;
  /** `[outputs]` those of one group exclude each other; -1: in no group. */
  groups: Int32Array;
}

/** Rules that can be kept: bounds no higher than the number of codes that may be said. */
export const spanRules = (asked: Pick<SpanRules, 'outputs' | 'order'> & Partial<SpanRules>): SpanRules => {
  const { outputs, order, least = 0, without = new Set() } = asked;
  const groups = asked.groups ?? new Int32Array(outputs).fill(-1);
  const most = Math.min(asked.most ?? outputs, outputs - 1 - without.size);
  return { outputs, order, most, least: Math.min(least, most), without, groups };
};

/**
 * `[outputs]`, 1 where the output may come after those `said`: no repeats, nothing that excludes what was said, no lower
 * code under canonical order, no code after which too few are left to reach `least` (groups not counted: they may leave
 * fewer). One output at least may always come, so that every span gets closed.
 */
export const allowedOutputs = (
  { outputs, order, least, most, without, groups }: SpanRules,
  said: readonly number[],
): Uint8Array => {
  const allowed = new Uint8Array(outputs);
  const needed = least - said.length;
  const canonical = order === 'canonical';
  let open = 0;
  if (said.length < most) {
    allowed.fill(1, 1 + (canonical ? (said.at(-1) ?? 0) : 0));
    for (const output of said) allowed[output] = 0;
    for (const output of without) allowed[output] = 0;
    const taken = new Set(said.map((output) => groups[output]).filter((group) => group !== -1));
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

/** Whether nothing but the end may come after those `said`: then nobody need be asked. */
export const mustClose = (rules: SpanRules, said: readonly number[]): boolean =>
  said.length >= rules.most || !allowedOutputs(rules, said).includes(1, 1);

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
}

/** Rules that can be kept: bounds no higher than the number of codes that may be said. */
export const spanRules = (asked: Pick<SpanRules, 'outputs' | 'order'> & Partial<SpanRules>): SpanRules => {
  const { outputs, order, least = 0, without = new Set() } = asked;
  const most = Math.min(asked.most ?? outputs, outputs - 1 - without.size);
  return { outputs, order, most, least: Math.min(least, most), without };
};

/**
 * `[outputs]`, 1 where the output may come after those `said`: no repeats, no lower code under canonical order, no code
 * after which too few are left to reach `least`. One output at least may always come, so that every span gets closed.
 */
export const allowedOutputs = (
  { outputs, order, least, most, without }: SpanRules,
  said: readonly number[],
): Uint8Array => {
  const allowed = new Uint8Array(outputs);
  const needed = least - said.length;
  const above = order === 'canonical' ? (said.at(-1) ?? 0) : 0;
  const used = new Set(said);
  let left = 0;
  if (said.length < most)
    for (let output = outputs - 1; output > above; output--) {
      if (without.has(output) || used.has(output)) continue;
      if (order === 'shuffled' || left >= needed - 1) allowed[output] = 1;
      left++;
    }
  if (needed <= 0) allowed[0] = 1;
  return allowed;
};

/** Whether nothing but the end may come after those `said`: then nobody need be asked. */
export const mustClose = (rules: SpanRules, said: readonly number[]): boolean => {
  if (said.length >= rules.most) return true;
  if (rules.order === 'shuffled') return false;
  for (let output = (said.at(-1) ?? 0) + 1; output < rules.outputs; output++)
    if (!rules.without.has(output)) return false;
  return true;
};

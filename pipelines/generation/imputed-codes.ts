import type { Imputation } from './generator.ts';

/** Probabilities of codes, equally long. */
export interface Candidates {
  codes: ArrayLike<number>;
  probabilities: ArrayLike<number>;
}

type Entry = [code: number, probability: number];
const byProbability = ([a, p]: Entry, [b, q]: Entry): number => q - p || a - b;

/**
 * The codes reported for one visit, most probable first and equals by ascending code: of each list of candidates at most `top`
 * codes, without the impossible ones and without `known`.
 */
export const chosenCodes = (
  lists: Iterable<Candidates>,
  top = Number.POSITIVE_INFINITY,
  known: ArrayLike<number> = [],
): Candidates => {
  const left = new Set(Array.from(known));
  const kept: Entry[] = [];
  for (const { codes, probabilities } of lists) {
    const possible: Entry[] = [];
    for (let i = 0; i < codes.length; i++) {
      const [code, probability] = [codes[i] as number, probabilities[i] as number];
      if (probability > 0 && !left.has(code)) possible.push([code, Math.min(1, probability)]);
    }
    kept.push(...possible.sort(byProbability).slice(0, top));
  }
  kept.sort(byProbability);
  return {
    codes: Int32Array.from(kept, ([code]) => code),
    probabilities: Float32Array.from(kept, ([, probability]) => probability),
  };
};

/** Gathers what was chosen, visit by visit in their order. */
export class ImputedCodes {
  readonly #patient: number[] = [];
  readonly #visit: number[] = [];
  readonly #code: number[] = [];
  readonly #probability: number[] = [];

  add(patient: number, visit: number, { codes, probabilities }: Candidates): void {
    for (let i = 0; i < codes.length; i++) {
      this.#patient.push(patient);
      this.#visit.push(visit);
      this.#code.push(codes[i] as number);
      this.#probability.push(probabilities[i] as number);
    }
  }

  build(): Imputation {
    return {
      patient: Int32Array.from(this.#patient),
      visit: Int32Array.from(this.#visit),
      code: Int32Array.from(this.#code),
      probability: Float32Array.from(this.#probability),
    };
  }
}

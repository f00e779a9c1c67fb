import type { Imputation } from './generator.ts';

/** Probabilities of codes, equally long. */
export interface Candidates {
  codes: ArrayLike<number>;
  probabilities: ArrayLike<number>;
}

/** Gathers what is imputed visit by visit, likeliest first inside a visit; equals by ascending code. */
export class ImputedCodes {
  readonly #top: number;
  readonly #patient: number[] = [];
  readonly #visit: number[] = [];
  readonly #code: number[] = [];
  readonly #probability: number[] = [];

  /** At most `top` codes are kept of each list of candidates. */
  constructor(top = Number.POSITIVE_INFINITY) {
    this.#top = top;
  }

  /** The codes of one visit, one list of candidates per kind; what is impossible, or in `known`, is left out. */
  add(patient: number, visit: number, lists: Iterable<Candidates>, known?: ArrayLike<number>): void {
    const left = new Set(known ? Array.from(known) : []);
    const byProbability = ([a, p]: [number, number], [b, q]: [number, number]) => q - p || a - b;
    const kept: [code: number, probability: number][] = [];
    for (const { codes, probabilities } of lists) {
      const possible: [number, number][] = [];
      for (let i = 0; i < codes.length; i++) {
        const [code, probability] = [codes[i] as number, probabilities[i] as number];
        if (probability > 0 && !left.has(code)) possible.push([code, Math.min(1, probability)]);
      }
      kept.push(...possible.sort(byProbability).slice(0, this.#top));
    }
    for (const [code, probability] of kept.sort(byProbability)) {
      this.#patient.push(patient);
      this.#visit.push(visit);
      this.#code.push(code);
      this.#probability.push(probability);
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

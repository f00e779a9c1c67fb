/**
 * PromptEHR (Wang, Sun: PromptEHR: Conditional electronic healthcare records generation with prompt learning;
 * EMNLP 2022): BART (Lewis et al., ACL 2020) over streams of codes in brackets, with rows made of a patient's
 * known facts in front of what encoder and decoder read.
 */
import type { NamedArray } from '../../checkpointable.ts';
import type { Update } from '../../nn/layers.ts';
import type { Ops, Variable, VariableState } from '../../nn/ops.ts';
import { Pace } from '../../nn/pace.ts';
import type { RandomSource } from '../../random.ts';
import type { PromptArchitecture } from './architecture.ts';
import type { Prompts, Sequences, SpanBatch } from './batch.ts';
import type { Memory, SpanDecoder } from './memory.ts';
import { type Part, partsOf, readPart, toReference } from './parts.ts';

/** How one step learns. */
export interface LearnOptions {
  /** Largest L2 norm of all gradients together; they are all held until it is known. Default: no limit. */
  clip?: number;
  /** Units of embeddings and block outputs set to zero, to the nearest 1/256; `step` addresses the draws. */
  dropout?: { rate: number; source: RandomSource; step: number };
}

const unbuilt = (): never => {
  throw new RangeError('this part of PromptEHR is being built');
};

/** A PromptEHR model on a device: its parameters, and what is computed with them. */
export class PromptNetwork {
  readonly ops: Ops;
  readonly architecture: PromptArchitecture;
  readonly parts: readonly Part[];
  readonly pace = new Pace();
  readonly #variables = new Map<string, Variable>();

  /** `initial` gives each part's value and, when training is taken up again, its Adam slots. */
  constructor(ops: Ops, architecture: PromptArchitecture, initial: (part: Part) => Partial<VariableState>) {
    this.ops = ops;
    this.architecture = architecture;
    this.parts = partsOf(architecture);
    for (const part of this.parts)
      this.#variables.set(part.name, ops.variable(part.name, part.shape, initial(part)));
  }

  /** The parameters of a reference checkpoint. Throws RangeError where a tensor is missing or misshapen. */
  static fromReference(
    ops: Ops,
    architecture: PromptArchitecture,
    tensors: Record<string, NamedArray>,
  ): PromptNetwork {
    return new PromptNetwork(ops, architecture, (part) => ({
      value: readPart(part, (reference) => tensors[reference]),
    }));
  }

  variable(name: string): Variable {
    const variable = this.#variables.get(name);
    if (!variable) throw new RangeError(`this model has no parameter ${name}`);
    return variable;
  }

  /** Trainable numbers. */
  get parameters(): number {
    return this.parts.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  }

  /** The weights in the reference's names and layouts. */
  reference(): Record<string, NamedArray> {
    return toReference(this.parts, ({ name }) => this.ops.download(this.variable(name)));
  }

  /** Negative log-likelihood summed over the rows with a target, and their number; nothing is learned. */
  loss(_batch: SpanBatch): Promise<{ sum: number; cells: number }> {
    return unbuilt();
  }

  /**
   * Forward and backward; the gradient of the mean loss of every parameter the batch uses goes to `update` once
   * (a head that no span of the batch speaks by is not used). Gives the mean loss.
   */
  learn(_batch: SpanBatch, _options: LearnOptions, _update: Update): Promise<number> {
    return unbuilt();
  }

  /** ln p(target) for every row of the spans, 0 where it has none. */
  logProbabilities(_batch: SpanBatch): Promise<Float32Array> {
    return unbuilt();
  }

  /** Reads contexts and prompts once, for any number of spans; the holder disposes of the memory. */
  encode(_contexts: Sequences, _prompts: Prompts): Promise<Memory> {
    return unbuilt();
  }

  /** Starts `sources.length` spans: each reads the context `sources[i]` of the memory and speaks by `heads[i]`. */
  decode(_memory: Memory, _sources: Int32Array, _heads: Int32Array): SpanDecoder {
    return unbuilt();
  }

  dispose(): void {
    this.ops.dispose();
  }
}

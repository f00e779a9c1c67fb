/**
 * PromptEHR (Wang, Sun: PromptEHR: Conditional electronic healthcare records generation with prompt learning;
 * EMNLP 2022): BART (Lewis et al., ACL 2020) over streams of codes in brackets, with rows made of a patient's
 * known facts in front of what encoder and decoder read.
 */
import type { NamedArray } from '../../../kernel/checkpointable.ts';
import { Pace } from '../../../kernel/pace.ts';
import { type Dropout, dropMasks } from '../../../nn/layers/dropout.ts';
import type { Backward, Update } from '../../../nn/layers/layers.ts';
import { freeTrace } from '../../../nn/layers/trace.ts';
import type { Ops, Variable, VariableState } from '../../../nn/ops/ops.ts';
import { type PromptArchitecture, promptRows } from './architecture.ts';
import type { DecoderTrace, EncoderTrace } from './blocks.ts';
import { type DecoderContexts, encodeContexts } from './encode-contexts.ts';
import {
  type Decoder,
  decodeBackward,
  decodeForward,
  decoderOf,
  type Encoder,
  encodeBackward,
  encodeForward,
  encoderOf,
  type SideTrace,
} from './encoder-decoder.ts';
import { deliverShared, HeldGradients } from './learning-step.ts';
import { type PromptInputs, promptInputs } from './prompts.ts';
import { lossRows, type Prompts, type Sequences, type SpanBatch, sequenceCount } from './sequences.ts';
import { contextRows, groupsOf, type SideRows, type SpanRows, spanRows } from './side-rows.ts';
import { type SpanDecoder, StepDecoder } from './span-decoder.ts';
import { type Heads, headLogits, headLosses, headsBackward, headsOf, rowsByHead } from './span-heads.ts';
import { allWeights, readWeight, toReference, type Weight } from './weight-layout.ts';

/** How one step learns. */
export interface LearnOptions {
  /** Largest L2 norm of all gradients together; they are all held until it is known. Default: no limit. */
  clip?: number | undefined;
  dropout?: Dropout | undefined;
  /** Products with the blocks' matrices in bfloat16, where the backend has them. Default: float32. */
  rounded?: boolean;
}

interface Sides {
  encoder: Encoder;
  decoder: Decoder;
}

interface Trace extends Sides {
  inputs: PromptInputs;
  contexts: SideRows;
  spans: SpanRows;
  encoded: SideTrace<EncoderTrace>;
  decoded: SideTrace<DecoderTrace>;
  /** Row of the decoder at which the spans' tokens begin. */
  first: number;
}

/** A PromptEHR model on a device: its parameters, and what is computed with them. */
export class PromptNetwork {
  readonly ops: Ops;
  readonly architecture: PromptArchitecture;
  readonly weights: readonly Weight[];
  readonly encoder: Encoder;
  readonly decoder: Decoder;
  readonly heads: Heads;
  readonly pace = new Pace();
  readonly #rounded: Sides;
  readonly #variables = new Map<string, Variable>();

  /** `initial` gives each weight's value and, when training is taken up again, its Adam slots. */
  constructor(
    ops: Ops,
    architecture: PromptArchitecture,
    initial: (weight: Weight) => Partial<VariableState>,
  ) {
    this.ops = ops;
    this.architecture = architecture;
    this.weights = allWeights(architecture);
    for (const weight of this.weights)
      this.#variables.set(weight.name, ops.variable(weight.name, weight.shape, initial(weight)));
    const find = (name: string) => this.variable(name);
    this.encoder = encoderOf(architecture, find);
    this.decoder = decoderOf(architecture, find);
    this.#rounded = {
      encoder: encoderOf(architecture, find, true),
      decoder: decoderOf(architecture, find, true),
    };
    this.heads = headsOf(architecture, find);
  }

  variable(name: string): Variable {
    const variable = this.#variables.get(name);
    if (!variable) throw new RangeError(`this model has no parameter ${name}`);
    return variable;
  }

  /** Trainable numbers. */
  get parameters(): number {
    return this.weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  }

  /** The weights in the reference's names and layouts. */
  reference(): Promise<Record<string, NamedArray>> {
    return toReference(this.weights, ({ name }) => this.ops.download(this.variable(name)), this.pace);
  }

  async #forward(batch: SpanBatch, learning?: LearnOptions): Promise<Trace> {
    const { ops, architecture, pace } = this;
    const { encoder, decoder } = learning?.rounded ? this.#rounded : this;
    const contexts = contextRows(ops, architecture, batch.contexts, groupsOf(batch, architecture));
    const spans = spanRows(ops, architecture, batch, contexts);
    const inputs = promptInputs(ops, architecture, sequenceCount(batch.contexts), batch);
    const pass = { ops, pace, drop: dropMasks(ops, learning?.dropout), forget: !learning };
    const encoded = await encodeForward(pass, encoder, contexts, inputs);
    const decoded = await decodeForward(pass, decoder, spans, inputs, encoded.out);
    const first = sequenceCount(batch.contexts) * promptRows(architecture);
    return { encoder, decoder, inputs, contexts, spans, encoded, decoded, first };
  }

  /** Teacher-forced logits of every row of the spans, by the head of its span. */
  logits(batch: SpanBatch): Promise<Float32Array[]> {
    const { ops } = this;
    return ops.scope(async () => {
      const { decoded, first } = await this.#forward(batch);
      const logits: Float32Array[] = [];
      for (const headRows of rowsByHead(batch, this.architecture.heads.length, true)) {
        const values = ops.download(headLogits(ops, this.heads, decoded.out, headRows, first).logits);
        const count = values.length / headRows.rows.length;
        headRows.rows.forEach((row, i) => {
          logits[row] = values.subarray(i * count, (i + 1) * count);
        });
        await this.pace.rest();
      }
      return logits;
    });
  }

  /** ln p(target) for every row of the spans, 0 where it has none. */
  logProbabilities(batch: SpanBatch): Promise<Float32Array> {
    const { ops } = this;
    return ops.scope(async () => {
      const { decoded, first } = await this.#forward(batch);
      const logs = new Float32Array(batch.targets.length);
      for (const headRows of rowsByHead(batch, this.architecture.heads.length)) {
        const losses = headLosses(ops, this.heads, decoded.out, headRows, first);
        headRows.rows.forEach((row, i) => {
          logs[row] = -(losses[i] as number);
        });
        await this.pace.rest();
      }
      return logs;
    });
  }

  /** Negative log-likelihood summed over the rows with a target, and their number; nothing is learned. */
  async loss(batch: SpanBatch): Promise<{ sum: number; cells: number }> {
    const logs = await this.logProbabilities(batch);
    return { sum: -logs.reduce((sum, value) => sum + value, 0), cells: lossRows(batch) };
  }

  /**
   * Forward and backward; the gradient of the mean loss of every parameter the batch uses goes to `update`
   * once (a head that no span of the batch uses gets none). Gives the mean loss. Throws RangeError for a
   * batch without a target.
   */
  learn(batch: SpanBatch, options: LearnOptions, update: Update): Promise<number> {
    const { ops } = this;
    return ops.scope(async () => {
      const { clip } = options;
      if (clip === undefined) return this.#backward(batch, await this.#forward(batch, options), update);
      const held = new HeldGradients(ops);
      try {
        const loss = await this.#backward(batch, await this.#forward(batch, options), held.take);
        held.pass(clip, update);
        return loss;
      } finally {
        held.dispose();
      }
    });
  }

  async #backward(batch: SpanBatch, trace: Trace, update: Update): Promise<number> {
    const { ops, pace, heads } = this;
    const pass: Backward = { ops, pace, update };
    const { encoder, decoder, inputs, contexts, spans, encoded, decoded, first } = trace;
    const { loss, dDecoded, shared } = await headsBackward(pass, heads, batch, decoded.out, first);
    const both = await decodeBackward(pass, decoder, spans, inputs, encoded.out, decoded, dDecoded);
    freeTrace(ops, decoded);
    shared.push({ tokens: batch.spans.tokens, gradient: both.dTokens });
    const gradient = await encodeBackward(pass, encoder, contexts, inputs, encoded, both.dEncoded);
    shared.push({ tokens: batch.contexts.tokens, gradient });
    deliverShared(pass, heads.shared, shared);
    return loss;
  }

  /** Reads contexts and prompts once, for any number of spans; the holder disposes of what they give. */
  encode(contexts: Sequences, prompts: Prompts): Promise<DecoderContexts> {
    return encodeContexts(this, contexts, prompts);
  }

  /**
   * Starts `sources.length` spans: each reads the context `sources[i]` and uses the head `heads[i]`. The
   * holder disposes of the decoder, and of the encoded contexts after it.
   */
  decode(encoded: DecoderContexts, sources: Int32Array, heads: Int32Array): SpanDecoder {
    return new StepDecoder(this, encoded, sources, heads);
  }

  dispose(): void {
    this.ops.dispose();
  }
}

/** A network of these numbers, by the names of its weights; what is not among them is zero. */
export const networkOf = (
  ops: Ops,
  architecture: PromptArchitecture,
  values: ReadonlyMap<string, Float32Array>,
): PromptNetwork => new PromptNetwork(ops, architecture, ({ name }) => ({ value: values.get(name) }));

/**
 * A network with the reference's weights; the event loop gets its turn between arrays. Throws RangeError
 * where a tensor is missing or misshapen.
 */
export const openNetwork = async (
  ops: Ops,
  architecture: PromptArchitecture,
  tensors: Record<string, NamedArray>,
): Promise<PromptNetwork> => {
  const pace = new Pace();
  const values = new Map<string, Float32Array>();
  for (const weight of allWeights(architecture)) {
    values.set(
      weight.name,
      readWeight(weight, (reference) => tensors[reference]),
    );
    await pace.rest();
  }
  return networkOf(ops, architecture, values);
};

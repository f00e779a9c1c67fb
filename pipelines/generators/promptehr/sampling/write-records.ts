import { RandomSource } from '../../../kernel/random.ts';
import type { EncodedContexts } from '../network/encode-contexts.ts';
import { type Prompts, packSequences, type Sequences } from '../network/sequences.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { mustClose, type SpanRules } from '../records/span-grammar.ts';
import { contextStream, type Spans, type StreamLayout, visitStream } from '../records/streams.ts';
import type { PromptSampling } from './decoding.ts';
import type { SpanNetwork, SpanTask } from './write-spans.ts';
import { writeSpans } from './write-spans.ts';

/** What writing records needs of a network. */
export interface RecordNetwork extends SpanNetwork {
  encode(contexts: Sequences, prompts: Prompts): Promise<EncodedContexts>;
}

/** What a span is to be, before it is written. */
export interface SpanPlan {
  /** What the network may write. */
  rules: SpanRules;
  /** Codes that stand in the span whatever the network writes; `rules` leave them out. */
  kept: readonly number[];
}

/** What is decided about some patients before their records are written. */
export interface RecordPlan {
  /** Visits each is to have. */
  visits: ArrayLike<number>;
  /** A row per patient. */
  prompts: Prompts;
  /** `written`: codes that stand in the visit already. */
  span(patient: number, visit: number, kind: number, written: number): SpanPlan;
}

/** Address of a span's uniforms within a patient; 0 has the patient's facts, `keptStream` on the seeds. */
export const spanStream = ({ kinds }: StreamLayout, visit: number, kind: number): number =>
  1 + visit * kinds.length + kind;

/** Tokens of contexts, as long as the longest, that are encoded together. */
const groupTokens = 16384;

/** One span, with what the encoder is to read for it. */
interface PendingSpan extends SpanTask {
  patient: number;
  stream: number[];
}

/**
 * Contexts that are encoded together: shortest first, so that little is padded, in groups of bounded size,
 * and of `most` together by what `countOf` counts of each. Decided by the contexts and their order alone.
 */
export const groupByLength = <T extends { stream: readonly number[] }>(
  contexts: readonly T[],
  countOf: (context: T) => number = () => 0,
  most = 0,
): T[][] => {
  const groups: T[][] = [];
  let count = 0;
  for (const context of contexts.toSorted((a, b) => a.stream.length - b.stream.length)) {
    const group = groups.at(-1);
    count += countOf(context);
    if (group && count <= most && (group.length + 1) * context.stream.length <= groupTokens)
      group.push(context);
    else {
      groups.push([context]);
      count = countOf(context);
    }
  }
  return groups;
};

const promptsAt = ({ numeric, categories }: Prompts, rows: readonly number[], patients: number): Prompts => {
  const [wide, tall] = [numeric.length / patients, categories.length / patients];
  const taken: Prompts = {
    numeric: new Float32Array(rows.length * wide),
    categories: new Int32Array(rows.length * tall),
  };
  rows.forEach((row, i) => {
    taken.numeric.set(numeric.subarray(row * wide, (row + 1) * wide), i * wide);
    taken.categories.set(categories.subarray(row * tall, (row + 1) * tall), i * tall);
  });
  return taken;
};

/** A record in the making. */
interface Draft {
  patient: number;
  /** Codes, visit by visit. */
  visits: number[][];
  streams: number[][];
  spans: Spans;
}

const writtenIn = (spans: Spans): number => spans.reduce((sum, span) => sum + (span?.length ?? 0), 0);

/**
 * The current visit as the context has it: without a span it is no visit at all, as in training
 * (examples.ts).
 */
const contextOf = ({ streams, spans }: Draft, kept: readonly number[], kind: number, model: PromptModel) => {
  const given = kept.length > 0 ? spans.with(kind, kept) : spans;
  const visits = given.some((span) => span) ? [...streams, visitStream(model.streams, given)] : streams;
  return contextStream(visits, model.settings.contextTokens).tokens;
};

/** Writes records with one network, model and way of sampling. */
class RecordWriter {
  readonly #network: RecordNetwork;
  readonly #model: PromptModel;
  readonly #sampling: PromptSampling;
  readonly #plan: RecordPlan;
  readonly #first: number;
  readonly #random: RandomSource;
  readonly #uniform = new Float64Array(1);

  constructor(
    network: RecordNetwork,
    model: PromptModel,
    sampling: PromptSampling,
    plan: RecordPlan,
    { seed, first }: { seed: number; first: number },
  ) {
    this.#network = network;
    this.#model = model;
    this.#sampling = sampling;
    this.#plan = plan;
    this.#first = first;
    this.#random = new RandomSource(seed, 'patients');
  }

  async write(): Promise<number[][][]> {
    const kinds = [...this.#model.streams.kinds.keys()];
    const drafts = Array.from(this.#plan.visits, (_, patient): Draft => {
      return { patient, visits: [], streams: [], spans: [] };
    });
    const going = (visit: number) =>
      drafts.filter(({ patient }) => visit < (this.#plan.visits[patient] as number));
    for (let visit = 0, live = going(0); live.length > 0; live = going(++visit)) {
      for (const draft of live) draft.spans = kinds.map(() => undefined);
      for (const kind of kinds) await this.#writeKind(live, visit, kind);
      for (const { visits, streams, spans } of live) {
        visits.push(spans.flatMap((span) => Array.from(span ?? [])));
        streams.push(visitStream(this.#model.streams, spans));
      }
    }
    return drafts.map(({ visits }) => visits);
  }

  /** One span of each record. */
  async #writeKind(drafts: readonly Draft[], visit: number, kind: number): Promise<void> {
    const { streams: layout } = this.#model;
    const plans = drafts.map(({ patient, spans }) => this.#plan.span(patient, visit, kind, writtenIn(spans)));
    const written = new Map<number, number[]>();
    const pending = drafts.flatMap((draft, i): PendingSpan[] => {
      const { rules, kept } = plans[i] as SpanPlan;
      if (mustClose(rules, [])) return [];
      const { patient } = draft;
      const stream = contextOf(draft, kept, kind, this.#model);
      return [{ patient, stream, context: 0, kind, rules, uniform: this.#uniformsOf(patient, visit, kind) }];
    });
    for (const group of groupByLength(pending))
      for (const [i, outputs] of (await this.#writeGroup(group)).entries())
        written.set((group[i] as PendingSpan).patient, outputs);
    drafts.forEach(({ patient, spans }, i) => {
      const tokens = layout.heads[kind]?.tokens ?? [];
      const codes = (written.get(patient) ?? []).map(
        (output) => (tokens[output] as number) - layout.codeBase,
      );
      spans[kind] = [...(plans[i] as SpanPlan).kept, ...codes].sort((a, b) => a - b);
    });
  }

  async #writeGroup(group: readonly PendingSpan[]): Promise<number[][]> {
    const { prompts, visits } = this.#plan;
    const encoded = await this.#network.encode(
      packSequences(group.map(({ stream }) => stream)),
      promptsAt(
        prompts,
        group.map(({ patient }) => patient),
        visits.length,
      ),
    );
    try {
      const tasks = group.map((span, context) => ({ ...span, context }));
      return await writeSpans(this.#network, encoded, this.#model.streams, tasks, this.#sampling);
    } finally {
      encoded.dispose();
    }
  }

  #uniformsOf(patient: number, visit: number, kind: number): (position: number) => number {
    const minor = spanStream(this.#model.streams, visit, kind);
    return (position) => {
      this.#random.fill(this.#uniform, position, position + 1, this.#first + patient, minor);
      return this.#uniform[0] as number;
    };
  }
}

/**
 * Writes the records of patients `first` …: visit by visit, kind by kind, each span from a context that holds
 * all that was written before. Gives each visit's codes. Random numbers are addressed by seed, patient,
 * visit, kind and position.
 */
export const writeRecords = (
  network: RecordNetwork,
  model: PromptModel,
  sampling: PromptSampling,
  plan: RecordPlan,
  at: { seed: number; first: number },
): Promise<number[][][]> => new RecordWriter(network, model, sampling, plan, at).write();

/**
 * Takes over a checkpoint of the reference (RyanWangZf/PromptEHR) or of BART (Hugging Face's names), exported
 * to safetensors. Our streams have tokens that theirs lack: `<v>` around visits, an end among the outputs of
 * a head, and all codes where BART never saw any. A code with a title starts as the mean of its pieces, where
 * the tokenizer is given; the other rows start at the mean of all with a little noise. `untaught` lists them:
 * they are to be trained.
 */
import { z } from 'zod';
import { StageError } from '../../../../schemas/errors.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import {
  attentionHeads,
  matrixNamed,
  tensorsOfShapes,
  withoutPrefix,
} from '../../../generation/checkpoint-tensors.ts';
import { defineImport } from '../../../generation/generator.ts';
import type { NamedArray } from '../../../kernel/checkpointable.ts';
import { RandomSource } from '../../../kernel/random.ts';
import type { PromptArchitecture } from '../network/architecture.ts';
import { allWeights, positionOffset, referenceShapes } from '../network/weight-layout.ts';
import { type PromptFeatures, promptFeatures } from '../records/features.ts';
import type { PromptMarginals } from '../records/marginals.ts';
import { interfaceOf, type PromptModel, writePromptModel } from '../records/prompt-model.ts';
import { type StreamLayout, streamsOf } from '../records/streams.ts';
import { gatheredRows, headTensors, streamRows } from './adopt-rows.ts';
import {
  type BytePairs,
  bytePairEncoder,
  readTokenizer,
  type TokenizerVocabulary,
  tokenizerFile,
  tokenizerVocabulary,
} from './tokenizer.ts';

type Tensors = Record<string, NamedArray>;

const options = z.object({
  tokenizer: tokenizerFile
    .optional()
    .describe(
      'tokenizer.json of a language model such as BART: codes with a name in the vocabulary begin as the pieces of that name',
    ),
  heads: attentionHeads,
});
type Options = z.output<typeof options>;

const malformed = (message: string): StageError => new StageError('SourceMalformed', message);
const embedding = 'model.shared.weight';

/** BartModel alone names its tensors without the `model.` that models around it put in front. */
const namedAsModel = (tensors: Tensors): Tensors => {
  const bare = withoutPrefix(tensors, ['module.']);
  if (bare[embedding] || !bare['shared.weight']) return bare;
  return Object.fromEntries(Object.entries(bare).map(([name, array]) => [`model.${name}`, array]));
};

/** Nothing is known of patients but that they have a visit: weights hold nothing else of them. */
const unknownMarginals = (features: PromptFeatures, labels: number): PromptMarginals => {
  const unknown = (levels: number) =>
    Array.from({ length: levels }, (_, level) => (level === levels - 1 ? 1 : 0));
  const root = { parent: -1 };
  return {
    labels,
    facts: [
      { about: { kind: 'visits', from: [1], tail: 0 }, levels: 1, shares: [1], ...root },
      ...features.numeric.map(({ name, mean, deviation }) => ({
        about: {
          kind: 'numeric' as const,
          name,
          edges: [],
          centers: [mean],
          spreads: [deviation],
          whole: false,
        },
        levels: 2,
        shares: unknown(2),
        ...root,
      })),
      ...features.categorical.map(({ name, levels }) => ({
        about: { kind: 'categorical' as const, name },
        levels: levels.length + 1,
        shares: unknown(levels.length + 1),
        ...root,
      })),
      ...Array.from({ length: labels }, (_, label) => ({
        about: { kind: 'label' as const, label },
        levels: 2,
        shares: [1, 0],
        ...root,
      })),
    ],
  };
};

/**
 * Per code, the rows of the pieces of its title, as it stands inside a sentence; none without a tokenizer or
 * title.
 */
const nameRows = ({ codes }: Vocabulary, pieces: BytePairs | undefined): number[][] => {
  if (!pieces) return [];
  const piecesOf = bytePairEncoder(pieces);
  return codes.map(({ title }) => (title === undefined ? [] : piecesOf(` ${title.trim()}`)));
};

const headsFor = (width: number, given: number | undefined): number => {
  const heads = given ?? (width % 64 === 0 ? width / 64 : undefined);
  if (heads === undefined)
    throw malformed(
      `how many attention heads the model has cannot be seen in its weights (width ${width}): give --heads`,
    );
  if (width % heads === 0) return heads;
  throw malformed(`${heads} heads do not divide the width of ${width}`);
};

const layersOf = (tensors: Tensors, side: string): number =>
  Object.keys(tensors).filter((name) =>
    new RegExp(`^model\\.${side}\\.layers\\.\\d+\\.fc1\\.weight$`).test(name),
  ).length;

const architectureOf = (
  tensors: Tensors,
  streams: StreamLayout,
  features: PromptFeatures,
  { heads }: Options,
): PromptArchitecture => {
  const [, width] = matrixNamed(tensors, embedding, 'PromptEHR or BART');
  const [rows] = matrixNamed(tensors, 'model.encoder.embed_positions.weight', 'PromptEHR or BART');
  const [feed] = matrixNamed(tensors, 'model.encoder.layers.0.fc1.weight', 'PromptEHR or BART');
  const prompts = Object.entries(tensors).find(([name]) =>
    /_conditional_prompt\..*\.proj\.weight$/.test(name),
  )?.[1];
  return {
    width,
    encoderLayers: layersOf(tensors, 'encoder'),
    decoderLayers: layersOf(tensors, 'decoder'),
    attentionHeads: headsFor(width, heads),
    feed,
    positions: rows - positionOffset,
    promptHidden: prompts?.shape[1] ?? 1,
    tied: !Object.keys(tensors).some((name) => /^lm_head\.\w+\.weight$/.test(name)),
    ...interfaceOf(streams, features),
  };
};

const noFeatures: PromptFeatures = { numeric: [], categorical: [], labels: [] };
const namedFeatures = promptFeatures.omit({ labels: true });

const featuresOf = (features: unknown): PromptFeatures => {
  if (features === undefined) return noFeatures;
  const parsed = namedFeatures.safeParse(features);
  if (parsed.success) return { ...parsed.data, labels: [] };
  throw malformed(`features of the vocabulary file: ${z.prettifyError(parsed.error)}`);
};

const notesOf = (
  tensors: Tensors,
  model: PromptModel,
  { heads }: Options,
  own: TokenizerVocabulary | undefined,
): string[] => {
  const { drawn = [], named = [] } = model.untaught ?? {};
  const { codeBase, tokens } = model.streams;
  const fresh = drawn.filter((token) => token >= codeBase).length;
  const hasPrompts = Object.keys(tensors).some((name) => name.includes('_conditional_prompt.'));
  return [
    ...(heads === undefined
      ? [`${model.architecture.attentionHeads} attention heads are assumed, 64 columns each`]
      : []),
    ...(fresh > 0
      ? [
          `${fresh} of ${tokens - codeBase} codes are new to these weights: they have to be trained before use`,
        ]
      : []),
    ...(named.length > 0
      ? [
          `${named.length} of ${tokens - codeBase} codes are new to these weights and begin as the mean of the pieces of their names`,
        ]
      : []),
    ...(hasPrompts && own?.features === undefined
      ? [
          'its prompts are left out, as weights do not show what they are about: name them as `features` in the vocabulary file',
        ]
      : []),
    'brackets around visits and the end of a span are new to these weights; they do not show how many visits a record has, so sampled records have one',
  ];
};

/** A PromptEHR or BART checkpoint as a model of ours. */
export const promptImport = defineImport({
  options,
  files: ['tokenizer'],
  vocabulary: tokenizerVocabulary,
  adopt(checkpoint, given) {
    const tensors = namedAsModel(checkpoint.tensors);
    const [height] = matrixNamed(tensors, embedding, 'PromptEHR or BART');
    const own = 'tokens' in checkpoint.vocabulary ? checkpoint.vocabulary : undefined;
    const places = own && readTokenizer(own);
    const vocabulary = places?.vocabulary ?? (checkpoint.vocabulary as Vocabulary);
    const streams = streamsOf(vocabulary);
    const features = featuresOf(own?.features);
    const architecture = architectureOf(tensors, streams, features, given);
    if (!architecture.tied && !places)
      throw malformed(
        'these weights have heads of their own: give the vocabulary of their tokenizer, {"<diag>": 50265, …}',
      );
    const random = new RandomSource(checkpoint.seed, 'weights');
    const rows = streamRows(
      streams,
      own?.tokens ?? given.tokenizer?.rows,
      places,
      nameRows(vocabulary, given.tokenizer),
      height,
    );
    const adopted = {
      ...tensors,
      [embedding]: gatheredRows(tensors[embedding] as NamedArray, rows, random, 0),
      ...(places && !architecture.tied ? headTensors(tensors, streams, places, random) : {}),
    };
    const promptRows = features.numeric.length + features.categorical.length;
    const model: PromptModel = {
      architecture,
      streams,
      features,
      marginals: unknownMarginals(features, vocabulary.labels.length),
      settings: { contextTokens: architecture.positions - promptRows, order: 'shuffled' },
      untaught: {
        drawn: rows.flatMap((row, token) => (row === -1 ? [token] : [])),
        named: rows.flatMap((row, token) => (Array.isArray(row) ? [token] : [])),
      },
    };
    const { width, encoderLayers, decoderLayers, attentionHeads: heads, feed, tied } = architecture;
    return {
      saved: {
        arrays: tensorsOfShapes(adopted, referenceShapes(architecture), 'PromptEHR'),
        json: writePromptModel(model),
      },
      vocabulary,
      settings: {
        width,
        encoderLayers,
        decoderLayers,
        attentionHeads: heads,
        feed,
        tied,
        ...model.settings,
      },
      parameters: allWeights(architecture).reduce(
        (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
        0,
      ),
      notes: notesOf(tensors, model, given, own),
    };
  },
});

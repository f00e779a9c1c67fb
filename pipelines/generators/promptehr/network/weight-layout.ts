/**
 * How our arrays lie in the tensors of the reference (RyanWangZf/PromptEHR, whose names and layouts are those
 * of BART in Hugging Face's transformers). Projections that read the same rows are one array here, their
 * reference tensors side by side: one product of matrices instead of three.
 */
import type { NamedArray } from '../../../kernel/checkpointable.ts';
import type { Pace } from '../../../kernel/pace.ts';
import type { PromptArchitecture } from './architecture.ts';

/** One reference tensor inside an array of ours. */
export interface Piece {
  reference: string;
  /** Ours: `[in, out]`, or `[n]`. */
  shape: number[];
  /** The reference has `[out, in]`. */
  transposed: boolean;
}

/** A trainable array of ours: its pieces side by side along the last axis. */
export interface Weight {
  name: string;
  /** `[in, out]`, or `[n]`. */
  shape: number[];
  pieces: Piece[];
}

/** Rows that BART's position tables have in front of position 0. */
export const positionOffset = 2;

const size = (shape: readonly number[]): number => shape.reduce((product, width) => product * width, 1);

const whole = (reference: string, ...shape: number[]): Weight => ({
  name: reference,
  shape,
  pieces: [{ reference, shape, transposed: false }],
});

/** Projections from the same rows, [in, out] each, as one of [in, pieces · out]; weight and bias. */
const projections = (name: string, pieces: string[], from: number, to: number): Weight[] => [
  {
    name: `${name}.weight`,
    shape: [from, pieces.length * to],
    pieces: pieces.map((piece) => ({ reference: `${piece}.weight`, shape: [from, to], transposed: true })),
  },
  {
    name: `${name}.bias`,
    shape: [pieces.length * to],
    pieces: pieces.map((piece) => ({ reference: `${piece}.bias`, shape: [to], transposed: false })),
  },
];

const dense = (name: string, from: number, to: number): Weight[] => projections(name, [name], from, to);

/** Name of a tensor of one layer of the encoder or the decoder. */
export const layerName = (side: Side, layer: number, tensor: string): string =>
  `model.${side}.layers.${layer}.${tensor}`;

export type Side = 'encoder' | 'decoder';

const sideWeights = (architecture: PromptArchitecture, side: Side): Weight[] => {
  const { width, feed, positions } = architecture;
  const layers = side === 'encoder' ? architecture.encoderLayers : architecture.decoderLayers;
  const norm = (name: string) => [whole(`${name}.weight`, width), whole(`${name}.bias`, width)];
  const attention = (name: string, fused: [string, string[]][]) => [
    ...fused.flatMap(([ours, theirs]) =>
      projections(
        `${name}.${ours}`,
        theirs.map((piece) => `${name}.${piece}_proj`),
        width,
        width,
      ),
    ),
    ...dense(`${name}.out_proj`, width, width),
    ...norm(`${name}_layer_norm`),
  ];
  const layerWeights = (_: unknown, layer: number): Weight[] => {
    const at = (tensor: string) => layerName(side, layer, tensor);
    return [
      ...attention(at('self_attn'), [['project', ['q', 'k', 'v']]]),
      ...(side === 'encoder'
        ? []
        : attention(at('encoder_attn'), [
            ['q_proj', ['q']],
            ['remember', ['k', 'v']],
          ])),
      ...dense(at('fc1'), width, feed),
      ...dense(at('fc2'), feed, width),
      ...norm(at('final_layer_norm')),
    ];
  };
  return [
    whole(`model.${side}.embed_positions.weight`, positions + positionOffset, width),
    ...norm(`model.${side}.layernorm_embedding`),
    ...Array.from({ length: layers }, layerWeights).flat(),
    ...promptWeights(architecture, side),
  ];
};

/** Name of a tensor of the prompts of one side; `kind` is what the features are. */
export const promptName = (side: Side, kind: 'num' | 'cat', tensor: string): string =>
  `model.${side}_conditional_prompt.${kind}_tokenizer.${tensor}`;

const promptWeights = (
  { numeric, categories, promptHidden, width }: PromptArchitecture,
  side: Side,
): Weight[] => {
  const project = (kind: 'num' | 'cat'): Weight => {
    const reference = promptName(side, kind, 'proj.weight');
    const shape = [promptHidden, width];
    return { name: reference, shape, pieces: [{ reference, shape, transposed: true }] };
  };
  const levels = categories.reduce((sum, count) => sum + count, 0);
  return [
    ...(numeric > 0
      ? [
          whole(promptName(side, 'num', 'weight'), numeric, promptHidden),
          whole(promptName(side, 'num', 'bias'), numeric, promptHidden),
          project('num'),
        ]
      : []),
    ...(categories.length > 0
      ? [
          whole(promptName(side, 'cat', 'embeddings.weight'), levels, promptHidden),
          whole(promptName(side, 'cat', 'bias'), categories.length, promptHidden),
          project('cat'),
        ]
      : []),
  ];
};

/** Name of the matrix of an untied head, or of what any head adds to its logits. */
export const headName = (head: string, tensor: 'weight' | 'bias' = 'weight'): string =>
  `lm_head.${head}.${tensor}`;

/** Every trainable array of a model, in a fixed order. */
export const allWeights = (architecture: PromptArchitecture): Weight[] => [
  whole('model.shared.weight', architecture.tokens, architecture.width),
  ...sideWeights(architecture, 'encoder'),
  ...sideWeights(architecture, 'decoder'),
  ...(architecture.tied
    ? []
    : architecture.heads.map(({ name, tokens }) => whole(headName(name), tokens.length, architecture.width))),
  ...(architecture.biased
    ? architecture.heads.map(({ name, tokens }) => whole(headName(name, 'bias'), tokens.length))
    : []),
];

/** Shapes of the reference's tensors, by name. */
export const referenceShapes = (architecture: PromptArchitecture): Record<string, number[]> => {
  const shapes: Record<string, number[]> = {};
  for (const { pieces } of allWeights(architecture))
    for (const { reference, shape, transposed } of pieces)
      shapes[reference] = transposed ? shape.toReversed() : shape;
  return shapes;
};

/** Side of the squares in which a matrix is turned, so that both sides of it stay in the cache. */
const tile = 64;

/** A piece's numbers from the reference's layout into our array, from its column `first` on. */
const takePiece = (
  weight: Weight,
  piece: Piece,
  first: number,
  theirs: Float32Array,
  ours: Float32Array,
): void => {
  const stride = weight.shape.at(-1) as number;
  const columns = piece.shape.at(-1) as number;
  const rows = size(piece.shape) / columns;
  if (!piece.transposed) {
    for (let row = 0; row < rows; row++)
      ours.set(theirs.subarray(row * columns, (row + 1) * columns), row * stride + first);
    return;
  }
  for (let top = 0; top < rows; top += tile)
    for (let left = 0; left < columns; left += tile)
      for (let row = top; row < Math.min(rows, top + tile); row++)
        for (let column = left; column < Math.min(columns, left + tile); column++)
          ours[row * stride + first + column] = theirs[column * rows + row] as number;
};

/** The inverse. */
const givePiece = (weight: Weight, piece: Piece, first: number, ours: Float32Array): Float32Array => {
  const stride = weight.shape.at(-1) as number;
  const columns = piece.shape.at(-1) as number;
  const rows = size(piece.shape) / columns;
  const theirs = new Float32Array(rows * columns);
  if (!piece.transposed) {
    for (let row = 0; row < rows; row++) {
      const from = row * stride + first;
      theirs.set(ours.subarray(from, from + columns), row * columns);
    }
    return theirs;
  }
  for (let left = 0; left < columns; left += tile)
    for (let top = 0; top < rows; top += tile)
      for (let column = left; column < Math.min(columns, left + tile); column++)
        for (let row = top; row < Math.min(rows, top + tile); row++)
          theirs[column * rows + row] = ours[row * stride + first + column] as number;
  return theirs;
};

/** Our array out of the reference's tensors. Throws RangeError where one is missing or of another shape. */
export const readWeight = (
  weight: Weight,
  tensorOf: (reference: string) => NamedArray | undefined,
): Float32Array => {
  const values = new Float32Array(size(weight.shape));
  let first = 0;
  for (const piece of weight.pieces) {
    const tensor = tensorOf(piece.reference);
    const shape = piece.transposed ? piece.shape.toReversed() : piece.shape;
    if (tensor?.shape.join() !== shape.join())
      throw new RangeError(
        `tensor ${piece.reference}: shape [${shape}] expected, ${tensor ? `[${tensor.shape}]` : 'none'} found`,
      );
    const theirs = tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data, Number);
    takePiece(weight, piece, first, theirs, values);
    first += piece.shape.at(-1) as number;
  }
  return values;
};

/** The reference's tensors that an array of ours holds. */
const pieceTensors = (weight: Weight, values: Float32Array): [reference: string, tensor: NamedArray][] => {
  let first = 0;
  return weight.pieces.map((piece) => {
    const { reference, shape, transposed } = piece;
    const data = givePiece(weight, piece, first, values);
    first += shape.at(-1) as number;
    return [reference, { shape: transposed ? shape.toReversed() : shape, data }];
  });
};

/** Our arrays as the reference's tensors: loadable by its code. Rests after each array. */
export const toReference = async (
  weights: readonly Weight[],
  valuesOf: (weight: Weight) => Float32Array,
  pace: Pace,
): Promise<Record<string, NamedArray>> => {
  const tensors: Record<string, NamedArray> = {};
  for (const weight of weights) {
    for (const [reference, tensor] of pieceTensors(weight, valuesOf(weight))) tensors[reference] = tensor;
    await pace.rest();
  }
  return tensors;
};

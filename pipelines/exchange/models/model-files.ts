/** Files of a model folder, as the train stage writes them. */
export const modelFileNames = ['model.json', 'vocabulary.json', 'curve.json', 'weights.safetensors'] as const;

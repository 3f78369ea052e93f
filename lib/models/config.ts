// The configuration that a model's graph is built from. It is read in lib/weights, which models may import.
export { MODEL_TYPES, type ModelConfig, type RopeScaling } from '../weights/config.ts'

// The same code for ES modules: one copy of the engine, whichever way it is loaded.
import kvasir from '../dist/index.js'

export const { load, KvasirError } = kvasir

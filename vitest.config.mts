import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // The machine that CI runs on has two cores and our engine uses both.
    fileParallelism: false,
    pool: 'forks',
  },
})

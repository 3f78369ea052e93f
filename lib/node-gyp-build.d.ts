declare module 'node-gyp-build' {
  /** Loads build/Release or the prebuilt addon under `root` that fits this system. */
  export default function load(root: string): unknown
}

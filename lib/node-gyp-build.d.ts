declare module 'node-gyp-build' {
  /** Loads build/Release or the prebuilt addon under `root` that fits this system. */
  function load(root: string): unknown
  namespace load {
    /** The file that load() takes. Throws when there is none. */
    function path(root: string): string
  }
  export default load
}

// Paths in a packed Electron app. An .asar archive is one file: the system can neither load nor map what lies inside,
// and the packager puts what must be real files beside it, in <name>.asar.unpacked.

/** The path as the system can open it: `…/app.asar/…` becomes `…/app.asar.unpacked/…`, anything else stays. */
export function unpackedPath(path: string): string {
  return path.replace(/\.asar(?=[\\/])/g, '.asar.unpacked')
}

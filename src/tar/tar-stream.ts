/** The package that knows the blocks of headers. */
export type TarStream = typeof import('tar-stream')

/** Loads it where an archive is met, once for each: to ask again costs as much as to decode a header. */
export function loadTarStream(): Promise<TarStream> {
  return import('tar-stream')
}

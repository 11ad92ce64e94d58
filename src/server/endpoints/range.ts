/** The first and last byte that a request wants, both inclusive. */
export interface WantedRange {
  readonly start: number
  readonly end: number
}

/**
 * Reads a `Range` header for content of `size` bytes (RFC 9110, 14.2). Several ranges, other units and malformed headers
 * are ignored, as they may be: undefined means the whole content. A range beyond the end, or that ends before it begins,
 * is `unsatisfiable`.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): WantedRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  const [, first = '', last = ''] = match ?? []
  if (first === '' && last === '') return undefined
  if (first === '') return suffix(Number(last), size)
  const start = Number(first)
  const end = last === '' ? size - 1 : Number(last)
  if (end < start) return 'unsatisfiable'
  return start < size ? { start, end: Math.min(end, size - 1) } : 'unsatisfiable'
}

function suffix(length: number, size: number): WantedRange | 'unsatisfiable' {
  if (length === 0 || size === 0) return 'unsatisfiable'
  return { start: Math.max(size - length, 0), end: size - 1 }
}

import { DrayError } from '../errors.ts'

/** Fills a template from a document. @throws DrayError `USAGE` for a field that the document does not have */
export type Template = (document: unknown) => string

type Expression = (dot: unknown) => unknown
type Write = (dot: unknown) => string

/**
 * Reads a small part of Go's template language, in which users of docker write `--format`:
 * `{{.Digest}}`, `{{.Config.Env}}`, `{{index .Labels "a.b"}}`, `{{index .Tags 0}}`, `{{json .}}`, `{{"text"}}` and
 * `{{range .Tags}}…{{end}}`. Outside of braces `\n`, `\t` and `\\` are escapes. Field names match in any case, a null
 * prints nothing, and an object or list prints as JSON. Nothing is ever called or evaluated.
 * @throws DrayError `USAGE`
 */
export function parseTemplate(source: string): Template {
  const open: { writes: Write[]; over?: Expression }[] = []
  let writes: Write[] = []
  for (const piece of splitActions(source)) {
    if (piece.kind === 'text') {
      const { text } = piece
      writes.push(() => text)
      continue
    }
    const [verb, ...words] = piece.words
    if (verb === 'range') {
      open.push({ writes, over: parseExpression(words, source) })
      writes = []
    } else if (verb === 'end' && words.length === 0) {
      const outer = open.pop()
      if (outer?.over === undefined) fail(source, '{{end}} without {{range}}')
      outer.writes.push(writeRange(outer.over, writes))
      writes = outer.writes
    } else {
      const value = parseExpression(piece.words, source)
      writes.push(dot => textOf(value(dot)))
    }
  }
  if (open.length > 0) fail(source, '{{range}} without {{end}}')
  return document => run(writes, document)
}

type Piece = { kind: 'text'; text: string } | { kind: 'action'; words: string[] }

function splitActions(source: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  while (at < source.length) {
    const start = source.indexOf('{{', at)
    const text = source.slice(at, start < 0 ? undefined : start)
    if (text !== '') pieces.push({ kind: 'text', text: readEscapes(text) })
    if (start < 0) break
    const action = /\{\{((?:"(?:\\.|[^"\\])*"|`[^`]*`|[^"`}])*)\}\}/y
    action.lastIndex = start
    const inner = action.exec(source)?.[1]
    if (inner === undefined) fail(source, 'a {{ is not closed')
    pieces.push({ kind: 'action', words: inner.match(/"(?:\\.|[^"\\])*"|`[^`]*`|[^\s"`]+/g) ?? [] })
    at = action.lastIndex
  }
  return pieces
}

function parseExpression(words: readonly string[], source: string): Expression {
  const [first, second, ...rest] = words
  if (first === 'json' && second !== undefined && rest.length === 0) {
    const value = parseExpression([second], source)
    return dot => JSON.stringify(value(dot) ?? null)
  }
  if (first === 'index' && second !== undefined && rest.length > 0) {
    const value = parseExpression([second], source)
    const keys = rest.map(word => parseKey(word, source))
    return dot => keys.reduce(element, value(dot))
  }
  if (first === undefined || second !== undefined) fail(source, `{{${words.join(' ')}}} is not understood`)
  if (first === '.') return dot => dot
  if (/^(?:\.[A-Za-z_]\w*)+$/.test(first)) {
    const names = first.slice(1).split('.')
    return dot => names.reduce(field, dot)
  }
  const literal = parseKey(first, source)
  return () => literal
}

function parseKey(word: string, source: string): string | number {
  if (/^\d{1,9}$/.test(word)) return Number(word)
  if (word.startsWith('`')) return word.slice(1, -1)
  try {
    if (word.startsWith('"')) return JSON.parse(word) as string
  } catch (cause) {
    throw new DrayError('USAGE', `--format: ${word} is not a string`, { cause })
  }
  return fail(source, `"${word}" is not understood`)
}

/** Null has all fields, each of them null, so that one template fits images with and without a config. */
function field(value: unknown, name: string): unknown {
  if (value === null || value === undefined) return undefined
  if (Array.isArray(value)) {
    throw new DrayError('USAGE', `--format: ".${name}" is asked of a list`, {
      hint: `go through the list with {{range …}}{{.${name}}}{{end}}`,
    })
  }
  const entries = typeof value === 'object' ? Object.entries(value) : []
  const wanted = name.toLowerCase()
  const found = entries.find(([key]) => key === name) ?? entries.find(([key]) => key.toLowerCase() === wanted)
  if (found) return found[1]
  const known = entries.slice(0, 40).map(([key]) => wayTo(key))
  throw new DrayError('USAGE', `--format: unknown field ".${name}"`, {
    hint: known.length === 0 ? 'it is asked of a value without fields' : `known fields: ${known.join(', ')}`,
  })
}

/** How a template gets at a field; a label's name with dots in it is no field to it. */
function wayTo(key: string): string {
  return /^\w+$/.test(key)
    ? `.${key.charAt(0).toUpperCase()}${key.slice(1)}`
    : `{{index … ${JSON.stringify(key)}}}`
}

/** Like Go's `index`: a missing key of an object is nothing, a missing element of a list is an error. */
function element(value: unknown, key: string | number): unknown {
  if (Array.isArray(value)) {
    if (typeof key === 'number' && key < value.length) return value[key]
    throw new DrayError('USAGE', `--format: index ${key} is not in a list of ${value.length}`)
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Record<string, unknown>)[key]
}

function writeRange(over: Expression, body: readonly Write[]): Write {
  return dot => {
    const value = over(dot)
    const items = typeof value === 'object' && value !== null ? Object.values(value) : []
    return items.map(item => run(body, item)).join('')
  }
}

function run(writes: readonly Write[], dot: unknown): string {
  return writes.map(write => write(dot)).join('')
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function readEscapes(text: string): string {
  return text.replace(/\\([nt\\])/g, (_, letter) => ({ n: '\n', t: '\t' })[letter as string] ?? letter)
}

function fail(source: string, why: string): never {
  throw new DrayError('USAGE', `--format: cannot read the template '${source}': ${why}`, {
    hint: `for example '{{.Digest}}', '{{json .}}' or '{{range .Tags}}{{.}}\\n{{end}}'`,
  })
}

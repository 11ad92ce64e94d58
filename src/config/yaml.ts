import type { Document, LineCounter, Node } from 'yaml'
import { DrayError } from '../errors.ts'

/** A YAML document's content, and on which line each part of it stands. */
export interface YamlContent {
  readonly value: unknown
  /** Counted from 1; of what is not there, the line of what it should stand in. */
  lineOf(path: readonly PropertyKey[]): number
}

/** An alias may stand for much, and hold aliases itself. */
const maxAliases = 100

/**
 * Reads one YAML 1.2 document.
 * @throws DrayError `USAGE` that names the line and never what stands there, which may be a secret
 */
export async function parseYaml(text: string, file: string): Promise<YamlContent> {
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [fault] = [...document.errors, ...document.warnings]
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0])
    const what = fault.code.toLowerCase().replaceAll('_', ' ')
    throw new DrayError('USAGE', `${file}, line ${line}, column ${col}: not valid YAML (${what})`)
  }
  return { value: contentOf(document, file), lineOf: path => lineOf(document, path, { yaml, lines }) }
}

function contentOf(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: maxAliases })
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    // Its message names the alias, which may be the beginning of a password.
    throw new DrayError('USAGE', `${file}: an alias in it stands for nothing, or for too much`, {
      hint: 'a text that begins with * needs quotes',
    })
  }
}

interface Reading {
  readonly yaml: typeof import('yaml')
  readonly lines: LineCounter
}

function lineOf(document: Document.Parsed, path: readonly PropertyKey[], { yaml, lines }: Reading): number {
  let node: unknown = document.contents
  let offset = offsetOf(node) ?? 0
  for (const step of path) {
    if (yaml.isAlias(node)) node = node.resolve(document)
    if (yaml.isMap(node)) {
      const pair = node.items.find(({ key }) => yaml.isScalar(key) && String(key.value) === step)
      offset = offsetOf(pair?.key) ?? offset
      node = pair?.value
    } else {
      node = yaml.isSeq(node) ? node.items[Number(step)] : undefined
      offset = offsetOf(node) ?? offset
    }
  }
  return lines.linePos(offset).line
}

function offsetOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0]
}

import { DrayError, quote } from '../errors.ts'
import { printableJson, printableLines } from './printable.ts'
import { parseTemplate, type Template } from './template.ts'

/** How a verb prints its result. */
export type OutputFormat =
  | { readonly kind: 'text' }
  | { readonly kind: 'json' }
  | { readonly kind: 'jsonl' }
  | { readonly kind: 'template'; readonly template: Template }

/**
 * Reads the value of `--format`: `text`, `json`, `jsonl` or a template (see `parseTemplate`).
 * @throws DrayError `USAGE`
 */
export function parseFormat(text: string): OutputFormat {
  if (text === 'text' || text === 'json' || text === 'jsonl') return { kind: text }
  if (text.includes('{{')) return { kind: 'template', template: parseTemplate(text) }
  throw new DrayError('USAGE', `--format: ${quote(text)} is not a format`, {
    hint: "give text, json, jsonl or a template such as '{{.Digest}}'",
  })
}

export interface FormatOptions {
  /** What people see; its text from elsewhere is escaped already. */
  readonly text: () => string
  /** True when stdout is a terminal: control characters that a template prints are escaped. */
  readonly isTerminal?: boolean
}

/**
 * A verb's result as text that ends with a newline (or is empty). `json` is indented and keeps the document's order of
 * fields; `jsonl` prints one line, or one for each element of a list. Neither ever holds a raw control character.
 * @throws DrayError `USAGE` when a template asks for a field that is not there
 */
export function formatOutput(document: unknown, format: OutputFormat, options: FormatOptions): string {
  switch (format.kind) {
    case 'text':
      return lineOf(options.text())
    case 'json':
      return lineOf(printableJson(JSON.stringify(document, null, 2)))
    case 'jsonl':
      return (Array.isArray(document) ? document : [document]).map(jsonLine).join('')
    case 'template': {
      const text = format.template(document)
      return lineOf(options.isTerminal ? printableLines(text) : text)
    }
  }
}

/** One line of JSON with its newline, free of raw control characters. */
export function jsonLine(document: unknown): string {
  return `${printableJson(JSON.stringify(document))}\n`
}

function lineOf(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}

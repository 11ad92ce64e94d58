import { isDrayError } from '../errors.ts'
import { exitCodeOf, isCommanderError } from './exit-codes.ts'
import { printable, printableJson, printableLines } from './printable.ts'
import { redact } from './redact.ts'
import { OutputClosed } from './stdout.ts'

const maxMessageLength = 2000
const maxCauses = 8

export interface ReportOptions {
  /** True when `--format json` or `jsonl` is in force: one JSON object on one line instead of text. */
  readonly json?: boolean
  /** Adds the stack and the causes to errors of every kind. */
  readonly debug?: boolean
}

/**
 * The lines that tell a person, or with `json` a program, what failed: `dray: <message>`, then `hint: …` where there
 * is one, then the stack where it is a bug. Secrets are masked and control characters escaped. Empty where nothing
 * failed. As JSON: `{"error":{"code","message","hint"?,"exitCode","stack"?}}`, where `code` is `INTERNAL` for a bug.
 */
export function errorLines(error: unknown, options: ReportOptions = {}): string[] {
  const exitCode = exitCodeOf(error)
  if (exitCode === 0) return []
  const message = shorten(safe(messageOf(error)))
  const hint = hintOf(error)
  const stack = options.debug || isBug(error) ? stackOf(error) : undefined
  if (options.json) {
    const report = { code: codeOf(error), message, hint, exitCode, stack: stack?.join('\n') }
    return [printableJson(JSON.stringify({ error: report }))]
  }
  return [`dray: ${message}`, ...(hint === undefined ? [] : [`hint: ${hint}`]), ...(stack ?? [])]
}

function isBug(error: unknown): boolean {
  return !isDrayError(error) && !isCommanderError(error) && !(error instanceof OutputClosed)
}

function codeOf(error: unknown): string {
  if (isDrayError(error)) return error.code
  return isCommanderError(error) ? 'USAGE' : 'INTERNAL'
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (isCommanderError(error)) return error.message.replace(/^error: /, '')
  return error.message || error.name
}

function hintOf(error: unknown): string | undefined {
  if (isBug(error)) return 'this is a fault in dray itself; please report it with the lines below'
  return isDrayError(error) && error.hint !== undefined ? shorten(safe(error.hint)) : undefined
}

function stackOf(error: unknown): string[] {
  const lines: string[] = []
  const seen = new Set<unknown>()
  let current = error
  while (current !== undefined && !seen.has(current) && seen.size < maxCauses) {
    const text = current instanceof Error ? (current.stack ?? current.message) : String(current)
    lines.push(...printableLines(redact(seen.size === 0 ? text : `caused by: ${text}`)).split('\n'))
    seen.add(current)
    current = current instanceof Error ? current.cause : undefined
  }
  return lines
}

function safe(text: string): string {
  return printable(redact(text.trim()))
}

function shorten(text: string): string {
  return text.length <= maxMessageLength ? text : `${text.slice(0, maxMessageLength)}…`
}

import { isDrayError } from '../errors.ts'
import type { RequestEvent } from '../server/server.ts'
import { jsonLine } from './output.ts'
import { printable } from './printable.ts'
import { redact } from './redact.ts'

/** How requests are logged. */
export type LogForm = 'text' | 'json' | 'none'

const longestField = 256

/** The line for what happens beside the requests. */
export function warningLine(form: LogForm, message: string, time: Date): string {
  const text = redact(message)
  return form === 'json'
    ? jsonLine({ time: time.toISOString(), warning: text })
    : `${printable(`warning: ${text}`)}\n`
}

/** The line of a log for a request that ended at `time`; undefined where nothing is logged. */
export function logLine(form: LogForm, event: RequestEvent, time: Date): string | undefined {
  if (form === 'none') return undefined
  return form === 'json' ? jsonLine(logDocument(event, time)) : `${printable(textLine(event, time))}\n`
}

/** A field that has no value is left out. */
function logDocument(event: RequestEvent, time: Date): object {
  const { id, method, path, status, received, sent, ms, user, remoteAddress, userAgent, error } = event
  return {
    time: time.toISOString(),
    method: cut(method),
    path: cut(path),
    status,
    bytes: received + sent,
    ms: Math.round(ms),
    user,
    remoteAddress,
    userAgent: userAgent && cut(userAgent),
    ...(error === undefined ? {} : { requestId: id, error: errorText(error) }),
  }
}

/** `TIME ADDRESS USER METHOD PATH STATUS BYTES MS "AGENT"`, with `-` for what there is not. */
function textLine(event: RequestEvent, time: Date): string {
  const { id, method, path, status, received, sent, ms, user, remoteAddress, userAgent, error } = event
  const agent = userAgent === undefined ? '-' : JSON.stringify(cut(userAgent))
  const request = [remoteAddress ?? '-', word(user ?? '-'), cut(method), cut(path)].join(' ')
  const fault = error === undefined ? '' : ` ${id}: ${errorText(error)}`
  const answer = `${status} ${received + sent} B ${Math.round(ms)} ms ${agent}`
  return `${time.toISOString()} ${request} ${answer}${fault}`
}

/** A name with a space in it stays one field. */
function word(text: string): string {
  return /[\s"]/.test(text) ? JSON.stringify(text) : text
}

function cut(text: string): string {
  return text.length > longestField ? `${text.slice(0, longestField)}…` : text
}

function errorText(error: unknown): string {
  if (isDrayError(error)) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
